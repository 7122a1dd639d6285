"""Values that nobody expects, at the edges of what types allow: the world goes on, and its figures stay right."""

from collections.abc import Iterator
from math import inf, nan
from typing import Any, ClassVar

import pytest
from simpy.events import Event

from contractnet import AcceptProposal, CallForProposals, ContractNet, Propose
from tests.simulation.worlds import Knows
from walras import Agent, Arrival, Estimate, Instance, Network, Optimum, Protocol, Scenario, Simulation, Task
from walras.allocation import Outcome
from walras.baselines import FirstComeClaim
from walras.errors import ScenarioError
from walras.messages import Message
from walras.protocol import on
from walras.results import Result
from walras.simulation import Faults, KillAt, Matrix, Partition
from walras.simulation.latency import Latency


# --------------------------------------------------------------------------------------------------------- times
class Restless(Protocol):
    """Sets timers, one of them at no time."""

    seen: tuple[tuple[int, float], ...] = ()

    def on_start(self) -> None:
        for name, at in enumerate((5.0, 1.0, nan, 3.0)):
            self.set_timer(name, at)

    def on_timer(self, name: int) -> None:
        self.seen += ((name, self.now),)


def test_a_time_that_is_no_number_is_now_and_does_not_stop_the_clock() -> None:
    simulation = Simulation()
    simulation.add(Agent("a"))
    role = Restless()
    simulation.seat("a", role)
    simulation.run()
    assert role.seen == ((2, 0.0), (1, 1.0), (3, 3.0), (0, 5.0))
    with pytest.raises(ScenarioError, match="finish_by is nan; expected a time in seconds"):
        simulation.seat("a", Restless(), "bare/2", finish_by=nan)


class Rogue(Protocol):
    """A manager whose deadlines are no numbers."""

    reply_by: float

    def on_start(self) -> None:
        self.broadcast(("c",), CallForProposals(Task("t", parts=(Task("p"),)), self.reply_by))

    @on(Propose)
    def accept(self, sender: str, message: Propose) -> None:
        self.send(sender, AcceptProposal(nan))


class RoguesNet(ContractNet, frozen=True, kw_only=True):
    """A Contract Net whose manager is one."""

    asked_by: float = 5.0

    def opener(self, me: str, items: Any, participants: Any) -> Protocol:
        return Rogue(self.asked_by)


@pytest.mark.parametrize("reply_by", [5.0, nan, inf])
@pytest.mark.parametrize("deliberation_s", [0.0, 0.1])
def test_a_manager_s_deadlines_that_are_no_numbers_harm_nobody(
    reply_by: float, deliberation_s: float
) -> None:
    """Others' events go on at their times, and no proposal binds for ever."""
    simulation = Simulation()
    for agent in "mcd":
        simulation.add(Agent(agent, costs=Knows(1.0), deliberation_s=deliberation_s))
    ticks = []

    def tick() -> Iterator[Event]:
        for _ in range(40):
            yield simulation.env.timeout(1.0)
            ticks.append(simulation.now)

    simulation.process(tick())  # type: ignore[arg-type]
    simulation.open(RoguesNet(partners=("d",), asked_by=reply_by), [Task("t")], "m", ["c"], finish_by=20.0)
    result = simulation.run(until=50.0)
    assert ticks == [float(t) for t in range(1, 41)]
    times = [row.at for row in result.trace]
    assert times == sorted(times)
    bids = [row.details["message"] for row in result.trace if row.kind == "message" and row.agent == "c"]
    assert all(bid["valid_until"] < inf for bid in bids if bid["type"] == "Propose")


class Backwards(Latency, frozen=True):
    """A user's own distribution, with a mistake in it."""

    def sampler(self, rng: Any) -> Any:
        return lambda: -0.5

    @property
    def bound(self) -> float:
        return 1.0


def test_no_delay_of_ones_own_turns_the_clock_back() -> None:
    simulation = Simulation(network=Network(latency=Backwards()))  # type: ignore[arg-type]
    for agent in "mc":
        simulation.add(Agent(agent, costs=Knows(1.0)))
    simulation.open(ContractNet(), [Task("t")], "m", finish_by=20.0)
    with pytest.raises(
        ScenarioError, match=r"a delay of Backwards\(\) is -0.5; expected a finite number of seconds"
    ):
        simulation.run()


