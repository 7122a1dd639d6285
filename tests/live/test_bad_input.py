"""What makes no sense is refused before anything happens: one sentence, with the field, the value and what was expected."""

import math
from typing import Any

import pytest

from auctions import SealedBid, second_price
from tests.live.worlds import in_market
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Lot
from walras.live import DeskRules, GuardRules, LineRules, Live, Rules
from walras.mechanism import Mechanism

SEALED: Any = SealedBid(second_price)


@pytest.mark.parametrize(
    ("rules", "field", "value"),
    [
        (Rules, "seed", "x"),
        (Rules, "seed", 1.5),
        (Rules, "name", 5),
        (Rules, "lifetime_s", -1.0),
        (Rules, "lifetime_s", math.nan),
        (Rules, "lifetime_s", "30"),
        (Rules, "grace_s", math.inf),
        (Rules, "lease_s", 0.0),
        (Rules, "compact_every", 0),
        (Rules, "audit", 5),
        (Rules, "epoch", "now"),
        (Rules, "epoch", math.inf),
        (GuardRules, "retries", 1.5),
        (GuardRules, "retries", "2"),
        (GuardRules, "backoff_s", -0.1),
        (GuardRules, "open_s", math.nan),
        (GuardRules, "most_repeats", 0),
        (LineRules, "ping_s", "5"),
        (LineRules, "most_bytes", True),
        (DeskRules, "burst", 0),
        (DeskRules, "most_wait_s", None),
    ],
)
def test_a_rule_out_of_range_is_named(rules: Any, field: str, value: Any) -> None:
    with pytest.raises(ScenarioError, match=rf"^{field} is .*; expected ") as refused:
        rules(**{field: value})
    assert refused.value.field == field


def test_a_secret_that_is_none_is_not_shown() -> None:
    secret: Any = "sesame, open"
    with pytest.raises(ScenarioError, match=r"^secret is 'str'; expected bytes"):
        Rules(secret=secret)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seed": "x"}, "seed is 'x'; expected a whole number"),
        ({"rules": {"seed": 1}}, "expected Rules, or None"),
        ({"budget_usd": "2"}, "limit of usd is '2'; expected a number of 0 or more"),
    ],
)
def test_a_market_that_makes_no_sense_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        Live(**settings)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.open(SEALED, Lot("l")), "items is Lot(id='l'); expected several, in a list"),
        (lambda m: m.open(SEALED, "l"), "items is 'l'; expected items, such as Task('task-1')"),
        (
            lambda m: m.open(SEALED, [Lot("l")], "60"),
            "within_s is '60'; expected a number of seconds above 0",
        ),
        (lambda m: m.open(SEALED, [Lot("l")], math.nan), "within_s is nan"),
        (lambda m: m.open(SealedBid, [Lot("l")]), "expected a Mechanism, such as contractnet.ContractNet()"),
        (lambda m: m.open(SEALED, [Lot("l")], participants=[Agent("ada")]), "expected the id of an agent"),
        (
            lambda m: m.open(SEALED, [Lot("l")], participants=["eve"]),
            "participants is 'eve'; expected an agent",
        ),
        (lambda m: m.serve("contract net"), "mechanism is 'contract net'; expected a Mechanism"),
        (lambda m: m.seat("ada", object()), "expected a Protocol"),
        (lambda m: m.add(Agent("bob"), "worker"), "worker of bob is 'worker'; expected a function"),
        (lambda m: m.add("bob"), "agent is 'bob'; expected an Agent"),
        (lambda m: m.follow("me"), "onlooker is 'me'; expected a function"),
        (lambda m: m.leave("eve"), "agent is 'eve'; expected an agent of this market (ada)"),
        (lambda m: m.cancel("house/9"), "conversation is 'house/9'; expected one that was opened here"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_and_the_market_goes_on(call: Any, said: str) -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada", values={"l": 3.0}))
        with pytest.raises(ScenarioError) as refused:
            call(market)
        assert said in str(refused.value)
        mechanism: Mechanism = SEALED
        return (await market.run(mechanism, [Lot("l")], within_s=9.0)).outcomes

    assert list(in_market(main)) == ["house/1"]
