"""A replicated opener: whatever becomes of its machines, nothing is lost, and nothing happens twice."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from auctions import SealedBid, second_price
from consensus.copies import Copy
from consensus.inputs import Input, Told, ToOpener
from consensus.replicated import RaftLog, Replicated
from contractnet import ContractNet
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.effects import Ignore, Recorder, Send
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Item, Lot, Task
from walras.mechanism import Mechanism
from walras.messages import Envelope, Message
from walras.protocol import Protocol, on
from walras.randomness import stream
from walras.simulation.faults import Crash, Faults, KillAt, Pause, Skew
from walras.simulation.latency import Constant
from walras.simulation.network import Network, Partition
from walras.simulation.simulation import Simulation
from walras.testing import check_mechanism, kill_points

MACHINES = ("r1", "r2", "r3")
FIVE = (*MACHINES, "r4", "r5")
BIDDERS = ("ann", "ben", "cyd")

NET = ContractNet(reply_within_s=8.0)
SEALED = SealedBid(second_price, reply_within_s=8.0)
"""Both wait for answers longer than a fail-over takes, so that none is late for one."""


def market(
    mechanism: Mechanism, items: tuple[Item, ...], seed: int = 1, costs: float = 3.0, **settings: Any
) -> Simulation:
    simulation = Simulation(seed=seed, **settings)
    simulation.add(Agent("house", money=100.0, capacity=0))
    for k, name in enumerate(BIDDERS):
        worth = {item.id: costs + k for item in items}
        simulation.add(Agent(name, costs=worth, values=worth, money=20.0))
    simulation.open(mechanism, items, "house", BIDDERS, finish_by=30.0)
    return simulation


def run(mechanism: Mechanism, *items: Item, **settings: Any) -> Simulation:
    simulation = market(mechanism, items, **settings)
    simulation.run()
    return simulation


def lines(simulation: Simulation) -> list[Award]:
    return sorted((line for _, line in simulation.world.awards), key=lambda line: line.item)


def assert_once(simulation: Simulation, *items: Item, where: object = "") -> None:
    """One outcome, every item awarded once, the work done and paid once, money conserved, nobody left over."""
    world = simulation.world
    outcome = world.outcomes.get("house/1")
    assert outcome is not None and outcome.status == "done", f"{where}: {outcome}"
    assert [line.item for line in lines(simulation)] == [item.id for item in items], where
    assert tuple(sorted(outcome.awards, key=lambda line: line.item)) == tuple(lines(simulation)), where
    assert world.ledger.conserved(), where
    balances = world.ledger.balances()
    paid = sum(line.price for line in lines(simulation))
    assert balances["house"] == 100.0 + (paid if isinstance(items[0], Lot) else -paid), where
    assert not [name for name in balances if name.startswith(("escrow:", "bond:"))], where
    works = [done.task.id for done in world.done if done.report.status == "done"]
    assert sorted(works) == [item.id for item in items if isinstance(item, Task)], where
    left = [
        (talk, agent)
        for talk, seats in world.seats_of.items()
        for agent, port in seats.items()
        if talk.startswith("house/") and not port.ended
    ]
    assert not left, f"{where}: {left}"


CASES: dict[str, tuple[Mechanism, tuple[Item, ...]]] = {
    "contract net": (NET, (Task("job"),)),
    "two tasks": (NET, (Task("a"), Task("b"))),
    "sealed bids": (SEALED, (Lot("lot"),)),
    "sealed tenders": (SEALED, (Task("job"),)),
}
cases = pytest.mark.parametrize("case", CASES)


# ------------------------------------------------------------------------------------------------ without faults


@cases
@pytest.mark.parametrize("machines", [("r1",), MACHINES, FIVE], ids=["1", "3", "5"])
def test_it_ends_as_with_a_single_opener(case: str, machines: tuple[str, ...]) -> None:
    mechanism, items = CASES[case]
    single, replicated = run(mechanism, *items), run(Replicated(mechanism, machines), *items, check=True)
    assert_once(replicated, *items)
    assert lines(replicated) == lines(single)
    ours = replicated.world.ledger.balances()
    assert {name: ours[name] for name in ("house", *BIDDERS)} == single.world.ledger.balances()
    assert all(ours[name] == 0.0 for name in machines)


@pytest.mark.parametrize("seed", range(8))
def test_its_dice_are_the_openers(seed: int) -> None:
    """A tie between three is decided by the opener's own dice, also where its machines roll them."""

    def level(mechanism: Mechanism) -> Award:
        simulation = Simulation(seed=seed)
        simulation.add(Agent("house"))
        for name in BIDDERS:
            simulation.add(Agent(name, costs={"job": 3.0}))
        simulation.open(mechanism, [Task("job")], "house", BIDDERS, finish_by=60.0)
        simulation.run()
        return lines(simulation)[0]

    assert level(Replicated(NET, MACHINES)) == level(NET)


