"""Pictures of runs: who worked when, what was paid when, who said what to whom, and how mechanisms compare.

matplotlib is imported when a picture is drawn. Functions draw on the axes they are given, or on new ones, and return
them, as pandas and seaborn do: `axes.figure.savefig(path)`. Colours are those of Okabe and Ito, which people with any
form of colour blindness can tell apart; nothing is told by colour alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from walras.errors import WalrasError
from walras.results import Result
from walras.results.metrics import Metrics
from walras.study.intervals import Absence, Work, absences_of, lanes, work_of
from walras.study.lifelines import Arrow, Fan, Note, Story, tell
from walras.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, VERMILION, SKY, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#999999"
INK = "#333333"

_STATUS = {
    "done": (BLUE, ""),
    "failed": (VERMILION, "xx"),
    "stopped": (ORANGE, "//"),
    "unknown": (GREY, ".."),
    "unfinished": ("white", "//"),
    "lost": ("white", "xx"),
}
_ABSENCE = {"down": ("#DDDDDD", ""), "paused": ("#EEEEEE", "...")}

UNITS = {
    "completion_rate": "completion, share of tasks",
    "efficiency": "efficiency, share of the optimum",
    "welfare": "welfare, currency of the scenario",
    "cost": "true cost, currency of the scenario",
    "paid": "paid, currency of the scenario",
    "quality": "quality of finished tasks, 0 to 1",
    "quality_all": "quality over all tasks, 0 to 1",
    "latency_p50_s": "median latency, s",
    "latency_p95_s": "95th percentile of latency, s",
    "makespan_s": "makespan, s",
    "messages": "messages sent",
    "messages_per_task": "messages per task",
    "bytes": "bytes sent",
    "rounds": "rounds per task",
    "jain": "Jain's index of loads, 1 is even",
    "gini": "Gini of loads, 0 is even",
    "utilisation": "utilisation, share of capacity",
}
"""What an axis says of a metric; another is called by its name."""


# ---------------------------------------------------------------------------------------------------------- Gantt


def gantt(result: Result, *, most: int = 30, ax: "Axes | None" = None) -> "Axes":
    """Who worked on what, when: a line per agent, and more for one that works on several tasks at once.

    A bar is work, from its beginning to its end, with the name of its task if there is room; the thin line below leads
    to it from when it was handed over, while it waited in the agent's queue. Behind the bars is grey where the agent was
    down or paused. Agents stand in the order of their work, busiest first; `most` of them are shown.

    Raises:
        WalrasError: if the trace was not kept.
    """
    work = work_of(result.trace, result.ended_s)
    busiest = sorted(work, key=lambda agent: (-sum(w.end - w.began for w in work[agent]), agent))[:most]
    placed = [(agent, lanes(work[agent])) for agent in busiest]
    height = sum(len(rows) for _, rows in placed)
    axes = ax if ax is not None else _new_axes(9.0, 1.5 + 0.24 * max(height, 2))
    span = 1.01 * max((piece.end for agent in busiest for piece in work[agent]), default=1.0) or 1.0
    top = 0
    ticks = []
    away = absences_of(result.trace, result.ended_s)
    for agent, rows in placed:
        for absence in away.get(agent, ()):
            _shade(axes, absence, top, len(rows))
        ticks.append((top + (len(rows) - 1) / 2, agent))
        for k, row in enumerate(rows):
            for piece in row:
                _bar(axes, piece, top + k, span)
        top += len(rows)
        axes.axhline(top - 0.5, color=GREY, linewidth=0.4)
    statuses = {piece.status for agent in busiest for piece in work[agent]}
    statuses |= {absence.kind for agent in busiest for absence in away.get(agent, ())}
    axes.set_xlim(0.0, span)
    axes.set_ylim(max(top, 1) - 0.4, -0.6)
    axes.set_yticks([y for y, _ in ticks], [agent for _, agent in ticks], fontsize=8)
    _finish_gantt(axes, result, statuses, len(work) - len(busiest))
    return axes


def _shade(axes: "Axes", absence: Absence, top: int, rows: int) -> None:
    colour, hatch = _ABSENCE[absence.kind]
    axes.barh(
        top + (rows - 1) / 2, absence.end - absence.began, left=absence.began, height=rows,
        color=colour, hatch=hatch, edgecolor=GREY, linewidth=0.0, zorder=0,
    )  # fmt: skip


def _bar(axes: "Axes", work: Work, y: float, span: float) -> None:
    colour, hatch = _STATUS.get(work.status, _STATUS["unknown"])
    if work.began > work.asked:
        axes.plot([work.asked, work.began], [y + 0.44, y + 0.44], color=INK, linewidth=0.8, alpha=0.5)
    axes.barh(
        y, work.end - work.began, left=work.began, height=0.72, color=colour, hatch=hatch,
        edgecolor=INK if hatch else "white", linewidth=0.5,
    )  # fmt: skip
    if work.end - work.began > 0.011 * len(work.task) * span and not hatch:
        axes.text(
            (work.began + work.end) / 2, y, work.task, ha="center", va="center", fontsize=7, color="white"
        )


def _finish_gantt(axes: "Axes", result: Result, statuses: set[str], hidden: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    able = [agent for agent in result.agents if agent.capacity]
    idle = sum(agent.busy_s == 0 for agent in able)
    left_out = [
        f"{hidden} more agents worked" if hidden else "",
        f"{idle} of {len(able)} agents did no work" if idle else "",
    ]
    axes.set_xlabel("time since the start of the run, s")
    axes.set_ylabel("agent")
    axes.set_title(_heading(result, "; ".join(filter(None, left_out))), fontsize=10, loc="left", pad=20)
    handles: list[Any] = [
        Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.5, label=status)
        for status, (colour, hatch) in (_STATUS | _ABSENCE).items()
        if status in statuses
    ]
    handles.append(Line2D([], [], color=INK, linewidth=0.8, alpha=0.5, label="waiting in the queue"))
    axes.legend(
        handles=handles, ncols=len(handles), fontsize=7, frameon=False,
        loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, borderpad=0.2,
    )  # fmt: skip
    _plain(axes)


def _heading(result: Result, rest: str) -> str:
    name = f"{result.scenario or 'bare run'}, {result.mechanism or 'no mechanism'}, seed {result.seed}"
    return f"{name} ({rest})" if rest else name


# --------------------------------------------------------------------------------------------------------- prices


def prices(result: Result, *, level: float | None = None, ax: "Axes | None" = None) -> "Axes":
    """What a unit cost, award by award: a dot for each, at its time and its price per unit.

    Charges, which are awards of no units, are left out. A line stands at `level`, if it is given: the price of the
    competitive equilibrium, for instance.

    Raises:
        WalrasError: if the trace was not kept.
    """
    awards = [(row.at, row.details["line"]) for row in result.trace if row.kind == "award"]
    units = [(at, line, line.get("quantity", 1)) for at, line in awards]
    axes = ax if ax is not None else _new_axes(9.0, 3.4)
    times = [at for at, _, count in units if count]
    axes.plot(times, [line["price"] / count for _, line, count in units if count], ".", color=BLUE)
    if level is not None:
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xlabel("time since the start of the run, s")
    axes.set_ylabel("price per unit, currency of the scenario")
    axes.set_title(
        _heading(result, f"{len(times)} award{'s' if len(times) != 1 else ''}"), fontsize=10, loc="left"
    )
    _plain(axes)
    return axes


# ------------------------------------------------------------------------------------------------------- sequence


def sequence(
    trace: Trace, conversation: str, *, participants: int = 12, steps: int = 60, ax: "Axes | None" = None
) -> "Axes":
    """Who said what to whom in one conversation, as a sequence diagram: a lifeline per agent, time downwards.

    Steps stand at equal distances, whatever the time between them, which is written at the left. Of more than
    `participants` agents, those with the least to say share one lifeline; after `steps` steps it is cut.

    Raises:
        UnknownConversationError: if there is no such conversation; names the nearest.
    """
    story = tell(trace.conversation(conversation), participants, steps)
    axes = (
        ax
        if ax is not None
        else _new_axes(1.6 + 1.05 * max(len(story.names), 3), 1.4 + 0.3 * len(story.steps))
    )
    bottom = len(story.steps) + 0.4
    for x, name in enumerate(story.names):
        axes.plot([x, x], [-0.3, bottom], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": INK, "linewidth": 0.7}
        axes.text(x, -0.75, _fold_name(name), ha="center", va="center", fontsize=7, bbox=box)
    for y, step in enumerate(story.steps):
        _draw(axes, step.part, y)
    _finish_sequence(axes, story, conversation, bottom)
    return axes


def _draw(axes: "Axes", part: Arrow | Fan | Note, y: float) -> None:
    if isinstance(part, Arrow):
        _draw_arrow(axes, part, y)
    elif isinstance(part, Fan):
        _draw_fan(axes, part, y)
    else:
        box = {"boxstyle": "round,pad=0.2", "facecolor": "#FFF6DD", "edgecolor": ORANGE, "linewidth": 0.6}
        axes.text(part.at, y + 0.1, part.text, ha=part.align, va="center", fontsize=7, color=INK, bbox=box)


def _draw_arrow(axes: "Axes", arrow: Arrow, y: float) -> None:
    way = arrow.end - arrow.start
    if arrow.lost:
        end, bottom = arrow.start + 0.6 * way, y + 0.27
        axes.plot([arrow.start, end], [y, bottom], color=VERMILION, linewidth=0.9)
        axes.plot([end], [bottom], marker="x", color=VERMILION, markersize=6)
    else:
        style = {"arrowstyle": "-|>", "color": BLUE, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(arrow.end, y + 0.45), xytext=(arrow.start, y), arrowprops=style)
    _label(axes, arrow.start + way * (0.3 if arrow.lost else 0.5), y, arrow.label, "center")


def _draw_fan(axes: "Axes", fan: Fan, y: float) -> None:
    """A broadcast: one line along all its recipients, and a head at each."""
    ends = [fan.start, *fan.reached, *fan.missed]
    axes.plot([min(ends), max(ends)], [y + 0.15, y + 0.15], color=BLUE, linewidth=0.9)
    axes.plot(fan.reached, [y + 0.3] * len(fan.reached), "v", color=BLUE, markersize=4)
    axes.plot(fan.missed, [y + 0.3] * len(fan.missed), "x", color=VERMILION, markersize=6)
    to_the_right = max(ends) - fan.start >= fan.start - min(ends)
    _label(
        axes,
        fan.start + (0.06 if to_the_right else -0.06),
        y - 0.12,
        fan.label,
        "left" if to_the_right else "right",
    )


def _label(axes: "Axes", x: float, y: float, text: str, align: str) -> None:
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85}
    axes.text(x, y + 0.05, text, ha=align, va="center", fontsize=7, color=INK, bbox=white)


def _finish_sequence(axes: "Axes", story: Story, conversation: str, bottom: float) -> None:
    axes.set_yticks(range(len(story.steps)), [story.time(step) for step in story.steps], fontsize=7)
    axes.set_ylim(bottom + (0.6 if story.cut else 0.0), -1.3)
    axes.set_xlim(-0.6, len(story.names) - 0.4)
    axes.set_xticks([])
    axes.set_ylabel("time since the start of the run, s (not to scale)")
    cut = f" (cut: {story.cut} more steps)" if story.cut else ""
    axes.set_title(f"conversation {conversation}{cut}", fontsize=10, loc="left")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _fold_name(name: str, width: int = 14) -> str:
    """A long name in lines, broken at its hyphens."""
    lines = [""]
    for part in name.replace("-", "-\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


# ----------------------------------------------------------------------------------------------------------- bars

Results = Iterable[Result] | Mapping[str, Result | Iterable[Result]]


def bars(results: Results, metrics: str | Sequence[str] = "efficiency") -> "list[Axes]":
    """Results side by side: a panel per metric, a bar per label.

    Args:
        results: a mapping from label to result, or to results of several seeds: the bar is their mean and each seed
            is a dot. From plain results, labels are their mechanisms, or scenario and mechanism where scenarios differ.
        metrics: names from `Result.metrics`; one that is None is shown as "not defined".

    Raises:
        WalrasError: for no results, or a metric that no result has; names those that there are.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    groups = {label: [result.metrics for result in found] for label, found in _labelled(results).items()}
    known = sorted({name for found in groups.values() for m in found for name in m})
    for name in names:
        if name not in known:
            raise WalrasError(f"no result has a metric {name!r}; expected one of {', '.join(known)}")
    from matplotlib import pyplot

    width, height = 2.2 + 2.8 * len(names), 1.2 + 0.38 * len(groups)
    figure, panels = pyplot.subplots(
        1, len(names), sharey=True, squeeze=False, figsize=(width, height), layout="constrained"
    )
    for axes, name in zip(panels[0], names, strict=True):
        otherwise = 0 if name.startswith("messages_") else None  # of a type that a mechanism never sends
        _panel(axes, {label: [m.get(name, otherwise) for m in found] for label, found in groups.items()})
        axes.set_xlabel(_unit(name, groups.values()), fontsize=8)
    panels[0][0].set_ylabel("mechanism", fontsize=8)
    if any(len(found) > 1 for found in groups.values()):
        panels[0][0].set_title(
            "bars and numbers: means over seeds; dots: single seeds", fontsize=8, loc="left"
        )
    figure.align_labels()
    return list(panels[0])


