"""Sketch 7: a task graph. A foreman opens each step when those that it needs are done, by a mechanism of its own."""

from msgspec import field

from tests.sketches.contract_net import Costs, Net
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.messages import Envelope
from walras.protocol import Protocol
from walras.simulation.simulation import Simulation


class Lottery(Mechanism, frozen=True):
    """Says who is to do it, and no more: its outcome has awards, but no work has been done."""

    protocol = "x-sketch-lottery"

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Drum(items[0].id, participants)

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return None


class Drum(Protocol):
    """Draws a winner."""

    item: str
    tickets: tuple[str, ...]

    def on_start(self) -> None:
        self.finish(Outcome("sold", (Award(self.item, self.rng.choice(self.tickets)),)))


class Foreman(Protocol):
    """Opens what is ready; sold is not yet done; gives up and calls off the rest after so many tries."""

    rules: "Graph"
    tasks: dict[str, Task]
    people: tuple[str, ...]
    running: dict[str, str] = field(default_factory=dict)
    sold: dict[str, bool] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    verdict: str = ""

    def on_start(self) -> None:
        self.release()

    def release(self) -> None:
        busy = set(self.running.values())
        for step in self.tasks:
            if (
                step not in self.done
                and step not in busy
                and self.done.keys() >= set(self.rules.needs.get(step, ()))
            ):
                self.begin(step, self.rules.by.get(step, self.rules.net), self.people)

    def depth(self, step: str) -> int:
        after = [later for later, needs in self.rules.needs.items() if step in needs]
        return 1 + max(map(self.depth, after), default=0)

    def begin(self, step: str, mechanism: Mechanism, people: tuple[str, ...]) -> None:
        share = (self.finish_by - self.now) / (self.depth(step) + 1)  # leave room for all that comes after it
        self.running[self.open(mechanism, [self.tasks[step]], people, self.now + share)] = step

    def on_outcome(self, conversation: str, outcome: Outcome) -> None:
        step = self.running.pop(conversation)
        if outcome.status == "sold" and not self.verdict:
            winners = tuple(line.winner for line in outcome.awards if line.winner is not None)
            self.begin(step, self.rules.net, winners)
        elif outcome.status == "done":
            self.done[step] = self.now
            if not self.verdict:
                self.release()
        elif not self.verdict:
            self.tries[step] = self.tries.get(step, 0) + 1
            if self.tries[step] < self.rules.tries:
                self.begin(step, self.rules.net, self.people)
            else:
                self.call_off("failed")
        if not self.running:
            self.finish(Outcome(self.verdict or "done", why=", ".join(self.done)))

    def call_off(self, verdict: str) -> None:
        self.verdict = verdict
        for conversation in self.running:
            self.cancel(conversation)

    def on_cancel(self) -> None:
        self.call_off("cancelled")


class Graph(Mechanism, frozen=True):
    protocol = "x-sketch-graph"
    net: Net = Net()
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by: dict[str, Mechanism] = field(default_factory=dict)
    tries: int = 3

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Foreman(self, {item.id: item for item in items if isinstance(item, Task)}, participants)


TASKS = tuple(Task(name, kind=name) for name in ("plan", "walls", "roof", "paint"))
NEEDS = {"walls": ("plan",), "roof": ("plan",), "paint": ("walls", "roof")}


def simulate(seed: int = 1, **settings: object) -> Simulation:
    """Four steps, two at the same time; the last one goes to whoever draws it."""
    simulation = Simulation(seed=seed, **settings)  # type: ignore[arg-type]
    simulation.add(Agent("foreman", money=100.0))
    every = {"plan": 2.0, "walls": 5.0, "roof": 4.0, "paint": 3.0}
    for k in range(3):
        simulation.add(
            Agent(f"w{k}", costs=Costs(**{name: cost + k for name, cost in every.items()}), capacity=2)
        )
    graph = Graph(needs=NEEDS, by={"paint": Lottery()})
    simulation.open(graph, TASKS, "foreman", finish_by=60.0)
    return simulation
