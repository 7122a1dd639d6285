"""Mechanisms side by side: the table that the terminal and the report show, best values marked, the optimum last."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from walras.results.metrics import Metrics, beats_optimum

NOTE = "* best; in columns after welfare: among those that completed most"
_TOLERANCE = 1e-9


class Column(msgspec.Struct, frozen=True):
    """A metric as a column: its title, its format, which way is better (0: neither), and whether for any completion."""

    metric: str
    title: str
    form: str = "{:.3g}"
    better: Literal[1, 0, -1] = 1
    of_all: bool = False

    def text(self, value: float | None) -> str:
        """A value as it is shown; a dash where it is not defined."""
        if value is None:
            return "-"
        return f"{value:,.0f}" if abs(value) >= 1e4 else self.form.format(value)


TASKS = (
    Column("completion_rate", "completion", "{:.1%}", of_all=True),
    Column("efficiency", "efficiency", "{:.3f}", of_all=True),
    Column("welfare", "welfare", "{:.4g}", of_all=True),
    Column("cost", "cost", "{:.4g}", -1),
    Column("quality", "quality", "{:.3f}"),
    Column("latency_p50_s", "latency p50, s", better=-1),
    Column("latency_p95_s", "p95, s", better=-1),
    Column("messages_per_task", "messages / task", better=-1),
    Column("jain", "Jain", "{:.3f}"),
)
_PAID = Column("paid", "paid", "{:.4g}", 0)
LOTS = tuple(
    _PAID if column.metric == "cost" else column
    for column in TASKS
    if column.metric not in ("quality", "jain")
)
"""The columns where only goods are traded: nobody works, so there is no cost, quality or load, but a price."""


class Cell(msgspec.Struct, frozen=True):
    """What stands in one place of the table."""

    text: str
    best: bool = False


class Comparison(msgspec.Struct, frozen=True):
    """A table of cells: a row per mechanism, then that of the optimum if it is known; and what to know beside it."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    optimum: tuple[str, tuple[Cell, ...]] | None
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def over(self) -> str:
        """What the numbers are of, as a title says it."""
        return f"means over {len(self.seeds)} seeds" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"


class Ended(Protocol):
    """What a table needs of a run: a `Result` has it, and so has a `Row` of a study. Without metrics it has failed."""

    @property
    def mechanism(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def metrics(self) -> Metrics: ...


Runs = Sequence[tuple[int, Metrics]]
"""The seeds and metrics of one mechanism's runs that ended well."""


def side_by_side(runs: Iterable[Ended]) -> Comparison:
    """A table of runs on one scenario by mechanism: means over the seeds on which each ended well.

    Where a mechanism ended well on fewer seeds than there are, its means are of other worlds than those of the others: a
    note says so, and it is never best. Where one reached more than the optimum, so that this is none, a note says so, too.
    """
    groups: dict[str, list[tuple[int, Metrics]]] = {}
    for run in runs:
        mine = groups.setdefault(run.mechanism or "no mechanism", [])
        if metrics := run.metrics:
            mine.append((run.seed, metrics))
    seeds = tuple(dict.fromkeys(seed for found in groups.values() for seed, _ in found))
    every = [metrics for found in groups.values() for _, metrics in found]
    columns = columns_for(every)
    means = {
        label: {c.metric: _mean(m.get(c.metric) for _, m in found) for c in columns}
        for label, found in groups.items()
        if found
    }
    paired = {label: mean for label, mean in means.items() if _ended(groups[label]) == len(seeds)}
    best = {column.metric: _best(column, paired) for column in columns}
    rows = tuple(
        (label, tuple(Cell(c.text(one[c.metric]), label in best[c.metric]) for c in columns))
        for label, one in means.items()
    )
    a_bound = any(metrics["optimum_exact"] == 0 for metrics in every if metrics["optimum"] is not None)
    titles = tuple(
        f"{c.title} of bound" if a_bound and c.metric == "efficiency" else c.title for c in columns
    )
    notes = tuple(note for label, found in groups.items() for note in _notes(label, found, len(seeds)))
    return Comparison(titles, rows, _optimum(groups.values(), a_bound, columns), seeds, notes)


def _ended(runs: Runs) -> int:
    """On how many seeds a mechanism ended well."""
    return len({seed for seed, _ in runs})


def _notes(label: str, runs: Runs, seeds: int) -> Iterable[str]:
    """What a mechanism is not to be praised or blamed for by its numbers alone."""
    ended = _ended(runs)
    if 0 < ended < seeds:
        yield f"{label}: its means are over {ended} of {seeds} seeds, so it is never best"
    if ended == 0:
        yield f"{label}: no run ended well"
    beaten = [(seed, metrics) for seed, metrics in runs if beats_optimum(metrics)]
    if beaten:
        seed, metrics = beaten[0]
        yield (
            f"{label}: welfare above the optimum on {len(beaten)} of {ended} seeds, first on seed {seed}: "
            f"{metrics['welfare']:g} against {metrics['optimum']:g}; what the scenario gives as its optimum is none"
        )
    defaults = sum(metrics.get("defaults") or 0 for _, metrics in runs)
    if defaults:  # a strategy that fails each time looks like one that wants nothing
        yield f"{label}: {defaults:,} questions without a legal answer; a run of it alone says why"
    overcommitments = sum(metrics.get("overcommitments") or 0 for _, metrics in runs)
    if overcommitments:
        yield f"{label}: {overcommitments:,} overcommitments; somebody was bound to pay what it did not have"


def columns_for(every: Sequence[Metrics]) -> tuple[Column, ...]:
    """What is worth a column for these runs: `LOTS` if none of them had a task, else `TASKS`."""
    only_lots = bool(every) and all(m.get("tasks") and m.get("quality_all") is None for m in every)
    return LOTS if only_lots else TASKS


def _mean(values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _best(column: Column, means: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Who has the best mean of a column, all who are equal; nobody where there is nothing to choose."""
    most = max((m["completion_rate"] or 0.0 for m in means.values()), default=0.0)
    known = {
        label: column.better * value
        for label, m in means.items()
        if (value := m[column.metric]) is not None
        and (column.of_all or (m["completion_rate"] or 0.0) >= most)
    }
    if len(means) < 2 or not known or not column.better:
        return []
    best = max(known.values())
    return [label for label, value in known.items() if math.isclose(value, best, rel_tol=_TOLERANCE)]


def _optimum(
    groups: Iterable[Runs], a_bound: bool, columns: Sequence[Column]
) -> tuple[str, tuple[Cell, ...]] | None:
    """The mean over the seeds, each of which counts once, however many mechanisms ended well on it."""
    known = {seed: m["optimum"] for runs in groups for seed, m in runs if m["optimum"] is not None}
    welfare = _mean(known.values())
    if welfare is None:
        return None
    shown = {"efficiency": 1.0, "welfare": welfare}
    cells = tuple(
        Cell(column.text(shown.get(column.metric)) if column.metric in shown else "") for column in columns
    )
    return ("optimum (bound)" if a_bound else "optimum", cells)
