"""What the tests of the open edges share: a market with a desk, served on this machine, and a plain HTTP client."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from walras.adapters.a2a import Heard
from walras.adapters.desk import AtDesk
from walras.adapters.edge import Listening
from walras.agents import Agent
from walras.live.desk import Desk
from walras.live.feed import DeskRules
from walras.live.live import Live
from walras.live.passes import Passes

SECRET = b"of the edges' own tests"
BRISK = DeskRules(per_s=1000, burst=1000)


@contextlib.asynccontextmanager
async def house(*agents: str, rules: DeskRules = BRISK, **settings: Any) -> AsyncIterator[Desk]:
    """A market with a desk, and agents whose minds come to it."""
    async with Live(seed=7, **settings) as market:
        desk = Desk(market, SECRET, name="spot", rules=rules)
        for agent in agents:
            market.add(Agent(agent, AtDesk(desk)))
        yield desk


@contextlib.asynccontextmanager
async def served(desk: Desk, app: Callable[[Desk], Any]) -> AsyncIterator[str]:
    """The address of a desk's app."""
    pytest.importorskip("uvicorn")
    async with Listening(app(desk), most_bytes=desk.rules.most_bytes) as at:
        yield at.url


class Said(dict[str, Any]):
    """JSON that came back, with its status and headers."""

    status: int
    headers: Mapping[str, str]


def _call(url: str, token: str | None, body: Any, headers: Mapping[str, str], method: str | None) -> Said:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = Request(
        url, data, {**({"Authorization": f"Bearer {token}"} if token is not None else {}), **headers}
    )
    if method is not None:
        request.method = method
    try:
        response = urlopen(request, timeout=20)
    except HTTPError as error:
        response = error
    with response:
        said = Said(json.loads(response.read() or b"{}"))
        said.status, said.headers = response.status, dict(response.headers.items())
        return said


async def call(
    url: str,
    token: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] = {},
    method: str | None = None,
) -> Said:
    """One request."""
    return await asyncio.to_thread(_call, url, token, body, headers, method)


def expired(agent: str) -> str:
    """A token that is over."""
    return Passes(SECRET, "spot", wall=lambda: 0.0).issue(agent, lasts_s=1.0)


async def until(seen: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait until something is there."""
    async with asyncio.timeout(within_s):
        while not (found := seen()):
            await asyncio.sleep(0.005)
    return found


async def say(
    url: str, token: str, body: Any, binding: str = "JSONRPC", context: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What the SDK's own client hears: states, data and errors."""
    sdk, types = pytest.importorskip("a2a.client"), pytest.importorskip("a2a.types")
    helpers, httpx = pytest.importorskip("a2a.helpers"), pytest.importorskip("httpx")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20) as lines:
        config = sdk.ClientConfig(
            httpx_client=lines,
            streaming=True,
            supported_protocol_bindings=[binding],
            use_client_preference=True,
        )
        client = await sdk.create_client(url, config)
        message = helpers.new_data_message(body, role=types.Role.ROLE_USER, context_id=context)
        try:
            async for event in client.send_message(types.SendMessageRequest(message=message)):
                heard = Heard(types)
                heard.take(event)
                yield {"state": heard.state, "data": heard.data, "task": heard.task, "error": ""}
        except sdk.A2AClientError as error:
            yield {"state": "", "data": None, "task": "", "error": f"{error}"}
        except pytest.importorskip("a2a.utils.errors").A2AError as error:
            yield {"state": "", "data": None, "task": "", "error": f"{error}"}
