"""Whole markets in worlds where things go wrong: no award changes that should not, no work is done twice, money stays."""

import random
from collections import Counter
from collections.abc import Callable
from math import fsum
from typing import Any

import pytest

from contractnet import ContractNet, cheapest
from tests.simulation.tampering import Tampering, messages_of
from tests.simulation.worlds import MONEY, Errands
from walras import Network, Result, Simulation
from walras.baselines import (
    BestSingle,
    Cheapest,
    FirstComeClaim,
    Greedy,
    LeastLoaded,
    RandomAssignment,
    RoundRobin,
)
from walras.mechanism import Mechanism
from walras.simulation import Crash, Faults, Partition, Pause, Skew, Uniform
from walras.trace.rows import each_message

PATIENT = ContractNet(reply_within_s=5.0, award_rule=cheapest, announcements=1)
MECHANISMS: tuple[Mechanism, ...] = (
    PATIENT,
    RandomAssignment(),
    RoundRobin(),
    Cheapest(),
    Greedy(),
    BestSingle(),
    LeastLoaded(),
    FirstComeClaim(),
)
WORLD = Errands(tasks=3, every_s=2.0, seconds=3.0, within_s=60.0)
AFTER_THE_END_S = 65.0
"""More than any conversation lasts."""


def name(mechanism: Mechanism) -> str:
    return mechanism.protocol


class Ran:
    """A run, and what it came to."""

    def __init__(
        self,
        mechanism: Mechanism,
        network: Network | None = None,
        faults: Faults | None = None,
        **settings: Any,
    ) -> None:
        world = settings.pop("world", WORLD)
        self.simulation = Simulation(
            world, mechanism, settings.pop("seed", 3), network=network, faults=faults, check=True, **settings
        )
        self.simulation.world.on_drop = lambda talk: None  # go on after the last one, until all has arrived
        self.result: Result = self.simulation.run(until=400.0)
        self.rows = list(self.result.trace)

    @property
    def came_to(self) -> tuple[Any, ...]:
        """Awards, outcomes, money, and who has done which work how often."""
        outcomes = {id_: (end.status, end.awards) for id_, end in self.result.outcomes.items()}
        return sorted(map(str, self.result.allocation.lines)), outcomes, self.result.balances, self.worked

    @property
    def worked(self) -> Counter[tuple[str, str, str]]:
        """How often each task was done, beside what a crash has broken off."""
        done = [done for done in self.simulation.world.done if done.report.status != "unknown"]
        return Counter((done.conversation, done.agent, done.task.id) for done in done)

    def count(self, kind: str, **details: Any) -> int:
        return sum(
            row.kind == kind and all(row.details[key] == value for key, value in details.items())
            for row in self.rows
        )

    def check_books(self) -> None:
        """Whatever happened: every task has ended, at most one award stands, each is worked on and paid once."""
        assert len(self.result.outcomes) == len(self.result.records)
        assert "overdue" not in {end.status for end in self.result.outcomes.values()}
        assert set(self.worked.values()) <= {1}
        made = Counter(
            f"{row.conversation} {row.details['line']}" for row in self.rows if row.kind == "award"
        )
        assert set(made.values()) <= {1}
        assert all(
            count == 1 for count in Counter(line.item for line in self.result.allocation.lines).values()
        )
        assert self.simulation.world.ledger.conserved()
        assert fsum(self.result.balances.values()) == MONEY
        # A task that is announced again is so in a child conversation of its first.
        delivered = {
            ("/".join(done.conversation.split("/")[:2]), done.task.id) for done in self.simulation.world.done
        }
        for record in self.result.records:
            assert record.paid == (record.price if record.status == "done" else 0.0)
            assert record.status != "done" or (record.conversation, record.item) in delivered


# --------------------------------------------------------------------------------------------- doubles and stragglers


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=name)
def test_every_message_doubled_changes_no_award_and_does_no_work_twice(mechanism: Mechanism) -> None:
    plain, doubled = Ran(mechanism), Ran(mechanism, Network(duplication=1.0))
    assert doubled.came_to == plain.came_to
    assert doubled.count("doubled") == doubled.result.trace.messages >= plain.result.trace.messages


