"""Random SimPy models that write down everything they see, for `test_clock_equivalence.py`.

One pair of dice serves a whole model while it runs, so the first event out of order changes all that follows.
"""

from collections import deque
from collections.abc import Generator
from random import Random
from types import SimpleNamespace
from typing import Any

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import ConditionValue, Event, EventPriority, Process
from simpy.resources.resource import Preempted

from walras.simulation.clock import Clock

Act = Generator[Event, Any, Any]

# Few and coarse, so that much happens at the same instant.
DELAYS = (0, 0, 0.5, 1, 1, 1, 2, 3)
MOST_RINGS = 60
MOST_PROCESSES = 12


class Mishap(Exception):  # noqa: N818  # it is no error
    """What goes wrong on purpose."""


class Message:
    """What a model's messages carry: the host's handlers go by the class."""

    def __init__(self, text: str) -> None:
        self.text = text


def shown(value: Any) -> Any:
    """A value as two runs can compare it: without identities."""
    match value:
        case ConditionValue():
            return [shown(event.value) for event in value]
        case simpy.Interrupt():
            return ("interrupt", shown(value.cause))
        case Preempted():
            return ("preempted", value.usage_since)
        case Mishap():
            return ("mishap", *value.args)
        case None | str() | int() | float() | tuple():
            return value
        case list():
            return [shown(part) for part in value]
    return type(value).__name__


