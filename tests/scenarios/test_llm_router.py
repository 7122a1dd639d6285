"""The LLM router as a market: every setting does what it says, mechanisms meet the same world, nobody beats the bound."""

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import pytest

from contractnet import ContractNet
from scenarios import LLMRouter, llm_router
from walras import Agent, Result, ScenarioError, Simulation, Task
from walras.baselines import (
    BestSingle,
    Cheapest,
    FirstComeClaim,
    Greedy,
    LeastLoaded,
    RandomAssignment,
    RoundRobin,
)
from walras.mechanism import Mechanism
from walras.scenario import Instance

MECHANISMS: tuple[Mechanism, ...] = (
    ContractNet(),
    RandomAssignment(),
    RoundRobin(),
    FirstComeClaim(),
    Cheapest(),
    Greedy(),
    BestSingle(),
    LeastLoaded(),
)
GOOD, QUICK, DEAR = "gpt-4o-mini-2024-07-18", "gpt-3.5-turbo-1106", "claude-3-opus-20240229"


def run(mechanism: Mechanism | None = None, seed: int = 7, **settings: Any) -> Result:
    return Simulation(llm_router(**{"tasks": 30, **settings}), mechanism or ContractNet(), seed=seed).run()


def tasks_of(instance: Instance) -> list[Task]:
    return [item for arrival in instance.arrivals for item in arrival.items if isinstance(item, Task)]


def measured(result: Result, metric: str) -> float:
    value = result.metrics[metric]
    assert value is not None
    return value


# ------------------------------------------------------------------------------------------------ what settings do


def test_tasks_is_how_many_arrive_and_all_of_them_end() -> None:
    result = run(tasks=17)
    assert [record.item for record in result.records] == [f"task-{k}" for k in range(1, 18)]
    assert {outcome.status for outcome in result.outcomes.values()} == {"done"}


def test_load_is_how_fast_they_come_and_changes_nothing_else() -> None:
    """Ten times the load: the same tasks, kinds and true runs, a tenth of the time between them, longer queues."""
    slow, fast = llm_router(tasks=40, load=0.4).draw(7), llm_router(tasks=40, load=4.0).draw(7)
    assert tasks_of(slow) == tasks_of(fast)
    assert [a.at for a in slow.arrivals] == pytest.approx([10 * a.at for a in fast.arrivals])
    assert all(slow.work(task, GOOD) == fast.work(task, GOOD) for task in tasks_of(slow))
    calm, busy = (run(RandomAssignment(), tasks=150, load=load) for load in (0.2, 5.0))
    assert measured(calm, "latency_p95_s") < measured(busy, "latency_p95_s")
    assert measured(calm, "utilisation") < measured(busy, "utilisation")


def test_the_value_of_quality_buys_better_work() -> None:
    """Where quality is worth ten times as much, dearer models win, and what is delivered is better and dearer."""
    low, high = (run(tasks=60, value_of_quality=value, load=0.3) for value in (0.004, 0.2))
    assert measured(low, "quality") < measured(high, "quality")
    assert measured(low, "cost") < measured(high, "cost")
    nothing = run(tasks=5, value_of_quality=0.0)
    # nobody works for less than its cost
    assert {record.status for record in nothing.records} == {"unassigned"}


def test_the_price_of_waiting_buys_speed() -> None:
    patient, hasty = (run(tasks=60, price_of_waiting=price, load=0.3) for price in (0.0, 0.001))
    assert measured(patient, "latency_p50_s") > measured(hasty, "latency_p50_s")
    assert tasks_of(llm_router(tasks=1, price_of_waiting=0.25).draw(1))[0].price_of_waiting == 0.25


def test_models_are_who_is_there() -> None:
    instance = llm_router(tasks=3, models=(GOOD, DEAR)).draw(1)
    assert [agent.id for agent in instance.agents] == ["router", GOOD, DEAR]
    assert {arrival.participants for arrival in instance.arrivals} == {(GOOD, DEAR)}
    assert len(llm_router(tasks=1).draw(1).agents) == 20
    everybody = run(models=(GOOD,))
    assert {line.winner for line in everybody.allocation.lines} == {GOOD}


