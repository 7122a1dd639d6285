"""The clock's lanes: what order entries come in, who gets a message, and what stopping and going on leave behind."""

from collections import deque
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest
import simpy
from hypothesis import given, strategies as st
from simpy.core import EmptySchedule, StopSimulation

from walras.simulation.clock import ANSWER, DEADLINE, DELIVERY, TIMER, Clock

INFINITY = float("inf")


class Hello:
    """A message."""

    def __init__(self, text: Any = "") -> None:
        self.text = text


class Hall:
    """A clock whose messages are noted in `log`, with b seated in conversation c; newcomers may be let in."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock if clock is not None else Clock()
        self.log: list[Any] = []
        self.ready: deque[Any] = deque()
        self.port = SimpleNamespace(role=self, handlers={Hello: Hall.on_hello})
        self.admitted: dict[str, Any] = {}
        self.admit_asks = False
        self.refused: list[tuple[Any, ...]] = []
        self.clock.host({"c": {"b": self.port}}, self.admit, self.ready, self.answer)

    def on_hello(self, sender: str, message: Hello) -> None:
        if callable(message.text):
            message.text()
        else:
            self.note(message.text)

    def note(self, what: Any) -> None:
        self.log.append((self.clock.now, what))

    def admit(self, entry: tuple[Any, ...]) -> Any:
        self.refused.append(entry)
        if self.admit_asks:
            self.ready.append("door")
        return self.admitted.get(entry[5])

    def answer(self, asked: Any) -> None:
        self.note(("answer", asked))

    def letter(
        self, at: float, text: Any = "hello", to: str = "b", conversation: str = "c"
    ) -> tuple[Any, ...]:
        return (at, DELIVERY, next(self.clock._eid), conversation, "a", to, Hello(text), self.clock.now)

    def post(self, at: float, text: Any = "hello", to: str = "b") -> None:
        self.clock.fan([self.letter(at, text, to)])


class SteppingClock(Clock):
    """`run` goes through an overridden `step`."""

    def step(self) -> None:
        super().step()


class StepByStep(Clock):
    """`run` is a bare loop over `step`, with no other machinery."""

    def run(self, until: Any = None) -> Any:
        assert until is None
        while self.peek() < INFINITY:
            self.step()


def callbacks_of(event: simpy.Event) -> list[Callable[[Any], None]]:
    """The callbacks of an event that has not been processed."""
    assert event.callbacks is not None
    return event.callbacks


any_clock = pytest.mark.parametrize("make", [Clock, SteppingClock])
any_way = pytest.mark.parametrize("make", [Clock, SteppingClock, StepByStep])


# ---------------------------------------------------------------------------------------------------------- order
@any_way
def test_at_one_instant_deliveries_answers_timers_and_deadlines_come_in_this_order(make: type[Clock]) -> None:
    hall = Hall(make())
    for priority in (DEADLINE, TIMER, ANSWER, DELIVERY):
        hall.clock.call_at(1.0, priority, hall.note, priority)
    hall.post(1.0, "message")
    stop = hall.clock.event()
    stop._ok, stop._value = True, None
    callbacks_of(stop).append(lambda _: hall.note("urgent"))
    hall.clock.schedule(stop, simpy.events.URGENT, 1.0)
    hall.clock.run()
    assert [what for _, what in hall.log] == ["urgent", DELIVERY, "message", ANSWER, TIMER, DEADLINE]
    assert {time for time, _ in hall.log} == {1.0}


@any_way
def test_equal_time_and_priority_come_in_the_order_of_scheduling_across_all_kinds(make: type[Clock]) -> None:
    hall = Hall(make())
    hall.clock.call_at(1.0, DELIVERY, hall.note, "call")
    hall.post(1.0, "first message")
    callbacks_of(hall.clock.timeout(1.0)).append(lambda _: hall.note("event"))
    hall.post(1.0, "second message")
    hall.clock.call_at(1.0, DELIVERY, hall.note, "last call")
    hall.clock.run()
    assert [what for _, what in hall.log] == ["call", "first message", "event", "second message", "last call"]


times = st.one_of(st.integers(0, 3).map(float), st.floats(0, 4))
batches = st.lists(
    st.one_of(
        st.tuples(st.just("fan"), st.lists(times, max_size=12)),
        st.tuples(st.just("heap"), st.tuples(times, st.integers(DELIVERY, DEADLINE))),
        st.tuples(st.just("event"), times),
        st.tuples(st.just("push"), times),
    ),
    max_size=25,
)


@pytest.mark.parametrize("make", [Clock, SteppingClock, StepByStep])
@given(batches=batches, later=batches)
def test_heap_and_broadcasts_merge_in_the_order_of_time_priority_and_id(
    make: type[Clock], batches: list[Any], later: list[Any]
) -> None:
    """Scheduled beforehand, or from within a call that happens on the way: nothing lost, nothing twice."""
    hall = Hall(make())
    clock = hall.clock
    expected: list[tuple[float, int, int]] = []

    def noting(time: float, priority: int) -> Callable[..., None]:
        """What the next id will be called with: it notes when that happens."""
        key = (time, priority, next(clock._eid) + 1)
        expected.append(key)
        return lambda *_: hall.log.append((clock.now, *key[1:]))

    def schedule(some: list[Any]) -> None:
        start = clock.now
        for kind, what in some:
            if kind == "fan":
                clock.fan([hall.letter(start + delay, noting(start + delay, DELIVERY)) for delay in what])
            elif kind == "heap":
                time, priority = start + what[0], what[1]
                clock.call_at(time, priority, noting(time, priority), None)
            elif kind == "push":
                clock.push(hall.letter(start + what, noting(start + what, DELIVERY)))
            else:
                note = noting(start + what, DELIVERY)
                callbacks_of(clock.timeout(what)).append(note)

    schedule(batches)
    clock.call_at(2.0, DELIVERY, schedule, later)
    assert len(clock) == len(expected) + 1
    clock.run()
    assert hall.log == sorted(expected)
    assert len(clock) == 0


@given(sizes=st.lists(st.integers(0, 40), max_size=12))
def test_the_next_time_and_the_number_of_entries_count_broadcasts(sizes: list[int]) -> None:
    """However the clock divides a broadcast between its lanes."""
    hall = Hall()
    arrivals: list[float] = []
    for number, size in enumerate(sizes):
        batch = [10.0 - number + k / 100 for k in range(size)]
        hall.clock.fan([hall.letter(at) for at in batch])
        arrivals += batch
        assert len(hall.clock) == len(arrivals)
        assert hall.clock.peek() == min(arrivals, default=INFINITY)
    for at in sorted(arrivals):
        assert hall.clock.peek() == at
        hall.clock.step()
        assert hall.clock.now == at
    assert hall.clock.peek() == INFINITY
    assert len(hall.clock) == 0


def test_a_small_broadcast_beside_a_long_run_goes_on_the_heap() -> None:
    """Sorting the whole run for it would cost more."""
    hall = Hall()
    hall.clock.fan([hall.letter(float(at)) for at in range(100)])
    assert (len(hall.clock._run), len(hall.clock._queue)) == (100, 0)
    hall.post(50.0)
    assert (len(hall.clock._run), len(hall.clock._queue)) == (100, 1)
    hall.clock.fan([hall.letter(float(at)) for at in range(25)])
    assert (len(hall.clock._run), len(hall.clock._queue)) == (125, 1)


@any_way
def test_a_call_in_the_past_happens_now(make: type[Clock]) -> None:
    """Time never runs backwards."""
    hall = Hall(make())
    hall.clock.call_at(5.0, TIMER, lambda _: hall.clock.call_at(1.0, TIMER, hall.note, "late"), None)
    hall.clock.run()
    assert hall.log == [(5.0, "late")]


def test_an_empty_clock_is_a_clock() -> None:
    """It starts at the float 0.0, is true though nothing is scheduled, and has no next step."""
    clock = Clock()
    assert clock
    assert len(clock) == 0
    assert (clock.now, type(clock.now), clock.peek()) == (0.0, float, INFINITY)
    with pytest.raises(EmptySchedule):
        clock.step()
    assert clock.run() is None


def test_event_makers_are_bound_early() -> None:
    """A subclass loses SimPy's own early binding, and with it an eighth of the speed of processes."""
    clock = SteppingClock()
    for name in ("process", "timeout", "event", "all_of", "any_of"):
        assert getattr(clock, name) is getattr(clock, name), name
    assert isinstance(clock.timeout(1), simpy.Timeout)


