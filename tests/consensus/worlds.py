"""Clusters with clients in worlds where things go wrong."""

from random import Random
from typing import Any

from msgspec.structs import replace

from consensus.linearizability import KEY_VALUE, Verdict, check, operations_of
from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, Put, described
from consensus.raft.machine import Data
from consensus.raft.replica import DEFAULTS
from consensus.raft.sessions import Client, history
from consensus.raft.settings import Settings
from walras.randomness import stream
from walras.simulation.faults import Faults, Skew
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.simulation.swarm import random_faults

THREE = ("r1", "r2", "r3")
FIVE = ("r1", "r2", "r3", "r4", "r5")

QUICK: Settings = replace(DEFAULTS, election_tick=300, heartbeat_tick=50)
"""Elections in a third of a second, so that tests need not last long."""


def operations(client: str, count: int, rng: Random, keys: str = "xy") -> tuple[Data, ...]:
    """Writes that can be told apart, and reads."""
    made: list[Data] = []
    for number in range(count):
        key, value = rng.choice(keys), f"{client}{number} "
        made.append(rng.choice((Append(key, value), Append(key, value), Put(key, value), Get(key), Get(key))))
    return tuple(made)


def busy(
    cluster: Cluster, seed: int, clients: int = 3, count: int = 30, **settings: Any
) -> tuple[Simulation, list[str]]:
    """A simulation of a cluster with clients that read and write."""
    simulation = Simulation(seed=seed, check=True, **settings)
    cluster.seat(simulation)
    names = [f"c{k}" for k in range(clients)]
    for k, name in enumerate(names):
        done = operations(name, count, stream(seed, "operations", name))
        home = cluster.members[k % len(cluster.members)] if k % 2 else ""
        cluster.seat_client(simulation, name, *done, reads_from=home, pause_s=0.05)
    return simulation, names


def clients_of(cluster: Cluster, simulation: Simulation, names: list[str]) -> list[Client]:
    found: list[Any] = [simulation.role(cluster.conversation, name) for name in names]
    return found


def judged(clients: list[Client]) -> Verdict:
    """Whether what the clients saw is linearizable."""
    return check(operations_of(history(clients, described).events), KEY_VALUE)


def stormy(seed: int, agents: tuple[str, ...], until_s: float) -> tuple[Network, Faults]:
    """Faults of this seed, and clocks that are right: leases and histories need them."""
    network, faults = random_faults(seed, agents, until_s)
    return network, replace(faults, schedule=tuple(f for f in faults.schedule if not isinstance(f, Skew)))
