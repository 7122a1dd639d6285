"""What is due when: the live runtime's one queue, in the simulator's order, driven by an asyncio loop.

Everything that happens in a market is an entry here, or an input from outside. Entries are numbered in the order in
which they are made, and that order follows from the inputs alone: so a journal that says which number was carried out
when, and what came from outside, is enough to live the same life again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, nextafter
from typing import Any

from walras.errors import ScenarioError
from walras.live.journal import Journal, JournalError

DELIVERY, ANSWER, SILENCE, TIMER, DEADLINE = 1, 2, 3, 4, 5
"""What comes first at one instant: messages and all that is local, answers of minds, the silence of minds, timers,
deadlines of conversations."""

TURN_ENTRIES = 512
"""How many entries are carried out before other tasks of the loop have their turn."""


@dataclass(slots=True, eq=False)
class Entry:
    """One thing that will happen: ``act(*arguments)`` at a time, unless it is called off."""

    at: float
    priority: int
    serial: int
    """Its number among all that the market itself has brought about; 0 for an input from outside."""
    act: Callable[..., None]
    arguments: tuple[Any, ...]
    payload: bytes = b""
    live: bool = True

    def call_off(self) -> None:
        """It will not happen."""
        self.live = False


class Agenda:
    """The queue. A turn carries out what is due, commits the journal, then lets out what that has brought about.

    Nothing leaves the market before its cause is durable: minds are asked, work is begun and results are handed over
    through `outward`, after the commit. A market that is killed within a turn has not had that turn at all.
    """

    def __init__(self, journal: Journal | None, on_failure: Callable[[BaseException], None]) -> None:
        self.journal = journal
        self.on_failure = on_failure
        self.now = -inf
        """Seconds since the run's epoch, from `start` on; stands still while an entry is carried out. Below 0 where the
        machine's clock is behind, or the epoch is to come."""
        self.serial = 0
        self.replaying = True
        """Whether the market is still being brought back; `start` ends it."""
        self.kept: dict[int, Entry] = {}
        self._heap: list[tuple[float, int, int, Entry]] = []
        self._order = count()
        self._leaving: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None
        self._handle_at = inf
        self._offset = 0.0
        self._asked = False
        self.committed: Callable[[], None] = lambda: None
        """Called after every turn, when what has happened is durable and nothing of it has left the market yet."""
        self.compact: Callable[[], None] = lambda: None
        self.compact_at = inf
        """How many rows of the journal `compact` is called after."""
        self.show: Callable[[], None] = lambda: None
        """Called at the end of a turn, when all that happened in it is durable."""
        self.failed: BaseException | None = None
        """What stopped the market: a machine that was killed, or a bug."""

    # ------------------------------------------------------------------ adding
    def post(self, at: float, priority: int, act: Callable[..., None], *arguments: Any) -> Entry:
        """Let something happen at a time, now at the earliest."""
        self.serial += 1
        at = at if at >= self.now else self.now  # also what is no number
        entry = Entry(at, priority, self.serial, act, arguments)
        if self.replaying:
            self.kept[entry.serial] = entry
        else:
            self._push(entry)
        return entry

    def submit(
        self, priority: int, act: Callable[..., None], *arguments: Any, at: float | None = None
    ) -> None:
        """An input from outside: it takes its place behind what was due before it came, which is now unless `at` says."""
        payload = self.journal.encode(arguments) if self.journal is not None else b""
        self._push(Entry(self.clock() if at is None else at, priority, 0, act, arguments, payload))
        self.plan()

    def at_once(self, act: Callable[..., None], *arguments: Any, **unjournaled: Any) -> None:
        """An input from outside that is carried out now: by the program that runs the market, never by a role.

        Raises:
            ScenarioError: if the market is closed; what stopped it, if something did.
        """
        if self._loop is None:
            raise self.failed or ScenarioError("market", "closed", "one that is open")
        journal = self.journal
        payload = journal.encode(arguments) if journal is not None else b""
        self.now = max(self.now, self.clock())
        act(*arguments, **unjournaled)
        if journal is not None:  # what was refused has not happened
            journal.write(self.now, 0, act.__name__, payload)
        self.plan()

    def outward(self, act: Callable[..., object], *arguments: Any) -> None:
        """Do something that cannot be taken back, once all that led to it is durable."""
        if not self.replaying:
            self._leaving.append((act, arguments))

    def waiting(self) -> list[Entry]:
        """What the market itself has brought about, and what is still to happen."""
        return [entry for *_, entry in self._heap if entry.live and entry.serial]

    def _push(self, entry: Entry) -> None:
        if entry.at != inf:
            heappush(self._heap, (entry.at, entry.priority, next(self._order), entry))

    # ------------------------------------------------------------------ bringing back
    def replay(self, at: float, serial: int, what: str) -> None:
        """Carry out the entry that the journal names, as it was carried out then."""
        entry = self.kept.pop(serial, None)
        if entry is None or entry.act.__name__ != what:
            found = "nothing" if entry is None else entry.act.__name__
            raise JournalError(
                f"the journal says that number {serial} was {what!r}, but it is {found}: "
                "it was written by other code, or by a role that is not a function of its inputs"
            )
        self.now, entry.live = at, False
        entry.act(*entry.arguments)

    def start(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Begin, or go on: time runs from here. What was overdue while nobody was there comes first."""
        self._loop, self.replaying = loop, False
        self.now = max(self.now, now)
        self._offset = self.now - loop.time()
        for entry in self.kept.values():
            if entry.live and entry.at != inf:
                missed = entry.act.__name__ == "overdue" and entry.at <= self.now
                self._heap.append((-1.0 if missed else entry.at, entry.priority, next(self._order), entry))
        heapify(self._heap)
        self.kept.clear()
        self.plan()

    def fail(self, error: BaseException) -> None:
        """The market cannot go on."""
        self.failed = error
        self.stop()

    def stop(self) -> None:
        """Nothing more happens."""
        if self._handle is not None:
            self._handle.cancel()
        self._loop = None

    # ------------------------------------------------------------------ running
    def clock(self) -> float:
        """Seconds since the run's epoch, as they pass."""
        return self._loop.time() + self._offset if self._loop is not None else self.now

    def plan(self) -> None:
        """See to it that the next turn comes when something is due."""
        loop = self._loop
        if loop is None or self.failed is not None:
            return
        while self._heap and not self._heap[0][3].live:
            heappop(self._heap)
        at = self._heap[0][0] if self._heap else inf
        if self._leaving or (self.journal is not None and self.journal.dirty):
            at = -inf
        if at == inf or (self._handle is not None and self._handle_at <= at):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle_at = at
        when, now = at - self._offset, loop.time()
        if at <= self.clock():
            self._handle = loop.call_soon(self._turn)
        else:  # rounding must not let us wait for an instant that is already here
            self._handle = loop.call_at(max(when, nextafter(now, inf)), self._turn)

    def _turn(self) -> None:
        self._handle, self._handle_at = None, inf
        try:
            self._carry_out_what_is_due()
            if self.journal is not None:
                self.journal.commit()
                if self.journal.written >= self.compact_at:
                    self.compact()
            self.committed()
            leaving, self._leaving = self._leaving, []
            self._asked = bool(leaving)
            for act, arguments in leaving:
                act(*arguments)
            self.show()
        except BaseException as error:
            self.on_failure(error)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return
        self.plan()

    def _carry_out_what_is_due(self) -> None:
        heap, journal = self._heap, self.journal
        asked, self._asked = self._asked, False
        for _ in range(TURN_ENTRIES):
            while heap and not heap[0][3].live:
                heappop(heap)
            if not heap:
                return
            real = self.clock()
            at, priority, _, entry = heap[0]
            if at > real:
                return
            if priority >= SILENCE and (asked or self._leaving):
                return  # minds have just been asked: those that need no time come before timers
            heappop(heap)
            # What came before a deadline is heard as of when it came, however long something held the loop up since:
            # so it is in time. What decides that time is over takes place now.
            moment = at if priority < SILENCE else real
            if moment > self.now:
                self.now = moment
            entry.live = False
            if journal is not None:
                journal.write(self.now, entry.serial, entry.act.__name__, entry.payload)
            entry.act(*entry.arguments)
