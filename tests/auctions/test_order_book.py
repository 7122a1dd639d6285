"""The order book against a naive one, under random streams of orders, and its rules one by one."""

import copy
import pickle
from math import inf, nan
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from auctions.order_book import Level, Match, Order, OrderBook, Placed
from walras.errors import LocalProtocolError

OWNERS = ("ann", "ben", "cyd")


class NaiveBook:
    """The rule as it is written: a list in the order of arrival, searched from end to end for the best each time."""

    def __init__(self) -> None:
        self.resting: list[list[Any]] = []  # owner, number, side, price, units

    def place(self, owner: str, order: Order) -> Placed:
        units, matches, withdrawn = order.units, [], []
        while units:
            others = [r for r in self.resting if r[2] != order.side and self.crosses(order, r[3])]
            if not others:
                break
            best = (min if order.side == "buy" else max)(r[3] for r in others)
            maker = next(r for r in others if r[3] == best)
            if maker[0] == owner:
                withdrawn.append((maker[1], maker[4]))
                self.resting.remove(maker)
                continue
            traded = min(units, maker[4])
            matches.append(Match(maker[0], maker[1], owner, order.number, order.side, maker[3], traded))
            units -= traded
            maker[4] -= traded
            if not maker[4]:
                self.resting.remove(maker)
        rests = units if order.price is not None and not order.only_now else 0
        if rests:
            self.resting.append([owner, order.number, order.side, order.price, units])
        return Placed(tuple(matches), rests, units - rests, tuple(withdrawn))

    @staticmethod
    def crosses(order: Order, price: float) -> bool:
        if order.price is None:
            return True
        return price <= order.price if order.side == "buy" else price >= order.price

    def cancel(self, owner: str, number: int) -> float:
        found = next((r for r in self.resting if r[:2] == [owner, number]), None)
        if found is None:
            return 0
        self.resting.remove(found)
        return float(found[4])

    def depth(self, side: str) -> list[Level]:
        ours = [r for r in self.resting if r[2] == side]
        prices = sorted({r[3] for r in ours}, reverse=side == "buy")
        at = {price: [r[4] for r in ours if r[3] == price] for price in prices}
        return [Level(price, sum(units), len(units)) for price, units in at.items()]


class Cancel(NamedTuple):
    """Cancel the k-th order that was placed, whatever has become of it."""

    k: int


prices = st.one_of(st.integers(0, 6), st.sampled_from([0.5, 1.5, 2.5]))
orders = st.builds(
    Order,
    side=st.sampled_from(["buy", "sell"]),
    units=st.integers(1, 4),
    price=st.one_of(prices, prices, prices, st.none()),
    only_now=st.sampled_from([False, False, False, True]),
)
given_orders = st.tuples(st.sampled_from(OWNERS), orders)
steps = st.lists(st.one_of(given_orders, given_orders, st.builds(Cancel, st.integers(0, 60))), max_size=60)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_random_streams_give_what_the_naive_book_gives(stream: list[tuple[str, Order] | Cancel]) -> None:
    book, naive = OrderBook(), NaiveBook()
    names: list[tuple[str, int]] = []
    entered = traded = gone = 0.0
    for step in stream:
        if isinstance(step, Cancel):
            if step.k < len(names):
                cancelled = book.cancel(*names[step.k])
                assert cancelled == naive.cancel(*names[step.k])
                gone += cancelled
        else:
            owner, wish = step
            order = Order(wish.side, wish.units, wish.price, wish.only_now, number=len(names) + 1)
            names.append((owner, order.number))
            placed = book.place(owner, order)
            assert placed == naive.place(owner, order)
            matched = sum(match.units for match in placed.matches)
            assert order.units == matched + placed.rests + placed.lapsed
            entered += order.units
            traded += 2 * matched
            gone += placed.lapsed + sum(units for _, units in placed.withdrawn)
        book.check()
        for side in ("buy", "sell"):
            assert book.depth(side) == naive.depth(side)
            assert book.top(side) == next(iter(naive.depth(side)), None)
    assert entered == traded + gone + sum(resting.units for resting in book.orders.values())


@settings(max_examples=50, deadline=None)
@given(steps, st.integers(0, 30))
def test_a_copy_and_a_pickle_go_on_as_the_book_itself(
    stream: list[tuple[str, Order] | Cancel], cut: int
) -> None:
    book = OrderBook()
    twins: list[OrderBook] = []
    for number, step in enumerate(stream, 1):
        if number == cut:
            twins = [copy.deepcopy(book), pickle.loads(pickle.dumps(book))]
        for each in (book, *twins):
            if isinstance(step, Cancel):
                for owner in OWNERS:
                    each.cancel(owner, step.k)
            else:
                wish = step[1]
                each.place(step[0], Order(wish.side, wish.units, wish.price, wish.only_now, number=number))
    for twin in twins:
        twin.check()
        assert twin == book


def test_the_oldest_of_the_best_price_trades_first_and_at_its_own_price() -> None:
    book = OrderBook()
    book.place("ann", Order("sell", 2, 11, number=1))
    book.place("ben", Order("sell", 2, 10, number=1))
    book.place("cyd", Order("sell", 2, 10, number=1))
    placed = book.place("dan", Order("buy", 5, 12, number=1))
    assert [(m.seller, m.buyer, m.price, m.units) for m in placed.matches] == [
        ("ben", "dan", 10, 2),
        ("cyd", "dan", 10, 2),
        ("ann", "dan", 11, 1),
    ]
    assert (placed.rests, placed.lapsed) == (0, 0)
    assert book.top("sell") == Level(11, 1, 1)


