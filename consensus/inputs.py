"""What the copies of a replicated role say: to their log, to each other, and to those who deal with the role."""

from typing import Literal

from consensus.raft.records import Command
from walras.allocation import Outcome
from walras.messages import AgentId, ConversationId, Frozen, Message

Place = tuple[int, int]
"""Names an effect: the index of its input in the log, and its number among that input's effects, from 1."""

NOWHERE: Place = (0, 0)

Kind = Literal["start", "message", "timer", "decision", "outcome", "cancel", "done"]

What = str | int | float | bool | None | Frozen | tuple[str | int | float | Frozen, ...]


class Input(Command, frozen=True):
    """One input of a replicated role, as it stands in the log.

    `key` names the input itself: of several entries with one key, which nervous leaders make, the first counts. The
    leader that proposed it (`by`) has stamped it with its clock (`at`, seconds) and says up to where it has carried out
    the role's effects (`done`): those are out. `number` counts the messages of `sender`, or is the setting of the timer
    or question that this is about, or, of the end ("done"), the index of the last input before it: if anything has
    come between, it was not the end. `what` is the message, answer or outcome.
    """

    conversation: ConversationId
    kind: Kind
    key: str
    at: float = 0.0
    by: AgentId = ""
    done: Place = NOWHERE
    sender: str = ""
    number: int = 0
    finish_by: float = 0.0
    what: What = None


class Digest(Command, frozen=True):
    """All that must be known of a log up to an index: the inputs of what is not over, and how the rest has ended."""

    live: tuple[tuple[int, Input], ...] = ()
    over: tuple[tuple[ConversationId, Outcome], ...] = ()


# ------------------------------------------------------------------ between a machine's clerk and its copies


class Attend(Message, frozen=True):
    """To the clerk: here is a copy of this conversation's role; tell it all that is committed for it."""


class Told(Message, frozen=True):
    """To a copy: the next committed input of its conversation."""

    index: int
    given: Input


class Over(Message, frozen=True):
    """To a copy that comes when its conversation is over: how it has ended."""

    outcome: Outcome


# ------------------------------------------------------------------ between copies and others


class FromOpener(Message, frozen=True):
    """The role says something, by the mouth of one copy. Whoever says it again, it has the same index and k."""

    index: int
    k: int
    message: Message


class ToOpener(Message, frozen=True):
    """Somebody says something to the role; said again, to all copies, until it is `Heard`."""

    number: int
    message: Message


class Heard(Message, frozen=True):
    """The message of this number is in the log: no crash can lose it any more."""

    number: int


class Passed(Message, frozen=True):
    """From copy to copy: an input that has reached me, who do not lead."""

    given: Input
