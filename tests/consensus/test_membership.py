"""Membership in a running cluster: when a change counts, what is refused, joint configurations, learners, removal."""

import pytest

from consensus.raft.errors import ConfChangeError, PeerNotFoundError
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Change, ChangeKind, ConfChange, Configuration, EntryKind, Transition
from consensus.raft.state import Role
from tests.consensus.cluster import Cluster, changes, make_node, role, without
from walras.errors import ScenarioError

EXPLICIT, IMPLICIT = Transition.EXPLICIT, Transition.IMPLICIT


def conf_changes(cluster: Cluster, node: int = 1) -> list[EntryKind]:
    """The kinds of all entries of a node's log that are not commands."""
    return [
        entry.kind for entry in cluster.storages[node].log if not entry.data or entry.kind != "EntryNormal"
    ]


def configurations(cluster: Cluster) -> set[str]:
    return {str(node.raft.configuration) for node in cluster.nodes.values()}


def test_a_change_counts_when_it_is_applied_and_not_before() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r3"))
    cluster.handle(1)

    assert str(leader.raft.configuration) == "voters=(1 2 3)"

    cluster.settle(without(3))

    assert str(leader.raft.configuration) == "voters=(1 2)"


def test_one_change_is_made_at_once_and_several_through_a_joint_configuration_left_by_itself() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r3"))
    cluster.settle()

    assert leader.raft.configuration == Configuration((1, 2))
    assert [entry.kind for entry in cluster.storages[1].log] == [EntryKind.NORMAL, EntryKind.CONF_CHANGE_V2]

    for node in (4, 5):
        cluster.add(node)
    leader.propose_conf_change(changes("v4 v5 l2"))
    cluster.settle()
    cluster[1].tick()
    cluster.settle()

    assert {str(cluster[n].raft.configuration) for n in (1, 2, 4, 5)} == {"voters=(1 4 5) learners=(2)"}
    assert len(cluster.storages[1].log) == 4, "the leader proposed to leave"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changes("l3", IMPLICIT), "voters=(1 2) learners=(3)"),
        (changes("l3", EXPLICIT), "voters=(1 2)&&(1 2 3) learners_next=(3)"),
        (changes("l3"), "voters=(1 2) learners=(3)"),
    ],
)
def test_how_each_transition_ends(change: ConfChange, expected: str) -> None:
    cluster = Cluster()
    cluster.elect(1).propose_conf_change(change)
    cluster.settle()
    cluster[1].tick()
    cluster.settle()

    assert configurations(cluster) == {expected}


def test_an_explicit_joint_configuration_stays_until_it_is_left_also_through_a_new_leader() -> None:
    cluster = Cluster()
    cluster.elect(1).propose_conf_change(changes("r1", EXPLICIT))
    cluster.settle()
    cluster.elect(2)
    cluster.settle()

    assert configurations(cluster) == {"voters=(2 3)&&(1 2 3)"}

    cluster[2].propose_conf_change(ConfChange())
    cluster.settle()

    assert str(cluster[2].raft.configuration) == "voters=(2 3)"


def leaves(m: RaftMessage) -> bool:
    """Whether the way out of a joint configuration is in a message."""
    return any(entry.data == ConfChange() for entry in m.entries)


def test_a_new_leader_leaves_a_joint_configuration_that_the_old_one_could_not() -> None:
    cluster = Cluster((1, 2, 3, 4, 5))
    cluster.elect(1).propose_conf_change(changes("l5", IMPLICIT))
    cluster.settle(leaves)

    assert cluster[2].raft.configuration.auto_leave
    cluster[2].campaign()
    cluster.settle(without(1))

    assert str(cluster[2].raft.configuration) == "voters=(1 2 3 4) learners=(5)"


def test_a_leader_that_hands_over_leaves_the_joint_configuration_to_its_successor() -> None:
    cluster = Cluster((1, 2, 3, 4))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("l4", IMPLICIT))
    leader.transfer_leader(2)
    cluster.settle()

    assert cluster.leaders() == [2]
    cluster[2].tick()
    cluster.settle()
    assert configurations(cluster) == {"voters=(1 2 3) learners=(4)"}