def test_a_partly_filled_order_keeps_its_place() -> None:
    book = OrderBook()
    book.place("ann", Order("buy", 3, 5, number=1))
    book.place("ben", Order("buy", 3, 5, number=1))
    book.place("cyd", Order("sell", 1, 5, number=1))
    placed = book.place("cyd", Order("sell", 3, 5, number=2))
    assert [(m.maker, m.units) for m in placed.matches] == [("ann", 2), ("ben", 1)]


def test_what_may_not_rest_lapses() -> None:
    book = OrderBook()
    assert book.place("ann", Order("buy", 2, number=1)) == Placed((), 0, 2)
    book.place("ben", Order("sell", 1, 5, number=1))
    now = book.place("ann", Order("buy", 3, 5, only_now=True, number=2))
    assert ([m.units for m in now.matches], now.rests, now.lapsed) == ([1], 0, 2)
    book.place("ben", Order("sell", 1, 5, number=2))
    assert book.place("ann", Order("buy", 1, 4, only_now=True, number=3)) == Placed((), 0, 1)
    assert not book.place("ann", Order("buy", 1, number=4)).lapsed
    assert not book.orders


def test_nobody_trades_with_himself_the_older_order_is_withdrawn() -> None:
    book = OrderBook()
    book.place("ann", Order("sell", 2, 5, number=1))
    book.place("ben", Order("sell", 2, 5, number=1))
    placed = book.place("ann", Order("buy", 1, 6, number=2))
    assert placed.withdrawn == ((1, 2),)
    assert [m.maker for m in placed.matches] == ["ben"]
    assert book.depth("sell") == [Level(5, 1, 1)]


def test_depth_is_best_first_and_cut_where_it_is_asked_to_be() -> None:
    book = OrderBook()
    for number, price in enumerate((3, 5, 4, 5), 1):
        book.place("ann", Order("buy", number, price, number=number))
    assert book.depth("buy") == [Level(5, 6, 2), Level(4, 3, 1), Level(3, 1, 1)]
    assert book.depth("buy", 2) == [Level(5, 6, 2), Level(4, 3, 1)]
    book.cancel("ann", 3)
    assert book.depth("buy", 2) == [Level(5, 6, 2), Level(3, 1, 1)]
    assert repr(book) == "<OrderBook of 3 orders: bid 6 at 5, ask none>"


def test_whole_prices_and_units_stay_whole() -> None:
    book = OrderBook()
    book.place("ann", Order("sell", 3, 10**20 + 1, number=1))
    (match,) = book.place("ben", Order("buy", 2, 10**21, number=1)).matches
    assert (type(match.price), match.price, type(match.units), match.units) == (int, 10**20 + 1, int, 2)


@pytest.mark.parametrize("far", [True, False], ids=["behind the best", "at the front"])
def test_memory_is_that_of_live_orders_however_many_are_cancelled(far: bool) -> None:
    book = OrderBook()
    book.place("ann", Order("buy", 1, 10**6, number=1))
    for number in range(2, 5_000):
        book.place("ann", Order("buy", 1, number if far else 10**6 + number, number=number))
        assert book.cancel("ann", number) == 1
    assert len(book.buys.keys) + sum(map(len, book.buys.levels.values())) < 200
    book.check()


def test_clear_names_all_orders_in_the_order_in_which_they_came() -> None:
    book = OrderBook()
    book.place("ben", Order("buy", 1, 3, number=1))
    book.place("ann", Order("sell", 1, 9, number=1))
    assert book.clear() == [("ben", 1), ("ann", 1)]
    assert book == OrderBook()


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order("buy", 0, 5), "units is 0; expected a number above 0"),
        (Order("buy", -1, 5), "units is -1"),
        (Order("buy", nan, 5), "units is nan"),
        (Order("buy", inf, 5), "units is inf"),
        (Order("buy", True, 5), "units is True"),
        (Order("buy", 1, nan), "price is nan; expected a number of 0 or more, or None for a market order"),
        (Order("buy", 1, -0.01), "price is -0.01"),
        (Order("sell", 1, inf), "price is inf"),
        (Order("sell", 1, "5"), "price is '5'"),  # type: ignore[arg-type]
        (Order("hold", 1, 5), "side is 'hold'; expected 'buy' or 'sell'"),  # type: ignore[arg-type]
        (Order("hold", 1), "side is 'hold'"),  # type: ignore[arg-type]
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(order: Order, why: str) -> None:
    book = OrderBook()
    book.place("ben", Order("sell", 1, 5, number=1))
    before = copy.deepcopy(book)
    with pytest.raises(LocalProtocolError, match="order 0 of ann: ") as caught:
        book.place("ann", order)
    assert why in str(caught.value)
    assert book == before


def test_a_name_that_rests_cannot_be_used_again() -> None:
    book = OrderBook()
    book.place("ann", Order("sell", 1, 5, number=1))
    with pytest.raises(LocalProtocolError, match="order 1 of ann rests already"):
        book.place("ann", Order("sell", 1, 6, number=1))


def test_cancelling_what_is_not_there_does_nothing() -> None:
    book = OrderBook()
    book.place("ann", Order("sell", 2, 5, number=1))
    assert (book.cancel("ben", 1), book.cancel("ann", 2), book.cancel("ann", 1), book.cancel("ann", 1)) == (
        0,
        0,
        2,
        0,
    )
    book.check()
