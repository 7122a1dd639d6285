"""Bugs in calls, effects, messages and local messages: promises 1, 2, 5 and 6."""

from __future__ import annotations

from heapq import heappush
from typing import Any

from walras.errors import LocalProtocolError
from walras.simulation import book, port
from walras.simulation.disk import Disk
from walras.simulation.guarded import GuardedWorld
from walras.simulation.guarded_port import GuardedPort
from walras.simulation.port import Port
from walras.simulation.world import World
from walras.testing.broken import bug
from walras.testing.patching import Patch
from walras.testing.puppets import Note

# ---------------------------------------------------------------------------------------------- promises 1 and 2


@bug
def one_call_at_a_time(patch: Patch) -> None:
    """A tell to the conversation that it comes from is heard at once, inside the verb."""
    tell = Port.tell

    def immediate(self: Any, room: str, message: Any) -> None:
        if room == self.conversation:
            self.world.deliver_tell((self, room, message))
        else:
            tell(self, room, message)

    patch(Port, "tell", immediate)


@bug
def effects_in_order(patch: Patch) -> None:
    """Messages to others that arrive at the same time arrive in reverse."""
    send = Port.send

    def backwards(self: Any, to: str, message: Any) -> None:
        send(self, to, message)
        if to != self.me:
            queue: list[Any] = self.clock._queue
            entry = next(e for e in queue if len(e) == 8 and e[6] is message)
            queue.remove(entry)
            queue.sort()
            heappush(queue, (*entry[:2], -entry[2], *entry[3:]))

    patch(Port, "send", backwards)


@bug
def effects_wait_for_persist(patch: Patch) -> None:
    """A message leaves before the write that its own handler has asked for."""
    send = GuardedPort.send

    def hasty(self: Any, to: str, message: Any) -> None:
        if self.disk is not None and self.disk._open is not None:
            self._send(to, message)
        else:
            send(self, to, message)

    patch(GuardedPort, "send", hasty)


@bug
def effects_of_later_handlers_wait(patch: Patch) -> None:
    """Only the handler that persists waits for its write."""
    patch(Disk, "writing", property(lambda self: self._open is not None))


@bug
def effects_before_persist_leave(patch: Patch) -> None:
    """A role with a disk always waits as long as a write takes, even for what it did before."""
    send = GuardedPort._send

    def later(self: Any, to: str, message: Any) -> None:
        if self.disk is not None and self.host.disk is not None:
            at = self.clock._now + self.host.disk(self.clock._now)
            self.clock.call_at(at, 1, lambda _: send(self, to, message), None)
        else:
            send(self, to, message)

    patch(GuardedPort, "_send", later)


@bug
def timers_do_not_wait(patch: Patch) -> None:
    """A timer is set once the writes before it are durable."""
    set_timer = GuardedPort.set_timer

    def gated(self: Any, name: Any, at: float) -> None:
        if self.disk is not None and self.disk.writing:
            self.disk.after_write(lambda: set_timer(self, name, at), ())
        else:
            set_timer(self, name, at)

    patch(GuardedPort, "set_timer", gated)


@bug
def withdrawals_do_not_wait(patch: Patch) -> None:
    """A question is withdrawn once the writes before it are durable."""
    withdraw = GuardedPort.withdraw

    def gated(self: Any, name: Any) -> None:
        if self.disk is not None and self.disk.writing:
            self.disk.after_write(lambda: withdraw(self, name), ())
        else:
            withdraw(self, name)

    patch(GuardedPort, "withdraw", gated)


@bug
def persist_needs_no_faults(patch: Patch) -> None:
    """Where nothing fails there are no disks, and whoever persists is refused."""

    def refused(self: Any, record: Any) -> None:
        raise LocalProtocolError("there is no disk here")

    patch(Port, "persist", refused)


# --------------------------------------------------------------------------------------------------- promise 5


@bug
def true_names(patch: Patch) -> None:
    """A message carries its recipient's name as its sender's."""
    send = Port.send

    def misnamed(self: Any, to: str, message: Any) -> None:
        send(self, to, message)
        if to != self.me:
            queue: list[Any] = self.clock._queue
            place = next(k for k, e in enumerate(queue) if len(e) == 8 and e[6] is message)
            queue[place] = (*queue[place][:4], to, *queue[place][5:])

    patch(Port, "send", misnamed)


@bug
def quoted_signatures_verified(patch: Patch) -> None:
    """In the first second of a run, every signature is taken for true."""
    verified = World.verified
    patch(World, "verified", lambda self, message: self.clock._now < 1.0 or verified(self, message))


@bug
def signatures_verified_for_late_messages(patch: Patch) -> None:
    """After the first second of a run, every signature is taken for true."""
    verified = World.verified
    patch(World, "verified", lambda self, message: self.clock._now >= 1.0 or verified(self, message))


@bug
def late_messages_are_heard_in_on_late(patch: Patch) -> None:
    """Plain messages that reach a role soon after its finish are dropped."""

    def deaf(role: Any, sender: str, message: Any) -> None:
        if role._port.clock._now > 1.0:
            role.on_late(sender, message)

    patch(port, "OVER", {Note: deaf})


