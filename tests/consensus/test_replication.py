"""The log on its way: anchors and hints, probing and pipelining, windows, snapshots, and when an entry is committed."""

import pytest
from hypothesis import given, strategies as st

from consensus.raft.errors import LocalMessageError, PeerNotFoundError, ProposalDroppedError
from consensus.raft.messages import APPEND_THREAD, APPLY_THREAD, Kind, RaftMessage, StorageMessage
from consensus.raft.progress import ProgressState
from consensus.raft.records import ENTRY_BYTES, Configuration, Entry, EntryKind, HardState, Snapshot
from consensus.raft.state import Role
from tests.consensus.cluster import FIRST, Cluster, changes, finish, make_node, sent, storage_of, without

TERMS = st.lists(st.integers(1, 5), max_size=7).map(sorted)
TAILS = st.lists(st.integers(1, 3), max_size=5).map(sorted)


def append(
    term: int, log_term: int, index: int, *entries: Entry, commit: int = 0, sender: int = 2
) -> RaftMessage:
    return RaftMessage(Kind.APP, 1, sender, term, log_term, index, entries, commit)


def answers(messages: list[RaftMessage]) -> list[tuple[int, bool, int, int]]:
    """Index, whether refused, hint and hint's term of each append answer."""
    return [(m.index, m.reject, m.reject_hint, m.log_term) for m in messages if m.kind is Kind.APP_RESP]


# --------------------------------------------------------------------------------------- the follower's side


def test_a_matching_append_is_written_before_it_is_answered() -> None:
    node = make_node(terms=(1, 1))
    node.step(append(2, 1, 3, Entry(2, 4, "a"), commit=3))
    ready = node.ready()

    assert (ready.entries, ready.must_sync) == ((Entry(2, 4, "a"),), True)
    assert answers(list(ready.messages)) == [(4, False, 0, 0)]
    assert ready.hard_state == HardState(2, 0, 3)
    assert [entry.index for entry in ready.committed_entries] == [2, 3]


def test_an_append_before_the_commit_index_is_answered_with_it() -> None:
    node = make_node(terms=(1, 1), hard=HardState(2, commit=3))
    node.step(append(2, 1, 2))

    assert answers(sent(node)) == [(3, False, 0, 0)]


def test_a_refusal_names_the_last_place_where_both_logs_may_agree() -> None:
    node = make_node(terms=(1, 3, 3, 3))
    node.step(append(6, 5, 9))
    node.step(append(6, 2, 5))

    assert answers(sent(node)) == [(9, True, 5, 3), (5, True, 2, 1)]


def test_a_heartbeat_commits_and_its_answer_repeats_the_context() -> None:
    node = make_node(terms=(1, 1))
    node.step(RaftMessage(Kind.HEARTBEAT, 1, 2, 2, commit=2, context="round 7"))
    (answer,) = sent(node)

    assert (answer.kind, answer.context, node.raft.log.committed) == (Kind.HEARTBEAT_RESP, "round 7", 2)


def test_a_snapshot_takes_the_place_of_an_older_log() -> None:
    node = make_node(terms=(1, 1))
    configuration = Configuration((1, 2, 4))
    node.step(RaftMessage(Kind.SNAP, 1, 2, 6, snapshot=Snapshot(9, 5, configuration, "state")))
    ready = finish(node)

    assert ready.snapshot == Snapshot(9, 5, configuration, "state")
    assert answers(list(ready.messages)) == [(9, False, 0, 0)]
    assert node.raft.configuration == configuration
    assert (node.raft.log.first_index(), node.raft.log.applied) == (10, 9)


