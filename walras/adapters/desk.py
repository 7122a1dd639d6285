"""A mind that comes to the market's desk to be asked: over HTTP, WebSocket, MCP or A2A, in any language."""

from typing import Any

from walras.live.answers import ONE_CALL, Usage
from walras.live.desk import Desk, a_desk
from walras.live.participant import Ask, Participant


class AtDesk(Participant):
    """``Agent("ada", AtDesk(desk))``: whoever shows ada's pass (``desk.token("ada")``) answers for her.

    Nobody has to be there when the question is asked; it waits at the desk until its time is over.

    Args:
        desk: of the market, which an edge such as `walras.adapters.http.http_app` opens to the outside.

    Raises:
        ScenarioError: for what is no desk.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = a_desk(desk)

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    async def answer(self, ask: Ask) -> Any:
        return await self.desk.ask(ask)
