"""The log of replicated openers forgets what is over, and nobody who comes back misses it."""

from typing import Any

import pytest
from msgspec.structs import replace

from auctions import SealedBid, second_price
from consensus import clerk
from consensus.clerk import Clerk
from consensus.inputs import Attend, Digest, Input, Over, Told
from consensus.raft.messages import Kind
from consensus.raft.replica import Replica
from consensus.raft.service import Committed, Compact, Installed, Leading
from consensus.replicated import RaftLog, Replicated
from contractnet import ContractNet
from walras.agents import Agent
from walras.allocation import Outcome
from walras.effects import Ignore, Recorder, Tell
from walras.items import Item, Lot, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.protocol import Protocol
from walras.simulation.faults import Crash, Faults, KillAt
from walras.simulation.simulation import Simulation
from walras.testing import kill_points

MACHINES = ("r1", "r2", "r3")
BIDDERS = ("ann", "ben", "cyd")
NET = ContractNet(reply_within_s=8.0)
SEALED = SealedBid(second_price, reply_within_s=8.0)
EVERY_S = 1.5
"""Between two openings: a task takes 0.3 s without faults, so one is over before the next begins."""


class BriefLog(RaftLog, frozen=True, kw_only=True):
    """A log that keeps nothing for followers that lag: they get snapshots."""

    def replica(self, me: AgentId, members: tuple[AgentId, ...]) -> Protocol:
        role = super().replica(me, members)
        assert isinstance(role, Replica)
        role.keep = 0
        return role


@pytest.fixture(params=[3, 7])
def compacting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clerks that compact in the middle of conversations, and those that do between them."""
    monkeypatch.setattr(clerk, "COMPACT_EVERY", request.param)


def season(mechanism: Mechanism, items: tuple[Item, ...], **settings: Any) -> Simulation:
    """One item after the other, each in a conversation of its own."""
    simulation = Simulation(seed=1, check=True, **settings)
    simulation.add(Agent("house", money=100.0, capacity=0))
    for k, name in enumerate(BIDDERS):
        worth = {item.id: 3.0 + k for item in items}
        simulation.add(Agent(name, costs=worth, values=worth, money=50.0))
    replicated = Replicated(mechanism, MACHINES, log=BriefLog())
    for k, item in enumerate(items):
        simulation.open(replicated, (item,), "house", BIDDERS, at=EVERY_S * k, finish_by=60.0)
    return simulation


CASES: dict[str, tuple[Mechanism, tuple[Item, ...]]] = {
    "contract net": (NET, tuple(Task(f"job-{k}") for k in range(4))),
    "sealed bids": (SEALED, tuple(Lot(f"lot-{k}") for k in range(4))),
}
cases = pytest.mark.parametrize("case", CASES)


def assert_once(simulation: Simulation, items: tuple[Item, ...], where: object = "") -> None:
    """Every conversation is done, its item awarded once and paid once, and every machine's log is short."""
    world = simulation.world
    for k, item in enumerate(items, 1):
        outcome = world.outcomes[f"house/{k}"]
        assert outcome.status == "done", f"{where}: {item.id} {outcome}"
        assert [line.item for line in outcome.awards] == [item.id], where
    lines = [line for _, line in world.awards]
    assert sorted(line.item for line in lines) == [item.id for item in items], where
    paid = sum(line.price for line in lines)
    assert world.ledger.conserved(), where
    assert world.ledger.balances()["house"] == 100.0 + (paid if isinstance(items[0], Lot) else -paid), where


def logs(simulation: Simulation) -> list[Replica]:
    found: list[Any] = [simulation.role("replicas/r1+r2+r3/log", name) for name in MACHINES]
    return found


def clerks(simulation: Simulation) -> list[Clerk]:
    found: list[Any] = [simulation.role("replicas/r1+r2+r3/clerk", name) for name in MACHINES]
    return found


@cases
def test_the_log_forgets_what_is_over(case: str, compacting: None) -> None:
    mechanism, items = CASES[case]
    simulation = season(mechanism, items)
    simulation.run()
    assert_once(simulation, items)
    for log, by in zip(logs(simulation), clerks(simulation), strict=True):
        assert list(by.over) == [f"house/{k}" for k in range(1, len(items) + 1)] and not by.live
        machine: Any = log.machine
        assert isinstance(machine.data, Digest) and machine.index > log.applied - 2 * clerk.COMPACT_EVERY - 9
        assert len(machine.commands) < 2 * clerk.COMPACT_EVERY + 9
        assert log.storage.first_index() > machine.index


@cases
def test_who_was_down_meanwhile_hears_a_digest(case: str, compacting: None) -> None:
    mechanism, items = CASES[case]
    for victim, at, down_s in (
        ("r1", 1.7, 0.2),
        ("r1", 0.25, 4.0),
        ("r2", 0.25, 4.0),
        ("r3", 1.7, 4.0),
        ("r2", 3.3, 0.2),
    ):
        simulation = season(mechanism, items, faults=Faults((Crash(victim, at, down_s),)))
        simulation.run()
        assert_once(simulation, items, where=(victim, at, down_s))
        assert len({tuple(by.over.items()) for by in clerks(simulation)}) == 1


