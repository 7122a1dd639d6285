"""The simulator's front: a scenario with a mechanism, or bare roles seated at agents, run on one clock."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from simpy.core import StopSimulation
from simpy.events import Event, Process

from walras.agents import Agent
from walras.amounts import is_number
from walras.errors import ScenarioError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol
from walras.results import Result
from walras.scenario import Arrival, Instance, Scenario, check_arrival, check_arrivals
from walras.simulation.admission import (
    check_agent,
    check_drawn,
    check_horizon,
    check_settings,
)
from walras.simulation.book import Conversation
from walras.simulation.clock import DELIVERY, Clock
from walras.simulation.faults import Faults
from walras.simulation.guarded import GuardedWorld
from walras.simulation.network import Network
from walras.simulation.progress import Progress
from walras.simulation.record import make_result
from walras.simulation.world import World, start
from walras.trace import Difference, Trace

Monitor = Callable[[World], None]
"""Sees the global state after every input; raises AssertionError if it does not like it."""

ALL_ENDED = "every conversation has ended"
FINITE_ENDED = "every conversation with a finish_by has ended"
NOTHING_LEFT = "nothing is left to happen"
SELDOM = 50_000
"""Objects between two young collections of garbage, while a run lasts."""


class Simulation:
    """One run of a discrete-event world.

    On the upper level, give it a scenario and a mechanism and `run` it. On the lower level, `add` agents, `seat` roles
    or `open` conversations by hand, share the world with SimPy processes of your own (`process`, `env`), and `run`.

    Args:
        scenario: settings of the world; None for a bare one.
        mechanism: how its items are allocated; needed with a scenario.
        seed: the same seed gives the same world and, with the same build, the same trace digest.
        network: instead of the scenario's network.
        faults: instead of the scenario's faults.
        check: call every role's `check` after every input (slower).
        monitors: called with the world after every input (slower).

    Raises:
        ScenarioError: for bad settings, before time 0.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        mechanism: Mechanism | None = None,
        seed: int = 0,
        *,
        network: Network | None = None,
        faults: Faults | None = None,
        check: bool = False,
        monitors: Iterable[Monitor] = (),
    ) -> None:
        watchers = () if callable(monitors) else tuple(monitors)
        check_settings(
            {
                "scenario": scenario,
                "mechanism": mechanism,
                "seed": seed,
                "network": network,
                "faults": faults,
                "monitors": watchers or monitors,
            }
        )
        self.scenario, self.mechanism, self.seed = scenario, mechanism, seed
        self.conditions: dict[str, Any] = {"network": network, "faults": faults}
        self.instance: Instance | None = check_drawn(scenario.draw(seed)) if scenario is not None else None
        drawn = self.instance
        of_scenario = (drawn.network, drawn.faults) if drawn is not None else (None, None)
        self.network: Network = next((n for n in (network, of_scenario[0]) if n is not None), Network())
        self.faults: Faults = next((f for f in (faults, of_scenario[1]) if f is not None), Faults())
        if check or watchers or self.network.faulty or self.network.forging or self.faults:
            self.world: World = GuardedWorld(
                seed, self.network, drawn, self.faults, check=check, monitors=watchers
            )
        else:
            self.world = World(seed, self.network, drawn)
        self.world.on_drop = self._dropped
        self.conversations: dict[ConversationId, Arrival] = {}
        self._arrivals = iter(drawn.arrivals if drawn is not None else ())
        self._next: Arrival | None = None
        self._live = 0
        self._processes: set[Event] = set()  # the user's own that have not ended
        self._horizon: float | None = None
        self._over = ""  # why it stopped, if every conversation has ended and nothing was added since
        self._started = False
        self._progress = Progress(False, 0)
        for agent in drawn.agents if drawn is not None else ():
            self.add(agent)
        if drawn is not None:
            if mechanism is not None:
                self.world.provide(mechanism)
            check_arrivals(drawn.arrivals, self.world.hosts)
            self.network.check(self.world.places)
            self.faults.check(self.world.hosts)

    # ------------------------------------------------------------------ the lower level
    @property
    def env(self) -> Clock:
        """The SimPy environment: users' own processes and resources live in it."""
        return self.world.clock

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self.world.clock._now

    def add(self, agent: Agent) -> None:
        """Bring an agent into the world, whose mind answers when it is called.

        Raises:
            ScenarioError: for an id that is taken, a setting that makes no sense, or, during a run, a place that the
                network does not know.
        """
        check_agent(agent)
        if self._started:  # else `run` checks all of them together
            self.network.check_place(agent.id, agent.place)
        self.world.add(agent)

    def process(self, generator: Generator[Any, Any, Any]) -> Process:
        """Start a SimPy process of the user's own in this world. While it lasts, a run that has a horizon goes on to it."""
        self._over = ""
        process = self.env.process(generator)
        self._processes.add(process)
        process.callbacks.append(self._process_ended)
        return process

    def seat(
        self, agent: AgentId, role: Protocol, conversation: ConversationId = "bare/1", finish_by: float = inf
    ) -> None:
        """Seat a bare role at an agent; all that share a conversation id can talk. It starts when the run does.

        A records role starts every new life from the state that it has here.
        """
        if not isinstance(role, Protocol):
            raise ScenarioError("role", role, "a role, made of a subclass of walras.Protocol, such as Ping()")
        world = self.world
        if agent in world.seats_of.get(conversation, ()):
            raise ScenarioError("agent", agent, f"one that is not seated in {conversation} yet")
        if not is_number(finish_by, self.now):
            raise ScenarioError(
                "finish_by", finish_by, f"a time in seconds, {self.now:g} or later, or infinity"
            )
        self._over = ""
        port = world.seat(world.bare(conversation, finish_by), world.host(agent), role)
        world.clock.call_at(world.clock._now, DELIVERY, start, port)

    def open(
        self,
        mechanism: Mechanism,
        items: Iterable[Item],
        opener: AgentId,
        participants: Iterable[AgentId] | None = None,
        *,
        at: float | None = None,
        finish_by: float = inf,
    ) -> Event:
        """Open a conversation at a time (None: now); its id is ``opener/k``, k counting this opener's.

        `participants` None: everybody else. One without a `finish_by` is not waited for while others have one.

        Returns:
            SimPy's event for the end of its opener, whose value is the `Outcome`: a process of the user's waits for it by
            ``outcome = yield simulation.open(...)``. A run without a horizon goes on if the process opens the next one then,
            and not if it pauses first.

        Raises:
            ScenarioError: for a mechanism, items, agents or times that make no sense, before anything is opened.
        """
        if not isinstance(mechanism, Mechanism):
            raise ScenarioError("mechanism", mechanism, "a Mechanism, such as contractnet.ContractNet()")
        if isinstance(items, Item):
            raise ScenarioError("items", items, "several, in a list: [item], if there is only one")
        if participants is None:
            aside = (opener, *mechanism.deputies())
            participants = tuple(agent for agent in self.world.hosts if agent not in aside)
        self.world.provide(mechanism)
        start_at = self.now if at is None else at
        arrival = Arrival(start_at, tuple(items), opener, tuple(participants), finish_by)
        check_arrival(arrival, self.world.hosts, self.now)
        self._live += 1
        self._over = ""
        end = self.env.event()
        self.world.clock.call_at(start_at, DELIVERY, self._open, (mechanism, arrival, end))
        return end

    def join(self, agent: AgentId, conversation: ConversationId) -> None:
        """Let an agent join a conversation by its own wish, now."""
        talk = self.world.book.get(conversation)
        if talk is None:
            raise ScenarioError("conversation", conversation, "the id of a conversation that is open")
        self._over = ""
        if agent not in talk.seats:
            self.world.join(talk, self.world.host(agent))

    def role(self, conversation: ConversationId, agent: AgentId) -> Protocol:
        """A role's present state, while its conversation is in the book."""
        try:
            role: Protocol = self.world.seats_of[conversation][agent].role
        except KeyError:
            raise ScenarioError("role", f"{agent} in {conversation}", "a role that is seated now") from None
        return role

    # ------------------------------------------------------------------ running
    def replay(self, recorded: Trace) -> Difference | None:
        """Run, and compare with a recorded trace: None if nothing differs, else the first difference, to be printed."""
        return recorded.first_difference(self.run().trace)

    def run(
        self, until: float | None = None, *, progress: bool | None = None, keep_trace: bool = True
    ) -> Result:
        """Run until every finite conversation has ended, or to a horizon; the result says why it stopped.

        May be called again to go on after a horizon; after the end it says the same again. Processes of your own may open
        more conversations: while one of them lasts, a run with a horizon goes on, and one without stops all the same, and
        says that it has not waited.

        Args:
            until: horizon in seconds of the run; None: as long as it takes.
            progress: show a progress bar; None: on long runs in a terminal.
            keep_trace: False only counts and hashes the trace, for runs too large to keep.
        """
        clock, self._horizon = self.world.clock, until
        over = self._over
        if until is None and over and (self._processes or not clock.eventful):
            return make_result(self, over)
        self.network.check(self.world.places)
        self.faults.check(self.world.hosts)
        if until is not None:
            check_horizon(until, clock._now)
            clock.watch_at(until, 0, self._stop, until)
        self.conditions["until_s"] = until
        self.world.trace.keep = keep_trace
        if not self._started:
            self._started = True
            self._schedule_next()
        self._progress = Progress(progress, len(self.instance.arrivals) if self.instance is not None else 0)
        try:
            with self._progress, patient_collector():
                why = clock.run()
        finally:
            if until is not None:  # it stopped before its horizon, which means nothing to a later run
                clock.sweep(lambda entry: entry[3] == self._stop)
        why = why or over or NOTHING_LEFT
        self._over = why if why.startswith(ALL_ENDED) else ""
        return make_result(self, why)

    def _schedule_next(self) -> None:
        self._next = next(self._arrivals, None)
        if self._next is not None:
            self.world.clock.call_at(self._next.at, DELIVERY, self._announce, self._next)

    def _announce(self, arrival: Arrival) -> None:
        self._live += 1
        assert self.mechanism is not None
        self._open((self.mechanism, arrival, None))
        self._schedule_next()

    def _open(self, asked: tuple[Mechanism, Arrival, Event | None]) -> None:
        mechanism, arrival, end = asked
        conversation = self.world.open_top(
            mechanism, arrival.items, arrival.opener, arrival.participants, arrival.finish_by
        )
        self.conversations[conversation] = arrival
        if end is not None:
            self.world.ends[conversation] = end
        if arrival.finish_by == inf:
            self._live -= 1  # endless ones are not waited for

    def _stop(self, horizon: float) -> None:
        raise StopSimulation(f"the horizon of {horizon:g} s was reached")

    def _dropped(self, talk: Conversation) -> None:
        if talk.id in self.conversations and self.conversations[talk.id].finish_by != inf:
            self._live -= 1
            self._progress.advance(self.world.clock._now)
        if talk.mechanism is not None:
            self._stop_if_over(talk.finish_by != inf)

    def _process_ended(self, process: Event) -> None:
        self._processes.discard(process)
        if process.ok:  # else its error stops the run
            self._stop_if_over(any(arrival.finish_by < inf for arrival in self.conversations.values()))

    def _stop_if_over(self, finite: bool) -> None:
        """Stop the run if no conversation has to be waited for; `finite`: even while endless ones go on."""
        if not self.conversations or self._live or self._next is not None:
            return
        mine = len(self._processes)
        if mine and self._horizon is not None:
            return
        rest = [talk.finish_by for talk in self.world.book.values() if talk.mechanism is not None]
        ignored = f"; {mine} of your own processes had not" if mine else ""
        if not rest:
            raise StopSimulation(ALL_ENDED + ignored)
        if finite and all(finish_by == inf for finish_by in rest):
            raise StopSimulation(FINITE_ENDED + ignored)


@contextmanager
def patient_collector() -> Iterator[None]:
    """Collect garbage less often while a run lasts: nearly all of it goes by reference counts."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, SELDOM), *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)
