"""The exact optimum equals brute force, and nothing feasible ever exceeds the bound."""

import heapq
import itertools
import math
import random
from functools import cache

import numpy as np
import pytest

from scenarios.llm_router_data import Arrivals, Runs, gap_at_load
from scenarios.llm_router_optimum import Problem, Relaxed, bound, bracket, exact
from walras.errors import ScenarioError


def small(seed: int, tasks: int = 5, agents: int = 2, within_s: float = math.inf) -> Problem:
    """A tiny problem in which waiting, ties, refusals and idle agents all occur over the seeds."""
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.choice([rng.uniform(0, 4, tasks), rng.integers(0, 4, tasks).astype(float)]))
    value = rng.uniform(-1, 8, (tasks, agents))
    value[rng.random((tasks, agents)) < 0.1] = -np.inf
    service = rng.choice(
        [rng.uniform(0.2, 4, (tasks, agents)), rng.integers(1, 4, (tasks, agents)).astype(float)]
    )
    slots = rng.integers(1, 3, agents).astype(float)
    return Problem(arrival, slots, service, value, float(rng.choice([0, 0.3, 1, 3])), within_s)


def brute_force(problem: Problem) -> float:
    """Every assignment, and for every agent every order of its tasks."""
    tasks, agents = problem.value.shape

    def run(agent: int, order: tuple[int, ...]) -> float:
        free = [-math.inf] * int(problem.slots[agent])
        welfare = 0.0
        for i in order:
            finish = max(problem.arrival_s[i], heapq.heappop(free)) + problem.service_s[i, agent]
            heapq.heappush(free, finish)
            latency = finish - problem.arrival_s[i]
            if latency > problem.within_s:
                return -math.inf
            welfare += problem.value[i, agent] - problem.wait_price * latency
        return welfare

    @cache
    def best(agent: int, chosen: tuple[int, ...]) -> float:
        return max(run(agent, order) for order in itertools.permutations(chosen))

    return max(
        sum(best(j, tuple(i for i in range(tasks) if who[i] == j)) for j in range(agents))
        for who in itertools.product(range(agents + 1), repeat=tasks)
    )


def first_come(problem: Problem) -> float:
    """Simulate: in order of arrival, each task to the agent that is best for it at that moment."""
    free = [[-math.inf] * int(c) for c in problem.slots]
    welfare = 0.0
    for i in np.argsort(problem.arrival_s):
        ends = [max(f[0], problem.arrival_s[i]) + problem.service_s[i, j] for j, f in enumerate(free)]
        latency = np.array(ends) - problem.arrival_s[i]
        nets = np.where(latency <= problem.within_s, problem.value[i] - problem.wait_price * latency, -np.inf)
        j = int(nets.argmax())
        if nets[j] > 0:
            heapq.heapreplace(free[j], ends[j])
            welfare += nets[j]
    return welfare


def recorded(tasks: int, load: float, seed: int) -> Problem:
    """Tasks and models of the shipped tables: a full score earns 5 cents, a second costs 0.05 cents."""
    rng, runs = random.Random(seed), Runs.load()
    seconds = [np.mean([runs.expected(kind, model).seconds for kind in runs.kinds]) for model in runs.models]
    requests = Arrivals("conv").draw(
        tasks, rng, gap_at_load(load, [1] * len(seconds), [float(s) for s in seconds])
    )
    kinds = rng.choices(runs.kinds, k=tasks)
    drawn = [[runs.draw(kind, model, rng) for model in runs.models] for kind in kinds]
    return Problem(
        np.array([request.at_s for request in requests]),
        np.ones(len(runs.models)),
        np.array([[run.seconds for run in row] for row in drawn]),
        np.array([[0.05 * run.score - run.cost_usd for run in row] for row in drawn]),
        0.0005,
    )


