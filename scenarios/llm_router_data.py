"""Recorded runs of LLMs and recorded request arrivals: what the router's agents can do, and when work comes.

Both are read from the small derived tables in ``data/llm_router`` or, given the folder of the raw files, from
the records themselves. Source, licence and derivation stand in ``data/llm_router/README.md``.
"""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from scenarios.data.llm_router.raw import Cell, Run, Split, read_arrivals, read_runs
from walras.errors import ScenarioError

__all__ = ["Arrivals", "Request", "Run", "Runs", "gap_at_load", "mean_run"]

Trace = Literal["conv", "code"]


class Request(NamedTuple):
    """One request: seconds since the start, and its size in tokens."""

    at_s: float
    context_tokens: int
    output_tokens: int


class RunTable(msgspec.Struct, frozen=True):
    """A shipped table of runs: model -> kind -> atoms (count, score, cost_usd, seconds)."""

    about: dict[str, str]
    cells: dict[str, dict[str, list[tuple[int, float, float, float]]]]


class ArrivalTable(msgspec.Struct, frozen=True):
    """A shipped table of arrivals: quantiles of the gaps, and (context, output, count) of the sizes."""

    about: dict[str, str]
    mean_gap_s: float
    gaps: list[tuple[float, float]]  # probability, seconds
    sizes: list[tuple[int, int, int]]


class Runs:
    """Outcomes of every (kind of task, model): their mean, and draws from them.

    Parameters
    ----------
    cells : mapping (kind, model, split) -> sequence of (weight, Run)
        The weighted outcomes of each cell; every kind has every model in both splits.

    Examples
    --------
    >>> runs = Runs.load()
    >>> len(runs.models), len(runs.kinds)
    (19, 14)
    >>> run = runs.draw("add_yearmonth", "gpt-4o-mini-2024-07-18", random.Random("7/task-1/agent-2"))
    >>> 0.0 <= run.score <= 1.0
    True
    """

    def __init__(self, cells: Mapping[Cell, Sequence[tuple[int, Run]]]) -> None:
        self.kinds = tuple(sorted({kind for kind, _, _ in cells}))
        self.models = tuple(sorted({model for _, model, _ in cells}))
        whole = itertools.product(self.kinds, self.models, ("train", "test"))
        if missing := [cell for cell in whole if not cells.get(cell)]:
            raise ScenarioError("runs", missing[0], "at least one run for every (kind, model, split)")
        self._outcomes = {cell: [run for _, run in atoms] for cell, atoms in cells.items()}
        self._weights = {cell: list(accumulate(n for n, _ in atoms)) for cell, atoms in cells.items()}
        self._means = {cell: mean_run(atoms) for cell, atoms in cells.items()}

    @classmethod
    def load(cls, raw: Path | None = None) -> Self:
        """Read the shipped tables or, with the folder `raw`, every recorded run (weight 1 each)."""
        if raw is not None:
            return cls({cell: [(1, run) for run in runs] for cell, runs in read_runs(raw).items()})
        cells = {}
        for split in ("train", "test"):
            table = msgspec.json.decode(shipped(f"runs_{split}"), type=RunTable)
            for model, kinds in table.cells.items():
                for kind, atoms in kinds.items():
                    cells[kind, model, split] = [(count, Run(*outcome)) for count, *outcome in atoms]
        return cls(cells)

    def expected(self, kind: str, model: str, split: Split = "train") -> Run:
        """The mean outcome over the runs of a cell."""
        return self._means[self._cell(kind, model, split)]

    def draw(self, kind: str, model: str, rng: random.Random, split: Split = "test") -> Run:
        """One outcome, by weight; with `rng` keyed by (seed, task, agent) no protocol can change it."""
        cell = self._cell(kind, model, split)
        return rng.choices(self._outcomes[cell], cum_weights=self._weights[cell])[0]

    def _cell(self, kind: str, model: str, split: str) -> Cell:
        if (kind, model, split) not in self._means:
            one_of("kind", kind, self.kinds)
            one_of("model", model, self.models)
            one_of("split", split, ("train", "test"))
        return kind, model, split


