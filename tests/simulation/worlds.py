"""Small worlds that the tests of the simulator share."""

from typing import Any, ClassVar

from msgspec import field

from contractnet import ContractNet, cheapest
from walras import Agent, Arrival, Estimate, Instance, Outcome, Protocol, Report, Scenario, Simulation, Task
from walras.messages import Message
from walras.protocol import on
from walras.randomness import draw

RULES = ContractNet(reply_within_s=2.0, award_rule=cheapest)
MONEY = 1000.0


class Knows:
    """What an agent knows of itself: every task takes it the same."""

    def __init__(self, cost: float, seconds: float = 0.0) -> None:
        self.estimate = Estimate(cost, 1.0, seconds)

    def __call__(self, task: Task) -> Estimate:
        return self.estimate


class Errands(Scenario, frozen=True, kw_only=True):
    """Tasks ``t1`` ... from `desk`, one every `every_s`, for agents with costs of their own; work takes `seconds`."""

    name: ClassVar[str] = "errands"

    tasks: int = 6
    every_s: float = 5.0
    seconds: float = 1.0
    within_s: float = 60.0
    costs: dict[str, float] = field(default_factory=lambda: {"ann": 3.0, "bob": 1.0, "cyd": 2.0})
    agent: dict[str, Any] = {}
    """More fields of every worker."""

    def draw(self, seed: int) -> Instance:
        workers = [
            Agent(name, **{"costs": Knows(cost, self.seconds), "money": 0.0, **self.agent})
            for name, cost in self.costs.items()
        ]
        arrivals = [
            Arrival(at, (Task(f"t{k + 1}"),), "desk", tuple(self.costs), at + self.within_s)
            for k, at in ((k, k * self.every_s) for k in range(self.tasks))
        ]
        return ErrandsInstance(
            [Agent("desk", capacity=0, money=MONEY, operator=True), *workers], arrivals, seed=seed
        )


class ErrandsInstance(Instance):
    """Work takes as long as its worker believes, and its quality is drawn by task and worker."""

    def work(self, task: Task, agent: str) -> Report:
        report = super().work(task, agent)
        return Report("done", report.cost, draw(self.seed, "quality", task.id, agent), report.seconds)


def bare(*, seed: int = 1, agents: dict[str, Any] | None = None, **settings: Any) -> Simulation:
    """A simulation with a manager ``m`` and, unless said otherwise, contractors ``a`` (1 per task) and ``b`` (2)."""
    simulation = Simulation(seed=seed, **settings)
    simulation.add(Agent("m", money=MONEY, capacity=0))
    for name, fields in (agents or {"a": {"costs": Knows(1.0)}, "b": {"costs": Knows(2.0)}}).items():
        simulation.add(Agent(name, **fields))
    return simulation


class Ball(Message, frozen=True):
    """What players throw to each other."""

    number: int


class Player(Protocol):
    """Throws the ball back to `partner`, up to `most` times; who serves begins."""

    partner: str
    most: int
    serves: bool = False
    caught: int = 0

    def on_start(self) -> None:
        if self.serves:
            self.send(self.partner, Ball(1))

    @on(Ball)
    def throw_back(self, sender: str, ball: Ball) -> None:
        self.caught += 1
        if ball.number < self.most:
            self.send(sender, Ball(ball.number + 1))
        if ball.number >= self.most - 1:
            self.finish(Outcome("done"))
