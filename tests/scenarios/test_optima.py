"""What our scenarios give as their optimum is one: no mechanism reaches more."""

import pytest

from auctions import CallMarket, ContinuousDouble, FirstPrice, Vickrey
from contractnet import ContractNet
from scenarios import auction_house, fallen_auctioneer, llm_router, trading_floor
from walras.baselines import Greedy, RandomAssignment
from walras.mechanism import Mechanism
from walras.results.metrics import beats_optimum
from walras.scenario import Scenario
from walras.study import compare

SALES: dict[str, Mechanism] = {"first price": FirstPrice(), "vickrey": Vickrey()}
DOUBLE: dict[str, Mechanism] = {"continuous": ContinuousDouble(), "call": CallMarket()}
ERRANDS: dict[str, Mechanism] = {"net": ContractNet(), "greedy": Greedy(), "random": RandomAssignment()}


@pytest.mark.parametrize(
    ("scenario", "mechanisms"),
    [
        (auction_house(lots=3, bidders=4), SALES),
        (trading_floor(periods=1, traders="truthful"), DOUBLE),
        (trading_floor(periods=1, market="drawn"), DOUBLE),
        (llm_router(tasks=8), ERRANDS),
        (fallen_auctioneer(), {"net": ContractNet()}),
    ],
    ids=("auction house", "floor", "drawn floor", "router", "fallen auctioneer"),
)
def test_nobody_is_above_the_optimum(scenario: Scenario, mechanisms: dict[str, Mechanism]) -> None:
    study = compare(scenario, mechanisms, range(4))

    assert not study.errors
    assert [row for row in study.rows if row.metrics["optimum"] is None or beats_optimum(row.metrics)] == []
