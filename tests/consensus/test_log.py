"""The log: matching, conflicts, commits, what is durable, and what may be applied."""

import pytest
from hypothesis import given, strategies as st

from consensus.raft.errors import (
    CompactedError,
    SnapshotOutOfDateError,
    SnapshotUnavailableError,
    UnavailableError,
)
from consensus.raft.log import RaftLog, open_log
from consensus.raft.records import (
    ENTRY_BYTES,
    ConfChange,
    Configuration,
    Entry,
    HardState,
    Snapshot,
    entries_size,
    payload_size,
    within,
)
from consensus.raft.storage import MemoryStorage

TERMS = st.lists(st.integers(1, 4), max_size=8).map(sorted)


def entries(*terms: int, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(term, first + place, f"{term}/{first + place}") for place, term in enumerate(terms))


def stored(*terms: int, base: int = 0, base_term: int = 0) -> MemoryStorage:
    storage = MemoryStorage()
    if base:
        storage.restore(Snapshot(base, base_term, Configuration((1, 2, 3))))
    if terms:
        storage.append(entries(*terms, first=base + 1))
    return storage


def log_of(*terms: int, durable: int = 0) -> RaftLog:
    """A log of these terms, the first `durable` of them stored."""
    log = open_log(stored(*terms[:durable]))
    log.append(entries(*terms[durable:], first=durable + 1))
    return log


def terms_of(log: RaftLog) -> list[int]:
    return [entry.term for entry in log.entries_from(log.first_index())]


# -------------------------------------------------------------------------------------------- matching


@pytest.mark.parametrize("durable", [0, 2, 3])
def test_a_matching_anchor_appends_and_commits_no_further_than_what_was_sent(durable: int) -> None:
    log = log_of(1, 1, 2, durable=durable)

    assert log.maybe_append(3, 2, entries(3, 3, first=4), commit=9) == 5
    assert terms_of(log) == [1, 1, 2, 3, 3]
    assert log.committed == 5


def test_a_commit_does_not_reach_beyond_the_last_new_entry() -> None:
    """The tail behind what the leader sent may differ from the leader's."""
    log = log_of(1, 1, 1, 1)

    assert log.maybe_append(2, 1, (), commit=4) == 2
    assert log.committed == 2


def test_a_wrong_anchor_changes_nothing() -> None:
    log = log_of(1, 1, 2)

    assert log.maybe_append(3, 1, entries(4, first=4), commit=3) is None
    assert log.maybe_append(7, 2, entries(4, first=8), commit=3) is None
    assert (terms_of(log), log.committed) == ([1, 1, 2], 0)


@pytest.mark.parametrize("durable", [0, 2, 4])
def test_only_a_real_conflict_truncates(durable: int) -> None:
    log = log_of(1, 1, 2, 2, durable=durable)

    assert log.maybe_append(1, 1, entries(1, first=2), commit=0) == 2
    assert terms_of(log) == [1, 1, 2, 2], "an old append must not cut off what came later"
    assert log.maybe_append(1, 1, entries(1, 3, first=2), commit=0) == 3
    assert terms_of(log) == [1, 1, 3]


def test_overwriting_a_committed_entry_is_a_bug() -> None:
    log = log_of(1, 1)
    log.commit_to(2)

    with pytest.raises(AssertionError, match="committed entry 2"):
        log.maybe_append(1, 1, entries(2, first=2), commit=0)
    with pytest.raises(AssertionError, match="behind the end"):
        log.commit_to(3)


@given(TERMS, TERMS, st.integers(0, 8))
def test_the_hint_is_the_last_place_where_both_logs_may_agree(
    leader: list[int], follower: list[int], prev: int
) -> None:
    """A leader that walks back by the hints finds the logs' common prefix, and skips nothing that matches."""
    ours, theirs = log_of(*leader), log_of(*follower)
    common = 0
    while common < min(len(leader), len(follower)) and leader[: common + 1] == follower[: common + 1]:
        common += 1
    prev = min(prev, len(leader))

    hint, term = theirs.find_conflict_by_term(min(prev, theirs.last_index()), ours.term(prev))

    assert hint >= min(common, prev), "never below what is common"
    assert theirs.term(hint) == term <= ours.term(prev)
    assert all(theirs.term(i) > ours.term(prev) for i in range(hint + 1, min(prev, len(follower)) + 1))


