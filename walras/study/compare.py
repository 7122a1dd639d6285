"""Comparing mechanisms: the same worlds for all of them, on as many processors as wanted, and nothing lost on the way.

A task is one world (scenario and seed) with all mechanisms one after the other: so its optimum is computed once.
"""

import multiprocessing
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager

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
    order = {
        (w, m, s): k
        for k, (w, m, s) in enumerate((w, m, s) for w in worlds for m in mechanisms for s in numbers)
    }
    how = {label: recipe(scenario, mechanisms, numbers, conditions) for label, scenario in worlds.items()}

    def study() -> Study:
        return Study(sorted(rows, key=lambda row: order[row.scenario, row.mechanism, row.seed]), how)

    try:
        with _bar(progress, total) as done, closing(_rows(tasks, workers, executor)) as ended:
            for row in ended:
                rows.append(row)
                done(1)
    except KeyboardInterrupt:
        raise InterruptedStudyError(study()) from None
    return study()


def _check(scenarios: list[Scenario], mechanisms: object, seeds: list[int], workers: int) -> None:
    for scenario in scenarios or [None]:
        if not isinstance(scenario, Scenario):
            raise ScenarioError("scenarios", scenario, "one Scenario or more, such as scenarios.llm_router()")
    if not isinstance(mechanisms, Mapping) or not mechanisms:
        raise ScenarioError("mechanisms", mechanisms, "a mapping from labels to one Mechanism or more")
    for label, mechanism in mechanisms.items():
        if not isinstance(label, str) or not isinstance(mechanism, Mechanism):
            raise ScenarioError(
                f"mechanism {label}", mechanism, "a Mechanism, such as contractnet.ContractNet()"
            )
    if not seeds or len(set(seeds)) < len(seeds) or any(type(seed) is not int for seed in seeds):
        raise ScenarioError("seeds", seeds, "one whole number or more, each once")
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


# ------------------------------------------------------------------------------------------------- one world, one task


def rows_of(task: Task) -> Iterator[Row]:
    """The rows of one world, as the runs end; a run that raises is a row that says so."""
    optimum = msgspec.UNSET
    for label, mechanism in task.mechanisms.items():
        run = Run(
            scenario=task.settings,
            mechanism=mechanism,
            label=label,
            seed=task.seed,
            conditions=task.conditions,
        )
        try:
            result = execute(run, optimum, keep_trace=False, progress=False)
            row = Row(
                **_named(task, label),
                digest=result.digest,
                stopped_because=result.stopped_because,
                metrics=result.metrics,
            )
            optimum = result.optimum  # type: ignore[assignment]  # was unset before
        except Exception as error:  # whatever a scenario, a mechanism or a check of theirs raises
            row = _failed(task, label, error)
        yield row


def all_rows_of(task: Task) -> list[Row]:
    """What a worker does: `rows_of`, in one piece that can be sent back."""
    return list(rows_of(task))


def _named(task: Task, mechanism: str) -> dict[str, object]:
    return {
        "scenario": task.scenario,
        "mechanism": mechanism,
        "seed": task.seed,
        "version": task.settings.version,
    }


def _failed(task: Task, mechanism: str, error: BaseException) -> Row:
    said = " ".join(str(error).split())
    return Row(
        **_named(task, mechanism), error=f"{type(error).__name__}: {said}" if said else type(error).__name__
    )


# ------------------------------------------------------------------------------------------------------- many of them


def _rows(tasks: list[Task], workers: int, executor: Executor | None) -> Iterator[Row]:
    """The rows of all tasks, in the order in which they end."""
    if executor is not None:
        yield from _gathered({executor.submit(all_rows_of, task): task for task in tasks})
    elif workers == 1:
        for task in tasks:
            yield from rows_of(task)
    else:
        _check_pickles(tasks[0])
        yield from _on_processors(tasks, min(workers, len(tasks)))


def _on_processors(tasks: list[Task], workers: int) -> Iterator[Row]:
    """The rows of all tasks from worker processes, of which some may die."""
    lost: list[Task] = []
    ended = 0
    for row in _in_processes(tasks, workers, lost):
        ended += 1
        yield row
    for task in lost:  # one of them has killed its process, and the others went with it: each by itself
        broken: list[Task] = []
        if ended or task is lost[0]:  # else no process can work at all
            for row in _in_processes([task], 1, broken):
                ended += 1
                yield row
        else:
            broken.append(task)
        yield from (_failed(task, label, _DIED) for task in broken for label in task.mechanisms)


_DIED = BrokenExecutor(
    "its process ended abruptly: it was killed, ran out of memory, cannot import a class that was made in a notebook, or "
    "the script that called compare has no line `if __name__ == '__main__':`"
)


def _in_processes(tasks: list[Task], workers: int, lost: list[Task]) -> Iterator[Row]:
    context = multiprocessing.get_context("spawn")  # the only way that is the same on every system
    pool = ProcessPoolExecutor(workers, context, initializer=_die_quietly)
    try:
        yield from _gathered({pool.submit(all_rows_of, task): task for task in tasks}, lost)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _gathered(futures: dict[Future[list[Row]], Task], lost: list[Task] | None = None) -> Iterator[Row]:
    for future in as_completed(futures):
        task = futures[future]
        error = future.exception()
        if error is None:
            yield from future.result()
        elif isinstance(error, BrokenExecutor) and lost is not None:
            lost.append(task)
        else:
            yield from (_failed(task, label, error) for label in task.mechanisms)


def _die_quietly() -> None:
    """Let Ctrl-C end a worker without a word; its parent says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _check_pickles(task: Task) -> None:
    try:
        pickle.dumps(task)
    except Exception as error:
        raise ScenarioError(
            "workers",
            "more than 1",
            f"scenarios and mechanisms that pickle; functions of modules do, others do not ({error})",
        ) from None


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
