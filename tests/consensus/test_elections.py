"""Terms, votes and campaigns: what is granted, what is ignored, what each side remembers."""

from typing import Any

import pytest

from consensus.raft.errors import ProposalDroppedError
from consensus.raft.messages import TRANSFER, Kind, RaftMessage
from consensus.raft.progress import ProgressState
from consensus.raft.records import NONE, Entry, EntryKind, HardState, Snapshot, Transition
from consensus.raft.state import Role
from tests.consensus.cluster import Cluster, changes, finish, kinds, make_node, role, sent, without

HEARTBEAT = RaftMessage(Kind.HEARTBEAT, 1, 2, 5)


def vote(
    sender: int = 2, term: int = 6, log_term: int = 1, index: int = 1, kind: Kind = Kind.VOTE
) -> RaftMessage:
    return RaftMessage(kind, 1, sender, term, log_term, index)


def pre_vote(sender: int = 2, term: int = 6, log_term: int = 1, index: int = 1) -> RaftMessage:
    return vote(sender, term, log_term, index, Kind.PRE_VOTE)


# ------------------------------------------------------------------------------------------------ terms


@pytest.mark.parametrize(
    "kind", [Kind.VOTE, Kind.APP_RESP, Kind.HEARTBEAT_RESP, Kind.VOTE_RESP, Kind.TIMEOUT_NOW]
)
def test_a_higher_term_clears_the_vote_and_tells_of_no_leader(kind: Kind) -> None:
    node = make_node(hard=HardState(5, vote=3, commit=1))
    node.step(RaftMessage(kind, 1, 2, 8, log_term=0, index=0))
    raft = node.raft

    assert raft.term >= 8
    assert raft.lead == NONE
    assert raft.vote in (NONE, raft.id)


@pytest.mark.parametrize(
    "message",
    [
        RaftMessage(Kind.APP, 1, 2, 8, 1, 1),
        RaftMessage(Kind.HEARTBEAT, 1, 2, 8),
        RaftMessage(Kind.SNAP, 1, 2, 8, snapshot=Snapshot(1, 1)),
    ],
)  # fmt: skip
def test_only_what_a_leader_says_tells_who_leads(message: RaftMessage) -> None:
    node = make_node()
    node.step(message)

    assert (node.raft.term, node.raft.lead, node.raft.role) == (8, 2, Role.FOLLOWER)


def test_a_higher_term_deposes_a_leader() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[1].step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 9))

    assert (cluster[1].raft.role, cluster[1].raft.term, cluster[1].raft.lead) == (Role.FOLLOWER, 9, NONE)


@pytest.mark.parametrize("message", [pre_vote(term=9), RaftMessage(Kind.PRE_VOTE_RESP, 1, 2, 9)])
def test_pre_votes_and_their_grants_change_no_term(message: RaftMessage) -> None:
    node = make_node(hard=HardState(5, vote=3, commit=1))
    node.step(message)

    assert (node.raft.term, node.raft.vote) == (5, 3)


def test_a_refused_pre_vote_brings_its_term() -> None:
    node = make_node(hard=HardState(5, commit=1), pre_vote=True)
    node.campaign()
    node.step(RaftMessage(Kind.PRE_VOTE_RESP, 1, 2, 9, reject=True))

    assert (node.raft.term, node.raft.role) == (9, Role.FOLLOWER)


@pytest.mark.parametrize("kind", [Kind.APP, Kind.HEARTBEAT])
@pytest.mark.parametrize(
    ("settings", "answers"),
    [({}, []), ({"check_quorum": True}, [(Kind.APP_RESP, 2)]), ({"pre_vote": True}, [(Kind.APP_RESP, 2)])],
)
def test_a_stale_leader_is_told_only_where_it_might_hold_up_everybody(
    kind: Kind, settings: dict[str, Any], answers: list[tuple[Kind, int]]
) -> None:
    node = make_node(hard=HardState(5, commit=1), **settings)
    node.step(RaftMessage(kind, 1, 2, 4, 1, 1, (Entry(4, 2),)))
    messages = sent(node)

    assert kinds(messages) == answers
    assert [(m.term, m.index, m.reject) for m in messages] == [(5, 0, False)] * len(answers)
    assert node.raft.log.last_index() == 1, "stale entries are not taken"