@cases
def test_the_same_seed_gives_the_same_trace(case: str) -> None:
    mechanism, items = CASES[case]
    replicated = Replicated(mechanism, MACHINES)
    digest = run(replicated, *items).world.trace.digest
    assert run(replicated, *items).world.trace.digest == digest
    assert run(replicated, *items, check=True).world.trace.digest == digest
    assert run(pickle.loads(pickle.dumps(replicated)), *items).world.trace.digest == digest
    assert run(replicated, *items, seed=2).world.trace.digest != digest
    crash = Faults((Crash("r1", 0.3, 2.0),))
    digests = {run(replicated, *items, faults=crash).world.trace.digest for _ in range(2)}
    assert len(digests) == 1 and digest not in digests


def test_copies_are_the_same_and_only_one_acts() -> None:
    simulation = market(Replicated(NET, MACHINES), (Task("job"),))
    simulation.run(until=0.45)
    copies = [simulation.role("house/1", name) for name in MACHINES]
    assert all(isinstance(copy, Copy) for copy in copies)
    simulation.run()
    spoke = {
        row.agent
        for row in simulation.world.trace
        if row.kind == "broadcast" and row.conversation == "house/1"
    }
    assert spoke == {"r1"}


class Ping(Message, frozen=True):
    number: int


class Pong(Message, frozen=True):
    number: int


class Echo(Protocol):
    """An opener that answers whatever it hears, and notes the time."""

    callers: tuple[str, ...]
    times: list[float] = []

    def on_start(self) -> None:
        self.broadcast(self.callers, Ping(0))
        self.set_timer("end", self.now + 6.0)

    @on(Ping)
    def hear(self, sender: str, message: Ping) -> None:
        self.times.append(self.now)
        self.send(sender, Pong(message.number))

    def on_timer(self, name: Any) -> None:
        self.finish(Outcome("done"))


class Caller(Protocol):
    """Calls three times at once, and again and again."""

    opener: str
    called: int = 0
    heard: list[int] = []

    @on(Ping)
    def begin(self, sender: str, message: Ping) -> None:
        self.on_timer("call")
        self.on_timer("call")
        self.on_timer("call")

    def on_timer(self, name: Any) -> None:
        self.called += 1
        self.send(self.opener, Ping(self.called))
        if self.called < 12:
            self.set_timer("call", self.now + 0.4)

    @on(Pong)
    def hear(self, sender: str, message: Pong) -> None:
        self.heard.append(message.number)
        if len(self.heard) == 12:
            self.finish(Outcome("done"))


class Echoes(Mechanism, frozen=True):
    protocol: ClassVar[str] = "x-echoes"

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Echo(participants)

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return Caller(invitation.sender) if invitation is not None else None


def test_where_nothing_fails_nothing_is_said_twice() -> None:
    """Though inputs come faster than it is known that the effects of earlier ones are out."""
    simulation = market(Replicated(Echoes(), MACHINES), (Task("job"),))
    rows = [
        (row.details["message"]["index"], row.details["message"]["k"])
        for row in simulation.run().trace
        if row.kind in ("message", "broadcast") and row.details["message"]["type"] == "FromOpener"
    ]
    assert len(rows) == 1 + 12 * len(BIDDERS) == len(dict.fromkeys(rows))


