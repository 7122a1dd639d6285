"""What a crash, a pause or a disk must not change: minds, messages, timers, work, children and records, by hand."""

import pytest

from tests.simulation.test_hosts import alone, log
from walras import Agent, Estimate, Network, Simulation, Task
from walras.allocation import Outcome
from walras.effects import Checkpoint, Finish, Perform, Persist, Publish, Send, Withdraw
from walras.messages import Fact
from walras.simulation import Constant, Crash, Faults, KillAt, Pause, Skew
from walras.testing.puppets import (
    After,
    Ask,
    CancelLatest,
    Draw,
    Mind,
    Note,
    Offer,
    OpenChild,
    Plan,
    Puppet,
    PuppetRules,
    RecordsPuppet,
)


def thinking(plan: Plan, faults: Faults | None = None, until: float = 30.0) -> list[tuple[str, float]]:
    """What a role hears whose mind ponders a second on each question, one at a time."""
    simulation = Simulation(faults=faults)
    simulation.add(Agent("ada", Mind(q=Offer(1.0)), money=10.0, deliberation_s=1.0, attention=1))
    simulation.seat("ada", Puppet(plan))
    simulation.run(until=until)
    return log(simulation)


def test_a_question_that_is_voided_while_it_waits_takes_no_time() -> None:
    plan: Plan = {
        "start": (Ask("q", 9.0, "a"), Ask("q", 9.0, "b"), Ask("q", 9.0, "c"), After("void", 0.5)),
        "timer void": (Withdraw("b"),),
    }
    assert thinking(plan)[2:] == [("decided a 1", 1.0), ("decided c 1", 2.0)]


def test_after_a_late_thought_the_mind_turns_to_what_waits() -> None:
    plan: Plan = {"start": (Ask("q", 0.5, "a"), Ask("q", 9.0, "b"))}
    assert thinking(plan)[1:] == [("decided a pass", 0.5), ("decided b 1", 2.0)]


def test_a_crash_forgets_what_was_pondered_and_leaves_the_attention_as_it_was() -> None:
    plan: Plan = {"start": (Ask("q", 20.0, "a"), Ask("q", 20.0, "b"), Ask("q", 20.0, "c"))}
    heard = thinking(plan, Faults((Crash("ada", 0.5, 0.25),)))
    assert heard[1:] == [("decided a 1", 1.75), ("decided b 1", 2.75), ("decided c 1", 3.75)]


def test_two_agents_ponder_each_from_a_stream_of_its_own() -> None:
    simulation = Simulation(seed=1)
    for id_ in ("ada", "bob"):
        simulation.add(Agent(id_, Mind(q=Offer(1.0)), deliberation_s=lambda rng: rng.uniform(0.1, 1.0)))
        simulation.seat(id_, Puppet({"start": (Ask("q", 9.0),)}))
    simulation.run(until=2.0)
    answered = [row.at for row in simulation.world.trace if row.kind == "answer"]
    assert len(set(answered)) == 2


def test_a_message_to_oneself_is_never_too_old() -> None:
    kill = KillAt("bare/1", "ada", input=1, effect=2, down_s=40.0)
    simulation = Simulation(faults=Faults(kill_at=(kill,)))
    simulation.add(Agent("ada"))
    simulation.seat("ada", Puppet({"start": (Send("ada", Note("hello")), After("t", 1.0))}))
    simulation.run(until=60.0)
    assert ("heard hello", 40.0) in log(simulation)


@pytest.mark.parametrize("check", [False, True])
def test_a_message_that_is_as_old_as_its_lifetime_is_heard(check: bool) -> None:
    simulation = Simulation(network=Network(latency=Constant(2.0), lifetime_s=2.0), check=check)
    for id_ in ("ada", "bob"):
        simulation.add(Agent(id_))
    simulation.seat("ada", Puppet(), conversation="c")
    simulation.seat("bob", Puppet({"start": (Send("ada", Note("hello")),)}), conversation="c")
    simulation.run(until=9.0)
    assert log(simulation, "c") == [("start", 0.0), ("heard hello", 2.0)]


@pytest.mark.parametrize(
    ("crashes", "back"),
    [
        (((1.0, 1.0), (1.5, 10.0)), 11.5),
        (((1.0, 10.0), (2.0, 1.0)), 11.0),
        (((1.0, 2.0), (1.5, 10.0), (2.0, 0.5)), 11.5),
    ],
)
def test_crashes_that_overlap_last_until_the_latest_end(
    crashes: tuple[tuple[float, float], ...], back: float
) -> None:
    faults = Faults(tuple(Crash("ada", at_s, down_s) for at_s, down_s in crashes))
    simulation = alone({"start": (After("t", 3.0),)}, faults=faults)
    simulation.run(until=20.0)
    assert log(simulation) == [("start", 0.0), ("timer t", back)]
    assert [row.at for row in simulation.world.trace if row.kind == "restart"] == [back]


