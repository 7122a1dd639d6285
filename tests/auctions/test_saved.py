"""Whatever an auction leaves in a trace comes back from a saved folder with the same digest."""

from pathlib import Path

import pytest

from auctions import (
    AscendingClock,
    CallMarket,
    Clinching,
    CommitReveal,
    ContinuousDouble,
    Dutch,
    English,
    PostedPrice,
    Proxy,
    ScoringAuction,
    SealedBid,
)
from tests.auctions.worlds import HOUSE, play
from walras import Lot, Result, Task
from walras.mechanism import Mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}}
FORMATS = [
    SealedBid(), CommitReveal(), PostedPrice(4), English(), English(close="soft"), Proxy(), AscendingClock(),
    Dutch(start=20), Clinching(), CallMarket(endowments={"cyd": 1}), ContinuousDouble(endowments={"cyd": 1}),
]  # fmt: skip


@pytest.mark.parametrize("mechanism", FORMATS, ids=lambda rules: type(rules).__name__)
def test_a_sale_comes_back_from_its_folder(mechanism: Mechanism, tmp_path: Path) -> None:
    result = play(mechanism, [Lot("vase")], VALUES, finish_by=20.0)
    assert result.allocation["vase"].winner != HOUSE
    result.save(tmp_path)
    assert Result.load(tmp_path) == result


def test_a_scored_procurement_comes_back_from_its_folder(tmp_path: Path) -> None:
    result = play(ScoringAuction(), [Task("job", reserve=10)], costs=COSTS)
    result.save(tmp_path)
    assert Result.load(tmp_path) == result
