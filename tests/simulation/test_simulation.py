"""The front of the simulator: its two levels, why a run stops, who shares its world, who may watch, what is bad input."""

import gc
import math
from collections.abc import Callable, Generator
from typing import Any

import pytest
import simpy
from simpy.events import Event

from contractnet import ContractNet
from tests.simulation.worlds import RULES, Errands, Knows, Player, bare
from walras import Agent, Arrival, Instance, Lot, Network, Protocol, Scenario, ScenarioError, Simulation, Task
from walras.allocation import Report
from walras.simulation import Crash, Faults, Matrix, Partition, World
from walras.simulation.simulation import SELDOM, patient_collector

# ------------------------------------------------------------------------------------------------------ two levels


def test_the_upper_level_runs_a_scenario_with_a_mechanism() -> None:
    """Every task gets its conversation, its award and its record; the result says who, what and why it stopped."""
    result = Simulation(Errands(), RULES, seed=3).run()
    assert (result.scenario, result.mechanism, result.seed) == ("errands", "fipa-contract-net", 3)
    assert list(result.outcomes) == [f"desk/{k}" for k in range(1, 7)]
    assert {line.winner for line in result.allocation.lines} == {"bob"}
    assert [record.announced_s for record in result.records] == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    assert result.stopped_because == "every conversation has ended"
    assert result.metrics["completed"] == 6


def test_the_lower_level_runs_bare_roles_that_are_seated_at_agents() -> None:
    """No scenario, no mechanism: agents are added, roles seated, and their state can be read while they play."""
    simulation = bare(network=Network())
    simulation.seat("a", Player("b", most=5, serves=True))
    simulation.seat("b", Player("a", most=5))
    seen: list[int] = []

    def watch() -> Generator[Any, Any, None]:
        for _ in range(2):
            yield simulation.env.timeout(0.055)
            role = simulation.role("bare/1", "b")
            assert isinstance(role, Player)
            seen.append(role.caught)

    simulation.process(watch())
    result = simulation.run()
    assert result.trace.message_counts() == {"Ball": 5}
    assert seen == sorted(seen)
    assert 0 < seen[-1] < 3
    assert result.stopped_because == "nothing is left to happen"


def test_bare_roles_and_conversations_share_a_world() -> None:
    """Both levels at once: a market opened by hand beside two players; the run ends with the market."""
    simulation = bare()
    simulation.seat("a", Player("b", most=3, serves=True), "game/1")
    simulation.seat("b", Player("a", most=3), "game/1")
    simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    result = simulation.run()
    assert result.outcomes["m/1"].awards[0].winner == "a"
    assert result.trace.message_counts()["Ball"] == 3
    assert result.stopped_because == "every conversation has ended"


def test_an_agent_may_come_late_or_join_by_its_own_wish() -> None:
    """Agents can be added between two runs; who wants to join what its mechanism does not offer is turned away."""
    simulation = bare()
    simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    simulation.run(until=0.001)
    simulation.add(Agent("late", costs=Knows(0.5)))
    simulation.join("late", "m/1")
    simulation.open(RULES, [Task("u")], "m", finish_by=60.0)
    result = simulation.run()
    assert result.allocation["t"].winner == "a"
    assert result.allocation["u"].winner == "late"
    assert [row.details["why"] for row in result.trace if row.agent == "late" and row.kind == "ignored"] == [
        "turned away"
    ]


# ------------------------------------------------------------------------------------------------- why a run stops


def test_a_run_that_goes_on_after_a_horizon_is_the_run_without_one() -> None:
    """The horizon cuts nothing, adds nothing, and what a result said at it stays said."""
    whole = Simulation(Errands(), RULES, seed=3).run()
    simulation = Simulation(Errands(), RULES, seed=3)
    first = simulation.run(until=11.0)
    assert first.stopped_because == "the horizon of 11 s was reached"
    assert (first.ended_s, simulation.now) == (11.0, 11.0)
    assert [record.status for record in first.records] == ["done", "done", "unfinished"]
    digest, rows = first.digest, len(first.trace)
    assert simulation.run(until=22.0).stopped_because == "the horizon of 22 s was reached"
    last = simulation.run()
    assert (first.digest, len(first.trace)) == (digest, rows)
    assert digest != last.digest == whole.digest
    assert last.trace.first_difference(whole.trace) is None
    assert last.outcomes == whole.outcomes


