"""A limit order book with price-time priority: pure data, orders in, matches out.

Two heaps of prices, one for each side, and a queue of orders for every price. An order that is cancelled stays in its
queue with no units left until it comes to the front or until such orders are the majority; so placing, matching and
cancelling take time that grows with the logarithm of the number of prices, and memory that of the live orders.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from math import inf
from typing import Literal

from msgspec import Struct, field

from walras.amounts import MOST, is_number
from walras.errors import LocalProtocolError
from walras.messages import AgentId, Frozen, Message

Side = Literal["buy", "sell"]


_FEW = 64
_PLAIN = (int, float)
_BUYS = {"buy": True, "sell": False}


class Order(Message, frozen=True):
    """A wish to trade up to so many `units`, each at `price` or better. What is not traded at once rests in the book.

    A *market* order has no price: it takes what there is, and what it does not find lapses. An *immediate-or-cancel*
    order (`only_now`) lapses likewise, but does not go beyond its price. `number` counts the orders of one owner, from
    1; together they name the order. `seen` is how many units the owner knew to have traded when it gave the order.
    """

    side: Side
    units: float = 1
    price: float | None = None
    only_now: bool = False
    number: int = 0
    seen: int = 0


class Match(Frozen, frozen=True):
    """A trade of `units` at `price` each, the price of the order that was there first: the maker's."""

    maker: AgentId
    maker_number: int
    taker: AgentId
    taker_number: int
    side: Side
    """The taker's: it buys, or it sells."""
    price: float
    units: float

    @property
    def buyer(self) -> AgentId:
        """Who pays."""
        return self.taker if self.side == "buy" else self.maker

    @property
    def seller(self) -> AgentId:
        """Who is paid."""
        return self.maker if self.side == "buy" else self.taker


class Placed(Frozen, frozen=True):
    """What has become of an order: its units are those of the matches, those that rest, and those that lapsed.

    `withdrawn` are orders of the same owner that stood in its way, as (number, units).
    """

    matches: tuple[Match, ...]
    rests: float = 0
    lapsed: float = 0
    withdrawn: tuple[tuple[int, float], ...] = ()


class Level(Frozen, frozen=True):
    """All that rests at one price."""

    price: float
    units: float
    orders: int


class Resting(Struct, gc=False):
    """An order in the book, with the units that are left of it; 0: it was cancelled."""

    owner: AgentId
    number: int
    side: Side
    price: float
    units: float


class Half(Struct):
    """One side of a book. A level's key is its price in a book to sell, minus its price in one to buy: least is best.

    Every key of `levels` is in the heap once. `buried` counts the orders in the queues that were cancelled.
    """

    keys: list[float] = field(default_factory=list)
    levels: dict[float, deque[Resting]] = field(default_factory=dict)
    buried: int = 0

    def append(self, key: float, resting: Resting) -> None:
        """The last place in the queue of its price."""
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = deque()
            heappush(self.keys, key)
        level.append(resting)

    def tidy(self) -> None:
        """Bring a live order to the front, if there is one."""
        keys, levels = self.keys, self.levels
        while keys:
            level = levels[keys[0]]
            while level and not level[0].units:
                level.popleft()
                self.buried -= 1
            if level:
                return
            del levels[heappop(keys)]

    def sweep(self) -> None:
        """Forget all that was cancelled."""
        live = {key: deque(r for r in level if r.units) for key, level in self.levels.items()}
        self.levels = {key: level for key, level in live.items() if level}
        self.keys = list(self.levels)
        heapify(self.keys)
        self.buried = 0

    def best(self) -> Level | None:
        """The level at the front."""
        return self.level(self.keys[0]) if self.keys else None

    def level(self, key: float) -> Level:
        """One level, counted."""
        live = [resting for resting in self.levels[key] if resting.units]
        return Level(live[0].price, sum(resting.units for resting in live), len(live))

    def depth(self, most: int | None) -> list[Level]:
        """Levels with live orders, best first, at most so many."""
        found: list[Level] = []
        for key in sorted(self.levels):
            if most is not None and len(found) >= most:
                break
            if any(resting.units for resting in self.levels[key]):
                found.append(self.level(key))
        return found


