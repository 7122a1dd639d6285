"""An OpenAI-compatible server on this machine, for tests: deterministic, and with faults on demand.

It serves chat completions, responses (both plain and streamed) and the list of models, fills any JSON schema from a
hash of model and prompt, and calls the tool that it is made to call. It notices when a client does not wait for a slow
answer: such a call is logged with the status 499. What goes wrong is in the name of the model::

    bidder                   answers
    bidder+429:2             is too busy twice, then answers; 500 and 503 likewise; without a number, always
    bidder+slow:0.5          takes half a second
    bidder+malformed:1       once a reply that is JSON and breaks the schema; without a number, always
    bidder+prose             chats, whatever was asked for
    bidder+refusing          refuses
    bidder+calling           calls a tool that nobody has offered
    bidder+ringing           calls the first tool that is offered, again and again
    bidder+oversized         answers with ten million characters
    bidder+slow:0.1+503:1    several faults, from left to right

``python -m walras.testing.loopback --port 8000`` runs it as a program, for market files and for clients in any language.
"""

import argparse
import json
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from walras.testing.filling import fill
from walras.testing.loopback_replies import Said, chat, chat_stream, response, response_stream
from walras.testing.scripted import candid

PORT = 8000
"""Where the program listens unless it is told otherwise."""

OVERSIZED = 10_000_000
HUNG_UP = 499
_LOOK_S = 0.02
_PROSE = (
    "What an interesting question! I would have to think about that for a while. It depends, as so often."
)

Mind = Callable[[str, Any], Any]
"""Answers in place of the filler: from the prompt and the schema (None: none was asked for) to a value, or to text."""


class Call(NamedTuple):
    """One request, as it arrived."""

    path: str
    model: str
    schema_type: str
    strict: bool | None
    tools: tuple[str, ...]
    tool_choice: Any
    stream: bool
    prompt: str
    user_agent: str
    idempotency_key: str
    most_tokens: int | None
    """Of the answer, as far as the request says so."""
    status: int
    """As it was answered; `HUNG_UP` if nobody waited for that."""
    connection: int
    """The client's port: calls of one connection have the same."""