def test_a_horizon_that_was_not_needed_leaves_nothing_behind() -> None:
    """A later run is not stopped, nor the clock dragged on, by the horizon of an earlier one."""
    simulation = Simulation(Errands(), RULES)
    ended_s = simulation.run(until=9_000.0).ended_s
    assert ended_s < 60.0
    simulation.open(RULES, [Task("more")], "desk", at=100.0, finish_by=200.0)
    assert simulation.run().stopped_because == "every conversation has ended"
    assert simulation.run().ended_s < 300.0


def test_endless_conversations_are_waited_for_among_themselves() -> None:
    """The first of several conversations without a finish_by to end does not end the run of the others."""
    simulation = bare(agents={"a": {"costs": Knows(1.0, seconds=3.0)}, "b": {"costs": Knows(2.0, 40.0)}})
    simulation.open(RULES, [Task("short")], "m", ["a"])
    simulation.open(RULES, [Task("long")], "m", ["b"])
    result = simulation.run()
    assert [record.status for record in result.records] == ["done", "done"]
    assert result.stopped_because == "every conversation has ended"


def test_endless_conversations_are_not_waited_for_beside_finite_ones() -> None:
    """A run ends when every finite conversation has ended, and says that others have not."""
    simulation = bare(agents={"a": {"costs": Knows(1.0, seconds=3.0)}, "b": {"costs": Knows(2.0, 1e6)}})
    simulation.open(RULES, [Task("endless")], "m", ["b"])
    simulation.open(RULES, [Task("finite")], "m", ["a"], finish_by=50.0)
    result = simulation.run()
    assert [record.status for record in result.records] == ["unfinished", "done"]
    assert result.stopped_because == "every conversation with a finish_by has ended"


def test_conversations_and_arrivals_to_come_are_waited_for() -> None:
    """Between two conversations nothing is under way, and the run goes on all the same."""
    simulation = bare()
    for at in (0.0, 500.0):
        simulation.open(RULES, [Task(f"t{at:g}")], "m", at=at, finish_by=at + 60.0)
    assert len(simulation.run().outcomes) == 2
    assert len(Simulation(Errands(tasks=3, every_s=400.0), RULES).run().outcomes) == 3


# ---------------------------------------------------------------------------------------------- users' own processes


def customers(simulation: Simulation, count: int = 3) -> Generator[Event, Any, None]:
    """A process that has a task done every 100 s."""
    for k in range(count):
        simulation.open(RULES, [Task(f"t{k}")], "m", finish_by=simulation.now + 30.0)
        yield simulation.env.timeout(100.0)


def test_a_process_that_may_open_more_is_waited_for_up_to_the_horizon() -> None:
    """Between two of its conversations nothing is under way; after the last the run ends with the process."""
    simulation = bare()
    simulation.process(customers(simulation))
    result = simulation.run(until=1000.0)
    assert [record.status for record in result.records] == ["done"] * 3
    assert (result.ended_s, result.stopped_because) == (300.0, "every conversation has ended")
    cut_short = bare()
    cut_short.process(customers(cut_short))
    assert cut_short.run(until=150.0).stopped_because == "the horizon of 150 s was reached"


def test_without_a_horizon_no_process_is_waited_for_and_the_result_says_so() -> None:
    """One that watches for ever would never let a run end."""
    simulation = bare()
    simulation.process(customers(simulation))
    result = simulation.run()
    assert len(result.records) == 1
    assert result.stopped_because == "every conversation has ended; 1 of your own processes had not"
    assert len(simulation.run(until=1000.0).records) == 3