def test_slots_are_how_many_tasks_a_model_works_on_at_once() -> None:
    """One model, ten tasks nearly at once: with ten slots they take as long as the longest, with one as all together."""
    settings: dict[str, Any] = {"tasks": 10, "models": (QUICK,), "load": 50.0}
    one, ten = run(slots=1, **settings), run(slots=10, **settings)
    spent = [report.seconds for outcome in one.outcomes.values() for report in outcome.results]
    assert measured(one, "makespan_s") == pytest.approx(math.fsum(spent), rel=0.1)
    assert measured(ten, "makespan_s") < measured(one, "makespan_s") / 3
    assert [agent.capacity for agent in ten.agents] == [0, 10]


def test_invite_is_how_many_are_asked() -> None:
    for invite, asked in ((1, 1), (5, 5), (None, 19), (99, 19)):
        result = run(tasks=4, invite=invite)
        assert result.trace.message_counts()["CallForProposals"] == 4 * asked


def test_within_s_is_when_a_task_is_given_up() -> None:
    """The dearest model cannot be done within 3 s: each task ends by then, and nothing is paid."""
    result = run(tasks=6, within_s=3.0, models=(DEAR,), value_of_quality=1.0)
    assert {record.status for record in result.records} <= {"failed", "unassigned"}
    assert measured(result, "paid") == 0.0
    ends = [row for row in result.trace if row.kind == "finish" and row.agent == "router"]
    assert all(row.at <= record.announced_s + 3.0 for row, record in zip(ends, result.records, strict=True))


def test_the_bursty_trace_comes_in_bursts() -> None:
    """The same load, but the coefficient of variation of the gaps is that of the recorded hour: 1 and 13."""
    variation = {}
    for trace in ("conv", "code"):
        arrivals = llm_router(tasks=2_000, trace=trace).draw(7).arrivals
        gaps = [later.at - sooner.at for sooner, later in pairwise(arrivals)]
        variation[trace] = pstdev(gaps) / mean(gaps)
    assert variation["conv"] == pytest.approx(1.0, abs=0.2)
    assert variation["code"] > 4


# ------------------------------------------------------------------------------------------------------------ liars


def test_liars_are_named_or_drawn_by_the_seed() -> None:
    def drawn(**settings: Any) -> tuple[str, ...]:
        instance = llm_router(tasks=1, **settings).draw(settings.pop("seed", 7))
        return tuple(agent.id for agent in instance.agents if agent.claims is not None)

    assert drawn(liars=(QUICK,)) == (QUICK,)
    assert len(drawn(liars=6)) == 6
    assert drawn(liars=6) == drawn(liars=6)
    assert len({tuple(llm_router(tasks=1, liars=3).draw(seed).liars) for seed in range(6)}) > 3


def test_liars_win_more_and_the_market_loses() -> None:
    """Over paired seeds: who overstates gets more tasks than it would honestly, and efficiency falls."""
    liars = ("mistral-tiny", "claude-3-haiku-20240307", "mistral-small")
    won: Counter[str] = Counter()
    efficiency: dict[str, list[float]] = {"honest": [], "lying": []}
    for seed in range(4):
        for name, overstate in (("honest", 0.0), ("lying", 2.0)):
            result = run(seed=seed, tasks=60, liars=liars, overstate=overstate)
            won[name] += sum(line.winner in liars for line in result.allocation.lines)
            efficiency[name].append(measured(result, "efficiency"))
    assert won["lying"] > 2 * won["honest"]
    assert all(
        lying < honest for lying, honest in zip(efficiency["lying"], efficiency["honest"], strict=True)
    )


def test_what_a_liar_says_changes_no_draw() -> None:
    """Its true runs, and everybody else's, are those of the honest world."""
    honest, lying = llm_router(tasks=5).draw(7), llm_router(tasks=5, liars=19).draw(7)
    for task in tasks_of(honest):
        for agent in honest.agents[1:]:
            assert honest.work(task, agent.id) == lying.work(task, agent.id)
            assert _blueprint(lying, agent.id).estimate(task) == agent.estimate(task)


def _blueprint(instance: Instance, name: str) -> Agent:
    return next(agent for agent in instance.agents if agent.id == name)


# ---------------------------------------------------------------------------------------------------- the same world


def worked(simulation: Simulation) -> dict[tuple[str, str], tuple[float, float, float]]:
    """What came of each task at each agent that did it."""
    return {
        (done.task.id, done.agent): (done.report.cost, done.report.quality, done.report.seconds)
        for done in simulation.world.done
    }


