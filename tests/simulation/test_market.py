"""What an operator sees, what agents carry, and how lots are paid in a simulated world."""

from random import Random
from typing import Any, ClassVar

import pytest

from tests.simulation.worlds import RULES, Errands, Knows, bare
from walras import (
    Agent,
    Arrival,
    Award,
    BestSingle,
    CostTable,
    Instance,
    Lot,
    Mechanism,
    Outcome,
    Protocol,
    Scenario,
    Simulation,
    Task,
)
from walras.items import Item
from walras.messages import AgentId

# ------------------------------------------------------------------------------------------------- what is best alone


class Kinds(Scenario, frozen=True, kw_only=True):
    """Tasks of the kinds given, for agents who know what each kind costs them."""

    name: ClassVar[str] = "kinds"
    kinds: str
    agents: dict[str, dict[str, float]]

    def draw(self, seed: int) -> Instance:
        agents = [Agent("desk", capacity=0, operator=True)]
        agents += [Agent(name, costs=CostTable(costs)) for name, costs in self.agents.items()]
        arrivals = [
            Arrival(float(k), (Task(f"t{k}", kind),), "desk", tuple(self.agents), k + 60.0)
            for k, kind in enumerate(self.kinds)
        ]
        return Instance(agents, arrivals, seed=seed)


class Given(Scenario, frozen=True, kw_only=True):
    """One task for the agents given, all but the first, who opens."""

    name: ClassVar[str] = "given"
    agents: tuple[Any, ...]

    def draw(self, seed: int) -> Instance:
        desk, *others = (agent.id for agent in self.agents)
        return Instance(self.agents, [Arrival(0.0, (Task("t"),), desk, tuple(others), 60.0)], seed=seed)


@pytest.mark.parametrize(
    ("agents", "best"),
    [
        ({"cheap": {"x": 1.0}, "able": {"x": 5.0, "y": 5.0}}, "able"),
        ({"dear": {"x": 5.0, "y": 5.0}, "able": {"x": 4.0, "y": 4.0}}, "able"),
        ({"b": {"x": 1.0, "y": 1.0}, "a": {"x": 1.0, "y": 1.0}}, "a"),
        ({"idle": {}}, None),
    ],
    ids=["who can do more", "of equals, who is worth more", "of equals still, by name", "nobody"],
)
def test_best_single_can_do_most_tasks_and_of_equals_is_worth_most(
    agents: dict[str, dict[str, float]], best: str | None
) -> None:
    """A specialist who does one task for little is no match for who does them all: undone work is worth nothing."""
    simulation = Simulation(Kinds(kinds="xyx", agents=agents), BestSingle())
    assert simulation.world.market.best_single == best
    done = sum(record.done for record in simulation.run().records)
    assert done == (3 if best is not None else 0)


def test_best_single_is_reckoned_from_what_agents_claim() -> None:
    """An operator knows no private type: who overstates looks best, and its work is as dear as it is."""
    agents = [
        Agent("desk", capacity=0, operator=True),
        Agent("honest", costs=Knows(2.0)),
        Agent("liar", costs=Knows(9.0), claims=Knows(1.0)),
    ]
    result = Simulation(Given(agents=tuple(agents)), BestSingle()).run()
    assert result.allocation["t"] == Award("t", "liar", 1.0)
    assert result.metrics["cost"] == 9.0


def test_everybody_in_the_market_is_listed_once_and_newcomers_too() -> None:
    """The same mapping at each look, until somebody comes: a dispatcher looks at it for every task."""
    simulation = bare()
    market = simulation.world.market
    assert list(market.agents) == ["m", "a", "b"]
    assert market.agents is market.agents
    simulation.add(Agent("late"))
    assert list(market.agents) == ["m", "a", "b", "late"]


def test_streams_of_agents_are_made_on_first_use_and_keyed_by_name() -> None:
    """A thousand agents who throw no dice take no thousand streams; who does throws the same in every world."""
    drawn: list[float] = []

    def strategy(question: Any, agent: Agent) -> Any:
        assert agent.rng is not None
        drawn.append(agent.rng.random())
        return question.otherwise

    for crowd in (0, 50):
        simulation = bare(agents={f"x{k}": {"costs": Knows(1.0)} for k in range(crowd)} or None)
        simulation.add(Agent("dicey", strategy))
        simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
        simulation.run()
        hosts = simulation.world.hosts.values()
        assert [host.id for host in hosts if isinstance(host.agent.stream, Random)] == ["dicey"]
    assert drawn[0] == drawn[1]


# --------------------------------------------------------------------------------------------------------- paying lots


class Buying(Mechanism, frozen=True):
    """The opener awards its item to the first participant at 3."""

    protocol: ClassVar[str] = "x-buying"

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        return Buyer(items[0].id, participants[0])


class Buyer(Protocol):
    item: str
    winner: str

    def on_start(self) -> None:
        line = Award(self.item, self.winner, 3.0)
        self.award(line)
        self.finish(Outcome("done", (line,)))


@pytest.mark.parametrize(
    ("item", "desk", "ann", "paid"),
    [
        (Lot("lot"), 1003.0, -3.0, 3.0),
        (Lot("lot", wanted=True), 997.0, 3.0, 3.0),
        (Task("task"), 1000.0, 0.0, 0.0),
    ],
    ids=["sold", "wanted", "work that was never settled"],
)
def test_a_lot_is_paid_at_its_award_and_work_on_delivery(
    item: Item, desk: float, ann: float, paid: float
) -> None:
    """Whoever buys a good pays at once, seller or opener; what lay in escrow for work comes back unsettled."""
    simulation = Simulation(Errands(tasks=1), RULES)
    simulation.open(Buying(), [item], "desk", ["ann"], finish_by=50.0)
    simulation.run(until=0.001)
    result = simulation.run(until=0.002)
    assert (result.balances["desk"], result.balances["ann"]) == (desk, ann)
    assert next(record.paid for record in result.records if record.item == item.id) == paid
    assert simulation.world.ledger.conserved()
