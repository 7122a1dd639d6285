"""Counting each sender once."""

from typing import Generic, TypeVar

import msgspec

from walras.messages import AgentId

V = TypeVar("V")


class Tally(msgspec.Struct, Generic[V]):
    """Votes, proposals or acknowledgements: one for each sender, and a threshold that is reached exactly once.

    >>> tally = Tally(needed=2)
    >>> tally.add("ada", "yes"), tally.add("ada", "no"), tally.add("bob", "yes"), tally.add("cyd", "yes")
    (False, False, True, False)
    >>> tally.given
    {'ada': 'yes', 'bob': 'yes', 'cyd': 'yes'}
    """

    needed: int
    given: dict[AgentId, V] = {}

    def add(self, sender: AgentId, value: V) -> bool:
        """Count a sender's first value; true exactly once, when the threshold is first reached."""
        given = self.given
        if sender in given:
            return False
        given[sender] = value
        return len(given) == self.needed

    @property
    def reached(self) -> bool:
        """Whether the threshold has been reached (a threshold of 0 or less always has)."""
        return len(self.given) >= self.needed