@pytest.mark.parametrize("first", ["v4", "v4 r3"])
def test_a_change_while_one_is_pending_is_emptied(first: str) -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes(first))
    leader.propose_conf_change(changes("v5"))
    cluster.handle(1)

    assert [entry.kind for entry in cluster.storages[1].log][1:] == [
        EntryKind.CONF_CHANGE_V2,
        EntryKind.NORMAL,
    ]


def test_changes_that_do_not_fit_a_joint_or_a_settled_configuration_are_emptied() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    for refused in (ConfChange(), changes("", EXPLICIT)):
        leader.propose_conf_change(refused)
        cluster.settle()
    leader.propose_conf_change(changes("l3", EXPLICIT))
    cluster.settle()
    for refused in (changes("v3"), changes("l2", EXPLICIT), changes("", EXPLICIT)):
        leader.propose_conf_change(refused)
        cluster.settle()

    normal, change = EntryKind.NORMAL, EntryKind.CONF_CHANGE_V2
    kinds = [entry.kind for entry in cluster.storages[1].log]
    assert kinds == [normal, normal, normal, change, normal, normal, normal]


def test_two_changes_in_one_forwarded_batch_do_not_both_get_in() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for text in ("v4", "v5"):
        cluster[2].propose_conf_change(changes(text))
    first, second = cluster.handle(2).messages
    cluster.wire.clear()
    cluster[1].step(RaftMessage(Kind.PROP, 1, 2, entries=first.entries + second.entries))
    cluster.handle(1)

    assert [entry.kind for entry in cluster.storages[1].log][1:] == [
        EntryKind.CONF_CHANGE_V2,
        EntryKind.NORMAL,
    ]


def test_validation_can_be_switched_off_and_an_impossible_change_then_fails_when_it_is_applied() -> None:
    cluster = Cluster((1,), disable_conf_change_validation=True)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("v2", EXPLICIT))
    leader.propose_conf_change(changes("v3"))
    with pytest.raises(ConfChangeError, match="joint"):
        cluster.settle()

    assert str(leader.raft.configuration) == "voters=(1 2)&&(1)", "the second changed nothing"


def test_a_change_that_leaves_no_voter_is_an_error_and_from_afar_an_empty_entry() -> None:
    cluster = Cluster((1,), (2,))
    leader = cluster.elect(1)
    with pytest.raises(ConfChangeError, match="removed all voters"):
        leader.propose_conf_change(changes("r1"))
    cluster[2].propose_conf_change(changes("r1"))
    cluster.settle()

    assert leader.raft.configuration == Configuration((1,), learners=(2,))
    assert [entry.kind for entry in cluster.storages[1].log] == [EntryKind.NORMAL] * 2


def test_the_older_form_holds_exactly_one_change() -> None:
    node = make_node()
    for change in (ConfChange(), changes("v4 v5"), changes("v4", EXPLICIT)):
        with pytest.raises(ScenarioError, match="exactly one change"):
            node.propose_conf_change(change, v1=True)


def test_node_0_stands_for_a_change_that_the_application_decided_against() -> None:
    node = make_node()
    node.apply_conf_change(ConfChange((Change(ChangeKind.VOTER, 0),)))

    assert node.raft.configuration.voters == (1, 2, 3)


def test_a_newcomer_with_nothing_catches_up_and_votes() -> None:
    cluster = Cluster((1, 2))
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle()
    cluster.compact(1)
    cluster.add(3)
    leader.propose_conf_change(changes("v3"))
    cluster.settle()
    leader.propose("b")
    cluster.settle(without(2))

    assert cluster.applied[3] == ["a", "b"], "1 and 3 are two of three"


def test_a_newcomer_waits_for_a_snapshot_that_knows_of_it() -> None:
    cluster = Cluster((1, 2))
    leader = cluster.elect(1)
    old = cluster.storages[1].latest
    cluster.add(3)
    leader.propose_conf_change(changes("v3"))
    cluster.settle(without(3))
    new, cluster.storages[1].latest = cluster.storages[1].latest, old
    leader.tick()
    cluster.settle()

    assert not [m for m in cluster.history if m.kind is Kind.SNAP], "it would refuse that one"

    cluster.storages[1].latest = new
    leader.tick()
    cluster.settle()

    assert cluster[3].raft.configuration == Configuration((1, 2, 3))


