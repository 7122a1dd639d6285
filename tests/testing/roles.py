"""Roles that break one rule each, and one that keeps them all."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, ClassVar

from msgspec import field

from walras.allocation import Award, Outcome
from walras.items import Task
from walras.messages import Message
from walras.protocol import Protocol, on
from walras.questions import Question


class Ping(Message, frozen=True):
    n: int = 0


class Pair(Message, frozen=True):
    both: tuple[int, ...] = ()


class Choice(Question, frozen=True, kw_only=True):
    answers = (int,)


class Good(Protocol):
    """Counts pings, asks, awards once and ends at its timer."""

    seen: dict[int, str] = field(default_factory=dict)
    drawn: float = 0.0
    awarded: bool = False

    def on_start(self) -> None:
        self.set_timer("end", self.now + 5.0)
        self.decide("q", Choice(decide_by=self.now + 1.0))

    @on(Ping)
    def count(self, sender: str, message: Ping) -> None:
        self.seen.setdefault(message.n, sender)
        self.send(sender, message)

    def on_decision(self, name: str, answer: int | None) -> None:
        self.drawn = self.rng.random()
        if not self.awarded:
            self.awarded = True
            self.award(Award("lot", "ann", float(answer or 0)))

    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done"))


LIFE = [
    ("start",),
    ("hear", "ann", Ping(1)),
    ("decided", "q", 4),
    ("hear", "ben", Ping(2)),
    ("timer", "end"),
    ("late", "ann", Ping(3)),
]


class WithState(Good):
    """Its state is whatever a test puts there."""

    thing: Any = None

    def on_decision(self, name: str, answer: int | None) -> None:
        super().on_decision(name, answer)
        self.thing = self.spoil()

    def spoil(self) -> Any:
        return None


class HoldsAFunction(WithState):
    def spoil(self) -> Callable[[], None]:
        return lambda: None


class HoldsItsMethod(WithState):
    def spoil(self) -> Any:
        return self.on_start


class HoldsAStranger(WithState):
    def spoil(self) -> object:
        return random.Random(3)  # is not equal to its own copy


class ReadsTheClock(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=str(time.time() > 0)))


class ReadsTheDate(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=str(datetime.now().year > 0)))


class ThrowsSharedDice(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=str(random.choice([1, 1]))))


class ThrowsItsOwnDice(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=str(Random().random() < 2)))


class NamesByChance(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=str(len(str(uuid.uuid4())))))


class Prints(Good):
    def on_timer(self, name: str) -> None:
        print("done")
        self.finish(Outcome("done"))


class CountsItself(Good):
    """Remembers in its class, where no copy and no crash can reach."""

    lives: ClassVar[int] = 0

    def on_start(self) -> None:
        CountsItself.lives += 1
        super().on_start()
        self.send("ann", Ping(CountsItself.lives))


class SendsAList(Good):
    @on(Ping)
    def count(self, sender: str, message: Ping) -> None:
        self.send(sender, Pair([1, 2]))  # type: ignore[arg-type]


class PersistsItsState(Good):
    """Hands over the list that it goes on changing."""

    recovery: ClassVar[str] = "records"
    log: list[int] = field(default_factory=list)

    @on(Ping)
    def count(self, sender: str, message: Ping) -> None:
        self.log.append(message.n)
        self.persist(self.log)


class AwardsEveryDouble(Good):
    @on(Ping)
    def count(self, sender: str, message: Ping) -> None:
        self.award(Award("lot", sender, 1.0))


class FinishesTwice(Good):
    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done"))
        self.finish(Outcome("done"))


class NeverEnds(Good):
    def on_timer(self, name: str) -> None:
        """It forgets to."""


class AwardsLate(Good):
    def on_late(self, sender: str, message: Ping) -> None:
        self.award(Award("lot", sender, 1.0))


class LeavesItsWork(Good):
    def on_timer(self, name: str) -> None:
        self.perform("job", Task("job"))
        self.finish(Outcome("done"))


class PersistsThoughReplayed(Good):
    def on_timer(self, name: str) -> None:
        self.persist(Ping(1))
        self.finish(Outcome("done"))


class Boundless(Good):
    """Shows everything that it ever heard."""

    @on(Ping)
    def count(self, sender: str, message: Ping) -> None:
        self.seen.update((n, sender) for n in range(5000))

    def __repr__(self) -> str:
        return f"Boundless({self.seen})"