def test_time_never_goes_back_for_the_role_inside() -> None:
    """The first leader's clock is two seconds ahead, the next one's three behind."""
    faults = Faults((Skew("r1", 2.0), Skew("r2", -3.0), Skew("r3", -3.0), Crash("r1", 1.2, float("inf"))))
    simulation = market(Replicated(Echoes(), MACHINES), (Task("job"),), faults=faults, check=True)
    simulation.run(until=9.0)
    for name in ("r2", "r3"):
        copy: Any = simulation.role("house/1", name)
        assert copy.leader in ("r2", "r3") and len(copy.inner.times) == 12 * len(BIDDERS)
        assert copy.inner.times == sorted(copy.inner.times)
    for name in BIDDERS:
        caller: Any = simulation.role("house/1", name)
        assert sorted(caller.inner.heard) == list(range(1, 13)), "each is answered once"


# --------------------------------------------------------------------------------- killed between any two effects


def replicated(case: str, machines: tuple[str, ...] = MACHINES) -> Callable[..., Simulation]:
    mechanism, items = CASES[case]
    return lambda **settings: market(Replicated(mechanism, machines), items, **settings)


def kills(case: str, victims: tuple[str, ...], down_s: float, most: int | None) -> Iterator[KillAt]:
    yield from kill_points(replicated(case), agents=victims, down_s=down_s, most=most)


def assert_survives(case: str, kill: KillAt, *more: Crash) -> None:
    simulation = replicated(case)(faults=Faults(more, kill_at=(kill,)), check=True)
    simulation.run()
    assert_once(simulation, *CASES[case][1], where=kill)


@cases
@pytest.mark.parametrize("down_s", [0.5, 3.0, float("inf")])
def test_the_leader_is_killed_between_two_effects(case: str, down_s: float) -> None:
    for kill in kills(case, ("r1",), down_s, 12):
        assert_survives(case, kill)


@cases
def test_a_follower_is_killed_between_two_effects(case: str) -> None:
    for kill in kills(case, ("r2", "r3"), float("inf"), 8):
        assert_survives(case, kill)


@pytest.mark.soak
@cases
@pytest.mark.parametrize("down_s", [0.5, 3.0, float("inf")])
def test_every_machine_is_killed_between_any_two_effects(case: str, down_s: float) -> None:
    for kill in kills(case, MACHINES, down_s, None):
        assert_survives(case, kill)


@pytest.mark.parametrize("seed", range(6))
def test_two_leaders_are_killed_one_after_the_other(seed: int) -> None:
    """Of five machines: the first at a place by chance, and whoever comes next a little later."""
    rng = stream(seed, "kills")
    for case in CASES:
        kill = rng.choice(list(kill_points(replicated(case, FIVE), agents=("r1",), down_s=9.0)))
        crashes = [Crash(name, 1.0 + 2.5 * rng.random(), 1.0) for name in FIVE[1:3]]
        simulation = replicated(case, FIVE)(faults=Faults(tuple(crashes), kill_at=(kill,)), check=True)
        simulation.run()
        assert_once(simulation, *CASES[case][1], where=(kill, crashes))


def test_all_machines_go_down_and_come_back() -> None:
    for at in (0.1, 0.3, 0.4, 0.5):
        crashes = tuple(Crash(name, at, 1.0 + k) for k, name in enumerate(MACHINES))
        simulation = run(Replicated(NET, MACHINES), Task("a"), Task("b"), faults=Faults(crashes), check=True)
        assert_once(simulation, Task("a"), Task("b"), where=at)


