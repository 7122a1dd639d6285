"""Which faults have really happened: a plan with a crash in it proves nothing if the run ended before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from walras.simulation.fault_kinds import Skew, SlowDisk
from walras.simulation.faults import Faults
from walras.simulation.network import Network, Partition

FAULTS = (
    "message lost",
    "message doubled",
    "message held up",
    "message cut off by a partition",
    "message cut off by a one-way partition",
    "message to a machine that is down",
    "crash",
    "restart",
    "torn write",
    "write on a slow disk",
    "pause",
    "message by a skewed clock",
)
"""Every counter of `fired`."""


def fired(network: Network, faults: Faults, rows: Iterable[Sequence[Any]]) -> Counter[str]:
    """How often each fault of a world has happened, by the rows of its trace; a partition counts what it cut off."""
    counts: Counter[str] = Counter()
    bound = network.latency.bound
    skewed = {fault.agent for fault in faults.schedule if isinstance(fault, Skew)}
    slow = [fault for fault in faults.schedule if isinstance(fault, SlowDisk)]
    for row in rows:
        kind = row[1]
        if kind == 1:
            counts["message held up"] += row[0] - row[7] > bound
            counts["message by a skewed clock"] += row[4] in skewed
        elif kind == "lost":
            counts[_lost(network.partitions, row)] += 1
        elif kind == "doubled":
            counts["message doubled"] += 1
        elif kind in ("crash", "restart", "pause"):
            counts[kind] += 1
        elif kind == "note" and row[4] == "a write was torn":
            counts["torn write"] += 1
        elif kind in ("persist", "checkpoint") and slow:
            counts["write on a slow disk"] += any(_slows(disk, row[0], row[3]) for disk in slow)
    return counts


def _lost(partitions: Iterable[Partition], row: Sequence[Any]) -> str:
    at, _, _, sender, to = row[:5]
    if sender == to:
        return "message to a machine that is down"
    for partition in partitions:
        if partition.start_s <= at < partition.end_s and partition.cuts(sender, to):
            return f"message cut off by a {'one-way ' if partition.one_way else ''}partition"
    return "message lost"


def _slows(disk: SlowDisk, at: float, agent: str) -> bool:
    return disk.agent in (None, agent) and disk.at_s <= at < disk.at_s + disk.for_s