class Model:
    """Processes that share stores, resources and events, and calls and messages between them.

    With `lanes` the calls and messages are a clock's own entries, otherwise SimPy events with one callback.
    """

    def __init__(self, env: simpy.Environment, seed: int, lanes: bool) -> None:
        dice = self.dice = Random(f"model {seed}")
        self.env = env
        self.log: list[tuple[Any, ...]] = []
        self.store = simpy.Store(env, capacity=dice.randint(1, 3))
        self.filtered = simpy.FilterStore(env, capacity=dice.randint(1, 4))
        self.ranked = simpy.PriorityStore(env, capacity=dice.randint(1, 4))
        self.tank = simpy.Container(env, capacity=4, init=dice.randint(0, 4))
        self.desk = simpy.Resource(env, capacity=dice.randint(1, 2))
        self.queue = simpy.PriorityResource(env, capacity=dice.randint(1, 2))
        self.bed = simpy.PreemptiveResource(env, capacity=dice.randint(1, 2))
        self.signal = env.event()
        self.rings = 0
        self.clock = env if lanes and isinstance(env, Clock) else None
        if self.clock is not None:
            self.port = SimpleNamespace(handlers={Message: Model.on_message}, role=self)
            self.clock.host({"talk": {"seated": self.port}}, self.admit, deque(), lambda asked: None)
        self.processes: list[Process] = []
        for _ in range(dice.randint(3, 6)):
            self.spawn()

    def note(self, *what: Any) -> None:
        self.log.append((self.env.now, *what))

    def delay(self) -> float:
        return self.dice.random() if self.dice.random() < 0.15 else self.dice.choice(DELAYS)

    def spawn(self) -> Process:
        process = self.env.process(self.life(f"p{len(self.processes)}"))
        self.processes.append(process)
        return process

    # ------------------------------------------------------------------ processes
    def life(self, me: str) -> Act:
        for _ in range(self.dice.randint(2, 8)):
            act = self.dice.choice(ACTS)
            try:
                seen = yield from act(self)
            except (simpy.Interrupt, Mishap) as error:
                self.note(me, act.__name__, shown(error))
            else:
                self.note(me, act.__name__, shown(seen))
        if self.dice.random() < 0.1:
            raise Mishap(me)
        return me

    def sleep(self) -> Act:
        return (yield self.env.timeout(self.delay(), "slept"))

    def put_and_get(self) -> Act:
        yield self.store.put(self.env.now)
        yield self.env.timeout(self.delay())
        return (yield self.store.get())

    def get_in_time(self) -> Act:
        getting = self.store.get()
        seen = yield getting | self.env.timeout(self.delay(), "too late")
        if not getting.triggered:
            getting.cancel()
        return seen

    def put_in_time(self) -> Act:
        putting = self.store.put("in time")
        seen = yield putting | self.env.timeout(self.delay(), "too late")
        if not putting.triggered:
            putting.cancel()
        return seen

    def filter(self) -> Act:
        yield self.filtered.put(self.dice.randint(0, 3)) | self.env.timeout(1)
        least = self.dice.randint(0, 3)
        return (yield self.filtered.get(lambda item: item >= least) | self.env.timeout(self.delay(), "none"))

    def rank(self) -> Act:
        yield self.ranked.put(simpy.PriorityItem(self.dice.random(), "item")) | self.env.timeout(2)
        seen = yield self.ranked.get() | self.env.timeout(self.delay())
        return [getattr(event.value, "priority", "none") for event in seen]

    def pour(self) -> Act:
        yield self.tank.put(self.dice.randint(1, 2)) | self.env.timeout(self.delay())
        return self.tank.level

    def draw(self) -> Act:
        yield self.tank.get(self.dice.randint(1, 3)) | self.env.timeout(self.delay())
        return self.tank.level

    def queue_up(self) -> Act:
        with self.desk.request() as turn:
            seen = yield turn | self.env.timeout(self.delay(), "left")
            if turn.triggered:
                yield self.env.timeout(self.delay())
        return seen

    def queue_by_rank(self) -> Act:
        with self.queue.request(priority=self.dice.randint(0, 2)) as turn:
            yield turn
            yield self.env.timeout(self.delay())
        return self.queue.count

    def preempt(self) -> Act:
        rank, push = self.dice.randint(0, 2), self.dice.random() < 0.7
        with self.bed.request(priority=rank, preempt=push) as turn:
            yield turn
            yield self.env.timeout(self.delay(), "undisturbed")
        return rank

    # ------------------------------------------------------------------ conditions, failures, interrupts
    def several(self) -> list[Event]:
        events: list[Event] = [
            self.env.timeout(self.delay(), number) for number in range(self.dice.randint(0, 3))
        ]
        if self.dice.random() < 0.5:
            events.append(self.signal)
        if self.dice.random() < 0.5:
            others = [process for process in self.processes if process is not self.env.active_process]
            events += self.dice.sample(others, min(1, len(others)))
        return events

    def wait_for_all(self) -> Act:
        return (yield self.env.all_of(self.several()) | self.env.timeout(4, "enough"))

    def wait_for_any(self) -> Act:
        return (yield self.env.any_of(self.several()))

    def wait_for_signal(self) -> Act:
        return (yield self.signal | self.env.timeout(2, "no signal"))

    def give_signal(self) -> Act:
        if not self.signal.triggered:
            if self.dice.random() < 0.7:
                self.signal.succeed("signal")
            else:
                self.signal.fail(Mishap("signal"))
                self.signal.defused = self.dice.random() < 0.7
            self.signal = self.env.event()
        return (yield self.env.timeout(self.delay()))

    def disturb(self) -> Act:
        others = [p for p in self.processes if p.is_alive and p is not self.env.active_process]
        if others:
            self.dice.choice(others).interrupt("disturbed")
        return (yield self.env.timeout(self.delay()))

    def bear(self) -> Act:
        if len(self.processes) >= MOST_PROCESSES:
            return "enough"
        child = self.spawn()
        return (yield child) if self.dice.random() < 0.5 else (yield self.env.timeout(0))

    # ------------------------------------------------------------------ calls and messages
    def call(self) -> Act:
        for _ in range(self.dice.randint(1, 3)):
            self.call_later(self.delay(), self.dice.randint(0, 4))
        return (yield self.env.timeout(self.delay()))

    def call_later(self, delay: float, priority: int) -> None:
        self.rings += 1
        name = f"call {self.rings}"
        if self.clock is not None:
            self.clock.call_at(self.env.now + delay, priority, self.ring, name)
        elif priority == 1:
            self.env.timeout(delay).callbacks.append(lambda _: self.ring(name))
        else:
            self.plainly(delay, priority, lambda _: self.ring(name))

    def plainly(self, delay: float, priority: int, callback: Any) -> None:
        event = Event(self.env)
        event._ok, event._value = True, None
        event.callbacks.append(callback)
        self.env.schedule(event, EventPriority(priority), delay)

    def broadcast(self) -> Act:
        arrivals = [(self.delay(), to) for to in self.dice.choices(("seated", "newcomer", "stranger"), k=5)]
        arrivals = arrivals[: self.dice.randint(1, 5)]
        if self.clock is not None:
            now, ids = self.env.now, self.env._eid
            letters = [(now + d, 1, next(ids), "talk", "sender", to, Message(to), now) for d, to in arrivals]
            if len(letters) == 1:
                self.clock.push(*letters)
            else:
                self.clock.fan(letters)
        else:
            for delay, to in arrivals:
                self.plainly(delay, 1, lambda _, to=to: self.hear(to))
        return (yield self.env.timeout(self.delay()))

    def admit(self, entry: tuple[Any, ...]) -> Any:
        """The lanes' door: newcomers get in, strangers are dealt with here."""
        if entry[5] == "newcomer":
            return self.port
        self.hear(entry[5])
        return None

    def on_message(self, sender: str, message: Message) -> None:
        assert sender == "sender"
        self.hear(message.text)

    def hear(self, to: str) -> None:
        self.note("message", to)
        self.ring(to)

    def ring(self, name: str) -> None:
        """What a call or a message does: it meddles with the processes, calls again, or breaks."""
        self.note("ring", name)
        draw = self.dice.random()
        if draw < 0.3 and self.rings < MOST_RINGS:
            self.call_later(self.delay(), self.dice.randint(0, 4))
        elif draw < 0.5:
            self.store.put(name)
        elif draw < 0.7:
            alive = [process for process in self.processes if process.is_alive]
            if alive:
                self.dice.choice(alive).interrupt(name)
        elif draw < 0.85 and not self.signal.triggered:
            self.signal.succeed(name)
            self.signal = self.env.event()
        elif draw > 0.97:
            raise Mishap(name)


