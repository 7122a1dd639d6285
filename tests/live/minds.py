"""What the tests of the guard share: a question, and participants of many characters; all on virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from walras.agents import Agent
from walras.items import Task
from walras.live.answers import Answered, Usage
from walras.live.guard import Guard
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.messages import AgentId, Frozen
from walras.questions import Question
from walras.testing.virtual_time import run_virtually as run

__all__ = ["HowMuch", "No", "Offer", "Scripted", "ask", "busy", "how_much", "run", "took"]


class Offer(Frozen, frozen=True, tag=True):
    """Do the task for this price."""

    price: float
    eta_s: float = 0.0
    until: float = float("inf")


class No(Frozen, frozen=True, tag=True):
    """Do not do it."""

    why: str = ""


class HowMuch(Question, frozen=True, kw_only=True):
    """For how much would you do the task?"""

    task: Task
    heard: tuple[str, ...] = ()
    until: float = 100.0

    answers: ClassVar[tuple[type, ...]] = (Offer, No)

    @property
    def otherwise(self) -> No:
        return No("silent")

    def accepts(self, answer: Any) -> bool:
        return isinstance(answer, No) or (isinstance(answer, Offer) and 0 <= answer.price <= 1000)


def how_much(task: str = "t1", *, decide_by: float = 10.0, until: float = 100.0, **fields: Any) -> HowMuch:
    return HowMuch(task=Task(task, **fields), decide_by=decide_by, until=until)


Script = Callable[[Ask], Any]


class Scripted(Participant):
    """Does with each ask what it is told: a value to say, an exception to raise, a number of seconds to take first."""

    def __init__(
        self, *acts: Any, provider: str = "", takes_s: float = 0.0, usage: Usage | None = None
    ) -> None:
        self.acts, self.provider, self.takes_s, self.usage = list(acts), provider, takes_s, usage
        self.asks: list[Ask] = []

    async def answer(self, ask: Ask) -> Any:
        self.asks.append(ask)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if isinstance(act, BaseException):
            raise act
        said = act(ask) if callable(act) else act
        return said if self.usage is None else Reply(said, self.usage)


def busy() -> Retryable:
    """What a provider with too many callers raises."""
    return Retryable("429 too many requests")


def ask(
    guard: Guard,
    mind: Any,
    question: Question | None = None,
    *,
    agent: AgentId = "ada",
    conversation: str = "m/1",
    seconds: float = 10.0,
    **fields: Any,
) -> Answered:
    """One question, on virtual time."""
    asked = question if question is not None else how_much()
    return run(guard.answer(Agent(agent, mind, **fields), asked, conversation=conversation, seconds=seconds))


def took(found: Answered) -> float:
    """Its latency, without what sums of floats leave behind."""
    return round(found.latency_s, 6)
