"""Bugs of the replica that `walras explore raft` has found, each as small as it can be shown."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from consensus.raft.cluster import Cluster
from consensus.raft.kv import KeyValueStore, Put
from consensus.raft.node import Node
from consensus.raft.records import ConfChange, Configuration, Entry, EntryKind, HardState, Snapshot
from consensus.raft.service import Reconfigure, Submit
from consensus.raft.settings import Settings
from consensus.raft.state import ReadState, Role
from consensus.raft.storage import MemoryStorage
from tests.consensus.cluster import Cluster as Nodes, changes, finish, storage_of, without
from walras.agents import Agent
from walras.protocol import Protocol
from walras.simulation.faults import Crash, Faults, SlowDisk
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation

MEMBERS = ("r1", "r2", "r3", "r4", "r5")
QUICK = Settings(
    id=1,
    election_tick=600,
    heartbeat_tick=300,
    check_quorum=True,
    pre_vote=True,
    step_down_on_removal=True,
    commit_by_vote=True,
)


class Asks(Protocol):
    """Sends what it is given to all replicas, one thing every half second."""

    messages: tuple[Any, ...]
    sent: int = 0

    def on_start(self) -> None:
        self.set_timer("next", 3.0)

    def on_timer(self, name: Any) -> None:
        self.broadcast(MEMBERS, self.messages[self.sent])
        self.sent += 1
        if self.sent < len(self.messages):
            self.set_timer("next", self.now + 0.5)


def world(cluster: Cluster, faults: Faults, *messages: Any) -> Simulation:
    simulation = Simulation(seed=3, network=Network(latency=Constant(0.01)), faults=faults, check=True)
    for name in MEMBERS:
        simulation.add(Agent(name))
        replica = cluster.replica()
        replica.keep = 0
        simulation.seat(name, replica, "raft")
    simulation.add(Agent("client"))
    simulation.seat("client", Asks(messages), "raft")
    return simulation


def puts(count: int) -> list[Submit]:
    return [Submit(number, Put("key", str(number))) for number in range(1, count + 1)]


def test_a_timer_that_is_due_while_a_snapshot_is_ahead_of_the_core() -> None:
    """What is being written is applied, and was compacted, before the core had heard that it is applied."""
    patient = replace(QUICK, check_quorum=False)
    cluster = Cluster(MEMBERS, KeyValueStore, settings=patient, compact_every=1)
    calm = world(cluster, Faults())
    calm.run(until=3.0)
    leader = cluster.leader(calm)
    assert leader is not None
    slow = tuple(SlowDisk(name, Constant(2.5), 3.0, 9.0) for name in MEMBERS if name != leader)
    faults = Faults(schedule=(*slow, Crash(leader, 8.2, 3.0)))
    simulation = world(cluster, faults, *puts(12))
    simulation.run(until=30.0)

    replicas = cluster.replicas(simulation).values()
    assert len({str(replica.machine.snapshot()) for replica in replicas}) == 1
    assert all(replica.applied > 4 for replica in replicas)


def test_a_joint_configuration_is_left_once() -> None:
    """The core heard that the leaving entry was applied before it took effect, and proposed to leave once more."""
    cluster = Cluster(MEMBERS, KeyValueStore, settings=QUICK)
    simulation = world(cluster, Faults(), Reconfigure(1, ("r1", "r2", "r3")), *puts(2))
    simulation.run(until=10.0)

    for replica in cluster.replicas(simulation).values():
        if replica.node.raft.role is Role.LEADER:
            assert replica.node.raft.configuration == Configuration((1, 2, 3))
            break
    else:
        raise AssertionError("nobody leads")


@pytest.mark.parametrize("told", [True, False])
def test_only_a_leader_that_was_demoted_knows_that_it_is(told: bool) -> None:
    """It may not lead, and what is last in its log keeps its vote from the only one who may."""
    joint = Configuration((2,), (1,), learners_next=(1,), auto_leave=True)
    leave = Entry(1, 2, ConfChange(), EntryKind.CONF_CHANGE_V2)
    cluster = Nodes((), commit_by_vote=told)
    for node, commit, tail in ((1, 2, [Entry(1, 3, "late")]), (2, 1, [])):
        storage = MemoryStorage()
        storage.write(HardState(1, commit=commit), [leave, *tail], Snapshot(1, 1, joint))
        cluster.add(node, storage)
    cluster.settle()
    for _ in range(3):
        cluster[2].campaign()
        cluster.settle()

    assert not cluster[1].raft.is_promotable()
    assert cluster.leaders() == ([2] if told else [])
    assert cluster[1].raft.log.last_index() == 3
    assert cluster[1].raft.log.term(3) == (cluster[2].raft.term if told else 1)


def test_a_joint_configuration_is_left_after_a_handover_that_came_to_nothing() -> None:
    """The leaving entry was dropped while the leadership was to be handed over, and nothing was applied that tried again."""
    cluster = Nodes((1, 2, 3))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("v4 r3"))
    leader.transfer_leader(3)
    cluster.settle(lost=without(3, 4))
    assert leader.raft.configuration.joint

    leader.tick(leader.raft.settings.election_tick)
    cluster.settle(lost=without(3))
    cluster.settle(lost=without(3))
    assert leader.raft.configuration == Configuration((1, 2, 4))


def test_an_only_voter_answers_no_read_before_it_knows_what_is_committed() -> None:
    """It was not alone when the entries that it has were committed, and heard of some of these commits never."""
    alone = Configuration((1,), learners=(3,))
    storage = storage_of(alone, terms=(1, 1), hard=HardState(1, commit=1))
    node = Node(Settings(id=1), storage, Random(1))
    node.campaign()
    finish(node)
    assert (node.raft.role, node.raft.log.committed) == (Role.LEADER, 1)
    node.read_index("early")
    assert not node.raft.read_states
    reads: list[ReadState] = []
    while node.has_ready():
        reads += finish(node).read_states
    assert [(read.index, read.context) for read in reads] == [(4, "early")]
