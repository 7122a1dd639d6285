"""The picture of the page on replication: ``python docs/replication_pictures.py``, a second."""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens
# the packages beside these pages, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from matplotlib import pyplot
from matplotlib.axes import Axes

from auctions import SealedBid, second_price
from consensus.replicated import Replicated
from walras import Agent, Lot, Simulation
from walras.results import Result
from walras.simulation.faults import Crash, Faults

PICTURES = Path(__file__).with_name("pictures")


def fail_over() -> Result:
    """A sealed-bid auction whose leader stops for good when two of three bids are on their way to it."""
    simulation = Simulation(seed=4, faults=Faults((Crash("r1", 0.24, float("inf")),)))
    simulation.add(Agent("house", capacity=0))
    for name, value in (("ann", 3.0), ("ben", 5.0), ("cyd", 4.0)):
        simulation.add(Agent(name, values={"lot": value}, money=20.0))
    rules = SealedBid(second_price, reply_within_s=4.0)
    simulation.open(Replicated(rules, ("r1", "r2", "r3")), [Lot("lot")], "house", finish_by=20.0,
                    participants=["ann", "ben", "cyd"])  # fmt: skip
    return simulation.run()


LANES = ("ann", "ben", "cyd", "r1", "r2", "r3")
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#999999"


def draw(result: Result) -> None:
    """Time runs downwards, in two panels: before and after the second in which nothing could happen."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9.6, 4.6), layout="constrained")
    for axes, (begin, end) in zip(panels, ((0.19, 0.31), (1.72, 1.92)), strict=True):
        for x, name in enumerate(LANES):
            axes.axvline(x, color=GREY, linewidth=0.7, zorder=0)
            axes.text(x, begin - (end - begin) * 0.03, name, ha="center", fontsize=8)
        for row in result.trace:
            if row.conversation == "house/1" and begin <= row.at <= end:
                if row.kind == "message":
                    _arrow(
                        axes,
                        row.agent,
                        row.details["to"],
                        row.at,
                        row.details["arrival"],
                        row.details["message"],
                    )
                elif row.kind == "broadcast":
                    for to, arrival in zip(row.details["to"], row.details["arrivals"], strict=True):
                        _arrow(axes, row.agent, to, row.at, arrival, row.details["message"])
                elif row.kind == "award":
                    axes.text(LANES.index(row.agent) + 0.1, row.at - 0.004, "awards to ben at 4", fontsize=7)
        axes.set_ylim(end, begin)
        axes.set_xlim(-0.4, len(LANES) - 0.1)
        axes.set_xticks([])
        axes.set_ylabel("seconds")
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
    panels[0].plot([3, 3], [0.24, 0.31], color=VERMILION, linewidth=3)
    panels[0].text(3.1, 0.238, "r1 stops", color=VERMILION, fontsize=8)
    panels[1].axvline(3, color=VERMILION, linewidth=3)
    panels[1].text(4.1, 1.73, "r2 has been elected", color=BLUE, fontsize=8)
    figure.savefig(PICTURES / "replication.png", dpi=110)


def _arrow(axes: Axes, sender: str, to: str, sent: float, arrival: float, message: dict[str, Any]) -> None:
    """One message, under the name of what is inside."""
    label = message.get("message", message)["type"]
    x, y = LANES.index(sender), LANES.index(to)
    color = VERMILION if to == "r1" else GREY if label == "Heard" else BLUE
    axes.annotate(
        "", (y, arrival), (x, sent), arrowprops={"arrowstyle": "->", "color": color, "linewidth": 0.9}
    )
    if label != "Heard":
        axes.text(y + (x - y) * 0.22, arrival + (sent - arrival) * 0.22, label, fontsize=6, color=color,
                  ha="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4})  # fmt: skip


if __name__ == "__main__":
    draw(fail_over())
