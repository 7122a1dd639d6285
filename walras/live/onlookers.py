"""Who looks on in a live market: rows of its trace are shown once all that led to them is durable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from walras.live.settings import Onlooker

if TYPE_CHECKING:
    from walras.live.runs import Run
    from walras.live.runtime import Runtime

log = logging.getLogger("walras.live")


class Onlookers:
    """Adds rows to the traces, and shows them at the end of the turn; nothing that is only lived again is shown."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.known: list[Onlooker] = []
        self._unseen: list[tuple[Any, ...]] = []

    def follow(self, onlooker: Onlooker) -> None:
        """Show all further rows to an onlooker."""
        self.known.append(onlooker)
        self.runtime.agenda.show = self._show

    def add_row(self, row: tuple[Any, ...], run: Run | None) -> None:
        """Add a row to the market's trace, and to that of its run."""
        self.runtime.rows.append(row)
        if run is not None:
            run.trace.rows.append(row)
        if self.known and not self.runtime.agenda.replaying:
            self._unseen.append(row)

    def _show(self) -> None:
        unseen, self._unseen = self._unseen, []
        for row in unseen:
            for onlooker in self.known:
                try:
                    onlooker(row)
                except Exception:  # who looks on cannot disturb the market
                    log.exception("an onlooker broke")