def test_a_process_that_fails_is_not_taken_for_one_that_has_ended() -> None:
    simulation = bare()

    def fails() -> Generator[Event, Any, None]:
        simulation.open(RULES, [Task("t")], "m", finish_by=30.0)
        yield simulation.env.timeout(100.0)
        raise OSError("a fault of its own")

    simulation.process(fails())
    with pytest.raises(OSError, match="a fault of its own"):
        simulation.run(until=1000.0)


def test_users_processes_and_resources_share_the_world_and_its_clock() -> None:
    """A SimPy process waits for a SimPy resource, opens a conversation when it has it, and sees its outcome."""
    simulation = bare(agents={"a": {"costs": Knows(1.0, seconds=10.0)}})
    crane = simpy.Resource(simulation.env, capacity=1)
    log: list[tuple[str, float]] = []

    def ship(name: str) -> Generator[Any, Any, None]:
        with crane.request() as turn:
            yield turn
            log.append((f"{name} has the crane", simulation.now))
            yield simulation.env.timeout(5.0)
            simulation.open(RULES, [Task(name)], "m", finish_by=simulation.now + 60.0)
        log.append((f"{name} leaves", simulation.now))

    simulation.process(ship("one"))
    simulation.process(ship("two"))
    result = simulation.run()
    assert log == [
        ("one has the crane", 0.0),
        ("one leaves", 5.0),
        ("two has the crane", 5.0),
        ("two leaves", 10.0),
    ]
    assert [(record.item, record.announced_s) for record in result.records] == [("one", 5.0), ("two", 10.0)]
    assert [record.status for record in result.records] == ["done", "done"]


@pytest.mark.parametrize("check", [False, True])
def test_a_process_waits_for_the_end_of_a_conversation_and_gets_its_outcome(check: bool) -> None:
    """At the very instant, and without a horizon: the run goes on with what the process opens then."""
    simulation = bare(agents={"a": {"costs": Knows(1.0, seconds=10.0)}}, check=check)
    log: list[tuple[str, str | None, float]] = []

    def one_after_the_other() -> Generator[Any, Any, None]:
        for name in ("one", "two"):
            at = simulation.now + 5.0
            outcome = yield simulation.open(RULES, [Task(name)], "m", at=at, finish_by=at + 60.0)
            log.append((outcome.status, outcome.awards[0].winner, simulation.now))

    simulation.process(one_after_the_other())
    result = simulation.run()
    ended = simulation.world.ended_at
    assert log == [("done", "a", ended["m/1"]), ("done", "a", ended["m/2"])]
    assert [record.announced_s for record in result.records] == [5.0, ended["m/1"] + 5.0]
    assert result.stopped_because == "every conversation has ended"
    assert simulation.world.ends == {}


def test_an_end_can_be_waited_for_when_it_has_come() -> None:
    simulation = bare()
    end = simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    simulation.run()
    seen: list[str] = []

    def late() -> Generator[Any, Any, None]:
        outcome = yield end
        seen.append(outcome.status)

    simulation.process(late())
    simulation.run(until=100.0)
    assert seen == ["done"]


@pytest.mark.parametrize("until", [None, 2.0], ids=["in one go", "over a horizon"])
def test_an_end_is_an_event_like_any_other(until: float | None) -> None:
    """In conditions, for several processes, and triggered by a user first: then its value is the user's."""
    simulation = bare(agents={"a": {"costs": Knows(1.0, seconds=10.0)}})
    ends = [simulation.open(RULES, [Task(f"t{k}")], "m", at=30.0 * k, finish_by=200.0) for k in range(3)]
    log: list[Any] = []

    def impatient() -> Generator[Any, Any, None]:
        yield ends[0] | simulation.env.timeout(3.0)
        log.append(("impatient", ends[0].triggered, simulation.now))
        yield simulation.env.all_of(ends[:2])
        first, second = (end.value for end in ends[:2])
        assert first is not None and second is not None
        log.append(("impatient", second.status, simulation.now == simulation.world.ended_at["m/2"]))

    def patient() -> Generator[Any, Any, None]:
        log.append(("patient", (yield ends[0]).status, simulation.now == simulation.world.ended_at["m/1"]))
        ends[2].succeed("enough")
        log.append(("patient", (yield ends[2]), simulation.now == simulation.world.ended_at["m/1"]))

    simulation.process(impatient())
    simulation.process(patient())
    if until is not None:
        assert simulation.run(until=until).stopped_because.startswith("the horizon")
    result = simulation.run()
    assert log == [
        ("impatient", False, 3.0),
        ("patient", "done", True),
        ("patient", "enough", True),
        ("impatient", "done", True),
    ]
    assert [outcome.status for outcome in result.outcomes.values()] == ["done"] * 3
    assert (ends[2].value, simulation.world.ends) == ("enough", {})


