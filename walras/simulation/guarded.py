"""The world in which things go wrong: faulty links, crashes, pauses, skewed clocks, slow disks; and that is watched.

The same promises as `World`, without its short cuts: every input passes one gate. Without faults it leaves the same
trace, row by row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from walras.agents import Agent
from walras.errors import ScenarioError
from walras.messages import AgentId, ConversationId, Message, can_quote
from walras.randomness import stream
from walras.simulation.clock import DELIVERY
from walras.simulation.faults import Crash, Faults, KillAt, Pause, Skew
from walras.simulation.guarded_port import GuardedPort
from walras.simulation.handlers import FORGED
from walras.simulation.hosts import Host, Mind
from walras.simulation.network import Network
from walras.simulation.world import World

if TYPE_CHECKING:
    from walras.scenario import Instance

Letter = tuple[ConversationId, AgentId, AgentId, Message, float]
"""A message on its way: conversation, sender, recipient, message, time of sending."""


class GuardedHost(Host):
    """An agent's place where it can be down or paused, with a clock and a disk of its own."""

    __slots__ = ("disk", "down_until", "held", "held_until", "skew", "survives")
    world: GuardedWorld

    def __init__(
        self, world: GuardedWorld, agent: Agent, account: Any, routes: Any, skew: Skew | None
    ) -> None:
        super().__init__(world, agent, account, routes)
        self.skew = skew
        if skew is not None and self.mind is None:
            self.mind = Mind(world, agent)  # a mind knows that a question's deadline is on another clock
        self.disk = world.faults.disk(world.seed, agent.id)
        self.survives = stream(world.seed, "torn", agent.id)
        self.down_until: float | None = None
        self.held_until: float | None = None
        self.held: deque[tuple[Callable[[Any], None], Any]] = deque()

    @property
    def down(self) -> bool:
        """Whether its machine is off."""
        return self.down_until is not None

    @property
    def paused(self) -> bool:
        """Whether it hears nothing for a while."""
        return self.held_until is not None


