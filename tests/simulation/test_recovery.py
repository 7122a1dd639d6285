"""Recovery: a machine is killed between any two effects; a market still ends once, pays once, and loses nothing."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.sketches import clock_auction, contract_net, task_graph
from tests.sketches.common import unsettled
from walras.agents import Agent
from walras.allocation import Outcome
from walras.errors import LocalProtocolError, WalrasError
from walras.items import Task
from walras.mechanism import Mechanism
from walras.messages import Message
from walras.protocol import Protocol
from walras.questions import Question
from walras.simulation.faults import Faults, KillAt
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.testing.broken import broken
from walras.testing.kills import kill_everywhere, kill_points

MARKETS: dict[str, Callable[..., Simulation]] = {
    "net": contract_net.simulate,
    "clock": clock_auction.simulate,
    "graph": task_graph.simulate,
}
TOPS = {"net": "boss/1", "clock": "house/1", "graph": "foreman/1"}


@pytest.mark.parametrize("down_s", [0.0, 0.3, 30.0])
@pytest.mark.parametrize("market", MARKETS)
def test_a_kill_between_any_two_effects_costs_time_at_most(market: str, down_s: float) -> None:
    endings: Counter[str] = Counter()
    for point, simulation in kill_everywhere(MARKETS[market], down_s=down_s, most=150):
        assert not unsettled(simulation), point
        endings[simulation.world.outcomes[TOPS[market]].status] += 1
    assert endings["done"] > 20, endings


@pytest.mark.parametrize("market", MARKETS)
def test_two_kills_are_survived_as_one_is(market: str) -> None:
    simulate = MARKETS[market]
    points = kill_points(simulate, down_s=0.5)
    pairs = [(points[k], points[(k * 7 + 3) % len(points)]) for k in range(0, len(points), 4)]
    for pair in pairs:
        simulation = simulate(faults=Faults(kill_at=pair))
        simulation.run()
        assert not unsettled(simulation), pair


def test_kills_come_on_top_of_a_bad_network() -> None:
    bad = Network(loss=0.1, duplication=0.3, reordering=0.3)

    def simulate(**settings: object) -> Simulation:
        return contract_net.simulate(seed=3, network=bad, **settings)

    for point, simulation in kill_everywhere(simulate, most=60):
        assert not unsettled(simulation), point


def test_kill_points_are_every_effect_and_the_end_of_every_input() -> None:
    points = kill_points(contract_net.simulate, ("boss",))
    first = [point.effect for point in points if point.input == 1]
    assert first == [1, 2, 3]  # before the broadcast, before the timer, after both
    assert {point.agent for point in points} == {"boss"}


def test_a_killed_run_is_deterministic() -> None:
    kill = KillAt("boss/1", "ann", 3, 2, 1.0)

    def run() -> str:
        simulation = contract_net.simulate(faults=Faults(kill_at=(kill,)))
        simulation.run()
        return simulation.world.trace.digest

    assert run() == run()


def _complaints(down_s: float) -> int:
    found = 0
    for point in kill_points(contract_net.simulate, down_s=down_s):
        simulation = contract_net.simulate(faults=Faults(kill_at=(point,)))
        try:
            simulation.run()
            assert not unsettled(simulation), point
        except (AssertionError, WalrasError):
            found += 1
    return found


@pytest.mark.parametrize(
    ("bug", "down_s"), [("award_once_after_crash_anywhere", 0.3), ("overdue_is_final", 30.0)]
)
def test_killing_everywhere_finds_a_broken_recovery(bug: str, down_s: float) -> None:
    """Counter-check: the checker can fail."""
    assert _complaints(down_s) == 0
    with broken(bug):
        assert _complaints(down_s) > 0


@pytest.mark.parametrize("verb", ["decide", "perform", "set_timer", "tell", "withdraw", "stop", "persist"])
def test_a_role_whose_finish_waits_for_the_disk_is_refused_at_once(verb: str) -> None:
    """It is refused inside the handler that asks, and not from the disk, in the middle of the run."""
    arguments: dict[str, tuple[Any, ...]] = {
        "decide": ("q", Question(decide_by=3.0)),
        "perform": ("k", Task("t")),
        "set_timer": ("t", 1.0),
        "tell": ("bare/2", Message()),
        "withdraw": ("q",),
        "stop": ("k",),
        "persist": ("more",),
    }

    class Hasty(Protocol):
        recovery = "records"

        def on_start(self) -> None:
            self.persist("all")
            self.finish(Outcome("done"))
            with pytest.raises(LocalProtocolError, match=f"calls {verb} in bare/1 after its finish"):
                getattr(self, verb)(*arguments[verb])

    simulation = Simulation(faults=Faults(fsync=Constant(0.1)))
    simulation.add(Agent("ada"))
    simulation.seat("ada", Hasty())
    assert [row.kind for row in simulation.run().trace] == ["persist", "durable", "finish"]


class Slow(Protocol):
    """Writes, and calls a verb whose effect waits for the disk; then it finishes, or waits to be expelled."""

    recovery = "records"
    verb: str
    arguments: tuple[Any, ...]
    finishes: bool

    def on_start(self) -> None:
        self.persist("all")
        getattr(self, self.verb)(*self.arguments)
        if self.finishes:
            self.finish(Outcome("done"))


class Writing(Mechanism, frozen=True):
    """Its opener does nothing else."""

    role: Any
    protocol = "x-writing"

    def opener(self, me: str, items: Any, participants: Any) -> Protocol:
        role: Protocol = copy.copy(self.role)
        return role


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        (Slow("tell", ("ada/2", Message()), True), ["durable", "told", "finish", "ignored"]),
        (Slow("stop", ("k",), True), ["durable", "stop", "finish"]),
        (Slow("decide", ("q", Question(decide_by=3.0)), False), ["finish", "durable"]),
        (Slow("perform", ("k", Task("t")), False), ["finish", "durable"]),
    ],
    ids=lambda value: value.verb if isinstance(value, Slow) else "",
)
def test_what_waits_for_the_disk_outlives_the_finish_unless_it_would_need_the_role(
    role: Slow, kinds: list[str]
) -> None:
    """A tell that came before the finish is told; who is overdue before its write is durable asks nobody any more."""
    simulation = Simulation(faults=Faults(fsync=Constant(0.1)))
    simulation.add(Agent("ada"))
    simulation.open(Writing(role), [Task("t")], "ada", finish_by=5.0 if role.finishes else 0.05)
    assert [row.kind for row in simulation.run().trace] == ["open", "persist", *kinds]
