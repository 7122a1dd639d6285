"""Every format in all weathers, many times: no invariant is ever violated."""

from typing import Any

import pytest

from auctions import (
    AllPay,
    AscendingClock,
    Clinching,
    CommitReveal,
    Dutch,
    English,
    FirstPrice,
    PostedPrice,
    Proxy,
    ScoringAuction,
    Vickrey,
    first_price,
)
from tests.auctions.worlds import HOUSE
from walras import Agent, Lot, Task
from walras.mechanism import Mechanism
from walras.testing import check_mechanism

VALUES = {"ada": 12, "bob": 9, "cyd": 5, "dan": 9}
COSTS = {"ada": 3, "bob": 5, "cyd": 8, "dan": 3}
PEOPLE = [
    Agent(HOUSE, capacity=0, money=200.0),
    *(Agent(name, values={"vase": VALUES[name]}, costs={"job": COSTS[name]}, money=20.0) for name in VALUES),
]
WORK: list[Any] = [(Task("job", reserve=20),), (Task("job", reserve=20, copies=2),)]
SALES: list[Any] = [(Lot("vase"),), (Lot("vase", quantity=3),), (Lot("vase"), Task("job", reserve=20))]

FORMATS: list[tuple[Mechanism, list[Any]]] = [
    (Vickrey(), WORK + SALES),
    (Vickrey(order="sequential", result_within_s=4.0), WORK + SALES),
    (FirstPrice(result_within_s=5.0, attempts=3), WORK + SALES),
    (AllPay(disclose="own"), WORK + SALES),
    (CommitReveal(result_within_s=5.0), WORK + SALES),
    (ScoringAuction(first_price, result_within_s=3.0), WORK),
    (PostedPrice(4.0), WORK + SALES),
    (English(increment=2, lasts_s=8.0, attempts=3), WORK + SALES),
    (
        English(increment="20%", close="soft", lasts_s=6.0, extend_s=2.0, hidden_reserve=True, opening=15),
        WORK,
    ),
    (Proxy(increment=1, close="candle", lasts_s=8.0), WORK + SALES),
    (AscendingClock(increment=2, reply_within_s=1.0), WORK + SALES),
    (Dutch(start=20, tick=2, interval_s=0.2), SALES[:2]),
    (Dutch(tick=2, interval_s=0.2, result_within_s=5.0), WORK),
    (Clinching(increment=2, reply_within_s=1.0), WORK + SALES),
]
CASES = [(mechanism, items) for mechanism, several in FORMATS for items in several]


@pytest.mark.parametrize(("mechanism", "items"), CASES[::5])
def test_a_few_worlds(mechanism: Mechanism, items: Any) -> None:
    report = check_mechanism(mechanism, PEOPLE, items, seeds=range(20, 22), kills=6)
    assert report.endings["calm"] == {"done": 2}


@pytest.mark.soak
@pytest.mark.parametrize(("mechanism", "items"), CASES)
def test_many_worlds(mechanism: Mechanism, items: Any) -> None:
    """With nine weathers and 60 kills each, some 13,000 worlds in all."""
    report = check_mechanism(mechanism, PEOPLE, items, seeds=range(40), kills=60)
    assert report.endings["calm"] == {"done": 40}