def test_a_stale_leader_that_is_told_steps_down() -> None:
    cluster = Cluster(check_quorum=True)
    cluster.elect(1)
    for _ in range(3):
        cluster[3].campaign()
    assert cluster[3].raft.term == 4
    cluster.settle(lambda m: m.kind is Kind.VOTE)  # cut off: nobody hears that it campaigns
    cluster[1].tick()
    cluster.settle()

    assert role(cluster[1]) is Role.FOLLOWER
    assert cluster[1].raft.term == 4, "the next election includes the one that was stuck"


def test_a_stale_vote_request_is_ignored_and_a_stale_pre_vote_refused() -> None:
    node = make_node(hard=HardState(5, commit=1))
    node.step(vote(term=4))

    assert sent(node) == []

    node.step(pre_vote(term=4))

    assert [(m.kind, m.term, m.reject) for m in sent(node)] == [(Kind.PRE_VOTE_RESP, 5, True)]


# ------------------------------------------------------------------------------------------------ votes


def test_one_vote_in_a_term_and_the_same_again_for_the_same_candidate() -> None:
    node = make_node(hard=HardState(5, commit=1))
    for sender in (2, 3, 2):
        node.step(vote(sender))
    answers = sent(node)

    assert [(m.to, m.reject) for m in answers] == [(2, False), (3, True), (2, False)]
    assert node.raft.vote == 2


def test_a_vote_outlives_a_crash() -> None:
    cluster = Cluster()
    cluster[1].step(vote(2))
    cluster.handle(1)
    cluster.start(1).step(vote(3))

    assert [(m.to, m.reject) for m in sent(cluster[1])] == [(3, True)]


def test_no_vote_against_a_leader_of_the_same_term() -> None:
    node = make_node(hard=HardState(5, commit=1))
    node.step(HEARTBEAT)
    sent(node)
    node.step(vote(3, term=5))

    assert [m.reject for m in sent(node)] == [True]


@pytest.mark.parametrize(
    ("log_term", "index", "granted"),
    [(2, 2, False), (3, 2, False), (3, 3, True), (3, 9, True), (4, 1, True), (2, 99, False)],
)
@pytest.mark.parametrize("kind", [Kind.VOTE, Kind.PRE_VOTE])
def test_only_a_log_at_least_as_fresh_gets_a_vote(
    log_term: int, index: int, granted: bool, kind: Kind
) -> None:
    node = make_node(terms=(2, 3))
    node.step(vote(2, 9, log_term, index, kind))

    assert [not m.reject for m in sent(node)] == [granted]


def test_a_grant_carries_the_candidates_term_and_a_rejection_our_own() -> None:
    node = make_node(terms=(2, 3))
    node.step(pre_vote(2, 9, 3, 3))
    node.step(pre_vote(3, 9, 1, 1))

    assert [(m.to, m.term) for m in sent(node)] == [(2, 9), (3, 3)]


def test_a_grant_restarts_the_timer_and_neither_rejection_nor_pre_vote_does() -> None:
    node = make_node(terms=(2, 3))
    node.tick(7)
    node.step(vote(3, 3, 1, 1))
    node.step(pre_vote(2, 9, 3, 3))

    assert node.raft.election_elapsed == 7

    node.step(vote(2, 3, 3, 3))

    assert node.raft.election_elapsed == 0


def test_a_pre_vote_is_free_for_any_later_term_and_recorded_nowhere() -> None:
    node = make_node(hard=HardState(5, vote=3, commit=1))
    node.step(pre_vote(2, 6))
    node.step(pre_vote(3, 6))
    node.step(pre_vote(2, 5))

    assert [m.reject for m in sent(node)] == [False, False, True]
    assert (node.raft.term, node.raft.vote) == (5, 3)


@pytest.mark.parametrize("kind", [Kind.VOTE, Kind.PRE_VOTE])
def test_who_hears_a_leader_ignores_candidates_until_the_shortest_timeout_is_over(kind: Kind) -> None:
    node = make_node(hard=HardState(5, commit=1), check_quorum=True, election_tick=10)
    node.raft.election_timeout = 19
    node.step(HEARTBEAT)
    sent(node)
    node.tick(9)
    node.step(vote(3, 6, 1, 1, kind))

    assert (sent(node), node.raft.term) == ([], 5)

    node.tick()
    node.step(vote(3, 6, 1, 1, kind))

    assert [m.reject for m in sent(node)] == [False]


