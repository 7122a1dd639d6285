"""Roles that do as they are told and write down what they hear: what `check_runtime` puts into a runtime.

A puppet's plan says which effects follow which input. Its log holds a line for every input, with the time that the
role saw; both are state, so they survive whatever the state of a role survives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

from msgspec import field

from walras.allocation import Outcome, Report
from walras.effects import (
    Broadcast,
    CancelTimer,
    Checkpoint,
    Decide,
    Effect,
    Finish,
    MakeAward,
    Open,
    Perform,
    Persist,
    Publish,
    Send,
    SetTimer,
    Settle,
    Stop,
    Tell,
    Withdraw,
)
from walras.errors import LocalProtocolError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Envelope, Frozen, Message, Signed
from walras.protocol import Protocol
from walras.questions import Commitment, Question

INF = float("inf")


class Note(Message, frozen=True):
    """A message that says something."""

    text: str


class Wrapped(Frozen, frozen=True):
    """Something with a quotation deep inside."""

    quote: Signed[Note]


class Quote(Message, frozen=True):
    """A message that quotes others, on the surface and deep down."""

    text: str
    quotes: tuple[Signed[Note], ...] = ()
    wrapped: tuple[Wrapped, ...] = ()


class Offer(Frozen, frozen=True, tag=True):
    """An answer that binds money or slots until a time."""

    price: float = 0.0
    slots: int = 0
    until: float = INF

    def __str__(self) -> str:
        return f"{self.price:g}"


class Skip(Frozen, frozen=True, tag=True):
    """An answer that binds nothing."""

    def __str__(self) -> str:
        return "pass"


class Choose(Question, frozen=True, kw_only=True):
    """What do you offer for this?"""

    label: str
    answers: ClassVar[tuple[type, ...]] = (Offer, Skip)

    @property
    def otherwise(self) -> Skip:
        return Skip()

    def commits(self, answer: Any) -> Commitment | None:
        return Commitment(answer.price, answer.slots, answer.until) if isinstance(answer, Offer) else None


class Mind:
    """A strategy that answers by the label of the question: with a value, or by raising it."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.view: Any = None
        """The agent as the strategy saw it: its account can be read from there."""

    def __call__(self, question: Any, agent: Any) -> Any:
        self.view = agent
        answer = self.answers.get(question.label, question.otherwise)
        if isinstance(answer, Exception):
            raise answer
        return answer


# ------------------------------------------------------------------------------- effects that plans use besides


class After(Effect, frozen=True):
    """Set a timer, relative to now."""

    name: Hashable
    delay_s: float


class Ask(Effect, frozen=True):
    """Ask the mind, with a deadline relative to now."""

    label: str
    within_s: float
    name: str = "q"


class OpenChild(Effect, frozen=True):
    """Open a conversation, with a deadline relative to now."""

    rules: Mechanism
    within_s: float
    items: tuple[Item, ...] = ()
    participants: tuple[AgentId, ...] = ()


class CancelLatest(Effect, frozen=True):
    """Cancel the child that was opened last."""


class Testify(Effect, frozen=True):
    """Send a quotation, of oneself or in another's name: only the former is true."""

    to: AgentId
    text: str
    by: AgentId = ""
    deep: bool = False


class Look(Effect, frozen=True):
    """Write down how much money is free, as the strategy sees it."""

    mind: Any


class Draw(Effect, frozen=True):
    """Write down a number from the role's own stream, and send it to somebody."""

    to: AgentId


def carry_out(role: Protocol, effect: Any) -> None:
    """Call the verb that this effect stands for."""
    VERBS[type(effect)](role, effect)


def _ask(role: Protocol, effect: Ask) -> None:
    role.decide(effect.name, Choose(label=effect.label, decide_by=role.now + effect.within_s))


def _open(role: Any, effect: OpenChild) -> None:
    child = role.open(effect.rules, effect.items, effect.participants, role.now + effect.within_s)
    role.children.append(child)


def _testify(role: Protocol, effect: Testify) -> None:
    note = Note(effect.text)
    quote = Signed(effect.by, note, role.sign(note).proof) if effect.by else role.sign(note)
    hidden = (Wrapped(quote),) if effect.deep else ()
    role.send(effect.to, Quote(effect.text, () if effect.deep else (quote,), hidden))


def _look(role: Any, effect: Look) -> None:
    role.log.append((f"free {effect.mind.view.free:g}", role.now))


def _draw(role: Any, effect: Draw) -> None:
    drawn = f"drew {role.rng.random()!r}"
    role.log.append((drawn, role.now))
    role.send(effect.to, Note(drawn))