@given(TERMS, TERMS)
def test_freshness_is_the_last_term_and_then_the_length(a: list[int], b: list[int]) -> None:
    last_of_b = (b[-1] if b else 0, len(b))
    last_of_a = (a[-1] if a else 0, len(a))

    assert log_of(*a).is_up_to_date(len(b), last_of_b[0]) == (last_of_b >= last_of_a)


def test_only_an_entry_of_the_leaders_term_commits_by_counting() -> None:
    log = log_of(1, 1, 3)

    assert not log.maybe_commit(2, 3), "Raft paper, figure 8"
    assert log.maybe_commit(3, 3)
    assert log.committed == 3, "and the older ones with it"
    assert not log.maybe_commit(3, 3), "no news"


# ------------------------------------------------------------------------------- durable and being written


def test_what_is_handed_out_to_be_written_is_not_handed_out_again() -> None:
    log = log_of(1, 1)

    assert len(log.unstable.to_write()) == 2

    log.unstable.accept_in_progress()
    log.append(entries(1, first=3))

    assert [entry.index for entry in log.unstable.to_write()] == [3]


def test_an_overwritten_tail_is_written_again() -> None:
    log = log_of(1, 1, 1)
    log.unstable.accept_in_progress()
    log.append(entries(2, first=2))

    assert [(entry.index, entry.term) for entry in log.unstable.to_write()] == [(2, 2)]


def test_an_acknowledgement_of_what_was_overwritten_since_is_void() -> None:
    log = log_of(1, 1)
    log.unstable.accept_in_progress()
    log.append(entries(2, first=2))
    log.unstable.stable_to(2, 1)

    assert log.unstable.offset == 1, "entry 2 of term 1 is on disk, and will be overwritten there, too"

    log.unstable.stable_to(2, 2)

    assert (log.unstable.offset, log.unstable.entries) == (3, [])


def test_a_partial_acknowledgement_keeps_the_rest() -> None:
    log = log_of(1, 1, 2)
    log.unstable.accept_in_progress()
    log.unstable.stable_to(2, 1)

    assert log.unstable.offset == 3
    assert [entry.index for entry in log.unstable.entries] == [3]
    assert log.unstable.to_write() == ()


def test_what_lies_before_a_snapshot_that_is_not_stored_yet_is_gone() -> None:
    """Though a storage still has it: it may be what the snapshot has overwritten."""
    storage = MemoryStorage()
    storage.append([Entry(1, index) for index in range(1, 6)])
    log = open_log(storage)
    log.restore(Snapshot(9, 3))
    log.append((Entry(3, 10),))

    for index, error in ((4, CompactedError), (8, CompactedError), (11, UnavailableError)):
        with pytest.raises(error):
            log.term(index)
    for low, high in ((3, 6), (4, 11), (9, 11)):
        with pytest.raises(CompactedError):
            log.slice(low, high)
    assert (log.term(9), log.term(10), log.slice(10, 11)) == (3, 3, (Entry(3, 10),))


def test_a_snapshot_takes_the_place_of_the_log_and_nothing_is_applied_before_it() -> None:
    log = log_of(1, 1)
    log.restore(Snapshot(9, 3))

    assert (log.first_index(), log.last_index(), log.last_term(), log.committed) == (10, 9, 3, 9)
    assert log.next_committed(allow_unstable=True) == ()
    assert log.unstable.snapshot_to_write() is not None

    log.unstable.accept_in_progress()

    assert log.unstable.snapshot_to_write() is None
    log.unstable.stable_snapshot_to(8)
    assert log.unstable.snapshot is not None, "another one"
    log.unstable.stable_snapshot_to(9)
    assert log.unstable.snapshot is None


# --------------------------------------------------------------------------------------------- applying


def test_with_asynchronous_storage_only_durable_entries_are_applied() -> None:
    log = log_of(1, 1, 1, durable=1)
    log.commit_to(3)

    assert len(log.next_committed(allow_unstable=True)) == 3
    assert len(log.next_committed(allow_unstable=False)) == 1


