"""The pictures of the page on the theory of auctions: ``python docs/auction_pictures.py``, a few seconds."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens
sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # the packages beside these pages, installed or not

from random import Random

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from auctions import (
    Independent,
    RegretMatching,
    Uniform,
    clear_rounds,
    common_value,
    equilibrium,
    first_price,
    learn_to_bid,
    second_price,
)

PICTURES = Path(__file__).with_name("pictures")
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ROUNDS = 100_000


def equilibrium_bids() -> None:
    """What three bidders bid in each format; beside it, what two have learned to bid."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
    v, uniform = np.linspace(0.0, 1.0, 201), Uniform()
    for label, bids, colour in (
        ("third price", equilibrium.third_price(v, 3, uniform), PURPLE),
        ("second price", equilibrium.second_price(v), VERMILION),
        ("first price, Dutch", equilibrium.first_price(v, 3, uniform), BLUE),
        ("all-pay", equilibrium.all_pay(v, 3, uniform), GREEN),
    ):
        left.plot(v, bids, color=colour, label=label)
    _label(left, "value", "bid", "three bidders, in equilibrium")
    grid = np.linspace(0.0, 1.0, 21)
    learners = [[RegretMatching(21) for _ in range(8)] for _ in range(2)]
    learned = learn_to_bid(
        learners, grid, uniform, first_price, rounds=5000, seed=7, dice=[Random(1), Random(2)]
    )
    right.plot(v, v / 2, color=BLUE, label="equilibrium")
    for bidder, marker in enumerate("os"):
        right.plot(
            learned.values, learned.bids[bidder], marker, color=VERMILION, label=f"learner {bidder + 1}"
        )
    _label(right, "value", "bid", "two bidders, first price, 5,000 auctions")
    figure.savefig(PICTURES / "equilibrium-bids.png", dpi=110)


def reserves() -> None:
    """Revenue over the reserve, in closed form and drawn."""
    figure, axes = pyplot.subplots(figsize=(6.0, 3.6), layout="constrained")
    values = Independent(Uniform()).draw(7, 3, ROUNDS).values
    r = np.linspace(0.0, 0.98, 99)
    for n, colour in ((3, BLUE), (2, GREEN), (1, VERMILION)):
        axes.plot(
            r, [equilibrium.expected_revenue(n, Uniform(), x) for x in r], color=colour, label=f"n = {n}"
        )
        some = r[9::10]
        drawn = [clear_rounds(second_price, values[:, :n], reserve=x).revenue.mean() for x in some]
        axes.plot(some, drawn, "o", color=colour, markersize=4)
    axes.axvline(0.5, color="#333333", linewidth=0.8, linestyle=":")
    _label(axes, "reserve", "revenue", "uniform values: closed form (lines) and 100,000 auctions (dots)")
    figure.savefig(PICTURES / "reserves.png", dpi=110)


def winners_curse() -> None:
    """What winners gain on average when all are naive, or all in equilibrium."""
    figure, axes = pyplot.subplots(figsize=(6.0, 3.6), layout="constrained")
    oil, counts = common_value(0.0, 1000.0, 10.0), range(2, 17)
    naive, wise = [], []
    for n in counts:
        drawn = oil.draw(7, n, ROUNDS)
        for gains, bids in (
            (naive, equilibrium.naive(drawn.signals, oil)),
            (wise, equilibrium.affiliated_second_price(drawn.signals, n, oil)),
        ):
            gains.append((drawn.values[:, 0] - clear_rounds(second_price, bids).revenue).mean())
    n = np.linspace(2, 16, 100)
    axes.plot(n, -10 * (n - 3) / (n + 1), color=VERMILION, linewidth=0.8)
    axes.plot(counts, naive, "s", color=VERMILION, label="naive")
    axes.plot(counts, wise, "o", color=BLUE, label="equilibrium")
    axes.axhline(0.0, color="#333333", linewidth=0.8)
    _label(axes, "bidders", "gain of the winner", "common value, signals off by at most 10, second price")
    figure.savefig(PICTURES / "winners-curse.png", dpi=110)


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False)
    axes.grid(linewidth=0.4, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def all_of_them() -> None:
    """Every picture of the page."""
    for make in (equilibrium_bids, reserves, winners_curse):
        make()
        pyplot.close("all")


if __name__ == "__main__":
    all_of_them()