# ---------------------------------------------------------------------------------------------------------- due
def test_due_asks_for_this_instant_and_this_priority_or_a_more_urgent_one() -> None:
    hall = Hall()
    clock = hall.clock
    seen: dict[str, list[bool]] = {}

    def look(name: str) -> None:
        seen[name] = [clock.due(priority) for priority in (DELIVERY, ANSWER, TIMER, DEADLINE)]

    clock.call_at(1.0, DELIVERY, look, "a timer waits")
    clock.call_at(1.0, TIMER, look, "nothing now")
    clock.call_at(2.0, DELIVERY, look, "a message waits")
    hall.post(2.0, lambda: look("after the message"))
    clock.call_at(3.0, DELIVERY, look, "nothing at all")
    clock.run()
    assert seen == {
        "a timer waits": [False, False, True, True],
        "nothing now": [False] * 4,
        "a message waits": [True] * 4,
        "after the message": [False] * 4,
        "nothing at all": [False] * 4,
    }


# ---------------------------------------------------------------------------------------------------------- sweep
@given(alive=st.lists(st.tuples(times, st.booleans()), max_size=40), messages=st.lists(times, max_size=10))
def test_sweep_removes_the_dead_and_nothing_else(
    alive: list[tuple[float, bool]], messages: list[float]
) -> None:
    """Messages and SimPy's events are not even asked about; the rest keeps its order, and a run goes on with it."""
    hall = Hall()
    clock = hall.clock
    asked: list[int] = []
    expected: list[tuple[float, Any]] = []
    for at, lives in alive:
        clock.call_at(at, TIMER, hall.note, lives)
        expected += [(at, True)] if lives else []
    for at in messages:
        hall.post(at)
        callbacks_of(clock.timeout(at)).append(lambda _: hall.note("event"))
        expected += [(at, "hello"), (at, "event")]

    def dead(entry: tuple[Any, ...]) -> bool:
        asked.append(len(entry))
        return entry[4] is False

    clock.call_at(0.0, 0, lambda _: clock.sweep(dead), None)  # in the midst of the run
    clock.run()
    assert asked == [5] * len(alive)
    assert sorted(hall.log, key=repr) == sorted(expected, key=repr)
    assert [at for at, _ in hall.log] == sorted(at for at, _ in expected)
    assert clock.now == max((at for at, _ in expected), default=0.0), (
        "dead entries drag the clock past the end"
    )


