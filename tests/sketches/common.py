"""What every sketch must leave behind, whatever went wrong."""

from collections import Counter

from walras.simulation.simulation import Simulation


def unsettled(simulation: Simulation) -> list[str]:
    """What is amiss: a conversation without its outcome, an open role, a double award, money lost or stuck."""
    world = simulation.world
    faults = [f"no outcome of {talk}" for talk in simulation.conversations if talk not in world.outcomes]
    faults += [
        f"{me} in {talk} never ended"
        for talk, seats in world.seats_of.items()
        for me, port in seats.items()
        if not port.ended
    ]
    bought = [(talk, line) for talk, line in world.awards if line.seller is None]
    awards = Counter((talk, line.item, line.winner) for talk, line in bought)
    faults += [f"{award} is awarded {count} times" for award, count in awards.items() if count > 1]
    items = Counter((talk, line.item) for talk, line in bought)
    faults += [f"{item} is awarded to {count}" for item, count in items.items() if count > 1]
    if not world.ledger.conserved():
        faults.append("money is not conserved")
    faults += [f"money is stuck in {name}" for name in world.ledger.balances() if name not in world.hosts]
    if world.ledger.overcommitments:
        faults.append("somebody paid what it did not have")
    return faults
