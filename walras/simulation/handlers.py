"""The handlers of a role's messages, where a clock finds them: a plain dict for each role class, filled on first use."""

from __future__ import annotations

from typing import Any

from walras.messages import AgentId, can_quote
from walras.protocol import Handler, HandlerTable, Protocol


def _hear_late(role: Protocol, sender: AgentId, message: Any) -> None:
    role.on_late(sender, message)


FORGED = "a signature is false"


class Handlers:
    """What a clock finds the handler of a message in: a plain dict, which is the fastest, filled on first use.

    A message that can quote others has its signatures looked at before it is handled. Which messages can is worked out
    once per class, so the others cost nothing.
    """

    def __init__(self, entered: HandlerTable, role_class: type[Protocol] = Protocol) -> None:
        self.entered = entered
        self.starts = role_class.on_start is not Protocol.on_start
        """Whether a newcomer's first call does anything."""
        self.known: dict[type, Handler] = {}

    def learn(self, message_type: type) -> Handler:
        """Find the handler for messages of a class that has not come before."""
        handler = self.known[message_type] = self._verified(message_type)
        return handler

    def _verified(self, message_type: type) -> Handler:
        handler = self.entered[message_type]
        if not can_quote(message_type):
            return handler

        def handle(role: Protocol, sender: AgentId, message: Any) -> None:
            port: Any = role._port
            if port.world.verified(message):
                handler(role, sender, message)
            else:
                port.note("ignored", message, FORGED)

        return handle


HANDLERS: dict[type[Protocol], Handlers] = {}
"""What `handlers_of` has worked out."""

LATE = Handlers(HandlerTable({}, _hear_late))
OVER = LATE.known
"""The handlers of every finished role: all it hears goes to `on_late`."""


def handlers_of(role_class: type[Protocol]) -> Handlers:
    """The handlers of a role class in worlds without faults, where messages go straight from the clock to them."""
    found = HANDLERS.get(role_class)
    if found is None:
        found = HANDLERS[role_class] = Handlers(role_class.message_handlers, role_class)
    return found
