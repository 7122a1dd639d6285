"""Linearizable reads: what a leader must know before it answers, and who may ask."""

import pytest

from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Transition
from consensus.raft.settings import ReadOnly
from consensus.raft.state import ReadState, Role
from tests.consensus.cluster import Cluster, changes, make_node, sent, without


def test_a_round_of_heartbeats_answers_a_read() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle()
    leader.read_index("1/1")
    heartbeats = cluster.handle(1).messages

    assert [(m.kind, m.context) for m in heartbeats] == [(Kind.HEARTBEAT, "1/1")] * 2
    assert cluster.reads[1] == []

    cluster.settle(without(3))

    assert cluster.reads[1] == [ReadState(3, "1/1")]


def test_a_leader_that_cannot_reach_a_quorum_answers_no_read() -> None:
    cluster = Cluster()
    cluster.elect(1).read_index("1/1")
    cluster.settle(without(2, 3))

    assert cluster.reads[1] == []


def test_an_old_leader_answers_no_read_when_another_leads() -> None:
    cluster = Cluster()
    old = cluster.elect(1)
    cluster[2].campaign()
    cluster.settle(without(1))
    cluster[2].propose("new")
    cluster.settle(without(1))
    old.read_index("1/1")
    cluster.settle()

    cluster[2].tick()
    cluster.settle()

    assert cluster.reads[1] == []
    assert old.raft.role is Role.FOLLOWER


def test_followers_ask_the_leader() -> None:
    cluster = Cluster()
    cluster.elect(1).propose("a")
    cluster.settle()
    cluster[3].read_index("3/1")
    cluster.settle()

    assert cluster.reads == {1: [], 2: [], 3: [ReadState(3, "3/1")]}


def test_without_a_leader_a_read_is_not_answered() -> None:
    node = make_node()
    node.read_index("1/1")

    assert not node.has_ready()


def test_reads_before_the_first_commit_of_the_term_wait_for_it() -> None:
    """A new leader may not know yet how far its predecessor committed."""
    cluster = Cluster()
    cluster[1].campaign()
    cluster.settle(lambda m: m.kind is Kind.APP_RESP)
    leader = cluster[1]
    assert leader.raft.role is Role.LEADER
    leader.read_index("1/1")
    cluster.settle(lambda m: m.kind is Kind.APP_RESP)

    assert cluster.reads[1] == []

    leader.step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=2))
    cluster.settle()

    assert cluster.reads[1] == [ReadState(2, "1/1")]
    assert leader.raft.early_reads == []


def test_a_later_round_answers_all_earlier_ones_in_their_order() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    for context in ("1/1", "1/2", "1/3"):
        leader.read_index(context)
    cluster.handle(1)
    cluster.wire.clear()
    leader.step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 1, context="1/2"))
    cluster.handle(1)

    assert [read.context for read in cluster.reads[1]] == ["1/1", "1/2"]


def test_a_request_that_comes_twice_keeps_its_place_and_its_acknowledgements() -> None:
    """Of five, one has acknowledged when it comes again, and one more is enough."""
    cluster = Cluster((1, 2, 3, 4, 5))
    leader = cluster.elect(1)
    leader.read_index("1/1")
    cluster.settle(without(3, 4, 5))
    leader.propose("later")
    leader.read_index("1/1")
    cluster.settle(without(2, 4, 5))

    assert cluster.reads[1] == [ReadState(2, "1/1")]


def test_the_periodic_heartbeat_repeats_the_newest_round() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    for context in ("1/1", "1/2"):
        leader.read_index(context)
    cluster.settle(lambda m: m.kind is Kind.HEARTBEAT)
    assert cluster.reads[1] == []
    leader.tick()
    cluster.settle()

    assert [read.context for read in cluster.reads[1]] == ["1/1", "1/2"]


def test_a_read_names_the_commit_index_of_its_coming() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.read_index("1/1")
    cluster.handle(1)
    heartbeats, cluster.wire = cluster.wire, []
    leader.propose("a")
    cluster.settle()
    cluster.wire = heartbeats
    cluster.settle()

    assert cluster.reads[1] == [ReadState(2, "1/1")]


def test_reads_that_wait_are_forgotten_when_the_leader_changes() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.read_index("1/1")
    cluster.settle(lambda m: m.kind is Kind.HEARTBEAT)
    leader.step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 7))

    assert leader.raft.pending_reads == {}


def test_learners_do_not_confirm() -> None:
    cluster = Cluster((1, 2), (3, 4))
    cluster.elect(1).read_index("1/1")
    cluster.settle(without(2))

    assert cluster.reads[1] == []


@pytest.mark.parametrize("cut", [2, 3])
def test_both_majorities_confirm_in_a_joint_configuration(cut: int) -> None:
    cluster = Cluster((1, 2))
    leader = cluster.elect(1)
    cluster.add(3)
    leader.propose_conf_change(changes("r2 v3", Transition.EXPLICIT))
    cluster.settle()
    leader.tick()
    cluster.settle()
    assert str(leader.raft.configuration) == "voters=(1 3)&&(1 2)"
    leader.read_index("1/1")
    cluster.settle(without(cut))

    assert cluster.reads[1] == []

    leader.tick()
    cluster.settle()

    assert len(cluster.reads[1]) == 1


def test_the_only_incoming_voter_does_not_lead_alone_in_a_joint_configuration() -> None:
    cluster = Cluster((1, 2))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r2", Transition.EXPLICIT))
    cluster.settle()
    leader.read_index("1/1")
    cluster.settle(without(2))

    assert cluster.reads[1] == []


def test_early_reads_are_forgotten_when_the_leader_changes() -> None:
    cluster = Cluster()
    cluster[1].campaign()
    cluster.settle(lambda m: m.kind is Kind.APP_RESP)
    cluster[1].read_index("1/1")
    cluster.elect(2)

    assert cluster[1].raft.early_reads == []


def test_who_leads_alone_answers_at_once() -> None:
    cluster = Cluster((1,), (2,))
    leader = cluster.elect(1)
    leader.read_index("1/1")
    cluster[2].read_index("2/1")
    cluster.settle(lambda m: m.kind is Kind.HEARTBEAT)

    assert (cluster.reads[1], cluster.reads[2]) == ([ReadState(2, "1/1")], [ReadState(2, "2/1")])


def test_a_lease_also_waits_for_the_first_commit_of_the_term() -> None:
    cluster = Cluster(check_quorum=True, read_only=ReadOnly.LEASE)
    cluster[1].campaign()
    cluster.settle(lambda m: m.kind is Kind.APP_RESP)
    cluster[1].read_index("1/1")

    assert sent(cluster[1]) == []
    assert cluster[1].raft.read_states == []
    assert len(cluster[1].raft.early_reads) == 1


@pytest.mark.parametrize(("read_only", "lead"), [(ReadOnly.SAFE, 0), (ReadOnly.LEASE, 1)])
def test_with_leases_a_leader_is_not_forgotten(read_only: ReadOnly, lead: int) -> None:
    cluster = Cluster(check_quorum=True, read_only=read_only)
    cluster.elect(1)
    cluster[2].forget_leader()

    assert cluster[2].raft.lead == lead
