"""Agents: a private type, checked before time 0, and what it says about items and work."""

import math
import pickle
from random import Random
from typing import Any, cast

import pytest

from walras.agents import Agent, CostTable, Estimate, MarketView
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.valuations import Additive, UnitDemand


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"id": ""}, "agent id is ''; expected a non-empty string without '/'"),
        ({"id": "a/b"}, "agent id is 'a/b'; expected a non-empty string without '/'"),
        ({"id": 7}, "agent id is 7; expected a non-empty string"),
        ({"id": "ada", "capacity": -1}, "capacity of ada is -1; expected a whole number of 0 or more"),
        ({"id": "ada", "capacity": 1.5}, "capacity of ada is 1.5; expected a whole number"),
        ({"id": "ada", "money": -0.5}, "money of ada is -0.5; expected a number of 0 or more"),
        ({"id": "ada", "money": math.nan}, "money of ada is nan; expected a number of 0 or more"),
        ({"id": "ada", "attention": 0}, "attention of ada is 0; expected 1 or more, or None for no limit"),
        ({"id": "ada", "attention": "all"}, "attention of ada is 'all'; expected 1 or more"),
        ({"id": "ada", "values": {"lot": math.inf}}, "value of lot is inf; expected a finite number"),
        ({"id": "ada", "values": 5}, "values is 5; expected a mapping from item id to value"),
        ({"id": "ada", "costs": {"draft": "3"}}, "cost of draft is '3'; expected a number, or an Estimate"),
        ({"id": "ada", "costs": {"draft": math.nan}}, "cost of draft is nan; expected a finite number"),
        ({"id": "ada", "capabilities": "text"}, "capabilities of ada is 'text'; expected a tuple"),
        ({"id": "ada", "capabilities": 3}, "capabilities of ada is 3; expected a tuple"),
        ({"id": "ada", "costs": 3.0}, "costs of ada is 3.0; expected a mapping from task id or kind to cost"),
        (
            {"id": "ada", "claims": 3.0},
            "claims of ada is 3.0; expected a mapping from task id or kind to cost",
        ),
        ({"id": "ada", "claims": {"draft": -5.0}}, "cost of draft is -5.0; expected a finite number"),
    ],
)
def test_bad_input_is_refused_before_time_0_naming_field_value_and_expectation(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        Agent(**settings)
    assert str(caught.value).startswith(message)


def test_a_mapping_of_values_is_taken_as_additive() -> None:
    given = {"a": 3, "b": 4}
    agent = Agent("ada", values=given)
    given["a"] = 100
    assert agent.values == Additive({"a": 3, "b": 4})
    assert (agent.value_of("a"), agent.value_of(Lot("b")), agent.value_of("other")) == (3.0, 4.0, 0.0)


def test_other_valuations_are_kept() -> None:
    assert Agent("ada", values=UnitDemand({"a": 3})).value_of("a") == 3.0


def test_agents_do_not_share_values() -> None:
    assert Agent("ada").value_of("a") == 0.0
    assert Agent("ada").values == Agent("bob").values == Additive({})


def test_before_a_run_free_is_what_the_agent_starts_with() -> None:
    agent = Agent("ada", money=5.0, capacity=3)
    assert (agent.free, agent.free_slots, agent.held("bid")) == (5.0, 3, 0.0)


class Purse:
    """An account of somebody else's making."""

    free, free_slots = 2.0, 1

    def held(self, name: object) -> float:
        return 3.0


def test_seating_makes_a_copy_and_leaves_the_blueprint_alone() -> None:
    blueprint = Agent("ada", money=5.0)
    seated = blueprint.seated(Purse(), Random(1), None)
    assert (seated.free, seated.free_slots, seated.held("x")) == (2.0, 1, 3.0)
    assert seated.rng is not None
    assert (blueprint.account, blueprint.rng, blueprint.free) == (None, None, 5.0)


def test_a_stream_is_made_when_it_is_first_asked_for_and_once() -> None:
    """It takes 2.5 kB, and most agents never throw dice."""
    made: list[Random] = []

    def make() -> Random:
        made.append(Random(1))
        return made[-1]

    seated = Agent("ada").seated(Purse(), make, None)
    assert made == []
    assert seated.rng is seated.rng is made[0]
    assert len(made) == 1
    seated.rng = other = Random(2)
    assert seated.rng is other


def test_only_an_operator_sees_the_market() -> None:
    market = cast(MarketView, object())
    assert Agent("ada").seated(Purse(), Random(1), market).market is None
    assert Agent("desk", operator=True).seated(Purse(), Random(1), market).market is market


# --------------------------------------------------------------------------------------------------------- costs

DRAFT = Task("t1", kind="draft", requires=("text",), size=2.0)


def test_costs_go_by_task_id_before_kind() -> None:
    agent = Agent("ada", costs={"draft": 2, "t1": 5}, capabilities=("text",))
    assert agent.estimate(DRAFT) == Estimate(cost=5.0)
    assert agent.estimate(Task("t2", kind="draft")) == Estimate(cost=2.0)
    assert agent.estimate(Task("t3", kind="other")) is None


def double_size(task: Task) -> float:
    return 2 * task.size


@pytest.mark.parametrize(
    "costs", [double_size, lambda task: Estimate(cost=4.0), {"draft": 4}, CostTable({"draft": 4})]
)
def test_costs_may_be_a_function_of_the_task_or_a_table(costs: Any) -> None:
    assert Agent("ada", costs=costs, capabilities=("text",)).estimate(DRAFT) == Estimate(cost=4.0)


def test_who_lacks_a_capability_or_has_no_costs_can_do_no_work() -> None:
    assert Agent("ada", costs={"draft": 2}).estimate(DRAFT) is None
    assert Agent("ada", capabilities=("text",)).estimate(DRAFT) is None
    assert Agent("ada", costs=lambda task: None, capabilities=("text",)).estimate(DRAFT) is None


def test_a_claim_is_the_estimate_unless_the_agent_overstates() -> None:
    honest = Agent("ada", costs={"draft": 2}, capabilities=("text",))
    boaster = Agent("bob", costs={"draft": 2}, claims=lambda task: 1.0, capabilities=("text",))
    assert honest.claim(DRAFT) == Estimate(cost=2.0)
    assert (boaster.claim(DRAFT), boaster.estimate(DRAFT)) == (Estimate(cost=1.0), Estimate(cost=2.0))
    assert Agent("cyd", claims=lambda task: 1.0).claim(DRAFT) is None


def test_a_cost_table_is_by_kind_and_perhaps_per_size() -> None:
    table = CostTable({"draft": Estimate(3.0, 0.5, 10.0)}, per_size=True)
    assert table(DRAFT) == Estimate(6.0, 0.5, 20.0)
    assert table(Task("t", kind="other")) is None
    assert CostTable({"draft": Estimate(3.0, 0.5, 10.0)})(DRAFT) == Estimate(3.0, 0.5, 10.0)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (math.nan, "cost of draft is nan; expected a finite number"),
        (Estimate(cost=math.inf), "cost of draft is inf; expected a finite number"),
        (-1.0, "cost of draft is -1.0; expected a finite number of 0 or more"),
        (Estimate(cost="x"), "cost of draft is 'x'; expected a finite number of 0 or more"),  # type: ignore[arg-type]
        (Estimate(quality=1.5), "quality of draft is 1.5; expected a number from 0 to 1"),
        (Estimate(quality=math.nan), "quality of draft is nan; expected a number from 0 to 1"),
        (Estimate(seconds=-1.0), "seconds of draft is -1.0; expected a finite number of 0 or more"),
    ],
)
def test_a_bad_cost_table_names_the_entry(entry: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        CostTable({"draft": entry})


def test_an_agent_of_plain_parts_goes_to_another_process() -> None:
    agent = Agent("ada", values={"a": 1}, costs=CostTable({"draft": 2}), capabilities=("text",))
    back = pickle.loads(pickle.dumps(agent))
    assert back == agent
    assert back.estimate(DRAFT) == Estimate(cost=2.0)
