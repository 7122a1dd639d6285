"""The rival: a price-level book as one writes it on sortedcontainers. Prices sorted, a dictionary of orders for each."""

from collections.abc import Sequence
from typing import Any

from sortedcontainers import SortedDict

from auctions.order_book import Match, Order


class SortedBook:
    """Plain: it checks nothing. Keys are prices in the book to sell, minus prices in the one to buy, so least is best."""

    def __init__(self) -> None:
        self.buys, self.sells = SortedDict(), SortedDict()
        self.orders: dict[tuple[str, int], tuple[SortedDict, float]] = {}
        self.matches: list[Match] = []

    def run(self, steps: Sequence[tuple[str, Any]]) -> None:
        for owner, step in steps:
            if step.__class__ is Order:
                self.place(owner, step)
            else:
                self.cancel(owner, step)

    def place(self, owner: str, order: Order) -> None:
        buys, price, units, number = order.side == "buy", order.price, order.units, order.number
        ours, theirs = (self.buys, self.sells) if buys else (self.sells, self.buys)
        reach = float("inf") if price is None else price if buys else -price
        while units and theirs:
            key, level = theirs.peekitem(0)
            if key > reach:
                break
            maker = next(iter(level))
            maker_price, there = level[maker]
            if maker[0] == owner:
                traded = there
            else:
                traded = min(units, there)
                self.matches.append(Match(maker[0], maker[1], owner, number, order.side, maker_price, traded))
                units -= traded
            if traded < there:
                level[maker] = (maker_price, there - traded)
                break
            del level[maker], self.orders[maker]
            if not level:
                del theirs[key]
        if units and price is not None:
            name = (owner, number)
            ours.setdefault(-reach, {})[name] = (price, units)
            self.orders[name] = (ours, -reach)

    def cancel(self, owner: str, number: int) -> None:
        name = (owner, number)
        found = self.orders.pop(name, None)
        if found is None:
            return
        half, key = found
        level = half[key]
        del level[name]
        if not level:
            del half[key]

    def shown(self) -> tuple[list[Match], dict[tuple[str, int], float]]:
        return self.matches, {name: half[key][name][1] for name, (half, key) in self.orders.items()}
