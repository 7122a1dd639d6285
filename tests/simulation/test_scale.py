"""Scale: finished conversations give their memory back, and a wide market costs no more per message than a narrow one."""

import gc
import json
import tracemalloc
import weakref
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale
from benchmarks.bytecodes import bytecodes
from benchmarks.engine import OurSide
from benchmarks.market import make_market
from benchmarks.scale import Town, measure
from contractnet import ContractNet, cheapest
from tests.interpreters import run_python
from tests.simulation.worlds import Knows
from walras import Agent, Simulation, Task
from walras.baselines import FirstComeClaim, RandomAssignment
from walras.mechanism import Mechanism
from walras.protocol import Protocol
from walras.simulation import Crash, Faults
from walras.simulation.world import FOLD_ROWS

GAP_S = 0.5
QUICK = ContractNet(
    reply_within_s=0.2, cancel_within_s=0.05, margin_s=0.05, announcements=1, award_rule=cheapest
)


class Rounds:
    """One conversation after the other, in one simulation; between stages its memory is measured."""

    def __init__(self, contractors: int, mechanism: Mechanism = QUICK, **settings: Any) -> None:
        self.mechanism = mechanism
        self.ids = tuple(f"c{k}" for k in range(contractors))
        self.simulation = Simulation(seed=1, **settings)
        self.simulation.add(Agent("m", operator=True, capacity=0))
        for k, name in enumerate(self.ids):
            self.simulation.add(Agent(name, costs=Knows(1.0 + k)))
        self.opened = 0

    def play(self, rounds: int, lasts_s: float = GAP_S) -> None:
        """Open and run so many more; each is over after a moment, though it might last `lasts_s`."""
        first = self.opened
        self.opened += rounds
        for k in range(first, self.opened):
            at = k * GAP_S
            self.simulation.open(
                self.mechanism, [Task(f"t{k}")], "m", self.ids, at=at, finish_by=at + lasts_s
            )
        self.simulation.run(until=self.opened * GAP_S - 0.01, progress=False, keep_trace=False)


def growth_per_round(contractors: int, lasts_s: float = GAP_S, **settings: Any) -> float:
    """Bytes that one more finished conversation takes, once a world is warm."""
    rounds = Rounds(contractors, **settings)
    tracemalloc.start()
    try:
        taken = []
        for _ in range(3):
            rounds.play(40, lasts_s)  # so few that nothing has been swept out of the heap yet
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
        return (taken[-1] - taken[0]) / 80
    finally:
        tracemalloc.stop()


def test_a_long_task_is_in_the_trace_as_often_as_it_is_announced(tmp_path: Path) -> None:
    """Not as often as minds are asked about it: with prompts for tasks, that would be most of the trace."""
    rounds, words = Rounds(20), "Summarise this. " * 1000
    rounds.simulation.open(QUICK, [Task("t", description=words)], "m", rounds.ids, finish_by=GAP_S)
    trace = rounds.simulation.run(progress=False).trace
    trace.to_jsonl(tmp_path / "trace.jsonl")
    asked = [row.details for row in trace if row.kind == "ask"]
    assert asked == 20 * [{"name": "bid", "decide_by": pytest.approx(0.15)}]
    assert (tmp_path / "trace.jsonl").read_text().count(words) == 1


@pytest.mark.parametrize("lasts_s", [GAP_S, 1e6], ids=["until the next", "with a far deadline"])
@pytest.mark.parametrize("check", [False, True], ids=["lean", "guarded"])
def test_memory_does_not_grow_with_finished_conversations(check: bool, lasts_s: float) -> None:
    """What stays is the line of the result (award, outcome, work, postings), however many took part and said what.

    A conversation of 40 leaves as much as one of 4, though 25 times as much is said in it; a far deadline, whose entry
    stays in the heap for a while, keeps hold of no participant.
    """
    few, many = growth_per_round(4, lasts_s, check=check), growth_per_round(40, lasts_s, check=check)
    assert few < 4_000
    assert many < 1.1 * few


def test_a_world_that_is_left_in_the_middle_is_collected() -> None:
    """Its ports and roles hold each other, and the world, in cycles that only the collector can undo."""
    simulation = Rounds(1).simulation
    simulation.open(QUICK, [Task("t")], "m", ["c0"], at=0.0, finish_by=GAP_S)
    simulation.run(until=0.06, progress=False, keep_trace=False)
    seated = [type(port.role).__name__ for port in simulation.world.seats_of["m/1"].values()]
    assert seated == ["Manager", "Contractor"]
    world = weakref.ref(simulation.world)
    del simulation
    gc.collect()
    assert world() is None


def alive(*kinds: str) -> Counter[str]:
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in kinds)


