"""How fast Raft is in simulation: ``python -m benchmarks.raft [--json] [--quick]``.

* ``committed_per_s_3``, ``committed_per_s_5``: commands of a client, sent as messages, gathered for 2 ms, replicated, applied by
  all and answered, per second of CPU time; everything is simulated message by message, with the trace's digest.
* ``pysyncobj_per_s_3``, ``pysyncobj_per_s_5``: the same number of commands replicated by PySyncObj over its own loopback
  connections (see `benchmarks.rival_raft`); null if it is not installed.
* ``idle_x``, ``loaded_x``: simulated seconds per second of CPU time, of a cluster of 5 with a heartbeat of 100 ms: left alone,
  and with ``load_per_s`` commands a second, each for itself.
* ``chaos_per_s``: schedules of 60 simulated seconds per second of CPU time: 3 replicas, 2 clients, faults by chance, and the
  clients' history checked at the end.

CPU time of this process; of each figure the best of three.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from benchmarks import rival_raft
from consensus.linearizability import KEY_VALUE, check, operations_of
from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, KeyValueStore, Put, described
from consensus.raft.replica import DEFAULTS
from consensus.raft.service import Redirect, Reply, Submit
from consensus.raft.sessions import history
from walras.agents import Agent
from walras.messages import AgentId
from walras.protocol import Protocol, on
from walras.simulation.latency import Uniform
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.simulation.swarm import random_faults

NEAR = Network(latency=Uniform(0.001, 0.003))
SETTLE_S = 5.0
"""Until then a leader is elected, and nothing is measured."""
WINDOW = 1_000
"""Commands of the client that are on their way at the same time."""
LOAD_PER_S = 10
CHAOS_S = 60.0
UNHURRIED = replace(DEFAULTS, election_tick=3_000, heartbeat_tick=1_000)
"""For chaos: what matters is how many elections and faults fit into a schedule, not how often a leader says that it is there."""


class Writer(Protocol):
    """Keeps so many commands on their way to the leader, or sends one every so often, after `SETTLE_S`."""

    replicas: tuple[AgentId, ...]
    leader: AgentId
    window: int = 0
    every_s: float = 0.0
    sent: int = 0
    answered: int = 0

    def on_start(self) -> None:
        self.set_timer("send", SETTLE_S)

    def on_timer(self, name: str) -> None:
        self.submit()
        if self.every_s:
            self.set_timer("send", self.now + self.every_s)

    def submit(self) -> None:
        self.sent += 1
        self.send(self.leader, Submit(self.sent, Put(f"k{self.sent % 100}", "value")))

    @on(Reply)
    def hear(self, sender: AgentId, message: Reply) -> None:
        self.answered += 1
        while self.sent - self.answered < self.window:
            self.submit()

    @on(Redirect)
    def turn(self, sender: AgentId, message: Redirect) -> None:
        raise AssertionError(f"{sender} says {message}: the leader of a calm cluster stays")


def names(replicas: int) -> tuple[AgentId, ...]:
    return tuple(f"r{k}" for k in range(1, replicas + 1))


def settled(replicas: int, batch_s: float = 0.0, **load: Any) -> tuple[Simulation, Writer | None]:
    """A calm cluster with a leader, and its client."""
    cluster = Cluster(names(replicas), KeyValueStore, batch_s=batch_s)
    simulation = Simulation(seed=1, network=NEAR)
    cluster.seat(simulation)
    simulation.run(until=SETTLE_S - 1.0, keep_trace=False)
    if not load:
        return simulation, None
    leader = cluster.leader(simulation)
    assert leader is not None
    writer = Writer(cluster.members, leader, **load)
    simulation.add(Agent("client"))
    simulation.seat("client", writer, cluster.conversation)
    return simulation, writer


def cpu_s(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


def committed_per_s(replicas: int, seconds: float) -> float:
    """Commands answered per second of CPU time, over so many simulated seconds."""
    simulation, writer = settled(replicas, batch_s=0.002, window=WINDOW)
    assert writer is not None
    took = cpu_s(lambda: simulation.run(until=SETTLE_S + seconds, keep_trace=False))
    assert writer.answered > 0
    return writer.answered / took


def speed(seconds: float, per_s: float = 0.0) -> float:
    """Simulated seconds per second of CPU time of a cluster of 5, with so many commands a second."""
    simulation, writer = settled(5, **({"every_s": 1.0 / per_s} if per_s else {}))
    simulation.run(until=SETTLE_S, keep_trace=False)
    took = cpu_s(lambda: simulation.run(until=SETTLE_S + seconds, keep_trace=False))
    if writer is not None:
        assert writer.answered >= int(seconds * per_s) - 1
    return seconds / took


def schedule(seed: int) -> None:
    """One schedule of faults; raises if the clients' history is not linearizable."""
    cluster = Cluster(names(3), settings=UNHURRIED)
    network, faults = random_faults(seed, cluster.members, CHAOS_S)
    simulation = Simulation(seed=seed, network=network, faults=faults)
    cluster.seat(simulation)
    clients = ("c1", "c2")
    for name in clients:
        work = tuple(Get("x") if k % 2 else Append("x", f"{name}.{k} ") for k in range(25))
        cluster.seat_client(simulation, name, *work, pause_s=1.0, retry_s=2.0)
    simulation.run(until=CHAOS_S, keep_trace=False)
    roles: list[Any] = [simulation.role(cluster.conversation, name) for name in clients]
    verdict = check(operations_of(history(roles, described).events), KEY_VALUE)
    assert verdict.linearizable, f"seed {seed}: {verdict}"


def chaos_per_s(schedules: int, run: Callable[[int], object] = schedule) -> float:
    """Schedules per second of CPU time; `run` carries out that of a seed, for example an explorer's."""
    return schedules / cpu_s(lambda: [run(seed) for seed in range(schedules)])


def best(of: int, measure: Callable[..., float], *settings: Any) -> float:
    return max(measure(*settings) for _ in range(of))


def rival(of: int, replicas: int, commands: int) -> float | None:
    found = [rival_raft.committed_per_s(replicas, commands, WINDOW) for _ in range(of)]
    return max((figure for figure in found if figure is not None), default=None)


def measure(quick: bool = False) -> dict[str, float | None]:
    """All figures; `quick` for tests, whose machine is busy."""
    of, scale = (1, 0.05) if quick else (3, 1.0)
    figures: dict[str, float | None] = {}
    for replicas in (3, 5):
        figures[f"committed_per_s_{replicas}"] = best(of, committed_per_s, replicas, 2.0 * scale)
        figures[f"pysyncobj_per_s_{replicas}"] = rival(of, replicas, ceil(50_000 * scale))
    figures["idle_x"] = best(of, speed, 500.0 * scale)
    figures["load_per_s"] = float(LOAD_PER_S)
    figures["loaded_x"] = best(of, speed, 100.0 * scale, LOAD_PER_S)
    figures["chaos_per_s"] = best(of, chaos_per_s, ceil(40 * scale))
    return {name: None if figure is None else round(figure, 1) for name, figure in figures.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.raft", description="The speed of Raft")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    options = parser.parse_args(arguments)
    figures = measure(options.quick)
    if options.json:
        print(json.dumps(figures))
        return
    console = Console()
    for name, figure in figures.items():
        console.print(f"{name:20} {'not installed' if figure is None else format(figure, '12,.1f')}")


if __name__ == "__main__":
    main()