def test_a_machine_that_lags_gets_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is over but the last conversation when it comes back: no other log reaches back to what it knows."""
    monkeypatch.setattr(clerk, "COMPACT_EVERY", 7)
    simulation = season(*CASES["contract net"], faults=Faults((Crash("r3", 0.1, 5.0),)))
    simulation.run()
    assert_once(simulation, CASES["contract net"][1])
    sent = [row.details["message"] for row in simulation.world.trace if row.kind == "message"]
    assert Kind.SNAP in {message.get("kind") for message in sent}
    assert clerks(simulation)[2].over == clerks(simulation)[0].over


@cases
def test_all_machines_come_back_to_compacted_logs(case: str, compacting: None) -> None:
    mechanism, items = CASES[case]
    for at in (1.6, 1.75):
        crashes = tuple(Crash(name, at, 1.0 + 0.3 * k) for k, name in enumerate(MACHINES))
        simulation = season(mechanism, items, faults=Faults(crashes))
        simulation.run()
        assert_once(simulation, items, where=at)


@cases
@pytest.mark.parametrize("down_s", [0.5, float("inf")])
def test_a_machine_is_killed_around_every_compaction(case: str, down_s: float, compacting: None) -> None:
    mechanism, items = CASES[case]

    def simulate(**settings: Any) -> Simulation:
        return season(mechanism, items, **settings)

    kills: list[KillAt] = kill_points(simulate, agents=("r1",), down_s=down_s, most=8)
    for kill in kills:
        simulation = simulate(faults=Faults(kill_at=(kill,)))
        simulation.run()
        assert_once(simulation, items, where=kill)


# ------------------------------------------------------------------------------------------------ the clerk alone

START = Input("house/1", "start", "start")
DONE = Input("house/1", "done", "done", number=2, what=Outcome("done"))
OTHER = Input("house/2", "start", "start")
LOG = "log"


def hired() -> tuple[Clerk, Recorder]:
    """A clerk whose effects are noted; the copies of two conversations attend."""
    role, port = Clerk(LOG), Recorder("r1", "clerk")
    port.seat(role)
    role.on_start()
    for talk in ("house/1", "house/2"):
        role.on_told(talk, Attend())
    port.take()
    return role, port


def test_a_digest_takes_the_place_of_what_it_stands_for() -> None:
    role, port = hired()
    role.on_told(LOG, Committed(2, START))
    port.take()
    role.on_told(LOG, Installed(9, Digest(((7, OTHER),), (("house/1", Outcome("done")),))))
    assert port.take() == [Tell("house/1", Over(Outcome("done"))), Tell("house/2", Told(7, OTHER))]
    assert role.index == 9 and role.live == {"house/2": [(7, OTHER)]}
    role.on_told("house/1", Attend())
    assert port.take() == [Tell("house/1", Over(Outcome("done")))]


def test_of_a_digest_only_what_is_new_is_told() -> None:
    role, port = hired()
    role.on_told(LOG, Committed(2, START))
    port.take()
    late = Input("house/1", "cancel", "cancel")
    role.on_told(LOG, Installed(4, Digest(((2, START), (4, late)))))
    assert port.take() == [Tell("house/1", Told(4, late))]
    assert role.live == {"house/1": [(2, START), (4, late)]}
    for old in (
        Installed(4, Digest()),
        Committed(4, late),
        Committed(9, "not ours"),
        Installed(9, "not ours"),
    ):
        role.on_told(LOG, old)
    assert [type(effect) for effect in port.take()] == [Ignore] * 4
    assert role.index == 4 and role.live == {"house/1": [(2, START), (4, late)]}


def test_an_end_that_something_has_come_before_is_none() -> None:
    role, port = hired()
    role.on_told(LOG, Committed(2, START))
    role.on_told(LOG, Committed(3, Input("house/1", "cancel", "cancel")))
    port.take()
    role.on_told(LOG, Committed(4, DONE))
    assert [type(effect) for effect in port.take()] == [Ignore] and "house/1" in role.live


def test_what_is_over_stays_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "COMPACT_EVERY", 4)
    role, port = hired()
    for index, given in ((2, START), (3, DONE), (5, START), (6, OTHER)):
        role.on_told(LOG, Committed(index, given))
    *told, compact = port.take()
    assert [type(effect) for effect in told] == [Tell, Tell, Ignore, Tell]
    assert compact == Tell(LOG, Compact(6, Digest(((6, OTHER),), (("house/1", Outcome("done")),))))
    role.check()
    role.on_told(LOG, Committed(7, replace(OTHER, key="again")))
    role.on_told(LOG, Leading(True, 1))
    assert port.take() == [
        Tell("house/2", Told(7, replace(OTHER, key="again"))),
        Tell("house/2", Leading(True, 1)),
    ], "it does not compact after each input, and a copy that has ended is told nothing"
