"""When agents worked: the intervals of a Gantt chart, read from a trace."""

from collections.abc import Iterable
from heapq import heapreplace

import msgspec

from walras.trace import Trace


class Work(msgspec.Struct, frozen=True):
    """One piece of work on a task: when it was handed over, began and ended (seconds), and how.

    `status` is that of its report: done, failed, stopped or unknown; unfinished: no report came before the run ended.
    """

    task: str
    asked: float
    began: float
    end: float
    status: str


def work_of(trace: Trace, ended_s: float) -> dict[str, list[Work]]:
    """All work by agent, in the order of its beginning; what never began is left out."""
    asked: dict[tuple[str, str, str], tuple[str, float]] = {}
    began: dict[tuple[str, str, str], float] = {}
    work: dict[str, list[Work]] = {}
    for row in trace:
        if row.kind not in ("perform", "began", "performed"):
            continue
        key = (row.conversation, row.agent, row.details["key"])
        if row.kind == "perform":
            asked[key] = row.details["task"], row.at
        elif row.kind == "began":
            began[key] = row.at
        elif key in began:
            start, status = began.pop(key), row.details["report"]["status"]
            work.setdefault(row.agent, []).append(Work(*asked[key], start, row.at, status))
    for key, start in began.items():
        work.setdefault(key[1], []).append(Work(*asked[key], start, max(start, ended_s), "unfinished"))
    return {agent: sorted(pieces, key=lambda w: (w.began, w.task)) for agent, pieces in work.items()}


def lanes(work: Iterable[Work]) -> list[list[Work]]:
    """Work in as few rows as possible without overlap within one: greedily, into the row that is free first."""
    rows: list[list[Work]] = []
    free: list[tuple[float, int]] = []
    for piece in work:
        if free and free[0][0] <= piece.began:
            _, row = free[0]
            rows[row].append(piece)
            heapreplace(free, (piece.end, row))
        else:
            rows.append([piece])
            free.append((piece.end, len(rows) - 1))
            free.sort()
    return rows