def test_who_writes_to_nobody_is_ignored_in_every_network() -> None:
    """A name that nobody has, has no place in a matrix either."""
    for latency in (Matrix(("here",), ((0.01,),)), Network().latency):
        simulation = Simulation(network=Network(latency=latency))
        for agent in "mc":
            simulation.add(Agent(agent, costs=Knows(1.0), place="here"))
        simulation.open(
            ContractNet(partners=("gohst",)), [Task("t", parts=(Task("p"),))], "m", ["c"], finish_by=60.0
        )
        ignored = [row for row in simulation.run().trace if row.kind == "ignored"]
        assert {(row.agent, row.details["why"]) for row in ignored} == {("gohst", "unknown agent")}


# -------------------------------------------------------------------------------------------------------- amounts
def test_a_whole_number_of_more_digits_than_a_float_is_paid_as_it_was_awarded() -> None:
    simulation = Simulation()
    simulation.add(Agent("m"))
    simulation.add(Agent("c", lambda question, agent: Propose(2**53 + 1), costs=Knows(1.0)))
    simulation.open(ContractNet(), [Task("t")], "m", finish_by=60.0)
    result = simulation.run()
    assert result.agent("c").earned == result.agent("m").spent == float(2**53 + 1)
    assert simulation.world.ledger.conserved()


# --------------------------------------------------------------------------------------------------------- figures
class Worth(Instance):
    """Every task is worth 10."""

    def value(self, task: Task, report: Any, latency_s: float) -> float:
        return 10.0

    def optimum(self) -> Optimum:
        return Optimum(4.0, True, "by hand: 10 - 1 - 5")


class Errand(Scenario, frozen=True, kw_only=True):
    """One arrival; c does t, d does p, e does u."""

    name: ClassVar[str] = "errand"
    tasks: tuple[Task, ...] = ()

    def draw(self, seed: int) -> Instance:
        agents = [Agent("m", capacity=0)]
        agents += [
            Agent(who, costs={task: cost})
            for who, task, cost in (("c", "t", 1.0), ("d", "p", 5.0), ("e", "u", 1.0))
        ]
        return Worth(agents, [Arrival(0.0, self.tasks, "m", ("c", "d", "e"), 60.0)])


def test_work_on_parts_is_work_on_the_task() -> None:
    """Its cost counts, or welfare would be above the optimum."""
    errand = Errand(tasks=(Task("t", parts=(Task("p"),)),))
    result = Simulation(errand, ContractNet(partners=("d",)), seed=1).run()
    assert result.metrics["cost"] == sum(agent.cost for agent in result.agents) == 6.0
    assert (result.metrics["welfare"], result.metrics["efficiency"]) == (4.0, 1.0)


def test_of_several_tasks_each_ends_as_it_would_alone() -> None:
    """One of two copies is partial, and work that fails is failed, not unassigned."""
    together = Simulation(Errand(tasks=(Task("t", copies=2), Task("u"))), ContractNet(), seed=1).run()
    alone = Simulation(Errand(tasks=(Task("t", copies=2),)), ContractNet(), seed=1).run()
    assert [record.status for record in together.records] == ["partial", "done"]
    assert [record.status for record in alone.records] == ["partial"]


def test_announcements_are_counted_for_each_task() -> None:
    """Three tasks, each announced once; one that nobody can do, as often as the rules have it."""
    simulation = Simulation()
    simulation.add(Agent("m", capacity=0))
    simulation.add(Agent("c", costs={"t": Estimate(1.0, seconds=3.0)}, capacity=3))
    tasks = [Task("a", kind="t"), Task("b", kind="t"), Task("c", kind="odd")]
    simulation.open(ContractNet(announcements=3), tasks, "m", finish_by=60.0)
    assert [record.rounds for record in simulation.run().records] == [1, 1, 3]


def test_a_part_has_an_id_of_its_own() -> None:
    simulation = Simulation()
    simulation.add(Agent("m"))
    for tasks in ([Task("a", parts=(Task("b"),)), Task("b")], [Task("a", parts=(Task("a"),))]):
        with pytest.raises(
            ScenarioError, match="expected an id of its own for every item of a conversation, and every"
        ):
            simulation.open(ContractNet(), tasks, "m")


# ------------------------------------------------------------------------------------------------ stops, memory, ends
class Ping(Message, frozen=True):
    """To oneself."""

    count: int