VERBS: dict[type, Callable[[Any, Any], object]] = {
    Send: lambda role, e: role.send(e.to, e.message),
    Broadcast: lambda role, e: role.broadcast(e.to, e.message),
    Tell: lambda role, e: role.tell(e.conversation, e.message),
    SetTimer: lambda role, e: role.set_timer(e.name, e.at),
    CancelTimer: lambda role, e: role.cancel_timer(e.name),
    Decide: lambda role, e: role.decide(e.name, e.question),
    Withdraw: lambda role, e: role.withdraw(e.name),
    Perform: lambda role, e: role.perform(e.key, e.task),
    Stop: lambda role, e: role.stop(e.key),
    Open: lambda role, e: role.open(e.mechanism, e.items, e.participants, e.finish_by),
    MakeAward: lambda role, e: role.award(e.line, e.key),
    Settle: lambda role, e: role.settle(e.item, e.paid, e.winner, e.penalty, e.key),
    Publish: lambda role, e: role.publish(e.fact),
    Finish: lambda role, e: role.finish(e.outcome),
    Persist: lambda role, e: role.persist(e.record),
    Checkpoint: lambda role, e: role.checkpoint(e.record),
    After: lambda role, e: role.set_timer(e.name, role.now + e.delay_s),
    Ask: _ask,
    OpenChild: _open,
    CancelLatest: lambda role, e: role.cancel(role.children[-1]),
    Testify: _testify,
    Look: _look,
    Draw: _draw,
}

# --------------------------------------------------------------------------------------------------- the puppet

Plan = Mapping[str, tuple[Effect, ...]]

_thread = threading.local()


class Puppet(Protocol):
    """Follows its plan: ``{"start": (...), "heard hello": (...), "timer t": (...)}``, and logs every input."""

    plan: Plan = field(default_factory=dict)
    log: list[tuple[str, float]] = field(default_factory=list)
    senders: list[AgentId] = field(default_factory=list)
    children: list[ConversationId] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)

    def take(self, key: str, detail: str = "") -> None:
        """An input: log it, and do what the plan says, by the whole line or by its first words.

        An entry ``first heard hello`` is for the first time only: messages may be doubled.
        """
        line = f"{key} {detail}".rstrip()
        deep = getattr(_thread, "deep", 0)
        new = f"first {line}" in self.plan and all(line != heard for heard, _ in self.log)
        self.log.append((line, self.now))
        if deep:
            self.nested.append(line)
        _thread.deep = deep + 1
        try:
            for effect in self.plan[f"first {line}"] if new else self.plan.get(line, self.plan.get(key, ())):
                self.act(effect)
        finally:
            _thread.deep = deep

    def act(self, effect: Effect) -> None:
        """Carry out an effect; what the runtime refuses is logged, too."""
        try:
            carry_out(self, effect)
        except LocalProtocolError:
            self.log.append((f"refused {type(effect).__name__}", self.now))

    def on_start(self) -> None:
        self.take("start")

    def on_message(self, sender: AgentId, message: Any) -> None:
        self.senders.append(sender)
        self.take(f"heard {message.text}")

    def on_told(self, conversation: ConversationId, message: Any) -> None:
        self.take(f"told {message.text}")

    def on_timer(self, name: Any) -> None:
        self.take(f"timer {name}")

    def on_decision(self, name: Any, answer: Any) -> None:
        self.take(f"decided {name}", str(answer))

    def on_performed(self, key: str, report: Report) -> None:
        self.take(f"performed {key}", report.status)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.take("outcome", f"{conversation} {outcome.status}")

    def on_cancel(self) -> None:
        self.take("cancelled")
        if "cancelled" not in self.plan:
            self.finish(Outcome("cancelled"))

    def on_late(self, sender: AgentId, message: Any) -> None:
        self.take(f"late {message.text}")


class RecordsPuppet(Puppet):
    """A puppet that forgets in a crash, except for its records."""

    recovery: ClassVar[str] = "records"

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.take("recovered", " ".join(note.text for note in records))
        self.take(f"life {self.incarnation}")


class PuppetRules(Mechanism, frozen=True):
    """Rules by which puppets play; `made` are the roles that they have made so far, in order."""

    protocol: ClassVar[str] = "x-puppets"

    opening: Plan = field(default_factory=dict)
    joining: Plan = field(default_factory=dict)
    made: list[Puppet] = field(default_factory=list)

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        return self._make(self.opening)

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        return self._make(self.joining)

    def _make(self, plan: Plan) -> Puppet:
        puppet = Puppet(plan)
        self.made.append(puppet)
        return puppet
