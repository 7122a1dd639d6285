"""A leader's view of one follower: when it may send, where from, and what old answers cannot undo."""

from hypothesis import given, strategies as st

from consensus.raft.progress import Inflights, Progress, ProgressState


def progress(match: int = 0, next: int = 1, window: int = 3) -> Progress:
    return Progress(match, next, Inflights(window), recent_active=True)


def test_probing_sends_one_append_and_waits() -> None:
    one = progress(next=5)
    one.sent_entries(2, 0)

    assert one.paused
    assert one.next == 5, "what was sent may not have arrived"


def test_an_empty_probe_does_not_pause() -> None:
    one = progress(next=5)
    one.sent_entries(0, 0)

    assert not one.paused


def test_replicating_moves_on_until_the_window_is_full() -> None:
    one = progress(match=4, next=5, window=2)
    one.become_replicate()
    one.sent_entries(3, 0)

    assert (one.next, one.paused) == (8, False)

    one.sent_entries(1, 0)

    assert (one.next, one.paused) == (9, True)
    assert str(one) == "StateReplicate match=4 next=9 paused inflight=2[full]"


def test_a_full_window_counts_bytes_too_and_one_append_of_any_size_passes() -> None:
    window = Inflights(max_count=10, max_bytes=100)
    window.add(1, 500)

    assert window.full

    window.free_up_to(1)

    assert not window.full
    assert window.size == 0


def test_freeing_is_by_index() -> None:
    window = Inflights(max_count=4)
    for index in (3, 5, 9):
        window.add(index, 1)
    window.free_up_to(5)

    assert list(window.sent) == [(9, 1)]


def test_old_acknowledgements_do_not_move_anything_back() -> None:
    one = progress(match=6, next=9)

    assert not one.acknowledge(6)
    assert not one.acknowledge(3)
    assert (one.match, one.next) == (6, 9)
    assert one.acknowledge(11)
    assert (one.match, one.next) == (11, 12)


def test_a_rejection_while_replicating_returns_to_what_is_known_to_match() -> None:
    one = progress(match=4, next=5)
    one.become_replicate()
    one.sent_entries(5, 0)

    assert not one.reject(4, 0), "it has acknowledged that one since"
    assert one.reject(7, 2)
    assert one.next == 5


def test_a_rejection_while_probing_follows_the_hint_unless_it_is_an_echo() -> None:
    one = progress(next=10)
    one.flow_paused = True

    assert not one.reject(7, 3), "the probe was sent from 9"
    assert one.paused
    assert one.reject(9, 3)
    assert (one.next, one.paused) == (4, False)


def test_who_refuses_has_not_taken_the_commit_that_came_with_it_either() -> None:
    one = progress(match=3, next=10)
    one.sent_commit = 8

    assert one.reject(9, 4)
    assert (one.next, one.sent_commit) == (5, 4)


def test_a_hint_never_leads_below_the_match_nor_above_the_rejection() -> None:
    low, high = progress(match=5, next=10), progress(next=10)

    assert low.reject(9, 1)
    assert low.next == 6
    assert high.reject(9, 40)
    assert high.next == 9


def test_after_a_snapshot_probing_begins_behind_it() -> None:
    one = progress(match=2, next=3)
    one.become_snapshot(20)

    assert one.paused
    assert str(one) == "StateSnapshot match=2 next=21 paused pendingSnap=20"

    one.become_probe()

    assert (one.next, one.pending_snapshot, one.paused) == (21, 0, False)


def test_a_failed_snapshot_sends_probing_back_to_the_match() -> None:
    one = progress(match=2, next=3)
    one.become_snapshot(20)
    one.pending_snapshot = 0
    one.become_probe()

    assert one.next == 3


def test_a_commit_is_worth_an_append_only_if_unsent_and_reachable() -> None:
    one = progress(match=4, next=8)
    one.become_replicate()
    one.next = 8
    one.sent_commit = 5

    assert one.wants_commit(6)
    assert not one.wants_commit(5), "it was told"
    one.sent_commit = 7
    assert not one.wants_commit(9), "it has nothing more to commit before the next entries come"


def test_what_was_sent_is_forgotten_when_it_may_be_lost() -> None:
    one = progress(match=4, next=5)
    one.become_replicate()
    one.sent_entries(4, 0)
    one.sent_commit = 8
    one.become_probe()

    assert one.sent_commit == 4
    assert not one.inflights.sent


@given(st.data())
def test_match_stays_below_next_and_the_window_within_its_bounds(data: st.DataObject) -> None:
    one = progress(window=data.draw(st.integers(1, 3)))
    for _ in range(data.draw(st.integers(0, 30))):
        before = one.match
        action = data.draw(
            st.sampled_from(["send", "ack", "reject", "probe", "replicate", "snapshot", "pulse"])
        )
        if action == "send" and not one.paused:
            entries = 0 if one.inflights.full else data.draw(st.integers(0, 3))
            one.sent_entries(entries, 1)
        elif action == "ack":
            one.acknowledge(data.draw(st.integers(0, one.next - 1)))
            one.inflights.free_up_to(one.match)
        elif action == "reject":
            one.reject(data.draw(st.integers(0, one.next)), data.draw(st.integers(0, one.next)))
        elif action == "probe":
            one.become_probe()
        elif action == "replicate":
            one.become_replicate()
        elif action == "snapshot":
            one.become_snapshot(one.match + data.draw(st.integers(1, 5)))
        else:
            one.flow_paused = False
        assert before <= one.match < one.next
        assert len(one.inflights.sent) <= one.inflights.max_count
        assert one.state is not ProgressState.SNAPSHOT or one.paused
