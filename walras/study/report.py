"""A report: one HTML file that needs no other, for results of runs or for a study, and its pictures as PNG beside it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from walras.errors import WalrasError
from walras.results import Result
from walras.study import plots
from walras.study.comparison import side_by_side
from walras.study.page import PAGE, Picture, Section, picture, render
from walras.study.study import Study
from walras.trace.file import as_text

_PANELS = {
    "Completion, efficiency, cost and quality": ("completion_rate", "efficiency", "cost", "quality"),
    "Latency, messages and fairness": ("latency_p50_s", "latency_p95_s", "messages_per_task", "jain"),
}


def write_report(found: Result | Iterable[Result] | Study, folder: str | Path) -> Path:
    """Write ``report.html`` and the pictures that are in it; the same input gives the same files.

    Args:
        found: one result or several, of one scenario or several; or a study.
        folder: where to; it is made if it is not there.

    Returns:
        The path of the page.

    Raises:
        WalrasError: for no results, or a folder that cannot be written.
    """
    place = Path(folder)
    if isinstance(found, Study):
        title, sections = f"Study of {', '.join(found.scenarios)}", _of_study(found)
    else:
        results = [found] if isinstance(found, Result) else list(found)
        if not results:
            raise WalrasError("there is nothing to report; expected at least one result")
        title, sections = _title(results), _of_results(results)
    page = render(title, sections)
    try:
        place.mkdir(parents=True, exist_ok=True)
        for drawn in (p for section in sections for p in (*section.pictures, *section.folded)):
            (place / f"{drawn.name}.png").write_bytes(drawn.png)
        (place / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise WalrasError(f"{place} cannot be written: {error.strerror}; expected a folder") from None
    return place / PAGE


# ---------------------------------------------------------------------------------------------------- results of runs


def _title(results: Sequence[Result]) -> str:
    scenarios = ", ".join(dict.fromkeys(result.scenario or "bare run" for result in results))
    seeds = sorted({result.seed for result in results})
    return f"{scenarios}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _of_results(results: Sequence[Result]) -> list[Section]:
    scenarios = dict.fromkeys(result.scenario for result in results)
    groups = [[result for result in results if result.scenario == scenario] for scenario in scenarios]
    first: dict[tuple[str, str], Result] = {}
    for result in results:
        first.setdefault((result.scenario, result.mechanism), result)
    kept = [result for result in first.values() if result.trace.kept]
    return [*map(_side_by_side, groups), *_work(kept), *_trade(kept), *_conversation(kept), _runs(results)]


def _by_mechanism(results: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.mechanism or "no mechanism", []).append(result)
    return groups


def _side_by_side(results: Sequence[Result]) -> Section:
    groups = _by_mechanism(results)
    scenario = results[0].scenario or "bare run"
    found = side_by_side(results)
    over = (
        f"{found.over.capitalize()}; the command walras compare says which differences are more than chance."
    )
    return Section(
        title=f"Mechanisms on {scenario}",
        text=over if len(found.seeds) > 1 else "",
        comparison=found,
        pictures=[
            picture(f"{scenario}-metrics-{k}", shows, partial(plots.bars, groups, names))
            for k, (shows, names) in enumerate(_PANELS.items(), 1)
        ],
    )


def _work(results: Sequence[Result]) -> list[Section]:
    pictures = [
        _one_run("gantt", result, plots.gantt)
        for result in results
        if any(agent.busy_s > 0 for agent in result.agents)
    ]
    if not pictures:
        return []
    text = "A bar is a piece of work; the thin line below one leads to it from when it was handed over."
    return [Section(title="Who worked when", text=text, pictures=pictures[:1], folded=pictures[1:])]


def _trade(results: Sequence[Result]) -> list[Section]:
    """What lots were sold at, where nobody worked."""
    pictures = [
        _one_run("prices", result, plots.prices)
        for result in results
        if result.allocation and not any(agent.busy_s > 0 for agent in result.agents)
    ]
    if not pictures:
        return []
    return [Section(title="What a unit cost, when", pictures=pictures[:1], folded=pictures[1:])]


def _one_run(kind: str, result: Result, draw: Callable[[Result], object]) -> Picture:
    """A picture of one run, whose file has a name that no other run's has."""
    scenario, mechanism = result.scenario or "bare run", result.mechanism or "no mechanism"
    shows = f"{mechanism} on {scenario}, seed {result.seed}"
    return picture(f"{scenario}-{kind}-{mechanism}", shows, partial(draw, result))


def _conversation(results: Sequence[Result]) -> list[Section]:
    """One conversation of the run in which most was said: the first that was done, else the first."""
    talkative = sorted((r for r in results if r.records), key=lambda r: -r.trace.messages)
    if not talkative:
        return []
    result = talkative[0]
    shown = next((r for r in result.records if r.done), result.records[0]).conversation
    return [
        Section(
            title=f"One conversation: {shown} with {result.mechanism or 'no mechanism'}",
            pictures=[
                picture("sequence", f"Conversation {shown}", partial(plots.sequence, result.trace, shown))
            ],
            transcript=str(result.trace.conversation(shown)),
        )
    ]


def _runs(results: Sequence[Result]) -> Section:
    return Section(
        title="The runs",
        text="Same settings, same seed, same digest: the command walras replay shows it.",
        head=("mechanism", "seed", "ended", "because", "digest", "settings"),
        rows=[
            (
                result.mechanism,
                str(result.seed),
                f"{result.ended_s:.4g} s",
                result.stopped_because,
                result.digest,
                as_text(msgspec.to_builtins(result.settings)) if result.settings else "",
            )
            for result in results
        ],
    )


# ------------------------------------------------------------------------------------------------------------- studies


def _of_study(study: Study) -> list[Section]:
    shown = study.headline
    pictures = [
        picture(metric, plots.UNITS.get(metric, metric), partial(study.plot, metric)) for metric in shown
    ]
    intervals = Section(title="Means and intervals", pictures=pictures[:2], folded=pictures[2:])
    means = [_means(study, scenario) for scenario in study.scenarios]
    return [*filter(None, means), intervals, *([_differences(study)] if shown else []), *_failures(study)]


def _means(study: Study, scenario: str) -> Section | None:
    found = side_by_side(row for row in study.rows if row.scenario == scenario)
    if not found.rows:
        return None
    return Section(title=f"Mechanisms on {scenario}", text=f"{found.over.capitalize()}.", comparison=found)


def _differences(study: Study) -> Section:
    reference = study.mechanisms[0]
    rows = [
        (
            line.scenario,
            line.metric,
            line.mechanism,
            str(line.n),
            _interval(line.mean, line.low, line.high),
            _interval(line.difference, line.difference_low, line.difference_high),
            f"{line.p:.2g}",
            "-" if line.real is None else "yes" if line.real else "no",
        )
        for line in study.lines()
        if line.mechanism != reference
    ]
    return Section(
        title=f"Differences to {reference}",
        text="Paired by seed, 95 % intervals of Student's t; p is adjusted by Holm's method for all differences here "
        "together, and a difference is called real where it is below 0.05.",
        head=("scenario", "metric", "mechanism", "seeds", "mean", "difference", "p", "real"),
        rows=rows,
    )


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.4g}" if low != low else f"{value:.4g} ({low:.4g} to {high:.4g})"


def _failures(study: Study) -> list[Section]:
    rows = [(row.scenario, row.mechanism, str(row.seed), row.error) for row in study.errors]
    head = ("scenario", "mechanism", "seed", "error")
    return [Section(title="Runs that failed", head=head, rows=rows)] if rows else []
