"""Replicas on the kernel: they elect, replicate, serve, and survive what a world can do to them."""

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, KeyValueStore, Put, Table
from consensus.raft.machine import Timed
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.replica import DEFAULTS, Replica
from consensus.raft.service import (
    Committed,
    Compact,
    Dropped,
    Installed,
    Leading,
    Listen,
    Propose,
    Query,
    Read,
    ReadAt,
    Reconfigure,
    Redirect,
    Reply,
    Submit,
    TransferLeader,
)
from consensus.raft.state import Role
from tests.consensus.worlds import FIVE, QUICK, THREE, busy, clients_of, judged, stormy
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.messages import Message
from walras.protocol import Protocol, on, told
from walras.simulation.fault_kinds import SlowDisk
from walras.simulation.faults import Crash, Faults
from walras.simulation.latency import Constant, Uniform
from walras.simulation.network import Network, Partition
from walras.simulation.simulation import Simulation

STORE = Cluster(THREE, KeyValueStore, settings=QUICK)
NEAR = Network(latency=Uniform(0.001, 0.003))


class Asker(Protocol):
    """Sends what a script says, at its times, and keeps what comes back."""

    script: tuple[tuple[float, str, Message], ...] = ()
    heard: list[tuple[str, Message]] = []

    def on_start(self) -> None:
        for place, (at, _, _) in enumerate(self.script):
            self.set_timer(place, at)

    def on_timer(self, name: Any) -> None:
        _, to, message = self.script[name]
        if to == "raft":
            self.tell(to, message)
        else:
            self.send(to, message)

    @on(Reply, Redirect)
    def hear(self, sender: str, message: Message) -> None:
        self.heard.append((sender, message))

    @told(Committed, Installed, Leading, Dropped, ReadAt, Reply, Redirect)
    def be_told(self, conversation: str, message: Message) -> None:
        self.heard.append((conversation, message))

    def of(self, *kinds: type[Message]) -> list[Any]:
        return [message for _, message in self.heard if isinstance(message, kinds)]


def calm(cluster: Cluster = STORE, seed: int = 1, **settings: Any) -> Simulation:
    simulation = Simulation(seed=seed, check=True, network=settings.pop("network", NEAR), **settings)
    cluster.seat(simulation)
    return simulation


def asker(simulation: Simulation, *script: tuple[float, str, Message], at: str = "client") -> Asker:
    """A role that talks to replicas: a client by messages, or (``at`` a member) to its own agent's replica by tells."""
    if at not in simulation.world.hosts:
        simulation.add(Agent(at))
    role = Asker(tuple(script))
    simulation.seat(at, role, "raft" if at == "client" else "listening")
    return role


def leader_of(simulation: Simulation, cluster: Cluster = STORE) -> str:
    leader = cluster.leader(simulation)
    assert leader is not None, "nobody leads"
    return leader


# ------------------------------------------------------------------ elections, and the price of silence


def test_a_cluster_elects_one_leader_and_keeps_it() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    first = leader_of(simulation)
    simulation.run(until=20.0)
    replicas = STORE.replicas(simulation)

    assert leader_of(simulation) == first
    assert {role.node.raft.lead for role in replicas.values()} == {THREE.index(first) + 1}
    assert sum(role.led > 0 for role in replicas.values()) == 1


def test_an_idle_cluster_costs_heartbeats_and_no_ticks() -> None:
    """A thousand ticks a second pass; a follower's timer rings once per timeout, a leader's once per heartbeat."""
    simulation = calm(replace(STORE, settings=DEFAULTS))
    simulation.run(until=5.0)
    leader = leader_of(simulation)
    timers = [(row.at, row.agent) for row in simulation.run(until=15.0).trace if row.kind == "timer"]
    rings = Counter(agent for at, agent in timers if at > 5.0)

    assert 95 <= rings[leader] <= 105
    assert all(rings[name] <= 11 for name in THREE if name != leader)


def test_no_leader_without_a_majority_and_one_with_it() -> None:
    faults = Faults((Crash("r1", 0.0, 60.0), Crash("r2", 0.0, 5.0)))
    simulation = calm(faults=faults)
    simulation.run(until=5.0)
    assert STORE.leader(simulation) is None
    simulation.run(until=8.0)
    assert STORE.leader(simulation) in ("r2", "r3")


def test_the_leadership_is_handed_over_on_request() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    to = next(name for name in THREE if name != leader_of(simulation))
    asker(simulation, (2.1, leader_of(simulation), TransferLeader(to)))
    simulation.run(until=2.3)

    assert leader_of(simulation) == to


# ------------------------------------------------------------------ commands and questions of clients


