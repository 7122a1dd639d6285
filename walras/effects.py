"""Effects as data: the verbs of a role, recorded in order instead of carried out.

A `Recorder` is the port of a role that nobody hosts: a test that compares ordered effects, a wrapper that replicates a
role's inputs and carries out its effects elsewhere.
"""

from collections.abc import Hashable, Iterable
from random import Random
from typing import Any, ClassVar

import msgspec

from walras.allocation import Award, Outcome
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Fact, Message, Signed
from walras.protocol import Protocol
from walras.questions import Question
from walras.randomness import stream


class Effect(msgspec.Struct, frozen=True):
    """Something that a role wants done: a call of a verb, whose arguments are the fields."""

    verb: ClassVar[str]

    def carry_out(self, role: Any) -> None:
        """Call the verb, on a role or on its port."""
        getattr(role, self.verb)(*(getattr(self, field) for field in self.__struct_fields__))


class Send(Effect, frozen=True):
    verb: ClassVar[str] = "send"

    to: AgentId
    message: Message


class Broadcast(Effect, frozen=True):
    verb: ClassVar[str] = "broadcast"

    to: tuple[AgentId, ...]
    message: Message


class Tell(Effect, frozen=True):
    verb: ClassVar[str] = "tell"

    conversation: ConversationId
    message: Message


class Ignore(Effect, frozen=True):
    verb: ClassVar[str] = "ignore"

    message: object
    why: str


class SetTimer(Effect, frozen=True):
    verb: ClassVar[str] = "set_timer"

    name: Hashable
    at: float


class CancelTimer(Effect, frozen=True):
    verb: ClassVar[str] = "cancel_timer"

    name: Hashable


class Decide(Effect, frozen=True):
    verb: ClassVar[str] = "decide"

    name: Hashable
    question: Question


class Withdraw(Effect, frozen=True):
    verb: ClassVar[str] = "withdraw"

    name: Hashable


class Perform(Effect, frozen=True):
    verb: ClassVar[str] = "perform"

    key: str
    task: Task


class Stop(Effect, frozen=True):
    verb: ClassVar[str] = "stop"

    key: str


class Open(Effect, frozen=True):
    verb: ClassVar[str] = "open"

    conversation: ConversationId
    mechanism: Mechanism
    items: tuple[Item, ...]
    participants: tuple[AgentId, ...]
    finish_by: float

    def carry_out(self, role: Any) -> None:
        """Open it; `conversation` is what the recorder has called it, and a port calls it by its own count."""
        role.open(self.mechanism, self.items, self.participants, self.finish_by)


class CancelChild(Effect, frozen=True):
    verb: ClassVar[str] = "cancel"

    conversation: ConversationId


class MakeAward(Effect, frozen=True):
    verb: ClassVar[str] = "award"

    line: Award
    key: str = ""


class Settle(Effect, frozen=True):
    verb: ClassVar[str] = "settle"

    item: str
    paid: float
    winner: AgentId | None = None
    penalty: float = 0.0
    key: str = ""


class Publish(Effect, frozen=True):
    verb: ClassVar[str] = "publish"

    fact: Fact


class Finish(Effect, frozen=True):
    verb: ClassVar[str] = "finish"

    outcome: Outcome


class Persist(Effect, frozen=True):
    verb: ClassVar[str] = "persist"

    record: Any


class Checkpoint(Effect, frozen=True):
    verb: ClassVar[str] = "checkpoint"

    record: Any


class Recorder:
    """A port that keeps the effects of a role in `effects`, in the order of the calls, and carries out none.

    `now` is set by whoever drives the role. Signatures are the plain text "signed by ..." and prove nothing.
    """

    def __init__(
        self,
        me: AgentId,
        conversation: ConversationId = "test/1",
        *,
        finish_by: float = float("inf"),
        seed: int = 0,
    ) -> None:
        self.me = me
        self.conversation = conversation
        self.finish_by = finish_by
        self.now = 0.0
        self.incarnation = 0
        self.rng: Random = stream(seed, "role", conversation, me)
        self.effects: list[Effect] = []
        self.opened = 0

    def seat(self, role: Protocol) -> None:
        """Become the port of a role."""
        role._port = self

    def take(self) -> list[Effect]:
        """The effects since the last call, in order."""
        taken, self.effects = self.effects, []
        return taken

    def send(self, to: AgentId, message: Message) -> None:
        self.effects.append(Send(to, message))

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        self.effects.append(Broadcast(tuple(to), message))

    def tell(self, conversation: ConversationId, message: Message) -> None:
        self.effects.append(Tell(conversation, message))

    def ignore(self, message: object, why: str) -> None:
        self.effects.append(Ignore(message, why))

    def set_timer(self, name: Hashable, at: float) -> None:
        self.effects.append(SetTimer(name, at))

    def cancel_timer(self, name: Hashable) -> None:
        self.effects.append(CancelTimer(name))

    def decide(self, name: Hashable, question: Question) -> None:
        self.effects.append(Decide(name, question))

    def withdraw(self, name: Hashable) -> None:
        self.effects.append(Withdraw(name))

    def perform(self, key: str, task: Task) -> None:
        self.effects.append(Perform(key, task))

    def stop(self, key: str) -> None:
        self.effects.append(Stop(key))

    def open(
        self, mechanism: Mechanism, items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId:
        self.opened += 1
        child = f"{self.conversation}/{self.me}/{self.opened}"
        self.effects.append(Open(child, mechanism, tuple(items), tuple(participants), finish_by))
        return child

    def cancel(self, conversation: ConversationId) -> None:
        self.effects.append(CancelChild(conversation))

    def award(self, line: Award, key: str) -> None:
        self.effects.append(MakeAward(line, key))

    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None:
        self.effects.append(Settle(item, paid, winner, penalty, key))

    def publish(self, fact: Fact) -> None:
        self.effects.append(Publish(fact))

    def finish(self, outcome: Outcome) -> None:
        self.effects.append(Finish(outcome))

    def sign(self, body: Any) -> Signed[Any]:
        return Signed(self.me, body, f"signed by {self.me}".encode())

    def persist(self, record: Any) -> None:
        self.effects.append(Persist(record))

    def checkpoint(self, record: Any) -> None:
        self.effects.append(Checkpoint(record))