@pytest.mark.parametrize("mechanism", [QUICK, RandomAssignment(), FirstComeClaim()], ids=lambda m: m.protocol)
@pytest.mark.parametrize(
    "settings",
    [{}, {"check": True}, {"faults": Faults((Crash("c1", 3.0, 1.0),))}],
    ids=["lean", "guarded", "mortal"],
)
def test_no_role_port_or_journal_outlives_its_conversation(
    mechanism: Mechanism, settings: dict[str, Any]
) -> None:
    """Counted by type, whoever might hold them; of ports only those are left that a dead timer in the heap points to."""
    roles = (
        *("Manager", "Contractor", "Dispatcher", "Announcer", "Snapshot"),
        *(() if mechanism is QUICK else ("Worker",)),  # with a Contract Net, that is the agents' own worker
    )
    ports = ("Port", "GuardedPort")
    rounds = Rounds(10, mechanism, **settings)
    before = alive(*roles, *ports)
    rounds.play(30, lasts_s=1e6)
    rounds.simulation.open(mechanism, [Task("last")], "m", finish_by=1e6)
    rounds.simulation.run(until=rounds.simulation.now + 0.04, progress=False)
    assert alive(*roles) - before != Counter(), "a count that always finds nothing would prove nothing"
    rounds.simulation.run(until=rounds.simulation.now + 100.0, progress=False)
    assert rounds.simulation.world.book == {}
    assert alive(*roles) - before == Counter()
    assert (alive(*ports) - before).total() <= len(rounds.simulation.env)


def test_finished_conversations_do_not_crowd_the_heap() -> None:
    """Deadlines of conversations that are over, and timers that were called off, are swept out."""
    rounds = Rounds(3)
    sizes = []
    for _ in range(4):
        rounds.play(700, lasts_s=1e6)
        sizes.append(len(rounds.simulation.env))
    assert max(sizes) < 1_500


class Ticker(Protocol):
    """Never ends, and is never joined by anybody."""

    waiting: int = 0

    def on_start(self) -> None:
        self.on_timer("tick")

    def on_timer(self, name: str) -> None:
        port: Any = self._port
        self.waiting = max(self.waiting, len(port.world.trace.rows))
        self.set_timer("tick", self.now + 0.01)


@pytest.mark.parametrize("check", [False, True])
def test_rows_are_encoded_while_a_conversation_without_an_end_goes_on(check: bool) -> None:
    simulation, ticker = Simulation(seed=1, check=check), Ticker()
    simulation.add(Agent("a"))
    simulation.seat("a", ticker, "endless")
    result = simulation.run(until=50.0, progress=False)
    assert len(result.trace) > 4 * FOLD_ROWS
    assert ticker.waiting < 2 * FOLD_ROWS


def test_a_wide_market_executes_at_most_half_as_many_bytecodes_again_as_a_benchmark_round() -> None:
    """200 couriers, the nearest 100 asked: at most 1.5 times the bytecodes of rounds at N = 1,000."""
    simulation, market = Simulation(Town(tasks=200, agents=200), scale.RULES, seed=7), make_market(1_000, 1)
    wide = bytecodes(lambda: simulation.run(progress=False)) / simulation.world.trace.messages
    assert wide <= 1.5 * bytecodes(OurSide(market).run) / market.messages


def test_every_errand_of_a_wide_market_is_done() -> None:
    found = measure(Town(tasks=300, agents=200))
    assert found["completed"] == 300
    assert found["messages"] == 301 * 300
    assert found["peak_mb"] < 2_000


def test_a_run_that_stands_still_for_the_yardstick_is_the_same_run() -> None:
    town = Town(tasks=40, agents=50, top=10)
    plain = Simulation(town, scale.RULES, seed=7).run(progress=False)
    assert measure(town)["digest"] == plain.digest


def test_the_yardstick_does_not_count_as_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 2.0, 50.0, 53.0, 90.0])
    monkeypatch.setattr("time.thread_time", lambda: next(now))
    monkeypatch.setattr(scale, "engine_us", lambda: 7.0)
    watch = scale.Stopwatch()
    watch.stand_still()
    watch.stand_still()
    assert watch.seconds == 5.0
    assert watch.engine_us == [7.0, 7.0]


def test_the_benchmark_prints_one_json_object_or_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"tasks": 1_000, "ratio_to_engine": 1.25, "digest": "d1"}
    monkeypatch.setattr(scale, "measure", lambda town: found)
    scale.main(["--quick", "--json"])
    assert json.loads(capsys.readouterr().out) == found
    scale.main([])
    assert "ratio_to_engine" in capsys.readouterr().out


@pytest.mark.soak
def test_ten_thousand_tasks_and_a_thousand_agents_finish_within_two_gigabytes() -> None:
    """The full size, in a process of its own, since its peak is that of the process; on one core."""
    found = json.loads(run_python("from benchmarks.scale import main; main(['--json'])"))
    assert (found["tasks"], found["agents"], found["completed"]) == (10_000, 1_000, 10_000)
    assert found["peak_mb"] < 2_000
    assert found["ratio_to_engine"] <= 1.5
    assert found["ratio_to_engine"] != inf
