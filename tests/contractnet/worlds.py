"""Small worlds with chosen roles: who plays well, who plays foul, and somebody who may cancel it all."""

from collections.abc import Mapping
from math import inf
from typing import Any

from contractnet import ContractNet, Manager
from walras import Agent, Estimate, Network, Result, Simulation, Task
from walras.items import Item
from walras.messages import AgentId, ConversationId, Envelope
from walras.protocol import Protocol
from walras.simulation import Faults

MONEY = 1000.0
"""What the manager has at the start; contractors have nothing."""


class Cast(ContractNet, frozen=True, kw_only=True):
    """A Contract Net in which chosen agents play roles of the test's own."""

    manager: type[Manager] = Manager
    contractors: tuple[tuple[AgentId, type[Any]], ...] = ()

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        role = super().opener(me, items, participants)
        return self.manager(self, role.task, role.standing) if isinstance(role, Manager) else role

    def join(self, me: AgentId, invitation: Envelope | None) -> Any:
        role = dict(self.contractors).get(me)
        if role is None or invitation is None:
            return super().join(me, invitation)
        return role(self, invitation.sender)


class Boss(Protocol):
    """Has a conversation opened by somebody who may lose interest in it; its own part ends with it."""

    mechanism: ContractNet
    tasks: tuple[Task, ...]
    participants: tuple[AgentId, ...]
    cancel_at: float = inf
    child: ConversationId = ""

    def on_start(self) -> None:
        self.child = self.open(self.mechanism, self.tasks, self.participants, self.finish_by - 1.0)
        if self.cancel_at < inf:
            self.set_timer("cancel", self.cancel_at)

    def on_timer(self, name: Any) -> None:
        self.cancel(self.child)

    def on_outcome(self, conversation: ConversationId, outcome: Any) -> None:
        self.finish(outcome)


def simulate(
    mechanism: ContractNet,
    costs: Mapping[AgentId, float | None],
    *,
    tasks: tuple[Task, ...] = (Task("t"),),
    seconds: float = 3.0,
    capacity: int = 1,
    strategies: Mapping[AgentId, Any] | None = None,
    finish_by: float = 60.0,
    cancel_at: float = inf,
    seed: int = 0,
    network: Network | None = None,
    faults: Faults | None = None,
    check: bool = True,
) -> Result:
    """One conversation of ``m`` about the tasks, whose cancellation at `cancel_at` is the boss's doing."""
    simulation = Simulation(seed=seed, network=network, faults=faults, check=check)
    simulation.add(Agent("m", capacity=0, money=MONEY))
    for agent, cost in costs.items():
        knows = None if cost is None else _same_for_all(Estimate(cost, seconds=seconds))
        strategy = (strategies or {}).get(agent)
        simulation.add(Agent(agent, strategy, costs=knows, capacity=capacity, money=0.0))
    if cancel_at < inf:
        boss = Boss(mechanism, tasks, tuple(costs), cancel_at)
        simulation.seat("m", boss, "boss/1", finish_by)
    else:
        simulation.open(mechanism, tasks, "m", tuple(costs), finish_by=finish_by)
    return simulation.run()


def _same_for_all(estimate: Estimate) -> Any:
    return lambda task: estimate
