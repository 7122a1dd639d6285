"""Mechanisms: the frozen rules of one market game. Mechanism is to Protocol as game is to state."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from walras.agents import Agent
from walras.items import Item
from walras.messages import AgentId, ConversationId, Envelope, Message
from walras.protocol import Protocol
from walras.questions import Question


class Mechanism(msgspec.Struct, frozen=True):
    """Rules, and the roles that play by them. Subclasses are settings: check them in ``__post_init__``.

    A mechanism pickles, so that studies can send it to other processes: functions in its fields are module-level.
    """

    protocol: ClassVar[str]
    """The name on the wire; ``fipa-...`` only where the FIPA standard of that name is kept, else ``x-...``."""

    messages: ClassVar[tuple[type[Message], ...]] = ()
    """The vocabulary of its conversations."""

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """The role that opens a conversation about these items."""
        raise TypeError(f"{type(self).__name__} does not say which role opens its conversations")

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        """The role of a newcomer: for the message that reached it, or (None) by its own wish; None turns it away."""
        raise TypeError(f"{type(self).__name__} does not say which role joins its conversations")

    def deputies(self) -> tuple[AgentId, ...]:
        """The agents that play the opener's role in its place, each a copy of it; none: it plays the role itself.

        Deputies act for the opener: they share its random stream in the conversation and its account, their children are
        its children, and the first that finishes gives the conversation's outcome. Each of them makes every award and
        every settlement under a `key`, so that it takes place once, and opens the same children in the same order.
        """
        return ()

    def services(self) -> Iterable[tuple[AgentId, ConversationId, Protocol]]:
        """Roles that the conversations of this mechanism lean on: at whom, in which conversation, which role.

        They are there before the first of its conversations; an agent that the world does not have is added to it.
        """
        return ()

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """How an agent without a strategy of its own answers this mechanism's questions: from its private type."""
        return question.otherwise
