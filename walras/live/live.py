"""The live front: ``async with Live() as market``; add agents, run mechanisms among them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from pathlib import Path
from types import TracebackType

import msgspec

from walras.agents import Agent
from walras.amounts import is_above_0
from walras.errors import ScenarioError
from walras.items import Item
from walras.live.answers import Usage
from walras.live.audit import AuditTrail
from walras.live.budget import Budgets, Limits
from walras.live.conversation import Opening
from walras.live.deputies import provide
from walras.live.directory import Directory
from walras.live.guard import Guard
from walras.live.hosts import Work
from walras.live.journal import Journal
from walras.live.participant import Participant
from walras.live.recovery import bring_back, compact
from walras.live.runs import Run
from walras.live.runtime import Runtime
from walras.live.settings import Asker, Onlooker, Rules
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol
from walras.results import Result
from walras.scenario import Arrival, check_arrival
from walras.trace import Trace

log = logging.getLogger("walras.live")

DRAIN_LOOK_S = 0.05
"""How often to look whether a leaving agent has finished."""

A_MECHANISM = "a Mechanism, such as contractnet.ContractNet()"

FAREWELL_S = 5.0
"""How long a market that ends waits for its participants to give back what they hold."""


class Live:
    """A live market: the mechanisms of the simulator, among real participants, on asyncio.

    With a journal, a program that was killed and is started again goes on where it was: it adds the same agents and
    runs the same mechanisms in the same order, and finds what has already happened.

    Args:
        budget_usd: what all minds together may cost, in dollars; None: as much as it takes; 0: nothing, see `Limits`.
        seed: of the roles' random streams.
        journal: the file of the journal; None: nothing survives the process.
        guard: asks the minds, with budgets of its own; None: one with the budget above.
        rules: lifetimes, leases and the like; its seed is ignored.
        fsync: whether the journal waits for the disk, so that it survives power failures as well as kills.
        wall: the time of day in seconds, read once, so that time goes on while the program is down.

    Raises:
        ScenarioError: for a budget below 0 or beside a guard, for a guard that is none; on entering, for a journal that
            another process uses.

    Examples:
        >>> import asyncio
        >>> from contractnet import ContractNet
        >>> from walras.agents import Agent
        >>> from walras.items import Task
        >>> async def main() -> str:
        ...     async with Live(seed=7) as market:
        ...         market.add(Agent("ada", costs={"job": 3.0}))
        ...         market.add(Agent("bob", costs={"job": 2.0}))
        ...         result = await market.run(ContractNet(), items=[Task("job")], within_s=5)
        ...         return result.allocation["job"].winner
        >>> asyncio.run(main())
        'bob'
    """

    def __init__(
        self,
        *,
        budget_usd: float | None = None,
        seed: int = 0,
        journal: str | Path | None = None,
        guard: Asker | None = None,
        rules: Rules | None = None,
        fsync: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if guard is not None and not callable(getattr(guard, "answer", None)):
            raise ScenarioError("guard", guard, "a Guard, such as Guard(budgets=..., recording=...)")
        if guard is not None and budget_usd is not None:
            raise ScenarioError(
                "budget_usd", budget_usd, "none beside a guard: Guard(budgets=Budgets(Limits(usd=...)))"
            )
        limits = Limits(usd=inf if budget_usd is None else budget_usd)
        self.guard: Asker = guard if guard is not None else Guard(budgets=Budgets(limits))
        self._journal_path, self._fsync, self._wall = journal, fsync, wall
        if not isinstance(rules, Rules | None):
            raise ScenarioError("rules", rules, "Rules, or None")
        self._rules = msgspec.structs.replace(rules or Rules(), seed=seed)
        self._runtime: Runtime | None = None
        self._audit: AuditTrail | None = None
        self._directory: Directory | None = None
        self._participants: dict[int, Participant] = {}
        self.recovered = False
        """Whether the journal had a life to go on with."""

    # ------------------------------------------------------------------ opening and closing
    async def __aenter__(self) -> Live:
        journal = None if self._journal_path is None else Journal(self._journal_path, fsync=self._fsync)
        try:
            self._begin(journal)
        except BaseException:
            if journal is not None:
                journal.close()
            raise
        return self

    def _begin(self, journal: Journal | None) -> None:
        wall = self._wall()
        epoch = wall if self._rules.epoch is None else self._rules.epoch
        if journal is not None:
            began = journal.settle("epoch", epoch)
            if self._rules.epoch not in (None, began):
                raise ScenarioError("epoch", epoch, f"{began}, with which this journal was begun")
            epoch = began
            for name in ("seed", "lifetime_s"):
                ours = getattr(self._rules, name)
                settled = journal.settle(name, ours)
                if settled != ours:
                    raise ScenarioError(name, ours, f"{settled}, with which this journal was begun")
        runtime = self._runtime = Runtime(self.guard, journal, self._rules, epoch)
        self._directory = Directory(runtime)
        if journal is not None:
            self.recovered = bring_back(runtime, journal)
            self._resume_spending(runtime)
            runtime.agenda.compact = partial(compact, runtime)
            runtime.agenda.compact_at = self._rules.compact_every
        if self._rules.audit is not None:
            self._audit = AuditTrail(self._rules.audit, runtime.trace, self._rules.secret, fsync=self._fsync)
            market = {"seed": runtime.seed, "name": runtime.name, "epoch": epoch}
            self._audit.begin(market, self.recovered, journal is not None)
            runtime.agenda.committed = self._audit.keep_up
        runtime.agenda.start(asyncio.get_running_loop(), wall - epoch)

    def _resume_spending(self, runtime: Runtime) -> None:
        """What minds took before the program was killed counts against the budgets of its next life, too."""
        budgets = getattr(self.guard, "budgets", None)
        if not isinstance(budgets, Budgets) or budgets.reservations:  # a guard that was there has counted it
            return
        for _, kind, conversation, agent, *details in runtime.trace.since(0):
            if kind == "thought":
                usage = msgspec.convert(details[1], Usage, from_attributes=True)
                budgets.resume(agent, conversation if conversation in runtime.book else None, usage)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End here. With a journal, what goes on can be taken up by another program.

        Participants give back what they hold (`Participant.close`); those that are asked in another market open it anew.
        """
        runtime = self.runtime
        runtime.agenda.stop()
        for run in runtime.runs.values():
            run.fail(
                ScenarioError("market", "closed", "one that stays open until its conversations have ended")
            )
        tasks = [
            task for host in runtime.hosts.values() for task in (*host.mind.tasks(), *host.worker.tasks())
        ]
        runtime.inquiries.call_off()
        for host in runtime.hosts.values():
            host.detach()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            self._close_books(runtime)
        finally:
            self.guard.close()
            await self._dismiss()

    def _close_books(self, runtime: Runtime) -> None:
        journal, whole = runtime.agenda.journal, runtime.agenda.failed is None
        if journal is not None:
            try:
                if whole:
                    journal.commit()
            finally:
                journal.close()
        if self._audit is not None:
            self._audit.close(whole=whole)

    async def _dismiss(self) -> None:
        """Close the participants; one that fails at it, or takes too long, holds nobody up."""
        closing = {asyncio.ensure_future(mind.close()): mind for mind in self._participants.values()}
        self._participants = {}
        if closing:
            await asyncio.wait(closing, timeout=FAREWELL_S)
        for task, mind in closing.items():
            if not task.done():
                task.cancel()
                log.warning("%s was not closed within %g s", type(mind).__name__, FAREWELL_S)
            elif not task.cancelled() and task.exception() is not None:
                log.warning("%s could not be closed: %r", type(mind).__name__, task.exception())

    @property
    def runtime(self) -> Runtime:
        """The runtime beneath."""
        if self._runtime is None:
            raise ScenarioError("market", self, "one that is open: async with Live(...) as market")
        return self._runtime

    @property
    def directory(self) -> Directory:
        """Who is there, what each says it can do, and whether it is in good health."""
        if self._directory is None:
            raise ScenarioError("market", self, "one that is open: async with Live(...) as market")
        return self._directory

    @property
    def now(self) -> float:
        """Seconds since the run's epoch."""
        return self.runtime.agenda.clock()

    @property
    def trace(self) -> Trace:
        """Everything that has happened in this market until now."""
        return self.runtime.trace.so_far()

    def follow(self, onlooker: Onlooker) -> None:
        """Show every further row of the trace to an onlooker, once all that led to it is durable.

        What a market that is brought back had already shown is not shown again. An onlooker that raises is logged.
        """
        if not callable(onlooker):
            raise ScenarioError("onlooker", onlooker, "a function of one row of the trace")
        self.runtime.onlookers.follow(onlooker)

    # ------------------------------------------------------------------ agents
    def add(self, agent: Agent, worker: Work | None = None) -> None:
        """Bring an agent in, or back.

        Args:
            agent: its strategy is a plain function, a coroutine function or a participant; None: the mechanism's default.
            worker: does its tasks, see `walras.live.hosts.Work`; None: its strategy's `work`, if it has one, else
                nothing is truly done, and what it believes of the task (`costs`) comes true, as in simulation.
        """
        if not isinstance(agent, Agent):
            raise ScenarioError("agent", agent, "an Agent")
        if not (worker is None or callable(worker)):
            raise ScenarioError(f"worker of {agent.id}", worker, "a function of a task and its key, or None")
        self.runtime.add(agent, worker if worker is not None else getattr(agent.strategy, "work", None))
        if isinstance(agent.strategy, Participant):
            self._participants[id(agent.strategy)] = agent.strategy

    def leave(self, agent: AgentId) -> None:
        """The agent goes, now: its questions run out, its work waits for its return. Its account stays."""
        self.runtime.drain(agent)
        self.runtime.host(agent).detach()

    async def drain(self, agent: AgentId) -> None:
        """The agent finishes what it is in, takes part in nothing new, and goes."""
        self.runtime.drain(agent)
        book = self.runtime.book  # a goodbye is rare: it is looked for, and needs no bookkeeping of its own
        while any(not talk.seats[agent].ended for talk in book.values() if agent in talk.seats):
            await asyncio.sleep(DRAIN_LOOK_S)
        self.leave(agent)

    def add_absentee(self, agent: AgentId, money: float = inf, capacity: int = 1) -> None:
        """An agent whose roles live in another process (see `walras.live.peers`); its account for what we open is here."""
        if agent not in self.runtime.hosts:
            self.runtime.agenda.at_once(self.runtime.peers.take_absentee, agent, money, capacity)

    def serve(self, mechanism: Mechanism) -> None:
        """Let our agents join conversations that other processes open by this mechanism."""
        if not isinstance(mechanism, Mechanism):
            raise ScenarioError("mechanism", mechanism, A_MECHANISM)
        peers = self.runtime.peers
        if peers.protocols.get(mechanism.protocol) != mechanism:
            self.runtime.agenda.at_once(peers.take_protocol, mechanism)

    # ------------------------------------------------------------------ conversations
    async def run(
        self,
        mechanism: Mechanism,
        items: Iterable[Item],
        within_s: float = 60.0,
        *,
        opener: AgentId = "house",
        participants: Iterable[AgentId] | None = None,
    ) -> Result:
        """Open a conversation about these items and wait for its end.

        Args:
            mechanism: the rules.
            items: what is allocated.
            within_s: until when it is over at the latest, seconds from now.
            opener: who opens it; comes in, with unlimited credit, if it is not there.
            participants: who is invited; None: everybody else who is there.

        Raises:
            ScenarioError: for items, agents or times that make no sense, before anything happens.
        """
        conversation = self.open(mechanism, items, within_s, opener=opener, participants=participants)
        return await self.result(conversation)

    def open(
        self,
        mechanism: Mechanism,
        items: Iterable[Item],
        within_s: float = inf,
        *,
        opener: AgentId = "house",
        participants: Iterable[AgentId] | None = None,
    ) -> ConversationId:
        """As `run`, without waiting: the id of the conversation, ``opener/k``. By default it may last for ever."""
        runtime = self.runtime
        if not isinstance(mechanism, Mechanism):
            raise ScenarioError("mechanism", mechanism, A_MECHANISM)
        if isinstance(items, Item):
            raise ScenarioError("items", items, "several, in a list: [item], if there is only one")
        if not is_above_0(within_s):
            raise ScenarioError("within_s", within_s, "a number of seconds above 0")
        participants = None if participants is None else tuple(participants)
        for agent in participants or ():
            if not isinstance(agent, str):
                raise ScenarioError("participants", agent, "the id of an agent of this market")
        host = runtime.hosts.get(opener)
        if host is None:
            self.add(Agent(opener, capacity=0, operator=True))
        elif host.agent is None and not host.away:
            # the journal has brought its place back, and nobody who sits there
            self.add(Agent(opener, money=host.account.money, capacity=host.account.slots))
        provide(runtime, mechanism)
        whoever_is_there = participants is None
        if participants is None:
            aside = (opener, *mechanism.deputies())
            participants = (id_ for id_, h in runtime.hosts.items() if id_ not in aside and not h.draining)
        now = max(runtime.now, self.now)
        opening = Opening("", mechanism, tuple(items), opener, tuple(participants), now + within_s)
        check_arrival(
            Arrival(now, opening.items, opener, opening.participants, opening.finish_by), runtime.hosts, now
        )
        return runtime.open(opening, whoever_is_there).opening.id

    async def result(self, conversation: ConversationId) -> Result:
        """Wait for the end of a conversation that was opened here.

        Raises:
            ScenarioError: for another conversation.
        """
        run = self._run(conversation)
        await run.wait()
        await self.runtime.inquiries.reported()
        return run.result()

    def so_far(self, conversation: ConversationId) -> Result:
        """What a conversation has come to until now."""
        return self._run(conversation).result()

    def cancel(self, conversation: ConversationId) -> None:
        """Tell a conversation that it is no longer wanted; its outcome still comes."""
        self._run(conversation)
        self.runtime.agenda.at_once(self.runtime.take_cancel, conversation)

    def _run(self, conversation: ConversationId) -> Run:
        found = self.runtime.runs.get(conversation)
        if found is None:
            known = ", ".join(list(self.runtime.runs)[-8:]) or "none yet"
            raise ScenarioError("conversation", conversation, f"one that was opened here ({known})")
        return found

    # ------------------------------------------------------------------ bare roles
    def seat(
        self, agent: AgentId, role: Protocol, conversation: ConversationId = "bare/1", finish_by: float = inf
    ) -> None:
        """Seat a bare role at an agent; all that share a conversation id can talk.

        With a journal, a role that was seated before the program was killed is there already, as it was; one that
        recovers from records has begun a new life.
        """
        if not isinstance(role, Protocol):
            raise ScenarioError("role", role, "a Protocol")
        self.runtime.seat_bare(agent, role, conversation, finish_by)

    def role(self, conversation: ConversationId, agent: AgentId) -> Protocol:
        """A role's present state, while its conversation is in the book.

        Raises:
            ScenarioError: for one that is not seated, or not any more.
        """
        try:
            return self.runtime.book[conversation].seats[agent].role
        except KeyError:
            raise ScenarioError("role", f"{agent} in {conversation}", "a role that is seated now") from None

    def join(self, agent: AgentId, conversation: ConversationId) -> None:
        """Let an agent join a conversation by its own wish, now."""
        self.runtime.join(agent, conversation)
