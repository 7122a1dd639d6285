"""Majorities, and pairs of them: what is committed, and how a vote stands. Pure functions.

Joint consensus: D. Ongaro, Consensus: Bridging Theory and Practice, 2014, section 4.3.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

from consensus.raft.records import NodeId

EVERYTHING = sys.maxsize
"""The committed index of nobody at all: it never holds back the other half of a joint quorum."""


class VoteResult(StrEnum):
    """How a vote stands."""

    PENDING = "VotePending"
    LOST = "VoteLost"
    WON = "VoteWon"


def committed(voters: Sequence[NodeId], acknowledged: Mapping[NodeId, int]) -> int:
    """The largest index that a majority has acknowledged; who has not spoken has acknowledged 0.

    >>> committed([1, 2, 3], {1: 7, 2: 5})
    5
    """
    count = len(voters)
    if not count:
        return EVERYTHING
    indexes = sorted([acknowledged.get(voter, 0) for voter in voters])
    return indexes[count - count // 2 - 1]


def joint_committed(
    voters: Sequence[NodeId], outgoing: Sequence[NodeId], acknowledged: Mapping[NodeId, int]
) -> int:
    """The largest index that both majorities have acknowledged."""
    return min(committed(voters, acknowledged), committed(outgoing, acknowledged))


def vote_result(voters: Sequence[NodeId], votes: Mapping[NodeId, bool]) -> VoteResult:
    """Won with a majority of yes, lost once that is out of reach. Nobody at all always says yes.

    >>> vote_result([1, 2, 3], {1: True, 3: False})
    <VoteResult.PENDING: 'VotePending'>
    """
    if not voters:
        return VoteResult.WON
    majority = len(voters) // 2 + 1
    given = [votes[voter] for voter in voters if voter in votes]
    yes = sum(given)
    if yes >= majority:
        return VoteResult.WON
    if yes + len(voters) - len(given) >= majority:
        return VoteResult.PENDING
    return VoteResult.LOST


def joint_vote_result(
    voters: Sequence[NodeId], outgoing: Sequence[NodeId], votes: Mapping[NodeId, bool]
) -> VoteResult:
    """Won if both halves are won, lost if either is lost."""
    halves = (vote_result(voters, votes), vote_result(outgoing, votes))
    if VoteResult.LOST in halves:
        return VoteResult.LOST
    return VoteResult.PENDING if VoteResult.PENDING in halves else VoteResult.WON