def test_without_check_quorum_nobody_is_ignored() -> None:
    node = make_node(hard=HardState(5, commit=1))
    node.step(HEARTBEAT)
    sent(node)
    node.step(vote(3, 6))

    assert [m.reject for m in sent(node)] == [False]


def test_a_candidate_that_the_leader_sent_is_not_ignored() -> None:
    node = make_node(hard=HardState(5, commit=1), check_quorum=True)
    node.step(HEARTBEAT)
    sent(node)
    node.step(RaftMessage(Kind.VOTE, 1, 3, 6, 1, 1, context=TRANSFER))

    assert [m.reject for m in sent(node)] == [False]


def test_a_learner_votes_because_its_promotion_may_be_committed_unknown_to_it() -> None:
    node = make_node(1, voters=(2, 3), learners=(1,))
    node.step(vote(2))

    assert [m.reject for m in sent(node)] == [False]


# -------------------------------------------------------------------------------------------- campaigns


def test_requests_go_out_in_order_of_ids() -> None:
    node = make_node(3, voters=(1, 2, 3, 4, 5))
    node.campaign()

    assert kinds(sent(node)) == [(Kind.VOTE, to) for to in (1, 2, 4, 5)]


def test_a_candidates_own_vote_counts_only_once_it_is_durable() -> None:
    node = make_node(1, voters=(1,))
    node.campaign()
    ready = node.ready()

    assert ready.must_sync
    assert ready.hard_state == HardState(2, 1, 1)
    assert role(node) is Role.CANDIDATE

    node.advance()

    assert role(node) is Role.LEADER


def test_a_pre_vote_asks_for_the_next_term_without_entering_it() -> None:
    cluster = Cluster(pre_vote=True)
    cluster[1].campaign()
    requests = cluster.handle(1).messages

    assert [(m.kind, m.term) for m in requests] == [(Kind.PRE_VOTE, 1)] * 2
    assert cluster[1].raft.term == 0
    assert role(cluster[1]) is Role.PRE_CANDIDATE

    cluster.settle()

    assert (cluster.leaders(), cluster[1].raft.term) == ([1], 1)


def test_a_partitioned_node_with_pre_vote_disturbs_nobody_when_it_returns() -> None:
    cluster = Cluster(pre_vote=True, check_quorum=True)
    cluster.elect(1)
    for _ in range(10):
        cluster[3].tick(25)
        cluster.settle(without(3))
    for _ in range(3):
        cluster[1].tick()
        cluster.settle()

    assert (cluster.leaders(), cluster[1].raft.term) == ([1], 1)
    assert cluster[3].raft.lead == 1


def test_a_partitioned_node_without_pre_vote_raises_its_term_again_and_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for _ in range(10):
        cluster[3].tick(25)
        cluster.settle(without(3))

    assert cluster[3].raft.term > 10, "else the test above would not show anything"


@pytest.mark.parametrize("pre_vote", [False, True])
def test_a_lost_vote_ends_the_campaign(pre_vote: bool) -> None:
    node = make_node(1, hard=HardState(5, commit=1), pre_vote=pre_vote)
    node.campaign()
    sent(node)
    kind, term = (Kind.PRE_VOTE_RESP, 5) if pre_vote else (Kind.VOTE_RESP, 6)
    for sender in (2, 3):
        node.step(RaftMessage(kind, 1, sender, term, reject=True))

    assert role(node) is Role.FOLLOWER


def test_the_first_answer_of_a_voter_counts() -> None:
    node = make_node(1, voters=(1, 2, 3, 4, 5))
    node.campaign()
    sent(node)
    for _ in range(3):
        node.step(RaftMessage(Kind.VOTE_RESP, 1, 2, node.raft.term))

    assert role(node) is Role.CANDIDATE, "two of five, however often they say so"