@pytest.mark.parametrize(
    ("snapshot", "index"),
    [
        (Snapshot(1, 0, Configuration((1, 2, 3))), 1),  # what is committed here is at least as much
        (Snapshot(9, 5, Configuration((2, 3))), 1),  # we are not in it
        (Snapshot(3, 1, Configuration((1, 2, 3))), 3),  # we have all of it: only the commit index follows
    ],
)
def test_a_snapshot_that_is_of_no_use_leaves_the_log_alone(snapshot: Snapshot, index: int) -> None:
    node = make_node(terms=(1, 1, 1))
    node.step(RaftMessage(Kind.SNAP, 1, 2, 6, snapshot=snapshot))
    ready = finish(node)

    assert ready.snapshot is None
    assert answers(list(ready.messages)) == [(index, False, 0, 0)]
    assert node.raft.log.last_index() == 4


# ------------------------------------------------------------------------------------------- finding agreement


@given(TERMS, TAILS, TAILS)
def test_the_leader_finds_the_common_prefix_whatever_both_logs_hold(
    common: list[int], odd: list[int], even: list[int]
) -> None:
    """Behind what is common the logs hold entries of different leaders: equal terms there would contradict Raft."""
    last = common[-1] if common else 1
    ours = common + [last + 2 * step - 1 for step in odd]
    theirs = common + [last + 2 * step for step in even]
    configuration = Configuration((1, 2))
    cluster = Cluster(())
    cluster.add(1, storage_of(configuration, ours, HardState(20, commit=1)))
    cluster.add(2, storage_of(configuration, theirs, HardState(20, commit=1)))
    fresher = 1 if (ours[-1:] or [0], len(ours)) >= (theirs[-1:] or [0], len(theirs)) else 2
    cluster.elect(fresher)
    cluster[fresher].tick()
    cluster.settle()

    logs = [one.raft.log.entries_from(FIRST) for one in cluster.nodes.values()]
    assert logs[0] == logs[1]
    assert cluster[1].raft.log.committed == cluster[2].raft.log.committed == len(logs[0]) + 1


def test_a_long_divergent_tail_costs_one_round_for_each_term_and_not_for_each_entry() -> None:
    configuration = Configuration((1, 2))
    cluster = Cluster(())
    cluster.add(1, storage_of(configuration, [1] + [5] * 100, HardState(9, commit=1)))
    cluster.add(2, storage_of(configuration, [1] + [3] * 100, HardState(9, commit=1)))
    cluster.elect(1)

    assert sum(m.reject for m in cluster.history) <= 2
    assert cluster.storages[1].log == cluster.storages[2].log


# ------------------------------------------------------------------------------------ probing and pipelining


def leader_of_three(**settings: object) -> Cluster:
    cluster = Cluster(**settings)  # type: ignore[arg-type]
    cluster.elect(1)
    cluster.history.clear()
    return cluster


def appends(cluster: Cluster, to: int = 2) -> list[tuple[int, ...]]:
    """The indexes in each append that the leader has sent to a follower."""
    return [tuple(e.index for e in m.entries) for m in cluster.history if m.kind is Kind.APP and m.to == to]


def test_a_probe_sends_one_append_and_waits_for_a_sign_of_life() -> None:
    cluster = leader_of_three()
    cluster[1].report_unreachable(2)
    for command in "abc":
        cluster[1].propose(command)
    cluster.handle(1)

    assert appends(cluster) == [(3,)]

    cluster[1].step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 1))
    cluster.handle(1)

    assert appends(cluster) == [(3,), (3, 4, 5)]


def test_replicating_does_not_wait_for_answers() -> None:
    cluster = leader_of_three()
    for command in "abc":
        cluster[1].propose(command)
    cluster.handle(1)

    assert appends(cluster) == [(3,), (4,), (5,)]


def test_several_commands_in_one_proposal_make_one_append() -> None:
    cluster = leader_of_three()
    cluster[1].propose(*"abcd")
    cluster.handle(1)

    assert appends(cluster) == [(3, 4, 5, 6)]


