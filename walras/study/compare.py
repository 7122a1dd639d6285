"""Comparing mechanisms: the same worlds for all of them, on as many processors as wanted, and nothing lost on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.scenario import Scenario
from walras.study.runs import Conditions, written
from walras.study.study import Row, Study
from walras.study.tasks import Task, rows_of_all

T = TypeVar("T")
Done = Callable[[int], None]
"""Called with the number of runs that have just ended."""


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
    several = _several("scenarios", [scenarios] if isinstance(scenarios, Scenario) else scenarios, _SCENARIOS)
    numbers = _several("seeds", seeds, _SEEDS)
    _check(several, mechanisms, numbers, workers)
    worlds = dict(zip(_labels(several), several, strict=True))
    tasks = [
        Task(label, scenario, seed, dict(mechanisms), conditions)
        for label, scenario in worlds.items()
        for seed in numbers
    ]
    rows: list[Row] = []
    total = len(tasks) * len(mechanisms)
    order = {
        (w, m, s): k
        for k, (w, m, s) in enumerate((w, m, s) for w in worlds for m in mechanisms for s in numbers)
    }
    how = {label: written(scenario, mechanisms, numbers, conditions) for label, scenario in worlds.items()}

    def study() -> Study:
        return Study(sorted(rows, key=lambda row: order[row.scenario, row.mechanism, row.seed]), how)

    try:
        with _bar(progress, total) as done, closing(rows_of_all(tasks, workers, executor)) as ended:
            for row in ended:
                rows.append(row)
                done(1)
    except KeyboardInterrupt:
        raise InterruptedStudyError(study()) from None
    return study()


_SCENARIOS = "one Scenario or more, such as scenarios.llm_router()"
_SEEDS = "one whole number or more, each once, such as range(10)"


def _several(field: str, given: Iterable[T], expected: str) -> list[T]:
    if not isinstance(given, Iterable):
        raise ScenarioError(field, given, expected)
    return list(given)


def _check(scenarios: list[Scenario], mechanisms: object, seeds: list[int], workers: int) -> None:
    if not scenarios or not all(isinstance(scenario, Scenario) for scenario in scenarios):
        raise ScenarioError("scenarios", scenarios, _SCENARIOS)
    if not isinstance(mechanisms, Mapping) or not mechanisms:
        raise ScenarioError("mechanisms", mechanisms, "a mapping from labels to one Mechanism or more")
    for label, mechanism in mechanisms.items():
        if not isinstance(label, str) or not isinstance(mechanism, Mechanism):
            raise ScenarioError(
                f"mechanism {label}", mechanism, "a Mechanism, such as contractnet.ContractNet()"
            )
    if not seeds or len(set(seeds)) < len(seeds) or any(type(seed) is not int for seed in seeds):
        raise ScenarioError("seeds", seeds, _SEEDS)
    if type(workers) is not int or workers < 1:
        raise ScenarioError("workers", workers, "a whole number of 1 or more")


def _labels(scenarios: Sequence[Scenario]) -> list[str]:
    """A label for each: its name, and the settings in which it differs from others of that name."""
    labels = []
    for scenario in scenarios:
        same = [other for other in scenarios if type(other) is type(scenario)]
        fields = scenario.__struct_fields__
        differing = [f for f in fields if any(getattr(o, f) != getattr(scenario, f) for o in same)]
        told = ", ".join(f"{field}={getattr(scenario, field)}" for field in differing)
        labels.append(f"{scenario.name} ({told})" if told else scenario.name)
    if len(set(labels)) < len(labels):
        raise ScenarioError("scenarios", labels, "each of them once")
    return labels


@contextmanager
def _bar(wanted: bool | None, total: int) -> Iterator[Done]:
    console = Console(stderr=True)
    if not (console.is_terminal if wanted is None else wanted):
        yield lambda _: None
        return
    columns = (
        TextColumn("comparing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("runs", total=total)
        yield lambda count: bar.advance(task, count)
