"""A Mesa view of a running simulation: its agents as a population to select, group, aggregate and record.

Mesa is the language of populations here, never of time: nothing in this view makes the clock advance. It works with
Mesa 3.3, which Python 3.11 gets, and with later ones, whose event interfaces differ and are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import mesa

from walras.errors import ScenarioError
from walras.simulation.clock import LOOK
from walras.simulation.hosts import Host
from walras.simulation.simulation import Simulation

if TYPE_CHECKING:
    import pandas

Reporter = Callable[["SimulatedAgent"], Any]


class SimulatedAgent(mesa.Agent):  # type: ignore[misc]  # Mesa is untyped
    """One agent of a simulation, as it is at this moment. Reading it never changes the run."""

    def __init__(self, population: Population, host: Host) -> None:
        super().__init__(population)
        self._host = host
        self.id = host.id

    @property
    def capacity(self) -> int:
        """How many tasks it works on at the same time."""
        return self._host.blueprint.capacity

    @property
    def load(self) -> int:
        """Tasks that it is working on or has queued."""
        return self._host.worker.load

    @property
    def busy_s(self) -> float:
        """Seconds of work until now, added over its slots."""
        return self._host.worker.busy_s

    @property
    def earned(self) -> float:
        """Money received so far, in the run's currency."""
        return float(self._host.account.received)

    @property
    def balance(self) -> float:
        """Money that it has now, in the run's currency; infinite with unlimited credit."""
        return self._host.account.balance

    @property
    def blueprint(self) -> Any:
        """Its private type, as the scenario drew it."""
        return self._host.blueprint


class Population(mesa.Model):  # type: ignore[misc]  # Mesa is untyped
    """The agents of a simulation as Mesa's `AgentSet`, with a `DataCollector`.

    Args:
        simulation: the simulation to look at, before or while it runs.
        reporters: columns to collect, functions of a `SimulatedAgent`; None: load, busy_s and earned.

    Examples:
        >>> from contractnet import ContractNet
        >>> from scenarios import llm_router
        >>> simulation = Simulation(llm_router(tasks=5), ContractNet(), seed=7)
        >>> population = Population(simulation)
        >>> len(population.agents.select(lambda agent: agent.capacity > 0))
        19
    """

    def __init__(self, simulation: Simulation, reporters: Mapping[str, Reporter] | None = None) -> None:
        super().__init__(rng=simulation.seed)
        self.step = self.run_model  # newer versions of Mesa wrap `step` while they make a model
        self.simulation = simulation
        self._count = 0
        self._at: list[float] = []
        for host in simulation.world.hosts.values():
            SimulatedAgent(self, host)
        columns = reporters or {
            "load": lambda agent: agent.load,
            "busy_s": lambda agent: agent.busy_s,
            "earned": lambda agent: agent.earned,
        }
        self.datacollector = mesa.DataCollector(agent_reporters={"agent": lambda agent: agent.id, **columns})

    def collect(self) -> None:
        """Record every agent as it is now."""
        self._count += 1
        # the collector's row label, which differs between Mesa's versions
        self.steps = self.time = self._count
        self._at.append(self.simulation.now)
        self.datacollector.collect(self)

    def collect_every(self, seconds: float) -> None:
        """Record now and every so many seconds of simulated time, while the simulation runs.

        Raises:
            ScenarioError: for a period that is not positive.
        """
        if not 0 < seconds < float("inf"):
            raise ScenarioError("seconds", seconds, "a finite number above 0")
        self.simulation.env.watch_at(self.simulation.now, LOOK, self._look, seconds)

    def _look(self, seconds: float) -> None:
        self.collect()
        clock = self.simulation.env
        if clock.waiting:  # else nothing will ever happen again
            clock.watch_at(self.simulation.now + seconds, LOOK, self._look, seconds)

    def run_model(self) -> None:
        """Not here, nor `step`: raises `TypeError`, since the simulation keeps the time."""
        raise TypeError("the simulation keeps the time: call simulation.run(), after collect_every(seconds)")

    def to_pandas(self) -> pandas.DataFrame:
        """What was collected, tidy: one row per time and agent; `time_s` is in seconds of simulated time."""
        frame: pandas.DataFrame = self.datacollector.get_agent_vars_dataframe().reset_index()
        label = frame.columns[0]
        frame.insert(0, "time_s", [self._at[int(step) - 1] for step in frame[label]])
        return frame.drop(columns=[label, "AgentID"])
