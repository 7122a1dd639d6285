"""Sketch 2: the account, not the strategy, prevents overcommitment."""

import pytest

from tests.sketches.clock_auction import Bidder, Clock, Gone, House, In, Out, Price, simulate
from tests.sketches.common import unsettled
from walras.allocation import Award
from walras.effects import Decide, MakeAward, Withdraw
from walras.simulation.network import Network, Uniform
from walras.testing import Script, check_protocol
from walras.testing.broken import broken


def test_three_lots_are_sold_to_purses_that_can_pay() -> None:
    simulation = simulate(wild=0)
    result = simulation.run()
    assert not unsettled(simulation)
    assert {line.item for line in result.allocation.lines} == {"lot1", "lot2", "lot3"}
    assert result.allocation["lot1"].winner == "b3"


@pytest.mark.parametrize("wild", [1, 4])
def test_a_reckless_bidder_cannot_spend_what_it_has_not(wild: int) -> None:
    for seed in range(20):
        simulation = simulate(
            seed, wild, network=Network(latency=Uniform(0.0, 0.6), loss=0.1, duplication=0.2)
        )
        simulation.run()
        assert not unsettled(simulation), f"seed {seed}"
        purses = simulation.world.ledger.balances()
        assert all(purses[f"b{k}"] >= 0 for k in range(4)), purses


def test_without_the_promise_somebody_overdraws() -> None:
    """Counter-check: it is the account that keeps a reckless bidder's purse from running dry."""
    with broken("unfunded_answer_is_otherwise"):
        simulation = simulate(wild=1)
        simulation.run()
    assert simulation.world.ledger.overcommitments > 0


def test_a_pass_keeps_the_earlier_bid_and_the_hammer_releases_it() -> None:
    script = Script(Bidder("house"), "b0", finish_by=60.0)
    script.start()
    script.hear("house", Price("lot1", 1, 2.0, 1.0, 60.0))
    script.decided("lot1", In("lot1", 1))
    effects = script.hear("house", Price("lot1", 2, 4.0, 2.0, 60.0))
    assert [type(effect) for effect in effects] == [Decide]  # and no Withdraw: round 1 may still win
    script.decided("lot1", Out("lot1", 2))
    assert Withdraw("lot1") in script.hear("house", Gone(Award("lot1", "b0", 2.0)))


def test_house_and_bidder_are_proper_roles() -> None:
    effects = check_protocol(
        lambda: House(Clock(), ("ann", "ben"), {"lot1": ["ann", "ben"]}),
        [("start",), ("hear", "ann", In("lot1", 1)), ("hear", "ben", In("lot1", 1)), ("hear", "ben", Out("lot1", 2)),
         ("at", 9.0)],
        me="house", finish_by=60.0,
    )  # fmt: skip
    assert [effect.line.price for effect in effects if isinstance(effect, MakeAward)] == [2.0]
    check_protocol(
        lambda: Bidder("house"),
        [("start",), ("hear", "house", Price("lot1", 1, 2.0, 1.0, 60.0)), ("decided", "lot1", In("lot1", 1)),
         ("hear", "house", Gone(Award("lot1", "b0", 2.0))), ("at", 60.0)],
        finish_by=60.0,
    )  # fmt: skip
