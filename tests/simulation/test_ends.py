"""Ends that are easily got wrong: of runs, of work that is held up, of roles that wait for their disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from contractnet import ContractNet
from scenarios import llm_router
from walras import Agent, Award, Estimate, Lot, Network, Simulation, Task
from walras.allocation import Outcome
from walras.cli import main
from walras.effects import Decide, Finish, MakeAward, Perform, Persist, Send, Stop, Withdraw
from walras.errors import LocalProtocolError, ScenarioError
from walras.simulation import Constant, Crash, Faults, KillAt, Pause
from walras.simulation.latency import Latency
from walras.testing.puppets import (
    After,
    Choose,
    Mind,
    Note,
    Offer,
    OpenChild,
    Puppet,
    PuppetRules,
    RecordsPuppet,
)

DONE = PuppetRules({"start": (Finish(Outcome("done")),)})
ENDLESS = PuppetRules({"start": (After("t", 1.0),)})


def pair(**settings: Any) -> Simulation:
    simulation = Simulation(**settings)
    simulation.add(Agent("ada", money=10.0))
    simulation.add(Agent("bob", costs={"t": Estimate(1.0, seconds=1.0)}))
    return simulation


def ticking(simulation: Simulation, ticks: int, every_s: float) -> list[float]:
    """Add a process; the list gets the times of its ticks."""
    seen: list[float] = []

    def tick() -> Iterator[Event]:
        for _ in range(ticks):
            yield simulation.env.timeout(every_s)
            seen.append(simulation.now)

    simulation.process(tick())  # type: ignore[arg-type]
    return seen


# ------------------------------------------------------------------------------------------------------------ runs
def test_an_endless_market_goes_on_to_its_horizon_after_a_process_has_ended() -> None:
    simulation = pair()
    simulation.open(ENDLESS, [Lot("l")], "ada", ["bob"])
    ticking(simulation, 3, 1.0)
    result = simulation.run(until=60.0)
    assert (simulation.now, result.stopped_because) == (60.0, "the horizon of 60 s was reached")


def test_what_has_ended_beside_a_process_without_end_says_so_as_often_as_it_is_asked() -> None:
    simulation = pair()
    simulation.open(DONE, [Lot("l")], "ada", ["bob"], finish_by=5.0)
    ticking(simulation, 10**9, 1.0)
    first, again = simulation.run(), simulation.run()
    assert first.stopped_because == "every conversation has ended; 1 of your own processes had not"
    assert (again.stopped_because, again.ended_s) == (first.stopped_because, first.ended_s)


def test_what_is_started_in_the_environment_after_the_end_is_run() -> None:
    simulation = pair()
    simulation.open(DONE, [Lot("l")], "ada", ["bob"], finish_by=5.0)
    simulation.run()
    late = simulation.env.timeout(1.0)
    assert simulation.run().stopped_because == "every conversation has ended"
    assert late.processed


def test_a_run_that_was_refused_leaves_no_horizon() -> None:
    simulation = pair(faults=Faults((Crash("cyd", 90.0, 1.0),)))
    simulation.open(ENDLESS, [Lot("l")], "ada", ["bob"], finish_by=50.0)
    with pytest.raises(ScenarioError, match="cyd"):
        simulation.run(until=5.0)
    simulation.add(Agent("cyd"))
    assert simulation.run().stopped_because == "every conversation has ended"


def test_a_world_is_the_same_whichever_program_has_saved_it(tmp_path: Path) -> None:
    """From Python a recipe names the scenario's class, from the command line its name."""
    Simulation(llm_router(tasks=2), ContractNet(), seed=7).run().save(tmp_path / "py")
    command = f"run llm-router --set tasks=2 --seed 7 -m greedy --out {tmp_path / 'cli'}"
    assert main(command.split()) == 0
    assert main(["report", str(tmp_path)]) == 0


