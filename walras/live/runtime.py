"""The live runtime: hosts, conversations, the ledger and the trace of one process, on an asyncio loop.

The same promises as the simulated world's (``docs/contract.md``). It is a deterministic function of its inputs: methods
whose names begin with ``take_`` are the inputs from outside, with plain arguments that the journal keeps.
"""

from __future__ import annotations

import hmac
import logging
import pickle
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec

from walras.accounts import Ledger
from walras.agents import Agent
from walras.allocation import Award, Outcome, Report
from walras.errors import LocalProtocolError, ReplayError, ScenarioError
from walras.items import Task
from walras.live.agenda import DELIVERY, Agenda
from walras.live.conversation import Conversation, Opening
from walras.live.hosts import Host, Job, Work
from walras.live.inquiries import Inquiries
from walras.live.journal import Journal
from walras.live.market import LiveMarket
from walras.live.onlookers import Onlookers
from walras.live.peers import Peers
from walras.live.port import Port
from walras.live.recovery import begin_new_lives
from walras.live.runs import Run
from walras.live.settings import Asker, Rules, Watch
from walras.live.turnover import Turnover
from walras.messages import AgentId, ConversationId, Envelope, Message, can_quote, signatures
from walras.protocol import Protocol
from walras.randomness import stream
from walras.results.facts import Done, top_of
from walras.trace import Trace
from walras.trace.rows import without_addresses

log = logging.getLogger("walras.live")

FOLD_ROWS = 1024
"""Rows that a trace buffers before it encodes them."""


