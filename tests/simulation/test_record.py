"""What a run leaves in its records, reckoned by hand: who did it, for what, when, and what failed attempts cost."""

from collections.abc import Callable
from typing import ClassVar

from contractnet import ContractNet
from tests.contractnet import worlds
from tests.sketches import clock_auction
from walras import Agent, Arrival, Estimate, Instance, Lot, Network, Result, Scenario, Simulation, Task
from walras.allocation import Award, Report
from walras.simulation.faults import Crash, Faults
from walras.simulation.latency import Constant
from walras.simulation.network import Partition


class Errands(Scenario, frozen=True, kw_only=True):
    """One task at 10 s, worth 100 less its latency; work takes 3 s, and `fails` names who fails at it."""

    name: ClassVar[str] = "errands"
    costs: dict[str, float]
    fails: tuple[str, ...] = ()
    copies: int = 1

    def draw(self, seed: int) -> Instance:
        return ErrandsInstance(self, seed)


class ErrandsInstance(Instance):
    def __init__(self, settings: Errands, seed: int) -> None:
        self.fails = settings.fails
        workers = [
            Agent(id_, costs=steady(Estimate(cost, seconds=3.0))) for id_, cost in settings.costs.items()
        ]
        task = Task("t", copies=settings.copies)
        super().__init__(
            [Agent("m", capacity=0, money=100.0), *workers], [Arrival(10.0, (task,), "m", tuple(settings.costs), 70.0)],
            seed=seed,
        )  # fmt: skip

    def work(self, task: Task, agent: str) -> Report:
        report = super().work(task, agent)
        return Report("failed", report.cost, 0.0, report.seconds) if agent in self.fails else report

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        return 100.0 - latency_s


def steady(estimate: Estimate) -> Callable[[Task], Estimate]:
    return lambda task: estimate


def run(rules: ContractNet, **settings: object) -> Result:
    return Simulation(Errands(**settings), rules, network=Network(latency=Constant(0.125))).run()  # type: ignore[arg-type]


def test_a_failed_attempt_leaves_its_cost_and_the_next_best_its_price_value_and_name() -> None:
    """Calls, proposals, acceptance take 0.375 s, work 3 s, failure and acceptance 0.25 s, work 3 s: 6.625 s."""
    result = run(ContractNet(hold_losers=True), costs={"a": 1.0, "b": 2.0}, fails=("a",))
    record = result.records[0]
    assert (record.winner, record.price, record.paid, record.cost) == ("b", 2.0, 2.0, 3.0)
    assert (record.announced_s, record.finished_s, record.latency_s) == (10.0, 16.625, 6.625)
    assert (record.value, record.rounds) == (100.0 - 6.625, 1)
    assert result.allocation.lines == (Award("t", "b", 2.0),)
    assert [(a.id, a.tasks, a.cost, a.earned, a.spent) for a in result.agents] == [
        ("m", 0, 0.0, 0.0, 2.0),
        ("a", 0, 1.0, 0.0, 0.0),
        ("b", 1, 2.0, 2.0, 0.0),
    ]


def test_what_is_paid_in_all_announcements_adds_up() -> None:
    """Two copies: a does one, b fails; c does the other after a second announcement, in which b fails again or loses."""
    rules = ContractNet(announcements=2, pause_s=0.5)
    record = run(rules, costs={"a": 1.0, "b": 2.0}, fails=("b",), copies=2).records[0]
    assert (record.status, record.rounds, record.paid) == ("partial", 2, 1.0)
    both = run(rules, costs={"a": 1.0, "b": 2.0}, copies=2).records[0]
    assert (both.status, both.rounds, both.paid, both.cost) == ("done", 1, 3.0, 3.0)


def test_a_task_that_was_cancelled_while_its_result_was_on_its_way_is_not_finished() -> None:
    """Work ends at 3.375, the cancel leaves at 3.4; the result is paid, but nobody waited for it any more."""
    record = worlds.simulate(
        ContractNet(), {"a": 1.0}, cancel_at=3.4, network=Network(latency=Constant(0.125))
    ).records[0]
    assert (record.status, record.paid, record.cost) == ("cancelled", 1.0, 1.0)
    assert (record.finished_s, record.latency_s, record.quality) == (None, None, 0.0)


def test_a_sale_is_finished_when_its_conversation_ends() -> None:
    simulation = Simulation(network=Network(latency=Constant(0.125)))
    for id_ in ("m", "a", "b"):
        simulation.add(Agent(id_, clock_auction.thrifty, values={"lot": 5.0}, money=50.0))
    simulation.open(clock_auction.Clock(), [Lot("lot")], "m", ["a", "b"], at=10.0, finish_by=60.0)
    record = simulation.run().records[0]
    assert record.finished_s == simulation.world.ended_at["m/1"] > 10.0


class Shop(Scenario, frozen=True):
    """One lot, worth 5 to the one and 3 to the other."""

    name: ClassVar[str] = "shop"

    def draw(self, seed: int) -> Instance:
        agents = [
            Agent(id_, clock_auction.thrifty, values={"lot": worth})
            for id_, worth in {"m": 0.0, "a": 5.0, "b": 3.0}.items()
        ]
        return Instance(agents, [Arrival(0.0, (Lot("lot"),), "m", ("a", "b"), 60.0)])


def test_the_welfare_of_a_sale_is_what_the_lot_is_worth_to_its_winner() -> None:
    result = Simulation(Shop(), clock_auction.Clock()).run()
    assert result.allocation["lot"].winner == "a"
    assert (result.records[0].value, result.metrics["welfare"]) == (5.0, 5.0)


def test_the_winner_is_who_delivered_and_not_who_was_given_up() -> None:
    """A's result is lost in a partition; b steps in, delivers and is paid: the record is b's, in every column."""
    cut = Partition(side=("a",), other=("m",), start_s=1.0, end_s=30.0, one_way=True)
    result = worlds.simulate(
        ContractNet(result_within_s=5.0, hold_losers=True, valid_for_s=40.0),
        {"a": 1.0, "b": 2.0},
        network=Network(latency=Constant(0.1), partitions=(cut,)),
    )
    record = result.records[0]
    assert (record.winner, record.price, record.paid, record.awards) == ("b", 2.0, 2.0, 2)
    assert record.finished_s is not None
    assert record.finished_s > 6.0
    assert result.metrics["misawards"] == 1


def test_an_award_that_failed_does_not_stand_because_its_like_was_made_again() -> None:
    """Bob is awarded, crashes, and wins again at the same price in a second announcement: one award stood."""
    simulation = Simulation(seed=1, faults=Faults(schedule=(Crash("bob", 0.2, 8.0),)))
    simulation.add(Agent("ada", capacity=0))
    simulation.add(Agent("bob", costs=steady(Estimate(2.0, 1.0, 3.0))))
    rules = ContractNet(result_within_s=5.0, pause_s=6.0)
    simulation.open(rules, [Task("t", reserve=5.0)], "ada", finish_by=100.0)
    result = simulation.run()
    assert result.allocation.lines == (Award("t", "bob", 2.0),)
    record = result.records[0]
    assert (record.price, record.paid, record.awards) == (2.0, 2.0, 2)
    assert result.metrics["misawards"] == 1