def test_who_comes_late_to_a_place_that_the_network_does_not_know_is_refused_at_once() -> None:
    simulation = Simulation(network=Network(latency=Matrix(("here",), ((0.1,),))))
    simulation.add(Agent("m", place="here"))
    simulation.run()
    with pytest.raises(ScenarioError, match="place of late is 'there'; expected one of here"):
        simulation.add(Agent("late", place="there"))
    assert "late" not in simulation.world.hosts


def test_an_end_that_nobody_waits_for_leaves_no_mark_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        simulation = bare()
        for k in range(3):
            simulation.open(RULES, [Task(f"t{k}")], "m", at=float(k), finish_by=60.0)
        return simulation.run().trace.digest

    seen = digest()
    monkeypatch.setattr("walras.simulation.world.come_true", lambda event, value: None)
    assert digest() == seen


def test_a_process_can_wait_for_what_a_market_brings_about() -> None:
    """An event of the user's own, triggered from a strategy, wakes a process at the time of the answer."""
    simulation = Simulation()
    simulation.add(Agent("m"))
    asked = simulation.env.event()

    def strategy(question: Any, agent: Agent) -> Any:
        asked.succeed(question.task.id)
        return question.otherwise

    woken: list[tuple[str, float]] = []

    def process() -> Generator[Any, Any, None]:
        woken.append(((yield asked), simulation.now))

    simulation.add(Agent("a", strategy))
    simulation.process(process())
    simulation.open(RULES, [Task("t")], "m", at=7.0, finish_by=60.0)
    result = simulation.run()
    arrival = next(row for row in result.trace if row.kind == "broadcast").details["arrivals"][0]
    assert woken == [("t", arrival)]


# ------------------------------------------------------------------------------------------------------- who watches


def test_a_run_has_garbage_collected_seldom_and_leaves_the_collector_as_it_was() -> None:
    """Also when a user's code raises; whoever collects more seldom still keeps that."""
    usual, seen = gc.get_threshold(), []

    def monitor(world: World) -> None:
        seen.append(gc.get_threshold())
        assert len(seen) < 3, "enough"

    with pytest.raises(AssertionError, match="enough"):
        Simulation(Errands(tasks=2), RULES, seed=1, monitors=[monitor]).run()
    assert seen == [(SELDOM, *usual[1:])] * 3
    assert gc.get_threshold() == usual
    gc.set_threshold(SELDOM + 1, *usual[1:])
    try:
        with patient_collector():
            assert gc.get_threshold() == (SELDOM + 1, *usual[1:])
    finally:
        gc.set_threshold(*usual)


def test_monitors_see_the_global_state_after_every_input() -> None:
    """Once per input of any role: starts, messages, timers, answers, work, each with the world as it is then."""
    seen: list[tuple[float, int]] = []

    def monitor(world: World) -> None:
        seen.append((world.clock.now, len(world.awards)))

    simulation = Simulation(Errands(tasks=2), RULES, seed=1, monitors=[monitor])
    result = simulation.run()
    heard = {"answer", "performed"}
    inputs = sum(row.kind in heard or row.kind == "open" for row in result.trace) + result.trace.messages
    # One role starts per conversation; a contractor's start is an input of its own, which the trace does not show.
    starts = 2 * 3
    assert len(seen) == inputs + starts
    assert seen == sorted(seen)
    assert {awards for _, awards in seen} == {0, 1, 2}