def test_mechanisms_meet_the_same_world() -> None:
    """Same seed: the same tasks at the same times, and whoever does a task has the same run as under any other rule."""
    came: list[list[tuple[str, str, float]]] = []
    runs: dict[tuple[str, str], tuple[float, float, float]] = {}
    shared = 0
    for mechanism in MECHANISMS:
        simulation = Simulation(llm_router(tasks=40), mechanism, seed=11)
        result = simulation.run()
        came.append([(record.item, record.kind, record.announced_s) for record in result.records])
        for done, report in worked(simulation).items():
            shared += done in runs
            assert runs.setdefault(done, report) == report, (mechanism, done)
    assert all(arrivals == came[0] for arrivals in came)
    assert shared > 20


def test_another_seed_is_another_world() -> None:
    one, two = llm_router(tasks=20).draw(1), llm_router(tasks=20).draw(2)
    assert [task.kind for task in tasks_of(one)] != [task.kind for task in tasks_of(two)]
    assert [arrival.at for arrival in one.arrivals] != [arrival.at for arrival in two.arrivals]
    assert any(one.work(task, GOOD) != two.work(task, GOOD) for task in tasks_of(one))


# ------------------------------------------------------------------------------------------------- nobody beats it


@pytest.mark.parametrize("load", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.protocol)
def test_no_mechanism_exceeds_the_bound(mechanism: Mechanism, load: float) -> None:
    """Over seeds and loads; and it is said that it is a bound."""
    for seed in range(3):
        result = run(mechanism, seed=seed, tasks=15, load=load)
        optimum = result.optimum
        assert optimum is not None
        assert not optimum.exact
        assert optimum.method.startswith("upper bound")
        assert measured(result, "welfare") <= optimum.welfare
        assert 0 <= measured(result, "efficiency") <= 1
        assert "of an upper bound on the optimum" in str(result)


@pytest.mark.parametrize(
    "settings",
    [{"load": 0.5}, {"load": 20.0, "slots": 1}, {"load": 20.0, "slots": 1, "within_s": 12.0}],
    ids=["calm", "crowded", "with a deadline that bites"],
)
def test_on_tiny_worlds_the_optimum_is_exact_and_nobody_exceeds_it(settings: dict[str, Any]) -> None:
    """Four models, five tasks: every mechanism at every seed stays below, and one comes close somewhere."""
    few = (GOOD, QUICK, "mistral-tiny", "deepseek-chat")
    best = 0.0
    for seed in range(5):
        for mechanism in MECHANISMS:
            result = run(mechanism, seed=seed, tasks=5, models=few, **settings)
            assert result.optimum is not None
            assert result.optimum.exact
            assert measured(result, "welfare") <= result.optimum.welfare + 1e-12
            best = max(best, measured(result, "efficiency"))
    assert best > 0.8


def test_a_deadline_that_bites_lowers_the_exact_optimum() -> None:
    """Tasks that come all at once to one slot: within 10 s fewer of them are worth anything than within 300 s."""
    crowded: dict[str, Any] = {
        "tasks": 6,
        "models": (QUICK,),
        "slots": 1,
        "load": 100.0,
        "price_of_waiting": 0.0,
    }
    late, soon = (llm_router(within_s=within_s, **crowded).draw(3).optimum() for within_s in (300.0, 4.0))
    assert late is not None
    assert soon is not None
    assert late.exact
    assert soon.exact
    assert 0 < soon.welfare < late.welfare


def test_the_market_earns_its_messages_against_random() -> None:
    """Over paired seeds, Contract Net reaches more of the bound than random assignment, every time."""
    for seed in range(4):
        assert measured(run(ContractNet(), seed=seed, tasks=60), "efficiency") > 1.2 * measured(
            run(RandomAssignment(), seed=seed, tasks=60), "efficiency"
        )


# --------------------------------------------------------------------------------------------------------- raw data


