"""The baselines in whole worlds: every task ends, and nobody works on one twice, whatever the network does."""

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import ClassVar

import pytest

from walras.agents import Agent, Estimate
from walras.allocation import Report
from walras.baselines import (
    BestSingle,
    Cheapest,
    FirstComeClaim,
    Greedy,
    LeastLoaded,
    RandomAssignment,
    RoundRobin,
)
from walras.baselines.worker import MOST_CLAIMS
from walras.items import Task
from walras.mechanism import Mechanism
from walras.randomness import draw
from walras.scenario import Arrival, Instance, Scenario
from walras.simulation import Network, Partition, Simulation

COSTS = {"ada": 3.0, "bob": 1.0, "cyd": 2.0}
CALM: tuple[Mechanism, ...] = (
    RandomAssignment(),
    RoundRobin(),
    Cheapest(),
    Greedy(),
    BestSingle(),
    LeastLoaded(),
    FirstComeClaim(),
)
HARSH = (*CALM, Cheapest(silence_s=4.0), RandomAssignment(tries=1), FirstComeClaim(again_s=0.3))


class Jobs(Scenario, frozen=True, kw_only=True):
    """Tasks that come one by one to three unequal agents; whether one fails is drawn by task and agent."""

    name: ClassVar[str] = "jobs"
    tasks: int = 30
    every_s: float = 0.5
    time_s: float = 20.0
    failures: float = 0.0

    def draw(self, seed: int) -> Instance:
        return JobsInstance(self, seed)


class JobsInstance(Instance):
    def __init__(self, settings: Jobs, seed: int) -> None:
        self.failures = settings.failures
        workers = [Agent(id_, costs=steady(Estimate(cost, 1.0, cost / 2))) for id_, cost in COSTS.items()]
        starts = [k * settings.every_s for k in range(settings.tasks)]
        arrivals = [
            Arrival(at, (Task(f"t{k}"),), "op", tuple(COSTS), at + settings.time_s)
            for k, at in enumerate(starts)
        ]
        super().__init__([Agent("op", operator=True), *workers], arrivals, seed=seed)

    def work(self, task: Task, agent: str) -> Report:
        report = super().work(task, agent)
        if draw(self.seed, "fails", task.id, agent) < self.failures:
            return Report("failed", report.cost, 0.0, report.seconds)
        return report


def steady(estimate: Estimate) -> Callable[[Task], Estimate]:
    return lambda task: estimate


def named(mechanism: Mechanism) -> str:
    return repr(mechanism).replace("()", "")


def worked(simulation: Simulation) -> Counter[tuple[str, str]]:
    """How often each agent has ended work on each task."""
    return Counter((done.task.id, done.agent) for done in simulation.world.done)


@pytest.mark.parametrize("mechanism", CALM, ids=named)
def test_in_a_calm_world_every_task_is_done_once_and_paid_as_claimed(mechanism: Mechanism) -> None:
    simulation = Simulation(Jobs(), mechanism, seed=7, check=True)
    result = simulation.run(progress=False)
    assert [outcome.status for outcome in result.outcomes.values()] == ["done"] * 30
    assert len(result.allocation) == 30
    assert sum(worked(simulation).values()) == 30
    assert all(line.winner and line.price == COSTS[line.winner] for line in result.allocation.lines)
    assert simulation.world.ledger.conserved()
    earned = {id_: float(simulation.world.ledger.account(id_).received) for id_ in COSTS}
    assert sum(earned.values()) == sum(line.price for line in result.allocation.lines)


def winners(mechanism: Mechanism, **settings: float) -> list[str]:
    result = Simulation(Jobs(**settings), mechanism, seed=7).run(progress=False)  # type: ignore[arg-type]
    return [result.allocation[f"t{k}"].winner or "" for k in range(30)]


def test_each_rule_shows_in_who_wins() -> None:
    assert winners(RoundRobin())[:4] in (["ada", "bob", "cyd", "ada"], ["bob", "cyd", "ada", "bob"])
    assert set(winners(Cheapest())) == {"bob"}
    assert set(winners(BestSingle())) == {"bob"}
    assert set(winners(RandomAssignment())) == set(COSTS)
    assert winners(LeastLoaded(), every_s=5.0) == ["bob"] * 30  # all idle: the highest worth decides
    assert set(winners(LeastLoaded())) == set(COSTS)
    assert set(winners(FirstComeClaim(), every_s=0.2)) == set(COSTS)


@pytest.mark.parametrize("mechanism", HARSH, ids=named)
@pytest.mark.parametrize("seed", range(3))
def test_in_a_harsh_world_every_task_ends_in_time_and_nobody_works_on_one_twice(
    mechanism: Mechanism, seed: int
) -> None:
    network = Network(loss=0.15, duplication=0.3, reordering=0.3)
    simulation = Simulation(Jobs(failures=0.2), mechanism, seed=seed, network=network, check=True)
    result = simulation.run(progress=False)
    statuses = Counter(outcome.status for outcome in result.outcomes.values())
    assert statuses.total() == 30
    assert set(statuses) <= {"done", "failed", "unassigned"}  # and not overdue
    assert statuses["done"] >= 8
    assert set(worked(simulation).values()) == {1}
    assert simulation.world.ledger.conserved()
    for conversation, outcome in result.outcomes.items():
        paid = simulation.world.paid.get(
            (conversation, simulation.conversations[conversation].items[0].id), 0.0
        )
        assert paid == (outcome.awards[0].price if outcome.status == "done" else 0.0)


def test_failures_are_tried_again_elsewhere() -> None:
    once = Simulation(Jobs(failures=0.4), Cheapest(tries=1), seed=1).run(progress=False)
    thrice = Simulation(Jobs(failures=0.4), Cheapest(tries=3), seed=1).run(progress=False)

    def done(outcomes: object) -> int:
        return sum(o.status == "done" for o in dict(outcomes).values())  # type: ignore[call-overload]

    assert done(once.outcomes) < done(thrice.outcomes)


def test_messages_are_two_for_a_dispatched_task_and_at_most_3n_plus_1_for_a_claimed_one() -> None:
    for mechanism, most in ((Cheapest(), 2), (FirstComeClaim(), 3 * len(COSTS) + 1)):
        trace = Simulation(Jobs(every_s=3.0), mechanism, seed=1).run(progress=False).trace
        assert trace.messages == 30 * most


@pytest.mark.parametrize("mechanism", CALM, ids=named)
def test_the_same_seed_gives_the_same_digest(mechanism: Mechanism) -> None:
    digests = {Simulation(Jobs(), mechanism, seed=s).run(progress=False).trace.digest for s in (1, 1, 2)}
    assert len(digests) == 2


def test_a_claimant_of_a_task_without_a_deadline_gives_up_where_nobody_answers() -> None:
    """The announcer is cut off for good before its answer is through."""
    network = Network(partitions=(Partition(0.05, inf, ("ada",)),))
    simulation = Simulation(seed=1, network=network)
    for agent in (Agent("ada", capacity=0), Agent("bob"), Agent("cyd", costs={"t": 1.0})):
        simulation.add(agent)
    simulation.open(FirstComeClaim(), [Task("t")], "ada")
    result = simulation.run(progress=False)
    claims = [row for row in result.trace if row.kind == "lost" and row.agent == "cyd"]
    ends = [
        row.details["outcome"]["status"] for row in result.trace if (row.kind, row.agent) == ("finish", "cyd")
    ]
    assert 0 < len(claims) <= MOST_CLAIMS
    assert ends == ["closed"]
