"""The fallen auctioneer: the world is the same for all mechanisms, and copies make good what the fall costs."""

import math

import pytest

from scenarios.fallen_auctioneer import HOUSE, MACHINES, compared, fallen_auctioneer
from walras.errors import ScenarioError
from walras.scenario import Scenario
from walras.simulation.faults import Crash
from walras.simulation.simulation import Simulation
from walras.study.catalogue import find

SHORT = {"tasks": 6, "workers": 4}


def completed(seed: int, **settings: object) -> dict[str, int]:
    scenario = fallen_auctioneer(**{**SHORT, **settings})  # type: ignore[arg-type]
    runs = {name: Simulation(scenario, rules, seed=seed).run() for name, rules in compared().items()}
    for run in runs.values():
        assert sum(run.balances[name] for name in MACHINES[1:]) in (0.0, math.inf)
        assert run.metrics["misawards"] == 0 or run is runs["1 machine"]
    return {name: int(run.metrics["completed"] or 0) for name, run in runs.items()}


def test_it_is_found_by_its_name() -> None:
    assert find(Scenario, "fallen-auctioneer") is fallen_auctioneer


def test_a_seed_is_a_world() -> None:
    one, again, other = (fallen_auctioneer(**SHORT).draw(seed) for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert one.truth == again.truth and one.falls_at_s == again.falls_at_s
    assert one.truth != other.truth and one.falls_at_s != other.falls_at_s
    assert one.faults.schedule == (Crash(HOUSE, one.falls_at_s, math.inf),)
    assert not fallen_auctioneer(falls=False).draw(1).faults


@pytest.mark.parametrize("seed", range(3))
def test_without_a_fall_the_cheapest_worker_does_each_task_everywhere(seed: int) -> None:
    scenario = fallen_auctioneer(**SHORT, falls=False)
    runs = [Simulation(scenario, rules, seed=seed).run() for rules in compared().values()]
    assert [run.metrics["efficiency"] for run in runs] == pytest.approx([1.0] * 3)
    lines = [sorted(run.allocation.rows(), key=lambda line: line["item"]) for run in runs]
    assert lines[0] == lines[1] == lines[2]
    median = [run.metrics["latency_p50_s"] or 0.0 for run in runs]
    assert median[0] < median[1] and median[0] < median[2]  # a majority has to hear of every step


@pytest.mark.parametrize("seed", range(4))
def test_copies_complete_what_a_single_auctioneer_does_not(seed: int) -> None:
    done = completed(seed)
    assert done["3 machines"] == done["5 machines"] == 6
    assert done["1 machine"] < 6


def test_one_that_comes_back_goes_on() -> None:
    assert completed(1, down_s=5.0) == {"1 machine": 6, "3 machines": 6, "5 machines": 6}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tasks", 0),
        ("workers", True),
        ("worth", -1.0),
        ("every_s", 0.0),
        ("within_s", math.inf),
        ("down_s", -1.0),
        ("latency_s", math.nan),
    ],
)
def test_bad_settings_name_their_field(field: str, value: object) -> None:
    with pytest.raises(ScenarioError) as complaint:
        fallen_auctioneer(**{field: value})  # type: ignore[arg-type]
    assert complaint.value.field == field
