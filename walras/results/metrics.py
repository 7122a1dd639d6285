"""The metrics of a run: one flat mapping from names to numbers. Each is defined in ``docs/results.md``.

What is not defined in a run, such as the latency of no finished tasks, is None: never 0, never a guess.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from walras.results.records import AgentRecord, TaskRecord
from walras.scenario import Optimum
from walras.welfare import efficiency, gini, jain, quantile, social_welfare

if TYPE_CHECKING:
    from walras.results import Result
    from walras.trace import Trace

Metrics = dict[str, float | int | None]

_TOLERANCE = 1e-9


def measure(result: "Result") -> Metrics:
    """All metrics of a result, in the order in which they are read."""
    return {
        **_completion(result.records),
        **_welfare(result.records, result.optimum),
        **_quality(result.records),
        **_time(result.records),
        **_traffic(result.trace, len(result.records)),
        **_fairness(workers(result.agents, result.records), result.ended_s),
        **_faults(result),
    }


def workers(agents: Iterable[AgentRecord], records: Iterable[TaskRecord]) -> tuple[AgentRecord, ...]:
    """The agents that loads are compared over: with a capacity, and not there only to announce."""
    openers = {record.opener for record in records}
    return tuple(a for a in agents if a.capacity > 0 and (a.busy_s > 0 or a.tasks or a.id not in openers))


def beats_optimum(metrics: Metrics) -> bool:
    """Whether a run reached more welfare than the optimum of its world, beyond rounding: so this is none."""
    welfare, optimum = metrics["welfare"], metrics["optimum"]
    if welfare is None or optimum is None:
        return False
    return welfare > optimum + _TOLERANCE * max(1.0, abs(optimum))


def _completion(records: Sequence[TaskRecord]) -> Metrics:
    done = sum(record.done for record in records)
    return {"tasks": len(records), "completed": done, "completion_rate": _share(done, len(records))}


def _welfare(records: Sequence[TaskRecord], optimum: Optimum | None) -> Metrics:
    welfare = social_welfare((r.value for r in records), (r.cost for r in records))
    best = optimum.welfare if optimum is not None else math.nan
    share = efficiency(welfare, best)
    if 1.0 < share <= 1.0 + _TOLERANCE:
        share = 1.0  # rounding lifts nobody above the optimum
    return {
        "welfare": welfare,
        "efficiency": _number(share),
        "optimum": _number(best),
        "optimum_exact": optimum.exact if optimum is not None else None,
        "paid": math.fsum(r.paid for r in records),
        "cost": math.fsum(r.cost for r in records),
    }


def _quality(records: Sequence[TaskRecord]) -> Metrics:
    tasks = [(record.quality, record.done) for record in records if record.quality is not None]
    reached = [quality for quality, done in tasks if done]
    total = math.fsum(reached)
    return {"quality": _share(total, len(reached)), "quality_all": _share(total, len(tasks))}


def _time(records: Sequence[TaskRecord]) -> Metrics:
    latencies = [r.latency_s for r in records if r.latency_s is not None]
    finished = [r.finished_s for r in records if r.done and r.finished_s is not None]
    return {
        "latency_p50_s": _number(quantile(latencies, 0.5)),
        "latency_p95_s": _number(quantile(latencies, 0.95)),
        "makespan_s": max(finished) - min(r.announced_s for r in records) if finished else None,
        "rounds": _share(sum(r.rounds for r in records), len(records)),
    }


def _traffic(trace: "Trace", tasks: int) -> Metrics:
    counts = trace.message_counts()
    sent = sum(counts.values())
    by_type: Mapping[str, int] = {f"messages_{name}": count for name, count in counts.items()}
    return {"messages": sent, "messages_per_task": _share(sent, tasks), "bytes": trace.bytes, **by_type}


def _fairness(agents: Sequence[AgentRecord], ended_s: float) -> Metrics:
    loads = [agent.busy_s / agent.capacity for agent in agents]
    offered = sum(agent.capacity for agent in agents) * ended_s
    return {
        "jain": _number(jain(loads)),
        "gini": _number(gini(loads)),
        "utilisation": _share(math.fsum(agent.busy_s for agent in agents), offered),
    }


def _faults(result: "Result") -> Metrics:
    spent = [agent.spent for agent in result.agents]
    known = [amount for amount in spent if amount is not None]
    earned = math.fsum(agent.earned for agent in result.agents)
    return {
        "defaults": sum(result.trace.default_counts().values()),
        "overcommitments": result.overcommitments,
        "misawards": misawards(result.records),
        "ir_violations": sum(_at_a_loss(agent) for agent in result.agents),
        "budget_balance": math.fsum((*known, -earned)) if known and len(known) == len(spent) else None,
    }


def misawards(records: Iterable[TaskRecord]) -> int:
    """Awards that came to nothing: all of an item that was not finished, and those before the last ones of one that was."""
    return sum(max(0, record.awards - (record.copies if record.done else 0)) for record in records)


def _at_a_loss(agent: AgentRecord) -> bool:
    """Whether work truly cost an agent more than it received."""
    return agent.cost - agent.earned > _TOLERANCE * max(1.0, abs(agent.cost), abs(agent.earned))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
