"""The seam between the guard and a live mind: an `Ask` goes in, a value comes out.

A participant is one coroutine. It never retries, times out, repairs or counts; the guard does, so that all of it
shares one deadline and one budget.
"""

import abc
from collections.abc import Mapping
from typing import Any

import msgspec

from walras.agents import Agent
from walras.errors import LocalProtocolError
from walras.live.answers import Usage
from walras.messages import AgentId, ConversationId
from walras.questions import Question


class Prompt(msgspec.Struct, frozen=True):
    """A question in words: `system` is ours throughout, `user` holds what others wrote, inside a fence."""

    system: str
    user: str

    def __len__(self) -> int:
        return len(self.system) + len(self.user)


class Ask(msgspec.Struct, frozen=True):
    """One call to a participant: the question, and all that a mind needs to answer it."""

    question: Question
    agent: AgentId
    conversation: ConversationId
    prompt: Prompt
    schema: Mapping[str, Any]
    """JSON schema of the legal answers: an object, strict (every field is required, no others are allowed)."""
    seconds: float
    """What is left until the answer is too late."""
    key: str
    """The idempotency key: the same for every retry of this call."""
    note: str = ""
    """Why the last answer was not accepted, if this is a repair; the prompt already contains it."""
    tools: tuple[str, ...] = ()
    """What the mind may use to answer: nothing, unless the guard's rules allow it for this question."""


class Reply(msgspec.Struct, frozen=True):
    """An answer with what it took. `value` is as in `Participant.answer`."""

    value: Any
    usage: Usage = Usage()


class Retryable(Exception):  # noqa: N818  # it says what to do, not what went wrong
    """A transient fault (408, 409, 429, 5xx, no connection): the guard may try again, `after_s` at the earliest.

    `usage` is what the failed call took, where that is known, as `walras.live.answers.NOTHING` of a call that has never
    left; None: nobody knows, and it is charged as it was estimated.
    """

    def __init__(self, why: str = "", after_s: float = 0.0, usage: Usage | None = None) -> None:
        super().__init__(why)
        self.after_s, self.usage = after_s, usage


class Participant(abc.ABC):
    """A live mind, given to an agent as its strategy: ``Agent("ada", SomeParticipant(...))``."""

    provider: str = ""
    """Who is behind it, for the circuit breaker: participants of one provider fail together. Empty: it stands alone."""

    most_output_tokens: int = 1000
    """How long an answer can be, for what is reserved before a call."""

    informed: bool = True
    """Whether it uses the prompt, the schema or the key of an ask; else they are empty, which saves their making."""

    person: bool = False
    """Whether a person may decide, who takes time. Over A2A such an answer is a Task, which says INPUT_REQUIRED meanwhile."""

    @abc.abstractmethod
    async def answer(self, ask: Ask) -> Any:
        """Answer once: a `Reply` or the bare value; None declines.

        A call whose time is over, or whose answer nobody wants any more, is cancelled. One that swallows the cancellation
        holds nobody up: it runs on without anybody waiting for it, and is charged as it was estimated.

        The value is a legal answer, or JSON for one (text, bytes or plain dicts and lists) as `ask.schema` says.

        Raises:
            Retryable: for a fault that may pass; every other exception is an error at once.
        """

    def estimate(self, ask: Ask) -> Usage:
        """What this call may take at most, reserved before it is made; unknown parts are None."""
        return Usage(1, len(ask.prompt) // 2, self.most_output_tokens)

    async def health(self, agent: AgentId) -> str:
        """Why it could not answer for this agent now, in a sentence; empty if it could. Must cost nothing."""
        return ""

    async def close(self) -> None:  # noqa: B027  # most hold nothing
        """Give back what it holds: connections, processes."""

    def __call__(self, question: Question, agent: Agent) -> Any:
        """A participant is asked through the guard; called like a plain strategy, it says so."""
        raise LocalProtocolError(
            f"{type(self).__name__} of {agent.id} answers in a live market; a simulation takes a recording of it"
        )