# ---------------------------------------------------------------------------------------------------------- messages
@any_way
def test_a_message_goes_to_the_handler_of_its_class_and_sender(make: type[Clock]) -> None:
    hall = Hall(make())
    heard: list[Any] = []
    hall.port.handlers[Hello] = lambda role, sender, message: heard.append((role, sender, message))
    letter = hall.letter(1.5)
    hall.clock.fan([letter])
    hall.clock.run()
    assert heard == [(hall, "a", letter[6])]
    assert hall.refused == []


@any_way
def test_without_a_seat_the_door_decides(make: type[Clock]) -> None:
    """It gets the entry; the port that it returns is used, and None means that it has dealt with the message."""
    hall = Hall(make())
    hall.admitted["n"] = hall.port
    letters = [
        hall.letter(1.0, "newcomer", "n"),
        hall.letter(2.0, "stranger", "x"),
        hall.letter(3.0, "gone", "b", "d"),
    ]
    hall.clock.fan(letters)
    hall.clock.run()
    assert hall.log == [(1.0, "newcomer")]
    assert hall.refused == letters
    assert hall.clock.now == 3.0


@any_way
def test_questions_are_answered_after_the_entry_that_left_them(make: type[Clock]) -> None:
    """Whether a message, a call, an event, or a message that the door dealt with."""
    hall = Hall(make())
    ask = hall.ready.append
    hall.post(1.0, lambda: ask("message"))
    hall.clock.call_at(2.0, TIMER, ask, "call")
    callbacks_of(hall.clock.timeout(3.0)).append(lambda _: ask("event"))
    hall.admit_asks = True
    hall.post(4.0, "refused", to="x")
    hall.clock.call_at(5.0, TIMER, hall.note, "end")
    hall.clock.run()
    answers = [(time, ("answer", what)) for time, what in enumerate(("message", "call", "event", "door"), 1)]
    assert hall.log == [*answers, (5.0, "end")]


