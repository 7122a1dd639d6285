"""What `benchmarks.raft_election` measures, drawn: the Raft paper's figure 16, split votes, the cost of pre-votes."""

from math import sqrt

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.raft_election import Setting, failovers, measure, span
from consensus.raft.analysis import split_vote_probability
from walras.simulation.latency import Constant

SPREADS = ("150-150", "150-151", "150-155", "150-175", "150-200", "150-300")
LATENCY_S = 0.0025
SCALES = ("12-24", "25-50", "50-100", "100-200", "150-300")


def figure_16(trials: int, limit_s: float = 10.0, seed: int = 1) -> Figure:
    """Left, how much randomness is needed; right, how short timeouts may be. 150-150, which never ends, is tried less often."""
    figure, panels = pyplot.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained", sharey=True)
    for axes, names in zip(panels, (SPREADS, SCALES), strict=True):
        for place, name in enumerate(names):
            low_s, high_s = span(name)
            setting = Setting(low_s=low_s, high_s=high_s, limit_s=limit_s)
            count = trials if low_s < high_s else max(1, trials // 20)
            times = sorted(failover.downtime_s for failover in failovers(setting, count, seed))
            _cumulated(axes, [time for time in times if time < limit_s], count, f"{name} ms", place)
        axes.set_xscale("log")
        axes.set_xlim(0.02, limit_s)
        axes.set_xlabel("time without a leader, s (logarithmic)")
        axes.legend(
            fontsize=8,
            frameon=False,
            handlelength=1.0,
            loc="upper left" if names is SPREADS else "lower right",
        )
        axes.grid(linewidth=0.4, alpha=0.5)
        _frameless(axes)
    panels[0].set_ylabel("trials, cumulated, %")
    return figure


def split_votes(trials: int, seed: int = 1) -> Figure:
    """Left, how often a first election elects nobody, beside the closed form; right, what pre-votes cost, 1 or 2 of 5 down."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
    for place, live in enumerate((4, 3)):
        shares = [k / 100 for k in range(1, 101)]
        closed = [split_vote_probability(share, servers=5, live=live) for share in shares]
        left.plot(shares, closed, color=f"C{place}", linewidth=1.2, label=f"{5 - live} of 5 down")
        for width_s in (0.005, 0.008, 0.015, 0.040):
            setting = Setting(
                low_s=0.150, high_s=0.150 + width_s, log_lengths=(1,) * live, latency=Constant(LATENCY_S)
            )
            split = sum(failover.elections > 1 for failover in failovers(setting, trials, seed)) / trials
            error = 3 * sqrt(split * (1 - split) / trials)
            left.errorbar(
                [LATENCY_S / width_s], [split], [error], fmt="o", markersize=3, capsize=2, color=f"C{place}"
            )
    left.set_xlabel("latency, as a share of the range of timeouts")
    left.set_ylabel("first elections that elect nobody, share")
    highs_ms = (155, 160, 175, 200, 250, 300)
    for place, logs in enumerate(((2, 2, 1, 1), (2, 1, 1))):
        for pre_vote in (False, True):
            settings = [
                Setting(low_s=0.150, high_s=high / 1e3, log_lengths=logs, pre_vote=pre_vote)
                for high in highs_ms
            ]
            medians = [measure(setting, trials, seed)["median_ms"] for setting in settings]
            label = f"{5 - len(logs)} of 5 down{', pre-votes' if pre_vote else ''}"
            right.plot(
                highs_ms,
                medians,
                "o--" if pre_vote else "o-",
                markersize=3,
                linewidth=1.2,
                color=f"C{place}",
                label=label,
            )
    right.set_xlabel("timeouts drawn from 150 ms to ..., ms")
    right.set_ylabel("time without a leader, median, ms")
    right.set_ylim(bottom=0.0)
    for axes in (left, right):
        axes.legend(fontsize=8, frameon=False)
        axes.grid(linewidth=0.4, alpha=0.5)
        _frameless(axes)
    return figure


def _frameless(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _cumulated(axes: Axes, times: list[float], trials: int, label: str, place: int) -> None:
    shares = [100 * (k + 1) / trials for k in range(len(times))]
    axes.plot(times, shares, drawstyle="steps-post", linewidth=1.4, color=f"C{place}", label=label)