class Stopper(Protocol):
    """Begins long work, talks to itself, and stops the work at one of its inputs."""

    stop_at: int

    def on_start(self) -> None:
        self.perform("w", Task("w"))
        self.send(self.me, Ping(1))

    @on(Ping)
    def go_on(self, sender: str, message: Ping) -> None:
        if message.count <= self.stop_at:
            self.send(self.me, Ping(message.count + 1))
        if message.count == self.stop_at:
            self.stop("w")

    def on_performed(self, key: str, report: Any) -> None:
        self.finish(Outcome(report.status))


@pytest.mark.parametrize("stop_at", [10, 62, 63, 64])
def test_a_stop_is_not_forgotten_when_the_journal_is_compacted(stop_at: int) -> None:
    """Killed soon after it, at each of several inputs, the work is still reported as stopped."""
    for kill in range(stop_at, stop_at + 4):
        simulation = Simulation(faults=Faults(kill_at=(KillAt("bare/1", "a", kill + 1, 1, 1.0),)))
        simulation.add(Agent("a", costs={"w": Estimate(1.0, seconds=50.0)}))
        simulation.seat("a", Stopper(stop_at))
        ends = [row.details["outcome"]["status"] for row in simulation.run().trace if row.kind == "finish"]
        assert ends == ["stopped"]


def test_minds_that_ponder_leave_nothing_in_the_heap_for_questions_that_are_answered() -> None:
    """Their deadlines are far away; what waits there grows with what is under way, and not with what has been."""

    def waiting(tasks: int) -> int:
        simulation = Simulation()
        simulation.add(Agent("m", capacity=0))
        for k in range(5):
            simulation.add(Agent(f"c{k}", costs={"t": Estimate(1.0 + k, seconds=0.1)}, deliberation_s=0.05))
        for k in range(tasks):
            rules = ContractNet(reply_within_s=1e5, valid_for_s=10.0)
            simulation.open(rules, [Task(f"t{k}", kind="t")], "m", at=float(k), finish_by=1e6)
        simulation.run(until=tasks + 60.0, keep_trace=False)
        return len(simulation.world.clock)

    assert waiting(600) < 1500


def test_a_claim_without_a_deadline_is_given_up_by_a_mind_that_only_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("walras.baselines.worker.MOST_QUESTIONS", 50)

    def broken(question: Any, agent: Agent) -> Any:
        raise ValueError("no")

    simulation = Simulation(seed=1)
    simulation.add(Agent("ada", capacity=0))
    simulation.add(Agent("cyd", broken, costs=Knows(1.0)))
    simulation.open(FirstComeClaim(), [Task("t")], "ada")
    result = simulation.run()
    assert result.ended_s < 100.0
    assert len([row for row in result.trace if row.kind == "ask" and row.agent == "cyd"]) == 50


def test_what_has_ended_stays_so_when_it_is_run_again() -> None:
    """Time does not go on, and figures that are shares of it do not change."""
    simulation = Simulation(
        Errand(tasks=(Task("t"),)),
        ContractNet(),
        network=Network(partitions=(Partition(50.0, 60.0, ("c",)),)),
    )
    first, again = simulation.run(), simulation.run()
    assert (again.ended_s, again.digest, again.metrics) == (first.ended_s, first.digest, first.metrics)
    assert again.stopped_because == "every conversation has ended"
    simulation.open(ContractNet(), [Task("t")], "m", finish_by=simulation.now + 60.0)
    assert len(simulation.run().records) == 2


def test_a_trace_that_was_kept_for_a_while_only_is_saved_as_one_that_was_not(tmp_path: Any) -> None:
    errand = Errand(tasks=(Task("t"),))
    Simulation(errand, ContractNet(), seed=1).run().save(tmp_path)
    simulation = Simulation(errand, ContractNet(), seed=1)
    simulation.run(until=0.5, keep_trace=False)
    result = simulation.run(keep_trace=True)
    result.save(tmp_path)
    assert Result.load(tmp_path).digest == result.digest
    assert Result.load(tmp_path).trace.messages == result.trace.messages


def test_roles_that_were_seated_by_hand_keep_their_conversation() -> None:
    """One that is opened later takes the next free id."""
    simulation = Simulation()
    for agent in "mc":
        simulation.add(Agent(agent, costs=Knows(1.0)))
    role = Restless()
    simulation.seat("c", role, "m/1", finish_by=30.0)
    simulation.open(ContractNet(), [Task("t")], "m", finish_by=20.0)
    assert list(simulation.run().outcomes) == ["m/2"]
    assert simulation.role("m/1", "c") is role