# ---------------------------------------------------------------------------------------------------------- run
@any_clock
def test_run_until_a_time_stops_before_the_messages_of_that_time(make: type[Clock]) -> None:
    hall = Hall(make())
    for at in (1.0, 2.0, 3.0):
        hall.post(at, at)
    assert hall.clock.run(until=2) is None
    assert (hall.log, hall.clock.now, hall.clock.peek()) == ([(1.0, 1.0)], 2, 2.0)
    hall.clock.run(until=2.5)
    assert (hall.log, hall.clock.now) == ([(1.0, 1.0), (2.0, 2.0)], 2.5)
    hall.clock.run()
    assert (hall.log[-1], hall.clock.now) == ((3.0, 3.0), 3.0)
    hall.clock.run(until=10)
    assert hall.clock.now == 10


@any_clock
@pytest.mark.parametrize("until", [-1, 0, 1, 1.0])
def test_run_until_a_time_that_is_not_after_now_is_refused(make: type[Clock], until: float) -> None:
    clock = make()
    clock.run(until=1)
    clock.run()
    with pytest.raises(ValueError, match="must be greater"):
        clock.run(until=until)
    assert len(clock) == 0


@any_clock
def test_run_until_an_event_that_a_message_brings_about(make: type[Clock]) -> None:
    """Its value is returned, also later; what is scheduled after it waits for the next run."""
    hall = Hall(make())
    event = hall.clock.event()
    hall.post(1.0, lambda: event.succeed("sold"))
    hall.post(1.0, "after")
    assert hall.clock.run(until=event) == "sold"
    assert hall.clock.now == 1.0
    assert hall.log == [(1.0, "after")], "the event was scheduled after this message"
    hall.post(2.0, "later")
    assert hall.clock.run(until=event) == "sold"
    assert len(hall.log) == 1
    hall.clock.run()
    assert hall.log[1:] == [(2.0, "later")]


@any_clock
def test_an_until_that_never_happens_is_an_error(make: type[Clock]) -> None:
    hall = Hall(make())
    hall.post(1.0)
    with pytest.raises(RuntimeError, match='"until" event was not triggered'):
        hall.clock.run(until=hall.clock.event())
    assert hall.log == [(1.0, "hello")]


@any_clock
@pytest.mark.parametrize("lane", ["call", "message", "event"])
def test_an_error_in_a_handler_comes_out_and_a_later_run_goes_on(make: type[Clock], lane: str) -> None:
    hall = Hall(make())

    def fail(*_: Any) -> None:
        hall.ready.append("asked before the error")
        raise KeyError("mine")

    schedule: dict[str, Callable[[], object]] = {
        "call": lambda: hall.clock.call_at(1.0, DELIVERY, fail, None),
        "message": lambda: hall.post(1.0, fail),
        "event": lambda: callbacks_of(hall.clock.timeout(1.0)).append(fail),
    }
    schedule[lane]()
    hall.post(1.0, "same time")
    hall.clock.call_at(2.0, TIMER, hall.note, "timer")
    with pytest.raises(KeyError, match="mine"):
        hall.clock.run()
    assert (hall.clock.now, len(hall.clock), hall.log) == (1.0, 2, [])
    hall.clock.run()
    assert hall.log == [(1.0, "same time"), (1.0, ("answer", "asked before the error")), (2.0, "timer")]


@any_clock
def test_questions_asked_while_the_clock_stands_still_are_answered_when_it_goes_on(make: type[Clock]) -> None:
    """At the time at which they were asked, though nothing else is due then, or ever."""
    hall = Hall(make())
    hall.clock.run(until=3)
    hall.ready.append("between runs")
    hall.clock.call_at(7.0, TIMER, hall.note, "timer")
    hall.clock.run()
    assert hall.log == [(3, ("answer", "between runs")), (7.0, "timer")]
    hall.ready.append("at the end")
    hall.clock.run()
    assert hall.log[2:] == [(7.0, ("answer", "at the end"))]


@any_way
def test_all_questions_of_an_instant_come_after_its_deliveries_and_before_its_thoughts(
    make: type[Clock],
) -> None:
    hall = Hall(make())
    hall.clock.call_at(1.0, DELIVERY, lambda _: hall.ready.extend(("one", "two")), None)
    hall.clock.call_at(1.0, DELIVERY, hall.note, "delivery")
    hall.clock.call_at(1.0, ANSWER, hall.note, "thought")
    hall.post(2.0, "later")
    hall.clock.run()
    assert [what for _, what in hall.log] == [
        "delivery",
        ("answer", "one"),
        ("answer", "two"),
        "thought",
        "later",
    ]


