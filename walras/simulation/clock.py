"""The clock: a real `simpy.Environment` with a lean lane for messages.

SimPy is the only clock, and users' own processes and resources share it. What differs from the plain environment is
that a message needs no event object: it is a flat tuple on SimPy's own heap, told apart by its length.

======== =================================================================== ==========================================
length   entry                                                               processed by
======== =================================================================== ==========================================
4        ``(time, priority, id, event)``                                     its callbacks, as SimPy has it
5        ``(time, priority, id, function, argument)``                        one call
8        ``(arrival, 1, id, conversation, sender, to, message, sent)``       the handler of the role that is seated there
======== =================================================================== ==========================================

All take their id from SimPy's counter, so ties fall in the order of scheduling and no comparison reaches past the id.
Priorities at one instant: deliveries 1 (SimPy's NORMAL), answers of minds 2, timers 3, deadlines of conversations 4,
looks of who only watches 5.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from operator import itemgetter
from typing import Any

from simpy.core import BoundClass, EmptySchedule, Environment, Infinity, StopSimulation
from simpy.events import URGENT, Event, EventPriority

DELIVERY, ANSWER, TIMER, DEADLINE, LOOK = 1, 2, 3, 4, 5

_FAN_RATIO = 4
"""A broadcast joins the sorted run unless the run is this many times longer: then the heap is cheaper than sorting."""

_arrival = itemgetter(0)
_NOBODY: dict[Any, Any] = {}


def _nobody_home(what: Any) -> None:
    return None


def come_true(event: Event, value: Any) -> None:
    """An event has happened, unless it has been triggered before. Where nobody waits for it, it takes no entry, and so no
    number: no digest shows that it was.
    """
    if event.triggered:
        return
    if event.callbacks:
        event.succeed(value)
    else:
        event._ok, event._value, event.callbacks = True, value, None  # type: ignore[assignment]


class Clock(Environment):
    """SimPy's environment, with `call_at` for cheap calls and a lane for the messages of one `host`."""

    _queue: list[Any]  # SimPy's heap, which holds our entries, too

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        for name, value in vars(Environment).items():  # early binding, which SimPy gives its own class only
            if type(value) is BoundClass:
                setattr(self, name, getattr(self, name))
        self._watches = count(-(2**62))
        self._run: list[tuple[Any, ...]] = []  # broadcast entries in descending order, beside the heap
        self._seats_of: dict[str, dict[str, Any]] = {}
        self._admit: Callable[[tuple[Any, ...]], Any] = _nobody_home
        self._ready: deque[Any] = deque()
        self._answer: Callable[[Any], None] = _nobody_home

    def host(
        self,
        seats_of: dict[str, dict[str, Any]],
        admit: Callable[[tuple[Any, ...]], Any],
        ready: deque[Any],
        answer: Callable[[Any], None],
    ) -> None:
        """Say who gets messages: ports by conversation and agent, and `admit` where no port is seated (it returns one, or
        None when it has dealt with the entry); and what to call with each question that a handler has left in `ready`.
        """
        self._seats_of, self._admit, self._ready, self._answer = seats_of, admit, ready, answer

    # ------------------------------------------------------------------ scheduling
    def call_at(self, time: float, priority: int, function: Callable[[Any], None], argument: Any) -> None:
        """Call ``function(argument)`` at an absolute time, now at the earliest: no event object, no way back."""
        if not time >= self._now:  # it has passed; or it is no number, and would put the heap out of order
            time = self._now
        heappush(self._queue, (time, priority, next(self._eid), function, argument))

    def watch_at(self, time: float, priority: int, function: Callable[[Any], None], argument: Any) -> None:
        """As `call_at`, for who only looks: its id is not SimPy's, so a run leaves the same trace with it or without."""
        heappush(self._queue, (time, priority, next(self._watches), function, argument))

    def push(self, entry: tuple[Any, ...]) -> None:
        """Schedule a ready entry, whose id the caller has drawn."""
        heappush(self._queue, entry)

    def fan(self, entries: list[tuple[Any, ...]]) -> None:
        """Schedule the message entries of one broadcast."""
        run = self._run
        if len(run) > _FAN_RATIO * len(entries):
            queue = self._queue
            for entry in entries:
                heappush(queue, entry)
        else:
            # Of those that arrive at one instant the latest stays in front, and so goes last: sorting is stable.
            run[:0] = reversed(entries)
            run.sort(key=_arrival, reverse=True)

    def due(self, priority: int) -> bool:
        """Whether an entry of this priority, or a more urgent one, waits at this very instant."""
        now, run, queue = self._now, self._run, self._queue
        if run and run[-1][0] == now and run[-1][1] <= priority:
            return True
        return bool(queue) and queue[0][0] == now and queue[0][1] <= priority

    def answer_ready(self) -> None:
        """Have the questions of this instant answered, unless something more urgent is due now: then they wait for it."""
        while self._ready:
            if self.due(DELIVERY):
                return  # that is processed next, and then `ready` is looked at again
            self._answer(self._ready.popleft())

    def sweep(self, dead: Callable[[tuple[Any, ...]], bool]) -> None:
        """Remove dead entries, which would otherwise rot in the heap and drag the clock past the end."""
        queue = self._queue
        queue[:] = [entry for entry in queue if len(entry) != 5 or not dead(entry)]
        heapify(queue)

    @property
    def waiting(self) -> bool:
        """Whether anything is scheduled or asked, beside the looks of who only watches."""
        return bool(self._run or self._ready) or any(entry[1] < LOOK for entry in self._queue)

    @property
    def eventful(self) -> bool:
        """Whether an event of SimPy's own is scheduled, as processes of users' have them."""
        return any(len(entry) == 4 for entry in self._queue)

    def __len__(self) -> int:
        """How many entries are scheduled."""
        return len(self._queue) + len(self._run)

    def __bool__(self) -> bool:
        return True  # an idle clock is still a clock

    def peek(self) -> float:
        """The time of the next entry; infinity if there is none."""
        heads = [lane[at][0] for lane, at in ((self._queue, 0), (self._run, -1)) if lane]
        return min(heads, default=Infinity)

    # ------------------------------------------------------------------ running
    def _pop(self) -> tuple[Any, ...]:
        queue = self._queue
        run = self._run
        if run and (not queue or run[-1] < queue[0]):
            return run.pop()
        if not queue:
            raise EmptySchedule
        return heappop(queue)

    def step(self) -> None:
        """Process the next entry; raises SimPy's `EmptySchedule` if there is none."""
        entry = self._pop()
        self._now = entry[0]
        if len(entry) == 8:
            port = self._seats_of.get(entry[3], _NOBODY).get(entry[5]) or self._admit(entry)
            if port is not None:
                handler = port.handlers.get(type(entry[6])) or port.learn(type(entry[6]))
                handler(port.role, entry[4], entry[6])
        elif len(entry) == 5:
            entry[3](entry[4])
        else:
            self._process(entry[3])
        self.answer_ready()

    def _process(self, event: Event) -> None:
        """SimPy's own event: what `Environment.step` does with it."""
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
        try:
            for callback in callbacks:
                callback(event)
        except StopSimulation:
            # The remaining callbacks are due first of all when the simulation goes on.
            event.callbacks = callbacks[callbacks.index(callback) + 1 :]
            self.schedule(event, EventPriority(-1))
            raise
        if not event._ok and not hasattr(event, "_defused"):
            error = type(event._value)(*event._value.args)
            error.__cause__ = event._value
            raise error

    def run(self, until: float | Event | None = None) -> Any:
        """Run to the end of the schedule, to a time, or until an event has happened (its value is returned)."""
        if self._ready and not self.due(-1):  # asked while the clock stood still, or before an error
            self.answer_ready()
        if getattr(self.step, "__func__", None) is not _STEP:  # overridden or patched: honour it
            return super().run(until)
        if until is not None:
            if not isinstance(until, Event):
                until = self._stop_at(until)
            elif until.callbacks is None:
                return until.value
            until.callbacks.append(StopSimulation.callback)
        try:
            self._loop()
        except StopSimulation as stop:
            return stop.args[0]
        if until is not None:
            assert not until.triggered
            raise RuntimeError(f'No scheduled events left but "until" event was not triggered: {until}')
        return None

    def _stop_at(self, until: float) -> Event:
        at = until if isinstance(until, int) else float(until)
        if at <= self.now:
            raise ValueError(f"until ({at}) must be greater than the current simulation time")
        stop = Event(self)
        stop._ok, stop._value = True, None
        self.schedule(stop, URGENT, at - self.now)
        return stop

    def _loop(self) -> None:
        """`step` without end, unrolled: messages and questions are handled here, and times compared before whole tuples."""
        queue = self._queue
        run = self._run
        pop, pop_run, process = heappop, run.pop, self._process
        seats_of, admit, ready, answer = self._seats_of, self._admit, self._ready, self._answer
        next_ready = ready.popleft
        while True:
            if run and queue:
                early, entry = run[-1][0], queue[0]
                if early < entry[0] or (early == entry[0] and run[-1] < entry):
                    entry = pop_run()
                else:
                    pop(queue)
            elif run or queue:
                entry = pop_run() if run else pop(queue)
            else:
                return
            if len(entry) == 8:
                self._now, _, _, conversation, sender, to, message, _ = entry
                try:
                    seats = seats_of[conversation]
                except KeyError:
                    seats = _NOBODY
                port = seats.get(to) or admit(entry)
                if port is not None:
                    try:
                        handler = port.handlers[type(message)]
                    except KeyError:
                        handler = port.learn(type(message))
                    handler(port.role, sender, message)
            else:
                self._now = entry[0]
                if len(entry) == 5:
                    entry[3](entry[4])
                else:
                    process(entry[3])
            while ready:  # `answer_ready`
                now = self._now
                if (run and run[-1][0] == now) or (queue and queue[0][0] == now and queue[0][1] <= DELIVERY):
                    break
                answer(next_ready())


_STEP = Clock.step
