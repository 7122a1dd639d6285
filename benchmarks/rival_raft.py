"""PySyncObj beside our Raft: the same commands, in one process, over its own TCP connections on the loopback interface.

It is an optional rival: without the package `committed_per_s` gives None. What the two sides do differs: ours simulates
the network and keeps a trace of it, PySyncObj talks through real sockets and sends batches at most every so often. So the
figure is CPU time of this process for a command that all replicas have applied, and no more than that.
"""

import socket
import time
from typing import Any


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def committed_per_s(replicas: int, commands: int, window: int) -> float | None:
    """Commands applied by all replicas per second of CPU time; None if PySyncObj is not installed.

    Args:
        replicas: in this process, ticked in turn.
        commands: how many to replicate.
        window: how many may be on their way.
    """
    try:
        from pysyncobj import SyncObj, SyncObjConf, replicated  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None

    class Store(SyncObj):  # type: ignore[misc,unused-ignore]
        def __init__(self, me: str, others: list[str]) -> None:
            conf = SyncObjConf(autoTick=False, commandsQueueSize=10 * window, appendEntriesPeriod=0.01)
            super().__init__(me, others, conf)
            self.values: dict[str, str] = {}
            self.applied = 0

        @replicated  # type: ignore[untyped-decorator,unused-ignore]
        def put(self, key: str, value: str) -> None:
            self.values[key] = value
            self.applied += 1

    addresses = [f"127.0.0.1:{port}" for port in free_ports(replicas)]
    stores = [Store(me, [other for other in addresses if other != me]) for me in addresses]
    try:
        return _measure(stores, commands, window)
    finally:
        for store in stores:
            store.destroy()
        for store in stores:
            store.doTick(0.0)  # which closes its connections


def _tick(stores: list[Any], done: Any, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end, "PySyncObj makes no progress"
        for store in stores:
            store.doTick(0.0)


def _measure(stores: list[Any], commands: int, window: int) -> float:
    _tick(stores, lambda: all(store.isReady() for store in stores), 30.0)
    leader = next(store for store in stores if store._isLeader())
    acknowledged = 0

    def on_done(result: Any, error: Any) -> None:
        nonlocal acknowledged
        acknowledged += 1

    sent = 0
    started = time.process_time()
    while acknowledged < commands:
        while sent < commands and sent - acknowledged < window:
            leader.put(f"k{sent % 100}", "value", callback=on_done)
            sent += 1
        before = acknowledged
        _tick(stores, lambda before=before: acknowledged > before, 30.0)
    _tick(stores, lambda: all(store.applied == commands for store in stores), 30.0)
    return commands / (time.process_time() - started)
