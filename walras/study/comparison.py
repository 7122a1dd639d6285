"""Mechanisms side by side: the table that the terminal and the report show, best values marked, the optimum last."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from walras.errors import LocalProtocolError
from walras.results.metrics import Metrics

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
    notes: tuple[str, ...] = ()


def side_by_side(found: Mapping[str, Sequence[Metrics]]) -> Comparison:
    """A table of the metrics of each mechanism: means where there are several seeds.

    Raises:
        LocalProtocolError: if a mechanism has more welfare than the optimum, so that this is none.
    """
    for label, runs in found.items():
        _check_optimum(label, runs)
    every = [metrics for runs in found.values() for metrics in runs]
    columns = columns_for(every)
    means = {
        label: {c.metric: _mean(m.get(c.metric) for m in runs) for c in columns}
        for label, runs in found.items()
    }
    best = {column.metric: _best(column, means) for column in columns}
    rows = tuple(
        (label, tuple(Cell(c.text(one[c.metric]), label in best[c.metric]) for c in columns))
        for label, one in means.items()
    )
    a_bound = any(metrics["optimum_exact"] == 0 for metrics in every if metrics["optimum"] is not None)
    titles = tuple(
        f"{c.title} of bound" if a_bound and c.metric == "efficiency" else c.title for c in columns
    )
    notes = tuple(note for label, runs in found.items() for note in _notes(label, runs))
    return Comparison(titles, rows, _optimum(every, a_bound, columns), notes)


def _notes(label: str, runs: Sequence[Metrics]) -> Iterable[str]:
    """A strategy that fails each time looks like one that wants nothing, and a mechanism is not to blame for it."""
    defaults = sum(metrics.get("defaults") or 0 for metrics in runs)
    if defaults:
        yield f"{label}: {defaults:,} questions without a legal answer; a run of it alone says why"


def columns_for(every: Sequence[Metrics]) -> tuple[Column, ...]:
    """What is worth a column for these runs: `LOTS` if none of them had a task, else `TASKS`."""
    only_lots = bool(every) and all(m.get("tasks") and m.get("quality_all") is None for m in every)
    return LOTS if only_lots else TASKS


def _check_optimum(label: str, runs: Iterable[Metrics]) -> None:
    for metrics in runs:
        optimum, welfare = metrics["optimum"], metrics["welfare"]
        if (
            optimum is not None
            and welfare is not None
            and welfare > optimum + _TOLERANCE * max(1.0, abs(optimum))
        ):
            raise LocalProtocolError(
                f"{label} reached a welfare of {welfare:g}, more than the optimum, {optimum:g}: "
                "what the scenario gives as its optimum is none"
            )


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
    every: Sequence[Metrics], a_bound: bool, columns: Sequence[Column]
) -> tuple[str, tuple[Cell, ...]] | None:
    welfare = _mean(metrics["optimum"] for metrics in every)
    if welfare is None:
        return None
    shown = {"efficiency": 1.0, "welfare": welfare}
    cells = tuple(
        Cell(column.text(shown.get(column.metric)) if column.metric in shown else "") for column in columns
    )
    return ("optimum (bound)" if a_bound else "optimum", cells)