def test_a_vote_once_given_is_not_taken_back() -> None:
    node = make_node(1, voters=(1, 2, 3, 4, 5))
    node.campaign()
    sent(node)
    for sender, reject in ((2, False), (2, True), (3, False)):
        node.step(RaftMessage(Kind.VOTE_RESP, 1, sender, node.raft.term, reject=reject))

    assert role(node) is Role.LEADER


def test_pre_votes_of_an_earlier_round_do_not_count() -> None:
    node = make_node(1, voters=(1, 2, 3, 4, 5), pre_vote=True)
    for sender in (2, 3):
        node.campaign()
        sent(node)
        node.step(RaftMessage(Kind.PRE_VOTE_RESP, 1, sender, node.raft.term + 1))

    assert role(node) is Role.PRE_CANDIDATE


@pytest.mark.parametrize("pre_vote", [False, True])
def test_who_campaigns_follows_nobody(pre_vote: bool) -> None:
    node = make_node(1, hard=HardState(5, commit=1), pre_vote=pre_vote)
    node.step(HEARTBEAT)
    node.campaign()

    assert node.raft.lead == NONE


@pytest.mark.parametrize("kind", [Kind.APP, Kind.HEARTBEAT])
def test_a_candidate_that_hears_of_a_leader_of_its_term_follows_it(kind: Kind) -> None:
    node = make_node(1, hard=HardState(5, commit=1))
    node.campaign()
    node.step(RaftMessage(kind, 1, 2, 6, 1, 1))

    assert (node.raft.role, node.raft.lead, node.raft.vote) == (Role.FOLLOWER, 2, 1)


@pytest.mark.parametrize("kind", [Kind.APP, Kind.HEARTBEAT])
def test_hearing_the_leader_restarts_the_timer(kind: Kind) -> None:
    node = make_node(1, hard=HardState(5, commit=1))
    node.tick(7)
    node.step(RaftMessage(kind, 1, 2, 5, 1, 1))

    assert node.raft.election_elapsed == 0


def test_a_timeout_that_leads_to_no_new_term_restarts_the_timer_too() -> None:
    node = make_node(1, pre_vote=True)
    node.tick(node.raft.election_timeout)

    assert (node.raft.role, node.raft.election_elapsed) == (Role.PRE_CANDIDATE, 0)


def test_answers_to_an_election_of_before_do_not_count() -> None:
    node = make_node(1, hard=HardState(5, commit=1))
    node.campaign()
    node.campaign()
    sent(node)
    node.step(RaftMessage(Kind.VOTE_RESP, 1, 2, 6))

    assert (node.raft.term, node.raft.role) == (7, Role.CANDIDATE)


def test_a_joint_election_needs_both_majorities() -> None:
    cluster = Cluster((1, 2, 3))
    leader = cluster.elect(1)
    for node in (4, 5):
        cluster.add(node)
    leader.propose_conf_change(changes("r2 r3 v4 v5", Transition.EXPLICIT))
    cluster.settle()
    assert str(leader.raft.configuration) == "voters=(1 4 5)&&(1 2 3)"

    cluster[1].step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 9))  # deposes it
    cluster[1].campaign()
    cluster.settle(without(2, 3))

    assert cluster.leaders() == [], "the new voters alone do not elect"

    cluster[1].campaign()
    cluster.settle(without(4, 3))

    assert cluster.leaders() == [1]


def test_learners_and_outsiders_do_not_campaign() -> None:
    for node in (make_node(4, voters=(1, 2, 3), learners=(4,)), make_node(9, voters=(1, 2, 3))):
        node.campaign()
        node.tick(1_000)
        assert (sent(node), node.raft.role) == ([], Role.FOLLOWER)
        assert node.ticks_until_due() is None


def test_nobody_campaigns_with_a_snapshot_on_its_way_to_disk() -> None:
    node = make_node(1)
    configuration = node.raft.configuration
    node.step(RaftMessage(Kind.SNAP, 1, 2, 3, snapshot=Snapshot(9, 3, configuration)))
    node.campaign()

    assert role(node) is Role.FOLLOWER

    sent(node)
    node.campaign()

    assert role(node) is Role.CANDIDATE


def test_nobody_campaigns_with_a_committed_change_that_is_not_applied() -> None:
    """Who votes is not known before it is applied."""
    node = make_node(1, async_storage_writes=True)
    entry = Entry(3, 2, changes("v4"), EntryKind.CONF_CHANGE_V2)
    node.step(RaftMessage(Kind.APP, 1, 2, 3, 1, 1, (entry,), commit=2))
    node.campaign()

    assert role(node) is Role.FOLLOWER