def test_with_the_raw_files_the_recorded_runs_and_arrivals_are_used(shared_data: Path) -> None:
    """The same market on the records themselves: other draws from the same cells, and the same conclusions."""
    folder = shared_data / "scenarios" / "llm_router"
    if not folder.is_dir():
        pytest.skip("no raw records of the LLM router here")
    tables, raw = (llm_router(tasks=40, raw=path) for path in (None, str(folder)))
    drawn, recorded = tables.draw(7), raw.draw(7)
    assert [agent.id for agent in drawn.agents] == [agent.id for agent in recorded.agents]
    assert [task.kind for task in tasks_of(drawn)] == [task.kind for task in tasks_of(recorded)]
    for task in tasks_of(drawn)[:5]:
        for model in (GOOD, QUICK, DEAR):
            shipped, found = drawn.estimate(model, task), recorded.estimate(model, task)
            assert shipped is not None
            assert found is not None
            assert (shipped.cost, shipped.quality) == pytest.approx(
                (found.cost, found.quality), rel=1e-3, abs=1e-3
            )
    assert any(drawn.work(task, GOOD) != recorded.work(task, GOOD) for task in tasks_of(drawn))
    net, dice = (
        Simulation(raw, mechanism, seed=7).run() for mechanism in (ContractNet(), RandomAssignment())
    )
    assert measured(net, "completion_rate") == measured(dice, "completion_rate") == 1.0
    assert measured(dice, "efficiency") < measured(net, "efficiency") <= 1.0


# -------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tasks": 0}, "tasks is 0; expected a whole number from 1 to"),
        ({"tasks": 2.5}, "tasks is 2.5; expected a whole number from 1 to"),
        ({"tasks": True}, "tasks is True; expected a whole number from 1 to"),
        ({"tasks": "many"}, "tasks is 'many'; expected a whole number from 1 to"),
        ({"load": 0.0}, "load is 0.0; expected a number above 0"),
        ({"load": -1.0}, "load is -1.0; expected a number above 0"),
        ({"load": math.nan}, "load is nan; expected a number above 0"),
        ({"load": math.inf}, "load is inf; expected a number above 0"),
        ({"value_of_quality": -0.1}, "value_of_quality is -0.1; expected a number of 0 or more"),
        ({"price_of_waiting": -1e-9}, "price_of_waiting is -1e-09; expected a number of 0 or more"),
        ({"models": ()}, "models is (); expected names of models, at least one, or None for all"),
        ({"models": "gpt-4"}, "models is 'gpt-4'; expected names of models, at least one"),
        ({"models": ("gpt-9",)}, "models is 'gpt-9'; expected names among claude-2.1, "),
        ({"models": (GOOD, GOOD)}, f"agent id is '{GOOD}'; expected an id of its own for every agent"),
        ({"slots": 0}, "slots is 0; expected a whole number from 1 to"),
        ({"liars": -1}, "liars is -1; expected a whole number of 0 or more, or names of models"),
        ({"liars": 20}, "liars is 20; expected at most the 19 models there are"),
        ({"liars": 1.5}, "liars is 1.5; expected a whole number of 0 or more, or names of models"),
        ({"liars": GOOD}, f"liars is '{GOOD}'; expected a whole number of 0 or more, or names of models"),
        ({"liars": ("gpt-9",)}, "liars is 'gpt-9'; expected names among "),
        ({"overstate": -0.5}, "overstate is -0.5; expected a number of 0 or more"),
        ({"invite": 0}, "invite is 0; expected a whole number of 1 or more"),
        ({"within_s": 0.0}, "within_s is 0.0; expected a number above 0"),
        ({"trace": "chat"}, "trace is 'chat'; expected one of conv, code"),
        ({"raw": 5}, "raw is 5; expected the path of a folder, or None for the shipped tables"),
        ({"raw": "no/such/folder"}, "raw is 'no/such/folder/"),
    ],
    ids=str,
)
def test_bad_settings_name_the_field_its_value_and_what_was_expected(
    settings: dict[str, Any], sentence: str
) -> None:
    """Before anything runs, and in one sentence."""
    with pytest.raises(ScenarioError) as caught:
        Simulation(llm_router(**settings), ContractNet())
    assert str(caught.value).startswith(sentence)


def test_the_scenario_is_a_frozen_value_with_a_name_and_a_version() -> None:
    assert llm_router(tasks=3) == LLMRouter(tasks=3)
    assert (LLMRouter.name, LLMRouter.version) == ("llm-router", 1)
    assert hash(llm_router(tasks=3)) == hash(llm_router(tasks=3)) != hash(llm_router(tasks=4))
