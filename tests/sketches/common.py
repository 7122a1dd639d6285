"""What every sketch must leave behind, whatever went wrong."""

from collections import Counter

from walras.simulation.simulation import Simulation


def settled(simulation: Simulation, where: object = "") -> None:
    """One outcome for every conversation, no role left open, nothing awarded twice, money conserved and none stuck."""
    world = simulation.world
    missing = [
        conversation for conversation in simulation.conversations if conversation not in world.outcomes
    ]
    assert not missing, f"{where}: no outcome of {missing}"
    left = [
        f"{me} in {talk}"
        for talk, seats in world.seats_of.items()
        for me, port in seats.items()
        if not port.ended
    ]
    assert not left, f"{where}: {left} never ended"
    awards = Counter((talk, line.item, line.winner) for talk, line in world.awards if line.seller is None)
    assert all(count == 1 for count in awards.values()), f"{where}: awarded twice: {awards}"
    items = Counter((talk, line.item) for talk, line in world.awards if line.seller is None)
    assert all(count == 1 for count in items.values()), f"{where}: awarded to two: {items}"
    assert world.ledger.conserved(), f"{where}: money was not conserved"
    stuck = [name for name in world.ledger.balances() if name not in world.hosts]
    assert not stuck, f"{where}: money is stuck in {stuck}"
    assert world.ledger.overcommitments == 0, f"{where}: somebody paid what it did not have"
