"""The disk of a role that recovers from records: atomic batches, writes that take time, effects that wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from walras.simulation.clock import DELIVERY

if TYPE_CHECKING:
    from walras.simulation.guarded import GuardedHost
    from walras.simulation.guarded_port import GuardedPort


class Batch:
    """All that one handler persists: durable together, or not at all."""

    __slots__ = ("records", "replaces", "sealed")

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.replaces = False
        self.sealed = False


class Disk:
    """Writes batches one after another. Effects queue behind the batches that came before them."""

    def __init__(self, port: GuardedPort, host: GuardedHost) -> None:
        self.port = port
        self.host = host
        self.records: list[Any] = []
        """What is durable, in order."""
        self.queue: deque[Batch | tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._open: Batch | None = None
        self._life = 0

    @property
    def writing(self) -> bool:
        """Whether something is on its way to the disk: then effects wait."""
        return bool(self.queue)

    def write(self, record: Any, *, replace: bool) -> None:
        """Add a record to this handler's batch; with `replace`, nothing earlier is needed any more."""
        if self._open is None:
            self._open = Batch()
            self.queue.append(self._open)
        batch = self._open
        if replace:
            batch.records.clear()
            batch.replaces = True
        batch.records.append(record)

    def after_write(self, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Carry out an effect once all writes before it are durable."""
        self.queue.append((act, arguments))

    def forget(self, act: Callable[..., None], name: object) -> None:
        """Drop the waiting effects of this kind and name: they were called off before they could take place."""
        self.queue = deque(
            entry
            for entry in self.queue
            if isinstance(entry, Batch) or entry[0] != act or entry[1][0] != name
        )

    def waiting(self, *acts: Callable[..., None]) -> list[str]:
        """The names of the waiting effects of these kinds."""
        return [entry[1][0] for entry in self.queue if not isinstance(entry, Batch) and entry[0] in acts]

    def drop_effects(self) -> None:
        """The role has been ended: what still waits would bind, or wait for, what is over."""
        self.queue = deque(entry for entry in self.queue if isinstance(entry, Batch))

    def seal(self) -> None:
        """The handler has run to its end: its batch goes to the disk."""
        batch, self._open = self._open, None
        if batch is None:
            return
        batch.sealed = True
        if self.queue[0] is batch:
            self._start(batch)

    def _start(self, batch: Batch) -> None:
        clock = self.port.clock
        seconds = self.host.disk(clock._now) if self.host.disk is not None else 0.0
        clock.call_at(clock._now + seconds, DELIVERY, self._durable, (batch, self._life))

    def _durable(self, written: tuple[Batch, int]) -> None:
        batch, life = written
        if life != self._life:
            return  # the machine has crashed since
        self._keep(batch)
        self.queue.popleft()
        while self.queue:
            head = self.queue[0]
            if isinstance(head, Batch):
                if head.sealed:
                    self._start(head)
                return
            self.queue.popleft()
            act, arguments = head
            act(*arguments)

    def _keep(self, batch: Batch) -> None:
        if batch.replaces:
            self.records.clear()
        self.records.extend(batch.records)
        self.port.note("durable", len(self.records))

    def crash(self) -> None:
        """The write in flight survives whole, or is torn and dropped; everything behind it is gone."""
        self._life += 1
        head = self.queue[0] if self.queue else None
        chance = self.port.world.faults.write_survives
        if isinstance(head, Batch) and head.sealed and chance and self.host.survives.random() < chance:
            self._keep(head)
        elif isinstance(head, Batch):
            self.port.note("note", "a write was torn")
        self.queue.clear()
        self._open = None
