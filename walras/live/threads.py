"""Functions that block, each call in a thread of its own: it holds up neither the loop nor the end of the program."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class _Threads(Executor):
    """A new thread for every call, which ends with the process at the latest."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> "Future[T]":
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        work = partial(_call, future, partial(function, *arguments, **named))
        threading.Thread(target=work, daemon=True).start()
        return future


_THREADS = _Threads()


def _call(future: "Future[T]", function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except BaseException as raised:  # whatever it is, it belongs to who asked
        plain = isinstance(raised, Exception) and not isinstance(raised, StopIteration)
        future.set_exception(raised if plain else RuntimeError(repr(raised)))


def is_async(function: Any) -> bool:
    """Whether its calls are to be awaited: it is a coroutine function, or an object that is called like one."""
    called = getattr(function, "__call__", None)  # noqa: B004  # the method itself is looked at
    return any(map(inspect.iscoroutinefunction, (function, called)))


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that may take its time.

    A thread cannot be stopped: a call that is given up runs on, and takes no place from others.

    Raises:
        Exception: what the function raises; what would end a loop, or a generator, as a RuntimeError that names it.
    """
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, partial(context.run, function, *arguments))