class OrderBook(Struct):
    """All orders that rest, and the one rule by which they meet: best price first, of one price the oldest first.

    An order trades with what it crosses at the price of what rests there, level by level, until it is filled; the rest
    of it rests, or lapses. Nobody trades with himself: an order of its own owner that stands in the way is withdrawn,
    since the newer wish counts. Whole numbers stay whole, so units and money are exact.

    Examples:
        >>> book = OrderBook()
        >>> book.place("ann", Order("sell", 2, price=10, number=1))
        Placed(matches=(), rests=2)
        >>> placed = book.place("ben", Order("buy", 3, price=11, number=1))
        >>> placed.matches[0].price, placed.matches[0].units, placed.rests
        (10, 2, 1)
        >>> book.top("buy"), book.top("sell"), book.cancel("ben", 1)
        (Level(price=11, units=1, orders=1), None, 1)
    """

    buys: Half = field(default_factory=Half)
    sells: Half = field(default_factory=Half)
    orders: dict[tuple[AgentId, int], Resting] = field(default_factory=dict)
    """What rests, by owner and number."""

    def place(self, owner: AgentId, order: Order) -> Placed:
        """Match an order with what rests on the other side, and let it rest if it may and is not filled.

        Raises:
            LocalProtocolError: for an order that makes no sense (see `flaw`), or one of the same name that rests.
        """
        side, units, price, number = order.side, order.units, order.price, order.number
        buys = _BUYS.get(side)
        if (
            price.__class__ not in _PLAIN
            or units.__class__ not in _PLAIN
            or not 0 <= price <= MOST
            or not 0 < units <= MOST
            or buys is None
        ):
            wrong = flaw(order)
            if wrong is not None:
                raise LocalProtocolError(f"order {number} of {owner}: {wrong}")
        name = (owner, number)
        if name in self.orders:
            raise LocalProtocolError(f"order {number} of {owner} rests already; expected a number of its own")
        theirs = self.sells if buys else self.buys
        reach: float = inf if price is None else price if buys else -price
        matches: tuple[Match, ...] = ()
        withdrawn: tuple[tuple[int, float], ...] = ()
        if theirs.keys and theirs.keys[0] <= reach:
            units, matches, withdrawn = self._meet(theirs, reach, owner, order)
        if not units or price is None or order.only_now:
            return Placed(matches, 0, units, withdrawn)
        resting = self.orders[name] = Resting(owner, number, side, price, units)
        (self.buys if buys else self.sells).append(-reach, resting)
        return Placed(matches, units, 0, withdrawn)

    def _meet(
        self, theirs: Half, reach: float, owner: AgentId, order: Order
    ) -> tuple[float, tuple[Match, ...], tuple[tuple[int, float], ...]]:
        """Trade with what is within reach: the units that are left, the matches, and what was withdrawn."""
        keys, levels, orders = theirs.keys, theirs.levels, self.orders
        units, number, side = order.units, order.number, order.side
        matches: list[Match] = []
        withdrawn: list[tuple[int, float]] = []
        while units and keys and keys[0] <= reach:
            level = levels[keys[0]]
            while level and units:
                maker = level[0]
                there = maker.units
                if maker.owner == owner:
                    if there:
                        withdrawn.append((maker.number, there))
                elif there > units:
                    matches.append(Match(maker.owner, maker.number, owner, number, side, maker.price, units))
                    maker.units = there - units
                    return 0, tuple(matches), tuple(withdrawn)
                elif there:
                    matches.append(Match(maker.owner, maker.number, owner, number, side, maker.price, there))
                    units -= there
                level.popleft()
                if there:
                    del orders[maker.owner, maker.number]
                else:
                    theirs.buried -= 1
            if not level:
                del levels[heappop(keys)]
        theirs.tidy()
        return units, tuple(matches), tuple(withdrawn)

    def cancel(self, owner: AgentId, number: int) -> float:
        """Take an order out of the book, and return the units that were left of it; 0 if it does not rest there."""
        resting = self.orders.pop((owner, number), None)
        if resting is None:
            return 0
        left, resting.units = resting.units, 0
        half = self.buys if resting.side == "buy" else self.sells
        half.buried += 1
        if half.buried > _FEW and half.buried > len(self.orders):
            half.sweep()
        elif not half.levels[half.keys[0]][0].units:  # it was the first of all
            half.tidy()
        return left

    def clear(self) -> list[tuple[AgentId, int]]:
        """Take all orders out, and return their names in the order in which they came."""
        names = list(self.orders)
        self.buys, self.sells, self.orders = Half(), Half(), {}
        return names

    # ------------------------------------------------------------------ views
    def top(self, side: Side) -> Level | None:
        """The best level of a side: the highest bid, or the lowest ask; None if nobody is there."""
        return (self.buys if side == "buy" else self.sells).best()

    def depth(self, side: Side, most: int | None = None) -> list[Level]:
        """The levels of a side, best first, at most so many of them (None: all)."""
        return (self.buys if side == "buy" else self.sells).depth(most)

    def __repr__(self) -> str:
        return f"<OrderBook of {len(self.orders)} orders: bid {_shown(self.buys)}, ask {_shown(self.sells)}>"

    # ------------------------------------------------------------------ invariants
    def check(self) -> None:
        """Assert the book's invariants: not crossed, in order, and no order in it twice or not at all."""
        for side, half in (("buy", self.buys), ("sell", self.sells)):
            assert sorted(half.keys) == sorted(half.levels), (
                "a price is in the heap once, as long as it has a queue"
            )
            queued = [(key, resting) for key, level in half.levels.items() for resting in level]
            assert half.buried == sum(not resting.units for _, resting in queued)
            assert half.buried <= max(_FEW, len(self.orders)), "what was cancelled is forgotten in time"
            for key, resting in queued:
                assert resting.side == side and key == (resting.price if side == "sell" else -resting.price)
                assert resting.units >= 0
                known = self.orders.get((resting.owner, resting.number))
                assert (known is resting) == bool(resting.units), f"{resting} is queued, {known} is known"
            assert not half.keys or half.levels[half.keys[0]][0].units, "a live order is at the front"
        queued_live = sum(
            bool(r.units) for half in (self.buys, self.sells) for level in half.levels.values() for r in level
        )
        assert queued_live == len(self.orders)
        bid, ask = self.top("buy"), self.top("sell")
        assert bid is None or ask is None or bid.price < ask.price, f"crossed: {bid} meets {ask}"


def flaw(order: Order) -> str | None:
    """What is wrong with an order, in one sentence; None if it makes sense."""
    if order.side not in ("buy", "sell"):
        return f"side is {order.side!r}; expected 'buy' or 'sell'"
    if not is_number(order.units, 0, MOST) or not order.units:
        return f"units is {order.units!r}; expected a number above 0"
    if order.price is not None and not is_number(order.price, 0, MOST):
        return f"price is {order.price!r}; expected a number of 0 or more, or None for a market order"
    return None


def _shown(half: Half) -> str:
    best = half.best()
    return "none" if best is None else f"{best.units:g} at {best.price:g}"
