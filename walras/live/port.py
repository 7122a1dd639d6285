"""The port of a live role: its verbs.

What stays in the market (messages between its roles, timers, children, awards) goes into the agenda and the ledger and
is brought back with them after a crash. What leaves it (questions, work, messages to peers) is let out by the agenda when
its cause is durable.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from walras.allocation import Award, Outcome, Report
from walras.errors import LocalProtocolError
from walras.items import Item, Task
from walras.live.agenda import DELIVERY, TIMER, Entry
from walras.live.conversation import Opening
from walras.live.deputies import open_together
from walras.messages import AgentId, ConversationId, Fact, Message, Signed
from walras.protocol import Protocol
from walras.questions import Question
from walras.randomness import stream

if TYPE_CHECKING:
    from walras.live.conversation import Conversation
    from walras.live.hosts import Host, Job
    from walras.live.inquiries import Asked
    from walras.live.runtime import Runtime
    from walras.mechanism import Mechanism


class Port:
    """What one role sees of a live market."""

    def __init__(
        self, runtime: Runtime, host: Host, talk: Conversation, role: Protocol, birth: bytes = b""
    ) -> None:
        self.runtime, self.host, self.talk, self.role = runtime, host, talk, role
        self.me: AgentId = host.id
        self.conversation: ConversationId = talk.id
        self.records: list[Any] = []
        """What a records role has made durable: the journal's, as everything that its inputs have led to."""
        self.birth = birth
        """A records role as it was seated, pickled: every new life begins there."""
        self.incarnation = 0
        self.input = 0
        self.effect = 0
        self.transfers = 0
        self.opens = 0
        self.ended = False
        self.questions: dict[Hashable, Asked] = {}
        self.timers: dict[Hashable, Entry] = {}
        self.jobs: dict[str, Job | None] = {}
        self.children: dict[ConversationId, bool] = {}
        self._stream: Random | None = None
        role._port = self

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.role._port = self  # which is not part of a role's state

    def __repr__(self) -> str:
        return f"<port of {self.me} in {self.conversation}>"

    # ------------------------------------------------------------------ what a role may read
    @property
    def now(self) -> float:
        return self.runtime.agenda.now

    @property
    def finish_by(self) -> float:
        return self.talk.finish_by

    @property
    def rng(self) -> Random:
        if self._stream is None:
            self._stream = stream(self.runtime.seed, "role", self.conversation, self.acts_for)
        return self._stream

    @property
    def is_deputy(self) -> bool:
        """Whether this role plays the opener's in the opener's place."""
        return self.me in self.talk.deputies

    @property
    def acts_for(self) -> AgentId:
        """Whose account, mind and random stream are its own: its agent's, or, for a deputy, the opener's."""
        return self.talk.opener if self.is_deputy else self.me

    @property
    def principal(self) -> Host:
        """The place of whom it acts for."""
        return self.runtime.hosts[self.talk.opener] if self.is_deputy else self.host

    # ------------------------------------------------------------------ inputs
    def enter(self, handler: str, *arguments: Any) -> None:
        """An input: its handler runs to its end. What goes wrong in it ends this role, and nobody else's."""
        if self.ended and handler != "on_late":
            return
        self.input += 1
        self.effect = 0
        try:
            getattr(self.role, handler)(*arguments)
        except Exception as error:  # a role may be a user's; the market goes on
            self.runtime.role_broke(self, handler, error)
        self.runtime.after_input(self)

    def start(self) -> None:
        """The first call of a role that has been opened or seated."""
        self.enter("on_start")

    def fire(self, name: Hashable) -> None:
        """A timer is due."""
        del self.timers[name]
        self.enter("on_timer", name)

    def child_ended(self, conversation: ConversationId, outcome: Outcome) -> None:
        """A conversation that we opened has ended: exactly once."""
        if self.children.get(conversation):
            self.children[conversation] = False
            self.enter("on_outcome", conversation, outcome)
            self.talk.expire_role(self)

    def job_ended(self, key: str, report: Report) -> None:
        """The worker reports: exactly once per key."""
        if self.jobs.get(key) is not None:
            self.jobs[key] = None
            self.note("performed", key, report)
            self.enter("on_performed", key, report)
            self.talk.expire_role(self)

    def amnesia(self) -> None:
        """A records role's machine has started again: all is forgotten but what was persisted."""
        self.lay_down()
        self.jobs, self.children, self._stream = {}, {}, None
        if self.is_deputy:  # its new life opens the same children, in the same order
            self.opens = 0
        self.host.account.release(self.conversation)
        self.incarnation += 1
        self.role = self.runtime.newborn(self.birth)
        self.role._port = self
        self.enter("on_recover", tuple(self.records))

    def lay_down(self) -> None:
        """Timers and questions go."""
        for entry in self.timers.values():
            entry.call_off()
        for asked in self.questions.values():
            self.runtime.inquiries.void(asked)
        self.timers.clear()
        self.questions.clear()

    # ------------------------------------------------------------------ messages
    def send(self, to: AgentId, message: Message) -> None:
        self._count()
        arrivals = self.runtime.transmit(self, to, message)
        for arrival in arrivals[:1]:
            number = self.runtime.agenda.serial
            self.talk_note((arrival, 1, number, self.conversation, self.me, to, message, self.now))
        if not arrivals:
            self.note("lost", to, message, "on the way")

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        self._count()
        peers = tuple(to)
        found = [self.runtime.transmit(self, peer, message) for peer in peers]
        arrivals = [arrival[0] if arrival else None for arrival in found]
        self.talk_note((self.now, "broadcast", self.conversation, self.me, peers, message, arrivals))

    def tell(self, conversation: ConversationId, message: Message) -> None:
        self._count()
        self._demand_life("tell")
        self.note("told", conversation, message)
        self.runtime.agenda.post(self.now, DELIVERY, self.runtime.deliver_tell, self, conversation, message)

    def ignore(self, message: object, why: str) -> None:
        self.note("ignored", message, why)

    def sign(self, body: Any) -> Signed[Any]:
        return Signed(self.me, body, self.runtime.proof(self.me, body))

    # ------------------------------------------------------------------ time
    def set_timer(self, name: Hashable, at: float) -> None:
        self._count()
        self._demand_life("set_timer")
        self.note("timer", name, at)
        if name in self.timers:
            self.timers.pop(name).call_off()
        self.timers[name] = self.runtime.agenda.post(at, TIMER, self.fire, name)

    def cancel_timer(self, name: Hashable) -> None:
        self._count()
        if name in self.timers:
            self.note("untimer", name)
            self.timers.pop(name).call_off()

    # ------------------------------------------------------------------ minds
    def decide(self, name: Hashable, question: Question) -> None:
        self._count()
        self._demand_life("decide")
        self.note("ask", name, question.decide_by, question)
        if name in self.questions:
            self.runtime.inquiries.void(self.questions.pop(name))
        self.questions[name] = self.runtime.inquiries.ask(self, name, question)

    def withdraw(self, name: Hashable) -> None:
        self._count()
        self._demand_life("withdraw")
        self.note("withdraw", name)
        if name in self.questions:
            self.runtime.inquiries.void(self.questions.pop(name))
        self.principal.account.release(self.conversation, name)

    # ------------------------------------------------------------------ work
    def perform(self, key: str, task: Task) -> None:
        self._count()
        self._demand_life("perform")
        if key not in self.jobs:  # the key is idempotent
            self.note("perform", key, task.id)
            self.jobs[key] = self.host.worker.take(self, key, task)

    def stop(self, key: str) -> None:
        self._count()
        self._demand_life("stop")
        self.note("stop", key)
        job = self.jobs.get(key)
        if job is not None:
            self.host.worker.stop(job)

    # ------------------------------------------------------------------ conversations
    def open(
        self, mechanism: Mechanism, items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId:
        self._count()
        self._demand_life("open")
        self.opens += 1
        child = f"{self.conversation}/{self.acts_for}/{self.opens}"
        opening = Opening(child, mechanism, tuple(items), self.acts_for, tuple(participants), finish_by)
        if self.is_deputy:
            open_together(self, opening)
        else:
            self.runtime.open_child(opening, self)
            self.children[child] = True
        return child

    def cancel(self, conversation: ConversationId) -> None:
        self._count()
        if conversation not in self.children:
            raise LocalProtocolError(f"{self.me} cancels {conversation}, which it has not opened")
        self.note("cancel", conversation)
        self.runtime.agenda.post(self.now, DELIVERY, self.runtime.cancel, conversation)

    # ------------------------------------------------------------------ results
    def award(self, line: Award, key: str) -> None:
        self._count()
        self._demand_life("award")
        self.runtime.award(self, self._effect_id(key), line)

    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None:
        self._count()
        self._demand_life("settle")
        self.runtime.settle(self, self._effect_id(key), item, paid, winner, penalty)

    def _effect_id(self, key: str) -> str:
        if key:
            return f"{self.conversation}#key:{key}"
        self.transfers += 1
        return f"{self.conversation}/{self.me}#{self.transfers}"

    def publish(self, fact: Fact) -> None:
        self._count()
        self.note("fact", fact)

    def finish(self, outcome: Outcome) -> None:
        self._count()
        if self.ended:
            raise LocalProtocolError(f"{self.me} finishes twice in {self.conversation}")
        if self.busy:
            waiting = [k for k, job in self.jobs.items() if job] + [
                c for c, on in self.children.items() if on
            ]
            raise LocalProtocolError(
                f"{self.me} finishes {self.conversation} before {', '.join(waiting)} has ended"
            )
        self.end(outcome)

    def end(self, outcome: Outcome) -> None:
        """Close the role: timers, questions and holds go; what it hears from now on is late."""
        self.note("finish", outcome)
        self.ended = True
        self.lay_down()
        self.principal.account.release(self.conversation)
        self.talk.role_ended(self, outcome)

    @property
    def busy(self) -> bool:
        """Whether work or children have not ended yet."""
        return any(job is not None for job in self.jobs.values()) or any(self.children.values())

    # ------------------------------------------------------------------ only for records roles
    def persist(self, record: Any) -> None:
        self._record("persist", record)

    def checkpoint(self, record: Any) -> None:
        self._record("checkpoint", record)

    def _record(self, kind: str, record: Any) -> None:
        self._count()
        if self.role.recovery != "records":
            raise LocalProtocolError(
                f"{type(self.role).__name__} persists, but its recovery is {self.role.recovery!r}"
            )
        self._demand_life(kind)
        self.note(kind, record)
        if kind == "checkpoint":
            self.records.clear()
        self.records.append(record)

    # ------------------------------------------------------------------ odds and ends
    def _count(self) -> None:
        self.effect += 1
        watch = self.runtime.watch
        if watch is not None:
            watch.before_effect(self)

    def _demand_life(self, verb: str) -> None:
        if self.ended:
            raise LocalProtocolError(
                f"{self.me} calls {verb} in {self.conversation} after its finish; "
                "expected nothing but send, broadcast, ignore and publish"
            )

    def note(self, kind: str, *details: Any) -> None:
        """Add a row to the trace."""
        self.talk_note((self.runtime.agenda.now, kind, self.conversation, self.me, *details))

    def talk_note(self, row: tuple[Any, ...]) -> None:
        """Add a row to the market's trace, and to that of our run."""
        self.runtime.onlookers.add_row(row, self.talk.run)
