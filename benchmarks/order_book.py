"""Our order book against a plain one on sortedcontainers: ``python -m benchmarks.order_book [--json] [--quick]``.

Both get the same stream of orders and cancellations, in turns, in one process; CPU time of this thread, garbage collected
before each sample. Each repeat gives a ratio, and the median over the repeats is shown. Both must make the same
trades and keep the same orders, or there is no result. Ours checks every order, which the plain one does not.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.table import Table

from auctions.order_book import Match, Order, OrderBook, Side
from benchmarks.rival_book import SortedBook
from walras.randomness import stream

Step = tuple[str, Order | int]
"""What a trader does: it places an order, or cancels the one of this number."""
Shown = tuple[list[Match], dict[tuple[str, int], float]]
"""What a book has to show: all trades, and the units that rest at the end, by owner and number."""

OWNERS = tuple(f"t{k}" for k in range(100))


class Mix(NamedTuple):
    """A kind of market: of 100 steps so many cancel and so many are market orders; limit prices are normal around 10,000.

    The prices of orders to buy lie `apart` below, those to sell as much above; `spread` is their standard deviation.
    """

    cancels: int
    markets: int
    spread: float
    apart: float
    what: str


MIXES = {
    "busy": Mix(30, 10, 20.0, 10.0, "a few dozen prices, many trades"),
    "deep": Mix(40, 5, 200.0, 200.0, "hundreds of prices, many cancellations"),
    "wide": Mix(20, 10, 5000.0, 2000.0, "thousands of prices"),
}
FULL, QUICK = 60_000, 6_000


def make_steps(mix: Mix, count: int, seed: int = 7) -> list[Step]:
    """A stream of orders; whatever is cancelled was placed before, and may have traded since."""
    rng = stream(seed, "orders", mix.what)
    steps: list[Step] = []
    placed: list[tuple[str, int]] = []
    for number in range(1, count + 1):
        toss = rng.random() * 100
        if toss < mix.cancels and placed:
            steps.append(placed.pop(rng.randrange(max(0, len(placed) - 1000), len(placed))))
            continue
        owner, side = rng.choice(OWNERS), _side(rng.random())
        units = rng.randint(1, 10)
        if toss > 100 - mix.markets:
            steps.append((owner, Order(side, units, number=number)))
            continue
        away = mix.apart if side == "sell" else -mix.apart
        price = max(0, round(rng.gauss(10_000 + away, mix.spread)))
        steps.append((owner, Order(side, units, price, number=number)))
        placed.append((owner, number))
    return steps


def _side(toss: float) -> Side:
    return "buy" if toss < 0.5 else "sell"


class Book(Protocol):
    """What is timed."""

    def run(self, steps: Sequence[Step]) -> None: ...
    def shown(self) -> Shown: ...


class OurBook:
    """The book as the venue uses it."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.matches: list[Match] = []

    def run(self, steps: Sequence[Step]) -> None:
        place, cancel, matches = self.book.place, self.book.cancel, self.matches
        for owner, step in steps:
            if step.__class__ is Order:
                matches += place(owner, step).matches
            else:
                cancel(owner, step)  # type: ignore[arg-type]  # it is a number

    def shown(self) -> Shown:
        self.book.check()
        return self.matches, {name: resting.units for name, resting in self.book.orders.items()}


BOOKS: dict[str, type[Book]] = {"ours": OurBook, "sortedcontainers": SortedBook}


def sample(kind: type[Book], steps: Sequence[Step]) -> tuple[float, Shown]:
    """CPU seconds of one book for a stream, and what it showed."""
    book = kind()
    gc.collect()
    before = time.thread_time()
    book.run(steps)
    return time.thread_time() - before, book.shown()


def compare(steps: Sequence[Step], repeats: int, books: dict[str, type[Book]]) -> dict[str, list[float]]:
    """CPU seconds per repeat and book, taken in turns.

    Raises:
        AssertionError: if the books disagree on a trade, or on what is left.
    """
    times: dict[str, list[float]] = {name: [] for name in books}
    for _ in range(repeats):
        agreed: Shown | None = None
        for name, kind in books.items():
            seconds, shown = sample(kind, steps)
            agreed = agreed or shown
            assert shown[0] == agreed[0], f"{name} makes other trades"
            assert shown[1] == agreed[1], f"{name} keeps other orders"
            times[name].append(seconds)
    return times


def measure(count: int, repeats: int) -> dict[str, float]:
    """All numbers by name: how many times faster ours is, its steps per second, and what the stream was."""
    found: dict[str, float] = {}
    for name, mix in MIXES.items():
        steps = make_steps(mix, count)
        times = compare(steps, repeats, BOOKS)
        pairs = zip(times["sortedcontainers"], times["ours"], strict=True)
        found[f"ratio_{name}"] = round(median(theirs / ours for theirs, ours in pairs), 2)
        found[f"steps_per_second_{name}"] = round(count / median(times["ours"]))
        found.update({f"{what}_{name}": number for what, number in _described(steps)})
    return found


def _described(steps: Sequence[Step]) -> Iterator[tuple[str, float]]:
    ours = OurBook()
    ours.run(steps)
    yield "trades", len(ours.matches)
    yield "prices", len(ours.book.depth("buy")) + len(ours.book.depth("sell"))


def as_table(found: dict[str, float]) -> Table:
    """The numbers for people."""
    table = Table(
        title="Orders and cancellations: how many times faster than a plain book on sortedcontainers"
    )
    for head in ("market", "faster", "steps per second", "trades", "prices at the end", "what it is like"):
        table.add_column(head, justify="left" if head in ("market", "what it is like") else "right")
    for name, mix in MIXES.items():
        per_second, trades, prices = (found[f"{w}_{name}"] for w in ("steps_per_second", "trades", "prices"))
        table.add_row(
            name, f"{found[f'ratio_{name}']:.2f}", f"{per_second:,.0f}", f"{trades:,.0f}", f"{prices:,.0f}", mix.what
        )  # fmt: skip
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.order_book", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps: a second, and more noise")
    options = parser.parse_args(arguments)
    found = measure(QUICK if options.quick else FULL, repeats=7)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        Console().print(as_table(found))


if __name__ == "__main__":
    main()
