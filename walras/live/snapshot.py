"""A copy of a market between two inputs, which stands in its journal for all inputs before.

Everything that refers to everything else (ports, conversations, hosts, accounts ...) is written by number, each object
once and by itself: so the copy is as flat as the market is wide, and no chain of conversations is too long for it.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from walras.accounts import AccountBook, Ledger
from walras.live.agenda import Entry
from walras.live.conversation import Conversation
from walras.live.hosts import Host, Job
from walras.live.inquiries import Asked, Inquiries
from walras.live.pickling import StructPickler
from walras.live.port import Port
from walras.live.runs import Run
from walras.live.turnover import Turnover
from walras.trace import Trace

if TYPE_CHECKING:
    from walras.live.runtime import Runtime

_NODES = (Port, Conversation, Host, Job, Asked, Inquiries, Run, Entry, AccountBook, Ledger, Trace)

_KEPT = (
    "hosts",
    "book",
    "runs",
    "opened",
    "inquiries",
    "jobs",
    "numbers",
    "ledger",
    "trace",
    "peers",
    "came_to",
)
"""What a runtime is, beside its agenda."""


def take(runtime: Runtime) -> bytes:
    """The market as bytes.

    Raises:
        Exception: whatever pickle makes of a role whose state is not data.
    """
    found: dict[int, int] = {}
    nodes: list[Any] = []

    class Writer(StructPickler):
        def persistent_id(self, value: Any) -> Any:
            if value is runtime:
                return "runtime"
            if not isinstance(value, _NODES):
                return None
            if id(value) not in found:
                found[id(value)] = len(nodes)
                nodes.append(value)
            return found[id(value)]

    def write(value: Any) -> bytes:
        buffer = io.BytesIO()
        Writer(buffer).dump(value)
        return buffer.getvalue()

    agenda = runtime.agenda
    market = write({name: getattr(runtime, name) for name in _KEPT})
    waiting = write((agenda.now, agenda.serial, agenda.waiting()))
    states = [(type(node), write(node.__getstate__())) for node in nodes]  # more are found on the way
    return pickle.dumps((market, waiting, states))


def restore(runtime: Runtime, copy: bytes) -> None:
    """Make a fresh runtime the market that was copied."""
    market, waiting, states = pickle.loads(copy)
    nodes = [cls.__new__(cls) for cls, _ in states]

    class Reader(pickle.Unpickler):
        def persistent_load(self, number: Any) -> Any:
            return runtime if number == "runtime" else nodes[number]

    def read(data: bytes) -> Any:
        return Reader(io.BytesIO(data)).load()

    for node, (_, state) in zip(nodes, states, strict=True):
        _fill(node, read(state))
    for name, value in read(market).items():
        setattr(runtime, name, value)
    runtime.rows = runtime.trace.rows
    runtime.turnover = Turnover(runtime.ledger)
    agenda = runtime.agenda
    agenda.now, agenda.serial, entries = read(waiting)
    agenda.kept = {entry.serial: entry for entry in entries}


def _fill(node: Any, state: Any) -> None:
    if hasattr(node, "__setstate__"):
        node.__setstate__(state)
        return
    for part in state if isinstance(state, tuple) else (state,):  # a dict, or (dict or None, slots)
        for name, value in (part or {}).items():
            setattr(node, name, value)