def test_a_withdrawal_that_a_kill_prevented_is_made_up_for() -> None:
    kill = KillAt("bare/1", "ada", input=2, effect=1, down_s=0.25)
    plan: Plan = {"start": (Ask("q", 1.0),), "decided q": (Withdraw("q"),)}
    simulation = alone(plan, faults=Faults(kill_at=(kill,)), mind=Mind(q=Offer(4.0)))
    simulation.run(until=3.0)
    assert [line for line, _ in log(simulation)] == ["start", "decided q 4"]
    assert simulation.world.hosts["ada"].account.free == 10.0


def test_work_under_a_key_that_is_done_is_not_done_again_after_a_crash() -> None:
    plan: Plan = {"start": (Perform("a", Task("a")),), "performed a": (Perform("a", Task("a")),)}
    simulation = alone(plan, faults=Faults((Crash("ada", 5.0, 1.0),)))
    simulation.run(until=20.0)
    assert [done.at for done in simulation.world.done] == [4.0]


def test_a_finished_role_hears_late_what_a_pause_has_held() -> None:
    """Longer than any message takes: a world with faults lingers as long as messages live."""
    simulation = Simulation(
        network=Network(latency=Constant(0.02)), faults=Faults((Pause("ada", 0.015, 10.0),))
    )
    for id_ in ("ada", "bob"):
        simulation.add(Agent(id_))
    done = Finish(Outcome("done"))
    ada = Puppet({"timer end": (done,), "start": (After("end", 0.01),)})
    simulation.seat("ada", ada)
    simulation.seat("bob", Puppet({"start": (Send("ada", Note("hello")), done)}))
    simulation.run(until=20.0)
    assert ada.log[-1] == ("late hello", 10.015)


class Said(Fact, frozen=True):
    text: str


def test_a_fact_that_was_published_before_a_crash_is_published_once() -> None:
    simulation = alone({"start": (Publish(Said("hello")),)}, faults=Faults((Crash("ada", 1.0, 1.0),)))
    simulation.run(until=5.0)
    assert [row.kind for row in simulation.world.trace].count("fact") == 1


def test_a_child_that_was_cancelled_before_a_crash_is_cancelled_once() -> None:
    rules = PuppetRules(opening={"cancelled": ()})
    simulation = alone(
        {"start": (OpenChild(rules, 9.0), CancelLatest())}, faults=Faults((Crash("ada", 1.0, 1.0),))
    )
    simulation.run(until=5.0)
    assert [line for line, _ in log(simulation, "bare/1/ada/1")] == ["start", "cancelled"]
    assert [row.kind for row in simulation.world.trace].count("open") == 1


def test_a_role_that_expires_while_its_finish_waits_for_the_disk_ends_once() -> None:
    simulation = Simulation(faults=Faults(fsync=Constant(50.0)))
    simulation.add(Agent("ada"))
    plan: Plan = {"start": (Persist(Note("a")), Finish(Outcome("done")), OpenChild(PuppetRules(), 9.0))}
    role = RecordsPuppet(plan)
    simulation.seat("ada", role, finish_by=3.0)
    simulation.run(until=100.0)
    ends = [
        (row.at, row.details["outcome"]["status"]) for row in simulation.world.trace if row.kind == "finish"
    ]
    assert ends == [(33.0, "expired")]
    assert role.log[-1] == ("refused OpenChild", 0.0)


def test_a_deadline_is_read_on_the_agents_own_clock() -> None:
    simulation = Simulation(faults=Faults((Skew("ada", 5.0),)))
    simulation.add(Agent("ada"))
    role = Puppet()
    simulation.seat("ada", role, finish_by=10.0)
    simulation.run(until=1.0)
    assert role.finish_by == 15.0


def test_a_timer_of_a_wrong_clock_keeps_its_time_over_a_compacted_journal_and_a_crash() -> None:
    plan: Plan = {"start": (After("far", 20.0), After("tick", 0.1)), "timer tick": (After("tick", 0.1),)}
    simulation = alone(plan, faults=Faults((Skew("ada", 10.0), Crash("ada", 9.0, 1.0))))
    simulation.run(until=25.0)
    assert [at for line, at in log(simulation) if line == "timer far"] == [30.0]


def test_a_checkpoint_replaces_what_its_own_handler_has_persisted_before_it() -> None:
    plan: Plan = {"start": (Persist(Note("a")), Checkpoint(Note("b")), Persist(Note("c")))}
    simulation = alone(plan, RecordsPuppet, Faults((Crash("ada", 1.0, 1.0),)))
    simulation.run(until=3.0)
    assert log(simulation)[0] == ("recovered b c", 2.0)


