"""The Mesa view of a running simulation: it selects, groups, aggregates and records, and never changes the run."""

import json
import math
from typing import Any

import pytest

from tests.interpreters import MINE, OTHERS, other_pythons, run_python
from tests.simulation.population_check import look
from tests.simulation.worlds import RULES, Errands, Player, bare
from walras import ScenarioError, Simulation
from walras.simulation import Population

PRINT = "import runpy; runpy.run_module('tests.simulation.population_check', run_name='__main__')"


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return look()


def test_agents_are_a_mesa_agent_set_to_select_sort_group_and_aggregate(seen: dict[str, Any]) -> None:
    """Before the run and after it, each property as it is at that moment."""
    assert seen["before"] == {"desk": 0, "ann": 0, "bob": 0, "cyd": 0}
    assert seen["workers"] == ["ann", "bob", "cyd"]
    assert seen["busiest"] == "bob"
    assert list(map(list, seen["groups"])) == [[0, 1], [1, 3]]
    assert seen["earned"] == 4.0
    assert seen["balances"] == {"desk": 996.0, "ann": 0.0, "bob": 4.0, "cyd": 0.0}
    assert seen["blueprint"] == 1.0


def test_a_collector_records_every_agent_at_simulated_times(seen: dict[str, Any]) -> None:
    """Tidy: one row per time and agent; bob works from 0.1 s to 12.1 s without a break, with a queue in between."""
    assert seen["columns"] == ["time_s", "agent", "load", "busy_s", "earned"]
    assert seen["times"] == [float(t) for t in range(len(seen["times"]))]
    assert len(seen["times"]) == 13
    assert seen["rows"] == 4 * len(seen["times"])
    assert seen["load"] == [0, 1, 1, 2, 1, 2, 2, 2, 2, 2, 1, 1, 1]
    began = seen["busy"][1:]
    assert [seen["busy"][0], *(at - began[0] for at in began)] == pytest.approx([0.0, *map(float, range(12))])


@pytest.mark.parametrize("version", OTHERS)
def test_both_generations_of_mesa_show_the_same(seen: dict[str, Any], version: str) -> None:
    """Python 3.11 gets Mesa 3.3, later ones a newer one, whose event interfaces differ: we use neither."""
    python = other_pythons().get(version)
    if python is None:
        pytest.skip(f"no other Python {version} with the runtime dependencies; name one in WALRAS_PYTHONS")
    other = json.loads(run_python(PRINT, python))
    here = json.loads(json.dumps(seen))
    assert other.pop("mesa") != here.pop("mesa") or "3.11" not in (version, MINE)
    assert other == here


def test_looking_changes_nothing() -> None:
    """A run that is recorded all the time leaves the same trace as one that nobody watches."""
    alone = Simulation(Errands(), RULES, seed=3).run()
    watched = Simulation(Errands(), RULES, seed=3)
    for period_s in (0.1, 0.37):
        Population(watched).collect_every(period_s)
    assert alone.trace.first_difference(watched.run().trace) is None


def test_a_collector_stops_when_nothing_is_left_to_happen() -> None:
    """It keeps no run alive, and no second collector."""
    simulation = bare()
    simulation.seat("a", Player("b", most=4, serves=True))
    simulation.seat("b", Player("a", most=4))
    populations = [Population(simulation), Population(simulation)]
    for population in populations:
        population.collect_every(0.05)
    result = simulation.run()
    assert result.stopped_because == "nothing is left to happen"
    assert result.ended_s < 1.0
    assert len(populations[0].to_pandas()) >= 6


def test_mesa_does_not_turn_the_clock() -> None:
    """Its `run_model` would never end, and its `step` do nothing."""
    population = Population(Simulation(Errands(), RULES))
    for turn in (population.step, population.run_model):
        with pytest.raises(TypeError, match="the simulation keeps the time"):
            turn()


def test_reporters_are_columns_of_ones_own() -> None:
    simulation = Simulation(Errands(tasks=2), RULES)
    population = Population(simulation, {"free": lambda agent: agent.capacity - agent.load})
    population.collect()
    simulation.run()
    population.collect()
    frame = population.to_pandas()
    assert list(frame.columns) == ["time_s", "agent", "free"]
    assert frame["time_s"].nunique() == 2
    assert frame["free"].tolist() == [0, 1, 1, 1] * 2


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_period_is_a_finite_time_above_0(seconds: float) -> None:
    population = Population(Simulation(Errands(), RULES))
    with pytest.raises(ScenarioError, match=r"seconds is .*; expected a finite number above 0"):
        population.collect_every(seconds)