def test_a_winner_starts_with_an_empty_entry_and_probes_all_others() -> None:
    node = make_node(1, terms=(2, 3))
    node.campaign()
    sent(node)
    node.step(RaftMessage(Kind.VOTE_RESP, 1, 3, node.raft.term))
    assert str(node.raft.progress[1]) == "StateReplicate match=3 next=4"
    ready = finish(node)

    assert ready.entries == (Entry(4, 4),)
    assert [(m.kind, m.to, m.log_term, m.index, m.entries) for m in ready.messages] == [
        (Kind.APP, to, 3, 3, ready.entries) for to in (2, 3)
    ]
    for peer in (2, 3):
        progress = node.raft.progress[peer]
        assert (progress.state, progress.match, progress.next) == (ProgressState.PROBE, 0, 4)
        assert not progress.recent_active


def test_a_new_leader_takes_no_membership_change_before_the_log_so_far_is_applied() -> None:
    node = make_node(1, terms=(2, 3))
    node.campaign()
    sent(node)
    node.step(RaftMessage(Kind.VOTE_RESP, 1, 3, node.raft.term))
    node.propose_conf_change(changes("v4"))

    assert [entry.kind for entry in finish(node).entries] == [EntryKind.NORMAL] * 2


def test_timeouts_are_drawn_anew_and_lie_between_once_and_twice_the_setting() -> None:
    node = make_node(1, election_tick=10)
    drawn = set()
    for term in range(2, 200):
        node.step(RaftMessage(Kind.HEARTBEAT, 1, 2, term))
        drawn.add(node.raft.election_timeout)

    assert drawn == set(range(10, 20))


# -------------------------------------------------------------------------- check quorum, transfer, forget


@pytest.mark.parametrize(("spread", "longest"), [(0, 10), (3, 12), (None, 19)])
def test_how_far_timeouts_lie_apart_is_a_setting(spread: int | None, longest: int) -> None:
    node = make_node(election_tick=10, election_spread=spread)
    drawn = []
    for _ in range(100):
        node.campaign()
        drawn.append(node.raft.election_timeout)
    assert (min(drawn), max(drawn)) == (10, longest)


@pytest.mark.parametrize(
    ("keep_timer", "index", "elapsed"), [(True, 1, 7), (False, 1, 0), (True, 2, 0), (False, 2, 0)]
)
def test_by_the_papers_rule_a_request_that_gets_no_vote_restarts_no_timer(
    keep_timer: bool, index: int, elapsed: int
) -> None:
    node = make_node(terms=(1,), keep_timer=keep_timer)
    node.tick(7)
    timeout = node.raft.election_timeout
    node.step(vote(term=9, log_term=1, index=index))
    assert (node.raft.term, node.raft.vote) == (9, 2 if index == 2 else NONE)
    assert node.raft.election_elapsed == elapsed
    assert elapsed == 0 or node.raft.election_timeout == timeout


def test_a_leader_that_hears_no_quorum_steps_down() -> None:
    cluster = Cluster((1, 2, 3), check_quorum=True)
    leader = cluster.elect(1)
    leader.tick(10)
    cluster.settle(without(2, 3))

    assert role(leader) is Role.LEADER, "they were active until now"

    leader.tick(10)

    assert (leader.raft.role, leader.raft.lead, leader.raft.term) == (Role.FOLLOWER, NONE, 1)


def test_a_leader_that_hears_a_quorum_stays() -> None:
    cluster = Cluster((1, 2, 3), check_quorum=True)
    leader = cluster.elect(1)
    for _ in range(50):
        leader.tick()
        cluster.settle(without(3))

    assert role(leader) is Role.LEADER
    assert not cluster.progress(1, 3).recent_active


def test_a_new_member_counts_as_active_until_the_next_check() -> None:
    cluster = Cluster((1,), check_quorum=True)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("v2"))
    cluster.settle()
    leader.tick(10)

    assert role(leader) is Role.LEADER

    leader.tick(10)

    assert role(leader) is Role.FOLLOWER


