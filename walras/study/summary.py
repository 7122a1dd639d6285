"""What a study says beyond its seeds, in numbers and as a picture."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from walras.study.plots import BLUE, INK, UNITS
from walras.study.statistics import Difference, Interval, holm, mean_interval, paired_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from walras.study.study import Study


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one mechanism on one scenario, see `Study.summary`; nan and None where nothing can be said."""

    scenario: str
    metric: str
    mechanism: str
    n: int
    mean: float
    low: float
    high: float
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    p: float = math.nan
    real: bool | None = None


def summarise(study: "Study", metrics: Sequence[str], reference: str, level: float) -> list[Line]:
    """The lines of `Study.summary`."""
    found = [
        _line(study, scenario, metric, mechanism, reference, level)
        for scenario in study.scenarios
        for metric in metrics
        for mechanism in study.mechanisms
    ]
    return [
        msgspec.structs.replace(line, p=p, real=None if math.isnan(p) else p < 1.0 - level)
        for line, p in zip(found, holm([line.p for line in found]), strict=True)
    ]


def _line(study: "Study", scenario: str, metric: str, mechanism: str, reference: str, level: float) -> Line:
    ours, theirs = (values(study, scenario, name, metric) for name in (mechanism, reference))
    mean = mean_interval(list(ours.values()), level)
    both = [seed for seed in ours if seed in theirs]
    found = paired_difference([ours[s] for s in both], [theirs[s] for s in both], level)
    if mechanism == reference:
        found = Difference(math.nan, math.nan, math.nan, math.nan, 0)
    return Line(
        scenario=scenario,
        metric=metric,
        mechanism=mechanism,
        n=mean.n,
        mean=mean.estimate,
        low=mean.low,
        high=mean.high,
        difference=found.estimate,
        difference_low=found.low,
        difference_high=found.high,
        p=found.p,
    )


def values(study: "Study", scenario: str, mechanism: str, metric: str) -> dict[int, float]:
    """A metric by seed, where it is defined; of messages of a type that is not used there are 0."""
    found = {
        row.seed: row.metrics.get(metric, 0.0 if counts_a_type(metric) else None)
        for row in study.rows
        if (row.scenario, row.mechanism, row.error) == (scenario, mechanism, "")
    }
    return {seed: float(value) for seed, value in found.items() if value is not None}


def counts_a_type(metric: str) -> bool:
    """Whether a metric is how many messages of one type there were."""
    return metric.startswith("messages_") and metric != "messages_per_task"


# -------------------------------------------------------------------------------------------------------- as a picture


def draw(study: "Study", metric: str) -> "list[Axes]":
    """See `Study.plot`."""
    from matplotlib import pyplot

    labels = study.mechanisms
    size = (2.0 + 3.6 * len(study.scenarios), 1.3 + 0.42 * len(labels))
    figure, panels = pyplot.subplots(
        1, len(study.scenarios), sharex=True, sharey=True, squeeze=False, figsize=size, layout="constrained"
    )
    defined = 0
    for axes, scenario in zip(panels[0], study.scenarios, strict=True):
        seeds = len({row.seed for row in study.rows if row.scenario == scenario})
        for y, mechanism in enumerate(labels):
            found = list(values(study, scenario, mechanism, metric).values())
            _point(axes, y, found, mean_interval(found))
            defined += len(found)
            if 0 < len(found) < seeds:
                _beside(axes, y - 0.32, f"{len(found)} of {seeds} seeds")
        axes.set_title(scenario, fontsize=9, loc="left")
        axes.set_xlabel(_axis(study, metric), fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(axis="x", linewidth=0.4, alpha=0.5)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    first = panels[0][0]
    if not defined:
        first.set_xticks([])  # of all panels: around what is nowhere defined there is no scale
    first.set_yticks(range(len(labels)), labels, fontsize=8)
    first.set_ylim(len(labels) - 0.5, -0.5)
    first.set_ylabel("mechanism", fontsize=8)
    figure.suptitle("mean and 95 % interval; small dots: seeds", fontsize=8, x=0.995, ha="right")
    return list(panels[0])


def _point(axes: "Axes", y: int, seeds: list[float], mean: Interval) -> None:
    axes.plot(seeds, [y + 0.18] * len(seeds), "o", color=INK, markersize=2.5, alpha=0.5, markeredgewidth=0)
    if not seeds:
        _beside(axes, y, "not defined")
        return
    if not math.isnan(mean.low):
        # its ends stand out above the mark of the mean, however narrow it is
        axes.plot([mean.low, mean.high], [y - 0.08] * 2, "|-", color=BLUE, linewidth=1.4, markersize=8)
    axes.plot([mean.estimate], [y - 0.08], "D", color=BLUE, markersize=4, markeredgewidth=0)


def _beside(axes: "Axes", y: float, text: str) -> None:
    axes.annotate(text, (0.01, y), xycoords=("axes fraction", "data"), fontsize=7, va="center")


def _axis(study: "Study", metric: str) -> str:
    if metric == "efficiency" and any(row.metrics.get("optimum_exact") == 0 for row in study.rows):
        return "efficiency, share of a bound on the optimum"
    return UNITS.get(metric, metric)