class Arrivals:
    """When requests come and how large they are, as in one recorded hour.

    From the shipped table, gaps are independent draws from the recorded distribution. From the raw trace they
    are the recorded gaps in their order, bursts included, from a random start and round the end if need be.

    Parameters
    ----------
    trace : "conv" or "code"
        Conversation (5.5 requests a second, nearly Poisson) or code completion (2.6 a second, very bursty).
    raw : Path, optional
        Folder of the raw traces.

    Attributes
    ----------
    mean_gap_s : float
        Recorded mean seconds between two requests.
    """

    def __init__(self, trace: Trace = "conv", raw: Path | None = None) -> None:
        one_of("trace", trace, ("conv", "code"))
        self._recorded = None if raw is None else read_arrivals(raw, trace)
        self._table = msgspec.json.decode(shipped(f"arrivals_{trace}"), type=ArrivalTable)
        recorded = self._recorded
        self.mean_gap_s = self._table.mean_gap_s if recorded is None else float(recorded[0].mean())

    def gaps(self, n: int, rng: random.Random) -> list[float]:
        """`n` gaps between arrivals, scaled to a mean of exactly 1: a load then means the same every time."""
        return [gap for gap, _, _ in self._rows(n, rng)]

    def draw(self, n: int, rng: random.Random, mean_gap_s: float | None = None) -> list[Request]:
        """`n` requests in order of arrival; `mean_gap_s` defaults to the recorded one, see `gap_at_load`."""
        scale = positive("mean_gap_s", self.mean_gap_s if mean_gap_s is None else mean_gap_s)
        rows = self._rows(n, rng)
        times = accumulate(gap * scale for gap, _, _ in rows)
        return [Request(at, context, output) for at, (_, context, output) in zip(times, rows, strict=True)]

    def _rows(self, n: int, rng: random.Random) -> list[tuple[float, int, int]]:
        if n < 1:
            raise ScenarioError("n", n, "at least one arrival")
        if self._recorded is None:
            gaps, sizes = self._sampled(n, rng)
        else:
            first = rng.randrange(len(self._recorded[0]))
            rows = (first + np.arange(n)) % len(self._recorded[0])
            gaps, sizes = self._recorded[0][rows], self._recorded[1][rows].tolist()
        # Means over a bursty trace vary severalfold: only scaled is the load what the caller said.
        scaled = (gaps / (math.fsum(gaps.tolist()) / n)).tolist()
        return [
            (gap, int(context), int(output)) for gap, (context, output) in zip(scaled, sizes, strict=True)
        ]

    def _sampled(self, n: int, rng: random.Random) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
        probabilities, seconds = zip(*self._table.gaps, strict=True)
        gaps = np.interp([rng.random() for _ in range(n)], probabilities, seconds)
        weights = list(accumulate(count for _, _, count in self._table.sizes))
        sizes = rng.choices(
            [(context, output) for context, output, _ in self._table.sizes], cum_weights=weights, k=n
        )
        return gaps, sizes


def gap_at_load(load: float, slots: Sequence[int], seconds: Sequence[float]) -> float:
    """Mean gap between arrivals when tasks come at `load` times the rate at which all agents can serve.

    Parameters
    ----------
    load : float
        Offered load: 1 means that the population is just able to keep up if no agent is ever idle.
    slots, seconds : sequences, one entry per agent
        Tasks that the agent works on at once, and its mean service time in seconds.

    Returns
    -------
    float
        Seconds; 1 / (load * sum of slots / seconds).

    Examples
    --------
    >>> gap_at_load(0.5, slots=[1, 2], seconds=[10.0, 5.0])
    4.0
    """
    return 1 / (positive("load", load) * math.fsum(c / s for c, s in zip(slots, seconds, strict=True)))


def mean_run(atoms: Sequence[tuple[int, Run]]) -> Run:
    """The weighted mean of outcomes, field by field."""
    total = sum(weight for weight, _ in atoms)
    return Run(*(math.fsum(w * getattr(r, f) for w, r in atoms) / total for f in Run.__struct_fields__))


def one_of(field: str, value: str, choices: Sequence[str]) -> None:
    """Raise unless `value` is among the `choices`."""
    if value not in choices:
        raise ScenarioError(field, value, f"one of {', '.join(choices)}")


def positive(field: str, value: float) -> float:
    """The value, if it is a positive, finite number."""
    if not 0 < value < math.inf:
        raise ScenarioError(field, value, "a positive, finite number")
    return value


def shipped(name: str) -> bytes:
    """One of the tables that come with the package."""
    return (files("scenarios") / "data" / "llm_router" / f"{name}.json").read_bytes()
