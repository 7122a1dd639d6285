"""Sketch 1: a Contract Net in which a contractor passes parts of its task on.

Boss                Hand
  | Call ------------> |
  | <------------- Bid |
  | Accept, Reject --> |    own work and a child conversation for every part
  | <----------- Ready |
"""

from msgspec import field

from walras.agents import Agent, Estimate
from walras.allocation import Award, Outcome, Report
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.messages import Envelope, Message
from walras.protocol import Protocol, on
from walras.questions import Commitment, Question
from walras.simulation.simulation import Simulation
from walras.tally import Tally


class Call(Message, frozen=True):
    task: Task
    reply_by: float
    result_by: float


class Bid(Message, frozen=True):
    price: float


class Accept(Message, frozen=True):
    pass


class Reject(Message, frozen=True):
    pass


class Stop(Message, frozen=True):
    pass


class Ready(Message, frozen=True):
    well: bool


class Price(Question, frozen=True, kw_only=True):
    task: Task
    answers = (Bid,)

    def commits(self, answer: Bid) -> Commitment:
        return Commitment(slots=1)


class Boss(Protocol):
    """Announces, awards to the cheapest, pays for delivery, and gives up in time."""

    rules: "Net"
    task: Task
    peers: tuple[str, ...]
    bids: Tally[float]
    winner: str | None = None
    closed: bool = False
    verdict: str = ""

    def on_start(self) -> None:
        reply_by, result_by = self.now + self.rules.reply_within_s, self.finish_by - 2 * self.rules.margin_s
        self.broadcast(self.peers, Call(self.task, reply_by, result_by))
        self.set_timer("close", reply_by)

    @on(Bid)
    def note(self, sender: str, message: Bid) -> None:
        if self.closed:
            self.on_late(sender, message)
            return
        if self.bids.add(sender, message.price):
            self.close()

    def close(self) -> None:
        self.closed = True
        self.cancel_timer("close")
        bids = self.bids.given
        if not bids:
            self.finish(Outcome("unassigned"))
            return
        self.winner = min(bids, key=lambda who: (bids[who], who))
        self.award(Award(self.task.id, self.winner, bids[self.winner]))
        self.send(self.winner, Accept())
        self.broadcast([who for who in bids if who != self.winner], Reject())
        self.set_timer("result", self.finish_by - self.rules.margin_s)

    @on(Ready)
    def take(self, sender: str, message: Ready) -> None:
        if sender != self.winner:
            self.ignore(message, "not the winner's")
            return
        well = message.well and not self.verdict
        self.settle(self.task.id, self.bids.given[sender] if well else 0.0)
        self.finish(Outcome("done" if well else self.verdict or "failed"))

    def on_timer(self, name: str) -> None:
        if name == "close":
            self.close()
        elif name == "result":
            self.give_up("failed")
        else:
            self.settle(self.task.id, 0.0)
            self.finish(Outcome(self.verdict))

    def give_up(self, verdict: str) -> None:
        if not self.verdict and self.winner is not None:
            self.verdict = verdict
            self.send(self.winner, Stop())
            self.set_timer(
                "last", min(self.now + self.rules.margin_s / 2, self.finish_by - self.rules.margin_s / 4)
            )

    def on_cancel(self) -> None:
        if self.winner is None:
            self.broadcast(self.peers, Reject())
            self.finish(Outcome("cancelled"))
        else:
            self.give_up("cancelled")

    def on_late(self, sender: str, message: Message) -> None:
        if isinstance(message, Bid) and sender != self.winner:
            self.send(sender, Reject())
        else:
            self.ignore(message, "late")