def test_what_is_being_applied_is_bounded_but_one_entry_always_passes() -> None:
    log = open_log(stored(1, 1, 1), max_applying_size=1)
    log.commit_to(3)
    first = log.next_committed(allow_unstable=True)

    assert [entry.index for entry in first] == [1]

    log.accept_applying(first, allow_unstable=True)

    assert log.next_committed(allow_unstable=True) == ()

    log.applied_to(1, entries_size(first))

    assert [entry.index for entry in log.next_committed(allow_unstable=True)] == [2]


def test_the_limit_pauses_also_where_the_next_entry_would_pass_it() -> None:
    size = ENTRY_BYTES + 3
    log = open_log(stored(1, 1, 1, 1), max_applying_size=2 * size + 1)
    log.commit_to(4)
    first = log.next_committed(allow_unstable=True)
    log.accept_applying(first, allow_unstable=True)

    assert len(first) == 2
    assert log.next_committed(allow_unstable=True) == ()

    log.applied_to(2, 2 * size)

    assert len(log.next_committed(allow_unstable=True)) == 2


# ------------------------------------------------------------------------------------- storage in memory


def test_terms_and_entries_are_known_from_the_snapshot_on() -> None:
    storage = stored(4, 5, base=3, base_term=3)

    assert [storage.term(index) for index in (3, 4, 5)] == [3, 4, 5]
    assert storage.entries(4, 6) == entries(4, 5, first=4)
    with pytest.raises(CompactedError):
        storage.term(2)
    with pytest.raises(CompactedError):
        storage.entries(3, 6)
    with pytest.raises(UnavailableError):
        storage.term(6)


def test_a_log_reads_across_storage_and_its_unstable_tail() -> None:
    log = log_of(1, 1, 2, 2, durable=2)

    assert [entry.index for entry in log.slice(1, 5)] == [1, 2, 3, 4]
    assert [entry.index for entry in log.slice(2, 4)] == [2, 3]
    assert [entry.index for entry in log.slice(1, 5, 3 * (ENTRY_BYTES + 3))] == [1, 2, 3]
    assert log.term_or_0(9) == 0


def test_appending_to_storage_replaces_the_tail_and_skips_what_is_compacted() -> None:
    storage = stored(3, 3, 3, base=3, base_term=3)
    storage.append(entries(3, 3, 4, first=3))

    assert [entry.term for entry in storage.log] == [3, 4]
    storage.append(entries(1, first=2))
    assert [entry.term for entry in storage.log] == [3, 4], "all of it is compacted"
    with pytest.raises(AssertionError, match="gap"):
        storage.append(entries(5, first=9))


def test_compacting_keeps_what_slow_followers_may_need() -> None:
    storage = stored(1, 1, 2, 2, 2)
    storage.compact(Snapshot(4, 2), keep=2)

    assert (storage.first_index(), storage.last_index(), storage.term(2)) == (3, 5, 1)
    assert storage.snapshot().index == 4
    with pytest.raises(SnapshotOutOfDateError):
        storage.compact(Snapshot(3, 2))
    with pytest.raises(UnavailableError, match="from the future"):
        storage.compact(Snapshot(9, 2))


def test_an_old_snapshot_is_refused_and_none_is_said_so() -> None:
    with pytest.raises(SnapshotUnavailableError):
        MemoryStorage().snapshot()
    with pytest.raises(SnapshotOutOfDateError):
        stored(base=5, base_term=1).restore(Snapshot(5, 1))


def test_a_batch_is_written_in_one_piece() -> None:
    storage = stored(1, 1)
    storage.write(HardState(4, 2, 9), entries(3, 3, first=10), Snapshot(9, 3))

    assert storage.initial_state()[0] == HardState(4, 2, 9)
    assert (storage.first_index(), storage.last_index()) == (10, 11)


def test_sizes_count_bytes_and_the_request_to_leave_weighs_nothing() -> None:
    assert payload_size(Entry(data="aé")) == 3
    assert payload_size(Entry(data=ConfChange())) == 0
    assert payload_size(Entry(data=ConfChange(context="rack 7"))) > 0
    assert within(entries(1, 1), 1) == entries(1)
    assert within((), 1) == ()
