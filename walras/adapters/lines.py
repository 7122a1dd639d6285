"""Connections to an edge of a market: one that never comes to the point is dropped, so that it keeps nobody else out."""

from __future__ import annotations

from typing import Any

from walras.live.extras import needed

READ_WITHIN_S = 10.0
"""How long a caller may take to send the head of its request, and again to send its body."""


def lines(most: int) -> type[Any]:
    """Uvicorn's HTTP protocol, with limits; a class for each server.

    Uvicorn itself waits without end for the head of a request, and turns everybody away when it has enough connections.

    Args:
        most: how many connections may be open; for one more, the one that has been idle for longest is dropped.

    Raises:
        MissingExtraError: if uvicorn is not installed.
    """
    http: Any = needed("uvicorn.protocols.http.h11_impl", "http").H11Protocol
    idle: dict[Any, Any] = {}

    class Line(http):  # type: ignore[misc]  # an optional package
        """One connection."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.wait_for_request()
            if len(self.connections) >= most:
                _drop_one(idle)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.wait_for_request()

        def connection_lost(self, error: Exception | None) -> None:
            idle.pop(self, None)
            super().connection_lost(error)

        def wait_for_request(self) -> None:
            """From now on the line is idle, until there is a request other than the last."""
            idle.pop(self, None)
            idle[self] = self.cycle
            self.loop.call_later(READ_WITHIN_S, self.drop, self.cycle)

        def drop(self, last: Any) -> bool:
            """Hang up, if no request has come since the last, nor the handshake of a WebSocket."""
            now = self.transport.get_protocol()
            idling = self.cycle is last if now is self else not now.handshake_complete
            if idling:
                self.transport.abort()
            return idling

    return Line


def _drop_one(idle: dict[Any, Any]) -> None:
    """Hang up the line that has been idle for longest."""
    for line, last in list(idle.items()):
        del idle[line]
        if line.drop(last):
            return
