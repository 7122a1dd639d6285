"""Several deputies play an opener's role: on its account, with its dice, and once between them."""

from typing import Any, ClassVar

import pytest

from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.errors import LocalProtocolError
from walras.items import Item, Lot, Task
from walras.mechanism import Mechanism
from walras.messages import Envelope
from walras.protocol import Protocol
from walras.questions import Question
from walras.simulation.faults import Crash, Faults
from walras.simulation.simulation import Simulation

DEPUTIES = ("d1", "d2", "d3")


class Wanted(Question, frozen=True, kw_only=True):
    """A price, please."""

    otherwise: float = 0.0

    def accepts(self, answer: Any) -> bool:
        return isinstance(answer, float)


class Deputy(Protocol):
    """Does the same as the others, under the same keys."""

    recovery: ClassVar[str] = "records"

    rules: "Deputised"
    items: tuple[Item, ...]
    drawn: float = 0.0
    answers: list[float] = []
    heard: list[str] = []
    cancelled: bool = False

    def on_start(self) -> None:
        self.drawn = self.rng.random()
        if self.rules.inner is not None:
            child = self.open(self.rules.inner, self.items, ("ann",), self.finish_by - 1.0)
            if self.rules.cancels:
                self.cancel(child)
            return
        if self.rules.asks:
            self.decide("price", Wanted(decide_by=self.now + 1.0))
        if self.rules.sells:
            self.award(Award(self.items[0].id, "ann", 4.0), key="1")
            if self.items[0].escrowed:
                self.settle(self.items[0].id, 3.0, key="2")
        self.set_timer("end", self.now + self.rules.takes_s)

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.on_start()

    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done", why=self.me))

    def on_decision(self, name: str, answer: float) -> None:
        self.answers.append(answer)

    def on_outcome(self, conversation: str, outcome: Outcome) -> None:
        self.heard.append(conversation)
        self.finish(outcome)

    def on_cancel(self) -> None:
        self.finish(Outcome("cancelled"))


class Deputised(Mechanism, frozen=True, kw_only=True):
    """The opener's role is played by its deputies."""

    protocol: ClassVar[str] = "x-deputised"
    inner: Mechanism | None = None
    asks: bool = False
    sells: bool = True
    cancels: bool = False
    takes_s: float = 2.0
    names: tuple[str, ...] = DEPUTIES

    def deputies(self) -> tuple[str, ...]:
        return self.names

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Deputy(self, items)

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return None

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        return agent.money


class Idle(Protocol):
    """Is there."""


class Leaning(Deputised, frozen=True, kw_only=True):
    """Leans on roles that must be there before it begins."""

    def services(self) -> Any:
        yield from ((name, "service/1", Idle()) for name in (*DEPUTIES, "d4"))


def market(mechanism: Mechanism, item: Item, finish_by: float = 30.0, **settings: Any) -> Simulation:
    simulation = Simulation(seed=1, **settings)
    simulation.add(Agent("house", money=10.0))
    simulation.add(Agent("ann", money=10.0))
    simulation.open(mechanism, [item], "house", ["ann"], finish_by=finish_by)
    return simulation


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("item", "house", "ann"), [(Lot("x"), 14.0, 6.0), (Task("x"), 7.0, 13.0)])
def test_it_is_awarded_once_on_the_openers_account(item: Item, house: float, ann: float, check: bool) -> None:
    world = market(Deputised(), item, check=check)
    world.run()
    balances = world.world.ledger.balances()
    assert (balances["house"], balances["ann"]) == (house, ann)
    # they were added, with nothing of their own
    assert [balances[name] for name in DEPUTIES] == [
        0.0,
        0.0,
        0.0,
    ]
    assert len(world.world.awards) == 1 and world.world.ledger.conserved()


def test_they_share_the_openers_dice_and_everybody_is_someone() -> None:
    simulation = market(Deputised(), Lot("x"))
    simulation.run(until=1.0)
    drawn = [simulation.role("house/1", name).drawn for name in DEPUTIES]  # type: ignore[attr-defined]
    alone = market(Deputised(names=()), Lot("x"))
    alone.run(until=1.0)
    assert drawn == [alone.role("house/1", "house").drawn] * 3  # type: ignore[attr-defined]


