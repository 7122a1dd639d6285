"""The book of conversations: who is seated in each, and when its memory is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walras.allocation import Outcome
from walras.items import Item
from walras.messages import AgentId, ConversationId
from walras.simulation.clock import DEADLINE

if TYPE_CHECKING:
    from walras.mechanism import Mechanism
    from walras.simulation.port import Port
    from walras.simulation.world import World


class Conversation:
    """One conversation: its rules, its seats (a port for every agent that has joined), and its end.

    Life: it is opened; its opener ends (at `finish_by` at the latest, then overdue); at `finish_by` plus the time
    that messages may linger, roles that still wait are expired; once nobody is live and nothing can still be on its
    way, the conversation is dropped. What reaches it later is ignored, and it is never reborn.
    """

    __slots__ = (
        "deputies",
        "drop_at",
        "dropped",
        "expired",
        "finish_by",
        "id",
        "items",
        "live",
        "mechanism",
        "opener",
        "openers",
        "outcome",
        "parent",
        "participants",
        "seats",
        "world",
    )

    def __init__(
        self,
        world: World,
        id_: ConversationId,
        mechanism: Mechanism | None,
        items: tuple[Item, ...],
        opener: AgentId,
        finish_by: float,
    ) -> None:
        self.world = world
        self.id = id_
        self.mechanism = mechanism
        self.items = items
        self.opener = opener
        self.deputies: tuple[AgentId, ...] = mechanism.deputies() if mechanism is not None else ()
        self.openers: tuple[AgentId, ...] = self.deputies or (opener,)
        """Who plays the opener's role."""
        self.finish_by = finish_by
        self.participants: tuple[AgentId, ...] = ()
        self.parent: Port | None = None
        self.seats: dict[AgentId, Port] = {}
        self.live = 0
        self.outcome: Outcome | None = None
        self.expired = False
        self.dropped = False
        self.drop_at = 0.0

    def role_ended(self, port: Port, outcome: Outcome) -> None:
        """The opener, or the last role, has ended: tell the parent, and let the conversation go when nobody is left."""
        world = self.world
        if self.outcome is None and port.me in self.openers:
            self.outcome = outcome
            world.opener_ended(self, outcome)
        if self.live == 0:
            self.drop_at = world.clock._now + world.linger_s
            world.clock.call_at(self.drop_at, DEADLINE, _drop, self)

    def overdue(self) -> None:
        """`finish_by` has come: its opener has had its time."""
        if self.outcome is None:
            for port in self.at_the_opening():
                for child, live in (port.children or {}).items():
                    if live:
                        self.world.cancel(child)
                port.expel(Outcome("overdue"))
        if self.live:
            self.expire_soon()

    def at_the_opening(self) -> list[Port]:
        """The ports of all who play the opener's role and have not ended."""
        ports = [self.seats[agent] for agent in self.openers if agent in self.seats]
        return [port for port in ports if not port.ended]

    def expire_soon(self) -> None:
        """Once nothing that is now on its way can still arrive, roles that still wait are ended."""
        self.world.clock.call_at(self.world.clock._now + self.world.linger_s, DEADLINE, _expire, self)

    @property
    def over(self) -> bool:
        """Whether its time is up: `finish_by` has passed, or, where there is none, its opener has ended."""
        endless = self.finish_by == float("inf")
        return self.outcome is not None if endless else self.finish_by <= self.world.clock._now

    def expire_role(self, port: Port) -> None:
        """Nothing can reach this role any more: end it, unless it still has work or children to wait for."""
        if not port.ended and not port.busy:
            port.expel(Outcome("expired"))


def overdue(talk: Conversation) -> None:
    """The deadline entry of a conversation."""
    if talk.dropped:
        talk.world.dead_entries -= 1
    else:
        talk.overdue()


def _expire(talk: Conversation) -> None:
    talk.expired = True
    for port in list(talk.seats.values()):
        talk.expire_role(port)


def _drop(talk: Conversation) -> None:
    world = talk.world
    if talk.live or world.clock._now < talk.drop_at or talk.id not in world.book:
        return  # somebody has joined meanwhile
    del world.book[talk.id], world.seats_of[talk.id]
    if world.guarded:
        for port in talk.seats.values():
            port.forget()
    for port in talk.seats.values():
        port.role = None  # a dead timer in the heap would keep it alive through its port
    talk.seats.clear()
    talk.dropped = True
    if world.clock._now < talk.finish_by < float("inf"):
        world.bury()  # its deadline waits in the heap, perhaps for long
    world.conversation_dropped(talk)