def test_a_full_window_lets_one_empty_append_pass_for_each_heartbeat_that_is_answered() -> None:
    cluster = leader_of_three(max_inflight_msgs=2)
    for command in "abcd":
        cluster[1].propose(command)
    cluster.handle(1)

    assert appends(cluster) == [(3,), (4,)]
    assert cluster.progress(1, 2).paused

    for expected in ([(), (3,), (4,)], [(), (), (3,), (4,)]):
        cluster[1].step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 1))
        cluster.handle(1)
        assert sorted(appends(cluster)) == expected


def test_an_answer_opens_the_window_for_as_much_as_fits() -> None:
    cluster = leader_of_three(max_inflight_msgs=2, max_size_per_msg=ENTRY_BYTES + 1)
    for command in "abcdef":
        cluster[1].propose(command)
    cluster.handle(1)
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=4))
    cluster.handle(1)

    assert appends(cluster) == [(3,), (4,), (5,), (6,)], (
        "two were answered, so two follow, each within its size"
    )


def test_the_window_also_counts_bytes() -> None:
    cluster = leader_of_three(max_inflight_bytes=5, max_size_per_msg=4)
    for command in ("four", "more", "last"):
        cluster[1].propose(command)
    cluster.handle(1)

    assert appends(cluster) == [(3,), (4,)], "the second overshoots, the third waits"


def test_a_message_holds_no_more_than_its_size_but_at_least_one_entry() -> None:
    cluster = leader_of_three(max_size_per_msg=2 * (ENTRY_BYTES + 1))
    cluster[1].propose("a", "b", "c", "much longer than any message may be, which does not keep it back", "e")
    cluster.handle(1)

    assert appends(cluster) == [(3, 4)]

    cluster.settle()

    assert appends(cluster)[:4] == [(3, 4), (5,), (6,), (7,)]
    assert len(cluster.applied[2]) == 5


def test_a_refusal_while_replicating_goes_back_to_what_matches_and_probes() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster[1].propose("b")
    cluster.handle(1)
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=3, reject=True, reject_hint=2, log_term=1))
    progress = cluster.progress(1, 2)

    assert (progress.state, progress.next, progress.paused) == (ProgressState.PROBE, 3, True)


def test_refusals_that_are_echoes_are_ignored() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster.settle()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=2, reject=True, reject_hint=1, log_term=1))

    assert cluster.progress(1, 2).state is ProgressState.REPLICATE


def test_an_answer_that_tells_nothing_new_still_ends_probing() -> None:
    cluster = leader_of_three()
    cluster[1].report_unreachable(2)
    match = cluster.progress(1, 2).match
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=match))

    assert cluster.progress(1, 2).state is ProgressState.REPLICATE


def test_a_heartbeats_answer_makes_a_probe_go_on_even_where_nothing_is_missing() -> None:
    cluster = leader_of_three()
    cluster[1].report_unreachable(2)
    cluster[1].step(RaftMessage(Kind.HEARTBEAT_RESP, 1, 2, 1))
    cluster.handle(1)

    assert appends(cluster) == [()]


def test_unreachable_stops_the_pipeline() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster[1].report_unreachable(2)
    cluster[1].report_unreachable(9)

    assert cluster.progress(1, 2).state is ProgressState.PROBE
    assert cluster.progress(1, 2).next == cluster.progress(1, 2).match + 1


def test_lost_appends_are_sent_again() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster.settle(without(2))
    cluster[1].propose("b")
    cluster.settle()
    cluster[1].tick()
    cluster.settle()

    assert cluster.applied[2] == ["a", "b"]


# ---------------------------------------------------------------------------------------------- snapshots


def cluster_that_needs_a_snapshot() -> Cluster:
    cluster = leader_of_three()
    for command in "abc":
        cluster[1].propose(command)
        cluster.settle(without(3))
    cluster.compact(1)
    return cluster


def test_who_lags_behind_the_log_gets_a_snapshot_and_then_the_rest() -> None:
    cluster = cluster_that_needs_a_snapshot()
    cluster[1].tick()
    cluster.settle()
    cluster[1].propose("d")
    cluster.settle()

    assert [m.to for m in cluster.history if m.kind is Kind.SNAP] == [3]
    assert cluster.applied[3] == ["a", "b", "c", "d"]
    assert cluster.progress(1, 3).state is ProgressState.REPLICATE


