"""Small markets: who values what, and what becomes of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from walras import Agent, Result, Simulation
from walras.items import Item
from walras.mechanism import Mechanism

HOUSE = "house"


def market(
    mechanism: Mechanism,
    items: Sequence[Item],
    values: Mapping[str, Mapping[str, float]] | None = None,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    *,
    money: float = 100.0,
    strategies: Mapping[str, Any] | None = None,
    finish_by: float = 60.0,
    seed: int = 0,
    **settings: Any,
) -> Simulation:
    """A house that opens one conversation about these items with everybody who values or can do something."""
    simulation = Simulation(seed=seed, check=True, **settings)
    simulation.add(Agent(HOUSE, capacity=0, money=1000.0))
    values, costs, strategies = values or {}, costs or {}, strategies or {}
    for name in dict.fromkeys([*values, *costs]):
        agent = Agent(
            name, strategies.get(name), values=values.get(name, {}), costs=costs.get(name), money=money
        )
        simulation.add(agent)
    simulation.open(mechanism, items, opener=HOUSE, finish_by=finish_by)
    return simulation


def play(*args: Any, **settings: Any) -> Result:
    """Run a `market`; money is conserved, and nothing is left in escrow."""
    simulation = market(*args, **settings)
    result = simulation.run()
    assert simulation.world.ledger.conserved()
    assert not [name for name in result.balances if name.startswith(("escrow:", "bond:"))]
    return result


def ignored(result: Result) -> list[str]:
    """Why messages were ignored, in order."""
    return [row.details["why"] for row in result.trace if row.kind == "ignored"]


def sent(result: Result, kind: type) -> list[tuple[float, str, Any]]:
    """When, by whom and what: the messages of a type, in the order in which they were sent."""
    rows = [row for row in result.trace if row.kind in ("message", "broadcast")]
    return [
        (row.at, row.agent, row.details["message"])
        for row in rows
        if row.details["message"]["type"] == kind.__name__
    ]
