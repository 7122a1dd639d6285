"""Reads by lease: no messages while a quorum votes for nobody else, and a round of heartbeats where that is not certain."""

import pytest

from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import HardState
from consensus.raft.settings import ReadOnly
from consensus.raft.state import ReadState, Role
from tests.consensus.cluster import Cluster, kinds, make_node, sent, without

TIMEOUT = 10
"""Ticks; a heartbeat each."""


def leased() -> Cluster:
    """Three nodes, of whom the first leads by a lease that has just been renewed."""
    cluster = Cluster(check_quorum=True, read_only=ReadOnly.LEASE, election_tick=TIMEOUT)
    cluster.elect(1)
    beat(cluster)
    return cluster


def beat(cluster: Cluster, ticks: int = 1, *cut: int) -> None:
    """So much time passes everywhere, and what is said then arrives, but for those who are cut off."""
    for _ in range(ticks):
        for node in cluster.nodes.values():
            node.tick()
        cluster.settle(without(*cut))


def asked(cluster: Cluster, context: str = "read") -> tuple[list[ReadState], list[Kind]]:
    """What the first node answers to a read at once, and what it says instead."""
    cluster[1].read_index(context)
    ready = cluster.handle(1)
    return list(ready.read_states), [m.kind for m in ready.messages]


def test_a_lease_answers_without_any_message() -> None:
    cluster = leased()

    assert asked(cluster) == ([ReadState(2, "read")], [])

    cluster[2].read_index("2/1")
    cluster.settle(lambda m: m.kind is Kind.HEARTBEAT)

    assert cluster.reads[2] == [ReadState(2, "2/1")]


def test_who_has_just_been_elected_has_no_lease_and_makes_a_round() -> None:
    cluster = Cluster(check_quorum=True, read_only=ReadOnly.LEASE)
    cluster.elect(1)

    assert asked(cluster) == ([], [Kind.HEARTBEAT, Kind.HEARTBEAT])

    cluster.settle()

    assert cluster.reads[1] == [ReadState(2, "read")]
    assert asked(cluster, "again") == ([ReadState(2, "again")], []), "the round was a heartbeat like any"


def test_a_leader_that_is_cut_off_trusts_its_lease_for_less_than_an_election_timeout() -> None:
    cluster = leased()
    for passed in range(1, TIMEOUT - 1):
        beat(cluster, 1, 1)
        states, _ = asked(cluster, str(passed))
        assert states == [ReadState(2, str(passed))]
    beat(cluster, 1, 1)

    assert cluster[1].raft.role is Role.LEADER, "whatever its last check of a quorum said"
    assert asked(cluster, "late") == ([], [Kind.HEARTBEAT, Kind.HEARTBEAT])


def test_an_old_answer_renews_the_lease_only_from_when_its_question_was_sent() -> None:
    cluster = leased()
    cluster[1].tick()
    cluster.settle(lambda m: m.kind is Kind.HEARTBEAT_RESP)
    late = [m for m in cluster.history if m.kind is Kind.HEARTBEAT_RESP][-2:]
    for _ in range(TIMEOUT - 2):
        beat(cluster, 1, 1)
    for m in late:
        cluster.deliver(m)

    assert asked(cluster)[0] == [ReadState(2, "read")]

    beat(cluster, 1, 1)

    assert asked(cluster, "later")[0] == []


def test_nobody_else_is_elected_while_the_lease_lasts() -> None:
    cluster = leased()
    beat(cluster, TIMEOUT - 1, 1)
    cluster[2].campaign()
    cluster[3].campaign()
    cluster.settle(without(1))

    assert cluster.leaders() == [1]
    assert [cluster[node].raft.term for node in (1, 2, 3)] == [1, 1, 1]

    beat(cluster, 3 * TIMEOUT, 1)

    assert [node for node in cluster.leaders() if node != 1] != []


def test_after_a_handover_was_tried_a_lease_is_trusted_no_more() -> None:
    """Who was told to campaign may do so much later, and nobody holds a vote back."""
    cluster = leased()
    cluster[1].transfer_leader(2)
    cluster.settle(lambda m: m.kind is Kind.TIMEOUT_NOW)
    beat(cluster, 2 * TIMEOUT)

    assert cluster[1].raft.role is Role.LEADER
    assert asked(cluster) == ([], [Kind.HEARTBEAT, Kind.HEARTBEAT])


def test_a_node_that_was_restarted_gives_nobody_its_vote_for_an_election_timeout() -> None:
    """It may have heard a leader just before, and does not know."""
    node = make_node(2, hard=HardState(1, commit=1), check_quorum=True, read_only=ReadOnly.LEASE)
    request = RaftMessage(Kind.VOTE, 2, 3, 2, 1, 1)
    node.tick(TIMEOUT - 1)
    node.step(request)

    assert (sent(node), node.raft.term) == ([], 1)

    node.tick(1)
    sent(node)
    node.step(RaftMessage(Kind.VOTE, 2, 3, 9, 1, 1))

    assert kinds(sent(node)) == [(Kind.VOTE_RESP, 3)]


@pytest.mark.parametrize(
    ("read_only", "answers"), [(ReadOnly.SAFE, [(Kind.VOTE_RESP, 3)]), (ReadOnly.LEASE, [])]
)
def test_a_later_term_frees_no_vote_that_a_lease_counts_on(
    read_only: ReadOnly, answers: list[tuple[Kind, int]]
) -> None:
    """An answer to a campaign of long ago takes a follower to a later term, in which it knows of no leader."""
    cluster = Cluster(check_quorum=True, read_only=read_only)
    cluster.elect(1)
    beat(cluster)
    follower = cluster[2]
    follower.step(RaftMessage(Kind.VOTE_RESP, 2, 3, 5, reject=True))

    assert (follower.raft.term, follower.raft.lead) == (5, 0)

    sent(follower)
    follower.step(RaftMessage(Kind.VOTE, 2, 3, 5, 1, 2))

    assert kinds(sent(follower)) == answers