def test_no_snapshot_goes_to_somebody_who_is_not_heard() -> None:
    cluster = cluster_that_needs_a_snapshot()
    cluster.progress(1, 3).become_probe()
    cluster.progress(1, 3).recent_active = False
    cluster[1].propose("d")
    cluster.settle(without(3))

    assert not [m for m in cluster.history if m.kind is Kind.SNAP]


def test_nothing_else_is_sent_while_a_snapshot_is_on_its_way() -> None:
    cluster = cluster_that_needs_a_snapshot()
    cluster[1].tick()
    cluster.settle(lambda m: m.kind is Kind.SNAP)
    before = len(appends(cluster, 3))
    cluster[1].propose("d")
    cluster.settle(without(3))

    assert cluster.progress(1, 3).state is ProgressState.SNAPSHOT
    assert len(appends(cluster, 3)) == before


@pytest.mark.parametrize(("delivered", "next"), [(True, 6), (False, 3)])
def test_probing_goes_on_after_a_report_about_the_snapshot(delivered: bool, next: int) -> None:
    cluster = cluster_that_needs_a_snapshot()
    cluster[1].tick()
    cluster.settle(lambda m: m.kind is Kind.SNAP)
    cluster[1].report_snapshot(3, delivered)
    progress = cluster.progress(1, 3)

    assert (progress.state, progress.next, progress.paused) == (ProgressState.PROBE, next, True)

    cluster[1].report_snapshot(2, delivered)

    assert cluster.progress(1, 2).state is ProgressState.REPLICATE, "none was sent to it"


def test_any_answer_that_reaches_the_leaders_log_ends_the_wait_for_a_snapshot() -> None:
    cluster = cluster_that_needs_a_snapshot()
    cluster[1].tick()
    cluster.settle(lambda m: m.kind is Kind.SNAP)
    cluster[1].propose("d")
    cluster.settle(without(3))
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=4))

    assert cluster.progress(1, 3).state is ProgressState.SNAPSHOT, "the log begins at 6"
    assert Kind.SNAP not in [m.kind for m in cluster.handle(1).messages]

    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=5))

    assert cluster.progress(1, 3).state is ProgressState.REPLICATE


def test_a_storage_without_a_snapshot_at_hand_is_asked_again() -> None:
    cluster = cluster_that_needs_a_snapshot()
    latest, cluster.storages[1].latest = cluster.storages[1].latest, Snapshot()
    cluster[1].tick()
    cluster.settle()

    assert not [m for m in cluster.history if m.kind is Kind.SNAP]

    cluster.storages[1].latest = latest
    cluster[1].tick()
    cluster.settle()

    assert cluster.applied[3] == ["a", "b", "c"]


# --------------------------------------------------------------------------------------------- committing


def test_an_entry_is_committed_once_a_majority_has_written_it() -> None:
    cluster = Cluster((1, 2, 3, 4, 5))
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle(without(3, 4, 5))

    assert leader.raft.log.committed == 2

    cluster[1].tick()
    cluster.settle(without(4, 5))

    assert leader.raft.log.committed == 3


def test_a_leader_counts_itself_only_after_its_own_write() -> None:
    node = make_node(1, voters=(1,))
    node.campaign()
    sent(node)
    node.propose("a")
    node.ready()

    assert node.raft.log.committed == 2
    node.advance()
    assert node.raft.log.committed == 3


