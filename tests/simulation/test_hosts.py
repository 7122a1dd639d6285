"""Workers, machines and clocks of single agents: what is stopped, lost, held up, or left when time is up."""

import pytest

from contractnet import ContractNet, Propose
from walras import Agent, Estimate, Simulation, Task
from walras.allocation import Report
from walras.effects import Perform, Persist, Send, Stop
from walras.questions import Question
from walras.simulation import Crash, Faults, KillAt, Pause, Skew
from walras.testing.puppets import (
    After,
    Ask,
    Look,
    Mind,
    Note,
    Offer,
    OpenChild,
    Plan,
    Puppet,
    PuppetRules,
    RecordsPuppet,
)


def alone(
    plan: Plan, role: type[Puppet] = Puppet, faults: Faults | None = None, mind: Mind | None = None
) -> Simulation:
    """Ada, with one slot and 10 of money, whose tasks take 4 s and cost 8."""
    simulation = Simulation(faults=faults)
    simulation.add(Agent("ada", mind, costs=lambda task: Estimate(8.0, seconds=4.0), money=10.0))
    simulation.seat("ada", role(plan))
    return simulation


def log(simulation: Simulation, conversation: str = "bare/1", agent: str = "ada") -> list[tuple[str, float]]:
    """What a role has heard, and when."""
    role = simulation.role(conversation, agent)
    assert isinstance(role, Puppet)
    return role.log


TWO = (Perform("a", Task("a")), Perform("b", Task("b")))


def test_work_that_is_broken_off_has_cost_its_share_and_queued_work_nothing() -> None:
    simulation = alone({"start": (*TWO, After("stop", 1.0)), "timer stop": (Stop("b"), Stop("a"))})
    simulation.run(until=2.0)
    assert {done.task.id: done.report for done in simulation.world.done} == {
        "a": Report("stopped", cost=2.0, seconds=1.0),
        "b": Report("stopped"),
    }


def test_queued_work_that_is_stopped_takes_no_slot() -> None:
    simulation = alone({"start": (*TWO, After("stop", 1.0)), "timer stop": (Stop("b"),)})
    simulation.run(until=2.0)
    assert simulation.world.hosts["ada"].account.free_slots == 0


def test_work_that_is_lost_in_a_crash_takes_no_slot() -> None:
    simulation = alone({"start": TWO}, RecordsPuppet, Faults((Crash("ada", 1.0, 1.0),)))
    simulation.run(until=3.0)
    assert simulation.world.hosts["ada"].account.free_slots == 1


def test_a_pause_within_a_pause_does_not_end_it() -> None:
    simulation = alone(
        {"start": (After("t", 2.5),)}, faults=Faults((Pause("ada", 1.0, 10.0), Pause("ada", 2.0, 1.0)))
    )
    simulation.run(until=20.0)
    assert log(simulation) == [("start", 0.0), ("timer t", 11.0)]


def test_what_a_handler_persists_before_it_is_killed_is_not_half_durable() -> None:
    kill = KillAt("bare/1", "ada", input=1, effect=2, down_s=1.0)
    plan: Plan = {"start": (Persist(Note("a")), Persist(Note("b")))}
    simulation = alone(plan, RecordsPuppet, Faults(write_survives=1.0, kill_at=(kill,)))
    simulation.run(until=3.0)
    assert log(simulation) == [("recovered", 1.0), ("life 1", 1.0)]


def test_a_hold_ends_on_its_agents_own_clock() -> None:
    mind = Mind(q=Offer(4.0, until=11.0))
    plan: Plan = {"start": (Ask("q", 0.5), After("look", 2.0)), "timer look": (Look(mind),)}
    simulation = alone(plan, faults=Faults((Skew("ada", offset_s=10.0),)), mind=mind)
    simulation.run(until=3.0)
    assert log(simulation)[-1] == ("free 10", 12.0)


