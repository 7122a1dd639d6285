"""What nobody should say to a cluster, and what it says to that: an error that helps, and nothing is lost."""

from typing import Any

import pytest

from consensus.raft.cluster import Cluster
from consensus.raft.errors import CommandRefusedError, CorruptStorageError
from consensus.raft.kv import Append, Get, KeyValueStore, Put
from consensus.raft.machine import Refused
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Change, ChangeKind, ConfChange
from consensus.raft.service import Dropped, Propose, Query, Reconfigure, Redirect, Reply, Submit
from consensus.raft.sessions import InSession, OpenSession, SessionExpired, Sessions
from tests.consensus.cluster import make_node
from tests.consensus.test_replica import STORE, asker, calm, leader_of
from tests.consensus.worlds import QUICK, THREE
from walras.errors import ScenarioError
from walras.simulation.faults import Crash, Faults
from walras.simulation.simulation import Simulation

REMOVE_ALL = ConfChange(tuple(Change(ChangeKind.REMOVE, node) for node in (1, 2, 3)))
EXACTLY_ONCE = Cluster(THREE, settings=QUICK)


@pytest.mark.parametrize("cluster", [STORE, EXACTLY_ONCE], ids=["plain", "sessions"])
@pytest.mark.parametrize(
    "command",
    ["no command", Get, REMOVE_ALL, InSession(session=9, sequence=1, command=Put("x", "1"))],
    ids=str,
)
def test_a_command_that_no_machine_knows_is_refused_and_the_cluster_goes_on(
    cluster: Cluster, command: Any
) -> None:
    """It may stand in the log all the same: every replica meets it again in its next life."""
    crashes = tuple(Crash(name, 4.0 + k, 0.5) for k, name in enumerate(THREE))
    simulation = calm(cluster, faults=Faults(crashes))
    simulation.run(until=2.0)
    leader = leader_of(simulation, cluster)
    client = asker(simulation, (2.1, leader, Submit(1, command)), (2.5, leader, Submit(2, Append("x", "a"))))
    simulation.run(until=8.0)

    answers = client.of(Reply, Redirect)
    assert [answer.number for answer in answers] == [1, 2]
    if command is REMOVE_ALL:
        assert "Reconfigure" in answers[0].why
    else:
        assert isinstance(answers[0].result, Refused | SessionExpired)
    replicas = cluster.replicas(simulation)
    assert all(replica.machine.query(Get("x")) == "a" for replica in replicas.values())
    assert str(replicas[THREE[0]].status().configuration) == "voters=(1 2 3)"


def test_a_question_that_no_machine_knows_is_refused() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    client = asker(simulation, *((2.1, name, Query(k, Put("x", "1"))) for k, name in enumerate(THREE)))
    simulation.run(until=3.0)

    assert sorted(answer.number for answer in client.of(Reply)) == [0, 1, 2]
    assert all("does not know Put" in answer.result.why for answer in client.of(Reply))


def test_a_change_of_membership_is_no_command() -> None:
    simulation = calm()
    simulation.run(until=2.0)
    listener = asker(simulation, (2.1, "raft", Propose(REMOVE_ALL)), at="r1")
    simulation.run(until=3.0)

    assert [drop.why for drop in listener.of(Dropped)] == [
        "a change of membership is asked for by Reconfigure"
    ]
    with pytest.raises(ScenarioError, match="propose_conf_change"):
        make_node(1).propose("one", REMOVE_ALL)


def test_what_was_refused_in_a_session_stays_refused() -> None:
    """Also if the machine would take it later: its client was told, and has gone on."""

    class Moody(KeyValueStore):
        def apply(self, index: int, command: Any) -> Any:
            if index == 5:
                raise CommandRefusedError("not today")
            return super().apply(index, command)

    machine = Sessions(Moody())
    machine.apply(4, OpenSession())
    command = InSession(session=4, sequence=1, command=Append("x", "a"))
    assert machine.apply(5, command) == machine.apply(6, command) == Refused("not today")
    assert machine.query(Get("x")) == ""
    assert machine.apply(7, InSession(session=4, sequence=2, command=Get("x"))) == ""


def test_a_member_that_has_lost_its_disk_says_so() -> None:
    """It comes back as if it were new, and its leader counts on what it has acknowledged."""
    node = make_node(3)
    with pytest.raises(
        CorruptStorageError, match=r"node 3 has acknowledged entry 9, .* ends at 1: .*add it again"
    ):
        node.step(RaftMessage(Kind.HEARTBEAT, 3, 1, 4, commit=9))


@pytest.mark.parametrize("members", [(), "abc", ("a", "b"), ("a", "b", "c", "d")])
def test_empty_and_even_clusters_are_refused(members: tuple[str, ...]) -> None:
    with pytest.raises(ScenarioError, match=r"expected (at least one replica|an odd number of replicas)"):
        Cluster(members).seat(Simulation(seed=1))


def test_a_membership_that_would_lose_its_quorum_is_refused_and_the_old_one_works() -> None:
    """Two newcomers that nobody has ever heard would be the majority of three."""
    cluster = Cluster((*THREE, "r4", "r5"), KeyValueStore, voters=THREE, settings=QUICK)
    simulation = calm(cluster, faults=Faults((Crash("r4", 0.0, 90.0), Crash("r5", 0.0, 90.0))))
    simulation.run(until=2.0)
    leader = leader_of(simulation, cluster)
    client = asker(
        simulation,
        (2.1, leader, Reconfigure(1, (leader, "r4", "r5"))),
        (2.2, leader, Reconfigure(2, ())),
        (2.3, leader, Reconfigure(3, (leader, "r4", "nobody"))),
        (2.5, leader, Submit(4, Put("x", "still here"))),
    )
    simulation.run(until=3.0)

    *refused, put = client.of(Redirect, Reply)
    assert [type(answer) for answer in (*refused, put)] == [Redirect, Redirect, Redirect, Reply]
    assert "would lose its quorum" in refused[0].why and "odd number" in refused[1].why
    assert "'nobody'; expected one of" in refused[2].why


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (KeyValueStore(), "what makes a state machine for each replica"),
        (dict, "it needs a method apply"),
        (lambda: KeyValueStore, "it needs a method apply"),
    ],
    ids=["a machine", "no machine", "a class"],
)
def test_what_is_no_machine_is_refused_before_anybody_is_seated(machine: Any, why: str) -> None:
    simulation = Simulation(seed=1)
    with pytest.raises(ScenarioError, match=why):
        Cluster(THREE, machine).seat(simulation)
    assert not simulation.world.hosts


def test_a_client_with_nothing_to_do_is_done() -> None:
    simulation = calm(EXACTLY_ONCE)
    EXACTLY_ONCE.seat_client(simulation, "ada")
    simulation.run(until=2.0)

    client: Any = simulation.role("raft", "ada")
    assert client.calls == []
