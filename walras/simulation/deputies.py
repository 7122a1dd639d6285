"""Several play one role: the deputies of an opener, and the children that each of them opens, which are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walras.allocation import Outcome
from walras.errors import LocalProtocolError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.simulation.clock import DELIVERY

if TYPE_CHECKING:
    from walras.simulation.port import Port


def open_together(
    port: Port, child: ConversationId, mechanism: Mechanism, items: tuple[Item, ...], participants: tuple[AgentId, ...],
    finish_by: float,
) -> None:  # fmt: skip
    """A deputy opens a child: the first deputy does, the others take their seats in it, or are told how it has ended."""
    world, children = port.world, port.children
    assert children is not None
    if port.me not in mechanism.deputies():
        raise LocalProtocolError(
            f"{port.me} opens {child} for {port.acts_for}; expected a mechanism of which it is a deputy, too"
        )
    ended = world.came_to.get(child)
    children[child] = ended is None
    if ended is not None:
        world.clock.call_at(world.clock._now, DELIVERY, _tell, (port, child, ended))
    elif child not in world.book:
        world.open(child, mechanism, items, port.acts_for, participants, finish_by, parent=port)
    elif port.me not in world.book[child].seats:
        world.seat_opener(world.book[child], port.me)


def _tell(ended: tuple[Port, ConversationId, Outcome]) -> None:
    port, child, outcome = ended
    if not port.ended:
        port.enter("on_outcome", child, outcome)
