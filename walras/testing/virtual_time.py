"""An asyncio loop on which time passes only when nothing else can happen: live markets in tests, quick and repeatable."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from math import inf
from typing import Any, TypeVar

T = TypeVar("T")

_GRANULE_S = 0.001


class _Selector(selectors.DefaultSelector):
    """Looks for input without waiting; where the loop would wait, it moves the loop's clock."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop.foreign_work():
            return super().select(min(_GRANULE_S, timeout) if timeout is not None else _GRANULE_S)
        ready = super().select(0)
        if not ready and timeout != 0:
            self.loop.jump()
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock begins at 0 and jumps to the next thing that is due. While a thread works, time stands still.

    Examples:
        >>> async def nap() -> float:
        ...     await asyncio.sleep(3600)
        ...     return asyncio.get_running_loop().time()
        >>> run_virtually(nap())
        3600.0
    """

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self._at = 0.0
        self._threads = 0
        super().__init__(selector)

    def time(self) -> float:
        return self._at

    def jump(self) -> None:
        """Move the clock to what is due next: exactly, since sums of floats would miss it by a rounding."""
        due = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        at = min(due, default=inf)
        if at == inf:
            raise RuntimeError("nothing is left to happen, and somebody still waits")
        self._at = max(self._at, at)

    def block(self, seconds: float) -> None:
        """Let time pass while nobody else has a turn, as a function does that blocks the loop."""
        self._at += seconds

    def foreign_work(self) -> bool:
        """Whether a thread is at work, which takes real time."""
        return self._threads > 0

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # stubs are generic
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:  # which Python 3.12 has added
        self._threads += 1  # who waits for the threads is one
        await super().shutdown_default_executor(*timeout)
        self._threads -= 1

    def _thread_is_done(self, future: Any) -> None:
        self._threads -= 1


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a loop with virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
