"""What a role asks of its own agent's strategy: a mind is asked, not called.

A question has a deadline and an answer that stands when none comes, so no protocol can hang on a mind.
"""

from typing import Any, ClassVar

from walras.messages import Frozen


class Commitment(Frozen, frozen=True):
    """What an answer binds while it may still be called in: held in the agent's account before the answer is used.

    `money` is in the run's currency, `slots` are units of the agent's capacity. After `until` (seconds since the
    run's epoch) the hold counts as free without anybody having to say so.
    """

    money: float = 0.0
    slots: int = 0
    until: float = float("inf")


class Question(Frozen, frozen=True, kw_only=True, tag=True):
    """A decision that a role needs by `decide_by` (seconds since the run's epoch, on the agent's clock).

    Subclass it with what the mind has to know, list the `answers` that are legal, and say what an answer `commits`.
    The docstring of a subclass is its instruction to a reader, human or not.
    """

    decide_by: float

    answers: ClassVar[tuple[type, ...]] = ()
    """The types of legal answers."""

    @property
    def otherwise(self) -> Any:
        """The answer when the mind is silent, late, wrong or cannot afford its own: always legal, binds nothing."""
        return None

    def accepts(self, answer: Any) -> bool:
        """Whether the answer is legal. The runtime asks; a role never sees an answer that is not."""
        return isinstance(answer, self.answers)

    def commits(self, answer: Any) -> Commitment | None:
        """What this answer binds; None if nothing."""
        return None
