"""What an approval gate lets pass, and what the people who are asked get to see; see `walras.live.approval`."""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, ClassVar, Literal

import msgspec

from walras.effects import Effect, MakeAward, Publish, Settle
from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Fact, Frozen, Message
from walras.questions import Question

MOST_TEXT = 500
"""Characters of one message in a report."""


class Act(Frozen, frozen=True):
    """Something that would bind: an award (`price` is its price), or a result (`price` is what would be paid)."""

    kind: Literal["award", "result"]
    item: str
    winner: AgentId | None
    price: float
    risk: float = 0.0
    above: str = ""
    """Which limit it exceeds, in words."""


class Heard(Frozen, frozen=True):
    """What a participant has said: the type of its message, its price if it names one, and all of it as JSON."""

    who: AgentId
    said: str
    price: float | None = None
    text: str = ""


class Case(Frozen, frozen=True):
    """What is to be approved, all or nothing, with who said what, and why it was chosen."""

    number: int
    conversation: ConversationId
    mechanism: str
    acts: tuple[Act, ...]
    heard: tuple[Heard, ...]
    reasons: tuple[str, ...]


Risk = Callable[[Act, tuple[Heard, ...]], float]
"""How risky an award or a result is, from what is known when it is about to happen."""


class Gate(msgspec.Struct, frozen=True):
    """What needs a yes, and whose.

    Args:
        approvers: agents who are asked, one after the other, until one says yes or no.
        award_above: awards at a higher price wait; -1: all of them.
        result_above: results for which more would be paid wait.
        risk_above: awards and results of a higher `risk` wait.
        risk: measures it, a module-level function.
        wait_s: how long each approver has, seconds; then the next one is asked.
        otherwise: what happens when the last one has been silent, too: ``reject`` or ``accept``.
        margin_s: what is kept of `wait_s` for an answer to travel.

    Raises:
        ScenarioError: for settings that make no sense; it names the field.
    """

    approvers: tuple[AgentId, ...]
    award_above: float = inf
    result_above: float = inf
    risk_above: float = inf
    risk: Risk | None = None
    wait_s: float = 300.0
    otherwise: Literal["reject", "accept"] = "reject"
    margin_s: float = 0.25

    def __post_init__(self) -> None:
        names: object = self.approvers
        if not isinstance(names, tuple) or not names or len(set(names)) < len(names):
            raise ScenarioError("approvers", names, "a tuple of one or more agents, each once")
        for name in ("award_above", "result_above", "risk_above"):
            limit = getattr(self, name)
            if not isinstance(limit, int | float) or limit != limit:
                raise ScenarioError(name, limit, "a number; inf: no limit")
        if min(self.award_above, self.result_above, self.risk_above) == inf:
            raise ScenarioError(
                "gate", self, "award_above, result_above or risk_above: else nothing ever waits"
            )
        if (self.risk is None) != (self.risk_above == inf) or not (self.risk is None or callable(self.risk)):
            raise ScenarioError("risk", self.risk, "a function where risk_above is given, and only there")
        if not 0 <= self.margin_s < self.wait_s < inf:
            raise ScenarioError(
                "wait_s", self.wait_s, f"finite seconds, more than margin_s ({self.margin_s:g})"
            )
        if self.otherwise not in ("reject", "accept"):
            raise ScenarioError("otherwise", self.otherwise, "reject or accept")


# ------------------------------------------------------------------------------------------------- what is said


class Yes(Frozen, frozen=True, tag=True):
    """It may happen."""

    why: str = ""


class No(Frozen, frozen=True, tag=True):
    """It must not happen."""

    why: str = ""


class Abstain(Frozen, frozen=True, tag=True):
    """Somebody else has to say; also what silence stands for."""

    why: str = ""


class Approval(Question, frozen=True, kw_only=True):
    """May this happen? An award or a payment is held until you say Yes or No; all acts of the case stand or fall together.

    The case says what each of the participants has said, and why this was chosen. Abstain to leave it to the next one.
    """

    case: Case

    answers: ClassVar[tuple[type, ...]] = (Yes, No, Abstain)

    @property
    def otherwise(self) -> Abstain:
        return Abstain("no answer")


class ApprovalWanted(Message, frozen=True):
    """A case for an approver."""

    case: Case
    answer_by: float


class Verdict(Message, frozen=True):
    """What an approver says about the case of this number."""

    number: int
    said: Yes | No | Abstain


class Dismissed(Message, frozen=True):
    """No more cases will come."""


class ApprovalAsked(Fact, frozen=True):
    """Somebody was asked for a yes."""

    number: int
    approver: AgentId
    acts: tuple[Act, ...]


class ApprovalEnded(Fact, frozen=True):
    """How that ended."""

    number: int
    approver: AgentId
    said: Yes | No | Abstain


# ---------------------------------------------------------------------------------------------------- the report


def acts_of(gate: Gate, effects: Iterable[Effect], heard: tuple[Heard, ...]) -> tuple[Act, ...]:
    """The awards and results among these effects that need a yes."""
    found = []
    for effect in effects:
        if isinstance(effect, MakeAward):
            line = effect.line
            act, limit = Act("award", line.item, line.winner, line.price), gate.award_above
        elif isinstance(effect, Settle):
            act, limit = Act("result", effect.item, effect.winner, effect.paid), gate.result_above
        else:
            continue
        risk = float(gate.risk(act, heard)) if gate.risk is not None else 0.0
        above = []
        if act.price > limit:
            above.append(f"price {act.price:g} is above {limit:g}")
        if not risk <= gate.risk_above:  # no number at all is no small risk
            above.append(f"risk {risk:g} is above {gate.risk_above:g}")
        if above:
            found.append(msgspec.structs.replace(act, risk=risk, above=", ".join(above)))
    return tuple(found)


def heard_in(inputs: Iterable[tuple[float, str, tuple[Any, ...]]]) -> tuple[Heard, ...]:
    """The messages among a role's inputs, in the order in which they came."""
    return tuple(_heard(*arguments) for _, handler, arguments in inputs if handler == "on_message")


def _heard(sender: AgentId, message: Any) -> Heard:
    price = getattr(message, "price", None)
    named = float(price) if isinstance(price, int | float) else None
    text = msgspec.json.encode(message, enc_hook=repr).decode()
    return Heard(sender, type(message).__name__, named, text[:MOST_TEXT])


def reasons(
    mechanism: Mechanism, acts: Sequence[Act], heard: tuple[Heard, ...], effects: Iterable[Effect]
) -> tuple[str, ...]:
    """Why this was chosen: the rules, where each price stands among those that were named, what the role has noted."""
    found = [f"the rules are {mechanism!r}"]
    named = [(word.price, word.who) for word in heard if word.price is not None]
    for act in acts:
        if act.kind == "award" and named:
            below = sum(price < act.price for price, _ in named)
            above = sum(price > act.price for price, _ in named)
            own = [f"{price:g}" for price, who in named if who == act.winner]
            says = f"{act.winner} named {', '.join(own)}" if own else f"{act.winner} named no price"
            found.append(
                f"{act.item} goes to {act.winner} at {act.price:g}: {says}; of {len(named)} prices that were named "
                f"{below} are lower and {above} higher"
            )
    found += [f"noted: {effect.fact!r}" for effect in effects if isinstance(effect, Publish)]
    return tuple(found)


def approve_all(question: Question, agent: Any) -> Any:
    """A strategy that says yes to every case, for markets in which approval is only to be on record."""
    return Yes("as a rule") if isinstance(question, Approval) else question.otherwise
