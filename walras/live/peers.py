"""Agents whose roles live in other processes: what is on its way to them, and what has come from them.

A message to such an agent stays in the outbox until its process says that it is durable there; whoever carries
messages (`Link`) sends them again after every break of the line. A message that has come twice is heard once. Each
process has a ledger of its own: an award is posted where the opener of its conversation lives.
"""

from __future__ import annotations

import typing
from math import inf
from typing import TYPE_CHECKING, Any

from walras.live.agenda import DELIVERY
from walras.live.conversation import Conversation, Opening
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Envelope, Message
from walras.trace.rows import MESSAGE

if TYPE_CHECKING:
    from walras.live.port import Port
    from walras.live.runtime import Runtime

MOST_REMEMBERED = 4096
"""How many conversations are remembered before those that can no longer matter are dropped."""


class Link(typing.Protocol):
    """Carries messages between processes. What it is given may be lost; it asks for it again with `Peers.outbox`."""

    def send(self, number: int, envelope: Envelope) -> None:
        """Carry a message to the process of its recipient."""

    def acknowledge(self, origin: str, number: int) -> None:
        """Tell a process that its message of this number is durable here."""


class Peers:
    """The outbox, the memory of what has come, and the mechanisms that strangers may open conversations by."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.link: Link | None = None
        self.protocols: dict[str, Mechanism] = {}
        self.number = 0
        self._outbox: dict[int, Envelope] = {}
        self._heard: dict[tuple[str, int], float] = {}
        self._over: dict[ConversationId, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "link": None}

    # ------------------------------------------------------------------ out
    def send(self, port: Port, to: AgentId, message: Message) -> None:
        """Put a message into the outbox; it leaves when its cause is durable."""
        self.number += 1
        talk = port.talk
        protocol = talk.mechanism.protocol if talk.mechanism is not None else ""
        envelope = Envelope(talk.id, protocol, port.me, to, message, self.runtime.now, talk.finish_by)
        self._outbox[self.number] = envelope
        self.runtime.agenda.outward(self._carry, self.number, envelope)

    def _carry(self, number: int, envelope: Envelope) -> None:
        if self.link is not None:
            self.link.send(number, envelope)

    def outbox(self) -> list[tuple[int, Envelope]]:
        """What no process has said to have, in order, and durable; what is too old to be heard anywhere is lost."""
        journal = self.runtime.agenda.journal
        if journal is not None:
            journal.commit()
        oldest = self.runtime.agenda.clock() - self.runtime.lifetime_s
        for number in [number for number, envelope in self._outbox.items() if envelope.sent < oldest]:
            self.refused(number, "too old")
        return [(number, envelope) for number, envelope in self._outbox.items() if envelope.sent >= oldest]

    def addressee(self, number: int) -> AgentId | None:
        """To whom a message in the outbox is; None if there is none."""
        envelope = self._outbox.get(number)
        return envelope.to if envelope is not None else None

    def acknowledged(self, number: int) -> None:
        """The recipient's process has a message of ours."""
        if number in self._outbox:
            self.runtime.agenda.submit(DELIVERY, self.take_acknowledgement, number)

    def take_acknowledgement(self, number: int) -> None:
        """A message of ours is durable where it was sent."""
        self._outbox.pop(number, None)

    def refused(self, number: int, why: str) -> None:
        """A message of ours cannot be carried in time, or its recipient's process does not take it: it is lost, and why."""
        if number in self._outbox:
            self.runtime.agenda.submit(DELIVERY, self.take_refusal, number, why)

    def take_refusal(self, number: int, why: str) -> None:
        """A message of ours is lost."""
        lost = self._outbox.pop(number, None)
        if lost is not None:
            talk = self.runtime.book.get(lost.conversation) or lost.conversation
            self.runtime.note(talk, "lost", lost.sender, lost.to, lost.message, why)

    # ------------------------------------------------------------------ in
    def misspoke(self, process: str, conversation: ConversationId, shown: str, why: str) -> None:
        """Another process has said something that no agent of ours can be given."""
        self.runtime.agenda.submit(DELIVERY, self.take_nonsense, process, conversation, shown, why)

    def take_nonsense(self, process: str, conversation: ConversationId, shown: str, why: str) -> None:
        """What cannot be given to anybody is ignored."""
        self.runtime.note(self.runtime.book.get(conversation) or conversation, "ignored", process, shown, why)

    def arrived(self, origin: str, number: int, envelope: Envelope) -> None:
        """A message has come from another process, under that process's number for it."""
        self.runtime.agenda.submit(DELIVERY, self.take_message, origin, number, envelope)

    def take_message(self, origin: str, number: int, envelope: Envelope) -> None:
        """A message from another process is heard, once."""
        runtime = self.runtime
        runtime.agenda.outward(self._acknowledge, origin, number)
        if (origin, number) in self._heard:
            return
        while self._heard and next(iter(self._heard.values())) < runtime.now:  # the oldest come first
            del self._heard[next(iter(self._heard))]
        self._heard[origin, number] = runtime.now + 2 * runtime.lifetime_s
        e = envelope
        if (
            e.conversation not in runtime.book
            and e.protocol in self.protocols
            and e.conversation not in self._over
        ):
            opening = Opening(e.conversation, self.protocols[e.protocol], finish_by=e.finish_by)
            runtime.enter(opening)
        talk = runtime.book.get(e.conversation)
        runtime.agenda.serial += 1  # each message of a trace has a number of its own
        row = (runtime.now, MESSAGE, runtime.agenda.serial, e.conversation, e.sender, e.to, e.message, e.sent)
        runtime.onlookers.add_row(row, talk.run if talk is not None else None)
        runtime.deliver(e.conversation, e.sender, e.to, e.message, e.sent)

    def _acknowledge(self, origin: str, number: int) -> None:
        if self.link is not None:
            self.link.acknowledge(origin, number)

    def conversation_over(self, talk: Conversation) -> None:
        """A conversation that was opened elsewhere has been dropped: it is not to be born again."""
        if not talk.opener and talk.mechanism is not None:
            now = self.runtime.now
            self._over[talk.id] = (
                inf if talk.finish_by == inf else max(now, talk.finish_by) + self.runtime.lifetime_s
            )
            _trim(self._over, now)

    # ------------------------------------------------------------------ who and what
    def take_absentee(self, agent: AgentId, money: float, capacity: int) -> None:
        """An agent takes part whose roles live in another process; its account for what is opened here is here."""
        self.runtime.take_agent(agent, money, capacity)
        self.runtime.hosts[agent].away = True

    def take_protocol(self, mechanism: Mechanism) -> None:
        """Other processes may open conversations by this mechanism."""
        self.protocols[mechanism.protocol] = mechanism


def _trim(remembered: dict[Any, float], now: float) -> None:
    if len(remembered) > MOST_REMEMBERED:
        for key in [key for key, until in remembered.items() if until < now]:
            del remembered[key]
