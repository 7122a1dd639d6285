"""Approval gates: awards and results above a stated price or risk wait for a person's yes.

A gate is a role around the role of who opens the conversation. It hands every input on, and carries out what the
role inside does, handler by handler. What one handler does is held as a whole if it contains an award or a settlement
above a limit; a person is asked, with a report of who said what; and meanwhile inputs wait, as they would while a
machine stands still. After a yes it happens as it was meant. After a no it has not happened: the role inside is brought
back to where it was, and told that nobody wants the conversation any more, so that its protocol tells the participants.
"""

from collections.abc import Iterable
from copy import deepcopy
from random import Random
from typing import Any, ClassVar

from msgspec import field
from msgspec.structs import replace

from walras.allocation import Award, Outcome
from walras.effects import (
    CancelTimer,
    Decide,
    Effect,
    Finish,
    MakeAward,
    Open,
    Recorder,
    SetTimer,
    Settle,
    Withdraw,
)
from walras.errors import ScenarioError
from walras.items import Item
from walras.live.approval_rules import (
    Abstain,
    Act,
    Approval,
    ApprovalAsked,
    ApprovalEnded,
    ApprovalWanted,
    Case,
    Dismissed,
    Gate,
    Heard,
    No,
    Verdict,
    Yes,
    acts_of,
    heard_in,
    reasons,
)
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Envelope, Message, Signed
from walras.protocol import Protocol, on
from walras.questions import Question

_TIMER = "time for an approval"


class Inside(Recorder):
    """The port of the role inside, for one input: what it does is noted, what it reads is the gate's own."""

    def __init__(self, gate: "Gatekeeper", now: float, rng: Random | None = None) -> None:
        self.me, self.conversation, self.finish_by = gate.me, gate.conversation, gate.finish_by
        self.incarnation = gate.incarnation
        self.now = now
        self.effects = []
        self.opened = gate.opened
        self._gate, self._rng = gate, rng

    @property
    def rng(self) -> Random:  # type: ignore[override]  # made on first use
        return self._rng if self._rng is not None else self._gate.rng

    def sign(self, body: Any) -> Signed[Any]:
        return self._gate.sign(body)


