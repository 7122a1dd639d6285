"""Sketch 6: a replicated auctioneer survives its leader; the lot is sold once, whoever leads."""

from typing import Any

import pytest

from tests.sketches.raft import LOG, Replica
from tests.sketches.replicated import Bidder, Copy, House
from walras.agents import Agent
from walras.protocol import Protocol
from walras.randomness import stream
from walras.simulation.faults import Crash, Faults
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation

COPIES, BIDDERS = ("h0", "h1", "h2"), ("ann", "ben", "cyd")


def auction(seed: int, **settings: Any) -> Simulation:
    simulation = Simulation(seed=seed, **settings)
    simulation.add(Agent("house"))
    for name in COPIES:
        simulation.add(Agent(name))
        simulation.seat(name, Replica(tuple(peer for peer in COPIES if peer != name)), LOG)
        simulation.seat(name, Copy(House("lot", BIDDERS), "house"), "market")
    for k, name in enumerate(BIDDERS):
        simulation.add(Agent(name, money=10.0))
        simulation.seat(name, Bidder(COPIES, 4.0 + k), "market")
    simulation.run(until=18.0)
    return simulation


def assert_sold_once(simulation: Simulation, where: str = "") -> None:
    world = simulation.world
    assert len(world.awards) == 1, f"{where}: sold {len(world.awards)} times"
    (_, line), *_ = world.awards
    assert world.ledger.conserved()
    assert world.ledger.balances()["house"] == float("inf")
    assert world.ledger.account(str(line.winner)).balance == 10.0 - line.price
    told = {repr(role(simulation, name).won) for name in BIDDERS}
    assert told == {repr(line)}, f"{where}: bidders were told {told}"
    left = [name for name in COPIES if not world.seats_of["market"][name].ended]
    assert not left, f"{where}: {left} have not finished"


def role(simulation: Simulation, name: str) -> Any:
    found: Protocol = simulation.world.seats_of["market"][name].role
    return found


def test_three_copies_sell_as_one_would() -> None:
    simulation = auction(1)
    assert_sold_once(simulation)
    assert simulation.world.awards[0][1].price == 5.0


def stormy(seed: int) -> dict[str, Any]:
    rng = stream(seed, "crashes")
    crashes = [Crash(rng.choice(COPIES), 0.7 + 0.9 * k, 0.3 + 0.5 * rng.random()) for k in range(12)]
    return {
        "faults": Faults(tuple(crashes), fsync=Constant(0.01)),
        "network": Network(duplication=0.2, reordering=0.2),
    }


@pytest.mark.parametrize("seed", range(14))
def test_it_is_sold_once_whatever_becomes_of_its_leaders(seed: int) -> None:
    assert_sold_once(auction(seed, **stormy(seed)), f"seed {seed}")


def after_the_leader_has_sold() -> Simulation:
    """Its machine stops when the award is out, and before the others know that it is."""
    sale = next(row for row in auction(1).world.trace if row.kind == "award")
    return auction(1, faults=Faults((Crash(sale.agent, sale.at + 0.03, 2.0),)))


def test_a_leader_that_has_sold_is_not_repeated_by_the_next() -> None:
    assert_sold_once(after_the_leader_has_sold())


def test_without_one_name_for_an_award_it_would_be_sold_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counter-check: the ledger drops the doubles of a fail-over by the name of the effect."""
    award = Copy.award
    monkeypatch.setattr(Copy, "award", lambda self, line, key="": award(self, line))
    assert len(after_the_leader_has_sold().world.awards) == 2