def test_a_monitor_that_objects_stops_the_run_and_the_error_says_after_which_input() -> None:
    def monitor(world: World) -> None:
        assert len(world.awards) < 2, "two awards are too many"

    with pytest.raises(AssertionError, match="two awards are too many") as caught:
        Simulation(Errands(), RULES, monitors=[monitor]).run()
    (note,) = caught.value.__notes__
    assert note.startswith("after input ")
    assert "of desk in desk/2" in note
    assert "Manager(" in note


class Juggler(Player):
    """Promises never to catch more than two balls, and does."""

    def check(self) -> None:
        assert self.caught <= 2, "three balls at once"


def players(**settings: Any) -> Simulation:
    simulation = bare(**settings)
    simulation.seat("a", Juggler("b", most=8, serves=True))
    simulation.seat("b", Player("a", most=8))
    return simulation


def test_check_catches_a_role_whose_invariant_breaks() -> None:
    """With check=True the run stops at the very input that broke it; without, nobody asks."""
    with pytest.raises(AssertionError, match="three balls at once") as caught:
        players(check=True).run()
    assert "Juggler(partner='b', most=8, serves=True, caught=3)" in caught.value.__notes__[0]
    assert players().run().trace.message_counts() == {"Ball": 8}


# -------------------------------------------------------------------------------------------------------- bad input


class Given(Scenario, frozen=True, kw_only=True):
    """A world made of what a test gives it."""

    name = "given"
    agents: tuple[Any, ...] = (Agent("m"), Agent("a"))
    arrivals: tuple[Arrival, ...] = ()

    def draw(self, seed: int) -> Instance:
        return Instance(self.agents, self.arrivals, seed=seed)


class Nothing(Scenario, frozen=True):
    """Its author has forgotten to return the world."""

    name = "nothing"

    def draw(self, seed: int) -> Instance:
        return None  # type: ignore[return-value]


class Careless(Scenario, frozen=True, kw_only=True):
    """One task, and an author who returns the wrong things."""

    name = "careless"
    says: dict[str, Any] = {}

    def draw(self, seed: int) -> Instance:
        world = Instance((Agent("m"), Agent("a", costs={"t": 1.0})), (arrival(),), seed=seed)
        for hook, said in self.says.items():
            setattr(world, hook, lambda *_, said=said: said)
        return world


class Unfinished(Instance):
    """Its `__init__` has forgotten the base's."""

    def __init__(self) -> None:
        pass


class Forgetful(Scenario, frozen=True):
    name = "forgetful"

    def draw(self, seed: int) -> Instance:
        return Unfinished()


def careless(**says: Any) -> Callable[[], Any]:
    return lambda: Simulation(Careless(says=says), RULES).run()


