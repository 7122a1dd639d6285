"""What an operator sees of a simulated world."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import fsum
from typing import TYPE_CHECKING

from walras.agents import Agent, Estimate
from walras.items import Task
from walras.messages import AgentId

if TYPE_CHECKING:
    from walras.simulation.world import World


class Market:
    """Public estimates and present loads (`walras.agents.MarketView`)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agents: dict[AgentId, Agent] = {}

    @property
    def agents(self) -> Mapping[AgentId, Agent]:
        """Everybody in the market, by id."""
        hosts = self._world.hosts
        if len(self._agents) != len(hosts):  # somebody has come since; nobody ever goes
            self._agents = {id_: host.blueprint for id_, host in hosts.items()}
        return self._agents

    def estimate(self, agent: AgentId, task: Task) -> Estimate | None:
        """What is publicly known of an agent and a task."""
        instance = self._world.instance
        return (
            instance.estimate(agent, task)
            if instance is not None
            else self._world.host(agent).blueprint.claim(task)
        )

    def load(self, agent: AgentId) -> int:
        """How many tasks the agent is working on or has queued, right now."""
        return self._world.host(agent).worker.load

    def worth(self, agent: AgentId, task: Task) -> float | None:
        """What the announcer may expect to gain: a queue is taken to move on at the pace of this task."""
        estimate = self.estimate(agent, task)
        if estimate is None:
            return None
        worker = self._world.host(agent).worker
        ahead = max(0, worker.load - worker.capacity + 1)
        return self._worth(task, estimate, ahead * estimate.seconds / max(1, worker.capacity))

    def _worth(self, task: Task, estimate: Estimate, wait_s: float) -> float:
        instance = self._world.instance
        return instance.worth(task, estimate, wait_s) if instance is not None else -estimate.cost

    @cached_property
    def best_single(self) -> AgentId | None:
        """The agent that can do the most tasks of the run, of equals the one with the highest total worth."""
        instance = self._world.instance
        items = (
            [item for arrival in instance.arrivals for item in arrival.items] if instance is not None else []
        )
        tasks = [item for item in items if isinstance(item, Task)]
        totals: dict[AgentId, tuple[int, float]] = {}
        for id_ in sorted(self._world.hosts):
            known = [(task, found) for task in tasks if (found := self.estimate(id_, task)) is not None]
            if self._world.hosts[id_].blueprint.capacity > 0 and known:
                worth = fsum(self._worth(task, estimate, 0.0) for task, estimate in known)
                totals[id_] = (len(known), worth)
        return max(totals, key=totals.__getitem__, default=None)
