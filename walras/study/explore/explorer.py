"""The explorer: seeds one after the other, or in several processes, until they are all done or enough has broken."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import inf
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import msgspec

from walras.errors import ScenarioError
from walras.simulation.simulation import patient_collector
from walras.study.explore.plan import Plan, Target, Trial
from walras.study.explore.shrinking import smallest

CHUNK = 25
"""Seeds that a worker process takes at once."""
SHRINK_TRIES = 150


class Found(msgspec.Struct):
    """A seed that breaks something: as it was drawn, and as little of it as still does."""

    seed: int
    drawn: Plan[Any]
    trial: Trial
    plan: Plan[Any]
    shrunk: Trial

    def __str__(self) -> str:
        lines = [f"seed {self.seed} breaks {self.trial.broken}: {self.trial.why}", "", "the least that does:"]
        lines += [*str(self.plan).splitlines(), "", f"{self.shrunk.broken}: {self.shrunk.why}", ""]
        return "\n".join([*lines, *self.shrunk.transcript])


class Exploration(msgspec.Struct):
    """What many seeds have shown."""

    target: str
    seconds: float
    """Simulated seconds of work in each seed."""
    seeds: int = 0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    found: list[Found] = []
    simulated_s: float = 0.0
    took_s: float = 0.0
    """Real seconds, also of other processes on the machine."""

    def missing(self, expected: Iterable[str]) -> list[str]:
        """Which of these has never happened."""
        return [name for name in expected if not self.counts[name]]


def explore(
    target: Target,
    seeds: Sequence[int],
    seconds: float = 10.0,
    *,
    workers: int = 1,
    enough: int = 1,
    shrink: bool = True,
    progress: Callable[[int], object] = lambda done: None,
) -> Exploration:
    """Run every seed's plan, up to the first that break something.

    Args:
        target: what is explored.
        seeds: which worlds.
        seconds: how long there is work to do in each, simulated.
        workers: how many processes; the target must be importable by them.
        enough: stop when so many seeds were found to break something.
        shrink: whether to look for the least plan that does.
        progress: told how many seeds are done.

    Raises:
        ScenarioError: for no seeds, no time, or no workers.
    """
    for name, value, fine in (("seeds", seeds, len(seeds) > 0), ("seconds", seconds, 0 < seconds < inf),
                              ("workers", workers, workers > 0), ("enough", enough, enough > 0)):  # fmt: skip
        if not fine:
            raise ScenarioError(name, value, "more than none, and an end")
    exploration, began = Exploration(target.name, seconds), perf_counter()
    for seed, trial in _trials(target, seeds, seconds, workers):
        exploration.seeds += 1
        exploration.counts.update(trial.counts)
        exploration.simulated_s += trial.ended_s
        if trial.broken:
            drawn = target.draw(seed, seconds)
            plan, shrunk = smallest(target, drawn, trial, SHRINK_TRIES) if shrink else (drawn, trial)
            exploration.found.append(Found(seed, drawn, trial, plan, shrunk))
        exploration.took_s = perf_counter() - began
        progress(exploration.seeds)
        if len(exploration.found) >= enough:
            break
    return exploration


def _trials(
    target: Target, seeds: Sequence[int], seconds: float, workers: int
) -> Iterator[tuple[int, Trial]]:
    if workers == 1:
        with patient_collector():
            for seed in seeds:
                yield seed, target.run(target.draw(seed, seconds))
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            jobs = [(target, chunk, seconds) for chunk in chunks]
            for chunk, trials in zip(chunks, pool.map(_chunk, jobs), strict=True):
                yield from zip(chunk, trials, strict=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _chunk(job: tuple[Target, Sequence[int], float]) -> list[Trial]:
    target, seeds, seconds = job
    return [trial for _, trial in _trials(target, seeds, seconds, 1)]
