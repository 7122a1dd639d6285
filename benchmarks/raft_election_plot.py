"""The shape of the Raft paper's figure 16: the downtimes of `benchmarks.raft_election`, cumulated, for several timeout ranges."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.raft_election import Setting, failovers, span

SPREADS = ("150-150", "150-151", "150-155", "150-175", "150-200", "150-300")
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
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_ylabel("trials, cumulated, %")
    return figure


def _cumulated(axes: Axes, times: list[float], trials: int, label: str, place: int) -> None:
    shares = [100 * (k + 1) / trials for k in range(len(times))]
    axes.plot(times, shares, drawstyle="steps-post", linewidth=1.4, color=f"C{place}", label=label)