class GuardedWorld(World):
    """A world with faults, and with `check` and `monitors` after every input."""

    port_class = GuardedPort
    hosts: dict[AgentId, GuardedHost]  # type: ignore[assignment]

    def __init__(
        self,
        seed: int,
        network: Network,
        instance: Instance | None,
        faults: Faults,
        *,
        check: bool = False,
        monitors: tuple[Callable[[World], None], ...] = (),
    ) -> None:
        self.faults = faults
        self.check = check
        self.monitors = monitors
        self.mortal = bool(faults.kill_at) or any(isinstance(f, Crash) for f in faults.schedule)
        """Whether an agent may crash: then inputs are journaled."""
        self.kills: dict[tuple[ConversationId, AgentId], list[KillAt]] = {}
        for kill in faults.kill_at:
            self.kills.setdefault((kill.conversation, kill.agent), []).append(kill)
        super().__init__(seed, network, instance)
        if faults:
            self.linger_s = network.lifetime_s
        for fault in faults.schedule:
            if isinstance(fault, Crash | Pause):
                self.clock.call_at(fault.at_s, DELIVERY, self._strike, fault)

    def make_host(self, agent: Agent, account: Any) -> Host:
        skew = self.faults.skew(agent.id)
        if skew is not None:  # its holds end on its own clock
            account.clock = lambda: skew.local(self.clock._now)
        return GuardedHost(self, agent, account, self.routes(agent.id), skew)

    def routes(self, agent: AgentId) -> Any:
        if self.network.faulty:
            return self.network.faulty_routes(self.seed, agent, self.places)
        return self.network.routes(self.seed, agent, self.places)

    # ------------------------------------------------------------------ delivery
    def deliver(self, letter: Letter) -> None:
        """A message has arrived at an agent's machine."""
        conversation, sender, to, message, sent = letter
        now = self.clock._now
        host = self.hosts.get(to)
        if host is not None and host.down:
            if sender == to:  # local: it survives where roles replay, and dies with a records role
                port = self.seats_of.get(conversation, {}).get(to)
                if isinstance(port, GuardedPort):
                    port.wait_for_restart(self.deliver, letter)
                return
            self.trace.rows.append((now, "lost", conversation, to, to, message, "down"))
            return
        if host is not None and host.paused:
            host.held.append((self.deliver, letter))
            return
        if now - sent > self.network.lifetime_s and sender != to:
            self.trace.rows.append((now, "ignored", conversation, to, message, "too old"))
            return
        if can_quote(type(message)) and not self.verified(message):
            self.trace.rows.append((now, "ignored", conversation, to, message, FORGED))
            return
        port = self.seats_of.get(conversation, {}).get(to) or self.admit(
            (now, 1, 0, conversation, sender, to, message, sent)
        )
        if port is not None:
            port.enter("on_late" if port.ended else "on_message", sender, message)

    def deliver_tell(self, told: tuple[Any, ConversationId, Message]) -> None:
        """A local message; from a records role, it dies with the agent."""
        teller = told[0]
        if teller.disk is None or not teller.host.down:
            super().deliver_tell(told)

    def inject(self, conversation: ConversationId, sender: AgentId, to: AgentId, message: Message) -> None:
        """Deliver a message under a name that need not be true: for tests of protocols that have to survive it.

        Raises:
            ScenarioError: unless the network allows forging.
        """
        if not self.network.forging:
            raise ScenarioError(
                "forging", False, "True in this world's network: else the sender's name is true"
            )
        self.clock.call_at(
            self.clock._now, DELIVERY, self.deliver, (conversation, sender, to, message, self.clock._now)
        )

    def after_input(self, port: GuardedPort) -> None:
        """Every input has been handled to its end: look at the world."""
        try:
            if self.check:
                port.role.check()
            for monitor in self.monitors:
                monitor(self)
        except AssertionError as broken:
            where = f"input {port.input} of {port.me} in {port.conversation}, at {self.clock._now:g} s"
            broken.add_note(f"after {where}: {port.role!r}")
            raise

    # ------------------------------------------------------------------ faults
    def _strike(self, fault: Crash | Pause) -> None:
        if isinstance(fault, Crash):
            self.crash(fault.agent, fault.down_s)
        else:
            self.pause(fault.agent, fault.for_s)

    def crash(self, agent: AgentId, down_s: float) -> None:
        """An agent's machine stops now; two crashes that overlap last until the later end."""
        host = self.host(agent)
        assert isinstance(host, GuardedHost)
        until = self.clock._now + down_s
        if host.down_until is not None:
            host.down_until = max(host.down_until, until)
            return
        host.down_until = until
        self.trace.rows.append((self.clock._now, "crash", "", agent))
        host.worker.crash()
        if host.mind is not None:
            host.mind.crash()
        for port in self.ports_of(agent):
            port.lose_memory()
        held, host.held, host.held_until = host.held, deque(), None  # who is down is not paused any more
        for act, argument in held:
            act(argument)
        if until != float("inf"):
            self.clock.call_at(until, DELIVERY, self._restart, host)

    def _restart(self, host: GuardedHost) -> None:
        now = self.clock._now
        if host.down_until is None or now < host.down_until:
            if host.down_until is not None and host.down_until != float("inf"):
                self.clock.call_at(host.down_until, DELIVERY, self._restart, host)
            return
        host.down_until = None
        self.trace.rows.append((now, "restart", "", host.id))
        for port in self.ports_of(host.id):
            if not host.down:  # else one of its roles was killed again
                port.revive()

    def pause(self, agent: AgentId, for_s: float) -> None:
        """An agent hears nothing for a while; then it hears all of it, in order."""
        host = self.host(agent)
        assert isinstance(host, GuardedHost)
        if host.down:
            return
        until = max(self.clock._now + for_s, host.held_until or 0.0)
        host.held_until = until
        self.trace.rows.append((self.clock._now, "pause", "", agent, until))
        if until != float("inf"):
            self.clock.call_at(until, DELIVERY, self._resume, host)

    def _resume(self, host: GuardedHost) -> None:
        if host.held_until is None or self.clock._now < host.held_until:
            return
        host.held_until = None
        while host.held and not host.paused and not host.down:
            act, argument = host.held.popleft()
            act(argument)
            self.clock.answer_ready()

    def ports_of(self, agent: AgentId) -> list[GuardedPort]:
        """An agent's roles, in the order in which their conversations were opened."""
        return [seats[agent] for seats in self.seats_of.values() if agent in seats]  # type: ignore[misc]