def arrival(**changes: Any) -> Arrival:
    fields = {"at": 1.0, "items": (Task("t"),), "opener": "m", "participants": ("a",), "finish_by": 9.0}
    return Arrival(**{**fields, **changes})


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "scenario": (
        lambda: Simulation("llm-router", RULES),  # type: ignore[arg-type]
        "scenario is 'llm-router'; expected a Scenario, such as scenarios.llm_router()",
    ),
    "mechanism": (
        lambda: Simulation(Errands(), "contract-net"),  # type: ignore[arg-type]
        "mechanism is 'contract-net'; expected a Mechanism, such as contractnet.ContractNet()",
    ),
    "no mechanism": (
        lambda: Simulation(Errands()),
        "mechanism is None; expected a mechanism, since a scenario is given",
    ),
    "no scenario": (
        lambda: Simulation(mechanism=RULES),
        "scenario is None; expected a scenario, since a mechanism is given",
    ),
    "seed": (lambda: Simulation(seed=True), "seed is True; expected a whole number"),
    "network": (
        lambda: Simulation(network="slow"),  # type: ignore[arg-type]
        "network is 'slow'; expected a walras.Network, or None for that of the scenario",
    ),
    "faults": (
        lambda: Simulation(faults=[Crash("a", 1.0, 1.0)]),  # type: ignore[arg-type]
        "faults is [Crash(agent='a', at_s=1.0, down_s=1.0)]; expected a walras.simulation.Faults",
    ),
    "monitors": (
        lambda: Simulation(monitors=[3]),  # type: ignore[list-item]
        "monitors is 3; expected functions of the world",
    ),
    "a monitor that is not in a list": (
        lambda: Simulation(monitors=print),  # type: ignore[arg-type]
        "monitors is <built-in function print>; expected functions of the world, in a list",
    ),
    "nobody": (lambda: Simulation(Given(agents=()), RULES), "agents is []; expected at least one agent"),
    "twins": (
        lambda: Simulation(Given(agents=(Agent("a"), Agent("a"))), RULES),
        "agent id is 'a'; expected an id of its own for every agent",
    ),
    "a twin who comes later": (
        lambda: bare().add(Agent("a")),
        "agent id is 'a'; expected an id that no other agent of this world has",
    ),
    "no agent": (lambda: bare().add("a"), "agent is 'a'; expected an Agent"),  # type: ignore[arg-type]
    "arrivals out of order": (
        lambda: Simulation(Given(arrivals=(arrival(), arrival(at=0.5))), RULES),
        "arrivals[1].at is 0.5; expected a time in seconds, 1 or later",
    ),
    "an arrival that is over": (
        lambda: Simulation(Given(arrivals=(arrival(finish_by=1.0),)), RULES),
        "arrivals[0].finish_by is 1.0; expected a time in seconds after 1, or infinity",
    ),
    "an unknown opener": (
        lambda: Simulation(Given(arrivals=(arrival(opener="x"),)), RULES),
        "arrivals[0].opener is 'x'; expected an agent of this world (m, a)",
    ),
    "an unknown participant": (
        lambda: Simulation(Given(arrivals=(arrival(participants=("a", "x")),)), RULES),
        "arrivals[0].participants is 'x'; expected an agent of this world (m, a)",
    ),
    "items that are none": (
        lambda: bare().open(RULES, ["t"], "m"),  # type: ignore[list-item]
        "items is 't'; expected items, such as Task('task-1')",
    ),
    "an item that is not in a list": (
        lambda: bare().open(RULES, Task("t"), "m"),  # type: ignore[arg-type]
        "items is Task(id='t'); expected several, in a list: [item], if there is only one",
    ),
    "a scenario that draws no world": (
        lambda: Simulation(Nothing(), RULES),
        "what the scenario draws is None; expected a walras.Instance, which `draw` has to return",
    ),
    "a scenario whose world is half made": (
        lambda: Simulation(Forgetful(), RULES),
        "what the scenario draws is <tests.simulation.test_simulation.Unfinished object",
    ),
    "arrivals whose items are in no tuple": (
        lambda: Simulation(Given(arrivals=(arrival(items=Task("t")),)), RULES),
        "arrivals[0].items is Task(id='t'); expected a tuple of items, such as (Task('task-1'),)",
    ),
    "work that is no report": (
        careless(work=5),
        "work on t by a is 5; expected a walras.allocation.Report",
    ),
    "work that ended as none does": (
        careless(work=Report("dne")),
        "status of t by a is 'dne'; expected one of done, failed, stopped, unknown",
    ),
    "work of no cost": (
        careless(work=Report("done", cost="much")),  # type: ignore[arg-type]
        "cost of t by a is 'much'; expected a finite number",
    ),
    "work of no quality": (
        careless(work=Report("done", quality=math.nan)),
        "quality of t by a is nan; expected a finite number",
    ),
    "work before it began": (
        careless(work=Report("done", seconds=-1.0)),
        "seconds of t by a is -1.0; expected a finite number of 0 or more",
    ),
    "a value that is none": (careless(value="much"), "value of t is 'much'; expected a finite number"),
    "a value beyond all numbers": (careless(value=math.inf), "value of t is inf; expected a finite number"),
    "an optimum that is none": (
        careless(optimum=5),
        "optimum of the scenario is 5; expected a walras.scenario.Optimum, or None",
    ),
    "items that are the same": (
        lambda: bare().open(RULES, [Task("t"), Task("t", "other")], "m"),
        "items is 't'; expected an id of its own for every item of a conversation",
    ),
    "no mechanism to open": (
        lambda: bare().open("contract-net", [Task("t")], "m"),  # type: ignore[arg-type]
        "mechanism is 'contract-net'; expected a Mechanism, such as contractnet.ContractNet()",
    ),
    "a time that is past": (
        lambda: bare().open(RULES, [Task("t")], "m", at=-1.0),
        "at is -1.0; expected a time in seconds, 0 or later",
    ),
    "a time that is none": (
        lambda: bare().open(RULES, [Task("t")], "m", at=math.nan),
        "at is nan; expected a time in seconds, 0 or later",
    ),
    "an end before the beginning": (
        lambda: bare().open(RULES, [Task("t")], "m", at=5.0, finish_by=5.0),
        "finish_by is 5.0; expected a time in seconds after 5, or infinity",
    ),
    "a lot for a Contract Net": (
        lambda: _run(lambda simulation: simulation.open(ContractNet(), [Lot("l")], "m")),
        "items is (Lot(id='l'),); expected one Task or more; lots are for auctions",
    ),
    "a seat that is taken": (
        lambda: players().seat("a", Player("b", most=1)),
        "agent is 'a'; expected one that is not seated in bare/1 yet",
    ),
    "a seat for no role": (
        lambda: bare().seat("a", Protocol),  # type: ignore[arg-type]
        "role is <class 'walras.protocol.Protocol'>; expected a role, made of a subclass of walras.Protocol, such as Ping()",
    ),
    "a seat for nobody": (
        lambda: bare().seat("x", Protocol()),
        "agent is 'x'; expected an agent of this world (m, a, b)",
    ),
    "a role that is not there": (
        lambda: bare().role("bare/1", "a"),
        "role is 'a in bare/1'; expected a role that is seated now",
    ),
    "a conversation that is not there": (
        lambda: bare().join("a", "m/1"),
        "conversation is 'm/1'; expected the id of a conversation that is open",
    ),
    "a horizon that is past": (
        lambda: bare().run(until=0),
        "until is 0; expected a time in seconds after now, which is 0",
    ),
    "a horizon that is none": (
        lambda: bare().run(until="noon"),  # type: ignore[arg-type]
        "until is 'noon'; expected a time in seconds after now, which is 0",
    ),
    "a horizon without end": (
        lambda: bare().run(until=math.inf),
        "until is inf; expected a time in seconds after now, which is 0",
    ),
    "a fault of nobody": (
        lambda: bare(faults=Faults((Crash("x", 1.0, 1.0),))).run(),
        "schedule[0].agent is 'x'; expected an agent of this world (m",
    ),
    "a partition of nobody": (
        lambda: bare(network=Network(partitions=(Partition(0.0, 1.0, ("x",)),))).run(),
        "partitions[0].side is 'x'; expected an agent of this world (m",
    ),
    "an agent nowhere": (
        lambda: bare(network=Network(latency=Matrix(("here",), ((0.1,),)))).run(),
        "place of m is ''; expected one of here",
    ),
}


def _run(prepare: Callable[[Simulation], object]) -> None:
    simulation = bare()
    prepare(simulation)
    simulation.run()


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_that_names_field_value_and_expectation(name: str) -> None:
    """A `ScenarioError` before anything has happened, never a bare Python error from the depths."""
    make, sentence = BAD[name]
    with pytest.raises(ScenarioError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


def test_partitions_and_faults_may_name_agents_who_are_yet_to_be_added() -> None:
    """On the lower level the agents come after the settings, which are checked when the run begins."""
    network = Network(partitions=(Partition(0.0, 100.0, ("a",)),))
    simulation = bare(network=network, faults=Faults((Crash("b", 50.0, 1.0),)))
    simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    assert simulation.run().allocation["t"].winner == "b"


def test_nobody_and_nothing_is_a_run_too() -> None:
    result = Simulation().run()
    assert (len(result.trace), result.stopped_because) == (0, "nothing is left to happen")