def test_without_keys_a_new_leader_would_pay_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counter-check: with an award of its own for each copy, some kill of the leader sells the lot twice."""
    award = Copy.award
    monkeypatch.setattr(Copy, "award", lambda self, line, key="": award(self, line))
    points = [kill for kill in kills("sealed bids", ("r1",), 3.0, None) if kill.conversation == "house/1"]

    def sold(kill: KillAt) -> int:
        simulation = replicated("sealed bids")(faults=Faults(kill_at=(kill,)))
        simulation.run()
        return len(simulation.world.awards)

    assert any(sold(kill) == 2 for kill in reversed(points))


# ------------------------------------------------------------------------------------------------ bad weather


@pytest.mark.parametrize("seed", range(4))
@cases
def test_messages_are_lost_doubled_and_late(case: str, seed: int) -> None:
    mechanism, items = CASES[case]
    network = Network(duplication=0.3, reordering=0.3)
    faults = Faults((Crash("r1", 0.3 + 0.1 * seed, 3.0),), fsync=Constant(0.01))
    assert_once(
        run(Replicated(mechanism, MACHINES), *items, seed=seed, network=network, faults=faults, check=True),
        *items,
    )


@pytest.mark.parametrize("seed", range(4))
def test_in_a_lossy_network_nothing_happens_twice(seed: int) -> None:
    for case, (mechanism, items) in CASES.items():
        simulation = run(
            Replicated(mechanism, MACHINES),
            *items,
            seed=seed,
            network=Network(loss=0.2, duplication=0.2),
            check=True,
        )
        world = simulation.world
        assert world.outcomes["house/1"].status in ("done", "partial", "unassigned", "failed"), case
        assert world.ledger.conserved()
        kept = [line.item for line in world.outcomes["house/1"].awards]
        assert len(kept) == len(set(kept))
        settled = [row.details["item"] for row in world.trace if row.kind == "settle" and row.details["paid"]]
        assert len(settled) == len(set(settled)), case


@pytest.mark.parametrize("fault", [Pause("r1", 0.3, 4.0), Skew("r1", 2.0), Skew("r2", -3.0, 0.01)], ids=str)
def test_machines_pause_and_their_clocks_differ(fault: Any) -> None:
    for mechanism, items in CASES.values():
        faults = Faults((fault, Crash("r1", 0.45, 3.0)))
        assert_once(run(Replicated(mechanism, MACHINES), *items, faults=faults, check=True), *items)


def test_a_leader_that_is_cut_off_from_the_others_is_replaced() -> None:
    cut = Partition(0.3, 20.0, ("r1",))
    simulation = run(Replicated(NET, MACHINES), Task("job"), network=Network(partitions=(cut,)))
    assert_once(simulation, Task("job"))
    assert simulation.world.ended_at["house/1"] < 10.0


@pytest.mark.parametrize("name", ["timer", "decision", "message", "outcome"])
def test_participants_may_be_called_as_they_like(name: str) -> None:
    """Also by the words under which inputs are known in the log; the third bidder is silent, so the deadline counts."""
    for mechanism, item in ((NET, Task("job")), (SEALED, Lot("lot"))):
        simulation = Simulation(seed=3, faults=Faults((Crash("cyd", 0.0, float("inf")),)))
        simulation.add(Agent("house", money=100.0, capacity=0))
        bidders = (name, "ben", "cyd")
        for k, bidder in enumerate(bidders):
            simulation.add(Agent(bidder, costs={"job": 3.0 + k}, values={"lot": 5.0 - k}, money=20.0))
        simulation.open(Replicated(mechanism, MACHINES), (item,), "house", bidders, finish_by=30.0)
        simulation.run()
        outcome = simulation.world.outcomes["house/1"]
        assert [line.winner for line in outcome.awards] == [name], outcome


def test_without_a_majority_it_waits_and_is_overdue() -> None:
    crashes = tuple(Crash(name, 0.3, float("inf")) for name in ("r1", "r2"))
    simulation = run(Replicated(NET, MACHINES), Task("job"), faults=Faults(crashes))
    assert simulation.world.outcomes["house/1"].status == "overdue"
    assert simulation.world.ledger.conserved() and simulation.world.ledger.balances()["house"] == 100.0


@pytest.mark.parametrize("name", ["contract net", "sealed bids"])
def test_it_is_a_mechanism_as_any_other(name: str) -> None:
    mechanism, items = CASES[name]
    agents = [
        Agent("house", money=50.0),
        *(Agent(n, costs={"job": 3.0}, values={"lot": 3.0}) for n in BIDDERS[:2]),
    ]
    report = check_mechanism(Replicated(mechanism, MACHINES), agents, items, seeds=range(2), kills=10)
    assert report.endings["calm"] == {"done": 2}
    assert report.endings["lossy"].keys() <= {"done", "partial", "failed", "unassigned"}


# ------------------------------------------------------------------------------------------------ a copy alone


def copy_of(mechanism: Mechanism) -> tuple[Copy, Recorder]:
    """One that does not lead, on r2; r1 has stamped the start."""
    rules = Replicated(mechanism, MACHINES)
    copy = Copy(rules, "house", mechanism.opener("house", (Task("job"),), BIDDERS))
    port = Recorder("r2", "house/1")
    port.seat(copy)
    start = Input("house/1", "start", "start", at=1.0, by="r1", finish_by=30.0)
    copy.on_told(rules.clerk, Told(2, start))
    port.take()
    return copy, port


def test_what_reaches_a_copy_that_does_not_lead_goes_to_the_one_that_does() -> None:
    copy, port = copy_of(Echoes())
    copy.on_message("ann", ToOpener(1, Ping(7)))
    passed = [(e.to, e.message.given.what) for e in port.take() if isinstance(e, Send)]  # type: ignore[attr-defined]
    assert passed == [("r1", Ping(7))]


def test_what_a_copy_was_told_it_does_once() -> None:
    copy, port = copy_of(Echoes())
    again = Input(
        "house/1", "message", "message ann 1", at=1.5, by="r1", sender="ann", number=1, what=Ping(1)
    )
    for told in (Told(3, again), Told(3, again), Told(4, again)):
        copy.on_told("clerk", told)
    assert [effect.why for effect in port.take() if isinstance(effect, Ignore)] == [
        "told again",
        "proposed twice, or taken back meanwhile",
    ]
    assert copy.inner.times == [1.5]  # type: ignore[attr-defined]


def test_a_timer_that_was_set_anew_before_it_came_into_the_log_does_not_ring() -> None:
    copy, port = copy_of(Echoes())
    ((number, _),) = copy.timers.values()
    for late in ("timer", "decision"):
        old = Input("house/1", late, f"{late} 99", at=2.0, by="r1", number=number + 98)
        copy.on_told("clerk", Told(3 + (late == "decision"), old))
    assert len([effect for effect in port.take() if isinstance(effect, Ignore)]) == 2
    assert copy.result is None and len(copy.timers) == 1


# ------------------------------------------------------------------------------------------------ its limits


class Worker(Protocol):
    """An opener that does something that only one machine can do."""

    verb: str

    def on_start(self) -> None:
        if self.verb == "perform":
            self.perform("job", Task("job"))
        elif self.verb == "tell":
            self.tell("elsewhere", self.sign_nothing())
        else:
            self.sign("this")

    def sign_nothing(self) -> Any:
        return None


class Works(Mechanism, frozen=True):
    protocol: ClassVar[str] = "x-works"
    verb: str = "perform"

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Worker(self.verb)


@pytest.mark.parametrize("verb", ["perform", "tell", "sign"])
def test_what_depends_on_one_machine_is_refused(verb: str) -> None:
    with pytest.raises(LocalProtocolError, match="replicated"):
        run(Replicated(Works(verb), MACHINES), Task("job"))


def bad(**settings: Any) -> Callable[[], object]:
    return lambda: Replicated(**{"mechanism": NET, "replicas": MACHINES, **settings})


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (bad(replicas=()), "replicas"),
        (bad(replicas=("r1", "r2")), "replicas"),
        (bad(replicas=("r1", "r1", "r2")), "replicas"),
        (bad(replicas=["r1"]), "replicas"),
        (bad(mechanism="contract net"), "mechanism"),
        (bad(mechanism=Replicated(NET, MACHINES)), "mechanism"),
        (bad(again_s=0.0), "again_s"),
        (bad(log="raft"), "log"),
        (lambda: RaftLog(election_s=0.0), "election_s"),
        (lambda: RaftLog(heartbeat_s=2.0), "election_s"),
        (lambda: RaftLog(batch_s=-1.0), "batch_s"),
        (bad(again_s="soon"), "again_s"),
        (lambda: run(Replicated(NET, ("ann", "r2", "r3")), Task("job")), "replicas"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object], field: str) -> None:
    with pytest.raises(ScenarioError) as complaint:
        make()
    assert complaint.value.field == field