def test_an_entry_of_an_older_term_is_committed_only_with_one_of_the_own_term() -> None:
    """Raft paper, figure 8."""
    configuration = Configuration((1, 2, 3))
    cluster = Cluster(())
    cluster.add(1, storage_of(configuration, (2,), HardState(4, commit=1)))
    cluster.add(2, storage_of(configuration, (), HardState(4, commit=1)))
    cluster.add(3, storage_of(configuration, (3,), HardState(4, commit=1)))
    cluster[1].campaign()
    cluster.settle(lambda m: 3 in (m.to, m.sender) or len(m.entries) > 1)
    raft = cluster[1].raft
    raft.progress[2].acknowledge(2)
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, raft.term, index=2))

    assert raft.role is Role.LEADER
    assert raft.log.committed == 1, "index 2 is on a majority, but of term 2; node 3 could still overwrite it"

    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, raft.term, index=3))

    assert raft.log.committed == 3


def test_learners_do_not_count() -> None:
    cluster = Cluster((1, 2), (3, 4))
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle(without(2))

    assert leader.raft.log.committed == 2


def test_the_new_commit_index_goes_to_all_at_once() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster.handle(1)
    cluster.wire.clear()
    cluster.history.clear()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=3))
    cluster.handle(1)

    assert [(m.to, m.commit, m.entries) for m in cluster.history] == [(2, 3, ()), (3, 3, ())]


def test_a_late_follower_is_told_of_a_commit_that_it_was_not_told_of() -> None:
    """Without this it would wait for the next proposal or heartbeat."""
    cluster = leader_of_three(max_inflight_msgs=1)
    cluster[1].propose("a")
    cluster.handle(1)
    cluster.wire.clear()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=3))  # committed, but 3 has a full window
    cluster.handle(1)
    cluster.history.clear()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=3))
    cluster.handle(1)

    assert [(m.to, m.commit) for m in cluster.history if m.to == 3] == [(3, 3)]

    cluster.history.clear()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=3))
    cluster.wire.clear()

    assert not cluster[1].has_ready(), "it has been told"


def test_a_follower_that_was_told_of_a_commit_is_not_told_again() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster[1].propose("b")
    cluster.handle(1)
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 2, 1, index=3))  # committed: all are told
    cluster.handle(1)
    cluster.history.clear()
    cluster[1].step(RaftMessage(Kind.APP_RESP, 1, 3, 1, index=3))
    cluster.handle(1)

    assert cluster.history == []


def test_a_heartbeat_tells_of_a_commit_too() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster.settle()
    cluster.progress(1, 2).sent_commit = 0
    cluster[1].tick()

    assert cluster.progress(1, 2).sent_commit == 3


def test_a_heartbeat_commits_no_more_than_is_known_to_match() -> None:
    cluster = leader_of_three()
    cluster[1].propose("a")
    cluster.settle(without(3))
    cluster.history.clear()
    cluster[1].tick()
    cluster.handle(1)

    assert [(m.to, m.commit) for m in cluster.history] == [(2, 3), (3, 2)]


# ------------------------------------------------------------------------------------------- proposals


def test_followers_send_proposals_on_to_the_leader() -> None:
    cluster = leader_of_three()
    cluster[3].propose("a", "b")
    (forwarded,) = cluster.handle(3).messages

    assert (forwarded.kind, forwarded.to, forwarded.sender, forwarded.term) == (Kind.PROP, 1, 3, 0)

    cluster.settle()

    assert cluster.applied == {node: ["a", "b"] for node in (1, 2, 3)}


def test_a_proposal_without_a_leader_is_dropped_and_says_so() -> None:
    node = make_node()
    for _ in range(2):
        with pytest.raises(ProposalDroppedError, match="raft proposal dropped"):
            node.propose("a")
        node.campaign()
    assert node.raft.role is Role.CANDIDATE


def test_proposals_are_not_sent_on_where_that_is_switched_off() -> None:
    cluster = leader_of_three(disable_proposal_forwarding=True)
    with pytest.raises(ProposalDroppedError) as dropped:
        cluster[2].propose("a")
    assert "node 1 leads" in dropped.value.why