class Hand(Protocol):
    """Bids, works, passes parts on; awaits its own work and its children in one place."""

    rules: "Net"
    boss: str
    call: Call | None = None
    waiting: dict[str, str] = field(default_factory=dict)
    accepted: bool = False
    verdict: Ready | None = None

    @on(Call)
    def consider(self, sender: str, message: Call) -> None:
        if self.call is not None:
            self.ignore(message, "double")
            return
        self.call = message
        self.set_timer("end", message.result_by)
        self.decide("bid", Price(task=message.task, decide_by=message.reply_by - self.rules.margin_s / 4))

    def on_decision(self, name: str, answer: Bid | None) -> None:
        if answer is None:
            self.finish(Outcome("refused"))
        else:
            self.send(self.boss, answer)

    @on(Accept)
    def work(self, sender: str, message: Accept) -> None:
        if self.accepted or self.call is None:
            self.ignore(message, "double or too late")
            return
        self.accepted = True
        self.withdraw("bid")
        task, end = self.call.task, self.call.result_by - self.rules.margin_s
        self.waiting["own"] = "work"
        self.perform("own", task)
        for part in task.parts:
            self.waiting[self.open(self.rules, [part], self.rules.friends, end)] = "child"

    def on_performed(self, key: str, report: Report) -> None:
        self.one_ended(key, report.status == "done")

    def on_outcome(self, conversation: str, outcome: Outcome) -> None:
        self.one_ended(conversation, outcome.status == "done")

    def one_ended(self, part: str, well: bool) -> None:
        del self.waiting[part]
        if not well:
            self.give_up()
        if not self.waiting:
            self.verdict = self.verdict or Ready(True)
            self.send(self.boss, self.verdict)
            self.finish(Outcome("done" if self.verdict.well else "failed"))

    def give_up(self) -> None:
        if self.verdict is None:
            self.verdict = Ready(False)
            for part, kind in self.waiting.items():
                (self.stop if kind == "work" else self.cancel)(part)

    @on(Stop, Reject)
    def released(self, sender: str, message: Message) -> None:
        self.give_up()
        if not self.waiting:
            if isinstance(message, Stop):
                self.send(sender, Ready(False))
            self.finish(Outcome("released"))

    def on_timer(self, name: str) -> None:
        self.give_up()
        if not self.waiting:
            self.finish(Outcome("released"))

    def on_late(self, sender: str, message: Message) -> None:
        if isinstance(message, Accept | Stop) and self.accepted and self.verdict is not None:
            self.send(sender, self.verdict)
        elif isinstance(message, Accept):
            self.send(sender, Ready(False))
        else:
            self.ignore(message, "late")


class Net(Mechanism, frozen=True):
    protocol = "x-sketch-net"
    reply_within_s: float = 1.0
    margin_s: float = 1.0
    friends: tuple[str, ...] = ()

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        task = items[0]
        assert isinstance(task, Task)
        return Boss(self, task, participants, Tally(needed=len(participants)))

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return (
            Hand(self, invitation.sender)
            if invitation is not None and isinstance(invitation.message, Call)
            else None
        )

    def default_strategy(self, question: Question, agent: Agent) -> Bid | None:
        assert isinstance(question, Price)
        estimate = agent.estimate(question.task)
        return None if estimate is None else Bid(estimate.cost)


class Costs:
    """What a hand can do, and at which cost; an hour's work takes a third of a second."""

    def __init__(self, **by_kind: float) -> None:
        self.by_kind = by_kind

    def __call__(self, task: Task) -> Estimate | None:
        cost = self.by_kind.get(task.kind)
        return None if cost is None else Estimate(cost=cost, seconds=0.3)


HOUSE = Task("house", kind="build", parts=(Task("roof", kind="roof"), Task("walls", kind="walls")))


def simulate(seed: int = 1, **settings: object) -> Simulation:
    """A boss who wants a house; two builders, who have roofs and walls made by others."""
    simulation = Simulation(seed=seed, **settings)  # type: ignore[arg-type]
    simulation.add(Agent("boss", money=100.0))
    for name, cost in (("ann", 12.0), ("ben", 15.0)):
        simulation.add(Agent(name, costs=Costs(build=cost), money=50.0))
    for name, costs in (("cyd", Costs(roof=3.0, walls=6.0)), ("dan", Costs(roof=5.0, walls=4.0))):
        simulation.add(Agent(name, costs=costs, money=0.0, capacity=2))
    net = Net(friends=("cyd", "dan"))
    simulation.open(net, [HOUSE], "boss", ["ann", "ben"], finish_by=20.0)
    return simulation
