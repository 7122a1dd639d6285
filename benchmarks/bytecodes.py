"""How many bytecodes a run executes: a measure of speed that is the same on a quiet machine and on a busy one.

It leaves out what C does (heaps, hashing, encoding), so it does not replace timings; but it finds what makes a path
longer by one percent, where timings on a shared machine do not agree to ten.
"""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def bytecodes(run: Callable[[], object]) -> int:
    """Bytecodes that `run` executes in this thread, in Python code of any module.

    No garbage is collected meanwhile: finalizers of what others have left behind do not count. On CPython 3.13 the first count
    misses some of what functions do that it meets for the first time, one in a thousand; later counts are exact.
    """
    executed = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal executed
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            executed += 1
        return count

    before, collecting = sys.gettrace(), gc.isenabled()
    gc.collect()
    gc.disable()
    sys._getframe().f_trace_opcodes = True  # CPython 3.12 has to be asked before tracing begins
    sys.settrace(count)
    try:
        run()
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()
    return executed