def test_what_arrives_in_the_instant_of_a_question_comes_before_its_answer() -> None:
    simulation = alone({"start": (Ask("q", 1.0), Send("ada", Note("hello")))}, mind=Mind(q=Offer(1.0)))
    simulation.run(until=1.0)
    assert [line for line, _ in log(simulation)] == ["start", "heard hello", "decided q 1"]


@pytest.mark.parametrize(
    "busy", [Perform("w", Task("w")), OpenChild(PuppetRules(), 9.0)], ids=["work", "child"]
)
def test_a_role_that_was_busy_when_time_was_up_ends_after_its_work_and_its_children(busy: object) -> None:
    rules = PuppetRules(opening={"start": (Send("bob", Note("go")),)}, joining={"heard go": (busy,)})  # type: ignore[dict-item]
    simulation = Simulation()
    for id_ in ("ada", "bob"):
        simulation.add(Agent(id_, costs=lambda task: Estimate(8.0, seconds=9.0)))
    simulation.open(rules, [Task("t")], "ada", ["bob"], finish_by=2.0)
    simulation.run()
    assert simulation.now >= 9.0
    assert simulation.world.book == {}


def test_an_outcome_that_waits_for_the_end_of_a_pause_survives_a_crash() -> None:
    faults = Faults((Pause("ada", 1.0, 10.0), Crash("ada", 3.0, 1.0)))
    simulation = alone({"start": (OpenChild(PuppetRules(), 2.0),)}, faults=faults)
    simulation.run(until=20.0)
    assert log(simulation) == [("start", 0.0), ("outcome bare/1/ada/1 overdue", 4.0)]


def test_a_strategy_cannot_change_what_is_true_of_its_agent() -> None:
    """It may scribble on its view of itself; true costs and capacity stay what the scenario drew."""

    def sly(question: Question, agent: Agent) -> Propose:
        agent.costs, agent.capacity = {"t": 0.0}, 99
        return Propose(5.0)

    simulation = Simulation(seed=1)
    simulation.add(Agent("ada", capacity=0))
    simulation.add(Agent("bob", sly, costs={"t": 4.0}))
    simulation.open(ContractNet(), [Task("t")], "ada", finish_by=60.0)
    bob = simulation.run().agent("bob")
    assert (bob.cost, bob.capacity, bob.earned) == (4.0, 1, 5.0)


def reports(simulation: Simulation) -> dict[str, Report]:
    return {done.task.id: done.report for done in simulation.world.done}


def test_work_that_is_stopped_gives_its_slot_to_what_waits_and_was_worked_on_so_long() -> None:
    simulation = alone({"start": (*TWO, After("stop", 1.0)), "timer stop": (Stop("a"), Stop("a"))})
    simulation.run(until=9.0)
    assert log(simulation)[2:] == [("performed a stopped", 1.0), ("performed b done", 5.0)]
    assert simulation.world.hosts["ada"].worker.busy_s == 5.0


def test_what_is_queued_can_be_stopped_twice_in_a_breath() -> None:
    simulation = alone({"start": (*TWO, Stop("b"), Stop("b"))})
    simulation.run(until=9.0)
    assert [line for line, _ in log(simulation)] == ["start", "performed b stopped", "performed a done"]


def test_work_of_no_time_that_is_broken_off_has_cost_all() -> None:
    simulation = Simulation()
    simulation.add(Agent("ada", costs=lambda task: Estimate(8.0)))
    simulation.seat("ada", Puppet({"start": (Perform("a", Task("a")), Stop("a"))}))
    simulation.run(until=2.0)
    assert reports(simulation) == {"a": Report("stopped", cost=8.0)}


def test_an_agent_without_capacity_says_so() -> None:
    simulation = Simulation()
    simulation.add(Agent("ada", capacity=0))
    simulation.seat("ada", Puppet({"start": (Perform("a", Task("a")),)}))
    simulation.run(until=2.0)
    assert reports(simulation) == {"a": Report("failed", result="this agent has no capacity")}
