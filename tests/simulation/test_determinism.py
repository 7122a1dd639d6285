"""Same seed, same build, same digest: in every process, under every hash seed, on every supported Python."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from contractnet import ContractNet, Propose, cheapest
from scenarios import llm_router
from tests.interpreters import OTHERS, other_pythons, run_python
from tests.simulation.worlds import RULES, Errands, Knows, bare
from walras import Agent, Network, Result, Simulation, Task
from walras.baselines import BestSingle, FirstComeClaim, Greedy, RandomAssignment
from walras.mechanism import Mechanism
from walras.simulation import Empirical, Faults, LogNormal, SlowDisk, random_faults


class NamelessError(Exception):
    """Names an object by its address, as many errors do."""


def moody(question: Any, agent: Agent) -> Any:
    """A strategy with dice, which fails now and then, and whose error says where in memory something lies."""
    assert agent.rng is not None
    if agent.rng.random() < 0.3:
        raise NamelessError(object())
    return Propose(agent.rng.uniform(1.0, 2.0))


def moody_market(**settings: Any) -> Result:
    """Minds with dice and attention, announcements of several tasks, ties, sub-contractors, late answers."""
    moods = {"strategy": moody, "deliberation_s": lambda rng: rng.expovariate(2.0), "attention": 2}
    agents = {name: {**moods, "costs": Knows(1.0, 2.0)} for name in "abcde"}
    simulation = bare(seed=5, agents=agents, network=Network(latency=LogNormal(0.05, 0.8)), **settings)
    rules = ContractNet(reply_within_s=1.5, award_rule=cheapest, partners=("b", "c"))
    parts = (Task("t.1"), Task("t.2"))
    for k in range(4):
        simulation.open(
            rules, [Task(f"t{k}", parts=parts), Task(f"u{k}")], "m", at=k * 3.0, finish_by=k * 3.0 + 40.0
        )
    return simulation.run()


def router(mechanism: Mechanism, seed: int = 7, **settings: Any) -> Result:
    return Simulation(llm_router(tasks=40, load=2.0), mechanism, seed=seed, **settings).run()


def faulty(seed: int) -> Result:
    names = ["desk", "ann", "bob", "cyd"]
    network, faults = random_faults(seed, names, 60.0)
    return Simulation(Errands(), RULES, seed=seed, network=network, faults=faults).run()


WORLDS: dict[str, Callable[[], Result]] = {
    "contract net": lambda: router(ContractNet()),
    "contract net, with liars and a bursty trace": lambda: Simulation(
        llm_router(tasks=30, liars=5, trace="code", invite=6), ContractNet(reserve="eager"), seed=7
    ).run(),
    "random": lambda: router(RandomAssignment()),
    "first come": lambda: router(FirstComeClaim()),
    "greedy": lambda: router(Greedy()),
    "minds": moody_market,
    "measured latency": lambda: router(
        RandomAssignment(), network=Network(latency=Empirical((0.01, 0.02, 0.04, 0.2)))
    ),
    "faults 1": lambda: faulty(1),
    "faults 2": lambda: faulty(2),
    "faults 3": lambda: faulty(3),
}
PRINT_DIGESTS = """
import json
from tests.simulation.test_determinism import WORLDS
print(json.dumps({name: make().digest for name, make in WORLDS.items()}))
"""


@pytest.fixture(scope="module")
def mine() -> dict[str, str]:
    """The digests of this process."""
    return {name: make().digest for name, make in WORLDS.items()}


def digests(**process: Any) -> dict[str, str]:
    found: dict[str, str] = json.loads(run_python(PRINT_DIGESTS, **process))
    return found


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_every_process_and_every_hash_seed_gives_the_same_digests(
    mine: dict[str, str], hash_seed: str
) -> None:
    """Calm and faulty worlds, minds with dice, an error that names an address: nothing depends on the process."""
    assert digests(hash_seed=hash_seed) == mine


@pytest.mark.parametrize("version", OTHERS)
def test_every_other_python_gives_the_same_digests(mine: dict[str, str], version: str) -> None:
    """Also where its libraries are newer ones: Mesa, numpy and pandas have no part in what happens."""
    python = other_pythons().get(version)
    if python is None:
        pytest.skip(f"no other Python {version} with the runtime dependencies; name one in WALRAS_PYTHONS")
    assert digests(python=python) == mine


def test_the_worlds_differ_and_so_do_their_digests(mine: dict[str, str]) -> None:
    """A digest that were always the same would pass every test above."""
    assert len(set(mine.values())) == len(WORLDS)


@pytest.mark.parametrize(
    "mechanism", [ContractNet(), RandomAssignment(), FirstComeClaim()], ids=lambda m: m.protocol
)
def test_another_seed_is_another_world(mechanism: Mechanism) -> None:
    assert len({router(mechanism, seed=seed).digest for seed in range(4)}) == 4


def test_dice_that_a_user_throws_do_not_reach_the_run() -> None:
    """The module's shared dice, seeded or read, change nothing."""
    random.seed(1)
    once = moody_market().digest
    random.seed(2)
    random.random()
    assert moody_market().digest == once


