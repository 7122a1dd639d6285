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
    waiting: dict[Any, Any] = {}  # lines without a request, idle for longest first, and when to hang up

    class Line(http):  # type: ignore[misc]  # an optional package
        """One connection."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.wait_for_request()
            if len(self.connections) >= most:
                _drop_one(waiting)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.wait_for_request()

        def connection_lost(self, error: Exception | None) -> None:
            self.stop_waiting()
            super().connection_lost(error)

        def wait_for_request(self) -> None:
            """For so long, and no longer."""
            self.stop_waiting()
            waiting[self] = self.loop.call_later(READ_WITHIN_S, self.drop)

        def stop_waiting(self) -> None:
            """For whatever reason."""
            timer = waiting.pop(self, None)
            if timer is not None:
                timer.cancel()

        def drop(self) -> bool:
            """Hang up, unless a request is under way, or a WebSocket has been opened (and perhaps ended meanwhile)."""
            self.stop_waiting()
            now = self.transport.get_protocol()
            if now is self:
                idle = self.cycle is None or self.cycle.response_complete
            else:
                idle = now is not None and not now.handshake_complete
            if idle:
                self.transport.abort()
            return bool(idle)

    return Line


def _drop_one(waiting: dict[Any, Any]) -> None:
    """Hang up the line that has been idle for longest."""
    for line in list(waiting):
        if line.drop():
            return
