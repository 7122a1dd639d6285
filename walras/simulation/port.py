"""The port of a simulated role: its verbs, carried out at once and noted in the trace.

This is the hot path. A port keeps what it needs in slots, makes dictionaries only when they are used, and draws its
random stream when it is first asked for. Worlds with crashes, faulty links or checks use `GuardedPort` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from heapq import heappush
from itertools import repeat
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from walras.allocation import Award, Outcome
from walras.errors import LocalProtocolError
from walras.items import Item, Task
from walras.messages import AgentId, ConversationId, Fact, Message, Signed
from walras.protocol import Handler
from walras.questions import Question
from walras.randomness import stream
from walras.simulation.clock import DELIVERY, TIMER, Clock
from walras.simulation.deputies import open_together
from walras.simulation.handlers import LATE, OVER, handlers_of

if TYPE_CHECKING:
    from walras.mechanism import Mechanism
    from walras.simulation.book import Conversation
    from walras.simulation.hosts import Host
    from walras.simulation.world import World


class Timer(msgspec.Struct, eq=False):
    """One setting of a timer; it fires unless it has been cancelled or moved meanwhile."""

    port: Port
    name: Hashable
    at: float
    live: bool = True


Asked = tuple["Port", Hashable, Question]
"""One question to a mind: the port that asks, the question's name, and the question."""


def is_open(asked: Asked) -> bool:
    """Whether a question has been neither answered nor voided: as long as its port has it, and no later one of its name."""
    port, name, _ = asked
    held = port.asked
    return held is asked or (isinstance(held, dict) and held.get(name) is asked)


def fire(timer: Timer) -> None:
    """A timer is due."""
    port = timer.port
    if not timer.live:
        port.host.world.dead_entries -= 1
        return
    port.host.world.fold_soon()  # roles that never end, and whom nobody joins, live by their timers
    if port.guarded and port.postponed(fire, timer):
        return
    timer.live = False
    assert port.timers is not None, "a live timer is in the dict"
    del port.timers[timer.name]
    port.enter("on_timer", timer.name)