@pytest.mark.parametrize("lifetime_s", [30.0, 100.0], ids=["too old by then", "young enough"])
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=name)
def test_a_copy_of_every_message_after_the_end_of_its_conversation_changes_nothing(
    mechanism: Mechanism, lifetime_s: float
) -> None:
    """Each arrives in time and once more when everything is over: finished roles hear it late, or nobody does."""
    network = Tampering(copies_s=(0.0, AFTER_THE_END_S), lifetime_s=lifetime_s)
    plain, echoed = Ran(mechanism), Ran(mechanism, network)
    assert echoed.came_to == plain.came_to
    stragglers = [row for row in echoed.rows if row.at > AFTER_THE_END_S and row.kind == "ignored"]
    assert len(stragglers) >= plain.result.trace.messages
    whys = {row.details["why"] for row in stragglers}
    assert ("too old" in whys) == (lifetime_s == 30.0)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=name)
def test_a_message_that_comes_after_the_end_of_its_conversation_is_as_good_as_lost(
    mechanism: Mechanism,
) -> None:
    """Every message of a run in turn: delayed beyond the end it brings about what its loss does, and nothing more."""
    plain = Ran(mechanism)
    messages = messages_of(plain.result)
    assert len(messages) >= 6
    changed = 0
    for which in messages:
        lost = Ran(mechanism, Tampering(copies_s=(), which=which, lifetime_s=100.0))
        late = Ran(mechanism, Tampering(copies_s=(AFTER_THE_END_S,), which=which, lifetime_s=100.0))
        assert lost.count("lost", why="on the way") == 1, which
        assert _latest(late) > AFTER_THE_END_S, which
        assert late.came_to == lost.came_to, which
        late.check_books()
        changed += late.came_to != plain.came_to
    assert changed > 0, "losing no message at all made a difference, so the comparison shows nothing"


def _latest(ran: Ran) -> float:
    """How long the slowest message took."""
    return max(arrival - sent for raw in ran.result.trace.raw() for sent, arrival, *_ in each_message(raw))


# -------------------------------------------------------------------------------------------------------- reordering

CROWDED = Errands(tasks=6, every_s=0.2, seconds=3.0)
HELD_UP = Network(reordering=1.0, reorder_by=Uniform(0.0, 1.5))


@pytest.mark.parametrize(
    "mechanism",
    [PATIENT, RandomAssignment(), RoundRobin(), Cheapest(), BestSingle()],
    ids=name,
)
@pytest.mark.parametrize("seed", range(3))
def test_every_message_reordered_changes_no_award_where_order_is_no_part_of_the_rules(
    mechanism: Mechanism, seed: int
) -> None:
    """Proposals overtake each other, acceptances overtake calls: who wins and what is paid stay the same."""
    plain = Ran(mechanism, seed=seed, world=CROWDED)
    held_up = Ran(mechanism, HELD_UP, seed=seed, world=CROWDED)
    assert held_up.came_to == plain.came_to
    assert _order(held_up) != _order(plain)


@pytest.mark.parametrize("mechanism", [Greedy(), LeastLoaded(), FirstComeClaim()], ids=name)
@pytest.mark.parametrize("seed", range(3))
def test_where_order_or_load_decide_reordering_may_change_who_wins_and_nothing_else(
    mechanism: Mechanism, seed: int
) -> None:
    """Every task is still done once and paid once."""
    held_up = Ran(mechanism, HELD_UP, seed=seed, world=CROWDED)
    held_up.check_books()
    assert {record.status for record in held_up.result.records} == {"done"}


def _order(ran: Ran) -> list[str]:
    """Who hears what from whom, in the order of the arrivals."""
    said = sorted(
        (m[1], f"{m[3]} to {m[4]} in {m[2]}: {m[5]['type']}")
        for raw in ran.result.trace.raw()
        for m in each_message(raw)
    )
    return [what for _, what in said]


# -------------------------------------------------------------------------------------------------------- partitions


def winners(ran: Ran) -> list[str | None]:
    return [record.winner for record in ran.result.records]


def test_who_is_not_heard_hears_and_wins_nothing_until_the_partition_heals() -> None:
    """One way: bob, the cheapest, gets every call; what he says is lost. Afterwards he wins again."""
    cut = Network(partitions=(Partition(0.0, 3.0, ("bob",), one_way=True),))
    ran = Ran(PATIENT, cut)
    assert winners(Ran(PATIENT)) == ["bob", "bob", "bob"]
    assert winners(ran) == ["cyd", "cyd", "bob"]
    assert (
        ran.count("lost", why="on the way")
        == sum(row.kind == "lost" and row.agent == "bob" for row in ran.rows)
        == 2
    )
    assert ran.count("answer") == 9  # bob was asked, and has answered, every time
    ran.check_books()


