"""What a population shows, as JSON: run here and, as a program, on another Python with another generation of Mesa."""

import json
from typing import Any

import mesa

from tests.simulation.worlds import RULES, Errands
from walras import Simulation
from walras.simulation import Population


def look() -> dict[str, Any]:
    """Run a market under a population's eyes and say what it saw."""
    simulation = Simulation(Errands(tasks=4, every_s=2.0, seconds=3.0), RULES, seed=3)
    population = Population(simulation)
    before = {agent.id: agent.load for agent in population.agents}
    population.collect_every(1.0)
    result = simulation.run()
    agents = population.agents
    frame = population.to_pandas()
    return {
        "mesa": mesa.__version__,
        "digest": result.digest,
        "before": before,
        "workers": sorted(agent.id for agent in agents.select(lambda agent: agent.capacity > 0)),
        "busiest": next(iter(agents.sort("busy_s", ascending=False))).id,
        "groups": sorted((capacity, len(group)) for capacity, group in agents.groupby("capacity")),
        "earned": agents.agg("earned", sum),
        "balances": {agent.id: agent.balance for agent in agents},
        "blueprint": next(agent for agent in agents if agent.id == "bob").blueprint.costs.estimate.cost,
        "columns": list(frame.columns),
        "times": sorted(set(frame["time_s"])),
        "busy": frame[frame["agent"] == "bob"]["busy_s"].tolist(),
        "load": frame[frame["agent"] == "bob"]["load"].tolist(),
        "rows": len(frame),
    }


if __name__ == "__main__":
    print(json.dumps(look()))