class Runtime:
    """Everything that one process of a live market shares. Made by a `Live`."""

    def __init__(
        self, guard: Asker, journal: Journal | None = None, rules: Rules | None = None, epoch: float = 0.0
    ) -> None:
        rules = rules or Rules()
        self.guard = guard
        self.rules = rules
        self.epoch = epoch
        """When the market's time 0 was, by the time of day."""
        self.seed, self.name = rules.seed, rules.name
        self.lifetime_s, self.grace_s, self.lease_s = rules.lifetime_s, rules.grace_s, rules.lease_s
        self.agenda = Agenda(journal, self.fail)
        self.trace = Trace()
        self.rows = self.trace.rows
        self.ledger = Ledger({}, {}, self.read_clock)
        self.market = LiveMarket(self)
        self.hosts: dict[AgentId, Host] = {}
        self.book: dict[ConversationId, Conversation] = {}
        self.runs: dict[ConversationId, Run] = {}
        self.opened: dict[AgentId, int] = {}
        self.claimed: dict[AgentId, int] = {}
        """How many of each opener's conversations this program, started anew, has asked for."""
        self.inquiries = Inquiries(self)
        self.jobs: dict[int, Job] = {}
        self.numbers = 0
        """Questions and pieces of work so far."""
        self.came_to: dict[ConversationId, Outcome] = {}
        """How the children of deputies have ended: one that opens such a child later has to be told."""
        self.watch: Watch | None = None
        self.onlookers = Onlookers(self)
        self.turnover = Turnover(self.ledger)
        self.peers = Peers(self)

    @property
    def now(self) -> float:
        """Seconds since the run's epoch."""
        return self.agenda.now

    def read_clock(self) -> float:
        """`now`, for accounts."""
        return self.agenda.now

    # ------------------------------------------------------------------ agents
    def add(self, agent: Agent, work: Work | None = None) -> None:
        """Bring an agent in, or back: its account outlives it."""
        host = self.hosts.get(agent.id)
        if host is None:
            self.agenda.at_once(self.take_agent, agent.id, agent.money, agent.capacity)
            host = self.hosts[agent.id]
        elif host.agent is not None or host.away:
            raise ScenarioError(
                "agent id", agent.id, "an id that no other agent of this market has, here or elsewhere"
            )
        else:
            host.check_same(agent.money, agent.capacity)
        self.drain(agent.id, draining=False)
        made = cache(
            partial(stream, self.seed, "strategy", agent.id)
        )  # one stream for all views of the agent
        host.attach(agent.seated(host.account, made, self.market), work)

    def take_agent(self, id_: AgentId, money: float, capacity: int) -> None:
        """An agent has come for the first time."""
        self.ledger.open_account(id_, money, capacity)
        self.hosts[id_] = Host(self, id_, self.ledger.account(id_))
        self.note("", "note", id_, "comes for the first time")

    def host(self, agent: AgentId) -> Host:
        """An agent's place; raises `ScenarioError` if there is no such agent."""
        found = self.hosts.get(agent)
        if found is None:
            known = ", ".join(list(self.hosts)[:8]) or "nobody yet"
            raise ScenarioError("agent", agent, f"an agent of this market ({known})")
        return found

    def drain(self, agent: AgentId, draining: bool = True) -> None:
        """From now on an agent takes part in nothing new; or in everything again."""
        if self.host(agent).draining is not draining:
            self.agenda.at_once(self.take_draining, agent, draining)

    def take_draining(self, agent: AgentId, draining: bool) -> None:
        """An agent is about to go, or has come back."""
        self.hosts[agent].draining = draining
        self.note("", "note", agent, "takes part in nothing new" if draining else "is back")

    # ------------------------------------------------------------------ conversations
    def open(self, opening: Opening, whoever_is_there: bool = False) -> Run:
        """Open a conversation; its id is ``opener/k``. A program that is started again finds the k-th it had opened.

        With `whoever_is_there` its participants are those of the journal, if it has them.
        """
        mechanism = opening.mechanism
        assert mechanism is not None
        number = self.claimed.get(opening.opener, 0) + 1
        opening = msgspec.structs.replace(opening, id=f"{opening.opener}/{number}")
        if number <= self.opened.get(opening.opener, 0):
            run = self.runs[opening.id]
            if whoever_is_there:
                opening = msgspec.structs.replace(opening, participants=run.opening.participants)
            run.check_same(opening)
        else:
            role = mechanism.opener(opening.opener, opening.items, opening.participants)
            self.birth(role)  # one that cannot be kept is refused before anything has begun
            self.agenda.at_once(self.take_opening, opening, role=role)
        self.claimed[opening.opener] = number
        return self.runs[opening.id]

    def take_opening(self, opening: Opening, role: Protocol | None = None) -> None:
        """The program has opened a conversation."""
        self.opened[opening.opener] = self.opened.get(opening.opener, 0) + 1
        self.runs[opening.id] = Run(self, opening)
        self._begin(opening, role, None)

    def open_child(self, opening: Opening, parent: Port) -> None:
        """A role opens a conversation; its opener starts in a moment: never inside a verb."""
        assert opening.mechanism is not None
        role = opening.mechanism.opener(opening.opener, opening.items, opening.participants)
        self._begin(opening, role, parent)

    def _begin(self, opening: Opening, role: Protocol | None, parent: Port | None) -> None:
        talk = self.enter(opening, parent)
        assert talk.mechanism is not None
        items = [item.id for item in opening.items]
        if talk.run is not None and talk.run.opening.opener == talk.opener and len(items) == 1:
            announced = (talk.run.opening.id, items[0])  # for the first time, or again, by the same opener
            talk.run.rounds[announced] = talk.run.rounds.get(announced, 0) + 1
        what = (talk.mechanism.protocol, items, opening.participants, opening.finish_by)
        self.note(talk, "open", talk.opener, *what)
        alone = parent is not None and parent.is_deputy  # each deputy takes its seat when it comes to it
        for agent in (parent.me,) if parent is not None and alone else talk.openers:
            self.seat_opener(talk, agent, role)
            role = None

    def seat_opener(self, talk: Conversation, agent: AgentId, role: Protocol | None = None) -> None:
        """Seat somebody who plays the opener's role, and who starts in a moment."""
        assert talk.mechanism is not None
        role = role or talk.mechanism.opener(talk.opener, talk.items, talk.opening.participants)
        self.agenda.post(self.now, DELIVERY, self.seat(talk, self.host(agent), role, self.birth(role)).start)

    def enter(self, opening: Opening, parent: Port | None = None) -> Conversation:
        """Enter a conversation into the book."""
        run = self.runs.get(top_of(opening.id))
        talk = self.book[opening.id] = Conversation(self, opening, parent, run)
        return talk

    def seat_bare(
        self, agent: AgentId, role: Protocol, conversation: ConversationId, finish_by: float
    ) -> None:
        """Seat a role by hand, unless the journal has brought it back already."""
        host, talk = self.host(agent), self.book.get(conversation)
        if talk is not None and agent in talk.seats:
            seated = type(talk.seats[agent].role)
            if seated is not type(role):
                raise ScenarioError("role", role, f"a {seated.__name__}, which sits there already")
            return
        birth = self.birth(role, by_hand=True)
        self.agenda.at_once(self.take_seat, host.id, birth, conversation, finish_by, role=role)

    def take_seat(
        self, agent: AgentId, birth: bytes, conversation: ConversationId, finish_by: float, role: Protocol | None = None
    ) -> None:  # fmt: skip
        """The program has seated a role."""
        talk = self.book.get(conversation) or self.enter(Opening(conversation, None, finish_by=finish_by))
        port = self.seat(talk, self.host(agent), role if role is not None else self.newborn(birth), birth)
        self.agenda.post(self.now, DELIVERY, port.start)

    def birth(self, role: Protocol, by_hand: bool = False) -> bytes:
        """A role that is about to be seated, as the journal needs it: for new lives from records, or since no rules make it.

        Raises:
            ScenarioError: for one that does not pickle.
        """
        needed = self.agenda.journal is not None and (by_hand or role.recovery == "records")
        return Journal.encode((role,)) if needed else b""

    @staticmethod
    def newborn(birth: bytes) -> Protocol:
        """A role as it was when it was seated."""
        role: Protocol = pickle.loads(birth)[0]
        return role

    def seat(self, talk: Conversation, host: Host, role: Protocol, birth: bytes = b"") -> Port:
        """Give a role its port and its seat: one role per agent and conversation."""
        port = talk.seats[host.id] = Port(self, host, talk, role, birth)
        talk.live += 1
        if talk.run is not None:
            talk.run.live += 1
        if talk.outcome is not None and talk.over:
            talk.expire_soon()  # it has come after the end
        return port

    def join(self, agent: AgentId, conversation: ConversationId) -> None:
        """Let an agent join a conversation by its own wish, unless the mechanism turns it away."""
        if conversation not in self.book:
            raise ScenarioError("conversation", conversation, "the id of a conversation that is open")
        self.agenda.at_once(self.take_wish, self.host(agent).id, conversation)

    def take_wish(self, agent: AgentId, conversation: ConversationId) -> None:
        """An agent wishes to join."""
        talk = self.book[conversation]
        if agent not in talk.seats:
            role = talk.joining(agent, None)
            if role is None:
                self.note(talk, "ignored", agent, None, "turned away")
            else:
                self.seat(talk, self.hosts[agent], role).start()

    def opener_ended(self, talk: Conversation, outcome: Outcome) -> None:
        """The opener's end is the conversation's outcome: unsettled money goes back, and who opened it is told."""
        self.ledger.abandon(f"{talk.id}#end", talk.id)
        run = talk.run
        if run is not None:
            if (
                outcome.awards or outcome.status != "done"
            ):  # else its role leaves it to the awards that it made
                run.stood[talk.id] = outcome.awards
            if talk.parent is None:
                run.outcomes[talk.id] = outcome
                run.ended_at[talk.id] = self.now
        parent = talk.parent
        if parent is not None:
            if parent.is_deputy and parent.talk.id in self.book:
                self.came_to[talk.id] = outcome
            for port in parent.talk.at_the_opening() if parent.is_deputy else [parent]:
                self.agenda.post(self.now, DELIVERY, port.child_ended, talk.id, outcome)

    def cancel(self, conversation: ConversationId) -> None:
        """Tell a conversation's opener that it is no longer wanted."""
        talk = self.book.get(conversation)
        for port in talk.at_the_opening() if talk is not None else ():
            port.enter("on_cancel")

    def take_cancel(self, conversation: ConversationId) -> None:
        """The program no longer wants a conversation."""
        self.cancel(conversation)

    def forget(self, talk: Conversation) -> None:
        """Its memory is given back."""
        self.book.pop(talk.id, None)
        for child in (child for port in talk.seats.values() for child in port.children):
            self.came_to.pop(child, None)
        self.peers.conversation_over(talk)
        self.agenda.outward(self.guard.forget, talk.id)
        for trace in (self.trace, talk.run.trace if talk.run is not None else self.trace):
            if len(trace.rows) > FOLD_ROWS:
                trace.fold()

    # ------------------------------------------------------------------ messages
    def transmit(self, port: Port, to: AgentId, message: Message) -> tuple[float, ...]:
        """Send a message on its way: when its copies arrive. Within a process it arrives at once, and once."""
        now, host = self.now, self.hosts.get(to)
        if host is not None and host.away:
            self.peers.send(port, to, message)
        else:
            self.agenda.post(now, DELIVERY, self.deliver, port.conversation, port.me, to, message, now)
        return (now,)

    def deliver(
        self, conversation: ConversationId, sender: AgentId, to: AgentId, message: Message, sent: float
    ) -> None:
        """A message has arrived."""
        talk = self.book.get(conversation)
        if self.now - sent > self.lifetime_s and sender != to:
            self._ignore(conversation, to, message, "too old")
        elif can_quote(type(message)) and not self.verified(message):
            self._ignore(conversation, to, message, "a signature is false")
        elif to not in self.hosts or talk is None:
            self._ignore(conversation, to, message, "over" if to in self.hosts else "unknown agent")
        else:
            port = talk.seats.get(to) or self._admit(talk, sender, to, message, sent)
            if port is not None:
                port.enter("on_late" if port.ended else "on_message", sender, message)

    def _admit(
        self, talk: Conversation, sender: AgentId, to: AgentId, message: Message, sent: float
    ) -> Port | None:
        """A newcomer: the mechanism makes its role, or turns it away. Who drains takes part in nothing new."""
        if talk.mechanism is None:
            self._ignore(talk.id, to, message, "not seated")
            return None
        if self.hosts[to].draining:
            self._ignore(talk.id, to, message, "takes part in nothing new")
            return None
        invitation = Envelope(talk.id, talk.mechanism.protocol, sender, to, message, sent, talk.finish_by)
        role = talk.joining(to, invitation)
        if role is None:
            self._ignore(talk.id, to, message, "turned away")
            return None
        port = self.seat(talk, self.hosts[to], role)
        port.start()
        return port

    def deliver_tell(self, teller: Port, conversation: ConversationId, message: Message) -> None:
        """A local message between two roles of one agent."""
        talk = self.book.get(conversation)
        port = talk.seats.get(teller.me) if talk is not None else None
        if port is None or port.ended:
            self._ignore(conversation, teller.me, message, "nobody to tell")
        else:
            port.enter("on_told", teller.conversation, message)

    def _ignore(self, conversation: ConversationId, agent: AgentId, message: object, why: str) -> None:
        self.note(self.book.get(conversation) or conversation, "ignored", agent, message, why)

    # ------------------------------------------------------------------ work
    def enter_job(self, port: Port, key: str, task: Task) -> Job:
        """Work that will be reported."""
        number = self.next_number()
        job = self.jobs[number] = Job(number, port, key, task)
        return job

    def reported(self, job: Job, report: Report) -> None:
        """The worker has come back: its report becomes an input."""
        if job.id in self.jobs:
            self.agenda.submit(DELIVERY, self.take_report, job.id, report)

    def take_report(self, id_: int, report: Report) -> None:
        """Work has ended."""
        job = self.jobs.pop(id_, None)
        if job is None:
            return  # forgotten by a records role
        port = job.port
        port.host.worker.ended(job, report)
        self.remember("worked", port.me, port.conversation, job.task.id, report)
        if port.talk.run is not None:
            port.talk.run.done.append(Done(port.conversation, port.me, job.task, report, self.now))
        port.job_ended(job.key, report)

    # ------------------------------------------------------------------ money
    def award(self, port: Port, effect: str, line: Award) -> None:
        """Carry out an award, once: it binds, and money moves or goes into escrow."""
        talk = port.talk
        item = next((i for i in talk.items if i.id == line.item), None)
        if item is None and line.seller is None and talk.mechanism is not None:
            raise LocalProtocolError(f"{port.me} awards {line.item}, which is not on offer in {talk.id}")
        procured = item is not None and item.procured
        at_once = item is not None and not item.escrowed
        if self.ledger.award(effect, talk.id, port.acts_for, line, procured, at_once):
            port.note("award", line)
            if line.winner is not None:
                self.remember("won", line.winner, talk.id, line)
            if talk.run is not None:
                talk.run.awards.append((talk.id, line))

    def settle(
        self, port: Port, effect: str, item: str, paid: float, winner: AgentId | None, penalty: float
    ) -> None:
        """Pay for delivered work, once."""
        if self.ledger.settle(effect, port.conversation, item, paid, winner, penalty):
            port.note("settle", item, paid, winner, penalty)
            if port.talk.run is not None:
                key = (port.conversation, item)
                port.talk.run.paid[key] = port.talk.run.paid.get(key, 0.0) + paid

    # ------------------------------------------------------------------ odds and ends
    def next_number(self) -> int:
        """For a question or a piece of work: no two have the same."""
        self.numbers += 1
        return self.numbers

    def remember(self, what: str, agent: AgentId, conversation: ConversationId, *details: Any) -> None:
        """An agent's own record of its awards (`walras.live.memory.Memory`), if the guard keeps one.

        What is lived again is told again: the market may have been killed before. Told twice is told once.
        """
        memory = getattr(self.guard, "memory", None)
        if memory is not None:
            tell = partial(getattr(memory, what), agent, f"{self.epoch} {conversation}", *details)
            if self.agenda.replaying:
                _try(tell)
            else:
                self.agenda.outward(_try, tell)

    def take_restart(self) -> None:
        """The machine has started again."""
        begin_new_lives(self)

    def proof(self, agent: AgentId, body: Any) -> bytes:
        """An agent's signature: a code under a key that only the processes of this market know."""
        key = self.rules.secret + f"{self.seed}/{agent}".encode()
        return hmac.digest(key, msgspec.msgpack.encode(body), "sha256")

    def verified(self, message: object) -> bool:
        """Whether every signature in a message, however deep, is true."""
        return all(hmac.compare_digest(s.proof, self.proof(s.by, s.body)) for s in signatures(message))

    def note(self, talk: Conversation | ConversationId, kind: str, agent: AgentId, *details: Any) -> None:
        """Add a row to the trace."""
        row = (self.now, kind, talk if isinstance(talk, str) else talk.id, agent, *details)
        self.onlookers.add_row(row, talk.run if isinstance(talk, Conversation) else None)

    def role_broke(self, port: Port, handler: str, error: Exception) -> None:
        """A bug in a role ends this role and nobody else's; whoever waits for its conversation is told."""
        if isinstance(error, ReplayError):
            raise error
        log.error("%s of %s in %s raised", handler, port.me, port.conversation, exc_info=error)
        port.note("note", f"{type(error).__name__} in {handler}: {without_addresses(error)}")
        run = port.talk.run
        if run is not None and port.me in port.talk.openers and port.talk.parent is None:
            run.error = error
        if not port.ended:
            port.end(Outcome("broken", why=f"{type(error).__name__}: {without_addresses(error)}"))

    def fail(self, error: BaseException) -> None:
        """The market cannot go on: everybody who waits is told why."""
        self.agenda.fail(error)
        for run in self.runs.values():
            run.fail(error)

    def after_input(self, port: Port) -> None:
        """An input has been handled to its end."""
        if self.watch is not None:
            self.watch.after_input(port)


def _try(tell: Callable[[], None]) -> None:
    try:
        tell()
    except Exception:  # as of a full disk: what cannot be remembered is forgotten
        log.exception("an agent's award is not remembered")