def test_who_hears_nothing_is_heard_and_wins_nothing_until_the_partition_heals() -> None:
    """The other way: calls to bob are lost, so he is never asked."""
    cut = Network(partitions=(Partition(0.0, 3.0, ("desk",), ("bob",), one_way=True),))
    ran = Ran(PATIENT, cut)
    assert winners(ran) == ["cyd", "cyd", "bob"]
    assert ran.count("lost", to="bob") == ran.count("lost") == 2
    assert ran.count("answer") == 7
    ran.check_books()


def test_a_partition_during_the_work_is_survived_where_it_heals_in_time() -> None:
    """The report is lost, the manager cancels, and the contractor says that it has done the work: it is paid."""
    rules = ContractNet(reply_within_s=1.0, result_within_s=20.0, award_rule=cheapest)
    cut = Network(partitions=(Partition(1.0, 15.0, ("bob",)),))
    ran = Ran(rules, cut, world=Errands(tasks=1, seconds=3.0))
    (record,) = ran.result.records
    assert (record.status, record.winner, record.paid) == ("done", "bob", 1.0)
    assert ran.count("lost", why="on the way") == 1
    assert ran.result.trace.message_counts()["Cancel"] == 1
    ran.check_books()


# ------------------------------------------------------------------------------------- crashes, pauses, wrong clocks

SHORT = ContractNet(reply_within_s=1.0, result_within_s=8.0, award_rule=cheapest)
AGENTS = ("desk", "ann", "bob", "cyd")


@pytest.mark.parametrize("mechanism", [SHORT, Cheapest(silence_s=8.0), FirstComeClaim()], ids=name)
@pytest.mark.parametrize("agent", ["desk", "bob"])
def test_a_crash_at_any_time_leaves_the_books_right(mechanism: Mechanism, agent: str) -> None:
    """Manager or contractor, before, during and after everything that a conversation consists of; down for 2 s."""
    moments = [0.0, 0.01, 0.03, 0.05, 0.07, 0.09, 0.12, 0.16, 0.3, 1.02, 1.1, 2.05, 3.1, 3.16, 4.2, 7.15]
    reached = set()
    for at_s in moments:
        ran = Ran(mechanism, faults=Faults((Crash(agent, at_s, 2.0),)), world=WORLD)
        assert (ran.count("crash"), ran.count("restart")) == (1, 1)
        ran.check_books()
        reached |= {record.status for record in ran.result.records}
        if agent == "desk" and not isinstance(mechanism, FirstComeClaim):
            assert {record.status for record in ran.result.records} == {"done"}, at_s
    assert "done" in reached


def test_what_reaches_a_machine_that_is_down_is_lost_and_counted() -> None:
    ran = Ran(SHORT, faults=Faults((Crash("bob", 0.0, 3.0),)))
    assert ran.count("lost", why="down") == 2  # the calls of the first two tasks
    assert winners(ran)[:2] == ["cyd", "cyd"]
    ran.check_books()


def test_work_that_a_crash_interrupts_is_done_again_and_paid_once() -> None:
    """Three seconds of work, interrupted after one: it begins again after the restart, under the same key."""
    ran = Ran(
        ContractNet(reply_within_s=1.0, award_rule=cheapest),
        faults=Faults((Crash("bob", 1.2, 2.0),)),
        world=Errands(tasks=1, seconds=3.0),
    )
    assert ran.count("began") == 2
    assert ran.count("performed") == 1
    assert sum(ran.worked.values()) == 1
    (record,) = ran.result.records
    assert (record.status, record.paid) == ("done", 1.0)
    assert record.finished_s == pytest.approx(1.2 + 2.0 + 3.0)
    began = next(row.at for row in ran.rows if row.kind == "began")
    lost_s = 1.2 - began
    bob = next(agent for agent in ran.result.agents if agent.id == "bob")
    assert bob.busy_s == pytest.approx(lost_s + 3.0), "what was lost was work, too"
    assert record.cost == bob.cost == pytest.approx(1.0 + lost_s / 3.0), "and had cost its share"


@pytest.mark.parametrize("agent", ["desk", "bob"])
def test_who_pauses_hears_everything_afterwards_in_order(agent: str) -> None:
    """Nothing is lost and nobody forgets: what came meanwhile is heard at the end of the pause."""
    faults = Faults((Pause(agent, 0.06, 2.5),))
    ran = Ran(PATIENT, faults=faults)
    assert (ran.count("pause"), ran.count("lost"), ran.count("crash")) == (1, 0, 0)
    assert winners(ran) == ["bob", "bob", "bob"]
    heard = [row.at for row in ran.rows if row.agent == agent and row.kind != "open"]
    assert not [at for at in heard if 0.06 < at < 2.56]
    assert [at for at in heard if at == 2.56]
    ran.check_books()