def test_commands_are_applied_everywhere_and_questions_answered_by_anybody() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    leader = leader_of(simulation)
    follower = next(name for name in THREE if name != leader)
    client = asker(
        simulation,
        (2.1, leader, Submit(1, Put("x", "a"))),
        (2.2, leader, Submit(2, Append("x", "b"))),
        (2.3, follower, Query(3, Get("x"))),
        (2.4, follower, Submit(4, Put("x", "c"))),
    )
    simulation.run(until=4.0)

    assert client.heard == [
        (leader, Reply(1)),
        (leader, Reply(2)),
        (follower, Reply(3, "ab")),
        (follower, Redirect(4, leader, "not the leader")),
    ]
    assert [role.machine for role in STORE.replicas(simulation).values()] == [KeyValueStore({"x": "ab"})] * 3


def test_proposals_are_gathered_into_few_appends() -> None:
    def appends(batch_s: float) -> int:
        simulation = calm(replace(STORE, batch_s=batch_s))
        simulation.run(until=2.0)
        leader = leader_of(simulation)
        script = [(2.1 + k * 1e-5, leader, Submit(k, Append("x", "."))) for k in range(100)]
        client = asker(simulation, *script)
        sent = simulation.run(until=3.0).trace.columns()["message"]
        assert len(client.heard) == 100
        assert STORE.replicas(simulation)[leader].machine == KeyValueStore({"x": "." * 100})
        return sum('"MsgApp"' in message and '"entries"' in message for message in sent)

    assert 10 * appends(0.005) < appends(0.0)


def test_a_leader_without_followers_promises_nothing() -> None:
    """Cut off, it steps down, and what it took in the meantime it says nothing about until the truth is known."""
    simulation = calm()
    simulation.run(until=1.9)
    leader = leader_of(simulation)
    others = tuple(name for name in THREE if name != leader)
    network = replace(NEAR, partitions=(Partition(2.0, 5.0, (leader, "client"), others),))
    simulation = calm(network=network)
    client = asker(simulation, (2.1, leader, Submit(1, Put("x", "lost"))), (2.2, leader, Query(2, Get("x"))))
    other = next(iter(others))
    simulation.run(until=4.9)
    assert client.heard == []
    assert leader_of(simulation) in others
    simulation.run(until=9.0)

    assert client.of(Reply) == [Reply(2, "")]
    assert [m.number for m in client.of(Redirect)] == [1]
    assert STORE.replicas(simulation)[other].machine == KeyValueStore()


def test_a_proposal_without_a_leader_is_refused_and_nothing_is_recorded() -> None:
    simulation = calm(faults=Faults((Crash("r1", 0.0, 60.0), Crash("r2", 0.0, 60.0))))
    client = asker(simulation, (1.0, "r3", Submit(1, Put("x", "a"))))
    listener = asker(simulation, (1.0, "raft", Propose(Put("x", "b"))), at="r3")
    simulation.run(until=2.0)

    assert client.heard == [("r3", Redirect(1, "", "not the leader"))]
    assert [type(m) for _, m in listener.heard] == [Dropped]
    assert STORE.replicas(simulation)["r3"].status().last_index == 1


# ------------------------------------------------------------------ roles of the same agent


JOURNAL = Cluster(THREE, lambda: Replica(THREE).machine, settings=QUICK)


def listeners(simulation: Simulation, **scripts: Any) -> dict[str, Asker]:
    return {name: asker(simulation, *scripts.get(name, ()), at=name) for name in THREE}


def test_listeners_are_told_everything_in_order_and_who_leads() -> None:
    simulation = calm(JOURNAL)
    simulation.run(until=2.0)
    leader = leader_of(simulation, JOURNAL)
    follower = next(name for name in THREE if name != leader)
    listen = (2.0, "raft", Listen())
    scripts: dict[str, Any] = {name: (listen, (3.0, "raft", Listen(after=3))) for name in THREE}
    scripts[leader] += ((2.1, "raft", Propose("one")), (2.2, "raft", Propose("two")))
    scripts[follower] += ((2.3, "raft", Propose("three")), (2.5, "raft", Read(7)))
    found = listeners(simulation, **scripts)
    simulation.run(until=4.0)

    for name, role in found.items():
        told_ = [(m.index, m.command) for m in role.of(Committed)]
        assert told_[:3] == [(3, "one"), (4, "two"), (5, "three")], name
        assert told_[3:] == [(4, "two"), (5, "three")], name
        assert bool(role.of(Leading)) == (name == leader)
    assert found[follower].of(ReadAt) == [ReadAt(7, 5)]


