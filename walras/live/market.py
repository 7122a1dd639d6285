"""What an operator sees of a live market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from walras.agents import Agent, Estimate
from walras.items import Task
from walras.messages import AgentId

if TYPE_CHECKING:
    from walras.live.runtime import Runtime


class LiveMarket:
    """What agents claim, and their present loads (`walras.agents.MarketView`); nobody knows the true instance."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def agents(self) -> Mapping[AgentId, Agent]:
        """Everybody who is there, by id."""
        return {id_: host.agent for id_, host in self._runtime.hosts.items() if host.agent is not None}

    @property
    def best_single(self) -> AgentId | None:
        """Nobody can know it: the tasks to come are not known."""
        return None

    def estimate(self, agent: AgentId, task: Task) -> Estimate | None:
        """What the agent claims; None too if it is not there."""
        found = self._runtime.host(agent).agent
        return found.claim(task) if found is not None else None

    def load(self, agent: AgentId) -> int:
        """How many tasks the agent is working on or has queued, right now."""
        worker = self._runtime.host(agent).worker
        return len(worker.running) + len(worker.queue)

    def worth(self, agent: AgentId, task: Task) -> float | None:
        """Minus the claimed cost: nothing is known of what time is worth."""
        estimate = self.estimate(agent, task)
        return -estimate.cost if estimate is not None else None
