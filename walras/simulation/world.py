"""The world: hosts, the book of conversations, the ledger and the trace, under one clock."""

from __future__ import annotations

import hmac
import inspect
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from walras.accounts import AccountBook, Ledger
from walras.agents import Agent, Estimate
from walras.allocation import Award, Outcome, Report
from walras.errors import LocalProtocolError, ReplayError, ScenarioError
from walras.items import Item, Task
from walras.messages import AgentId, ConversationId, Envelope, Message, signatures
from walras.protocol import Protocol
from walras.randomness import stream
from walras.results.facts import Done
from walras.scenario import check_report, some
from walras.simulation.book import Conversation, overdue
from walras.simulation.clock import DEADLINE, DELIVERY, Clock, come_true
from walras.simulation.handlers import HANDLERS, handlers_of
from walras.simulation.hosts import Host, Job, give_up
from walras.simulation.market import Market
from walras.simulation.network import Network
from walras.simulation.port import Asked, Port, fire, is_open
from walras.trace import Trace
from walras.trace.rows import without_addresses

if TYPE_CHECKING:
    from simpy.events import Event

    from walras.mechanism import Mechanism
    from walras.questions import Question
    from walras.scenario import Instance

FOLD_ROWS = 64
"""Rows that the trace buffers before it encodes them: few, so that what they speak of is still in the cache."""

_SWEEP_ENTRIES = 512


