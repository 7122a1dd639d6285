"""Between a participant's role and the copies of a replicated opener: the role inside sees one opener."""

from collections.abc import Hashable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec import field

from consensus.inputs import FromOpener, Heard, Place, ToOpener
from walras.allocation import Award, Outcome, Report
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Fact, Message, Signed
from walras.protocol import Protocol
from walras.questions import Question

if TYPE_CHECKING:
    from consensus.replicated import Replicated

_AGAIN = "again"


class Correspondent(Protocol):
    """Plays a participant's role against whichever copy of the opener speaks::

        role inside --message--> Correspondent --ToOpener(number)--> the copy that spoke last; all of them, until ...
                                               <--Heard(number)----- ... it is in the log
        role inside <--message-- Correspondent <--FromOpener(index, k)-- any copy, once; doubles are dropped

    It ends with the role inside, and not before all that this has said is heard.
    """

    rules: "Replicated"
    opener: AgentId
    inner: Protocol
    speaker: AgentId
    """The copy that spoke last."""
    taken: dict[Place, bool] = field(default_factory=dict)
    """What the opener has said that we have heard."""
    sent: int = 0
    unheard: dict[int, Message] = field(default_factory=dict)
    """What we have said, until it is known to be in the log."""
    timers: dict[Hashable, bool] = field(default_factory=dict)
    questions: dict[Hashable, bool] = field(default_factory=dict)
    result: Outcome | None = None
    """How the role inside has finished."""
    over: bool = False

    # ------------------------------------------------------------------ what happens, for the role inside
    def give(self, handler: str, *arguments: Any) -> None:
        """Call one of its handlers."""
        self.inner._port = Through(self)
        getattr(self.inner, handler)(*arguments)

    def on_start(self) -> None:
        self.give("on_start")

    def on_message(self, sender: AgentId, message: Any) -> None:
        kind = type(message)
        if kind is Heard and sender in self.rules.replicas:
            self.settle_up(message.number)
        elif kind is FromOpener and sender in self.rules.replicas:
            self.speaker = sender
            self.take(message)
        elif self.result is None:
            self.give("on_message", sender, message)
        else:
            self.give("on_late", sender, message)

    def take(self, message: FromOpener) -> None:
        """The opener says something, perhaps by several mouths."""
        place = (message.index, message.k)
        if place in self.taken:
            self.ignore(message, "a double")
        else:
            self.taken[place] = True
            self.give("on_message" if self.result is None else "on_late", self.opener, message.message)

    def on_told(self, conversation: ConversationId, message: Any) -> None:
        if self.result is None:
            self.give("on_told", conversation, message)

    def on_timer(self, name: Any) -> None:
        if name == _AGAIN:
            for number, message in self.unheard.items():
                self.broadcast(self.rules.replicas, ToOpener(number, message))
            self.set_timer(_AGAIN, self.now + self.rules.again_s)
        else:
            del self.timers[name[1]]
            self.give("on_timer", name[1])

    def on_decision(self, name: Any, answer: Any) -> None:
        self.give("on_decision", name, answer)

    def on_performed(self, key: str, report: Report) -> None:
        self.give("on_performed", key, report)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.give("on_outcome", conversation, outcome)

    def on_cancel(self) -> None:
        self.give("on_cancel")

    def on_late(self, sender: AgentId, message: Any) -> None:
        if type(message) is FromOpener and sender in self.rules.replicas:
            self.speaker = sender
            self.take(message)
        elif type(message) is Heard:
            self.ignore(message, "after the end")
        else:
            self.give("on_late", sender, message)

    # ------------------------------------------------------------------ what the role inside says to the opener
    def say(self, message: Message) -> None:
        """Say it until it is heard; after our end, once."""
        self.sent += 1
        if not self.over:
            if not self.unheard:
                self.set_timer(_AGAIN, self.now + self.rules.again_s)
            self.unheard[self.sent] = message
        self.send(self.speaker, ToOpener(self.sent, message))

    def settle_up(self, number: int) -> None:
        """This is in the log."""
        if self.unheard.pop(number, None) is not None and not self.unheard:
            self.cancel_timer(_AGAIN)
            self.end_if_heard()

    def end_inside(self, outcome: Outcome) -> None:
        """The role inside has finished: it waits for nothing more, and nothing is held for it."""
        self.result = outcome
        for name in self.timers:
            self.cancel_timer(("inner", name))
        for name in self.questions:
            self.withdraw(name)
        self.timers.clear()
        self.questions.clear()
        self.end_if_heard()

    def end_if_heard(self) -> None:
        if self.result is not None and not self.unheard:
            self.over = True
            self.finish(self.result)

    def check(self) -> None:
        self.inner.check()
        assert not (self.over and self.unheard)


class Through:
    """The port of the role inside: its correspondent's, but for what goes to the opener, and for the end."""

    def __init__(self, role: Correspondent) -> None:
        self.role = role

    # ------------------------------------------------------------------ what a role may read
    @property
    def me(self) -> AgentId:
        return self.role.me

    @property
    def conversation(self) -> ConversationId:
        return self.role.conversation

    @property
    def now(self) -> float:
        return self.role.now

    @property
    def finish_by(self) -> float:
        return self.role.finish_by

    @property
    def incarnation(self) -> int:
        return self.role.incarnation

    @property
    def rng(self) -> Random:
        return self.role.rng

    # ------------------------------------------------------------------ verbs
    def send(self, to: AgentId, message: Message) -> None:
        if to == self.role.opener:
            self.role.say(message)
        else:
            self.role.send(to, message)

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        peers = tuple(to)
        others = tuple(peer for peer in peers if peer != self.role.opener)
        if others:
            self.role.broadcast(others, message)
        if len(others) < len(peers):
            self.role.say(message)

    def tell(self, conversation: ConversationId, message: Message) -> None:
        self.role.tell(conversation, message)

    def ignore(self, message: object, why: str) -> None:
        self.role.ignore(message, why)

    def set_timer(self, name: Hashable, at: float) -> None:
        self.role.timers[name] = True
        self.role.set_timer(("inner", name), at)

    def cancel_timer(self, name: Hashable) -> None:
        self.role.timers.pop(name, None)
        self.role.cancel_timer(("inner", name))

    def decide(self, name: Hashable, question: Question) -> None:
        self.role.questions[name] = True
        self.role.decide(name, question)

    def withdraw(self, name: Hashable) -> None:
        self.role.questions.pop(name, None)
        self.role.withdraw(name)

    def perform(self, key: str, task: Task) -> None:
        self.role.perform(key, task)

    def stop(self, key: str) -> None:
        self.role.stop(key)

    def open(
        self, mechanism: Mechanism, items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId:
        return self.role.open(mechanism, items, participants, finish_by)

    def cancel(self, conversation: ConversationId) -> None:
        self.role.cancel(conversation)

    def award(self, line: Award, key: str) -> None:
        self.role.award(line, key)

    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None:
        self.role.settle(item, paid, winner, penalty, key)

    def publish(self, fact: Fact) -> None:
        self.role.publish(fact)

    def finish(self, outcome: Outcome) -> None:
        self.role.end_inside(outcome)

    def sign(self, body: Any) -> Signed[Any]:
        return self.role.sign(body)

    def persist(self, record: Any) -> None:
        self.role.persist(record)

    def checkpoint(self, record: Any) -> None:
        self.role.checkpoint(record)
