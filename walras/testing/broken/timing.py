"""Bugs in timers and clocks: promises 3, 7 and 9."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

from walras.randomness import stream
from walras.simulation import hosts, port as port_module
from walras.simulation.guarded import GuardedWorld
from walras.simulation.guarded_port import GuardedPort
from walras.simulation.hosts import Mind
from walras.simulation.port import Port
from walras.simulation.world import World
from walras.testing.broken import bug
from walras.testing.patching import Patch


@bug
def timer_never_early(patch: Patch) -> None:
    """Timers are kept in whole sixteenths of a second, rounded down."""
    arm = Port.arm

    def rounded(self: Any, name: Any, at: float) -> None:
        arm(self, name, at - at % 0.0625)

    patch(Port, "arm", rounded)


@bug
def setting_again_moves_a_timer(patch: Patch) -> None:
    """Setting a timer to an earlier time leaves the later setting, which fires, too."""
    arm = Port.arm

    def added(self: Any, name: Any, at: float) -> None:
        old = (self.timers or {}).get(name)
        arm(self, name, at)
        if old is not None and old.at > at:
            self.clock.call_at(old.at, 3, lambda _: self.enter("on_timer", name), None)

    patch(Port, "arm", added)


@bug
def cancelled_timer_is_silent(patch: Patch) -> None:
    """Cancelling a timer that would fire within the next second comes too late."""
    cancel = Port.cancel_timer

    def lazy(self: Any, name: Any) -> None:
        timer = (self.timers or {}).get(name)
        if timer is None or not 0 < timer.at - self.clock._now < 1.0:
            cancel(self, name)

    patch(Port, "cancel_timer", lazy)


@bug
def timer_after_local_input_at_equal_instant(patch: Patch) -> None:
    """A timer that is due at once fires before anything else."""
    arm = Port.arm

    def urgent(self: Any, name: Any, at: float) -> None:
        if at <= self.clock._now and name == "due":
            self.clock.call_at(at, 0, lambda _: self.enter("on_timer", name), None)
        else:
            arm(self, name, at)

    patch(Port, "arm", urgent)


@bug
def timer_after_delivery_at_equal_instant(patch: Patch) -> None:
    """A timer comes before a message that arrives at the same instant, if it was set long ago."""
    arm = Port.arm

    def eager(self: Any, name: Any, at: float) -> None:
        arm(self, name, at)
        queue: list[Any] = self.clock._queue
        place = next(
            (k for k, e in enumerate(queue) if len(e) == 5 and e[1] == 3 and e[4].name == name), None
        )
        if place is not None and at > self.clock._now:
            queue[place] = (*queue[place][:1], 0, *queue[place][2:])

    patch(Port, "arm", eager)


@bug
def timer_never_after_finish(patch: Patch) -> None:
    """Finish forgets a role's timers without stopping them."""
    end = Port.end

    def forgetful(self: Any, outcome: Any) -> None:
        left = {name: timer.at for name, timer in (self.timers or {}).items()}
        role = self.role
        end(self, outcome)
        for name, at in left.items():
            self.clock.call_at(at, 3, lambda _, name=name: role.on_timer(name), None)

    patch(Port, "end", forgetful)


@bug
def timer_survives_restart(patch: Patch) -> None:
    """After a restart only the timers that are not yet due are set."""
    resume = GuardedPort._resume

    def amnesic(self: Any, done: Any) -> None:
        done.timers = {name: at for name, at in done.timers.items() if at > self.clock._now}
        resume(self, done)

    patch(GuardedPort, "_resume", amnesic)


@bug
def called_off_timer_stays_off_after_restart(patch: Patch) -> None:
    """A replay finds out which timers were set, and not which were cancelled."""
    cancel = GuardedPort.cancel_timer

    def unheard(self: Any, name: Any) -> None:
        if self.replayed is None:
            cancel(self, name)

    patch(GuardedPort, "cancel_timer", unheard)


@bug
def timer_can_be_called_off_in_a_pause(patch: Patch) -> None:
    """A timer that falls due in a pause has fired: what the role hears of it is already on its way."""
    postponed = GuardedPort.postponed

    def fired(self: Any, act: Any, argument: Any) -> bool:
        return act is not port_module.fire and postponed(self, act, argument)

    patch(GuardedPort, "postponed", fired)


# --------------------------------------------------------------------------------------------------- promise 7


