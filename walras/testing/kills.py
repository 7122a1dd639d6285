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
    simulate: Callable[..., Simulation],
    agents: tuple[AgentId, ...] | None = None,
    down_s: float = 1.0,
    most: int | None = None,
    until: float | None = None,
) -> list[KillAt]:
    """Every place between two effects of an undisturbed run.

    Args:
        simulate: makes a simulation that is ready to run, and passes its keyword arguments (``monitors``, ``faults``)
            on to `Simulation`.
        agents: whose machines are killed; None: everybody's.
        down_s: how long the machine is down after each kill.
        most: at most so many places, spread evenly over the run.
        until: horizon of the run, for simulations that do not end by themselves.
    """
    from walras.simulation.faults import KillAt

    found: list[Point] = []
    simulate(monitors=(watch_points(found),)).run(until)
    points = [
        KillAt(point.conversation, point.agent, point.input, effect, down_s)
        for point in found
        if agents is None or point.agent in agents
        for effect in range(1, point.effects + 2)
    ]
    if most is None or len(points) <= most:
        return points
    return [points[k * len(points) // most] for k in range(most)]


def kill_everywhere(
    simulate: Callable[..., Simulation], *, until: float | None = None, **settings: Any
) -> Iterator[tuple[KillAt, Simulation]]:
    """Run a simulation once for every kill point, and yield each with its kill; arguments as in `kill_points`."""
    from walras.simulation.faults import Faults

    for point in kill_points(simulate, until=until, **settings):
        simulation = simulate(faults=Faults(kill_at=(point,)))
        simulation.run(until)
        yield point, simulation
