"""How many bytecodes a run executes: a measure of speed that is the same on a quiet machine and on a busy one.

It leaves out what C does (heaps, hashing, encoding), so it does not replace timings; but it finds what makes a path
longer by one percent, where timings on a shared machine do not agree to ten.

``python -m benchmarks.bytecodes [--json]`` counts what each side of the engine benchmark executes for a message: ours, and
the three ways to write SimPy processes.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.engine import RIVALS, OurSide
from benchmarks.market import Market, Side, make_market

SIDES: dict[str, type[Side]] = {
    "ours": OurSide,
    **{name: RIVALS[name] for name in ("simpy", "gathering", "tuned")},
}
ROUNDS = {100: 20, 1000: 2}
"""Rounds by number of contractors."""


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


def per_message(side: type[Side], market: Market) -> float:
    """Bytecodes for each message of the rounds after round 0."""
    return bytecodes(side(market).run) / market.messages


def measure(rounds: dict[int, int]) -> dict[str, int]:
    """Bytecodes per message of every side, by name."""
    return {
        f"bytecodes_{name}_{size}": round(per_message(side, make_market(size, count)))
        for size, count in rounds.items()
        for name, side in SIDES.items()
    }


def as_table(found: dict[str, int], rounds: dict[int, int]) -> Table:
    """The numbers for people."""
    table = Table(title="Bytecodes per message")
    for head in ("N", *SIDES):
        table.add_column(head, justify="right")
    for size in rounds:
        table.add_row(str(size), *(f"{found[f'bytecodes_{name}_{size}']:,}" for name in SIDES))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bytecodes", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options = parser.parse_args(arguments)
    found = measure(ROUNDS)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        Console().print(as_table(found, ROUNDS))


if __name__ == "__main__":
    main()
