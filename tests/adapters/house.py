"""One file of user code: a sealed-bid auction among whatever minds there are, in simulation and live."""

from collections.abc import Mapping
from typing import Any

from auctions import SealedBid, second_price
from walras.agents import Agent
from walras.items import Lot
from walras.live import Guard, Live
from walras.results import Result
from walras.simulation import Simulation

RULES = SealedBid(second_price, reply_within_s=120.0)
LOT = Lot("job-1")


def simulated(minds: Mapping[str, Any]) -> Result:
    simulation = Simulation(seed=1)
    simulation.add(Agent("house", capacity=0))
    for name, mind in minds.items():
        simulation.add(Agent(name, mind))
    simulation.open(RULES, [LOT], "house", finish_by=180.0)
    return simulation.run()


async def live(minds: Mapping[str, Any], guard: Guard | None = None) -> Result:
    async with Live(guard=guard, seed=1) as market:
        for name, mind in minds.items():
            market.add(Agent(name, mind))
        return await market.run(RULES, [LOT], within_s=180.0)
