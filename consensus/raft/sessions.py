"""Commands that take effect exactly once, however often they are sent (Ongaro 2014, 6.3).

A client opens a session, whose id is the log index of its opening, and numbers its commands. The replicated machine keeps
each session's last result: a command that comes again is answered by it and not carried out. A session ends when nothing
was heard of it for long, by the log's own clock (the leaders' stamps), so at the same entry at every replica; a command
of an ended session is refused, for nobody knows any more whether it was carried out before.

::

    client --Submit(OpenSession)-->          replica --Reply(session)-->         client
    client --Submit(InSession)--> (again)    replica --Reply(result)-->          client, or Reply(SessionExpired)
    client --Query-->                        replica --Reply(result)-->          client
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import Any

import msgspec

from consensus.linearizability.events import Recorder
from consensus.raft.machine import Data, Question, Result, StateMachine, Timed, carried_out
from consensus.raft.records import Command
from consensus.raft.service import Query, Redirect, Reply, Submit
from walras.allocation import Outcome
from walras.errors import ScenarioError
from walras.messages import AgentId
from walras.protocol import Protocol, on

# ------------------------------------------------------------------ the machine's side


class OpenSession(Timed, frozen=True):
    """Begin a session: the result is its id. One that was asked for twice is opened twice, and one of them expires."""


class InSession(Timed, frozen=True, kw_only=True):
    """The next command of a session; the same sequence number again is the same command again."""

    session: int
    sequence: int
    command: Data


class SessionExpired(Command, frozen=True):
    """A result: this session is not known (any more), and this command was not carried out now."""

    session: int


class Session(Command, frozen=True):
    """What is kept of a client: its last command's number and result, and the log's time of it."""

    id: int
    sequence: int = 0
    result: Result = None
    used_at: float = 0.0


class WithSessions(Command, frozen=True):
    """A snapshot: the sessions, the longest unused first, the log's clock, and the machine's own snapshot."""

    data: Data
    sessions: tuple[Session, ...] = ()
    clock: float = 0.0


class Sessions(msgspec.Struct):
    """A state machine within a state machine: plain commands pass, and those of a session pass once.

    Args:
        machine: what carries commands out.
        expire_after_s: how long a session may be unused, seconds of the log's clock.
        limit: how many there may be; one more ends the longest unused.
    """

    machine: StateMachine
    expire_after_s: float = 3600.0
    limit: int = 100_000
    open: dict[int, Session] = {}
    """By id, the longest unused first."""
    clock: float = 0.0

    def __post_init__(self) -> None:
        for name in ("expire_after_s", "limit"):
            if not getattr(self, name) > 0:
                raise ScenarioError(f"Sessions.{name}", getattr(self, name), "more than 0")

    def apply(self, index: int, command: Data) -> Result:
        if isinstance(command, InSession):
            self._pass_to(command.at)
            return self._once(index, command)
        if isinstance(command, OpenSession):
            self._pass_to(command.at)
            if len(self.open) >= self.limit:
                del self.open[next(iter(self.open))]
            self.open[index] = Session(index, used_at=self.clock)
            return index
        return self.machine.apply(index, command)

    def _once(self, index: int, command: InSession) -> Result:
        session = self.open.pop(command.session, None)
        if session is None:
            return SessionExpired(command.session)
        result, sequence = session.result, session.sequence
        if command.sequence > sequence:  # else a double; for the answer to one before the last nobody waits
            result, sequence = carried_out(self.machine, index, command.command), command.sequence
        self.open[session.id] = Session(session.id, sequence, result, self.clock)
        return result

    def _pass_to(self, at: float) -> None:
        """The log's clock moves on, and what is unused for too long ends."""
        self.clock = max(self.clock, at)
        while self.open:
            oldest = next(iter(self.open.values()))
            if self.clock - oldest.used_at <= self.expire_after_s:
                break
            del self.open[oldest.id]

    def query(self, question: Data) -> Result:
        return self.machine.query(question)

    def snapshot(self) -> WithSessions:
        return WithSessions(self.machine.snapshot(), tuple(self.open.values()), self.clock)

    def restore(self, data: Data) -> None:
        if isinstance(data, WithSessions):
            self.machine.restore(data.data)
            self.open = {session.id: session for session in data.sessions}
            self.clock = data.clock
        else:
            self.machine.restore(data)
            self.open, self.clock = {}, 0.0


# ------------------------------------------------------------------ the client's side


class Call(msgspec.Struct):
    """One operation of a client: when it was first sent, and (None: not yet) when its end was known, seconds."""

    operation: Data
    began: float
    ended: float | None = None
    result: Result = None


