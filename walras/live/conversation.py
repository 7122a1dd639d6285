"""The conversations of a live market: who is seated in each, how they end, when their memory is given back."""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING

import msgspec

from walras.allocation import Outcome
from walras.items import Item
from walras.live.agenda import DEADLINE
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Envelope
from walras.protocol import Protocol

if TYPE_CHECKING:
    from walras.live.port import Port
    from walras.live.runs import Run
    from walras.live.runtime import Runtime

log = logging.getLogger("walras.live")


class Opening(msgspec.Struct, frozen=True):
    """What a conversation begins with. `mechanism` None: its roles are seated by hand, or by peers."""

    id: ConversationId
    mechanism: Mechanism | None
    items: tuple[Item, ...] = ()
    opener: AgentId = ""
    participants: tuple[AgentId, ...] = ()
    finish_by: float = inf


class Conversation:
    """One conversation: its rules, its seats, and its end.

    Its opener ends (at `finish_by` at the latest, then overdue); a message's lifetime after that, roles that still wait
    are expired; once nobody is live and nothing can still arrive it is dropped. What reaches it later is ignored.
    """

    def __init__(self, runtime: Runtime, opening: Opening, parent: Port | None, run: Run | None) -> None:
        self.runtime = runtime
        self.opening = opening
        self.id, self.mechanism, self.items = opening.id, opening.mechanism, opening.items
        self.opener, self.finish_by = opening.opener, opening.finish_by
        self.deputies = opening.mechanism.deputies() if opening.mechanism is not None else ()
        self.openers: tuple[AgentId, ...] = self.deputies or (self.opener,)
        """Who plays the opener's role."""
        self.parent = parent
        self.run = run
        self.seats: dict[AgentId, Port] = {}
        self.live = 0
        self.outcome: Outcome | None = None
        self.expired = False
        self.deadline = runtime.agenda.post(self.finish_by, DEADLINE, self.overdue)

    def __repr__(self) -> str:
        return f"<conversation {self.id} of {', '.join(self.seats)}>"

    @property
    def over(self) -> bool:
        """Whether its time is up: `finish_by` has passed, or, where there is none, its opener has ended."""
        return self.outcome is not None if self.finish_by == inf else self.finish_by <= self.runtime.now

    def at_the_opening(self) -> list[Port]:
        """The ports of all who play the opener's role and have not ended."""
        ports = [self.seats[agent] for agent in self.openers if agent in self.seats]
        return [port for port in ports if not port.ended]

    def joining(self, agent: AgentId, invitation: Envelope | None) -> Protocol | None:
        """The role of a newcomer; None: it is turned away."""
        try:
            return self.mechanism.join(agent, invitation) if self.mechanism is not None else None
        except Exception:  # a mechanism may be a user's: nobody joins by it, and the market goes on
            log.exception("%s cannot join %s", agent, self.id)
            return None

    def role_ended(self, port: Port, outcome: Outcome) -> None:
        """A role has ended: its opener's outcome is the conversation's, and the last one lets it go."""
        self.live -= 1
        runtime = self.runtime
        if port.me in self.openers and self.outcome is None:
            self.outcome = outcome
            runtime.opener_ended(self, outcome)
            if self.finish_by == inf and self.live:
                self.expire_soon()
        if not self.live:
            runtime.agenda.post(runtime.now + runtime.lifetime_s, DEADLINE, self.drop)
        if self.run is not None:
            self.run.role_ended()

    def overdue(self) -> None:
        """`finish_by` has come: its opener has had its time."""
        if self.outcome is None:
            for port in self.at_the_opening():
                for child, live in port.children.items():
                    if live:
                        self.runtime.cancel(child)
                port.end(Outcome("overdue"))
        if self.live:
            self.expire_soon()

    def expire_soon(self) -> None:
        """Once nothing that is now on its way can still arrive, roles that still wait are ended."""
        self.runtime.agenda.post(self.runtime.now + self.runtime.lifetime_s, DEADLINE, self.expire)

    def expire(self) -> None:
        """End the roles that still wait."""
        self.expired = True
        for port in tuple(self.seats.values()):
            self.expire_role(port)

    def expire_role(self, port: Port) -> None:
        """Nothing can reach this role any more: end it, unless it still has work or children to wait for."""
        if self.expired and not port.ended and not port.busy:
            port.end(Outcome("expired"))

    def drop(self) -> None:
        """Give its memory back, unless somebody has joined meanwhile."""
        if not self.live:
            self.deadline.call_off()
            self.runtime.forget(self)
