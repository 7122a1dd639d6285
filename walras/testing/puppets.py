"""Roles that do as they are told and write down what they hear: what `check_runtime` puts into a runtime.

A puppet's plan says which effects follow which input. Its log holds a line for every input, with the time that the
role saw; both are state, so they survive whatever the state of a role survives.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from msgspec import field

from walras.allocation import Outcome, Report
from walras.effects import Effect
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

    def carry_out(self, role: Any) -> None:
        role.set_timer(self.name, role.now + self.delay_s)


class Ask(Effect, frozen=True):
    """Ask the mind, with a deadline relative to now."""

    label: str
    within_s: float
    name: str = "q"

    def carry_out(self, role: Any) -> None:
        role.decide(self.name, Choose(label=self.label, decide_by=role.now + self.within_s))


class OpenChild(Effect, frozen=True):
    """Open a conversation, with a deadline relative to now."""

    rules: Mechanism
    within_s: float
    items: tuple[Item, ...] = ()
    participants: tuple[AgentId, ...] = ()

    def carry_out(self, role: Any) -> None:
        role.children.append(role.open(self.rules, self.items, self.participants, role.now + self.within_s))


class CancelLatest(Effect, frozen=True):
    """Cancel the child that was opened last."""

    def carry_out(self, role: Any) -> None:
        role.cancel(role.children[-1])


class Testify(Effect, frozen=True):
    """Send a quotation, of oneself or in another's name: only the former is true."""

    to: AgentId
    text: str
    by: AgentId = ""
    deep: bool = False

    def carry_out(self, role: Any) -> None:
        note = Note(self.text)
        quote = Signed(self.by, note, role.sign(note).proof) if self.by else role.sign(note)
        hidden = (Wrapped(quote),) if self.deep else ()
        role.send(self.to, Quote(self.text, () if self.deep else (quote,), hidden))


class Look(Effect, frozen=True):
    """Write down how much money is free, as the strategy sees it."""

    mind: Any

    def carry_out(self, role: Any) -> None:
        role.log.append((f"free {self.mind.view.free:g}", role.now))


class Draw(Effect, frozen=True):
    """Write down a number from the role's own stream, and send it to somebody."""

    to: AgentId

    def carry_out(self, role: Any) -> None:
        drawn = f"drew {role.rng.random()!r}"
        role.log.append((drawn, role.now))
        role.send(self.to, Note(drawn))


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
            effect.carry_out(self)
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
