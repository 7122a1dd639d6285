"""What the processors of a comparison do: a task is one world with all mechanisms, and no other is lost when one fails.

The mechanisms of a world run one after the other, so that its optimum is computed once.
"""

import multiprocessing
import pickle
import signal
from collections.abc import Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.scenario import Optimum, Scenario
from walras.study.runs import Conditions, Run, execute
from walras.study.study import Row


class Task(msgspec.Struct, frozen=True):
    """One world, and all that are to meet it; `scenario` is what tables call the scenario."""

    scenario: str
    settings: Scenario
    seed: int
    mechanisms: dict[str, Mechanism]
    conditions: Conditions


# ------------------------------------------------------------------------------------------------- one world, one task


def rows_of(task: Task) -> Iterator[Row]:
    """The rows of one world, as the runs end; a run that raises is a row that says so."""
    optimum: Optimum | msgspec.UnsetType | None = msgspec.UNSET
    for label, mechanism in task.mechanisms.items():
        run = Run(
            scenario=task.settings,
            mechanism=mechanism,
            label=label,
            seed=task.seed,
            conditions=task.conditions,
        )
        row = Row(scenario=task.scenario, mechanism=label, seed=task.seed, version=task.settings.version)
        try:
            result = execute(run, optimum, keep_trace=False, progress=False)
            optimum = result.optimum
            row = replace(
                row, digest=result.digest, stopped_because=result.stopped_because, metrics=result.metrics
            )
        except Exception as error:  # whatever a scenario, a mechanism or a check of theirs raises
            row = replace(row, error=_in_one_line(error))
        yield row


def all_rows_of(task: Task) -> list[Row]:
    """What a worker does: `rows_of`, in one piece that can be sent back."""
    return list(rows_of(task))


def _failed(task: Task, error: BaseException) -> Iterator[Row]:
    """Rows of a task of which nothing came back."""
    for label in task.mechanisms:
        yield Row(
            scenario=task.scenario,
            mechanism=label,
            seed=task.seed,
            version=task.settings.version,
            error=_in_one_line(error),
        )


def _in_one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


# ------------------------------------------------------------------------------------------------------- many of them


def rows_of_all(tasks: list[Task], workers: int, executor: Executor | None) -> Generator[Row]:
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
        for dead in broken:
            yield from _failed(dead, _DIED)


_UNGUARDED = "the script that called compare has no line `if __name__ == '__main__':` before that call"
_DIED = BrokenExecutor(
    "its process ended abruptly: it was killed, ran out of memory, cannot import a class that was made in a notebook, or "
    + _UNGUARDED
)


def _in_processes(tasks: list[Task], workers: int, lost: list[Task]) -> Iterator[Row]:
    # this is a worker that is being started
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"walras: {_UNGUARDED}; so each worker begins with the whole script, and ends here")
    context = multiprocessing.get_context("spawn")  # the only way that is the same on every system
    pool = ProcessPoolExecutor(workers, context, initializer=_die_quietly)
    try:
        with _interrupts_held():  # submitting starts the processes
            futures = {pool.submit(all_rows_of, task): task for task in tasks}
        yield from _gathered(futures, lost)
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
            yield from _failed(task, error)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep a Ctrl-C waiting, for us until the end of the block, and for processes started in it until `_die_quietly`.

    A worker imports for a second or more before it can say how it wants to end.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_quietly() -> None:
    """Let Ctrl-C end a worker without a word; its parent says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def _check_pickles(task: Task) -> None:
    try:
        pickle.dumps(task)
    except Exception as error:
        raise ScenarioError(
            "workers",
            "more than 1",
            f"scenarios and mechanisms that pickle; functions of modules do, others do not ({error})",
        ) from None
