"""When agents worked: the intervals of a Gantt chart, read from a trace."""

from collections.abc import Iterable
from heapq import heapreplace

import msgspec

from walras.trace import Trace

Key = tuple[str, str, str]
"""A piece of work: conversation, agent, key."""


class Work(msgspec.Struct, frozen=True):
    """One piece of work on a task: when it was handed over, began and ended (seconds), and how.

    `status` is that of its report: done, failed, stopped or unknown; unfinished: no report came before the run ended;
    lost: its agent crashed. What is done again after a restart is another piece, handed over at the restart.
    """

    task: str
    asked: float
    began: float
    end: float
    status: str


class Absence(msgspec.Struct, frozen=True):
    """When an agent was ``down`` after a crash, or ``paused``, seconds."""

    began: float
    end: float
    kind: str


def work_of(trace: Trace, ended_s: float) -> dict[str, list[Work]]:
    """All work by agent, in the order of its beginning; what never began is left out."""
    asked: dict[Key, tuple[str, float]] = {}
    began: dict[Key, float] = {}
    work: dict[str, list[Work]] = {}

    def end(key: Key, at: float, status: str) -> None:
        start = began.pop(key)
        work.setdefault(key[1], []).append(Work(*asked[key], start, max(start, at), status))

    for row in trace:
        if row.kind == "crash":
            for key in [key for key in began if key[1] == row.agent]:
                end(key, row.at, "lost")
        elif row.kind == "restart":
            asked |= {key: (task, row.at) for key, (task, _) in asked.items() if key[1] == row.agent}
        elif row.kind in ("perform", "began", "performed"):
            key = (row.conversation, row.agent, row.details["key"])
            if row.kind == "perform":
                asked[key] = row.details["task"], row.at
            elif row.kind == "began":
                began[key] = row.at
            else:
                if key in began:
                    end(key, row.at, row.details["report"]["status"])
                asked.pop(key, None)
    for key in list(began):
        end(key, ended_s, "unfinished")
    return {agent: sorted(pieces, key=lambda w: (w.began, w.task)) for agent, pieces in work.items()}


def absences_of(trace: Trace, ended_s: float) -> dict[str, list[Absence]]:
    """When agents heard nothing, by agent, in order and without overlap; a crash ends a pause."""
    found: dict[str, list[Absence]] = {}
    for row in trace:
        if row.kind not in ("crash", "restart", "pause"):
            continue
        absences = found.setdefault(row.agent, [])
        if absences and absences[-1].end > row.at:  # a longer pause, a crash in a pause, or a restart
            last = absences.pop()
            absences.append(Absence(last.began, row.at, last.kind))
        if row.kind != "restart":
            until = row.details["until"] if row.kind == "pause" else ended_s
            absences.append(Absence(row.at, min(until, ended_s), "paused" if row.kind == "pause" else "down"))
    return {agent: [a for a in absences if a.end > a.began] for agent, absences in found.items()}


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