@any_clock
def test_a_clock_with_an_open_question_is_not_done(make: type[Clock]) -> None:
    hall = Hall(make())
    assert not hall.clock.waiting
    hall.ready.append("question")
    assert hall.clock.waiting


@any_clock
def test_what_a_stopping_event_has_left_to_do_comes_before_answers(make: type[Clock]) -> None:
    """Stopping does not change the order: its other callbacks, messages of this instant, then the questions it has left."""

    def traced(stop: bool) -> list[Any]:
        hall = Hall(make())
        event = hall.clock.timeout(1.0, "value")
        callbacks_of(event).append(lambda _: hall.ready.append("question"))
        if stop:
            callbacks_of(event).append(StopSimulation.callback)
        callbacks_of(event).append(lambda _: hall.note("rest"))
        hall.post(1.0, "message")
        if stop:
            assert hall.clock.run() == "value"
            assert hall.log == []
        hall.clock.run()
        return hall.log

    assert traced(stop=True) == traced(stop=False) == [
        (1.0, "rest"), (1.0, "message"), (1.0, ("answer", "question")),
    ]  # fmt: skip


@any_clock
def test_a_call_can_stop_the_run_and_say_why(make: type[Clock]) -> None:
    """`StopSimulation` from a call or a handler ends `run` with its argument; the next run goes on behind it."""
    hall = Hall(make())

    def stop(why: str) -> None:
        raise StopSimulation(why)

    hall.clock.call_at(1.0, 0, stop, "horizon")
    hall.post(1.0, lambda: stop("all sold"))
    hall.post(1.0, "rest")
    assert hall.clock.run() == "horizon"
    assert hall.clock.run() == "all sold"
    assert hall.clock.run() is None
    assert hall.log == [(1.0, "rest")]


# ---------------------------------------------------------------------------------------------------------- step
def traced_step(clock: Clock, seen: list[float]) -> Callable[[], None]:
    """SimPy's documentation traces like this: a plain function in the place of the method."""
    step = clock.step

    @wraps(step)
    def tracing() -> None:
        seen.append(clock.peek())
        step()

    return tracing


def three_entries(clock: Clock) -> Hall:
    hall = Hall(clock)
    hall.post(1.0, "message")
    hall.clock.call_at(2.0, TIMER, hall.note, "call")
    hall.clock.timeout(3.0)
    return hall


def test_run_honours_a_step_that_was_patched_on_the_clock() -> None:
    hall = three_entries(Clock())
    seen: list[float] = []
    hall.clock.step = traced_step(hall.clock, seen)  # type: ignore[method-assign]
    hall.clock.run()
    assert seen == [1.0, 2.0, 3.0, INFINITY], "the last one finds nothing and ends the run"
    assert hall.log == [(1.0, "message"), (2.0, "call")]


def test_run_honours_a_step_that_was_patched_on_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = three_entries(Clock())
    seen: list[float] = []
    step = Clock.step

    def tracing(clock: Clock) -> None:
        seen.append(clock.peek())
        step(clock)

    monkeypatch.setattr(Clock, "step", tracing)
    hall.clock.run(until=2.5)
    assert seen == [1.0, 2.0, 2.5]
    assert hall.log == [(1.0, "message"), (2.0, "call")]


def test_run_honours_a_step_that_was_overridden() -> None:
    seen: list[float] = []

    class Tracing(Clock):
        def step(self) -> None:
            seen.append(self.peek())
            super().step()

    hall = three_entries(Tracing())
    assert hall.clock.run(until=hall.clock.timeout(2.5, "done")) == "done"
    assert seen == [1.0, 2.0, 2.5]
    assert hall.log == [(1.0, "message"), (2.0, "call")]


def test_run_is_unrolled_otherwise() -> None:
    """Or the unrolled loop would never be tested."""
    hall = three_entries(Clock())
    hall.clock._pop = lambda: pytest.fail("step by step")  # type: ignore[method-assign]
    hall.clock.run()
    assert hall.log == [(1.0, "message"), (2.0, "call")]