def test_a_listener_can_stand_for_the_beginning_of_its_log() -> None:
    simulation = calm(JOURNAL)
    simulation.run(until=2.0)
    leader = leader_of(simulation, JOURNAL)
    script = (
        (2.0, "raft", Listen()),
        *((2.1 + k / 10, "raft", Propose(f"p{k}")) for k in range(5)),
        (3.0, "raft", Compact(5, "p0 p1 p2")),
        (3.1, "raft", Listen()),
    )
    role = asker(simulation, *script, at=leader)
    simulation.run(until=4.0)

    again = role.heard[role.heard.index(("raft", Installed(5, "p0 p1 p2"))) :]
    assert [m for _, m in again if isinstance(m, Committed)] == [Committed(6, "p3"), Committed(7, "p4")]
    assert JOURNAL.replicas(simulation)[leader].status().first_index == 2  # `keep` entries stay in memory


def test_what_takes_the_leaders_time_with_it() -> None:
    class Stamped(Timed, frozen=True):
        text: str = ""

    simulation = calm(JOURNAL)
    simulation.run(until=2.0)
    leader = leader_of(simulation, JOURNAL)
    role = asker(simulation, (2.0, "raft", Listen()), (2.5, "raft", Propose(Stamped(text="now"))), at=leader)
    simulation.run(until=3.0)

    assert [m.command for m in role.of(Committed)] == [Stamped(at=2.5, text="now")]


# ------------------------------------------------------------------ crashes, snapshots, members


@pytest.mark.parametrize("compact_every", [5, 10_000])
def test_a_cluster_that_crashes_as_a_whole_has_lost_nothing_that_it_acknowledged(compact_every: int) -> None:
    cluster = replace(STORE, compact_every=compact_every)
    faults = Faults(tuple(Crash(name, 3.0, 1.0) for name in THREE), fsync=Constant(0.005))
    simulation = calm(cluster, faults=faults)
    simulation.run(until=2.0)
    leader = leader_of(simulation)
    client = asker(simulation, *((2.0 + k / 40, leader, Submit(k, Append("x", f"{k} "))) for k in range(39)))
    simulation.run(until=8.0)
    acknowledged = "".join(f"{m.number} " for m in client.of(Reply))

    assert len(acknowledged) > 50
    for role in cluster.replicas(simulation).values():
        assert isinstance(role.machine, KeyValueStore)
        assert role.machine.values["x"].startswith(acknowledged)


def test_a_follower_that_was_away_for_long_gets_a_snapshot_and_so_do_its_listeners() -> None:
    cluster = replace(STORE, compact_every=10)
    simulation = calm(cluster)
    simulation.run(until=2.0)
    leader = leader_of(simulation)
    away = next(name for name in THREE if name != leader)
    network = replace(NEAR, partitions=(Partition(2.0, 5.0, (away,)),))
    simulation = Simulation(seed=1, check=True, network=network)
    for name in THREE:
        simulation.add(Agent(name))
        role = cluster.replica()
        role.keep = 0
        simulation.seat(name, role, "raft")
    asker(simulation, *((2.1 + k / 50, leader, Submit(k, Append("x", "."))) for k in range(55)))
    listener = asker(simulation, (0.0, "raft", Listen()), at=away)
    simulation.run(until=8.0)

    founding, installed = listener.of(Installed)
    assert founding == Installed(1, Table())
    assert installed.index >= 50
    assert [m.index for m in listener.of(Committed)] == list(range(installed.index + 1, 58))
    assert STORE.replicas(simulation)[away].machine == KeyValueStore({"x": "." * 55})


def test_members_come_and_go() -> None:
    cluster = Cluster(FIVE, KeyValueStore, voters=THREE, settings=QUICK)
    simulation = calm(cluster)
    simulation.run(until=2.0)
    leader = leader_of(simulation, cluster)
    client = asker(
        simulation,
        (2.0, leader, Submit(1, Put("x", "early"))),
        (2.1, leader, Reconfigure(2, THREE, ("r4", "r5"))),
        (2.5, leader, Reconfigure(3, FIVE)),
        (3.0, leader, Reconfigure(4, tuple(name for name in FIVE if name != leader)[:3], (leader,))),
        (4.0, leader, Reconfigure(5, FIVE)),
    )
    simulation.run(until=8.0)
    after = leader_of(simulation, cluster)

    assert {m.number for m in client.of(Reply)} == {1, 2, 3, 4}
    assert after != leader
    assert client.of(Redirect) == [Redirect(5, after, "not the leader")]
    raft = cluster.replicas(simulation)[after].node.raft
    assert raft.configuration.learners == (FIVE.index(leader) + 1,)
    assert not raft.configuration.joint
    for name in ("r4", "r5"):
        assert cluster.replicas(simulation)[name].machine == KeyValueStore({"x": "early"})


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Reconfigure(1, ()), "odd number"),
        (Reconfigure(1, ("r1", "r2")), "odd number"),
        (Reconfigure(1, ("r1", "r2", "zoe")), "'zoe'; expected one of"),
        (Reconfigure(1, THREE), "already"),
        (Reconfigure(1, THREE, ("r1",)), "not voters"),
        (Reconfigure(1, ("r4",)), "lose its quorum: only nobody is up"),
        (Reconfigure(1, ("r1", "r4", "r5")), "lose its quorum: only r1 is up"),
    ],
)
def test_memberships_that_make_no_sense_are_refused(wanted: Reconfigure, why: str) -> None:
    cluster = Cluster(FIVE, KeyValueStore, voters=THREE, settings=QUICK)
    simulation = calm(cluster)
    simulation.run(until=2.0)
    leader = leader_of(simulation, cluster)
    client = asker(simulation, (2.1, leader, wanted))
    simulation.run(until=3.0)

    [(_, answer)] = client.heard
    assert isinstance(answer, Redirect)
    assert why in answer.why
    assert cluster.replicas(simulation)[leader].node.raft.configuration.voters == (1, 2, 3)


