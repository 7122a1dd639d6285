"""Row F: what holds for random agents, settings and faults, and after a crash between any two effects."""

from collections.abc import Iterator
from math import fsum
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from contractnet import cheapest
from tests.contractnet.checks import violations
from tests.contractnet.reading import read
from tests.contractnet.worlds import MONEY, Cast, simulate
from walras import Network, Result, Task
from walras.simulation import Faults, KillAt, Skew, Swarm, random_faults

HORIZON_S = 40.0
STATUSES = {"done", "partial", "failed", "unassigned", "cancelled"}

settings = st.builds(
    Cast,
    reply_within_s=st.sampled_from([0.5, 2.0]),
    result_within_s=st.sampled_from([5.0, 3600.0]),
    margin_s=st.sampled_from([0.1, 0.25]),
    announcements=st.integers(1, 3),
    enough=st.sampled_from([None, 1, 2]),
    hold_losers=st.booleans(),
    reserve=st.sampled_from(["lazy", "eager"]),
    interruptible=st.booleans(),
    award_rule=st.just(cheapest),
)
costs = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([None, 1.0, 2.0, 3.0]), max_size=6)
tasks = st.builds(Task, st.just("t"), reserve=st.sampled_from([None, 2.0]), copies=st.integers(1, 2))


def check_world(result: Result, rules: Cast, task: Task, *, perfect: bool) -> None:
    """Every task ends; at most the announced number of awards; nobody is paid without delivery; money is conserved."""
    (outcome,) = result.outcomes.values()
    assert outcome.status in STATUSES
    assert len(outcome.awards) <= task.copies
    assert violations(result, perfect=perfect, announcements=rules.announcements, copies=task.copies) == {}
    assert fsum(result.balances.values()) == MONEY
    assert fsum(line.price for line in outcome.awards) == MONEY - result.balances["m"]
    assert result.overcommitments == 0


@given(
    rules=settings,
    costs=costs,
    task=tasks,
    seconds=st.sampled_from([0.0, 0.5, 4.0, 100.0]),
    finish_by=st.sampled_from([1.0, 5.0, HORIZON_S]),
    seed=st.integers(0, 999),
)
def test_in_a_world_without_faults(
    rules: Cast, costs: dict[str, Any], task: Task, seconds: float, finish_by: float, seed: int
) -> None:
    """Every invariant holds, those of perfect worlds too."""
    result = simulate(rules, costs, tasks=(task,), seconds=seconds, finish_by=finish_by, seed=seed)
    check_world(result, rules, task, perfect=True)


@given(
    rules=settings,
    costs=costs,
    task=tasks,
    seconds=st.sampled_from([0.5, 4.0]),
    cancel_at=st.sampled_from([float("inf"), 0.05, 1.0, 3.0, 6.0]),
    seed=st.integers(0, 9999),
)
def test_in_a_world_with_faults(
    rules: Cast, costs: dict[str, Any], task: Task, seconds: float, cancel_at: float, seed: int
) -> None:
    """Loss, doubles, reordering, partitions, crashes, pauses and slow disks: still safe, and still it ends."""
    network, faults = random_faults(seed, ["m", *costs], HORIZON_S)
    faults = replace(faults, schedule=tuple(f for f in faults.schedule if not isinstance(f, Skew)))
    result = simulate(
        rules,
        costs,
        tasks=(task,),
        seconds=seconds,
        finish_by=HORIZON_S,
        cancel_at=cancel_at,
        seed=seed,
        network=network,
        faults=faults,
    )
    check_world(result, rules, task, perfect=False)


@given(costs=costs, seed=st.integers(0, 9999))
def test_with_clocks_that_are_wrong(costs: dict[str, Any], seed: int) -> None:
    """Deadlines are on the clock of who set them; skew may cost awards, and never breaks the books."""
    swarm = Swarm(chance=1.0, loss=(0.001, 0.002), crashes=(0.001, 0.002), pauses=(0.001, 0.002))
    _, faults = random_faults(seed, ["m", *costs], HORIZON_S, swarm)
    skews = Faults(schedule=tuple(f for f in faults.schedule if isinstance(f, Skew)))
    result = simulate(Cast(), costs, finish_by=HORIZON_S, seed=seed, faults=skews)
    (outcome,) = result.outcomes.values()
    assert outcome.status in STATUSES
    assert fsum(result.balances.values()) == MONEY


@given(costs=costs, seed=st.integers(0, 9999))
def test_doubled_messages_change_nothing(costs: dict[str, Any], seed: int) -> None:
    """I15: the same world with every second message doubled has the same awards at the same time."""
    plain = simulate(Cast(), costs, seed=seed)
    doubled = simulate(Cast(), costs, seed=seed, network=Network(duplication=0.5))
    assert doubled.outcomes == plain.outcomes
    assert doubled.allocation == plain.allocation
    assert doubled.balances == plain.balances


def test_same_seed_same_digest_and_another_seed_another() -> None:
    """Determinism, asserted in both directions."""
    digests = [simulate(Cast(), {"a": 1.0, "b": 1.0}, seed=seed).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


# ------------------------------------------------------------------------------------------------ crashes everywhere


def kills(conversation: str, agent: str, **world: Any) -> Iterator[tuple[KillAt, Result]]:
    """The world with one crash before every effect of every input of one role, until there is no such effect."""
    number = 0
    while True:
        number += 1
        for effect in range(1, 99):
            kill = KillAt(conversation, agent, number, effect, 2.0)
            result = simulate(faults=Faults(kill_at=(kill,)), **world)
            if not any(row.kind == "crash" for row in result.trace):
                break
            yield kill, result
        if effect == 1:
            return


@pytest.mark.parametrize("victim", ["m", "a", "b"])
@pytest.mark.parametrize("hold_losers", [False, True])
def test_after_a_crash_between_any_two_effects_the_books_are_right(victim: str, hold_losers: bool) -> None:
    """Recovery by replay: the task ends, no award is made twice, money is conserved; a late restart is only late."""
    rules = Cast(hold_losers=hold_losers, result_within_s=10.0)
    points = 0
    for kill, result in kills("m/1", victim, mechanism=rules, costs={"a": 1.0, "b": 2.0}, finish_by=60.0):
        points += 1
        (outcome,) = result.outcomes.values()
        assert outcome.status == "done", f"{kill}: {outcome}"
        check_world(result, rules, Task("t"), perfect=False)
        for talk in read(result).values():
            lines = [str(row.details["line"]) for row in talk.of("award")]
            assert len(lines) == len(set(lines)), f"{kill}: {lines}"
    assert points >= (10 if victim == "m" else 4)