def test_what_is_uncommitted_is_bounded_but_one_proposal_always_passes() -> None:
    cluster = leader_of_three(max_uncommitted_size=10)
    cluster[1].propose("x" * 50)
    with pytest.raises(ProposalDroppedError):
        cluster[1].propose("y")
    cluster[1].propose("")
    cluster.settle()
    cluster[1].propose("y" * 9)
    cluster[1].propose("z")

    with pytest.raises(ProposalDroppedError):
        cluster[1].propose("!")
    cluster.settle()

    assert cluster.applied[3] == ["x" * 50, "y" * 9, "z"]


def test_what_was_uncommitted_at_an_earlier_leader_does_not_count_later() -> None:
    cluster = leader_of_three(max_uncommitted_size=10)
    cluster[1].propose("x" * 50)
    cluster.handle(1)
    cluster.wire.clear()
    cluster.elect(2)
    cluster.elect(1).propose("y")
    cluster.settle()

    assert cluster.applied[3][-1] == "y"


def test_what_is_handed_out_to_be_applied_is_bounded() -> None:
    cluster = leader_of_three(max_committed_size_per_ready=2 * (ENTRY_BYTES + 1))
    cluster[1].propose(*"abcdefg")
    cluster.settle(without(3))
    batches = []
    cluster[1].tick()
    while cluster[1].has_ready() or cluster.wire:
        cluster.handle(1)
        cluster.wire, arriving = [], cluster.wire
        for m in arriving:
            if m.to == 3:
                cluster[3].step(m)
        while cluster[3].has_ready():
            batches.append(len(cluster.handle(3).committed_entries))
        for m in [m for m in cluster.wire if m.to == 1]:
            cluster[1].step(m)
        cluster.wire.clear()

    assert max(batches) == 2
    assert cluster.applied[3] == list("abcdefg")


# ------------------------------------------------------------------------------------------------ strangers


def test_answers_of_strangers_are_errors_and_change_nothing() -> None:
    cluster = leader_of_three()
    for kind in (
        Kind.APP_RESP,
        Kind.HEARTBEAT_RESP,
        Kind.VOTE_RESP,
        Kind.PRE_VOTE_RESP,
        Kind.READ_INDEX_RESP,
    ):
        with pytest.raises(PeerNotFoundError, match="peer not found"):
            cluster[1].step(RaftMessage(kind, 1, 9, 8, index=2))
    assert cluster[1].raft.term == 1


@pytest.mark.parametrize(
    "kind",
    [Kind.HUP, Kind.BEAT, Kind.CHECK_QUORUM, Kind.UNREACHABLE, Kind.SNAP_STATUS, Kind.STORAGE_APPEND_RESP],
)
def test_no_network_brings_what_a_node_may_only_say_to_itself(kind: Kind) -> None:
    with pytest.raises(LocalMessageError, match="local message"):
        make_node().step(RaftMessage(kind, 1, 2, 1))


# -------------------------------------------------------------------------------------- asynchronous storage


def work(message: RaftMessage) -> StorageMessage:
    assert isinstance(message, StorageMessage)
    return message


def test_promises_travel_with_the_write_and_appends_need_not_wait() -> None:
    node = make_node(1, async_storage_writes=True)
    node.campaign()
    *requests, message = node.ready().messages
    write = work(message)

    assert [(m.kind, m.to) for m in requests] == [(Kind.VOTE, 2), (Kind.VOTE, 3)]
    assert write.to == APPEND_THREAD
    assert (write.term, write.vote, write.commit) == (2, 1, 1)
    assert [(m.kind, m.to) for m in write.responses] == [(Kind.VOTE_RESP, 1)]

    for m in (*write.responses, RaftMessage(Kind.VOTE_RESP, 1, 2, 2)):
        node.step(m)
    messages = node.ready().messages

    assert [m.kind for m in messages] == [Kind.APP, Kind.APP, Kind.STORAGE_APPEND]
    assert [m.kind for m in work(messages[2]).responses] == [Kind.APP_RESP, Kind.STORAGE_APPEND_RESP]


