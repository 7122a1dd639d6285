"""Majorities and joint majorities, against their definitions counted out by brute force."""

from itertools import combinations

import pytest
from hypothesis import given, strategies as st

from consensus.raft.quorum import (
    EVERYTHING,
    VoteResult,
    committed,
    joint_committed,
    joint_vote_result,
    vote_result,
)

VOTERS = st.lists(st.integers(1, 9), unique=True, max_size=7)
INDEXES = st.dictionaries(st.integers(1, 9), st.integers(0, 20))
VOTES = st.dictionaries(st.integers(1, 9), st.booleans())


def majorities(voters: list[int]) -> list[tuple[int, ...]]:
    return list(combinations(voters, len(voters) // 2 + 1))


@given(VOTERS, INDEXES)
def test_committed_is_the_largest_index_that_some_majority_has(
    voters: list[int], indexes: dict[int, int]
) -> None:
    expected = max((min(indexes.get(v, 0) for v in group) for group in majorities(voters)), default=None)

    assert committed(voters, indexes) == (expected if voters else EVERYTHING)


@given(VOTERS, VOTERS, INDEXES)
def test_joint_commit_needs_both_majorities(new: list[int], old: list[int], indexes: dict[int, int]) -> None:
    both = joint_committed(new, old, indexes)

    assert both == min(committed(new, indexes), committed(old, indexes))
    assert joint_committed(old, new, indexes) == both
    assert joint_committed(new, new, indexes) == joint_committed(new, [], indexes) == committed(new, indexes)


@given(VOTERS, VOTES)
def test_a_vote_is_won_by_a_majority_of_yes_and_lost_once_that_is_out_of_reach(
    voters: list[int], votes: dict[int, bool]
) -> None:
    groups = majorities(voters)
    won = not voters or any(all(votes.get(v) for v in group) for group in groups)
    lost = bool(voters) and all(any(votes.get(v) is False for v in group) for group in groups)

    assert (vote_result(voters, votes) is VoteResult.WON) == won
    assert (vote_result(voters, votes) is VoteResult.LOST) == lost


@given(VOTERS, VOTERS, VOTES)
def test_a_joint_vote_is_won_if_both_halves_are_and_lost_if_either_is(
    new: list[int], old: list[int], votes: dict[int, bool]
) -> None:
    halves = {vote_result(new, votes), vote_result(old, votes)}
    joint = joint_vote_result(new, old, votes)

    assert (joint is VoteResult.WON) == (halves == {VoteResult.WON})
    assert (joint is VoteResult.LOST) == (VoteResult.LOST in halves)


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_an_even_cluster_needs_more_than_half(voters: int, needed: int) -> None:
    names = list(range(1, voters + 1))

    assert vote_result(names, dict.fromkeys(names[:needed], True)) is VoteResult.WON
    assert vote_result(names, dict.fromkeys(names[: needed - 1], True)) is VoteResult.PENDING
    assert committed(names, dict.fromkeys(names[:needed], 4)) == 4
    assert committed(names, dict.fromkeys(names[: needed - 1], 4)) == 0


def test_strangers_do_not_count() -> None:
    assert vote_result([1, 2, 3], {1: True, 7: True, 8: True}) is VoteResult.PENDING
    assert committed([1, 2, 3], {1: 5, 7: 5, 8: 5}) == 0
