"""Catching a role that looks at a clock, throws its own dice or does I/O, while one of its handlers runs."""

import builtins
import datetime
import gc
import io
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
           "thread_time", "localtime", "gmtime", "ctime", "sleep")  # fmt: skip
_FORBIDDEN_C: dict[int, str] = {id(getattr(time, name)): f"time.{name}" for name in _CLOCKS}
_FORBIDDEN_C |= {id(os.urandom): "os.urandom", id(io.open): "open", id(builtins.print): "print"}
_FORBIDDEN_PYTHON = {
    uuid.uuid1.__code__: "uuid.uuid1",
    uuid.uuid4.__code__: "uuid.uuid4",
    secrets.token_bytes.__code__: "secrets.token_bytes",
}
_DATES = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
_SHARED_DICE = random.random.__self__  # type: ignore[attr-defined]  # the instance behind the module's functions


@contextmanager
def hermetic(seen: list[str]) -> Iterator[None]:
    """Note in `seen` each clock, die or file that is touched inside the block; it works however it was imported."""

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            name = _c_call(called)
        elif event == "call":
            name = _FORBIDDEN_PYTHON.get(frame.f_code) or _dice(frame)
        else:
            return
        if name is not None:
            seen.append(name)

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # whoever watches the collector (test tools do) may read a clock meanwhile
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()


def _c_call(called: Any) -> str | None:
    name = _FORBIDDEN_C.get(id(called))
    if name is not None:
        return name
    owner = getattr(called, "__self__", None)
    if owner is _SHARED_DICE:
        return f"random.{called.__name__}"
    if isinstance(owner, type) and issubclass(owner, datetime.date) and called.__qualname__ in _DATES:
        return str(called.__qualname__)
    return None


def _dice(frame: FrameType) -> str | None:
    if frame.f_code.co_filename != random.__file__:
        return None
    if frame.f_locals.get("self") is _SHARED_DICE:
        return f"random.{frame.f_code.co_name}"
    if frame.f_code.co_name == "__init__" and frame.f_locals.get("x", 0) is None:
        return "an unseeded random.Random"
    return None
