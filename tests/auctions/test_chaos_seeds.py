"""All formats under faults that are drawn by chance, seed by seed; see `tests.auctions.chaos` for what has to hold."""

from collections import Counter
from typing import Any

import pytest

from auctions.call_market import CallVenue
from auctions.clearing import Cleared
from auctions.house import Auctioneer
from auctions.outcry import OutcryAuctioneer
from tests.auctions import chaos


def many(seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            seen.update(chaos.check(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    return seen


def test_a_few_seeds_of_every_format() -> None:
    seen = many(range(4 * len(chaos.FORMATS)))
    assert all(seen[name] == 4 for name in chaos.FORMATS)
    assert seen["awards"] > 100
    assert seen["late"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 10_000, 1_000))
def test_ten_thousand_seeds(start: int) -> None:
    seen = many(range(start, start + 1_000))
    assert seen["awards"] > 2_000
    assert seen["late"] > 20


# ------------------------------------------------------------------------------------------- the checker can fail, too
def caught(name: str, seeds: int = 40) -> bool:
    """Whether the checker complains about this format, in some of its seeds."""
    place, formats = list(chaos.FORMATS).index(name), len(chaos.FORMATS)
    try:
        many(range(place, formats * seeds, formats))
    except AssertionError:
        return True
    return False


def test_a_price_that_is_not_the_rules_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = Auctioneer.cleared

    def dearer(role: Auctioneer, *arguments: Any) -> list[Cleared]:
        return [Cleared(line.bidder, line.units, line.price + 1) for line in cleared(role, *arguments)]

    assert not caught("second price", seeds=4)
    monkeypatch.setattr(Auctioneer, "cleared", dearer)
    assert caught("second price")


def test_an_order_that_the_venue_forgets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not caught("call market", seeds=4)
    close = CallVenue.close_bidding

    def without_the_first(role: CallVenue) -> None:
        role.orders = dict(list(role.orders.items())[1:])
        close(role)

    monkeypatch.setattr(CallVenue, "close_bidding", without_the_first)
    assert caught("call market")


def test_a_bid_that_comes_too_late_and_is_not_refused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Auctioneer, "on_late", lambda role, sender, message: None)
    assert caught("first price")


def test_a_leader_that_is_not_the_best_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ranked = OutcryAuctioneer.ranked
    monkeypatch.setattr(OutcryAuctioneer, "ranked", lambda role: ranked(role)[::-1])
    assert caught("english")
    assert caught("proxy")


def test_a_unit_that_is_sold_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    sell = Auctioneer.sell
    monkeypatch.setattr(Auctioneer, "sell", lambda role, lines=(): sell(role, [*lines, *lines]))
    monkeypatch.setattr(Auctioneer, "check", lambda role: None)
    for name in ("second price", "english", "japanese", "clinching"):
        assert caught(name)


def test_a_dutch_clock_that_serves_the_worst_first_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(rule: Any, offers: Any, *, units: int, reverse: bool, rng: Any = None) -> list[Cleared]:
        worst = max(offers, key=lambda o: o.price) if reverse else min(offers, key=lambda o: o.price)
        return [Cleared(worst.bidder, 1, worst.price)]

    monkeypatch.setattr("auctions.dutch.clear", backwards)
    assert caught("dutch", seeds=120)
