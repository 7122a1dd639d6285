"""The port of a role in a world where things go wrong: journal and replay, records and disks, kill points.

`recovery = "replay"`: every input is journaled before its handler runs. After a crash the inputs are fed again with
the verbs muted; only the last input's effects are issued again, under their old ids, since the next row would have
proved them done. Then come the timers, the open questions and the unfinished work.

`recovery = "records"`: what a handler persists is one batch. From its first `persist` on, every outward effect, in
this or a later handler, waits until the write is durable; timers and withdrawals do not wait.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from walras.allocation import Award, Outcome
from walras.errors import LocalProtocolError
from walras.items import Item, Task
from walras.messages import AgentId, ConversationId, Fact, Message
from walras.protocol import Protocol
from walras.questions import Question
from walras.simulation.clock import DELIVERY
from walras.simulation.disk import Disk
from walras.simulation.memory import Replayed, Snapshot
from walras.simulation.port import Asked, Port, is_open

if TYPE_CHECKING:
    from walras.mechanism import Mechanism
    from walras.simulation.faults import KillAt, Skew
    from walras.simulation.guarded import GuardedHost, GuardedWorld

EXPELLED = "expelled"
"""The row of a journal that says that the world has ended the role: it was overdue, or expired."""

COMPACT_EVERY = 64
"""Inputs after which a journal is replaced by a copy of the role: endless roles would need endless replay."""


class Killed(BaseException):
    """The machine stopped between two effects; not an `Exception`, so that no role can catch it."""

    def __init__(self, down_s: float) -> None:
        self.down_s = down_s


class GuardedPort(Port, eq=False):
    """A port that can lose its role in a crash and bring it back."""

    guarded: ClassVar[bool] = True

    host: GuardedHost
    input: int = 0
    effect: int = 0
    carried: int = 0
    born: int = 0
    finishing: bool = False
    journal: list[tuple[float, str, tuple[Any, ...]]] = []
    missed: list[tuple[Callable[[Any], None], Any]] = []
    kills: list[KillAt] = []
    replaying: float | None = None
    replayed: Replayed | None = None
    skew: Skew | None = None
    disk: Disk | None = None
    snapshot: Snapshot | None = None

    def __post_init__(self) -> None:
        world, host = self.world, self.host
        self.skew = host.skew
        self.kills = world.kills.get((self.conversation, self.me), [])
        if self.role.recovery == "records" and (world.mortal or host.disk is not None):
            self.disk = Disk(self, host)
        if world.mortal:
            self.snapshot = Snapshot(self)

    @property
    def world(self) -> GuardedWorld:
        return self.host.world

    # ------------------------------------------------------------------ clocks
    @property
    def now(self) -> float:
        if self.replaying is not None:
            return self.replaying
        now = self.clock._now
        return now if self.skew is None else self.skew.local(now)

    @property
    def finish_by(self) -> float:
        return self.talk.finish_by if self.skew is None else self.skew.local(self.talk.finish_by)

    @property
    def incarnation(self) -> int:
        return self.born

    def host_time(self, at: float) -> float:
        if self.skew is None or at in (float("inf"), float("-inf")):
            return at
        return self.skew.world(at)

    # ------------------------------------------------------------------ inputs
    def enter(self, handler: str, *arguments: Any) -> None:
        """An input: held while the agent is paused, kept or lost while it is down, else handled to its end."""
        host = self.host
        if host.down:
            self.wait_for_restart(self._enter_again, (handler, arguments))
        elif host.paused:
            host.held.append((self._enter_again, (handler, arguments)))
        elif not (self.ended or self.finishing) or handler == "on_late":
            self._handle(handler, arguments)
        elif handler == "on_message":  # it waited while the role finished
            self._handle("on_late", arguments)

    def _enter_again(self, call: tuple[str, tuple[Any, ...]]) -> None:
        handler, arguments = call
        self.enter(handler, *arguments)

    def postponed(self, act: Callable[[Any], None], argument: Any) -> bool:
        """Whether the agent hears nothing now; what falls due meanwhile waits, and can be called off while it waits."""
        if self.host.paused:
            self.host.held.append((act, argument))
            return True
        return False

    def conclude(self, concluded: tuple[Asked, Any, str]) -> None:
        """Give an answer to the role that asked, unless the question has been voided since."""
        asked, _, _ = concluded
        if not is_open(asked):
            self.note("note", f"a late answer about {asked[1]}")
        elif not self.postponed(self.conclude, concluded):
            super().conclude(concluded)

    def wait_for_restart(self, act: Callable[[Any], None], argument: Any) -> None:
        """A local input while the agent is down: it survives where roles replay, and dies with a records role."""
        if self.disk is None:
            self.missed.append((act, argument))

    def _handle(self, handler: str, arguments: tuple[Any, ...]) -> None:
        self.input += 1
        self.effect = 0
        if self.snapshot is not None and self.disk is None:
            if len(self.journal) >= COMPACT_EVERY and not self.ended:
                self.snapshot, self.journal = Snapshot(self), []
            self.journal.append((self.now, handler, arguments))
        try:
            getattr(self.role, handler)(*arguments)
            if self.disk is not None:
                self.disk.seal()
            self._live_or_die(self.effect + 1)
        except Killed as killed:
            self.world.crash(self.me, killed.down_s)
            return
        self.world.after_input(self)

    def _live_or_die(self, effect: int) -> None:
        for kill in self.kills:
            if kill.input == self.input and kill.effect == effect:
                self.kills.remove(kill)
                self.effect = effect - 1
                raise Killed(kill.down_s)

    # ------------------------------------------------------------------ crash and restart
    def lose_memory(self) -> None:
        """The machine stops: the role's memory is gone."""
        for timer in (self.timers or {}).values():
            self._disarm(timer)
        if not self.ended:
            self.timers = self.asked = None
        self.finishing = False
        if self.disk is not None:
            self.jobs = self.children = None  # they die with the machine, perhaps for good
            self.disk.crash()

    def revive(self) -> None:
        """The machine starts: bring the role back from its journal, or from its records."""
        if self.disk is not None:
            self._recover()
        else:
            self._replay()
        while self.missed and not self.host.down:
            act, argument = self.missed.pop(0)
            act(argument)
        if self.talk.expired and not self.host.down:
            self.talk.expire_role(self)

    def _recover(self) -> None:
        assert self.disk is not None and self.snapshot is not None
        if self.ended:
            return
        self.born += 1
        self.stream = None
        if self.is_deputy:  # its new life opens the same children, in the same order
            self.opens = 0
        self.host.account.release(self.conversation)
        self._become(copy.deepcopy(self.snapshot.role))
        self._handle("on_recover", (tuple(self.disk.records),))

    def _become(self, role: Protocol) -> None:
        self.role = role
        role._port = self

    def _replay(self) -> None:
        """Feed the journal again; only the last input's effects go out."""
        assert self.snapshot is not None
        snapshot = self.snapshot
        self._become(copy.deepcopy(snapshot.role))
        self.stream = copy.deepcopy(snapshot.rng)
        self.opens, self.awards = snapshot.opens, snapshot.awards
        done = self.replayed = Replayed(snapshot)
        was_ended, self.ended = self.ended, False
        self.carried = self.effect
        last = len(self.journal) - 1
        for index, (at, handler, arguments) in enumerate(self.journal):
            if handler == EXPELLED:
                continue
            done.take(handler, arguments)
            done.muted = index < last
            self.replaying = at
            self.effect = 0
            getattr(self.role, handler)(*arguments)
        self.replaying = self.replayed = None
        self.children = dict(done.children)
        self.jobs = dict.fromkeys(done.jobs)
        if was_ended:
            self.ended = True
        elif done.outcome is not None:
            self.end(done.outcome)
        else:
            self._resume(done)

    def _resume(self, done: Replayed) -> None:
        """After a replay: timers at their absolute times, open questions, and work by its key."""
        assert self.jobs is not None
        for name, at in done.timers.items():
            self.arm(name, at)
        for name, question in done.questions.items():
            Port.decide(self, name, question)
        for key, task in done.jobs.items():
            if task is not None:
                job = self.jobs[key] = self.host.worker.take(self, key, task)
                if key in done.stopped:
                    self.host.worker.stop(job)

    def expel(self, outcome: Outcome) -> None:
        if self.snapshot is not None:  # an input of a kind: it proves the earlier ones done
            self.journal.append((self.now, EXPELLED, ()))
        if self.disk is not None:
            self.disk.drop_effects()
        super().end(outcome)

    def forget(self) -> None:
        self.snapshot, self.journal, self.missed = None, [], []

    def open_questions(self) -> list[Asked]:
        """The questions that wait for an answer."""
        if self.asked is None:
            return []
        return list(self.asked.values()) if isinstance(self.asked, dict) else [self.asked]

    def job_ended(self, key: str, report: Any) -> None:
        if self.host.down:
            return  # nobody has heard it: after the restart the work is done again
        if not self.postponed(lambda _: self.job_ended(key, report), None):
            super().job_ended(key, report)

    def child_ended(self, conversation: ConversationId, outcome: Outcome) -> None:
        def again(_: None) -> None:
            self.child_ended(conversation, outcome)

        if self.host.down:
            self.wait_for_restart(again, None)
        elif not self.postponed(again, None):
            super().child_ended(conversation, outcome)

    # ------------------------------------------------------------------ verbs: counted, muted, gated
    def _outward(self, act: Callable[..., None], *arguments: Any) -> None:
        """An effect that the world can see: dies at a kill point, is muted in a replay, waits for the disk."""
        self.effect += 1
        if self.replayed is not None:
            if not self.replayed.muted:
                act(*arguments)
            return
        self._live_or_die(self.effect)
        if self.disk is not None and self.disk.writing:
            self.disk.after_write(act, arguments)
        else:
            act(*arguments)

    def _local(self, act: Callable[..., None], *arguments: Any) -> None:
        """As `_outward`, for what stays on the agent's own machine: what the crash came after is not done again."""
        if self.carried_before:
            self.effect += 1
        else:
            self._outward(act, *arguments)

    @property
    def carried_before(self) -> bool:
        """Whether the next effect of this replay was carried out before the crash."""
        return self.replayed is not None and not self.replayed.muted and self.effect < self.carried

    def send(self, to: AgentId, message: Message) -> None:
        (self._local if to == self.me else self._outward)(self._send, to, message)

    def _send(self, to: AgentId, message: Message) -> None:
        clock = self.clock
        now = clock._now
        for copy_, delay in enumerate(self._copies(to, message, now)):
            id_ = next(clock._eid)
            if copy_ == 0:
                self.rows.append((now + delay, 1, id_, self.conversation, self.me, to, message, now))
            else:
                self.note("doubled", to, message, now + delay)
            self._post(now + delay, id_, to, message, now)

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        peers = tuple(to)
        if self.carried_before:  # its copy to ourselves is not lost, so it is not sent again
            peers = tuple(peer for peer in peers if peer != self.me)
        self._outward(self._broadcast, peers, message)

    def _broadcast(self, peers: tuple[AgentId, ...], message: Message) -> None:
        clock = self.clock
        now = clock._now
        arriving = [self._copies(peer, message, now) for peer in peers]
        arrivals = [now + copies[0] if copies else None for copies in arriving]
        self.rows.append((now, "broadcast", self.conversation, self.me, peers, message, arrivals))
        for peer, copies in zip(peers, arriving, strict=True):
            for delay in copies:
                self._post(now + delay, next(clock._eid), peer, message, now)
            for delay in copies[1:]:
                self.note("doubled", peer, message, now + delay)

    def _copies(self, to: AgentId, message: Message, now: float) -> tuple[float, ...]:
        link: Any = self.routes[to]  # a `FaultyLink` if the network is faulty, else a plain `Link`
        if not self.world.network.faulty:
            return (link(),)
        copies: tuple[float, ...] = link(now)
        if not copies:
            self.note("lost", to, message, "on the way")
        return copies

    def _post(self, arrival: float, id_: int, to: AgentId, message: Message, now: float) -> None:
        letter = (self.conversation, self.me, to, message, now)
        self.clock.push((arrival, DELIVERY, id_, self.world.deliver, letter))

    def tell(self, conversation: ConversationId, message: Message) -> None:
        self.demand_life("tell")
        self._local(self._tell, conversation, message)

    def ignore(self, message: object, why: str) -> None:
        if self.replayed is None or not self.replayed.muted:
            super().ignore(message, why)

    def set_timer(self, name: Hashable, at: float) -> None:
        self.demand_life("set_timer")
        self.effect += 1
        if self.replayed is not None:
            self.replayed.timers[name] = at
        else:
            self._live_or_die(self.effect)
            super().set_timer(name, at)

    def arm(self, name: Hashable, at: float) -> None:
        super().arm(name, self.host_time(at))
        assert self.timers is not None
        self.timers[name].at = at

    def cancel_timer(self, name: Hashable) -> None:
        self.effect += 1
        if self.replayed is not None:
            self.replayed.timers.pop(name, None)
        else:
            self._live_or_die(self.effect)
            super().cancel_timer(name)

    def decide(self, name: Hashable, question: Question) -> None:
        self.demand_life("decide")
        if self.replayed is not None:
            self.effect += 1
            self.replayed.questions[name] = question
        else:
            self._outward(super().decide, name, question)

    def withdraw(self, name: Hashable) -> None:
        self.demand_life("withdraw")
        self.effect += 1
        if self.replayed is not None:
            self.replayed.questions.pop(name, None)
            if not self.replayed.muted:
                self.host.account.release(self.conversation, name)
        else:
            self._live_or_die(self.effect)
            if self.disk is not None:
                self.disk.forget(super().decide, name)
            super().withdraw(name)

    @property
    def busy(self) -> bool:
        if self.replayed is not None:
            return self.replayed.busy
        return super().busy or bool(self._to_begin())

    def unfinished(self) -> list[str]:
        return super().unfinished() + self._to_begin()

    def _to_begin(self) -> list[str]:
        """The keys of the work and the ids of the children that wait for the disk."""
        return self.disk.waiting(super()._perform, super().open_child) if self.disk is not None else []

    def perform(self, key: str, task: Task) -> None:
        self.demand_life("perform")
        if self.replayed is not None:
            self.effect += 1
            self.replayed.jobs.setdefault(key, task)
        else:
            self._outward(super()._perform, key, task)

    def stop(self, key: str) -> None:
        self.demand_life("stop")
        if self.replayed is not None:
            self.effect += 1
            self.replayed.stopped.add(key)
        else:
            self._outward(self._stop, key)

    def open_child(
        self, child: ConversationId, mechanism: Mechanism, items: tuple[Item, ...], participants: tuple[AgentId, ...],
        finish_by: float,
    ) -> None:  # fmt: skip
        if self.replayed is not None:
            self.replayed.children[child] = True
        self._outward(super().open_child, child, mechanism, items, participants, self.host_time(finish_by))

    def cancel(self, conversation: ConversationId) -> None:
        self._local(super().cancel, conversation)

    def award(self, line: Award, key: str) -> None:
        self.demand_life("award")
        self._outward(self.world.award, self, self.effect_id(key), line)

    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None:
        self.demand_life("settle")
        self._outward(self.world.settle, self, self.effect_id(key), item, paid, winner, penalty)

    def publish(self, fact: Fact) -> None:
        self._local(super().publish, fact)

    def finish(self, outcome: Outcome) -> None:
        if self.replayed is not None:
            self.effect += 1
            self.demand_rest()
            self.replayed.outcome = outcome
            self.ended = True
        else:
            if self.finishing:
                raise LocalProtocolError(f"{self.me} finishes twice in {self.conversation}")
            self.demand_rest()
            self._outward(super().finish, outcome)
            self.finishing = not self.ended  # it waits for the disk; what the role hears meanwhile is late

    def persist(self, record: Any) -> None:
        self._write(record, replace=False)

    def checkpoint(self, record: Any) -> None:
        self._write(record, replace=True)

    def demand_life(self, verb: str) -> None:
        if self.finishing:
            raise LocalProtocolError(f"{self.me} calls {verb} in {self.conversation} after its finish")
        super().demand_life(verb)

    def _write(self, record: Any, *, replace: bool) -> None:
        self.demand_life("checkpoint" if replace else "persist")
        self.effect += 1
        self._live_or_die(self.effect)
        self.note_record("checkpoint" if replace else "persist", record)
        if self.disk is not None:
            self.disk.write(record, replace=replace)