# ------------------------------------------------------------------------------------------- watched and unwatched

WATCHED: dict[str, dict[str, Any]] = {
    "checks": {"check": True},
    "monitors": {"monitors": [lambda world: None]},
    "faults that do nothing": {"faults": Faults((SlowDisk("m", LogNormal(0.1, 0.1)),))},
}


@pytest.mark.parametrize("watched", WATCHED)
def test_a_guarded_world_without_faults_leaves_the_trace_of_the_lean_one(watched: str) -> None:
    """Two code paths, one run: row by row, for minds, children, timers, ties, late messages and work."""
    lean, guarded = moody_market(), moody_market(**WATCHED[watched])
    assert lean.trace.first_difference(guarded.trace) is None
    assert lean == guarded


@pytest.mark.parametrize(
    "mechanism",
    [
        ContractNet(),
        ContractNet(reserve="eager", hold_losers=True, enough=3),
        FirstComeClaim(),
        RandomAssignment(),
        BestSingle(),
    ],
    ids=lambda mechanism: type(mechanism).__name__,
)
def test_a_guarded_market_leaves_the_trace_of_the_lean_one(mechanism: Mechanism) -> None:
    lean, guarded = router(mechanism), router(mechanism, check=True)
    assert lean.trace.first_difference(guarded.trace) is None
    assert (lean.allocation, lean.balances) == (guarded.allocation, guarded.balances)


def test_a_trace_that_is_not_kept_has_the_same_digest() -> None:
    kept = Simulation(Errands(), RULES, seed=3).run()
    counted = Simulation(Errands(), RULES, seed=3).run(keep_trace=False)
    assert kept.digest == counted.digest
    assert kept.trace.message_counts() == counted.trace.message_counts()


# ----------------------------------------------------------------------------------------------------------- replay


def test_a_run_that_is_executed_again_differs_nowhere() -> None:
    recorded = Simulation(Errands(), RULES, seed=3).run().trace
    assert Simulation(Errands(), RULES, seed=3).replay(recorded) is None


def shy(question: Any, agent: Agent) -> Any:
    """Proposes its cost, but refuses the fourth task."""
    estimate = agent.estimate(question.task)
    assert estimate is not None
    return question.otherwise if question.task.id == "t4" else Propose(estimate.cost)


def bold(question: Any, agent: Agent) -> Any:
    """As `shy`, but it proposes for every task."""
    estimate = agent.estimate(question.task)
    assert estimate is not None
    return Propose(estimate.cost)


def test_replay_shows_the_first_difference_where_a_strategy_has_changed() -> None:
    """Not only that something differs: which row, at what time, what it was and what it is now."""
    recorded = Simulation(Errands(agent={"strategy": bold}), RULES, seed=3).run().trace
    difference = Simulation(Errands(agent={"strategy": shy}), RULES, seed=3).replay(recorded)
    assert difference is not None
    assert difference.this is not None
    assert difference.other is not None
    assert (difference.this.kind, difference.this.conversation) == ("answer", "desk/4")
    assert difference.this.details["answer"]["type"] == "Propose"
    assert difference.other.details["answer"] == {"type": "Refuse", "reason": "no-answer"}
    shown = str(difference)
    assert shown.startswith(f"the traces part at row {difference.number}\n")
    assert "Propose(price=" in shown
    assert "Refuse(" in shown


def test_replay_finds_another_seed_and_a_run_that_ends_early() -> None:
    recorded = Simulation(Errands(), RULES, seed=3).run().trace
    assert Simulation(Errands(), RULES, seed=4).replay(recorded) is not None
    difference = Simulation(Errands(tasks=5), RULES, seed=3).replay(recorded)
    assert difference is not None
    assert difference.other is None or difference.other != difference.this
