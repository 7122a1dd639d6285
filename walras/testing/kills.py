"""Killing a machine between any two effects: where that is possible, and a simulation for each such point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from walras.messages import AgentId, ConversationId

if TYPE_CHECKING:
    from walras.simulation.faults import KillAt
    from walras.simulation.simulation import Simulation


class Point(NamedTuple):
    """One input of a role, and how many effects it had."""

    conversation: ConversationId
    agent: AgentId
    input: int
    effects: int


def watch_points(found: list[Point]) -> Callable[[Any], None]:
    """A monitor of a simulation that notes every input of every role, with the number of its effects."""
    last: dict[tuple[ConversationId, AgentId], int] = {}

    def watch(world: Any) -> None:
        for conversation, seats in world.seats_of.items():
            for agent, port in seats.items():
                if port.input > last.get((conversation, agent), 0):
                    last[conversation, agent] = port.input
                    found.append(Point(conversation, agent, port.input, port.effect))

    return watch


def kill_points(
    simulate: Callable[..., Simulation], agents: tuple[AgentId, ...] | None = None, down_s: float = 1.0
) -> list[KillAt]:
    """Every place between two effects of an undisturbed run, at all agents or at these.

    Parameters:
        simulate: makes a simulation that is ready to run, and passes its keyword arguments (``monitors``, ``faults``)
            on to `Simulation`.
        down_s: how long the machine is down after each kill.
    """
    from walras.simulation.faults import KillAt

    found: list[Point] = []
    simulate(monitors=(watch_points(found),)).run()
    return [
        KillAt(point.conversation, point.agent, point.input, effect, down_s)
        for point in found
        if agents is None or point.agent in agents
        for effect in range(1, point.effects + 2)
    ]


def kill_everywhere(
    simulate: Callable[..., Simulation],
    agents: tuple[AgentId, ...] | None = None,
    down_s: float = 1.0,
    most: int | None = None,
) -> Iterator[tuple[KillAt, Simulation]]:
    """Run a simulation once for every kill point, and yield each with its kill; see `kill_points`.

    With `most`, only so many points, spread evenly over the run.
    """
    from walras.simulation.faults import Faults

    points = kill_points(simulate, agents, down_s)
    if most is not None and len(points) > most:
        points = [points[k * len(points) // most] for k in range(most)]
    for point in points:
        simulation = simulate(faults=Faults(kill_at=(point,)))
        simulation.run()
        yield point, simulation
