"""The simulator behind the harness of `check_runtime`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from walras.accounts import Ledger
from walras.agents import Agent, Strategy
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol
from walras.testing.kills import Point, watch_points
from walras.testing.runtime import Conditions

if TYPE_CHECKING:
    from walras.simulation.simulation import Simulation

_FOREVER_S = 1e12


class SimulatedRuntime:
    """One simulation, made when it is run.

    Args:
        conditions: the world of the scene.
        guarded: use the world for faults even where none is asked for; it keeps the same promises on another path.
    """

    unit_s = 1.0
    can = frozenset(
        {"crash", "kill", "pause", "skew", "lose", "double", "delay", "slow disk", "exact time", "digest"}
    )

    def __init__(self, conditions: Conditions, guarded: bool = False) -> None:
        self.conditions = conditions
        self.guarded = guarded
        self._faults: list[Any] = []
        self._kills: list[Any] = []
        self._steps: list[Callable[[Simulation], object]] = []
        self._points: list[Point] = []
        self._simulation: Simulation | None = None

    # ------------------------------------------------------------------ before the run
    def mind(self, strategy: Strategy, takes_s: float) -> Mapping[str, Any]:
        return {"strategy": strategy, "deliberation_s": min(takes_s, _FOREVER_S)}

    def add(self, agent: Agent) -> None:
        self._steps.append(lambda simulation: simulation.add(agent))

    def seat(self, agent: AgentId, role: Protocol, conversation: ConversationId, finish_by: float) -> None:
        self._steps.append(lambda simulation: simulation.seat(agent, role, conversation, finish_by))

    def open(
        self, mechanism: Mechanism, items: Iterable[Item], opener: AgentId, participants: Iterable[AgentId],
        at: float, finish_by: float,
    ) -> None:  # fmt: skip
        self._steps.append(
            lambda simulation: simulation.open(
                mechanism, items, opener, participants, at=at, finish_by=finish_by
            )
        )

    def crash(self, agent: AgentId, at: float, down_s: float) -> None:
        from walras.simulation.faults import Crash

        self._faults.append(Crash(agent, at, down_s))

    def pause(self, agent: AgentId, at: float, for_s: float) -> None:
        from walras.simulation.faults import Pause

        self._faults.append(Pause(agent, at, for_s))

    def kill(
        self, conversation: ConversationId, agent: AgentId, input: int, effect: int, down_s: float
    ) -> None:
        from walras.simulation.faults import KillAt

        self._kills.append(KillAt(conversation, agent, input, effect, down_s))

    # ------------------------------------------------------------------ the run
    def run(self, until: float) -> None:
        simulation = self._simulation = self._make()
        for step in self._steps:
            step(simulation)
        simulation.world.on_drop = lambda talk: None  # the scene lasts as long as it was asked to
        simulation.run(until=until)

    def _make(self) -> Simulation:
        from walras.simulation.faults import Faults, Skew
        from walras.simulation.latency import Constant
        from walras.simulation.network import Network
        from walras.simulation.simulation import Simulation

        asked, unit_s = self.conditions, self.unit_s
        skews = [Skew(agent, ahead * unit_s) for agent, ahead in asked.skew.items()]
        return Simulation(
            seed=asked.seed,
            network=Network(
                latency=Constant(asked.latency * unit_s),
                loss=asked.loss,
                duplication=asked.duplication,
                lifetime_s=asked.lifetime * unit_s,
            ),
            faults=Faults(
                (*skews, *self._faults), fsync=Constant(asked.fsync * unit_s), kill_at=tuple(self._kills)
            ),
            check=self.guarded,
            monitors=(watch_points(self._points),) if self._kills else (),
        )

    # ------------------------------------------------------------------ after the run
    @property
    def simulation(self) -> Simulation:
        assert self._simulation is not None, "it has not been run yet"
        return self._simulation

    def role(self, conversation: ConversationId, agent: AgentId) -> Protocol | None:
        port = self.simulation.world.seats_of.get(conversation, {}).get(agent)
        return port.role if port is not None else None

    def points(self) -> list[Point]:
        return self._points

    @property
    def ledger(self) -> Ledger:
        return self.simulation.world.ledger

    @property
    def outcomes(self) -> Mapping[ConversationId, str]:
        return {id_: outcome.status for id_, outcome in self.simulation.world.outcomes.items()}

    @property
    def awards(self) -> list[tuple[ConversationId, str]]:
        return [(conversation, line.item) for conversation, line in self.simulation.world.awards]

    def remembered(self) -> list[ConversationId]:
        return list(self.simulation.world.book)

    def unfinished(self) -> list[tuple[ConversationId, AgentId]]:
        seats = self.simulation.world.seats_of
        return [(talk, id_) for talk, ports in seats.items() for id_, port in ports.items() if not port.ended]

    @property
    def digest(self) -> str:
        return self.simulation.world.trace.digest


def guarded_runtime(conditions: Conditions) -> SimulatedRuntime:
    """The same simulator on its other path: every input passes the gate that faulty worlds use."""
    return SimulatedRuntime(conditions, guarded=True)