@pytest.mark.parametrize("offset_s", [-0.4, 0.4])
@pytest.mark.parametrize("agent", AGENTS)
def test_clocks_that_are_somewhat_wrong_cost_nothing(agent: str, offset_s: float) -> None:
    """Less than the margins allow: the same awards; and it is in the messages that the clock is wrong."""
    ran = Ran(PATIENT, faults=Faults((Skew(agent, offset_s, drift=1e-4),)))
    assert winners(ran) == ["bob", "bob", "bob"]
    calls = [
        (m[0], m[5]["reply_by"])
        for raw in ran.result.trace.raw()
        for m in each_message(raw)
        if "reply_by" in m[5]
    ]
    expected = 5.0 + (offset_s if agent == "desk" else 0.0)
    assert all(reply_by - sent == pytest.approx(expected, abs=0.01) for sent, reply_by in calls)
    ran.check_books()


def test_a_clock_that_is_far_ahead_answers_for_its_mind_and_breaks_no_book() -> None:
    """Bob believes that every deadline has passed: he refuses, the others win."""
    ran = Ran(PATIENT, faults=Faults((Skew("bob", 1000.0),)))
    assert winners(ran) == ["cyd", "cyd", "cyd"]
    assert ran.count("answer", status="silent") == 3
    ran.check_books()


# -------------------------------------------------------------------------------------------------- all of it at once

FIRED: dict[str, tuple[Network | None, Faults | None, Callable[[Ran], int]]] = {
    "loss": (Network(loss=0.2), None, lambda ran: ran.count("lost", why="on the way")),
    "duplication": (Network(duplication=0.3), None, lambda ran: ran.count("doubled")),
    "reordering": (Network(reordering=0.5), None, lambda ran: int(_latest(ran) > 0.05)),
    "partition": (
        Network(partitions=(Partition(0.0, 1.0, ("bob", "cyd")),)),
        None,
        lambda ran: ran.count("lost", why="on the way"),
    ),
    "crash": (None, Faults((Crash("cyd", 0.5, 1.0),)), lambda ran: ran.count("crash") * ran.count("restart")),
    "pause": (None, Faults((Pause("cyd", 0.0, 1.0),)), lambda ran: ran.count("pause")),
    "skew": (None, Faults((Skew("cyd", 100.0),)), lambda ran: ran.count("answer", status="silent")),
}


@pytest.mark.parametrize("fault", FIRED)
def test_each_fault_is_counted_where_it_strikes_and_nowhere_else(fault: str) -> None:
    """The trace of a world with this fault shows it; that of the calm world shows none of it."""
    network, faults, counted = FIRED[fault]
    assert counted(Ran(PATIENT)) == 0
    assert counted(Ran(PATIENT, network, faults)) > 0


@pytest.mark.parametrize("mechanism", [SHORT, Cheapest(silence_s=8.0), FirstComeClaim()], ids=name)
def test_everything_goes_wrong_together_and_the_books_are_right(mechanism: Mechanism) -> None:
    """Faults of every kind, drawn by the seed: each kind strikes in some run, and no run breaks a promise."""
    struck: Counter[str] = Counter()
    for seed in range(12):
        dice = random.Random(seed)
        network = Network(
            loss=0.1,
            duplication=0.3,
            reordering=0.3,
            partitions=(Partition(1.0, 4.0, (dice.choice(AGENTS),), one_way=dice.random() < 0.5),),
            heal_s=20.0,
        )
        faults = Faults(
            (
                Crash(dice.choice(AGENTS), dice.uniform(0.0, 6.0), dice.uniform(0.1, 3.0)),
                Pause(dice.choice(AGENTS), dice.uniform(0.0, 6.0), dice.uniform(0.1, 3.0)),
                Skew(dice.choice(AGENTS[1:]), dice.uniform(-0.3, 0.3)),
            )
        )
        ran = Ran(mechanism, network, faults, seed=seed)
        ran.check_books()
        struck.update({kind: ran.count(kind) for kind in ("lost", "doubled", "crash", "restart", "pause")})
        struck["done"] += sum(record.done for record in ran.result.records)
    assert min(struck.values()) >= 10