class Port(msgspec.Struct, eq=False):
    """What one role sees of the simulated world. A struct, since a conversation makes one for every participant."""

    guarded: ClassVar[bool] = False

    host: Host
    talk: Conversation
    conversation: ConversationId
    role: Any
    handlers: dict[type, Handler]
    asked: Asked | dict[Hashable, Asked] | None = None  # nearly always one question, or none
    timers: dict[Hashable, Timer] | None = None
    jobs: dict[str, Any] | None = None
    children: dict[ConversationId, bool] | None = None
    opens: int = 0
    awards: int = 0
    stream: Random | None = None

    def __repr__(self) -> str:
        return f"<port of {self.me} in {self.conversation}>"

    # ------------------------------------------------------------------ what it shares with its agent's other ports
    @property
    def world(self) -> World:
        return self.host.world

    @property
    def clock(self) -> Clock:
        return self.host.clock

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return self.host.rows

    @property
    def routes(self) -> Any:
        return self.host.routes

    @property
    def ended(self) -> bool:
        """Whether the role has finished: all that it hears is late."""
        return self.handlers is OVER

    @ended.setter
    def ended(self, ended: bool) -> None:
        self.handlers = OVER if ended else handlers_of(type(self.role)).known

    # ------------------------------------------------------------------ what a role may read
    @property
    def me(self) -> AgentId:
        return self.host.id

    @property
    def now(self) -> float:
        return self.host.clock._now

    @property
    def finish_by(self) -> float:
        return self.talk.finish_by

    @property
    def incarnation(self) -> int:
        return 0

    @property
    def rng(self) -> Random:
        if self.stream is None:
            self.stream = stream(self.world.seed, "role", self.conversation, self.acts_for)
        return self.stream

    @property
    def is_deputy(self) -> bool:
        """Whether this role plays the opener's in the opener's place."""
        return self.host.id in self.talk.deputies

    @property
    def acts_for(self) -> AgentId:
        """Whose account and random stream are its own: its agent's, or, for a deputy, the opener's."""
        return self.talk.opener if self.is_deputy else self.host.id

    @property
    def principal(self) -> Host:
        """The place of whom it acts for."""
        return self.world.hosts[self.acts_for]

    def host_time(self, at: float) -> float:
        """A time on this agent's clock, on the world's: the same here."""
        return at

    # ------------------------------------------------------------------ inputs other than messages
    def enter(self, handler: str, *arguments: Any) -> None:
        """Call one of the role's handlers."""
        getattr(self.role, handler)(*arguments)

    def postponed(self, act: Callable[[Any], None], argument: Any) -> bool:
        """Whether the agent hears nothing now, and will be called later: never here."""
        return False

    def learn(self, message_type: type) -> Handler:
        """The handler for messages of a class that has not come before."""
        return (LATE if self.ended else handlers_of(type(self.role))).learn(message_type)

    # ------------------------------------------------------------------ messages
    def send(self, to: AgentId, message: Message) -> None:
        host = self.host
        clock = host.clock
        now = clock._now
        entry = (now + host.routes[to](), 1, next(clock._eid), self.conversation, host.id, to, message, now)
        host.rows.append(entry)
        heappush(clock._queue, entry)

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        peers, host, conversation = tuple(to), self.host, self.conversation
        clock, me = host.clock, host.id
        now = clock._now
        arrivals = [now + link() for link in map(host.routes.__getitem__, peers)]
        host.rows.append((now, "broadcast", conversation, me, peers, message, arrivals))
        clock.fan(
            list(
                zip(
                    arrivals, repeat(1), clock._eid, repeat(conversation), repeat(me), peers, repeat(message), repeat(now),
                    strict=False,
                )
            )
        )  # fmt: skip

    def tell(self, conversation: ConversationId, message: Message) -> None:
        self.demand_life("tell")
        self._tell(conversation, message)

    # What follows a verb's look at whether the role still lives is apart from it: where a write has to be awaited, it is
    # carried out later, perhaps after the role's finish.
    def _tell(self, conversation: ConversationId, message: Message) -> None:
        self.note("told", conversation, message)
        self.clock.call_at(self.clock._now, DELIVERY, self.world.deliver_tell, (self, conversation, message))

    def ignore(self, message: object, why: str) -> None:
        self.note("ignored", message, why)

    def sign(self, body: Any) -> Signed[Any]:
        return Signed(self.me, body, self.world.proof(self.me, body))

    # ------------------------------------------------------------------ time
    def set_timer(self, name: Hashable, at: float) -> None:
        self.demand_life("set_timer")
        self.note("timer", name, at)
        self.arm(name, at)

    def arm(self, name: Hashable, at: float) -> None:
        """Set a timer on the world's clock."""
        timers = self.timers
        if timers is None:
            timers = self.timers = {}
        elif name in timers:
            self._disarm(timers[name])
        timer = timers[name] = Timer(self, name, at)
        if at != inf:
            self.host.clock.call_at(at, TIMER, fire, timer)

    def cancel_timer(self, name: Hashable) -> None:
        if self.timers is not None and name in self.timers:
            self.note("untimer", name)
            self._disarm(self.timers.pop(name))

    def _disarm(self, timer: Timer) -> None:
        timer.live = False
        if timer.at != inf:
            self.host.world.bury()

    # ------------------------------------------------------------------ minds
    def decide(self, name: Hashable, question: Question) -> None:
        if self.handlers is OVER:
            self.demand_life("decide")
        host, others = self.host, self.asked
        host.rows.append((host.clock._now, "ask", self.conversation, host.id, name, question.decide_by))
        asked = (self, name, question)
        if others is None:
            self.asked = asked
        else:
            if isinstance(others, tuple):
                others = self.asked = {others[1]: others}
            others[name] = asked
        host.ready.append(asked)

    def conclude(self, concluded: tuple[Asked, Any, str]) -> None:
        """Give an answer, and how it came about, to the role that asked."""
        (_, name, _), answer, status = concluded
        self.close(name)
        self.note("answer", name, answer, status)
        self.enter("on_decision", name, answer)

    def close(self, name: Hashable) -> None:
        """The open question of this name has been answered: forget it."""
        if isinstance(self.asked, dict):
            del self.asked[name]
        else:
            self.asked = None

    def withdraw(self, name: Hashable) -> None:
        self.demand_life("withdraw")
        self.note("withdraw", name)
        asked = self.asked
        if isinstance(asked, dict):
            asked.pop(name, None)
        elif asked is not None and asked[1] == name:
            self.asked = None
        self.principal.account.release(self.conversation, name)

    # ------------------------------------------------------------------ work
    def perform(self, key: str, task: Task) -> None:
        self.demand_life("perform")
        self._perform(key, task)

    def _perform(self, key: str, task: Task) -> None:
        jobs = self.jobs
        if jobs is None:
            jobs = self.jobs = {}
        if key in jobs:
            return  # the key is idempotent
        self.note("perform", key, task.id)
        jobs[key] = self.host.worker.take(self, key, task)

    def stop(self, key: str) -> None:
        self.demand_life("stop")
        self._stop(key)

    def _stop(self, key: str) -> None:
        self.note("stop", key)
        if self.jobs is not None and self.jobs.get(key) is not None:
            self.host.worker.stop(self.jobs[key])

    def job_ended(self, key: str, report: Any) -> None:
        """The worker reports: exactly once per key."""
        if self.jobs is None or self.jobs.get(key) is None:
            return
        self.jobs[key] = None
        self.note("performed", key, report)
        if not self.ended:
            self.enter("on_performed", key, report)
        if self.talk.expired:
            self.talk.expire_role(self)

    # ------------------------------------------------------------------ conversations
    def open(
        self, mechanism: Mechanism, items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId:
        self.demand_life("open")
        self.opens += 1
        child = f"{self.conversation}/{self.acts_for}/{self.opens}"
        self.open_child(child, mechanism, tuple(items), tuple(participants), finish_by)
        return child

    def open_child(
        self, child: ConversationId, mechanism: Mechanism, items: tuple[Item, ...], participants: tuple[AgentId, ...],
        finish_by: float,
    ) -> None:  # fmt: skip
        """Open a child under its name, unless it has been opened before a crash."""
        if self.children is None:
            self.children = {}
        if self.is_deputy:
            open_together(self, child, mechanism, items, participants, finish_by)
        elif child not in self.children:
            self.children[child] = True
            self.world.open(child, mechanism, items, self.me, participants, finish_by, parent=self)

    def cancel(self, conversation: ConversationId) -> None:
        if self.children is None or conversation not in self.children:
            raise LocalProtocolError(f"{self.me} cancels {conversation}, which it has not opened")
        self.note("cancel", conversation)
        self.clock.call_at(self.clock._now, DELIVERY, self.world.cancel, conversation)

    def child_ended(self, conversation: ConversationId, outcome: Outcome) -> None:
        """The world reports: exactly once per child."""
        if self.children is None or not self.children.get(conversation):
            return
        self.children[conversation] = False
        if not self.ended:
            self.enter("on_outcome", conversation, outcome)
        if self.talk.expired:
            self.talk.expire_role(self)

    # ------------------------------------------------------------------ results
    def award(self, line: Award, key: str) -> None:
        self.demand_life("award")
        self.host.world.award(self, self.effect_id(key), line)

    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None:
        self.demand_life("settle")
        self.host.world.settle(self, self.effect_id(key), item, paid, winner, penalty)

    def effect_id(self, key: str) -> str:
        """The name under which the ledger carries out a transfer once: the role's own count, or a key of all roles'."""
        if key:
            return f"{self.conversation}#key:{key}"
        self.awards += 1
        return f"{self.conversation}/{self.host.id}#{self.awards}"

    def publish(self, fact: Fact) -> None:
        self.note("fact", fact)

    def finish(self, outcome: Outcome) -> None:
        if self.handlers is OVER or self.jobs is not None or self.children is not None:
            self.demand_rest()
        self.end(outcome)

    def demand_rest(self) -> None:
        """Raise unless the role may finish: not twice, and after its work and its children."""
        if self.ended:
            raise LocalProtocolError(f"{self.me} finishes twice in {self.conversation}")
        if self.busy:
            raise LocalProtocolError(
                f"{self.me} finishes {self.conversation} before {', '.join(self.unfinished())} has ended"
            )

    def demand_life(self, verb: str) -> None:
        """Raise unless the role may still call this verb: who has finished may only talk."""
        if self.handlers is OVER:
            raise LocalProtocolError(
                f"{self.me} calls {verb} in {self.conversation} after its finish; "
                "expected nothing but send, broadcast, ignore and publish"
            )

    def expel(self, outcome: Outcome) -> None:
        """The world ends the role: it is overdue, or nothing can reach it any more."""
        self.end(outcome)

    def end(self, outcome: Outcome) -> None:
        """Close the role: timers, questions and holds go; what it hears from now on is late."""
        host, talk = self.host, self.talk
        host.rows.append((host.clock._now, "finish", self.conversation, host.id, outcome))
        self.handlers = OVER
        if self.timers is not None:
            for timer in self.timers.values():
                self._disarm(timer)
            self.timers = None
        self.asked = None
        if talk.deputies:
            self.principal.account.release(self.conversation)
        elif host.account.holds:
            host.account.release(self.conversation)
        talk.live -= 1
        if not talk.live or host.id in talk.openers:
            talk.role_ended(self, outcome)

    def forget(self) -> None:
        """The conversation is dropped: let go what was kept for a restart."""

    @property
    def busy(self) -> bool:
        """Whether work or children have not ended yet."""
        jobs, children = self.jobs, self.children
        return (jobs is not None and any(job is not None for job in jobs.values())) or (
            children is not None and any(children.values())
        )

    def unfinished(self) -> list[str]:
        """The keys of the work and the ids of the children that have not ended."""
        jobs, children = self.jobs or {}, self.children or {}
        return [k for k, job in jobs.items() if job is not None] + [c for c, live in children.items() if live]

    # ------------------------------------------------------------------ only for records roles
    def persist(self, record: Any) -> None:
        self.note_record("persist", record)

    def checkpoint(self, record: Any) -> None:
        self.note_record("checkpoint", record)

    def note_record(self, kind: str, record: Any) -> None:
        """A record; where nobody crashes and disks take no time it is durable at once, and nothing has to wait."""
        if self.role.recovery != "records":
            raise LocalProtocolError(
                f"{type(self.role).__name__} persists, but its recovery is {self.role.recovery!r}"
            )
        self.demand_life(kind)
        self.note(kind, record)

    # ------------------------------------------------------------------ trace
    def note(self, kind: str, *details: Any) -> None:
        """Add a row to the trace."""
        host = self.host
        host.rows.append((host.clock._now, kind, self.conversation, host.id, *details))


# A struct of msgspec looks at every value that is stored in it, lest a cycle escape the collector. A port needs no such look:
# it holds its host from birth, so it is tracked already; and plain stores are much cheaper. It takes both methods, or Python
# goes by a slow wrapper, or refuses. Subclasses keep msgspec's own.
Port.__setattr__ = object.__setattr__  # type: ignore[method-assign]
Port.__delattr__ = object.__delattr__  # type: ignore[method-assign]
