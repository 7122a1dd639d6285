"""How contractors answer: from their private type, and never more than they claim."""

from typing import Any

import pytest

from contractnet import ContractNet, ProposalWanted, Propose, Refuse, capacity_aware, markup, truthful
from walras.agents import Agent, Estimate
from walras.errors import ScenarioError
from walras.items import Task
from walras.questions import Question


class Slots:
    """An account with so many free slots."""

    free = 0.0

    def __init__(self, free_slots: int) -> None:
        self.free_slots = free_slots

    def held(self, name: Any) -> float:
        return 0.0


def wanted(task: Task) -> ProposalWanted:
    return ProposalWanted(task=task, manager="m", valid_until=12.0, decide_by=1.75)


def bidder(free_slots: int = 2, capacity: int = 2, **settings: Any) -> Agent:
    costs = settings.pop("costs", lambda task: Estimate(4.0, quality=0.8, seconds=10.0))
    agent = Agent("a", costs=costs, capacity=capacity, **settings)
    agent.account = Slots(free_slots)
    return agent


def test_truthful_proposes_what_it_claims() -> None:
    """Cost is the price; quality and time as believed; it binds as long as the rules ask for."""
    assert truthful(wanted(Task("t")), bidder()) == Propose(4.0, 10.0, 0.8, 12.0)


def test_claims_are_what_is_proposed_where_they_differ_from_beliefs() -> None:
    agent = bidder(claims=lambda task: Estimate(4.0, quality=1.0, seconds=5.0))
    assert truthful(wanted(Task("t")), agent) == Propose(4.0, 5.0, 1.0, 12.0)


def test_truthful_refuses_what_it_cannot_do_or_nobody_would_pay() -> None:
    assert truthful(wanted(Task("t")), bidder(costs=None)) == Refuse("ineligible")
    assert truthful(wanted(Task("t", requires=("law",))), bidder()) == Refuse("ineligible")
    assert truthful(wanted(Task("t", reserve=3.9)), bidder()) == Refuse("over-budget")
    assert isinstance(truthful(wanted(Task("t", reserve=4.0)), bidder()), Propose)


def test_truthful_refuses_everything_without_slots() -> None:
    """Its answer could never be kept."""
    assert truthful(wanted(Task("t")), bidder(0, capacity=0)) == Refuse("no-capacity")


@pytest.mark.parametrize(("free", "eta_s"), [(2, 10.0), (1, 10.0), (0, 15.0), (-1, 20.0)])
def test_a_busy_agent_expects_to_wait_for_a_slot(free: int, eta_s: float) -> None:
    """Two slots, ten seconds each: one comes free every five."""
    assert truthful(wanted(Task("t")), bidder(free)).eta_s == pytest.approx(eta_s)


def test_capacity_aware_refuses_instead() -> None:
    assert capacity_aware(wanted(Task("t")), bidder(0)) == Refuse("no-capacity")
    assert capacity_aware(wanted(Task("t")), bidder(1)) == truthful(wanted(Task("t")), bidder(1))


def test_capacity_aware_says_no_capacity_only_of_what_it_could_do() -> None:
    """What it cannot do is ineligible however busy it is, and of other questions it knows the default only."""
    unable = bidder(0, costs=lambda task: None)
    assert capacity_aware(wanted(Task("t")), unable) == Refuse("ineligible")
    assert capacity_aware(Question(decide_by=1.0), bidder(0)) is None


def test_markup_asks_for_more_but_not_for_more_than_can_be_had() -> None:
    assert markup(1.5)(wanted(Task("t")), bidder()).price == 6.0
    assert markup(1.5)(wanted(Task("t", reserve=5.0)), bidder()).price == 5.0
    assert markup(1.5)(wanted(Task("t", reserve=3.0)), bidder()) == Refuse("over-budget")
    assert repr(markup(1.5)) == "Markup(factor=1.5)"
    with pytest.raises(ScenarioError, match="factor"):
        markup(-1.0)
    with pytest.raises(ScenarioError, match=r"factor is '1\.2'"):
        markup("1.2")  # type: ignore[arg-type]


def test_the_default_is_truthful_and_knows_its_limits() -> None:
    """A question of another protocol gets the answer that always stands."""
    assert ContractNet().default_strategy(wanted(Task("t")), bidder()) == Propose(4.0, 10.0, 0.8, 12.0)
    assert truthful(Question(decide_by=1.0), bidder()) is None
    assert markup(2.0)(Question(decide_by=1.0), bidder()) is None
