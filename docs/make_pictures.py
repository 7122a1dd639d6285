"""Make the pictures of these pages from real runs: ``python docs/make_pictures.py``, about a minute on two processors."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens
# the packages beside these pages, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import auction_pictures
from matplotlib import pyplot

from auctions import ContinuousDouble, InducedMarket, Zip, smith_market
from benchmarks import raft_distance
from benchmarks.raft_election_plot import figure_16, split_votes
from contractnet import ContractNet
from scenarios import llm_router
from walras import Agent, FirstComeClaim, Greedy, LeastLoaded, Lot, RandomAssignment, RoundRobin, Simulation
from walras.study import compare, gantt, mean_interval, sequence
from walras.study.study import Study

PICTURES = Path(__file__).with_name("pictures")
SEEDS = range(10)
BLUE, VERMILION, INK = "#0072B2", "#D55E00", "#333333"

MECHANISMS = {
    "contract net": ContractNet(),
    "greedy": Greedy(),
    "least loaded": LeastLoaded(),
    "first come": FirstComeClaim(),
    "round robin": RoundRobin(),
    "random": RandomAssignment(),
}


def price_of_a_market() -> None:
    """What each mechanism reaches, over what it says: means of ten worlds with 95 % intervals."""
    everybody = compare(llm_router(), MECHANISMS, seeds=SEEDS, workers=2)
    asked = [
        compare(llm_router(invite=k), {f"asking {k}": ContractNet()}, seeds=SEEDS, workers=2)
        for k in (1, 3, 8)
    ]
    figure, axes = pyplot.subplots(figsize=(7.4, 4.0), layout="constrained")
    for study in (everybody, *asked):
        for label in study.mechanisms:
            _point(axes, study, label)
    axes.set_xscale("log")
    axes.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.set_xlim(1.6, 170)
    axes.set_xlabel("messages per task (logarithmic)")
    axes.set_ylabel("efficiency, share of a bound on the optimum")
    axes.set_title("llm-router, 200 tasks: means over 10 seeds, 95 % intervals", fontsize=10, loc="left")
    axes.plot([], [], "o", color=BLUE, label="Contract Net")
    axes.plot([], [], "s", color=VERMILION, label="baselines")
    axes.legend(fontsize=8, frameon=False, loc="center right")
    axes.grid(linewidth=0.4, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(PICTURES / "price-of-a-market.png", dpi=110)


def _point(axes: pyplot.Axes, study: Study, label: str) -> None:
    rows = [row.metrics for row in study.rows if row.mechanism == label]
    reached = mean_interval([float(m["efficiency"] or 0.0) for m in rows])
    said = mean_interval([float(m["messages_per_task"] or 0.0) for m in rows]).estimate
    market = label == "contract net" or label.startswith("asking")
    colour = BLUE if market else VERMILION
    axes.plot([said, said], [reached.low, reached.high], color=colour, linewidth=1.6)
    axes.plot([said], [reached.estimate], "o" if market else "s", color=colour, markersize=6)
    shown = "contract net, asking all 19" if label == "contract net" else label
    axes.annotate(
        shown, (said, reached.estimate), xytext=(7, 4), textcoords="offset points", fontsize=8, color=INK
    )


def conversation() -> None:
    """Who says what to whom about one task."""
    result = Simulation(llm_router(tasks=60, invite=4), ContractNet(), seed=7).run()
    sequence(result.trace, "router/17").figure.savefig(PICTURES / "sequence.png", dpi=110)


def work() -> None:
    """Who worked on what, when."""
    result = Simulation(llm_router(tasks=60, invite=4), ContractNet(), seed=7).run()
    gantt(result).figure.savefig(PICTURES / "gantt.png", dpi=110)


def intervals() -> None:
    """The picture that a study draws of itself."""
    shown = {label: MECHANISMS[label] for label in ("contract net", "greedy", "first come", "random")}
    study = compare(llm_router(tasks=60), shown, seeds=range(5), workers=2)
    study.plot("efficiency")[0].figure.savefig(PICTURES / "study.png", dpi=110)


def order_book() -> None:
    """Supply and demand of Smith's market, and all prices of five periods of ZIP trading beside them."""
    market, periods, seeds = smith_market(), 5, 12
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(7.4, 3.6), layout="constrained", sharey=True, width_ratios=[1, 1.7]
    )
    units = range(len(market.demand()) + 1)
    left.step(units, [*market.demand(), market.demand()[-1]], where="post", color=BLUE, label="demand")
    left.step(units, [*market.supply(), market.supply()[-1]], where="post", color=VERMILION, label="supply")
    left.set_xticks(range(0, 12, 2))
    left.set_xlabel("units")
    left.set_ylabel("price")
    left.legend(fontsize=8, frameon=False)
    for seed in range(seeds):
        for period, prices in enumerate(_zip_prices(market, periods, seed), 1):
            across = [period - 0.35 + 0.7 * k / max(1, len(prices) - 1) for k in range(len(prices))]
            right.plot(across, prices, "o", color=BLUE, markersize=4, alpha=0.35, markeredgewidth=0)
    right.set_xticks(range(1, periods + 1))
    right.set_xlabel("trading period; in each, first trade to last")
    right.set_title(f"Prices among ZIP traders, {seeds} seeds", fontsize=10, loc="left")
    for axes in (left, right):
        axes.axhline(market.equilibrium().price, color=INK, linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(PICTURES / "order-book.png", dpi=110)


def _zip_prices(market: InducedMarket, periods: int, seed: int) -> list[list[float]]:
    simulation = Simulation(seed=seed)
    simulation.add(Agent("venue"))
    for agent in market.agents({name: Zip() for name in market.limits()}):
        simulation.add(agent)
    rules = ContinuousDouble(endowments=market.endowments())
    for k in range(periods):
        at = 61.0 * k
        simulation.open(rules, [Lot(market.good, quantity=100)], "venue", at=at, finish_by=at + 60.0)
    simulation.run()
    awards = simulation.world.awards
    return [[line.price for where, line in awards if where == f"venue/{k}"] for k in range(1, periods + 1)]


def raft_elections() -> None:
    """How long clusters are without a leader, for several ranges of election timeouts."""
    figure_16(trials=500).savefig(PICTURES / "raft-elections.png", dpi=110)
    split_votes(trials=500).savefig(PICTURES / "raft-split-votes.png", dpi=110)


def raft_latency() -> None:
    """How long commands take to be committed, over distances."""
    raft_distance.figure(count=40).savefig(PICTURES / "raft-latency.png", dpi=110)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for make in (
        price_of_a_market,
        conversation,
        work,
        intervals,
        order_book,
        raft_elections,
        raft_latency,
        auction_pictures.all_of_them,
    ):
        make()
        pyplot.close("all")