# ------------------------------------------------------------------------------------------------------------ work
@pytest.mark.parametrize("compact_every", [1, 100])
def test_work_that_is_done_while_its_agent_pauses_is_not_taken_for_stopped(
    compact_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its report waits; a journal that is compacted meanwhile, and a crash, make no difference."""
    monkeypatch.setattr("walras.simulation.guarded_port.COMPACT_EVERY", compact_every)
    faults = Faults((Pause("ada", 0.4, 1.0),), kill_at=(KillAt("bare/1", "ada", 2, 1, 0.5),))
    simulation = Simulation(network=Network(latency=Constant(0.1)), faults=faults)
    simulation.add(Agent("ada", costs=lambda task: Estimate(2.0, seconds=0.7)))
    simulation.add(Agent("bob"))
    plan = {"start": (Perform("k", Task("t")),), "heard hi": (Send("bob", Note("x")),)}
    simulation.seat("ada", Puppet(plan))
    simulation.seat("bob", Puppet({"start": (After("t", 0.4),), "timer t": (Send("ada", Note("hi")),)}))
    reports = [
        row.details["report"]["status"] for row in simulation.run(until=10.0).trace if row.kind == "performed"
    ]
    assert reports == ["done"]


def test_work_that_nobody_can_begin_is_reported_as_failed_even_if_it_is_stopped() -> None:
    simulation = Simulation()
    simulation.add(Agent("ada", capacity=0))
    simulation.seat("ada", Puppet({"start": (Perform("k", Task("t")), Stop("k"))}))
    reports = [row.details["report"]["status"] for row in simulation.run().trace if row.kind == "performed"]
    assert reports == ["failed"]


class Backwards(Latency, frozen=True):
    """A user's own, with a mistake in it."""

    def sampler(self, rng: Any) -> Any:
        return lambda: -5.0


def test_no_hold_up_of_ones_own_turns_the_clock_back() -> None:
    network = Network(reordering=1.0, reorder_by=Backwards())  # type: ignore[arg-type]
    simulation = pair(network=network)
    simulation.open(ContractNet(), [Task("t")], "ada", ["bob"], finish_by=20.0)
    with pytest.raises(ScenarioError, match=r"a delay of Backwards\(\) is -5.0"):
        simulation.run()


def test_questions_that_are_withdrawn_while_they_wait_leave_nothing_in_the_heap() -> None:
    """With an attention of one, and a thought of five seconds."""
    ask = Decide("q", Choose(decide_by=1e6, label="x"))
    simulation = Simulation()
    simulation.add(Agent("ada", Mind(x=Offer(0.0)), deliberation_s=5.0, attention=1))
    again = (Withdraw("q"), ask, After("t", 0.01))
    simulation.seat("ada", Puppet({"start": (ask, After("t", 0.01)), "timer t": again}))
    simulation.run(until=100.0, keep_trace=False)
    assert len(simulation.env) < 2_000


# --------------------------------------------------------------------------------------------------- roles and disks
class Recorded(PuppetRules, frozen=True):
    """Their roles recover from records."""

    def _make(self, plan: Any) -> Any:
        puppet = RecordsPuppet(plan)
        self.made.append(puppet)
        return puppet


def test_an_award_that_waits_for_the_disk_dies_with_its_opener_s_time() -> None:
    """Nobody is left to settle it, and no money lies in escrow for ever."""
    simulation = pair(faults=Faults(fsync=Constant(5.0)))
    plan = {"start": (Persist(Note("r")), MakeAward(Award("t", "bob", 4.0)))}
    simulation.open(Recorded(plan), [Task("t")], "ada", ["bob"], finish_by=2.0)
    result = simulation.run(until=100.0)
    assert result.outcomes["ada/1"].status == "overdue"
    assert result.balances["ada"] == 10.0
    assert not [name for name in result.balances if name.startswith("escrow")]


def test_a_finish_before_a_child_that_waits_for_the_disk_is_refused_in_the_handler() -> None:
    """And not from the disk, where no role could catch it."""
    simulation = pair(faults=Faults(fsync=Constant(5.0)))
    rules = Recorded({"start": (Persist(Note("r")), OpenChild(DONE, 50.0), Finish(Outcome("done")))})
    simulation.open(rules, [Task("t")], "ada", ["bob"], finish_by=90.0)
    simulation.run(until=100.0)
    assert [line for line, _ in rules.made[0].log][:2] == ["start", "refused Finish"]


def test_a_finish_that_was_refused_is_refused_again_in_a_replay() -> None:
    """Else what the role did after it would be refused in its stead."""
    simulation = Simulation(faults=Faults(kill_at=(KillAt("ada/1", "ada", 1, 5, 1.0),)))
    simulation.add(Agent("ada"))
    simulation.add(Agent("bob"))
    plan = {"start": (OpenChild(ENDLESS, 50.0), After("a", 1.0), Finish(Outcome("done")), After("b", 2.0))}
    rules = PuppetRules(plan)
    simulation.open(rules, [Task("t")], "ada", ["bob"], finish_by=60.0)
    simulation.run(until=30.0)
    log = [line for line, _ in simulation.role("ada/1", "ada").log]  # type: ignore[attr-defined]
    assert "refused Finish" in log
    assert "refused After" not in log
    assert {"timer a", "timer b"} <= set(log)


# ----------------------------------------------------------------------------------------------------------- amounts
def test_an_item_that_nobody_got_is_unassigned_even_if_its_opener_says_so_by_an_award() -> None:
    lines = (Award("l1", "bob", 1.0), Award("l2", None))
    plan = {"start": (*map(MakeAward, lines), Finish(Outcome("done", lines[:1])))}
    simulation = pair()
    simulation.open(PuppetRules(plan), [Lot("l1"), Lot("l2")], "ada", ["bob"], finish_by=5.0)
    assert [record.status for record in simulation.run().records] == ["done", "unassigned"]


@pytest.mark.parametrize("price", ["5", "abc", 10**400])
def test_an_amount_that_is_none_is_refused_where_it_is_awarded(price: Any) -> None:
    simulation = pair()
    simulation.open(DONE, [Lot("l")], "ada", ["bob"], finish_by=5.0)
    with pytest.raises(LocalProtocolError, match="price for ada/1 l is"):
        simulation.world.ledger.award("e", "ada/1", "ada", Award("l", "bob", price), procured=False)