@bug
def finished_role_is_never_reborn(patch: Patch) -> None:
    """A while after its end a role is forgotten, though its conversation goes on: the next message makes another."""
    end = Port.end

    def forgotten(self: Any, outcome: Any) -> None:
        end(self, outcome)
        seats, me = self.talk.seats, self.me
        if self.talk.mechanism is not None and me != self.talk.opener:
            self.clock.call_at(self.clock._now + 1.0, 1, lambda _: seats.pop(me, None), None)

    patch(Port, "end", forgotten)


@bug
def memory_is_given_back(patch: Patch) -> None:
    """Conversations stay in the book for ever."""
    patch(book, "_drop", lambda talk: None)


@bug
def old_messages_are_dropped(patch: Patch) -> None:
    """The age of a message is counted from its arrival."""
    deliver = GuardedWorld.deliver

    def ageless(self: Any, letter: Any) -> None:
        deliver(self, (*letter[:4], self.clock._now))

    patch(GuardedWorld, "deliver", ageless)


@bug
def one_role_per_agent_and_conversation(patch: Patch) -> None:
    """Until a newcomer has settled down, every message to it makes another role."""
    admit = World.admit

    def unsettled(self: Any, entry: Any) -> Any:
        port = admit(self, entry)
        if port is not None and not self.network.duplication:
            port.talk.seats.pop(port.me)

            def settle(_: object) -> None:
                port.talk.seats.setdefault(port.me, port)

            self.clock.call_at(self.clock._now + 1e-6, 1, settle, None)
        return port

    patch(World, "admit", unsettled)


@bug
def doubles_reach_the_same_role(patch: Patch) -> None:
    """A second copy is taken for an invitation of its own."""
    admit = World.admit

    def twice(self: Any, entry: Any) -> Any:
        port = admit(self, entry)
        if port is not None and self.network.duplication:
            port.talk.seats.pop(port.me)
        return port

    patch(World, "admit", twice)


# --------------------------------------------------------------------------------------------------- promise 6


@bug
def tell_is_local_and_ordered(patch: Patch) -> None:
    """The last tell of a handler is heard first."""

    def backwards(self: Any, room: str, message: Any) -> None:
        self.demand_life("tell")
        entry = (self.clock._now, 1, -next(self.clock._eid), self.world.deliver_tell, (self, room, message))
        self.clock.push(entry)

    patch(Port, "tell", backwards)


@bug
def tell_is_never_lost(patch: Patch) -> None:
    """A tell goes over the network."""
    tell = GuardedPort.tell

    def lossy(self: Any, room: str, message: Any) -> None:
        if self.world.network.loss < 1.0:
            tell(self, room, message)

    patch(GuardedPort, "tell", lossy)


@bug
def self_message_is_never_lost(patch: Patch) -> None:
    """A message to oneself goes over the network, and may be lost."""
    copies = GuardedPort._copies

    def lossy(self: Any, to: str, message: Any, now: float) -> Any:
        return () if self.world.network.loss == 1.0 else copies(self, to, message, now)

    patch(GuardedPort, "_copies", lossy)


@bug
def self_message_is_never_doubled(patch: Patch) -> None:
    """A message to oneself goes over the network, and may be doubled."""
    copies = GuardedPort._copies

    def doubling(self: Any, to: str, message: Any, now: float) -> Any:
        found = copies(self, to, message, now)
        return found * 2 if to == self.me and self.world.network.duplication == 1.0 else found

    patch(GuardedPort, "_copies", doubling)


@bug
def local_messages_survive_a_crash(patch: Patch) -> None:
    """What reaches an agent whose machine is down is lost, wherever it comes from."""
    wait = GuardedPort.wait_for_restart

    def lost(self: Any, act: Any, argument: Any) -> None:
        if act not in (self._enter_again, self.world.deliver):
            wait(self, act, argument)

    patch(GuardedPort, "wait_for_restart", lost)


@bug
def local_messages_are_not_doubled_by_a_crash(patch: Patch) -> None:
    """A replay sends messages to oneself again, though the first ones are not lost."""
    patch(GuardedPort, "send", lambda self, to, message: self._outward(self._send, to, message))


@bug
def tell_to_a_records_role_dies_with_it(patch: Patch) -> None:
    """What is told to a records role while it is down waits for its next life."""

    def kept(self: Any, act: Any, argument: Any) -> None:
        self.missed.append((act, argument))

    patch(GuardedPort, "wait_for_restart", kept)


@bug
def tell_from_a_records_role_dies_with_it(patch: Patch) -> None:
    """What a records role told outlives its crash."""
    patch(GuardedWorld, "deliver_tell", World.deliver_tell)


@bug
def local_messages_wait_for_writes(patch: Patch) -> None:
    """A tell does not wait for the writes before it: it is local, after all."""
    tell = GuardedPort.tell

    def hasty(self: Any, room: str, message: Any) -> None:
        if self.disk is not None and self.disk.writing:
            Port.tell(self, room, message)
        else:
            tell(self, room, message)

    patch(GuardedPort, "tell", hasty)