class Client(Protocol):
    """Carries out operations one after another, each exactly once, over any crash of a replica or of its own.

    A `Question` is asked without the log. Whatever is not answered goes again, to the next replica or to the one that is
    said to lead. If the session has expired, the operation's end is unknown, and the client goes on in a new session.

    Args:
        replicas: where to ask, the first one first.
        operations: what to do; the role finishes when all of it is done.
        pause_s: how long to wait before the first operation and between two, seconds.
        retry_s: how long to wait for an answer, seconds.
        reads_from: who is asked questions; empty: whoever seems to lead.
    """

    replicas: tuple[AgentId, ...]
    operations: tuple[Data, ...] = ()
    pause_s: float = 0.1
    retry_s: float = 0.5
    reads_from: AgentId = ""

    calls: list[Call] = []
    session: int = 0
    number: int = 0
    """Of the request that waits for an answer; in a session, the command's sequence number."""
    target: int = 0
    redirected: int = 0
    """How often, since the last pause: replicas that each take the other for the leader must not keep us busy."""

    def __post_init__(self) -> None:
        names: object = self.replicas
        if isinstance(names, str) or not names:
            raise ScenarioError("replicas", names, "a tuple of at least one name")
        for name in ("pause_s", "retry_s"):
            if not getattr(self, name) > 0:
                raise ScenarioError(name, getattr(self, name), "seconds above 0")

    def on_start(self) -> None:
        if self.operations:
            self.set_timer("next", self.now + self.pause_s)
        else:
            self.finish(Outcome("done"))

    def on_timer(self, name: Any) -> None:
        if name == "next":
            self.begin()
        else:
            self.target = (self.target + 1) % len(self.replicas)
        self.redirected = 0
        self.ask()

    def begin(self) -> None:
        """The next operation."""
        self.calls.append(Call(self.operations[len(self.calls)], self.now))
        self.number += 1

    @property
    def asking(self) -> bool:
        """Whether what is to be done next needs no session."""
        return isinstance(self.calls[-1].operation, Question)

    def ask(self) -> None:
        """Send what waits for an answer, perhaps again."""
        to, operation = self.replicas[self.target], self.calls[-1].operation
        if self.asking:
            self.send(self.reads_from or to, Query(self.number, operation))
        elif not self.session:
            self.send(to, Submit(0, OpenSession()))
        else:
            command = InSession(session=self.session, sequence=self.number, command=operation)
            self.send(to, Submit(self.number, command))
        self.set_timer("again", self.now + self.retry_s)

    @on(Reply)
    def hear(self, sender: AgentId, message: Reply) -> None:
        if not self.calls or self.calls[-1].ended is not None:
            self.ignore(message, "nothing was asked")
        elif message.number == 0 and not self.session and not self.asking:
            assert isinstance(message.result, int)
            self.session = message.result
            self.ask()
        elif message.number != self.number or (not self.session and not self.asking):
            self.ignore(message, "the answer to another request")
        else:
            self.end(message.result)

    def end(self, result: Result) -> None:
        """An operation is answered: on to the next one."""
        call = self.calls[-1]
        call.ended, call.result = self.now, result
        if isinstance(result, SessionExpired):
            self.session = 0
        self.cancel_timer("again")
        if len(self.calls) < len(self.operations):
            self.set_timer("next", self.now + self.pause_s)
        else:
            self.finish(Outcome("done"))

    @on(Redirect)
    def turn(self, sender: AgentId, message: Redirect) -> None:
        waits = bool(self.calls) and self.calls[-1].ended is None
        wanted = message.number == (self.number if self.session or (waits and self.asking) else 0)
        if not waits or not wanted or self.redirected >= len(self.replicas):
            self.ignore(message, "we have turned already")
        elif message.leader in self.replicas:
            self.redirected += 1
            self.target = self.replicas.index(message.leader)
            self.ask()


# ------------------------------------------------------------------ histories


def history(clients: Iterable[Client], described: Callable[[Data], tuple[str, str, Any]]) -> Recorder:
    """What clients did, as events for `consensus.linearizability`.

    All their clocks must be right. Of what happened at one instant, calls come first: nothing is said to have ended before
    something else began unless it did.

    Args:
        clients: their names in the history are their places, 0, 1 ...
        described: an operation as the model's function, key and value, such as `consensus.raft.kv.described`.
    """
    recorder = Recorder()
    for at, ends, process, call in merge(
        *map(_events, range(1_000_000), clients), key=lambda event: event[:2]
    ):
        if not ends:
            f, key, value = described(call.operation)
            recorder.invoke(process, f, value, key=key, time=at)
        elif isinstance(call.result, SessionExpired):
            recorder.info(process, time=at)
        else:
            recorder.ok(process, call.result, time=at)
    return recorder


def _events(place: int, client: Client) -> Iterator[tuple[float, bool, str, Call]]:
    lives = 0
    for call in client.calls:
        process = f"{place}.{lives}"
        yield call.began, False, process, call
        if call.ended is not None:
            yield call.ended, True, process, call
        lives += isinstance(
            call.result, SessionExpired
        )  # who does not know what became of a call goes on as another
