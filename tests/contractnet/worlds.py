"""Small worlds with chosen roles: who plays well, who plays foul, and somebody who may cancel it all."""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

from contractnet import ContractNet, Manager
from walras import Agent, Arrival, Estimate, Instance, Network, Result, Scenario, Simulation, Task
from walras.items import Item
from walras.mechanism import Mechanism
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


class Errand(Mechanism, frozen=True):
    """Opens a conversation by rules of its own, and may lose interest in it."""

    rules: ContractNet
    cancel_at: float
    protocol: ClassVar[str] = "x-errand"

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        return Boss(self, items, participants)


class Boss(Protocol):
    """Its part ends with the conversation that it has opened, with the same outcome."""

    errand: Errand
    items: tuple[Item, ...]
    participants: tuple[AgentId, ...]
    child: ConversationId = ""

    def on_start(self) -> None:
        self.child = self.open(self.errand.rules, self.items, self.participants, self.finish_by - 1.0)
        self.set_timer("cancel", self.errand.cancel_at)

    def on_timer(self, name: Any) -> None:
        self.cancel(self.child)

    def on_outcome(self, conversation: ConversationId, outcome: Any) -> None:
        self.finish(outcome)


class Small(Scenario, frozen=True, kw_only=True):
    """One conversation of ``m`` with agents whose costs are the same for all tasks; None: cannot do any."""

    name: ClassVar[str] = "small"

    costs: dict[AgentId, float | None]
    tasks: tuple[Task, ...] = (Task("t"),)
    seconds: float = 3.0
    capacity: int = 1
    finish_by: float = 60.0

    def draw(self, seed: int) -> Instance:
        agents = [Agent("m", capacity=0, money=MONEY)]
        for agent, cost in self.costs.items():
            knows = None if cost is None else _same_for_all(Estimate(cost, seconds=self.seconds))
            agents.append(Agent(agent, costs=knows, capacity=self.capacity, money=0.0))
        return Instance(agents, [Arrival(0.0, self.tasks, "m", tuple(self.costs), self.finish_by)], seed=seed)


def simulate(
    mechanism: ContractNet,
    costs: Mapping[AgentId, float | None],
    *,
    cancel_at: float = inf,
    seed: int = 0,
    network: Network | None = None,
    faults: Faults | None = None,
    check: bool = True,
    **settings: Any,
) -> Result:
    """A small world, which may be cancelled by whoever wanted it."""
    opened: Mechanism = mechanism if cancel_at == inf else Errand(mechanism, cancel_at)
    scenario = Small(costs=dict(costs), **settings)
    return Simulation(scenario, opened, seed, network=network, faults=faults, check=check).run()


def _same_for_all(estimate: Estimate) -> Any:
    return lambda task: estimate