@pytest.mark.parametrize("block", range(10))
def test_exact_is_brute_force_and_the_bound_is_above_it(block: int) -> None:
    for seed in range(30 * block, 30 * block + 30):
        within_s = (math.inf, 3.0, 4.5)[seed // 3 % 3]
        problem = small(seed, tasks=3 + seed % 3, agents=1 + seed % 3, within_s=within_s)
        found = exact(problem)
        assert found.exact
        assert found.welfare == pytest.approx(brute_force(problem), abs=1e-9), seed
        low, high = bracket(problem)
        assert low - 1e-9 <= found.welfare <= high + 1e-9, seed
        assert first_come(problem) <= found.welfare + 1e-9, seed


def test_the_bound_is_tight_on_most_small_problems() -> None:
    pairs = [(bound(problem).welfare, exact(problem).welfare) for problem in map(small, range(300, 330))]
    assert np.mean([high / best - 1 for high, best in pairs if best > 0]) < 0.01


@pytest.mark.parametrize("seed", range(30))
def test_no_start_that_was_not_tried_pays_better(seed: int) -> None:
    """The step of the proof that code can get wrong: at any prices, the columns hold every task's best start."""
    problem, rng = small(seed), np.random.default_rng(seed)
    grid = np.linspace(problem.arrival_s.min(), problem.arrival_s.max() + 6, 6)
    prices = rng.choice([0.0, 1.0, 4.0], (2, 5)) * rng.random((2, 5))

    def paid(agent: int, start: float, finish: float) -> float:
        overlaps = np.minimum(finish, grid[1:]) - np.maximum(start, grid[:-1])
        return float((prices[agent] * np.maximum(overlaps, 0)).sum())

    total = float((problem.slots[:, None] * prices * np.diff(grid)).sum())
    for i, arrival in enumerate(problem.arrival_s):
        starts = arrival + np.linspace(0, 20, 200)
        nets = [problem.net(np.full(2, start))[i] for start in starts]
        ends = [start + problem.service_s[i] for start in starts]
        gains = [n[j] - paid(j, t, e[j]) for n, t, e in zip(nets, starts, ends, strict=True) for j in (0, 1)]
        total += max(0.0, *gains)
    assert Relaxed(problem, grid).best(prices)[0] >= total - 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_more_capacity_never_hurts(seed: int) -> None:
    problem = small(seed)
    more = Problem(problem.arrival_s, problem.slots + 1, problem.service_s, problem.value, problem.wait_price)
    assert exact(more).welfare >= exact(problem).welfare - 1e-9
    assert bound(more).welfare >= exact(problem).welfare - 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_dearer_waiting_never_helps(seed: int) -> None:
    problem = small(seed)
    dearer = Problem(
        problem.arrival_s, problem.slots, problem.service_s, problem.value, problem.wait_price + 0.5
    )
    assert exact(dearer).welfare <= exact(problem).welfare + 1e-9


@pytest.mark.parametrize(("load", "gap"), [(0.5, 0.02), (1.0, 0.04), (3.0, 0.06)])
def test_the_bound_is_close_on_recorded_tasks(load: float, gap: float) -> None:
    for seed in range(3):
        problem = recorded(300, load, seed)
        low, high = bracket(problem)
        assert first_come(problem) <= low <= high
        assert (high - low) / high < gap


def test_capacity_makes_the_bound_bite() -> None:
    crowded = recorded(300, 6.0, 0)
    alone = np.maximum(crowded.net(crowded.arrival_s[:, None]), 0).max(axis=1).sum()
    assert bound(crowded).welfare < 0.85 * alone


def test_ten_tasks_are_solved_exactly() -> None:
    problem = small(3, tasks=10, agents=3)
    found = exact(problem)
    assert found.exact
    low, high = bracket(problem)
    assert low - 1e-9 <= found.welfare <= high


def test_a_search_cut_short_says_so_and_stays_above() -> None:
    problem = small(5)
    cut = exact(problem, most_nodes=3)
    assert not cut.exact
    assert "cut short" in cut.method
    assert cut.welfare >= exact(problem).welfare


def test_a_bound_is_labelled() -> None:
    found = bound(small(1))
    assert found.welfare == bracket(small(1))[1]
    assert not found.exact
    assert found.method.startswith("upper bound")


def test_where_nothing_is_worth_doing_the_optimum_is_zero() -> None:
    problem = Problem(np.zeros(3), np.ones(2), np.ones((3, 2)), np.full((3, 2), -1.0), 0.1)
    assert exact(problem).welfare == bound(problem).welfare == 0.0


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("shape of value", {"value": np.ones((2, 3))}),
        ("shape of service_s", {"service_s": np.ones((1, 2))}),
        ("arrival_s", {"arrival_s": np.array([0.0, np.nan])}),
        ("service_s", {"service_s": np.zeros((2, 2))}),
        ("value", {"value": np.full((2, 2), np.inf)}),
        ("slots", {"slots": np.array([1.0, 0.5])}),
        ("wait_price", {"wait_price": -1.0}),
    ],
)
def test_a_bad_problem_names_the_field(field: str, change: dict[str, object]) -> None:
    good: dict[str, object] = {
        "arrival_s": np.zeros(2),
        "slots": np.ones(2),
        "service_s": np.ones((2, 2)),
        "value": np.ones((2, 2)),
        "wait_price": 1.0,
    }
    with pytest.raises(ScenarioError) as raised:
        Problem(**(good | change))  # type: ignore[arg-type]
    assert raised.value.field == field
