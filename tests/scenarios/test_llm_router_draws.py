"""The router's world, reckoned from its tables: who knows what, what is drawn, what it is worth, and its yardstick."""

from typing import Any

import pytest

from contractnet import ContractNet
from scenarios.llm_router import ROUTER, LLMRouter
from scenarios.llm_router_data import Arrivals, Runs
from walras import Arrival, Greedy, RandomAssignment, Simulation, Task
from walras.agents import Estimate
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.randomness import stream


def the_task(arrival: Arrival) -> Task:
    task = arrival.items[0]
    assert isinstance(task, Task)
    return task


MODELS = ("gpt-4o-mini-2024-07-18", "mistral-small", "claude-3-opus-20240229")


def test_agents_bid_from_the_first_half_of_their_runs_and_the_second_is_what_happens() -> None:
    runs, instance = Runs.load(), LLMRouter(tasks=3).draw(7)
    for arrival in instance.arrivals:
        task = the_task(arrival)
        for agent in instance.agents[1:]:
            known = runs.expected(task.kind, agent.id, "train")
            assert (
                agent.estimate(task)
                == agent.claim(task)
                == Estimate(known.cost_usd, known.score, known.seconds)
            )
            drawn = runs.draw(task.kind, agent.id, stream(7, "work", task.id, agent.id), "test")
            assert instance.work(task, agent.id) == Report("done", drawn.cost_usd, drawn.score, drawn.seconds)


def test_a_task_is_worth_its_score_less_the_waiting_and_says_so() -> None:
    instance = LLMRouter(tasks=1, value_of_quality=2.0, price_of_waiting=0.25).draw(1)
    task = the_task(instance.arrivals[0])
    assert (task.reserve, task.price_of_waiting) == (2.0, 0.25)
    assert instance.value(task, Report("done", quality=0.5), 2.0) == 1.0 - 0.5
    assert (
        instance.worth(task, Estimate(cost=0.125, quality=0.5, seconds=1.0), wait_s=1.0) == 1.0 - 0.125 - 0.5
    )


def test_liars_claim_to_be_better_and_faster_than_they_know() -> None:
    instance = LLMRouter(tasks=1, liars=("mistral-small",), overstate=0.5, models=MODELS).draw(1)
    task = the_task(instance.arrivals[0])
    for agent in instance.agents[1:]:
        known, said = agent.estimate(task), agent.claim(task)
        assert known is not None
        if agent.id == "mistral-small":
            assert said == Estimate(known.cost, min(1.0, known.quality * 1.5), known.seconds / 1.5)
        else:
            assert said == known


@pytest.mark.parametrize("liars", [0, 6])
def test_the_models_whose_claims_look_best_are_invited(liars: int) -> None:
    instance = LLMRouter(tasks=20, invite=3, liars=liars, overstate=2.0).draw(1)
    models = [agent.id for agent in instance.agents if agent.id != ROUTER]
    for arrival in instance.arrivals:
        task = the_task(arrival)
        worth = {m: instance.worth(task, instance.estimate(m, task) or Estimate()) for m in models}
        assert len(arrival.participants) == 3
        worst = min(worth[m] for m in arrival.participants)
        assert all(worth[m] <= worst for m in set(models) - set(arrival.participants))


def test_load_one_is_what_all_slots_together_can_serve() -> None:
    two, four = (LLMRouter(tasks=50, slots=slots).draw(1).arrivals[-1].at for slots in (2, 4))
    assert two == pytest.approx(2 * four)


@pytest.mark.parametrize("mechanism", [ContractNet(), Greedy(), RandomAssignment()], ids=lambda m: m.protocol)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_beats_the_optimum(mechanism: Mechanism, seed: int) -> None:
    """It sees the same draws, the costs, the waiting and the deadline that the run does."""
    metrics = (
        Simulation(LLMRouter(tasks=5, load=2.0, price_of_waiting=0.0005), mechanism, seed=seed).run().metrics
    )
    assert metrics["optimum_exact"]
    welfare, optimum = metrics["welfare"], metrics["optimum"]
    assert welfare is not None
    assert optimum is not None
    assert welfare <= optimum + 1e-12
    alone = LLMRouter(tasks=1, models=("mistral-small",), within_s=1000.0).draw(seed)
    task = the_task(alone.arrivals[0])
    report = alone.work(task, "mistral-small")
    assert alone.optimum().welfare == pytest.approx(
        max(0.0, alone.value(task, report, report.seconds) - report.cost)
    )


def test_what_cannot_be_finished_in_time_is_worth_nothing_to_the_optimum() -> None:
    assert LLMRouter(tasks=1, within_s=0.01).draw(1).optimum().welfare == 0.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value_of_quality", 1e308),
        ("price_of_waiting", 1.1e9),
        ("overstate", 1e308),
        ("load", 1e7),
        ("within_s", 1e300),
        ("slots", 1_000_001),
        ("tasks", 10_000_001),
        ("tasks", 0),
    ],
)
def test_settings_out_of_all_proportion_are_refused(field: str, value: Any) -> None:
    """Before sums overflow."""
    with pytest.raises(ScenarioError, match=f"{field} is .* (at most|from 1 to) ") as caught:
        LLMRouter(**{field: value})
    assert caught.value.field == field


def test_a_task_is_as_large_as_what_is_asked_and_answered() -> None:
    requests = Arrivals("conv").draw(5, stream(7, "arrivals"))
    tasks = [the_task(arrival) for arrival in LLMRouter(tasks=5).draw(7).arrivals]
    assert [task.size for task in tasks] == [float(r.context_tokens + r.output_tokens) for r in requests]
