"""The speech acts of a Contract Net conversation, and the one question that a contractor asks its mind.

All times are absolute, in seconds since the run's epoch. Nothing carries a round or an order number: in a standard
conversation each side says each thing at most once, so whatever comes twice is a double.
"""

from math import inf
from typing import Any, ClassVar, Literal

from walras.allocation import Report
from walras.amounts import MOST, is_number
from walras.errors import LocalProtocolError
from walras.items import Task
from walras.messages import AgentId, Fact, Message
from walras.questions import Commitment, Question

Reason = Literal[
    "late",  # it came after its deadline
    "closed",  # it came before the deadline, but bidding had been closed early
    "lost",  # another proposal was better
    "over-budget",  # the price is above the task's reserve
    "expired",  # the proposal had ceased to bind
    "unparsable",  # the numbers make no sense, or nothing could be read at all
    "ineligible",  # it cannot do this task
    "no-capacity",  # it could, but has no free slot
    "no-answer",  # its mind gave no answer in time, or none that is legal and covered by its account
    "cancelled",  # the initiator no longer wants the task
    "failed",  # the work, or a part of it, went wrong
    "cannot-cancel",  # the work cannot be interrupted; its result will follow
    "already-finished",  # the work had ended before the cancel came
    "unknown-conversation",  # nothing that this could refer to is known
]
"""Why somebody said no. A code for machines; what people should read goes into `why`."""


class CallForProposals(Message, frozen=True):
    """FIPA ``cfp``: who will do this task? A proposal counts if it arrives at `reply_by` or before."""

    task: Task
    reply_by: float


class UnsoundProposalError(LocalProtocolError, ValueError):
    """The numbers of a proposal make no sense. A `ValueError` too, so that reading one from JSON says where."""


# Recognized by identity: a proposal that leaves them out need not be weighed there.
_AT_ONCE = 0.0
_PERFECT = 1.0


class Propose(Message, frozen=True):
    """A binding offer: do the task for `price`, within `eta_s` of its acceptance, at `quality` in [0, 1].

    It binds until `valid_until`, at most as long as the rules ask for; left out, exactly so long.

    Raises:
        UnsoundProposalError: for anything but plain numbers, not negative, not NaN, at most `MOST`, quality at most 1:
            there is no proposal that makes no sense, so nobody who receives one has to ask.
    """

    price: float
    eta_s: float = _AT_ONCE
    quality: float = _PERFECT
    valid_until: float = inf

    def __post_init__(self) -> None:
        price, eta_s, quality, until = self.price, self.eta_s, self.quality, self.valid_until
        if not (
            price.__class__ is until.__class__ is float
            and 0.0 <= price <= MOST
            and until >= 0.0
            and (eta_s is _AT_ONCE or (eta_s.__class__ is float and 0.0 <= eta_s <= MOST))
            and (quality is _PERFECT or (quality.__class__ is float and 0.0 <= quality <= 1.0))
        ):
            self._check()

    def _check(self) -> None:
        """As above, one number after the other, for integers, too, and to say what is wrong."""
        for field, most in (("price", MOST), ("eta_s", MOST), ("quality", 1.0), ("valid_until", inf)):
            value = getattr(self, field)
            if not is_number(value, 0.0, most):
                upto = f"from 0 to {most:g}" if most < inf else "of 0 or more"
                raise UnsoundProposalError(f"{field} of a proposal is {value!r}; expected a number {upto}")


class Refuse(Message, frozen=True):
    """No proposal."""

    reason: Reason = "ineligible"
    why: str = ""


class NotUnderstood(Message, frozen=True):
    """What came made no sense to its receiver. It ends this participant's part, and is never answered in kind."""

    reason: Reason = "unparsable"
    why: str = ""


class AcceptProposal(Message, frozen=True):
    """The proposal is accepted as it stands; the result is awaited until `result_by`."""

    result_by: float


class RejectProposal(Message, frozen=True):
    """The proposal is not accepted, and binds no longer."""

    reason: Reason = "lost"


class Inform(Message, frozen=True):
    """FIPA's three endings that went well, kept apart by `kind`.

    ``result`` (inform-result: done, and here is what came out), ``done`` (inform-done: done, nothing to hand over),
    ``cancelled`` (inform-done of a cancel: released or stopped, the report says what it had cost by then).
    """

    kind: Literal["done", "result", "cancelled"]
    report: Report | None = None


class Failure(Message, frozen=True):
    """The task was not done, or the cancel did not succeed: then `report` says what became of the task."""

    reason: Reason = "failed"
    report: Report | None = None
    why: str = ""


class Cancel(Message, frozen=True):
    """The initiator no longer wants the task; answered by an `Inform` or a `Failure`."""


class TieDecided(Fact, frozen=True):
    """`tied` scored the same (listed by id) and there was room for `places` of them: the role's own dice chose."""

    item: str
    tied: tuple[AgentId, ...]
    places: int


_NO_ANSWER = Refuse("no-answer")


class ProposalWanted(Question, frozen=True, kw_only=True):
    """Do you want this task, and on which terms?

    Propose a price, the seconds until the task is done (eta_s) and the quality that you expect (0 to 1), or refuse.
    A proposal binds you until `valid_until`: if it is accepted by then, you have to do the task at that price.
    """

    task: Task
    manager: AgentId
    valid_until: float
    eager: bool = False
    """Whether a proposal holds one of the agent's slots for as long as it binds."""

    answers: ClassVar[tuple[type, ...]] = (Propose, Refuse, NotUnderstood)

    @property
    def otherwise(self) -> Refuse:
        return _NO_ANSWER

    def accepts(self, answer: Any) -> bool:
        if type(answer) is Propose:
            return True
        return isinstance(answer, Refuse | NotUnderstood) and type(answer.reason) is type(answer.why) is str

    def commits(self, answer: Any) -> Commitment | None:
        if self.eager and type(answer) is Propose:
            return Commitment(slots=1, until=min(answer.valid_until, self.valid_until))
        return None