class World:
    """Everything that one simulation shares. Made by a `Simulation`; ports carry out their verbs through it.

    To read, in a monitor or after a run: `clock` (its `now`), `outcomes` and `ended_at` (of top-level conversations, by id),
    `awards` (each with its conversation), `done` (work that has ended), `ledger`, `hosts` (agents' places), `trace`, and
    ``seats_of[conversation][agent].role`` while a conversation is remembered.
    """

    port_class: type[Port] = Port

    def __init__(self, seed: int, network: Network, instance: Instance | None = None) -> None:
        self.seed = seed
        self.network = network
        self.linger_s = network.linger_s
        self.instance = instance
        self.clock = Clock()
        self.trace = Trace()
        self.hosts: dict[AgentId, Host] = {}
        self.places: dict[AgentId, str] = {}
        self.book: dict[ConversationId, Conversation] = {}
        self.seats_of: dict[ConversationId, dict[AgentId, Port]] = {}
        self.ready: deque[Asked] = deque()
        self.ledger = Ledger({}, {}, lambda: self.clock._now)
        self.market = Market(self)
        self.opened: dict[AgentId, int] = {}
        self.rounds: dict[tuple[ConversationId, str], int] = {}
        self.outcomes: dict[ConversationId, Outcome] = {}
        self.ended_at: dict[ConversationId, float] = {}
        self.ends: dict[ConversationId, Event] = {}
        """What processes of the user's may wait for, of conversations that have not ended."""
        self.awards: list[tuple[ConversationId, Award]] = []
        self.stood: dict[ConversationId, tuple[Award, ...]] = {}
        self.paid: dict[tuple[ConversationId, str], float] = {}
        self.done: list[Done] = []
        self.came_to: dict[ConversationId, Outcome] = {}
        """How the children of deputies have ended: a deputy that opens one later has to be told."""
        self.dead_entries = 0
        self.on_drop: Callable[[Conversation], None] = lambda talk: None
        self.guarded = self.port_class.guarded
        self.clock.host(self.seats_of, self.admit, self.ready, self.answer)

    # ------------------------------------------------------------------ agents
    def add(self, agent: Agent) -> Host:
        """Give an agent its place in this world: an account, a worker, links, streams."""
        if agent.id in self.hosts:
            raise ScenarioError("agent id", agent.id, "an id that no other agent of this world has")
        self.places[agent.id] = agent.place
        self.ledger.open_account(agent.id, agent.money, agent.capacity)
        account = self.ledger.account(agent.id)
        seated = agent.seated(account, partial(stream, self.seed, "strategy", agent.id), self.market)
        host = self.hosts[agent.id] = self.make_host(seated, account)
        return host

    def make_host(self, agent: Agent, account: AccountBook) -> Host:
        """The place of an agent."""
        return Host(self, agent, account, self.routes(agent.id))

    def routes(self, agent: AgentId) -> Any:
        """The links of an agent to its peers."""
        return self.network.routes(self.seed, agent, self.places)

    def host(self, agent: AgentId) -> Host:
        """An agent's place; raises `ScenarioError` if there is no such agent."""
        try:
            return self.hosts[agent]
        except KeyError:
            raise ScenarioError("agent", agent, f"an agent of this world ({some(self.hosts)})") from None

    # ------------------------------------------------------------------ conversations
    def open_top(
        self, mechanism: Mechanism, items: tuple[Item, ...], opener: AgentId, participants: tuple[AgentId, ...],
        finish_by: float,
    ) -> ConversationId:  # fmt: skip
        """Open a conversation that no other has opened; its id is ``opener/k``."""
        number = self.opened.get(opener, 0) + 1
        while f"{opener}/{number}" in self.book:  # roles have been seated there by hand
            number += 1
        self.opened[opener], conversation = number, f"{opener}/{number}"
        self.open(conversation, mechanism, items, opener, participants, finish_by, parent=None)
        return conversation

    def open(
        self, conversation: ConversationId, mechanism: Mechanism, items: tuple[Item, ...], opener: AgentId,
        participants: tuple[AgentId, ...], finish_by: float, parent: Port | None,
    ) -> None:  # fmt: skip
        """Enter a conversation into the book and seat its opener, who starts in a moment: never inside a verb."""
        if parent is not None and not parent.is_deputy:
            self.provide(mechanism)  # a top-level one's is provided for before the run
        talk = Conversation(self, conversation, mechanism, items, opener, finish_by)
        talk.parent = parent
        talk.participants = participants
        top = "/".join(conversation.split("/", 2)[:2])
        if (
            top.startswith(f"{opener}/") and len(items) == 1
        ):  # announced for the first time, or again, by the same opener
            announced = (top, items[0].id)
            self.rounds[announced] = self.rounds.get(announced, 0) + 1
        self._enter(talk)
        self.trace.rows.append(
            (self.clock._now, "open", conversation, opener, mechanism.protocol, [i.id for i in items], participants, finish_by)
        )  # fmt: skip
        # Each deputy takes its seat when it comes to it.
        for agent in (parent.me,) if parent is not None and parent.is_deputy else talk.openers:
            self.seat_opener(talk, agent)

    def seat_opener(self, talk: Conversation, agent: AgentId) -> None:
        """Seat somebody who plays the opener's role, and who starts in a moment."""
        assert talk.mechanism is not None
        role = talk.mechanism.opener(talk.opener, talk.items, talk.participants)
        port = self.seat(talk, self.host(agent), role)
        self.clock.call_at(self.clock._now, DELIVERY, start, port)

    def provide(self, mechanism: Mechanism) -> None:
        """Make sure that the deputies of a mechanism are in this world, and the roles that it leans on."""
        for agent in mechanism.deputies():
            self._at_home(agent)
        for agent, conversation, role in mechanism.services():
            self._at_home(agent)
            if agent not in self.seats_of.get(conversation, ()):
                port = self.seat(self.bare(conversation, inf), self.hosts[agent], role)
                self.clock.call_at(self.clock._now, DELIVERY, start, port)

    def _at_home(self, agent: AgentId) -> None:
        if agent not in self.hosts:
            self.add(Agent(agent, money=0.0, capacity=0, operator=True))

    def _enter(self, talk: Conversation) -> None:
        self.book[talk.id] = talk
        self.seats_of[talk.id] = talk.seats
        if talk.finish_by != inf:
            self.clock.call_at(talk.finish_by, DEADLINE, overdue, talk)

    def bare(self, conversation: ConversationId, finish_by: float) -> Conversation:
        """The conversation of roles that are seated by hand; it has no opener and no mechanism."""
        talk = self.book.get(conversation)
        if talk is None:
            talk = Conversation(self, conversation, None, (), "", finish_by)
            self._enter(talk)
        return talk

    def seat(self, talk: Conversation, host: Host, role: Protocol) -> Port:
        """Give a role its port and its seat: one role per agent and conversation."""
        handlers = HANDLERS.get(role.__class__) or handlers_of(role.__class__)
        port = talk.seats[host.id] = role._port = self.port_class(host, talk, talk.id, role, handlers.known)
        talk.live += 1
        if talk.outcome is not None and talk.over:
            talk.expire_soon()  # it has come after the end
        return port

    def admit(self, entry: tuple[Any, ...]) -> Port | None:
        """A message for an agent without a seat there: a newcomer, or somebody whose conversation is over."""
        _, _, _, conversation, sender, to, message, sent = entry
        try:  # by [], which is much faster than `get`, and every newcomer comes by here
            talk, host = self.book[conversation], self.hosts[to]
        except KeyError:
            self.note_ignored(conversation, to, message, "over" if to in self.hosts else "unknown agent")
            return None
        mechanism = talk.mechanism
        if mechanism is None:
            self.note_ignored(conversation, to, message, "not seated")
            return None
        if len(host.rows) > FOLD_ROWS:  # `fold_soon`, unrolled
            self.trace.fold()
        role = mechanism.join(
            to, Envelope(conversation, mechanism.protocol, sender, to, message, sent, talk.finish_by)
        )
        if role is None:
            self.note_ignored(conversation, to, message, "turned away")
            return None
        try:  # `seat`, unrolled
            handlers = HANDLERS[type(role)]
        except KeyError:
            handlers = handlers_of(type(role))
        port = talk.seats[to] = role._port = self.port_class(host, talk, conversation, role, handlers.known)
        talk.live += 1
        if talk.outcome is not None and talk.over:
            talk.expire_soon()
        if handlers.starts or self.guarded:
            port.enter("on_start")
        return port

    def note_ignored(
        self, conversation: ConversationId, agent: AgentId, message: Message | None, why: str
    ) -> None:
        """A message that no role hears: nobody is seated there, and it does not seat anybody."""
        self.trace.rows.append((self.clock._now, "ignored", conversation, agent, message, why))

    def join(self, talk: Conversation, host: Host) -> None:
        """Seat an agent that joins by its own wish, unless the mechanism turns it away."""
        role = talk.mechanism.join(host.id, None) if talk.mechanism is not None else None
        if role is None:
            self.note_ignored(talk.id, host.id, None, "turned away")
        else:
            self.seat(talk, host, role).enter("on_start")

    def opener_ended(self, talk: Conversation, outcome: Outcome) -> None:
        """The opener's end is the conversation's outcome: unsettled money goes back, and who opened it is told."""
        self.ledger.abandon(f"{talk.id}#end", talk.id)
        if outcome.awards or outcome.status != "done":  # else its role leaves it to the awards that it made
            self.stood[talk.id] = outcome.awards
        if talk.parent is None:
            self.outcomes[talk.id] = outcome
            self.ended_at[talk.id] = self.clock._now
            if talk.id in self.ends:
                come_true(self.ends.pop(talk.id), outcome)
        else:
            if talk.parent.is_deputy:
                self.came_to[talk.id] = outcome
            self.clock.call_at(self.clock._now, DELIVERY, _tell_parent, talk)
        if talk.finish_by == inf and talk.live:
            talk.expire_soon()

    def conversation_dropped(self, talk: Conversation) -> None:
        """Its memory has been given back."""
        self.fold_soon()
        self.on_drop(talk)

    def cancel(self, conversation: ConversationId) -> None:
        """Tell a conversation's opener that it is no longer wanted."""
        talk = self.book.get(conversation)
        for port in talk.at_the_opening() if talk is not None else ():
            port.enter("on_cancel")

    def deliver_tell(self, told: tuple[Port, ConversationId, Message]) -> None:
        """A local message between two roles of one agent."""
        teller, conversation, message = told
        port = self.seats_of.get(conversation, {}).get(teller.me)
        if port is None or port.ended:
            self.note_ignored(conversation, teller.me, message, "nobody to tell")
        else:
            port.enter("on_told", teller.conversation, message)

    # ------------------------------------------------------------------ minds
    def answer(self, asked: Asked, pondered: bool = False) -> None:
        """Ask the strategy, now, or once its mind has pondered; an illegal or unaffordable answer is `otherwise`."""
        port, name, question = asked
        if port.asked is not asked and not is_open(asked):  # nearly always it is the only one
            return
        host, conversation = port.principal if port.talk.deputies else port.host, port.conversation
        if host.mind is not None and not pondered:
            host.mind.ask(asked)
            return
        if (port.now if self.guarded else self.clock._now) > question.decide_by:
            port.conclude((asked, question.otherwise, "silent"))
            return
        account = host.account
        account.asking = conversation
        try:
            answer = (host.strategy or self._default_strategy(port))(question, host.agent)
            legal = question.accepts(answer)
            commitment = question.commits(answer) if legal else None
            funded = commitment is None or account.hold(conversation, name, commitment)
        except ReplayError:
            raise
        except Exception as error:  # a strategy is not ours: whatever it does must not stop the run
            if host.strategy is None and isinstance(error, ScenarioError):
                raise  # the run was set up wrongly, which no default may hide
            port.note("note", f"{type(error).__name__} in the strategy: {without_addresses(error)}")
            port.conclude((asked, question.otherwise, "error"))
            return
        if not legal:
            port.note("note", _illegal(question, answer))
            port.conclude((asked, question.otherwise, "illegal"))
        elif not funded:
            port.conclude((asked, question.otherwise, "unfunded"))
        elif self.guarded:
            port.conclude((asked, answer, "ok"))
        else:  # `conclude`, unrolled: this is every answer of a well-behaved market
            if port.asked is asked:
                port.asked = None
            else:
                port.close(name)
            host.rows.append((self.clock._now, "answer", conversation, host.id, name, answer, "ok"))
            port.role.on_decision(name, answer)

    @staticmethod
    def _default_strategy(port: Port) -> Callable[[Any, Agent], Any]:
        mechanism = port.talk.mechanism
        return mechanism.default_strategy if mechanism is not None else _otherwise

    # ------------------------------------------------------------------ money and work
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
            self.awards.append((talk.id, line))

    def settle(
        self, port: Port, effect: str, item: str, paid: float, winner: AgentId | None, penalty: float
    ) -> None:
        """Pay for delivered work, once."""
        if self.ledger.settle(effect, port.conversation, item, paid, winner, penalty):
            port.note("settle", item, paid, winner, penalty)
            key = (port.conversation, item)
            self.paid[key] = self.paid.get(key, 0.0) + paid

    def work(self, task: Task, agent: AgentId) -> Report:
        """What truly happens when an agent does a task."""
        if self.instance is not None:
            report = self.instance.work(task, agent)
        else:
            estimate = self.hosts[agent].blueprint.estimate(task) or Estimate()
            report = Report("done", estimate.cost, estimate.quality, estimate.seconds)
        return check_report(report, task, agent)

    def work_ended(self, job: Job) -> None:
        """Keep what a job came to, for the result; not the job, which holds its whole conversation."""
        assert job.report is not None
        self.done.append(Done(job.port.conversation, job.port.me, job.task, job.report, self.clock._now))

    # ------------------------------------------------------------------ odds and ends
    def fold_soon(self) -> None:
        """Encode the rows of the trace when there are enough of them: while they are few, they are warm in the cache."""
        if len(self.trace.rows) > FOLD_ROWS:
            self.trace.fold()

    def proof(self, agent: AgentId, body: Any) -> bytes:
        """An agent's signature: a code under a key that only this world and the agent know."""
        key = f"{self.seed}/{agent}".encode()
        return hmac.digest(key, msgspec.msgpack.encode(body), "sha256")

    def verified(self, message: object) -> bool:
        """Whether every signature in a message, however deep, is true."""
        return all(hmac.compare_digest(s.proof, self.proof(s.by, s.body)) for s in signatures(message))

    def bury(self) -> None:
        """A timer was cancelled, or a deadline is met: its entry stays in the heap until half of the heap is dead."""
        self.dead_entries += 1
        if self.dead_entries > _SWEEP_ENTRIES and self.dead_entries * 2 > len(self.clock):
            self.clock.sweep(_is_dead)
            self.dead_entries = 0


def _is_dead(entry: tuple[Any, ...]) -> bool:
    act, about = entry[3], entry[4]
    if act is give_up:
        return not is_open(about)
    return about.dropped if act is overdue else act is fire and not about.live


def _illegal(question: Question, answer: object) -> str:
    """Why an answer did not count."""
    if inspect.iscoroutine(answer):
        answer.close()
        return "the strategy is a coroutine, which only live minds are"
    shown, legal = without_addresses(answer)[:80], ", ".join(cls.__name__ for cls in question.answers)
    return (
        f"the strategy answers {shown} ({type(answer).__name__}), which is not legal here; legal are: {legal}"
    )


def _otherwise(question: Any, agent: Agent) -> Any:
    return question.otherwise


def start(port: Port) -> None:
    """The first call of a role that has been opened or seated, unless another deputy has had it cancelled."""
    if not port.ended:
        port.enter("on_start")


def _tell_parent(talk: Conversation) -> None:
    assert talk.parent is not None and talk.outcome is not None
    if talk.parent.is_deputy:
        for port in talk.parent.talk.at_the_opening():
            port.child_ended(talk.id, talk.outcome)
    else:
        talk.parent.child_ended(talk.id, talk.outcome)
