"""Comparing mechanisms: the same worlds for all of them, on as many processors as wanted, and nothing lost on the way.

A task is one world (scenario and seed) with all mechanisms one after the other: so its optimum is computed once.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.scenario import Scenario
from walras.study.runs import Conditions, Run, execute, recipe
from walras.study.study import Row, Study

Done = Callable[[int], None]
"""Called with the number of runs that have just ended."""


class Task(msgspec.Struct, frozen=True):
    """One world, and all that are to meet it; `scenario` is what tables call the scenario."""

    scenario: str
    settings: Scenario
    seed: int
    mechanisms: dict[str, Mechanism]
    conditions: Conditions


class InterruptedStudyError(KeyboardInterrupt):
    """Ctrl-C during a comparison; the runs that had ended by then are in `study`."""

    def __init__(self, study: Study) -> None:
        super().__init__(f"interrupted after {len(study.rows)} runs")
        self.study = study


def compare(
    scenarios: Scenario | Sequence[Scenario],
    mechanisms: Mapping[str, Mechanism],
    seeds: Iterable[int],
    workers: int = 1,
    executor: Executor | None = None,
    progress: bool | None = None,
    conditions: Conditions = Conditions(),  # noqa: B008  # frozen
) -> Study:
    """Run every mechanism in every world: scenarios x seeds, the same for all mechanisms.

    Args:
        scenarios: what to compare on; several of one name are told apart by the settings in which they differ.
        mechanisms: what to compare, by the label for tables; the first is what the others are compared with.
        seeds: one world for each.
        workers: how many processes; each is new and imports what it needs. A script that asks for more than one does so
            under ``if __name__ == "__main__":``.
        executor: a `concurrent.futures.Executor` to use instead, as clusters offer; it gets a task per world.
        progress: show a progress bar; None: in a terminal.
        conditions: network, faults, horizon, instead of the scenarios' own.

    Returns:
        A `Study` with a row per run, in the order of the arguments whatever ended first. A run that failed has its
        error there and no metrics.

    Raises:
        ScenarioError: for arguments that do not fit.
        InterruptedStudyError: for Ctrl-C; a KeyboardInterrupt with the study so far.
    """
    several = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    numbers = list(seeds)
    _check(several, mechanisms, numbers, workers)
    worlds = dict(zip(_labels(several), several, strict=True))
    tasks = [
        Task(label, scenario, seed, dict(mechanisms), conditions)
        for label, scenario in worlds.items()
        for seed in numbers
    ]
    rows: list[Row] = []
    total = len(tasks) * len(mechanisms)
    order = {(w, m, s): k for k, (w, m, s) in enumerate((w, m, s) for w in worlds for m in mechanisms for s in numbers)}
    how = {label: recipe(scenario, mechanisms, numbers, conditions) for label, scenario in worlds.items()}

    def study() -> Study:
        return Study(sorted(rows, key=lambda row: order[row.scenario, row.mechanism, row.seed]), how)

    try:
        with _bar(progress, total) as done:
            for row in _rows(tasks, workers, executor):
                rows.append(row)
                done(1)
    except KeyboardInterrupt:
        raise InterruptedStudyError(study()) from None
    return study()