def test_a_leader_proposes_once_to_leave() -> None:
    cluster = Cluster(max_committed_size_per_ready=1)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("l3", IMPLICIT))
    leader.propose("a", "b", "c")
    cluster.settle()

    assert [entry.data for entry in cluster.storages[1].log] == [
        "",
        changes("l3", IMPLICIT),
        "a",
        "b",
        "c",
        ConfChange(),
    ]


def test_a_learner_follows_and_is_promoted() -> None:
    cluster = Cluster((1,), (2,))
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle()

    assert cluster.applied[2] == ["a"]
    assert cluster.progress(1, 2).is_learner

    leader.propose_conf_change(changes("v2"))
    cluster.settle()
    cluster.elect(2)

    assert cluster[2].raft.configuration == Configuration((1, 2))


def test_a_learner_that_does_not_know_of_its_promotion_helps_to_elect() -> None:
    """Without its vote nobody could be elected, and it would never hear of its promotion."""
    cluster = Cluster((1, 2), (3,))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("v3"))
    cluster.settle(without(3))
    assert cluster[3].raft.progress[3].is_learner
    cluster[2].campaign()
    cluster.settle(without(1))

    assert cluster.leaders() == [1, 2]
    assert cluster[2].raft.term > cluster[1].raft.term
    assert not cluster[3].raft.progress[3].is_learner


@pytest.mark.parametrize("cut", [(4, 5), (2, 3)])
def test_both_majorities_commit_in_a_joint_configuration(cut: tuple[int, int]) -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    for node in (4, 5):
        cluster.add(node)
    leader.propose_conf_change(changes("r2 r3 v4 v5", EXPLICIT))
    cluster.settle()
    leader.tick()
    cluster.settle()
    start = leader.raft.log.committed
    leader.propose("a")
    cluster.settle(without(*cut))

    assert leader.raft.log.committed == start

    leader.tick()
    cluster.settle(without(cut[0]))

    assert leader.raft.log.committed == start + 1


def test_the_next_configuration_may_have_a_majority_at_once() -> None:
    cluster = Cluster((1, 2, 3, 4))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r4"))
    leader.propose("a")
    cluster.settle(lambda m: 4 in (m.to, m.sender) or (m.to == 3 and any(e.data == "a" for e in m.entries)))

    assert leader.raft.log.committed == 4, "2 of 3, though it was 2 of 4 before the removal"
    assert cluster.applied[2] == ["a"]


@pytest.mark.parametrize("step_down", [False, True])
def test_a_removed_leader_steps_down_if_it_is_asked_to(step_down: bool) -> None:
    cluster = Cluster(step_down_on_removal=step_down)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r1"))
    cluster.settle()

    assert role(leader) is (Role.FOLLOWER if step_down else Role.LEADER)
    leader.campaign()
    assert role(leader) is not Role.CANDIDATE


def test_a_removed_leader_takes_no_proposals() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r1"))
    cluster.settle()
    with pytest.raises(Exception, match="raft proposal dropped"):
        leader.propose("a")


def test_a_demoted_leader_steps_down_too() -> None:
    cluster = Cluster(step_down_on_removal=True)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("l1"))
    cluster.settle()

    assert role(leader) is Role.FOLLOWER


def test_answers_of_a_removed_member_are_refused() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r3"))
    cluster.settle()
    with pytest.raises(PeerNotFoundError):
        leader.step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=3))


def test_a_snapshot_carries_a_joint_configuration() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("l3", EXPLICIT))
    cluster.settle()
    cluster.compact(1)
    cluster.add(4)
    cluster.compact(1)
    leader.propose_conf_change(ConfChange())
    cluster.settle()
    leader.propose_conf_change(changes("v4"))
    cluster.settle()

    assert str(cluster[4].raft.configuration) == "voters=(1 2 4) learners=(3)"