def test_the_first_that_finishes_gives_the_outcome() -> None:
    world = market(Deputised(), Lot("x"), faults=Faults((Crash("d1", 1.0, 0.5),)))
    result = world.run()
    assert result.outcomes["house/1"].why == "d2"  # d1 began again at 1.5 and took longer
    assert world.world.ended_at["house/1"] == 2.0
    assert len(world.world.awards) == 1


def test_the_opener_pays_for_what_a_deputy_answers() -> None:
    simulation = market(Deputised(asks=True), Lot("x"))
    simulation.run(until=1.0)
    answers = [simulation.role("house/1", name).answers for name in DEPUTIES]  # type: ignore[attr-defined]
    assert answers == [[10.0]] * 3  # the opener's mind, on the opener's purse


@pytest.mark.parametrize("check", [False, True])
def test_a_child_is_opened_once_and_each_hears_how_it_ended(check: bool) -> None:
    simulation = market(Deputised(inner=Deputised()), Lot("x"), check=check)
    result = simulation.run()
    opened = [row.conversation for row in result.trace if row.kind == "open"]
    assert opened == ["house/1", "house/1/house/1"]
    finished = [row.agent for row in result.trace if row.kind == "finish" and row.conversation == "house/1"]
    assert sorted(finished) == list(DEPUTIES)
    assert len(simulation.world.awards) == 1


@pytest.mark.parametrize(
    "crash", [Crash("d1", 1.0, 0.5), Crash("d1", 1.0, 5.0), Crash("d1", 1.0, float("inf"))]
)
def test_who_opens_a_child_again_hears_of_its_end_all_the_same(crash: Crash) -> None:
    simulation = market(Deputised(inner=Deputised()), Lot("x"), faults=Faults((crash,)))
    result = simulation.run()
    assert result.outcomes["house/1"].status == "done"
    ended = [row.agent for row in result.trace if row.kind == "finish" and row.conversation == "house/1"]
    assert sorted(ended) == list(DEPUTIES)
    assert len(simulation.world.awards) == 1 and simulation.world.ledger.conserved()
    assert "house/1" not in simulation.world.book


def test_a_cancelled_child_is_cancelled_for_all() -> None:
    result = market(Deputised(inner=Deputised(), cancels=True), Lot("x")).run()
    assert result.outcomes["house/1"].status == "cancelled"


def test_all_are_overdue_together() -> None:
    simulation = market(Deputised(takes_s=100.0, inner=None), Task("x"), finish_by=5.0)
    result = simulation.run()
    assert result.outcomes["house/1"].status == "overdue"
    ended = {row.agent: row.at for row in result.trace if row.kind == "finish"}
    assert ended == dict.fromkeys(DEPUTIES, 5.0)


def test_children_of_those_who_are_overdue_are_cancelled() -> None:
    simulation = market(Deputised(inner=Deputised(takes_s=100.0)), Task("x"), finish_by=5.0)
    simulation.run()
    ended = {row.conversation for row in simulation.world.trace if row.kind == "finish"}
    assert ended == {"house/1", "house/1/house/1"}
    assert "house/1/house/1" not in simulation.world.book


def test_a_child_without_them_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="deputy"):
        market(Deputised(inner=Deputised(names=())), Lot("x")).run()


def test_what_a_mechanism_leans_on_is_there_before_it_begins() -> None:
    simulation = market(Leaning(), Lot("x"))
    simulation.open(Leaning(), [Lot("y")], "house", ["ann"], finish_by=30.0)
    assert list(simulation.world.seats_of["service/1"]) == [*DEPUTIES, "d4"]
    result = simulation.run()
    assert {outcome.status for outcome in result.outcomes.values()} == {"done"}


def test_it_is_there_for_an_ordinary_agents_child_too() -> None:
    class Parent(Protocol):
        def on_start(self) -> None:
            self.open(Leaning(), [Lot("x")], ("ann",), 20.0)

        def on_outcome(self, conversation: str, outcome: Outcome) -> None:
            self.finish(outcome)

    class Plain(Mechanism, frozen=True):
        protocol: ClassVar[str] = "x-plain"

        def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
            return Parent()

    simulation = market(Plain(), Lot("x"))
    assert simulation.run().outcomes["house/1"].status == "done"
    assert list(simulation.world.seats_of["service/1"]) == [*DEPUTIES, "d4"]
    assert simulation.world.ledger.balances()["house"] == 14.0