class Gatekeeper(Protocol):
    """Plays the opener's role, and asks before it binds much::

        Gatekeeper                          Approvers
           │ ── ApprovalWanted(case) ────────▶ │ the first one; after `wait_s` or an Abstain the next
           │ ◀── Verdict(Yes, No, Abstain) ─── │
           │ ── Dismissed ───────────────────▶ │ all who were asked, at the end

    It keeps all inputs of the role inside, for the report and for a refusal: it is for conversations that end.
    """

    rules: "Approved"
    inner: Protocol
    newborn: Protocol
    """The role inside as it was made: what it was before an input is lived again from here."""
    dice: Any = None
    """The state of our random stream at the beginning, for the same purpose."""
    inputs: list[tuple[float, str, tuple[Any, ...]]] = field(default_factory=list)
    """When what has happened to the role inside."""
    waiting: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    """What has happened while we wait for a verdict."""
    held: list[Effect] = field(default_factory=list)
    case: Case | None = None
    cases: int = 0
    approver: int = 0
    """Which of the approvers is asked."""
    summoned: list[AgentId] = field(default_factory=list)
    made: list[Award] = field(default_factory=list)
    opened: int = 0
    refusal: str = ""
    """Why it was not approved; empty: nothing was refused."""
    unpaid: list[tuple[str, AgentId | None]] = field(default_factory=list)
    """The results that were refused."""

    # ------------------------------------------------------------------ inputs of the role inside
    def on_start(self) -> None:
        self.dice = self.rng.getstate()
        self.take("on_start")

    def on_message(self, sender: AgentId, message: Any) -> None:
        if isinstance(message, Verdict):
            self.hear(sender, message)
        else:
            self.take("on_message", sender, message)

    def on_told(self, conversation: ConversationId, message: Any) -> None:
        self.take("on_told", conversation, message)

    def on_timer(self, name: Any) -> None:
        if name == _TIMER:
            self.close_case(Abstain("no answer in time"), self.asked)
        else:
            self.take("on_timer", name)

    def on_decision(self, name: Any, answer: Any) -> None:
        self.take("on_decision", name, answer)

    def on_performed(self, key: str, report: Any) -> None:
        self.take("on_performed", key, report)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.take("on_outcome", conversation, outcome)

    def on_cancel(self) -> None:
        if self.case is not None:
            self.refuse("it was called off")
        else:
            self.take("on_cancel")

    def on_late(self, sender: AgentId, message: Any) -> None:
        if isinstance(message, Verdict):
            self.ignore(message, "after the end")
        else:
            self.take("on_late", sender, message)

    def take(self, handler: str, *arguments: Any) -> None:
        """An input of the role inside; it waits while a verdict is awaited."""
        if self.case is not None:
            self.waiting.append((handler, arguments))
            return
        self.inputs.append((self.now, handler, arguments))
        inside = Inside(self, self.now)
        inside.seat(self.inner)
        getattr(self.inner, handler)(*arguments)
        effects = inside.take()
        binding = [effect for effect in effects if isinstance(effect, MakeAward | Settle)]
        acts = acts_of(self.rules.gate, binding, self.heard) if binding else ()
        if acts and not self.refusal:
            self.open_case(acts, effects)
        else:
            self.carry_out(self.without_pay(effects, acts) if acts else effects)

    @property
    def heard(self) -> tuple[Heard, ...]:
        """What the participants have said so far."""
        return heard_in(self.inputs)

    # ------------------------------------------------------------------ asking
    @property
    def asked(self) -> AgentId:
        """Who is asked now."""
        return self.rules.gate.approvers[self.approver]

    def open_case(self, acts: tuple[Act, ...], effects: list[Effect]) -> None:
        """Hold what was about to happen, and ask the first approver."""
        self.cases, self.approver, self.held = self.cases + 1, 0, effects
        mechanism = self.rules.mechanism
        self.case = Case(
            number=self.cases,
            conversation=self.conversation,
            mechanism=mechanism.protocol,
            acts=acts,
            heard=self.heard,
            reasons=reasons(mechanism, acts, self.heard, effects),
        )
        self.ask()

    def ask(self) -> None:
        """Put the case to the approver whose turn it is."""
        assert self.case is not None
        gate = self.rules.gate
        answer_by = max(self.now, min(self.now + gate.wait_s, self.finish_by - gate.margin_s))
        if self.asked not in self.summoned:
            self.summoned.append(self.asked)
        self.publish(ApprovalAsked(self.case.number, self.asked, self.case.acts))
        self.set_timer(_TIMER, answer_by)
        self.send(self.asked, ApprovalWanted(self.case, answer_by))

    def hear(self, sender: AgentId, verdict: Verdict) -> None:
        """Only who is asked now is heard, and only about the case that is open."""
        if self.case is None or verdict.number != self.case.number or sender != self.asked:
            self.ignore(verdict, "not asked, or too late")
        else:
            self.close_case(verdict.said, sender)

    def close_case(self, said: Yes | No | Abstain, by: AgentId) -> None:
        """A yes, a no, or the next one's turn; after the last one it is as the gate says."""
        assert self.case is not None
        self.publish(ApprovalEnded(self.case.number, by, said))
        self.cancel_timer(_TIMER)
        gate = self.rules.gate
        if isinstance(said, Abstain):
            self.approver += 1
            if self.approver < len(gate.approvers):
                self.ask()
                return
        if isinstance(said, Yes) or (isinstance(said, Abstain) and gate.otherwise == "accept"):
            self.case, held, self.held = None, self.held, []
            self.carry_out(held)
            self.catch_up()
        else:
            self.refuse(f"{by} said no: {said.why}" if isinstance(said, No) else "nobody approved it in time")

    def refuse(self, why: str) -> None:
        """What is held has not happened, and the role inside is told that it is no longer wanted."""
        assert self.case is not None
        self.unpaid += [(act.item, act.winner) for act in self.case.acts if act.kind == "result"]
        self.case, self.held, self.refusal = None, [], why
        self.cancel_timer(_TIMER)
        self.inputs.pop()
        self.inner = self.relived()
        self.take("on_cancel")
        self.catch_up()

    def relived(self) -> Protocol:
        """The role inside after all inputs so far; it is a function of them."""
        role, dice = deepcopy(self.newborn), Random()
        dice.setstate(self.dice)
        self.opened = 0
        for now, handler, arguments in self.inputs:
            inside = Inside(self, now, dice)
            inside.seat(role)
            getattr(role, handler)(*arguments)
            self.opened = inside.opened
        return role

    def catch_up(self) -> None:
        """Hand on what has waited."""
        while self.waiting and self.case is None:
            handler, arguments = self.waiting.pop(0)
            self.take(handler, *arguments)

    # ------------------------------------------------------------------ effects of the role inside
    def without_pay(self, effects: list[Effect], acts: tuple[Act, ...]) -> list[Effect]:
        """After a no, what would need a yes is not asked for again: a result is not paid; an award is the end of it."""
        if any(act.kind == "award" for act in acts):
            return [Finish(Outcome("cancelled", tuple(self.made)))]
        unpaid = [(act.item, act.winner) for act in acts]
        return [
            replace(effect, paid=0.0)
            if isinstance(effect, Settle) and (effect.item, effect.winner) in unpaid
            else effect
            for effect in effects
        ]

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what the role inside has done, in its order."""
        for effect in effects:
            if isinstance(effect, Open):
                mechanism = self.rules.around(effect.mechanism)
                child = self.open(mechanism, effect.items, effect.participants, effect.finish_by)
                assert child == effect.conversation
                self.opened += 1
                continue
            if isinstance(effect, MakeAward):
                self.made.append(effect.line)
            elif isinstance(effect, SetTimer | CancelTimer):
                self.drop("on_timer", effect.name)
            elif isinstance(effect, Decide | Withdraw):
                self.drop("on_decision", effect.name)
            elif isinstance(effect, Finish):
                self.say_goodbye()
                effect = Finish(self.ended(effect.outcome))
            effect.carry_out(self)

    def drop(self, handler: str, name: Any) -> None:
        """A timer that is moved, a question that is withdrawn: neither is heard of again, also if it has waited here."""
        self.waiting = [entry for entry in self.waiting if entry[0] != handler or entry[1][0] != name]

    def say_goodbye(self) -> None:
        """Nobody is needed any more."""
        self.waiting.clear()
        if self.summoned:
            self.broadcast(self.summoned, Dismissed())

    def ended(self, outcome: Outcome) -> Outcome:
        """How it ended, without the results that were refused."""
        if not self.refusal:
            return outcome
        kept = tuple(line for line in outcome.awards if not self.is_unpaid(line))
        return replace(outcome, status="refused", awards=kept, why=self.refusal)

    def is_unpaid(self, line: Award) -> bool:
        """Whether what this award was for has been refused."""
        return (line.item, line.winner) in self.unpaid or (line.item, None) in self.unpaid

    def check(self) -> None:
        """Something is held while, and only while, a verdict is awaited."""
        assert (self.case is None) == (not self.held)
        assert self.case is not None or not self.waiting


class Approver(Protocol):
    """Asks its mind about every case once; see `Gatekeeper`."""

    rules: "Approved"
    opener: AgentId
    cases: list[int] = field(default_factory=list)

    @on(ApprovalWanted)
    def consider(self, sender: AgentId, wanted: ApprovalWanted) -> None:
        """A case for our mind."""
        if sender != self.opener or wanted.case.number in self.cases:
            self.ignore(wanted, "from a stranger" if sender != self.opener else "a second time")
            return
        self.cases.append(wanted.case.number)
        decide_by = max(self.now, wanted.answer_by - self.rules.gate.margin_s)
        self.decide(wanted.case.number, Approval(case=wanted.case, decide_by=decide_by))

    def on_decision(self, name: int, answer: Yes | No | Abstain) -> None:
        self.send(self.opener, Verdict(name, answer))

    @on(Dismissed)
    def go(self, sender: AgentId, message: Dismissed) -> None:
        """It is over."""
        if sender == self.opener:
            self.finish(Outcome("done"))
        else:
            self.ignore(message, "from a stranger")


class Approved(Mechanism, frozen=True):
    """A mechanism whose awards and results wait for a person's yes where they are above a limit, live or simulated.

    The approvers are agents of the market: a person's (`walras.adapters.human`), a rule's, whoever answers `Approval`.
    They are never asked to take part. While somebody ponders, proposals run out as they always do: let them bind for
    longer than `Gate.wait_s` (as ``ContractNet(valid_for_s=...)`` says).

    Args:
        mechanism: the rules.
        gate: what needs a yes, and whose.

    Raises:
        ScenarioError: for a mechanism that is already gated, or replicated: replicate the gated one.

    Examples:
        >>> from contractnet import ContractNet
        >>> gated = Approved(ContractNet(valid_for_s=600.0), Gate(("ann", "boss"), award_above=100.0))
        >>> gated.gate.otherwise
        'reject'
    """

    mechanism: Mechanism
    gate: Gate

    protocol: ClassVar[str] = "x-approved"

    def __post_init__(self) -> None:
        given: object = self.mechanism
        if not isinstance(given, Mechanism) or isinstance(given, Approved):
            raise ScenarioError("mechanism", self.mechanism, "a Mechanism that has no gate yet")
        if self.mechanism.deputies():
            raise ScenarioError("mechanism", self.mechanism, "one without deputies; replicate the gated one")

    @property
    def messages(self) -> tuple[type[Message], ...]:  # type: ignore[override]  # those of what is inside, too
        """The vocabulary: that of the mechanism, and of the gate."""
        return (*self.mechanism.messages, ApprovalWanted, Verdict, Dismissed)

    def around(self, mechanism: Mechanism) -> "Approved":
        """The same gate for another mechanism, such as that of a child."""
        return mechanism if isinstance(mechanism, Approved) else replace(self, mechanism=mechanism)

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """The mechanism's opener behind its gate."""
        if me in self.gate.approvers:
            raise ScenarioError("approvers", self.gate.approvers, f"others than {me}, who opens it")
        others = tuple(agent for agent in participants if agent not in self.gate.approvers)
        inner = self.mechanism.opener(me, items, others)
        if inner.recovery != "replay":
            raise ScenarioError("mechanism", self.mechanism, "one whose opener does not keep its own records")
        return Gatekeeper(self, inner, deepcopy(inner))

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        """An approver, or the mechanism's newcomer."""
        if me not in self.gate.approvers:
            return self.mechanism.join(me, invitation)
        if invitation is None or not isinstance(invitation.message, ApprovalWanted):
            return None
        return Approver(self, invitation.sender)

    def services(self) -> Iterable[tuple[AgentId, ConversationId, Protocol]]:
        """As the mechanism has them."""
        return self.mechanism.services()

    def default_strategy(self, question: Question, agent: Any) -> Any:
        """As the mechanism has it; who has no strategy of its own approves of nothing."""
        if isinstance(question, Approval):
            return question.otherwise
        return self.mechanism.default_strategy(question, agent)
