"""A sealed round among live minds is blind, and who comes first gains nothing by it."""

import asyncio
from typing import Any

import pytest

from auctions import SealedBid, second_price
from tests.live.worlds import in_market
from walras.agents import Agent
from walras.items import Lot
from walras.live import Ask, Guard, Live, Memory, Participant
from walras.results import Result

ROUND = SealedBid(second_price, reply_within_s=9.0)


class Bidder(Participant):
    """Bids after some time, and keeps what it was told."""

    def __init__(self, price: float, after_s: float) -> None:
        self.price, self.after_s = price, after_s
        self.told: list[str] = []

    async def answer(self, ask: Ask) -> Any:
        self.told.append(ask.prompt.system + ask.prompt.user)
        await asyncio.sleep(self.after_s)
        return {"type": "Bid", "item": "lot", "price": self.price}


def played(bidders: dict[str, Bidder], seed: int = 0, rounds: int = 1) -> list[Result]:
    async def main(market: Live) -> list[Result]:
        for name, mind in bidders.items():
            market.add(Agent(name, mind))
        return [await market.run(ROUND, [Lot("lot")], within_s=20.0) for _ in range(rounds)]

    found: list[Result] = in_market(main, seed=seed, guard=Guard(memory=Memory()))
    return found


def test_nobody_is_told_what_others_bid_nor_who_they_are() -> None:
    """Also in the next round, in which each remembers what it has said itself."""
    # Names that are no hexadecimal numbers: a prompt's fences are some, drawn by chance.
    bidders = {"ann": Bidder(12.25, 0.0), "bob": Bidder(56.5, 1.0), "cyd": Bidder(34.75, 2.0)}
    played(bidders, rounds=2)
    for name, mind in bidders.items():
        assert len(mind.told) == 2
        assert not [other for other in bidders if other != name and other in "".join(mind.told)]
        prices = [bidders[other].price for other in bidders if other != name]
        prices = [price for price in prices if (name, price) != ("bob", 34.75)]  # what bob has paid he knows
        assert not [price for price in prices if str(price) in "".join(mind.told)]


@pytest.mark.parametrize("early", ["ada", "bob"])
def test_the_best_bid_wins_whoever_came_first(early: str) -> None:
    bidders = {name: Bidder(p, 0.0 if name == early else 3.0) for name, p in {"ada": 4.0, "bob": 7.0}.items()}
    (result,) = played(bidders)
    assert (result.allocation["lot"].winner, result.allocation["lot"].price) == ("bob", 4.0)


def test_equals_are_told_apart_by_the_seed_and_not_by_who_came_first() -> None:
    def winner(seed: int, early: str) -> str | None:
        (result,) = played(
            {name: Bidder(5.0, 0.0 if name == early else 3.0) for name in ("ada", "bob")}, seed
        )
        return result.allocation["lot"].winner

    seeds = range(8)
    assert [winner(seed, "ada") for seed in seeds] == [winner(seed, "bob") for seed in seeds]
    assert {winner(seed, "ada") for seed in seeds} == {"ada", "bob"}