ACTS = (
    Model.sleep, Model.put_and_get, Model.get_in_time, Model.put_in_time, Model.filter, Model.rank, Model.pour,
    Model.draw, Model.queue_up, Model.queue_by_rank, Model.preempt, Model.wait_for_all, Model.wait_for_any,
    Model.wait_for_signal, Model.give_signal, Model.disturb, Model.bear, Model.call, Model.broadcast,
)  # fmt: skip


class Drive:
    """Runs a model in random pieces: to a time, until an event, by steps, and at last to its end."""

    def __init__(self, env: simpy.Environment, seed: int, lanes: bool) -> None:
        self.env = env
        self.dice = Random(f"drive {seed}")
        self.model = Model(env, seed, lanes)

    def trace(self) -> list[tuple[Any, ...]]:
        """All that the model and its driver saw, in order."""
        for _ in range(self.dice.randint(0, 12)):
            self.attempt(self.dice.choice((self.to_a_time, self.until_an_event, self.by_steps)))
        for _ in range(1_000):
            if self.env.peek() == float("inf"):
                break
            self.attempt(self.to_the_end)
        else:
            raise AssertionError("this model never ends")
        self.attempt(self.env.step)
        return self.model.log

    def attempt(self, way: Any) -> None:
        try:
            seen = shown(way())
        except (Mishap, RuntimeError, simpy.Interrupt, EmptySchedule, StopSimulation) as error:
            seen = ("raised", type(error).__name__, shown(error), shown(error.__cause__))
        env = self.env
        entries = len(env) if isinstance(env, Clock) else len(env._queue)
        self.model.note(way.__name__, seen, env.peek(), entries, env.active_process is None)

    def to_a_time(self) -> Any:
        return self.env.run(until=self.env.now + self.dice.choice((0.5, 1, 2, self.dice.random())))

    def until_an_event(self) -> Any:
        model = self.model
        events = [self.env.timeout(model.delay(), "time"), model.signal, self.dice.choice(model.processes)]
        return self.env.run(until=self.dice.choice(events))

    def by_steps(self) -> None:
        for _ in range(self.dice.randint(1, 15)):
            if self.dice.random() < 0.3:
                self.model.note("peek", self.env.peek())
            self.env.step()

    def to_the_end(self) -> Any:
        return self.env.run()
