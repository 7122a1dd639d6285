"""What a scenario and a mechanism promise before anybody has filled them in."""

import pytest

from walras.agents import Agent, Estimate
from walras.allocation import Award, Report
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.mechanism import Mechanism
from walras.questions import Question
from walras.scenario import Instance, Scenario
from walras.valuations import Capped

TASK = Task("t", kind="draft")
WORKER = Agent("ada", costs=lambda task: Estimate(2.0, 0.5, 30.0), claims=lambda task: 1.0)


def test_an_instance_needs_agents_of_different_ids() -> None:
    with pytest.raises(ScenarioError, match=r"agents is \[\]; expected at least one agent"):
        Instance([], [])
    with pytest.raises(ScenarioError, match="agent id is 'ada'; expected an id of its own"):
        Instance([Agent("ada"), Agent("ada")], [])


def test_by_default_work_is_what_the_agent_believes_and_the_public_knows_what_it_claims() -> None:
    world = Instance([Agent("bob"), WORKER], [])
    assert world.work(TASK, "ada") == Report("done", cost=2.0, quality=0.5, seconds=30.0)
    assert world.estimate("ada", TASK) == Estimate(cost=1.0)
    assert world.estimate("bob", TASK) is None
    assert (world.value(TASK, Report("done"), 1.0), world.optimum()) == (0.0, None)


def test_a_traded_lot_gains_what_its_winner_values_it_at_or_its_seller_gives_up() -> None:
    bidder = Agent("bob", values=Capped({"lot": 5.0}, most_items=2))
    world = Instance([bidder], [])
    assert world.traded(Lot("lot"), Award("lot", "bob", 1.0)) == 5.0
    assert world.traded(Lot("lot", quantity=3), Award("lot", "bob", 1.0, quantity=3)) == 10.0
    assert world.traded(Lot("lot"), Award("lot", "bob", 1.0, quantity=0)) == 0.0
    assert world.traded(Lot("lot"), Award("lot", None)) == 0.0
    assert world.traded(Lot("lot", wanted=True), Award("lot", "bob", 1.0)) == -5.0


def test_what_is_left_out_is_named() -> None:
    with pytest.raises(TypeError, match="Scenario does not say how its worlds are drawn"):
        Scenario().draw(1)
    with pytest.raises(TypeError, match="Mechanism does not say which role opens its conversations"):
        Mechanism().opener("ada", (TASK,), ())
    with pytest.raises(TypeError, match="Mechanism does not say which role joins its conversations"):
        Mechanism().join("ada", None)


def test_a_mechanism_without_strategies_gives_the_answer_that_stands() -> None:
    assert Mechanism().default_strategy(Question(decide_by=0.0), WORKER) is None