class Loopback:
    """The server, as a context manager; `url` is what clients take as their base URL.

    Args:
        mind: answers in place of the filler, such as `walras.testing.candid`.
        key: what clients have to send as their API key; None: anything will do.
        port: where it listens on this machine; 0: anywhere that is free.

    Raises:
        OSError: if the port is taken.

    Examples:
        >>> from urllib.request import urlopen
        >>> with Loopback() as server:
        ...     json.load(urlopen(server.url + "/models"))["data"][0]["id"]
        'loopback'
    """

    def __init__(self, mind: Mind | None = None, key: str | None = None, port: int = 0) -> None:
        self.mind, self.key = mind, key
        self.calls: list[Call] = []
        self.closing = threading.Event()
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, with ``/v1``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, model: str) -> list[Call]:
        """The requests for one model, in their order."""
        return [call for call in self.calls if call.model == model]

    def log(self, call: Call) -> None:
        """Keep a request."""
        with self._lock:
            self.calls.append(call)

    def due(self, model: str, fault: str, times: str) -> bool:
        """Whether a fault befalls this request; counts those that it has befallen."""
        if not times:
            return True
        with self._lock:
            count = self._counts[model, fault] = self._counts.get((model, fault), 0) + 1
        return count <= int(times)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # a whole market may ask at once
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up when they have had enough of waiting; that is no news."""


class _Fault(Exception):  # noqa: N818  # a fault on demand
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            return self.fail(404, f"no such path: {self.path}")
        models = [{"id": "loopback", "object": "model", "created": 0, "owned_by": "walras"}]
        return self.reply(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        loopback = self.server.loopback
        if self.path not in ("/v1/chat/completions", "/v1/responses"):
            return self.fail(404, f"no such path: {self.path}")
        if loopback.key is not None and self.headers.get("Authorization") != f"Bearer {loopback.key}":
            return self.fail(401, "incorrect API key provided")
        try:
            asked = _Asked(self.path, json.loads(raw))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self.fail(400, f"not a request: {error!r}")
        try:
            said = self.said(asked)
        except _Fault as fault:
            self.log(asked, fault.status)
            if fault.status == HUNG_UP:
                self.close_connection = True
                return None
            return self.fail(fault.status, str(fault))
        self.log(asked, 200)
        if asked.stream:
            make = chat_stream if asked.chat else response_stream
            return self.stream(make(asked.model, asked.prompt, said))
        return self.reply(200, (chat if asked.chat else response)(asked.model, asked.prompt, said))

    def said(self, asked: "_Asked") -> Said:
        """What the model comes to, its faults included."""
        broken = False
        for fault, _, argument in (part.partition(":") for part in asked.model.split("+")[1:]):
            if fault == "slow":
                self.ponder(float(argument or 60.0))
            elif not self.server.loopback.due(asked.model, fault, argument):
                continue
            elif fault == "malformed":
                broken = True
            elif fault == "prose":
                return Said(_PROSE)
            elif fault == "calling":
                return Said("{}", tool="delete_everything")
            elif fault == "ringing":
                for tool, schema in asked.tools.items():
                    return Said(json.dumps(fill(schema, asked.model)), tool=tool)
            elif fault == "refusing":
                return Said(refusal="I cannot help with that.")
            elif fault == "oversized":
                return Said(json.dumps({"text": "x" * OVERSIZED}))
            elif fault.isdecimal():
                raise _Fault(int(fault), "as was asked for")
            else:
                raise _Fault(404, f"the model {asked.model!r} does not exist: {fault} is no fault")
        text = json.dumps({"unexpected": [True]}) if broken else self.answer(asked)
        return Said(text, tool=asked.tool)

    def ponder(self, seconds: float) -> None:
        """Take some time, unless the client hangs up meanwhile."""
        for _ in range(max(1, round(seconds / _LOOK_S))):
            if self.server.loopback.closing.wait(_LOOK_S):
                return
            if select.select((self.connection,), (), (), 0)[0] and not self.peek():
                raise _Fault(HUNG_UP, "nobody waits for it")

    def peek(self) -> bytes:
        """What the client has sent meanwhile; nothing: it has closed the connection."""
        try:
            return bytes(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return b""

    def answer(self, asked: "_Asked") -> str:
        """What a model without faults says."""
        schema, mind = asked.schema, self.server.loopback.mind
        if mind is not None:
            found = mind(asked.prompt, schema)
        else:
            found = (
                fill(schema, f"{asked.model.split('+', 1)[0]}\n{asked.prompt}")
                if schema is not None
                else {"ok": True}
            )
        return found if isinstance(found, str) else json.dumps(found)

    def log(self, asked: "_Asked", status: int) -> None:
        """Keep what was asked and how it went."""
        self.server.loopback.log(
            Call(
                self.path, asked.model, asked.schema_type, asked.strict, tuple(asked.tools), asked.tool_choice, asked.stream,
                asked.prompt, self.headers.get("User-Agent", ""), self.headers.get("Idempotency-Key", ""),
                asked.most_tokens, status, self.client_address[1],
            )
        )  # fmt: skip

    def fail(self, status: int, message: str) -> None:
        """An error in the provider's shape."""
        self.reply(status, {"error": {"message": message, "type": "loopback", "param": None, "code": None}})

    def reply(self, status: int, body: Any) -> None:
        """A whole body."""
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(raw)

    def stream(self, events: Iterable[str]) -> None:
        """Server-sent events, until the connection is closed."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(event.encode())
        self.close_connection = True


class _Asked:
    """A request of either interface, in one form."""

    def __init__(self, path: str, body: dict[str, Any]) -> None:
        self.chat = path.endswith("/chat/completions")
        if not isinstance(body["model"], str):
            raise TypeError("the name of a model is a string")
        self.model: str = body["model"]
        self.stream = bool(body.get("stream"))
        caps = (body.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
        self.most_tokens: int | None = next((cap for cap in caps if cap is not None), None)
        turns = body["messages"] if self.chat else [body.get("instructions") or "", body["input"]]
        self.prompt = "\n".join(_texts(turns))
        wanted = body.get("response_format") if self.chat else (body.get("text") or {}).get("format")
        self.schema_type: str = (wanted or {}).get("type", "")
        form = ((wanted or {}).get("json_schema") if self.chat else wanted) or {}
        self.strict: bool | None = form.get("strict")
        functions = [t.get("function", t) for t in body.get("tools") or () if t.get("type") == "function"]
        self.tools = {function["name"]: function.get("parameters") or {} for function in functions}
        self.tool_choice = body.get("tool_choice")
        self.tool = self._tool(_answered(turns))
        self.schema = self.tools[self.tool] if self.tool else form.get("schema")

    def _tool(self, answered: bool) -> str:
        """The tool to be called: the one that is forced, or the first that is offered and has not been answered."""
        choice = self.tool_choice
        if isinstance(choice, dict):
            return str(choice.get("function", choice)["name"])
        if not self.tools or choice == "none" or (answered and choice != "required"):
            return ""
        first: str = next(iter(self.tools))
        return first


def _texts(turns: Any) -> Iterable[str]:
    """All text of a conversation, in its order."""
    if isinstance(turns, str):
        yield turns
    elif isinstance(turns, list):
        for turn in turns:
            yield from _texts(turn)
    elif isinstance(turns, dict):
        yield from _texts(turns.get("content", turns.get("text", turns.get("output", ""))))


def _answered(turns: Any) -> bool:
    return any(
        isinstance(turn, dict) and (turn.get("role") == "tool" or turn.get("type") == "function_call_output")
        for part in turns
        for turn in (part if isinstance(part, list) else [part])
    )


class _Shown(Loopback):
    """Says who has called, and keeps nothing."""

    def log(self, call: Call) -> None:
        print(call.status, call.model, call.path, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until Ctrl-C. Exit code 2: it cannot listen there."""
    parser = argparse.ArgumentParser(
        "python -m walras.testing.loopback",
        description="An OpenAI-compatible server on this machine. Its models bid what an item is worth to them, or would cost "
        "them; any key will do. A model's name may ask for faults: bidder+429:2 is too busy twice, bidder+slow:5, bidder+prose.",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"0: anywhere that is free (default: {PORT})")
    port = parser.parse_args(arguments).port
    try:
        with _Shown(candid, port=port) as server:
            print(f"listening at {server.url}, until Ctrl-C", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError) as error:
        print(f"port is {port}; expected one that is free ({error}), or 0 for any", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
