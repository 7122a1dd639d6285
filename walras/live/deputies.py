"""Several play one role: the deputies of an opener, the roles that they lean on, and the children that they open as one."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from walras.agents import Agent
from walras.errors import LocalProtocolError
from walras.live.agenda import DELIVERY
from walras.mechanism import Mechanism
from walras.messages import AgentId

if TYPE_CHECKING:
    from walras.live.conversation import Opening
    from walras.live.port import Port
    from walras.live.runtime import Runtime


def provide(runtime: Runtime, mechanism: Mechanism) -> None:
    """Make sure that the deputies of a mechanism are in this market, and the roles that it leans on."""
    for agent in mechanism.deputies():
        _at_home(runtime, agent)
    for agent, conversation, role in mechanism.services():
        _at_home(runtime, agent)
        runtime.seat_bare(agent, role, conversation, inf)


def _at_home(runtime: Runtime, agent: AgentId) -> None:
    host = runtime.hosts.get(agent)
    if host is None or (host.agent is None and not host.away):
        runtime.add(Agent(agent, money=0.0, capacity=0, operator=True))


def open_together(port: Port, opening: Opening) -> None:
    """A deputy opens a child: the first one does, the others take their seats in it, or are told how it has ended."""
    runtime, child, mechanism = port.runtime, opening.id, opening.mechanism
    assert mechanism is not None
    if port.me not in mechanism.deputies():
        raise LocalProtocolError(
            f"{port.me} opens {child} for {port.acts_for}; expected a mechanism of which it is a deputy, too"
        )
    ended = runtime.came_to.get(child)
    if ended is not None:
        runtime.agenda.post(runtime.now, DELIVERY, port.child_ended, child, ended)
    elif child not in runtime.book:
        runtime.open_child(opening, port)
    elif port.me not in runtime.book[child].seats:
        runtime.seat_opener(runtime.book[child], port.me)
    port.children[child] = True
