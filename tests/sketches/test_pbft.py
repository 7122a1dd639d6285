"""Sketch 5: honest replicas agree, though one of them lies; quotations are true or not delivered."""

from typing import Any

import pytest

from tests.sketches.pbft import Client, Replica, TwoTongued
from walras.agents import Agent
from walras.simulation.faults import Crash, Faults
from walras.simulation.latency import Constant, Uniform
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.testing.broken import broken

NAMES = ("p0", "p1", "p2", "p3")
WISHES = ("a", "b", "c")


def group(seed: int = 1, primary: type[Replica] = Replica, **settings: Any) -> Simulation:
    simulation = Simulation(seed=seed, **settings)
    for k, name in enumerate(NAMES):
        simulation.add(Agent(name))
        simulation.seat(name, (primary if k == 0 else Replica)(NAMES))
    simulation.add(Agent("client"))
    simulation.seat("client", Client(NAMES, WISHES))
    simulation.run(until=15.0)
    return simulation


def executed(simulation: Simulation, *names: str) -> list[list[str]]:
    roles: list[Any] = [simulation.role("bare/1", name) for name in names]
    return [[request.what for request in role.done] for role in roles]


def agree(logs: list[list[str]]) -> bool:
    return all(a[: len(b)] == b[: len(a)] for a in logs for b in logs)


def test_four_honest_replicas_execute_everything_in_order() -> None:
    simulation = group()
    assert executed(simulation, *NAMES) == [list(WISHES)] * 4
    assert simulation.role("bare/1", "client").results == ["did a", "did b", "did c"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(10))
def test_losses_and_crashes_of_backups_cost_no_agreement(seed: int) -> None:
    faults = Faults((Crash("p2", 0.5 + 0.1 * seed, 2.0), Crash("p1", 4.0, 1.0)), fsync=Constant(0.02))
    network = Network(latency=Uniform(0.01, 0.3), loss=0.1, duplication=0.3, reordering=0.3)
    simulation = group(seed, network=network, faults=faults)
    logs = executed(simulation, *NAMES)
    assert agree(logs), logs
    assert len(simulation.role("bare/1", "client").results) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("check", [False, True])
def test_a_primary_with_two_tongues_divides_nobody(check: bool) -> None:
    logs = executed(group(primary=TwoTongued, check=check), *NAMES[1:])
    assert agree(logs), logs


def test_if_quotations_were_not_verified_it_would_divide_them() -> None:
    """Counter-check: true names for quoted messages are what agreement rests on."""
    with broken("quoted_signatures_verified"):
        logs = executed(group(primary=TwoTongued), *NAMES[1:])
    assert not agree(logs), logs
