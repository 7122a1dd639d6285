"""A progress bar for long runs in a terminal."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn, TimeRemainingColumn

_PATIENCE_S = 1.0
_REFRESH_S = 0.1


class Progress:
    """Shows how many conversations have ended, once a run has taken a second.

    Args:
        wanted: True or False; None: only in a terminal.
        total: how many conversations there will be; 0: no bar.
    """

    def __init__(self, wanted: bool | None, total: int) -> None:
        self.total = total
        self.wanted = bool(total) and (sys.stderr.isatty() if wanted is None else wanted)
        self.ended = 0
        self._bar: Bar | None = None
        self._due = monotonic() + _PATIENCE_S

    def __enter__(self) -> None:
        self._due = monotonic() + _PATIENCE_S

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.ended)
            self._bar.stop()
            self._bar = None

    def advance(self, now: float) -> None:
        """One more has ended, at this simulated time."""
        self.ended += 1
        if not self.wanted or monotonic() < self._due:
            return
        self._due = monotonic() + _REFRESH_S
        if self._bar is None:
            columns = (
                TextColumn("simulating"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[now]}"),
            )
            self._bar = Bar(*columns, TimeRemainingColumn(), transient=True, console=Console(stderr=True))
            self._bar.add_task("conversations", total=self.total, now="")
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self.ended, now=f"{now:.0f} s simulated")
