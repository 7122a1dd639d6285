"""Sketch 3: a role that never ends recovers without replaying its whole past, and nobody overdraws."""

from typing import Any

import pytest

from tests.sketches.order_book import Order, Released, Trader, Venue, simulate
from walras.effects import MakeAward
from walras.simulation.faults import Crash, Faults
from walras.simulation.network import Network, Uniform
from walras.testing import Script, check_protocol


def unlost(simulation: Any) -> Venue:
    ledger = simulation.world.ledger
    assert ledger.conserved()
    assert ledger.overcommitments == 0, "a trader paid what it did not have"
    venue: Venue = simulation.role("venue/1", "venue")
    assert len(simulation.world.awards) == venue.trades > 10
    return venue


@pytest.mark.parametrize("seed", range(8))
def test_traders_come_and_trade_without_an_end(seed: int) -> None:
    simulation = simulate(
        seed, network=Network(latency=Uniform(0.01, 0.8), loss=0.05, duplication=0.2, reordering=0.2)
    )
    simulation.run(until=40.0)
    venue = unlost(simulation)
    assert len(venue.last) == 5  # doubles cost one number for each trader, and no more


@pytest.mark.parametrize("seed", range(4))
def test_a_venue_that_crashes_goes_on_from_a_copy(seed: int) -> None:
    crashes = tuple(Crash("venue", 8.0 * k, 0.4) for k in (1, 2, 3, 4))
    simulation = simulate(seed, faults=Faults((*crashes, Crash("t1", 15.0, 2.0))))
    simulation.run(until=40.0)
    unlost(simulation)
    journal = simulation.world.seats_of["venue/1"]["venue"].journal  # type: ignore[attr-defined]
    assert 0 < len(journal) <= 64, "the journal of an endless role grows without bounds"


def test_a_run_goes_on_after_a_horizon() -> None:
    whole, halves = simulate(3), simulate(3)
    whole.run(until=20.0)
    halves.run(until=7.0)
    halves.run(until=20.0)
    assert whole.role("venue/1", "venue") == halves.role("venue/1", "venue")


def test_venue_and_trader_are_proper_roles() -> None:
    orders = [
        ("hear", "ann", Order(1, "sell", 5.0)),
        ("hear", "ben", Order(1, "buy", 6.0)),
        ("hear", "ann", Order(2, "buy", 1.0)),
    ]
    effects = check_protocol(lambda: Venue("wheat"), [("start",), *orders], me="venue", ends=False)
    lines = [effect.line for effect in effects if isinstance(effect, MakeAward)]
    assert [(line.winner, line.seller, line.price) for line in lines] == [("ben", "ann", 5.0)]


def test_a_trader_frees_only_what_the_book_has_released() -> None:
    script = Script(Trader("venue", 1.0), "ann")
    script.start()
    for number in (1, 2, 3):
        script.timer("next")
        script.decided(f"order {number}", Order(number, "buy", 2.0))
    assert [effect.name for effect in script.hear("venue", Released(2))] == ["order 1", "order 2"]  # type: ignore[attr-defined]
    assert script.state()["bound"] == [3]
