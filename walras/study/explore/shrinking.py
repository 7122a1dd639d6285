"""From a plan that breaks something to the least of it that still does."""

from typing import Any

from msgspec.structs import replace

from walras.simulation.faults import Faults
from walras.simulation.network import Network
from walras.simulation.swarm import minimal
from walras.study.explore.plan import Plan, Target, Trial


def smallest(target: Target, plan: Plan[Any], trial: Trial, tries: int) -> tuple[Plan[Any], Trial]:
    """Leave out and shorten one thing at a time, in so many runs: the load, time, faults, and the load once more.

    What is broken need not be the same invariant all the way: a smaller plan may show the same bug elsewhere.
    """
    best = [(plan, trial)]

    def fails(candidate: Plan[Any]) -> bool:
        found = target.run(candidate)
        if found.broken:
            best[0] = candidate, found
        return bool(found.broken)

    def fails_with(network: Network, faults: Faults) -> bool:
        return fails(replace(best[0][0], network=network, faults=faults))

    for part in range(3):
        if part == 1:
            _shorten(best[0], fails)
            minimal(best[0][0].network, best[0][0].faults, fails_with, tries)
        else:
            _lighten(target, best, fails, tries)
    return best[0]


def _shorten(best: tuple[Plan[Any], Trial], fails: Any) -> None:
    """No work after what is broken is broken; where it is progress that is missing, there is no such time."""
    plan, trial = best
    if trial.ended_s < plan.seconds:
        fails(replace(plan, seconds=round(trial.ended_s + 0.001, 3)))


def _lighten(target: Target, best: list[tuple[Plan[Any], Trial]], fails: Any, tries: int) -> None:
    candidates = target.milder(best[0][0])
    for _ in range(tries // 3):
        candidate = next(candidates, None)
        if candidate is None:
            return
        if fails(candidate):
            candidates = target.milder(candidate)
