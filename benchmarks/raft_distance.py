"""How long a command takes to be committed, where replicas are far apart: the distances are real round-trip times.

A leader needs the answers of the nearest followers that make a majority with it, so a command should take one round trip to
the last of these, its *quorum distance*, and a write there. Measured on whole replicas, with a client beside the leader, for
clusters drawn from the dozen places of `benchmarks.round_trips`. ``docs/raft-latency.md`` has the figures.
"""

from collections.abc import Iterator
from math import inf
from random import Random
from statistics import median
from typing import NamedTuple

from matplotlib import pyplot
from matplotlib.figure import Figure
from msgspec.structs import replace

from benchmarks.round_trips import one_way, read
from consensus.raft.kv import Get, KeyValueStore, Put
from consensus.raft.replica import DEFAULTS, Replica
from consensus.raft.service import Query, Reply, Submit
from consensus.raft.settings import ReadOnly
from consensus.replicated import Founder
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.messages import AgentId
from walras.protocol import Protocol, on
from walras.randomness import stream
from walras.simulation.faults import Crash, Faults
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation

TRIPS = read()
SETTLE_S = 3.0
"""Until then whoever is to lead is elected, and whoever is to fail has failed."""


class Sample(NamedTuple):
    """One cluster, the first of whose places leads: medians of what its client waited, milliseconds."""

    cluster: tuple[str, ...]
    distance_ms: float
    write_ms: float
    """Of a command, until it is applied."""
    read_ms: float
    """Of a linearizable read."""


class Prober(Protocol):
    """Asks the leader for a write and a read in turn, one each second, and notes how long it waited, seconds."""

    leader: AgentId
    rounds: int
    waits: list[float] = []
    asked_at: float = 0.0

    def on_start(self) -> None:
        self.set_timer("ask", SETTLE_S)

    def on_timer(self, name: str) -> None:
        number, self.asked_at = len(self.waits) + 1, self.now
        write = number % 2
        self.send(self.leader, Submit(number, Put("x", "1")) if write else Query(number, Get("x")))

    @on(Reply)
    def hear(self, sender: AgentId, message: Reply) -> None:
        self.waits.append(self.now - self.asked_at)
        if len(self.waits) < 2 * self.rounds:
            self.set_timer("ask", self.asked_at + 1.0)


def quorum_distance(cluster: tuple[str, ...], down: int = 0) -> float:
    """Milliseconds there and back to the last follower of the leader's nearest majority, the `down` nearest having failed."""
    return sorted(TRIPS[cluster[0]][place] for place in cluster)[down + len(cluster) // 2]


def measure(
    cluster: tuple[str, ...], down: int = 0, disk_s: float = 0.0, lease: bool = False, rounds: int = 5
) -> Sample:
    """The waits of a client beside the leader.

    Args:
        cluster: places; a replica is at each, and the first one leads.
        down: how many of the leader's nearest followers have failed.
        disk_s: how long a durable write takes, seconds.
        lease: whether reads go by a lease; else by a round of heartbeats.
        rounds: writes and reads.

    Raises:
        ScenarioError: if too few would be left to commit anything.
    """
    if not 0 <= down <= (len(cluster) - 1) // 2:
        raise ScenarioError("down", down, f"0 to {(len(cluster) - 1) // 2}, a minority of {len(cluster)}")
    leader, *others = cluster
    nearest = sorted(others, key=lambda place: TRIPS[leader][place])
    failed = tuple(Crash(place, 1.0, inf) for place in nearest[:down])
    settings = replace(DEFAULTS, read_only=ReadOnly.LEASE if lease else ReadOnly.SAFE)
    simulation = Simulation(
        seed=1, network=Network(latency=one_way(TRIPS)), faults=Faults(failed, fsync=Constant(disk_s))
    )
    for place in cluster:
        simulation.add(Agent(place, place=place))
        role = Founder if place == leader else Replica
        simulation.seat(place, role(cluster, KeyValueStore(), settings=settings), "raft")
    prober = Prober(leader, rounds)
    simulation.add(Agent("client", place=leader))
    simulation.seat("client", prober, "raft")
    simulation.run(until=SETTLE_S + 2.0 * rounds, keep_trace=False)
    assert len(prober.waits) == 2 * rounds, f"{len(prober.waits)} answers"
    writes, reads = prober.waits[::2], prober.waits[1::2]
    return Sample(cluster, quorum_distance(cluster, down), 1e3 * median(writes), 1e3 * median(reads))


def clusters(replicas: int, count: int, seed: int = 1) -> Iterator[tuple[str, ...]]:
    """Places drawn for so many clusters, each with its leader first."""
    rng: Random = stream(seed, "clusters", replicas)
    for _ in range(count):
        yield tuple(rng.sample(tuple(TRIPS), replicas))


def figure(count: int = 40) -> Figure:
    """Commit latency over quorum distance, for so many clusters of each kind, and what one round trip would be."""
    drawing, axes = pyplot.subplots(figsize=(5.4, 4.2), layout="constrained")
    kinds = (
        (3, 0, "3 replicas"),
        (5, 0, "5 replicas"),
        (5, 1, "5, nearest down"),
        (5, 2, "5, two nearest down"),
    )
    for (replicas, down, label), marker in zip(kinds, "os^v", strict=True):
        samples = [measure(cluster, down, disk_s=0.005, rounds=2) for cluster in clusters(replicas, count)]
        distances = [sample.distance_ms for sample in samples]
        axes.plot(
            distances, [sample.write_ms for sample in samples], marker, markersize=4, alpha=0.7, label=label
        )
    axes.axline((0.0, 5.0), slope=1.0, color="#333333", linewidth=0.8, label="one round trip and one write")
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("round trip to the last of the leader's nearest majority, ms")
    axes.set_ylabel("until a command is committed, median, ms")
    axes.legend(fontsize=8, frameon=False)
    axes.grid(linewidth=0.4, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return drawing