def _unit(name: str, groups: Iterable[Sequence[Metrics]]) -> str:
    if name == "efficiency" and any(m["optimum_exact"] == 0 for found in groups for m in found):
        return "efficiency, share of a bound on the optimum"
    return UNITS.get(name, name)


def _panel(axes: "Axes", values: Mapping[str, Sequence[float | int | None]]) -> None:
    means = [_mean(found) for found in values.values()]
    shown = [0.0 if mean is None else mean for mean in means]
    axes.barh(range(len(shown)), shown, color=SKY, height=0.62)
    for y, (mean, found) in enumerate(zip(means, values.values(), strict=True)):
        seeds = [v for v in found if v is not None]
        if len(found) > 1:
            axes.plot(seeds, [y] * len(seeds), "o", color=INK, markersize=2.5, alpha=0.6)
        edge = max([0.0, *seeds]) if len(found) > 1 else max(0.0, mean or 0.0)
        text = "not defined" if mean is None else f"{mean:.3g}" if abs(mean) < 1e4 else f"{mean:,.0f}"
        axes.annotate(text, (edge, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_yticks(range(len(shown)), list(values), fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.margins(x=0.22)
    axes.tick_params(axis="x", labelsize=7)
    axes.locator_params(axis="x", nbins=4)  # else those of small costs run into each other
    axes.axvline(0.0, color=INK, linewidth=0.6)
    _plain(axes)


def _mean(found: Sequence[float | int | None]) -> float | None:
    values = [float(v) for v in found if v is not None]
    return math.fsum(values) / len(values) if values else None


def _labelled(results: Results) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    if isinstance(results, Mapping):
        for label, found in results.items():
            groups[label] = [found] if isinstance(found, Result) else list(found)
    else:
        plain = [results] if isinstance(results, Result) else list(results)
        several = len({result.scenario for result in plain}) > 1
        for result in plain:
            label = f"{result.scenario}\n{result.mechanism}" if several else result.mechanism
            groups.setdefault(label or "no mechanism", []).append(result)
    if not any(groups.values()):
        raise WalrasError("there is nothing to draw: expected at least one result")
    return groups


# ------------------------------------------------------------------------------------------------------ all of them


def _new_axes(width: float, height: float) -> "Axes":
    from matplotlib import pyplot

    _, axes = pyplot.subplots(figsize=(min(width, 20.0), min(height, 40.0)), layout="constrained")
    return axes


def _plain(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