def test_leadership_moves_to_one_that_has_the_whole_log() -> None:
    cluster = Cluster((1, 2, 3), pre_vote=True, check_quorum=True)
    leader = cluster.elect(1)
    leader.transfer_leader(2)

    assert kinds(cluster.handle(1).messages) == [(Kind.TIMEOUT_NOW, 2)]

    cluster.settle()

    assert (cluster.leaders(), cluster[2].raft.term) == ([2], 2)
    assert not [m for m in cluster.history if m.kind is Kind.PRE_VOTE and m.sender == 2], "it is wanted"


def test_a_transfer_waits_until_the_target_has_caught_up_and_takes_no_proposals_meanwhile() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle(without(2))
    leader.transfer_leader(2)

    with pytest.raises(ProposalDroppedError):
        leader.propose("b")
    assert Kind.TIMEOUT_NOW not in [m.kind for m in cluster.handle(1).messages]

    leader.tick()
    cluster.settle()

    assert cluster.leaders() == [2]
    assert cluster.applied == {1: ["a"], 2: ["a"], 3: ["a"]}


def test_a_follower_sends_the_wish_for_a_transfer_on() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[3].transfer_leader(2)
    cluster.settle()

    assert cluster.leaders() == [2]


def test_a_transfer_is_given_up_after_an_election_timeout() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.transfer_leader(2)
    cluster.settle(without(2))
    leader.tick(9)

    assert leader.raft.transferee == 2

    leader.tick()

    assert leader.raft.transferee == NONE
    leader.propose("again")


@pytest.mark.parametrize("target", [1, 4, 9])
def test_a_transfer_to_oneself_to_a_learner_or_to_a_stranger_is_ignored(target: int) -> None:
    cluster = Cluster((1, 2, 3), (4,))
    leader = cluster.elect(1)
    leader.transfer_leader(target)

    assert leader.raft.transferee == NONE


def test_a_transfer_has_a_whole_election_timeout_and_asking_again_gives_no_more() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.tick(9)
    leader.transfer_leader(2)
    leader.tick(5)
    leader.transfer_leader(2)
    leader.tick(4)

    assert leader.raft.transferee == 2

    leader.tick()

    assert leader.raft.transferee == NONE


def test_the_target_is_sent_what_it_lacks_at_once_and_campaigns_only_with_all_of_it() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose("a", "b")
    cluster.settle(without(2))
    leader.report_unreachable(2)
    leader.transfer_leader(2)

    assert kinds(cluster.handle(1).messages) == [(Kind.APP, 2)]

    cluster.wire.clear()
    leader.step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=3))

    assert Kind.TIMEOUT_NOW not in [m.kind for m in cluster.handle(1).messages]

    leader.step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=4))

    assert kinds(cluster.handle(1).messages) == [(Kind.TIMEOUT_NOW, 2)]


def test_a_transfer_to_the_leader_itself_calls_an_earlier_one_off() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.transfer_leader(2)
    leader.transfer_leader(1)

    assert leader.raft.transferee == NONE


def test_a_leader_that_was_deposed_during_a_transfer_takes_proposals_when_it_leads_again() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.transfer_leader(2)
    cluster.settle()
    cluster.elect(1).propose("a")
    cluster.settle()

    assert cluster.applied[3] == ["a"]


def test_a_transfer_ends_when_its_target_leaves() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r2"))
    leader.transfer_leader(2)
    cluster.settle(lambda m: m.kind is Kind.TIMEOUT_NOW)

    assert leader.raft.transferee == NONE
    assert leader.raft.configuration.voters == (1, 3)


def test_a_second_transfer_replaces_the_first() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.transfer_leader(2)
    leader.transfer_leader(3)

    assert leader.raft.transferee == 3


def test_forgetting_the_leader_frees_the_vote_and_leaves_the_timer_alone() -> None:
    node = make_node(hard=HardState(5, commit=1), check_quorum=True)
    node.step(HEARTBEAT)
    node.tick(3)
    node.forget_leader()

    assert (node.raft.lead, node.raft.term, node.raft.election_elapsed) == (NONE, 5, 3)

    sent(node)
    node.step(vote(3, 6))

    assert [m.reject for m in sent(node)] == [False]
