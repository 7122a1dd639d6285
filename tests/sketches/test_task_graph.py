"""Sketch 7: steps come in the order of their needs, each by its own mechanism."""

import pytest

from tests.sketches.common import unsettled
from tests.sketches.task_graph import NEEDS, TASKS, Foreman, Graph, simulate
from walras.allocation import Award, Outcome
from walras.effects import CancelChild, Finish, Open
from walras.simulation.swarm import random_faults
from walras.testing import Script


def test_a_graph_is_done_in_the_order_of_its_needs() -> None:
    simulation = simulate()
    result = simulation.run()
    assert not unsettled(simulation)
    outcome = simulation.world.outcomes["foreman/1"]
    assert outcome.status == "done"
    done = outcome.why.split(", ")
    assert all(done.index(need) < done.index(step) for step, needs in NEEDS.items() for need in needs)
    assert result.balances["foreman"] == 100.0 - sum(line.price for _, line in simulation.world.awards)


@pytest.mark.parametrize("seed", range(20))
def test_it_ends_under_random_faults(seed: int) -> None:
    network, faults = random_faults(seed, ("foreman", "w0", "w1", "w2"), 40.0)
    simulation = simulate(seed, network=network, faults=faults)
    simulation.run()
    assert not unsettled(simulation), f"seed {seed}"


def test_sold_is_not_yet_done_and_failure_calls_off_the_rest() -> None:
    script = Script(
        Foreman(Graph(needs=NEEDS, tries=1), {task.id: task for task in TASKS}, ("w0", "w1")),
        "f",
        finish_by=60.0,
    )
    (plan,) = script.start()
    assert isinstance(plan, Open)
    walls, roof = script.outcome(plan.conversation, Outcome("done"))
    assert isinstance(walls, Open) and isinstance(roof, Open)
    again = script.outcome(walls.conversation, Outcome("sold", (Award("walls", "w1"),)))
    assert [(effect.items[0].id, effect.participants) for effect in again] == [("walls", ("w1",))]  # type: ignore[attr-defined]
    directed = again[0].conversation  # type: ignore[attr-defined]
    assert script.outcome(roof.conversation, Outcome("failed")) == [CancelChild(directed)]
    assert script.outcome(directed, Outcome("cancelled")) == [Finish(Outcome("failed", why="plan"))]
