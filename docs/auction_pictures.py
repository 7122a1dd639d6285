"""The pictures of the page on the theory of auctions: ``python docs/auction_pictures.py``, a few seconds."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens
# the packages beside these pages, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from random import Random

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from auctions import (
    Exponential,
    Independent,
    Offer,
    Positions,
    Power,
    RegretMatching,
    Uniform,
    all_pay,
    clear_rounds,
    common_value,
    equilibrium,
    first_price,
    gsp,
    learn_to_bid,
    mcafee,
    second_price,
    third_price,
    trade_reduction,
    vcg_double,
    vcg_positions,
)
from auctions.double_clearing import DoubleRule
from auctions.positions import SlotPrice

PICTURES = Path(__file__).with_name("pictures")
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ROUNDS, LESSONS, MARKETS = 100_000, 5_000, 400
"""How many auctions are drawn, how many learners learn from, and how many double auctions there are for each point."""


def revenue_equivalence() -> None:
    """What each format earns more than the second price on the same values, as a share of it, with 99 % intervals."""
    figure, axes = pyplot.subplots(figsize=(7.4, 3.6), layout="constrained")
    models = (
        ("uniform", Uniform(), BLUE),
        ("power 2", Power(0.0, 1.0, 2.0), GREEN),
        ("exponential", Exponential(), PURPLE),
    )
    labels = (
        "first price\n= Dutch",
        "third price",
        "all-pay",
        "first price,\nbids 5 % too low",
        "bids 5 %\ntoo high",
    )
    for place, (name, distribution, colour) in enumerate(models):
        v = Independent(distribution).draw(7, 3, ROUNDS).values
        shaded = equilibrium.first_price(v, 3, distribution)
        second = clear_rounds(second_price, v).revenue
        earned = (
            clear_rounds(first_price, shaded).revenue,
            clear_rounds(third_price, equilibrium.third_price(v, 3, distribution)).revenue,
            clear_rounds(all_pay, equilibrium.all_pay(v, 3, distribution)).revenue,
            clear_rounds(first_price, 0.95 * shaded).revenue,
            clear_rounds(first_price, 1.05 * shaded).revenue,
        )
        more = np.array([(e - second).mean() for e in earned]) / second.mean()
        half = 2.5758 * np.array([(e - second).std() for e in earned]) / second.mean() / ROUNDS**0.5
        x = np.arange(len(labels)) + 0.2 * (place - 1)
        axes.errorbar(x, 100 * more, 100 * half, fmt="o", color=colour, markersize=4, capsize=3, label=name)
    axes.axhline(0.0, color="#333333", linewidth=0.8)
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    _label(axes, "", "more than the second price, %", f"three bidders, {ROUNDS:,} auctions, 99 % intervals")
    figure.savefig(PICTURES / "revenue-equivalence.png", dpi=110)


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
        learners, grid, uniform, first_price, rounds=LESSONS, seed=7, dice=[Random(1), Random(2)]
    )
    right.plot(v, v / 2, color=BLUE, label="equilibrium")
    for bidder, marker in enumerate("os"):
        right.plot(
            learned.values, learned.bids[bidder], marker, color=VERMILION, label=f"learner {bidder + 1}"
        )
    _label(right, "value", "bid", f"two bidders, first price, {LESSONS:,} auctions")
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
    _label(axes, "reserve", "revenue", f"uniform values: closed form (lines) and {ROUNDS:,} auctions (dots)")
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


def positions_and_doubles() -> None:
    """What bidding less than the truth brings for a position; what truth costs in a double auction."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
    bids = [k / 4 for k in range(1, 49) if k not in (8, 16)]  # but for ties with the others
    for label, price, colour, marker, size in (
        ("GSP", gsp, VERMILION, "o", 5),
        ("VCG", vcg_positions, BLUE, ".", 4),
    ):
        nets = [_net(price, bid) for bid in bids]
        left.plot(bids, nets, marker, color=colour, label=label, markersize=size, fillstyle="none")
    _label(left, "bid per click", "net gain, a click is worth 10", "200 and 199 clicks, rivals bid 4 and 2")
    counts, rng = (2, 3, 5, 10, 20, 50), np.random.default_rng(7)
    for label, rule, colour in (
        ("VCG", vcg_double, BLUE),
        ("McAfee", mcafee, GREEN),
        ("trade reduction", trade_reduction, PURPLE),
    ):
        reached, kept = zip(*(_double(rule, n, rng) for n in counts), strict=True)
        right.plot(counts, reached, "o-", color=colour, label=label, markersize=4)
        right.plot(counts, kept, "s:", color=colour, markersize=3)
    right.plot([], [], "s:", color="#333333", markersize=3, label="of it for the house")
    right.axhline(0.0, color="#333333", linewidth=0.8)
    right.set_xscale("log")
    right.set_xticks(counts, [str(n) for n in counts])
    right.minorticks_off()
    _label(
        right,
        "buyers, and as many sellers",
        "share of the gains from trade",
        f"uniform values, {MARKETS} markets each",
    )
    figure.savefig(PICTURES / "positions-and-doubles.png", dpi=110)


def _net(price: SlotPrice, bid: float) -> float:
    ranked = sorted((Offer("a", bid), Offer("b", 4), Offer("c", 2)), key=lambda offer: -offer.price)
    lines = Positions(price, (200, 199))(ranked, 0, 2)
    slots = {line.bidder: (clicks, line.price) for clicks, line in zip((200, 199), lines, strict=True)}
    clicks, paid = slots.get("a", (0, 0))
    return 10 * clicks - paid


def _double(rule: DoubleRule, n: int, rng: np.random.Generator) -> tuple[float, float]:
    """The share of the gains from trade that is reached, and what the house keeps (below zero: pays) of all."""
    possible = reached = kept = 0.0
    for _ in range(MARKETS):
        values, costs = rng.random(n).tolist(), rng.random(n).tolist()
        exchange = rule(
            [Offer(f"b{k}", v) for k, v in enumerate(values)],
            [Offer(f"s{k}", c) for k, c in enumerate(costs)],
        )
        possible += sum(
            max(0.0, v - c) for v, c in zip(sorted(values, reverse=True), sorted(costs), strict=True)
        )
        reached += sum(values[int(line.bidder[1:])] for line in exchange.bought)
        reached -= sum(costs[int(line.bidder[1:])] for line in exchange.sold)
        kept += exchange.revenue
    return reached / possible, kept / possible


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
    for make in (revenue_equivalence, equilibrium_bids, reserves, positions_and_doubles, winners_curse):
        make()
        pyplot.close("all")


if __name__ == "__main__":
    all_of_them()