def test_batches_are_written_one_after_another() -> None:
    plan: Plan = {"start": (Persist(Note("a")), After("b", 0.5)), "timer b": (Persist(Note("b")),)}
    simulation = alone(plan, RecordsPuppet, Faults(fsync=Constant(1.0)))
    simulation.run(until=9.0)
    assert [row.at for row in simulation.world.trace if row.kind == "durable"] == [1.0, 2.0]


def test_after_a_torn_write_the_disk_writes_again() -> None:
    plan: Plan = {
        "start": (Persist(Note("a")),),
        "recovered": (Persist(Note("b")), Send("ada", Note("it is durable"))),
    }
    simulation = alone(plan, RecordsPuppet, Faults((Crash("ada", 0.5, 0.5),), fsync=Constant(1.0)))
    simulation.run(until=9.0)
    assert log(simulation)[-1] == ("heard it is durable", 2.0)


def test_a_withdrawal_calls_off_the_question_of_its_name_that_waits_for_the_disk_and_nothing_else() -> None:
    asks = (Ask("q", 9.0, "ada"), Ask("q", 9.0, "b"), Send("ada", Note("hello")), Withdraw("ada"))
    simulation = alone(
        {"start": (Persist(Note("a")), *asks)}, RecordsPuppet, Faults(fsync=Constant(1.0)), Mind(q=Offer(1.0))
    )
    simulation.run(until=9.0)
    assert sorted(log(simulation)) == [("decided b 1", 1.0), ("heard hello", 1.0), ("start", 0.0)]


def test_a_write_that_survives_a_crash_for_certain_is_there_after_it() -> None:
    plan: Plan = {"start": (Persist(Note("a")),)}
    faults = Faults((Crash("ada", 0.5, 0.5),), fsync=Constant(1.0), write_survives=1.0)
    simulation = alone(plan, RecordsPuppet, faults)
    simulation.run(until=9.0)
    assert log(simulation)[0] == ("recovered a", 1.0)


def test_draws_after_a_compacted_journal_are_those_of_a_life_without_a_crash() -> None:
    def drawn(*crashes: Crash) -> list[str]:
        plan: Plan = {
            "start": (Draw("ada"), After("tick", 0.1)),
            "timer tick": (Draw("ada"), After("tick", 0.1)),
        }
        simulation = alone(plan, faults=Faults(crashes or (Skew("ada", 0.0),)))
        simulation.run(until=9.0)
        return [line for line, _ in log(simulation) if line.startswith("drew")]

    assert drawn(Crash("ada", 8.05, 0.0)) == drawn()


def test_all_that_is_open_and_all_that_is_done_outlives_a_compacted_journal_and_a_crash() -> None:
    child = PuppetRules(opening={"start": (After("end", 20.0),), "timer end": (Finish(Outcome("done")),)})
    tick = After("tick", 0.05)
    plan: Plan = {
        "start": (Perform("a", Task("a")), Ask("q", 30.0), After("far", 25.0), OpenChild(child, 30.0), tick),
        "performed a": (Perform("b", Task("b")),),
        "timer tick": (tick,),
        "timer far": (Perform("a", Task("a")),),
    }
    simulation = Simulation(faults=Faults((Crash("ada", 7.0, 1.0),)))
    cost = Estimate(8.0, seconds=4.0)
    simulation.add(Agent("ada", Mind(q=Offer(1.0)), costs=lambda task: cost, money=10.0, deliberation_s=10.0))
    simulation.seat("ada", Puppet(plan))
    simulation.run(until=30.0)
    heard = [line for line in log(simulation) if line[0] != "timer tick"]
    assert heard == [
        ("start", 0.0),
        ("performed a done", 4.0),
        ("performed b done", 12.0),
        ("decided q 1", 18.0),
        ("outcome bare/1/ada/1 done", 20.0),
        ("timer far", 25.0),
    ]
    done = [(done.report.status, done.at) for done in simulation.world.done]
    assert done == [("done", 4.0), ("unknown", 7.0), ("done", 12.0)]


def test_an_answer_that_was_heard_before_a_crash_is_not_heard_again() -> None:
    plan: Plan = {"start": (Ask("q", 1.0), After("t", 5.0))}
    simulation = alone(plan, faults=Faults((Crash("ada", 1.0, 1.0),)), mind=Mind(q=Offer(1.0)))
    simulation.run(until=9.0)
    assert [line for line, _ in log(simulation)] == ["start", "decided q 1", "timer t"]


def test_a_child_that_has_ended_before_a_crash_may_still_be_called_off() -> None:
    plan: Plan = {
        "start": (OpenChild(PuppetRules(), 1.0),),
        "outcome": (After("t", 3.0),),
        "timer t": (CancelLatest(),),
    }
    simulation = alone(plan, faults=Faults((Crash("ada", 2.0, 1.0),)))
    simulation.run(until=9.0)
    assert log(simulation)[2:] == [("timer t", 4.0)]
