"""Sketch 3: an order book that never ends. Traders come by their own wish; awards bind with no end in sight.

Venue                    Trader
  | <---- Order, Leave ---- |   what a trader may have to pay is held until the book has said that it is free
  | ---- Released, Top ---> |
"""

from msgspec import field

from walras.agents import Agent
from walras.allocation import Award
from walras.items import Item, Lot
from walras.mechanism import Mechanism
from walras.messages import Envelope, Message
from walras.protocol import Protocol, on
from walras.questions import Commitment, Question
from walras.simulation.simulation import Simulation


class Order(Message, frozen=True):
    number: int
    side: str
    price: float


class Leave(Message, frozen=True):
    number: int


class Released(Message, frozen=True):
    """All orders up to this number bind no longer."""

    through: int


class Top(Message, frozen=True):
    buy: float | None
    sell: float | None


class NextOrder(Question, frozen=True, kw_only=True):
    number: int
    answers = (Order, Leave)

    def commits(self, answer: Order | Leave) -> Commitment | None:
        return Commitment(answer.price) if isinstance(answer, Order) and answer.side == "buy" else None


class Venue(Protocol):
    """Keeps one order of each trader; a new one takes the old one's place. Doubles cost one number per trader."""

    good: str
    last: dict[str, int] = field(default_factory=dict)
    audience: dict[str, bool] = field(default_factory=dict)
    book: dict[str, Order] = field(default_factory=dict)
    trades: int = 0

    def best(self, side: str) -> tuple[Order, str] | None:
        resting = [(order, who) for who, order in self.book.items() if order.side == side]
        if not resting:
            return None
        return (max if side == "buy" else min)(resting, key=lambda entry: entry[0].price)

    @on(Order)
    def take(self, sender: str, message: Order) -> None:
        if message.number <= self.last.get(sender, 0):
            self.ignore(message, "double, or overtaken")
            return
        self.last[sender] = message.number
        self.audience[sender] = True
        self.book.pop(sender, None)
        found = self.best("sell" if message.side == "buy" else "buy")
        if found is not None and self.meets(message, found[0]):
            self.trade(sender, message, found[1], found[0])
        else:
            self.book[sender] = message
            self.send(sender, Released(message.number - 1))
        tops = [
            found[0].price if (found := self.best(side)) is not None else None for side in ("buy", "sell")
        ]
        self.broadcast(self.audience, Top(*tops))

    def meets(self, order: Order, resting: Order) -> bool:
        return order.price >= resting.price if order.side == "buy" else order.price <= resting.price

    def trade(self, taker: str, order: Order, maker: str, resting: Order) -> None:
        del self.book[maker]
        buyer, seller = (taker, maker) if order.side == "buy" else (maker, taker)
        self.trades += 1
        self.award(Award(self.good, buyer, resting.price, seller=seller))
        self.send(taker, Released(order.number))
        self.send(maker, Released(resting.number))

    @on(Leave)
    def leave(self, sender: str, message: Leave) -> None:
        if message.number <= self.last.get(sender, 0):
            self.ignore(message, "double, or overtaken")
            return
        self.last[sender] = message.number
        self.book.pop(sender, None)
        self.audience.pop(sender, None)
        self.send(sender, Released(message.number))


class Trader(Protocol):
    """Asks its mind for an order every now and then; frees what an order binds when the book has said so."""

    venue: str
    every_s: float
    number: int = 0
    bound: list[int] = field(default_factory=list)
    top: Top | None = None

    def on_start(self) -> None:
        self.set_timer("next", self.now + self.every_s * (1.0 + self.rng.random()))

    def on_timer(self, name: str) -> None:
        self.number += 1
        self.decide(f"order {self.number}", NextOrder(number=self.number, decide_by=self.now + self.every_s))

    def on_decision(self, name: str, answer: Order | Leave | None) -> None:
        if answer is not None:
            self.send(self.venue, answer)
        if isinstance(answer, Order):
            self.bound.append(answer.number)
        self.set_timer("next", self.now + self.every_s)

    @on(Released)
    def release(self, sender: str, message: Released) -> None:
        for number in [number for number in self.bound if number <= message.through]:
            self.bound.remove(number)
            self.withdraw(f"order {number}")

    @on(Top)
    def see(self, sender: str, message: Top) -> None:
        self.top = message


class Pit(Mechanism, frozen=True):
    protocol = "x-sketch-pit"
    good: str = "wheat"
    venue: str = "venue"
    every_s: float = 0.5

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Venue(self.good)

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return Trader(self.venue, self.every_s) if invitation is None else None


def gambler(question: Question, agent: Agent) -> Order | Leave:
    """Buys for all that it has, or sells, by the toss of its own coin; now and then it leaves."""
    assert isinstance(question, NextOrder) and agent.rng is not None
    toss = agent.rng.random()
    if toss < 0.1:
        return Leave(question.number)
    side = "buy" if toss < 0.55 else "sell"
    price = round(4.0 + 2.0 * agent.rng.random(), 2)
    return Order(question.number, side, min(price, agent.free) if side == "buy" else price)


def simulate(seed: int = 1, traders: int = 5, **settings: object) -> Simulation:
    """A pit, and traders with little money who come to it by their own wish."""
    simulation = Simulation(seed=seed, **settings)  # type: ignore[arg-type]
    simulation.add(Agent("venue"))
    names = [f"t{k}" for k in range(traders)]
    for name in names:
        simulation.add(Agent(name, gambler, money=12.0))
    simulation.open(Pit(), [Lot("wheat", quantity=10**6)], "venue", [])

    def come(name: str) -> None:
        simulation.join(name, "venue/1")

    for k, name in enumerate(names):
        simulation.env.call_at(0.1 + 0.3 * k, 1, come, name)
    return simulation