@bug
def now_begins_at_the_epoch(patch: Patch) -> None:
    """At the very start, a role's clock shows the moment before."""
    patch(Port, "now", property(lambda self: self.clock._now or -1e-6))


@bug
def now_never_goes_back(patch: Patch) -> None:
    """A role with many timers reads a clock that is put right by a little, now and then."""
    tick = itertools.count()

    def jumpy(self: Any) -> float:
        now: float = self.clock._now
        return now - 0.4 * (next(tick) % 2) if len(self.timers or ()) > 8 else now

    patch(Port, "now", property(jumpy))


@bug
def now_never_goes_back_across_restarts(patch: Patch) -> None:
    """After a second restart, a clock is behind."""
    restart, now = GuardedWorld._restart, GuardedPort.now

    def counted(self: Any, host: Any) -> None:
        restarts = self.__dict__.setdefault("restarts", {})
        restarts[host.id] = restarts.get(host.id, 0) + 1
        restart(self, host)

    def behind(self: Any) -> float:
        read: float = now.fget(self)  # type: ignore[attr-defined]
        restarts = self.world.__dict__.get("restarts", {})
        return read - 3.0 if self.replaying is None and restarts.get(self.me, 0) > 1 else read

    patch(GuardedWorld, "_restart", counted)
    patch(GuardedPort, "now", property(behind))


@bug
def timers_are_on_ones_own_clock(patch: Patch) -> None:
    """A timer is set on the world's clock, whatever the agent's says."""
    patch(GuardedPort, "arm", Port.arm)


@bug
def questions_are_on_ones_own_clock(patch: Patch) -> None:
    """A question's deadline is read on the world's clock, whatever the agent's says."""
    ask = Mind.ask

    def worldly(self: Any, asked: Any) -> None:
        _, _, question = asked
        if question.decide_by < self.world.clock._now:
            hosts.give_up(asked)
        else:
            ask(self, asked)

    patch(Mind, "ask", worldly)


@bug
def children_are_on_ones_own_clock(patch: Patch) -> None:
    """A child's deadline is read on the world's clock, whatever its parent's says."""
    open_ = GuardedPort.open_child

    def worldly(
        self: Any, child: Any, mechanism: Any, items: Any, participants: Any, finish_by: float
    ) -> None:
        open_(
            self,
            child,
            mechanism,
            items,
            participants,
            self.skew.local(finish_by) if self.skew else finish_by,
        )

    patch(GuardedPort, "open_child", worldly)


@bug
def skew_does_not_age_messages(patch: Patch) -> None:
    """A message's age is its recipient's time less its sender's."""
    deliver = GuardedWorld.deliver

    def aged(self: Any, letter: Any) -> None:
        room, sender, to, message, sent = letter
        skews = [self.hosts[who].skew for who in (sender, to)]
        ahead = [skew.offset_s if skew is not None else 0.0 for skew in skews]
        deliver(self, (room, sender, to, message, sent + ahead[0] - ahead[1]))

    patch(GuardedWorld, "deliver", aged)


# --------------------------------------------------------------------------------------------------- promise 9


@bug
def same_seed_same_digest(patch: Patch) -> None:
    """The trace notes an address in memory."""
    kept: list[object] = []
    made = World.__init__

    def noted(self: Any, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        kept.append(object())
        self.trace.rows.append((0.0, "note", "", "", str(id(kept[-1]))))

    patch(World, "__init__", noted)


@bug
def other_seed_other_digest(patch: Patch) -> None:
    """A lossy network is the same for every seed, and so is what roles draw there."""
    routes, rng = GuardedWorld.routes, Port.rng

    def seedless(self: Any, agent: str) -> Any:
        seed, self.seed = self.seed, 0
        found = routes(self, agent)
        self.seed = seed
        return found

    def same(self: Any) -> Random:
        return Random(1) if self.world.network.loss else rng.fget(self)  # type: ignore[attr-defined]

    patch(GuardedWorld, "routes", seedless)
    patch(Port, "rng", property(same))


@bug
def streams_are_the_roles_own(patch: Patch) -> None:
    """All roles of a conversation have streams of one key."""
    patch(port_module, "stream", lambda seed, purpose, room, me: stream(seed, purpose, room))


@bug
def streams_depend_on_the_seed(patch: Patch) -> None:
    """A stream's key leaves out the seed."""
    patch(port_module, "stream", lambda seed, *names: stream(0, *names))