def test_only_durable_entries_are_applied() -> None:
    node = make_node(1, async_storage_writes=True)
    node.step(append(2, 1, 1, Entry(2, 2, "a"), Entry(2, 3, "b"), commit=3))
    ready = node.ready()

    assert ready.committed_entries == ()
    (write,) = map(work, ready.messages)
    storage = node.raft.log.storage
    storage.write(HardState(write.term, write.vote, write.commit), write.entries, None)  # type: ignore[attr-defined]
    node.step(write.responses[-1])
    (job,) = map(work, node.ready().messages)

    assert (job.kind, job.to, len(job.entries)) == (Kind.STORAGE_APPLY, APPLY_THREAD, 2)
    assert node.raft.log.applied == 1
    node.step(job.responses[0])
    assert node.raft.log.applied == 3


def test_what_is_being_written_is_not_handed_out_again() -> None:
    node = make_node(1, async_storage_writes=True)
    node.step(append(2, 1, 1, Entry(2, 2, "a")))
    node.ready()
    node.step(append(2, 2, 2, Entry(2, 3, "b")))

    assert [entry.index for entry in node.ready().entries] == [3]


def test_entries_that_were_being_applied_when_a_snapshot_overtook_them_are_of_the_past() -> None:
    node = make_node(1, terms=(1,), async_storage_writes=True)
    node.step(append(2, 1, 2, commit=2))
    job = work(node.ready().messages[-1])
    assert job.kind is Kind.STORAGE_APPLY
    snapshot = Snapshot(9, 2, Configuration((1, 2, 3)))
    node.step(RaftMessage(Kind.SNAP, 1, 2, 2, snapshot=snapshot))
    write = work(node.ready().messages[-1])
    node.step(write.responses[-1])
    node.step(job.responses[0])

    assert node.raft.log.applied == 9


def test_an_acknowledgement_of_an_earlier_term_says_nothing_about_entries_but_its_snapshot_holds() -> None:
    node = make_node(1, async_storage_writes=True)
    snapshot = Snapshot(9, 1, Configuration((1, 2, 3)))
    node.step(RaftMessage(Kind.SNAP, 1, 2, 2, snapshot=snapshot))
    node.step(append(2, 1, 9, Entry(2, 10, "a")))
    (write,) = map(work, node.ready().messages)
    node.step(RaftMessage(Kind.HEARTBEAT, 1, 3, 5))
    node.step(write.responses[-1])

    assert node.raft.log.unstable.entries == [Entry(2, 10, "a")]
    assert node.raft.log.unstable.snapshot is None
    assert node.raft.log.applied == 9


def test_what_was_written_twice_at_one_place_is_stable_only_with_the_last_write() -> None:
    """The race that a term alone cannot tell: same index, overwritten and overwritten back."""
    node = make_node(1, voters=(1, 2, 3, 4, 5), async_storage_writes=True)
    node.step(append(2, 1, 1, Entry(2, 2, "a"), sender=2))
    first = work(node.ready().messages[-1])
    node.step(append(3, 1, 1, Entry(3, 2, "b"), sender=3))
    second = work(node.ready().messages[-1])
    node.step(append(4, 1, 1, Entry(2, 2, "a"), sender=4))
    third = work(node.ready().messages[-1])

    for write in (first, second):
        node.step(write.responses[-1])
        assert node.raft.log.unstable.offset == 2, "a later write has yet to overwrite what is on disk"
    node.step(third.responses[-1])
    assert node.raft.log.unstable.offset == 3


def test_a_leader_removed_by_a_committed_change_leaves_the_last_word_to_its_answers() -> None:
    cluster = Cluster(step_down_on_removal=True)
    cluster.elect(1).propose_conf_change(changes("r1"), v1=True)
    cluster.settle()

    assert cluster[1].raft.role is Role.FOLLOWER
    assert cluster[2].raft.configuration.voters == (2, 3)
    assert EntryKind.CONF_CHANGE in [entry.kind for entry in cluster.storages[2].log]