# ------------------------------------------------------------------ storms


@pytest.mark.parametrize("seed", range(20))
def test_what_clients_see_in_a_storm_is_linearizable(seed: int) -> None:
    cluster = Cluster(THREE, settings=QUICK, compact_every=20)
    network, faults = stormy(seed, THREE, 12.0)
    simulation, names = busy(cluster, seed, count=60, network=network, faults=faults)
    simulation.run(until=40.0)
    clients = clients_of(cluster, simulation, names)
    verdict = judged(clients)

    assert verdict.linearizable, str(verdict)
    assert all(call.ended is not None for client in clients for call in client.calls)
    assert all(len(client.calls) == 60 for client in clients), "all has healed, and somebody still waits"


def test_a_slow_disk_makes_for_large_writes_and_no_queue() -> None:
    """Four hundred commands in a second, and a disk that manages twenty writes: they share them."""
    spells = tuple(SlowDisk(name, Constant(0.05), 2.0, 10.0) for name in THREE)
    simulation = calm(faults=Faults(spells))
    simulation.run(until=1.9)
    leader = leader_of(simulation)
    client = asker(simulation, *((2.0 + k / 400, leader, Submit(k, Append("x", "."))) for k in range(400)))
    simulation.run(until=3.4)

    assert len(client.of(Reply)) == 400


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"members": ()}, "members is (); expected at least one"),
        ({"members": ("a", "a", "b")}, "each of them once"),
        ({"members": ("a", "b")}, "voters is ('a', 'b'); expected an odd number"),
        ({"members": ("a", "b", "c", "d")}, "an odd number"),
        ({"members": ("a", "b"), "learners": ("a", "b")}, "an odd number"),
        ({"members": ("a",), "voters": ("b",)}, "member is 'b'; expected one of a"),
        ({"members": ("a",), "compact_every": 0}, "compact_every is 0; expected a whole number, at least 1"),
        ({"members": ("a",), "compact_every": 2.5}, "compact_every is 2.5; expected a whole number"),
        ({"members": ("a",), "batch_s": -1.0}, "batch_s is -1.0"),
        ({"members": ("a",), "batch_s": "soon"}, "batch_s is 'soon'; expected a finite number of seconds"),
        ({"members": ("a",), "batch_s": float("inf")}, "batch_s is inf"),
        ({"members": ("a",), "tick_s": 0.0}, "tick_s is 0.0; expected a finite number of seconds above 0"),
        ({"members": ("a",), "settings": replace(DEFAULTS, election_tick=10)}, "more than heartbeat_tick"),
    ],
)
def test_bad_clusters_are_refused_before_they_begin(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as error:
        Replica(**settings)
    assert expected in str(error.value)


def test_strangers_and_impostors_are_ignored() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    leader = leader_of(simulation)
    me = THREE.index(leader) + 1
    peer = me % 3 + 1

    def vote(**fields: Any) -> RaftMessage:
        return RaftMessage(
            Kind.VOTE, **{"to": me, "sender": peer, "term": 99, "log_term": 99, "index": 99, **fields}
        )

    asker(
        simulation,
        (2.1, leader, vote()),
        (2.2, leader, vote(sender=77)),
        (2.3, leader, vote(to=77)),
    )
    simulation.seat(THREE[peer - 1], Asker(), "elsewhere")
    simulation.run(until=3.0)
    raft = STORE.replicas(simulation)[leader].node.raft

    assert raft.role is Role.LEADER
    assert raft.term < 99
