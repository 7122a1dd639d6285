"""A result as a short table: what a reader wants first, completion always before cost."""

from collections import Counter
from typing import TYPE_CHECKING

from walras.results.metrics import beats_optimum

if TYPE_CHECKING:
    from walras.results import Result
    from walras.results.metrics import Metrics

Line = tuple[str, str, str]
"""A name, its number, and what else belongs to it."""

_WIDEST = 100


def summary(result: "Result") -> tuple[str, list[Line]]:
    """A heading and the lines of the table."""
    m = result.metrics
    heading = f"{result.scenario or 'bare run'}, {result.mechanism or 'no mechanism'}, seed {result.seed}"
    stopped = f"{result.stopped_because or 'it was over'}; digest {result.digest[:12]}"
    return heading, [
        ("completion", _percent(m["completion_rate"]), _statuses(result)),
        ("efficiency", _number(m["efficiency"]), _yardstick(m)),
        ("cost", _number(m["cost"]), f"paid {_number(m['paid'])}, welfare {_number(m['welfare'])}"),
        ("quality", _number(m["quality"]), f"of finished tasks; {_number(m['quality_all'])} over all"),
        ("latency", _seconds(m["latency_p50_s"]), _tail(m)),
        (
            "messages",
            _count(m["messages"]),
            f"{_number(m['messages_per_task'])} per task, {_size(m['bytes'])}",
        ),
        ("fairness", _number(m["jain"]), _loads(m)),
        *_defaults(result),
        *_overcommitments(result),
        ("ended", _seconds(result.ended_s), stopped),
    ]


def _statuses(result: "Result") -> str:
    counts = Counter(record.status for record in result.records)
    rest = [f"{count:,} {status}" for status, count in sorted(counts.items()) if status != "done"]
    others = f": {', '.join(rest)}" if rest else ""
    return f"{counts['done']:,} of {len(result.records):,} tasks{others}"


def _defaults(result: "Result") -> list[Line]:
    """A line only where there is something to say: a strategy that fails each time looks like one that wants nothing."""
    counts = result.trace.default_counts()
    if not counts:
        return []
    each = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    return [
        (
            "defaults",
            _count(sum(counts.values())),
            f"questions without a legal answer: {each}; {_first(result)}",
        )
    ]


def _overcommitments(result: "Result") -> list[Line]:
    """A line only where there is something to say."""
    if not result.overcommitments:
        return []
    count = _count(result.overcommitments)
    return [("overcommitments", count, "times somebody was bound to pay what it did not have")]


def _first(result: "Result") -> str:
    """Who and why, in one line that can be printed, whatever a mind or a program has put into it."""
    said = "".join(c if c.isprintable() else " " for c in result.trace.first_default)
    return "first " + (said if len(said) <= _WIDEST else said[: _WIDEST - 3] + "...")


def _yardstick(m: "Metrics") -> str:
    if m["optimum"] is None:
        return "optimum not known"
    label = "the optimum" if m["optimum_exact"] else "an upper bound on the optimum"
    undefined = "undefined: " if m["efficiency"] is None else "of "
    beaten = "; it is none, as welfare is above it" if beats_optimum(m) else ""
    return f"{undefined}{label}, {_number(m['optimum'])}{beaten}"


def _tail(m: "Metrics") -> str:
    return f"median; p95 {_seconds(m['latency_p95_s'])}, makespan {_seconds(m['makespan_s'])}"


def _loads(m: "Metrics") -> str:
    return f"Jain's index of loads; Gini {_number(m['gini'])}, utilisation {_percent(m['utilisation'])}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 9999.5 else f"{value:,.0f}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{_number(value)} s"


def _size(value: float | None) -> str:
    amount = float(value or 0)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"
