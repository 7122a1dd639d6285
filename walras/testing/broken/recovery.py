"""Bugs in recovery, by replay and from records."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from walras.simulation.disk import Disk
from walras.simulation.guarded_port import GuardedPort
from walras.simulation.memory import Snapshot
from walras.simulation.port import Port
from walras.simulation.world import World
from walras.testing.broken import bug
from walras.testing.patching import Patch


def _resume_without(patch: Patch, forget: Callable[[Any], None]) -> None:
    resume = GuardedPort._resume

    def partly(self: Any, done: Any) -> None:
        forget(done)
        resume(self, done)

    patch(GuardedPort, "_resume", partly)


@bug
def inputs_are_replayed(patch: Patch) -> None:
    """A second crash finds that the journal has only what came since the first."""
    replay = GuardedPort._replay

    def once(self: Any) -> None:
        replay(self)
        self.journal = []

    patch(GuardedPort, "_replay", once)


@bug
def endless_roles_recover(patch: Patch) -> None:
    """The copy that takes the journal's place is an old one."""
    made = Snapshot.__init__

    def stale(self: Any, port: Any) -> None:
        made(self, port)
        if port.snapshot is not None:
            self.role = port.snapshot.role

    patch(Snapshot, "__init__", stale)


@bug
def last_effects_are_issued_again(patch: Patch) -> None:
    """A replay sends no messages at all."""
    outward = GuardedPort._outward

    def mute(self: Any, act: Any, *arguments: Any) -> None:
        if (
            self.replayed is not None
            and act == self._send
            and arguments[0] == "bob"
            and arguments[1].text == "2"
        ):
            self.effect += 1
        else:
            outward(self, act, *arguments)

    patch(GuardedPort, "_outward", mute)


@bug
def earlier_effects_are_not_issued_again(patch: Patch) -> None:
    """A replay sends every message of the role's life again."""

    def loud(self: Any, to: str, message: Any) -> None:
        muted = self.replayed.muted if self.replayed is not None else None
        if muted is not None and to != self.me:
            self.replayed.muted = False
        (self._local if to == self.me else self._outward)(self._send, to, message)
        if muted is not None:
            self.replayed.muted = muted

    patch(GuardedPort, "send", loud)


@bug
def draws_survive_a_replay(patch: Patch) -> None:
    """A replay goes on drawing where the role stood when its machine stopped."""
    replay = GuardedPort._replay

    def drawn_on(self: Any) -> None:
        self.snapshot.rng = self.stream
        replay(self)

    patch(GuardedPort, "_replay", drawn_on)


@bug
def open_questions_are_asked_again(patch: Patch) -> None:
    """A question that was open at the crash, and still has time, is not asked again."""

    def forget(done: Any) -> None:
        done.questions = {name: q for name, q in done.questions.items() if q.decide_by < 2.5}

    _resume_without(patch, forget)


@bug
def questions_do_not_wait_for_ever(patch: Patch) -> None:
    """A question whose time has passed during a crash is taken for answered."""

    def forget(done: Any) -> None:
        done.questions = {name: q for name, q in done.questions.items() if q.decide_by != 1.5}

    _resume_without(patch, forget)


@bug
def work_is_taken_up_again(patch: Patch) -> None:
    """Only one piece of work is taken up again."""

    def forget(done: Any) -> None:
        for key in [key for key, task in done.jobs.items() if task is not None][1:]:
            done.jobs[key] = None

    _resume_without(patch, forget)


@bug
def stopped_work_stays_stopped(patch: Patch) -> None:
    """Stopped work is taken up again after a crash, and done."""
    _resume_without(patch, lambda done: done.stopped.clear())


@bug
def outcomes_wait_for_a_restart(patch: Patch) -> None:
    """What becomes of a child while its parent's machine is down is told to nobody."""
    ended = GuardedPort.child_ended

    def deaf(self: Any, child: str, outcome: Any) -> None:
        if not self.host.down or outcome.status != "overdue":
            ended(self, child, outcome)

    patch(GuardedPort, "child_ended", deaf)


@bug
def overdue_is_final(patch: Patch) -> None:
    """A replay does not know that the world has ended the role, and does what it had no time for."""
    patch(GuardedPort, "expel", Port.expel)


@bug
def award_once_after_crash_anywhere(patch: Patch) -> None:
    """An effect's id counts all effects of its kind, those of a replay too: the ledger takes a double for a new one."""
    award = World.award
    numbers = itertools.count()

    def renumbered(self: Any, port: Any, effect: str, line: Any) -> None:
        award(self, port, f"{effect}@{next(numbers)}", line)

    patch(World, "award", renumbered)


@bug
def replayed_roles_do_not_persist(patch: Patch) -> None:
    """A role that replays may persist; its records are kept and never read."""
    patch(Port, "persist", lambda self, record: self.note("persist", record))


# ----------------------------------------------------------------------------------------------------- records


@bug
def records_are_recovered(patch: Patch) -> None:
    """The records of a batch are kept in reverse."""
    keep = Disk._keep

    def backwards(self: Any, batch: Any) -> None:
        if len(batch.records) > 1 and self.records:
            batch.records.reverse()
        keep(self, batch)

    patch(Disk, "_keep", backwards)


@bug
def records_are_atomic(patch: Patch) -> None:
    """What a handler has persisted when its machine stops is durable, though the handler has not ended."""
    crash = Disk.crash

    def leaky(self: Any) -> None:
        if self._open is not None:
            self._keep(self._open)
        crash(self)

    patch(Disk, "crash", leaky)


@bug
def unfinished_writes_do_not_count(patch: Patch) -> None:
    """What waits for a write leaves when the machine stops, though the write is lost."""
    crash = Disk.crash

    def leaky(self: Any) -> None:
        waiting = [entry for entry in self.queue if isinstance(entry, tuple)]
        crash(self)
        for act, arguments in waiting:
            act(*arguments)

    patch(Disk, "crash", leaky)


@bug
def checkpoint_replaces_records(patch: Patch) -> None:
    """A checkpoint is added to the records before it."""
    write = Disk.write

    def added(self: Any, record: Any, *, replace: bool) -> None:
        write(self, record, replace=False)

    patch(Disk, "write", added)


@bug
def on_recover_replaces_on_start(patch: Patch) -> None:
    """A role that had heard nothing when its machine stopped is started again after `on_recover`."""
    recover = GuardedPort._recover

    def restarted(self: Any) -> None:
        heard = self.input
        recover(self)
        if heard == 1:
            self._handle("on_start", ())

    patch(GuardedPort, "_recover", restarted)


@bug
def incarnation_counts_lives(patch: Patch) -> None:
    """Every life takes itself for the first restart."""
    patch(GuardedPort, "incarnation", property(lambda self: min(self.born, 1)))


@bug
def amnesia_is_complete(patch: Patch) -> None:
    """A records role's work goes on while its machine is down, and its end is reported to the next life."""
    recover, lose = GuardedPort._recover, GuardedPort.lose_memory
    jobs_of: dict[int, Any] = {}

    def losing(self: Any) -> None:
        jobs_of[id(self)] = self.jobs
        lose(self)

    def remembering(self: Any) -> None:
        recover(self)
        for key, job in (jobs_of[id(self)] or {}).items():
            if job is not None:
                self.jobs = {key: self.host.worker.take(self, key, job.task)}

    patch(GuardedPort, "lose_memory", losing)
    patch(GuardedPort, "_recover", remembering)
