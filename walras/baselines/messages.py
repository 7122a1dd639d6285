"""What the roles of the baselines say to each other, and what they ask of their minds. All times in seconds."""

from typing import Any

from walras.allocation import Report
from walras.amounts import MOST, is_number
from walras.items import Task
from walras.messages import AgentId, Frozen, Message
from walras.questions import Commitment, Question


class Assign(Message, frozen=True):
    """Do this task; a report that arrives after `report_by` is of no use."""

    task: Task
    report_by: float


class Done(Message, frozen=True):
    """The task has ended, well or not."""

    report: Report


class Release(Message, frozen=True):
    """The task is no longer wanted from you: stop, no report is needed."""


class Open(Message, frozen=True):
    """A task that who claims it first may have; it is over at `close_by`."""

    task: Task
    close_by: float


class Claim(Message, frozen=True):
    """I take it, at this price; `attempt` counts this sender's claims from 1."""

    price: float
    attempt: int


class Taken(Message, frozen=True):
    """Somebody else has the task."""


class Choice(Frozen, frozen=True, tag=True):
    """Give the task to this agent at this price, in the run's currency; None: to nobody."""

    agent: AgentId | None = None
    price: float = 0.0


class Choose(Question, frozen=True):
    """Who of the candidates shall do the task, and at what price, to be paid when it is done?

    `turn` is the place in the list of candidates at which a fixed cycle would go on.
    """

    task: Task
    candidates: tuple[AgentId, ...]
    turn: int = 0

    answers = (Choice,)

    @property
    def otherwise(self) -> Choice:
        return Choice()

    def accepts(self, answer: Any) -> bool:
        if not isinstance(answer, Choice) or answer.agent is None:
            return isinstance(answer, Choice)
        return answer.agent in self.candidates and is_price(answer.price, self.task)

    def commits(self, answer: Choice) -> Commitment | None:
        return Commitment(money=answer.price) if answer.agent is not None else None


class Take(Frozen, frozen=True, tag=True):
    """Claim the task, at this price in the run's currency."""

    price: float


class Leave(Frozen, frozen=True, tag=True):
    """The task is not for this agent, now or later."""


class MayClaim(Question, frozen=True):
    """The task is open: take it, leave it for good, or (no answer) be asked again a little later?

    To take it holds a slot until `until`, by when the claim is answered or will have been repeated.
    """

    task: Task
    until: float

    answers = (Take, Leave, type(None))

    def accepts(self, answer: Any) -> bool:
        return (
            is_price(answer.price, self.task)
            if isinstance(answer, Take)
            else isinstance(answer, self.answers)
        )

    def commits(self, answer: Take | Leave | None) -> Commitment | None:
        return Commitment(slots=1, until=self.until) if isinstance(answer, Take) else None


def is_price(price: object, task: Task) -> bool:
    """Whether this can be paid for the task: a plain number, not negative, not above its reserve, at most `MOST`."""
    return is_number(price, 0, MOST) and (task.reserve is None or price <= task.reserve)
