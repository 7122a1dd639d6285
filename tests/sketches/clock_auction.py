"""Sketch 2: an English clock for each of three lots; bidders have one purse for all of them.

House                 Bidder
  | Price -------------> |   a bid holds its price in the bidder's account
  | <--------- In or Out |
  | Gone --------------> |   only now does nothing bind any more
"""

from msgspec import field

from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.items import Item, Lot
from walras.mechanism import Mechanism
from walras.messages import Envelope, Message
from walras.protocol import Protocol, on
from walras.questions import Commitment, Question
from walras.simulation.simulation import Simulation


class Price(Message, frozen=True):
    lot: str
    round: int
    price: float
    reply_by: float
    end_by: float


class In(Message, frozen=True):
    lot: str
    round: int


class Out(Message, frozen=True):
    lot: str
    round: int


class Gone(Message, frozen=True):
    line: Award


class StillIn(Question, frozen=True, kw_only=True):
    call: Price
    answers = (In, Out)

    @property
    def otherwise(self) -> Out:
        return Out(self.call.lot, self.call.round)

    def commits(self, answer: In | Out) -> Commitment | None:
        return Commitment(self.call.price, until=self.call.end_by) if isinstance(answer, In) else None


class House(Protocol):
    """Raises each lot's price until at most one bidder is left; silence is Out."""

    rules: "Clock"
    bidders: tuple[str, ...]
    active: dict[str, list[str]]
    price: dict[str, float] = field(default_factory=dict)
    round: dict[str, int] = field(default_factory=dict)
    answers: dict[str, dict[str, bool]] = field(default_factory=dict)
    sold: dict[str, Award] = field(default_factory=dict)

    def on_start(self) -> None:
        for lot in self.active:
            self.price[lot], self.round[lot] = self.rules.increment, 0
            self.call(lot)

    def call(self, lot: str) -> None:
        self.round[lot] += 1
        self.answers[lot] = {}
        reply_by = self.now + self.rules.reply_within_s
        price = Price(lot, self.round[lot], self.price[lot], reply_by, self.finish_by)
        self.broadcast(self.active[lot], price)
        self.set_timer(lot, reply_by)

    @on(In, Out)
    def note(self, sender: str, message: In | Out) -> None:
        lot = message.lot
        if lot in self.sold or message.round != self.round[lot] or sender not in self.active[lot]:
            self.ignore(message, "another round's, or nobody's")
            return
        self.answers[lot].setdefault(sender, isinstance(message, In))
        if len(self.answers[lot]) == len(self.active[lot]):
            self.close_round(lot)

    def on_timer(self, lot: str) -> None:
        self.close_round(lot)

    def close_round(self, lot: str) -> None:
        self.cancel_timer(lot)
        still_in = [who for who in self.active[lot] if self.answers[lot].get(who)]
        if len(still_in) > 1:
            self.active[lot] = still_in
            self.price[lot] += self.rules.increment
            self.call(lot)
        elif still_in:
            self.sell(lot, still_in[0], self.price[lot])
        elif self.round[lot] > 1:
            self.sell(lot, self.rng.choice(self.active[lot]), self.price[lot] - self.rules.increment)
        else:
            self.sell(lot, None, 0.0)

    def sell(self, lot: str, winner: str | None, price: float) -> None:
        line = self.sold[lot] = Award(lot, winner, price)
        if winner is not None:
            self.award(line)
        self.broadcast(self.bidders, Gone(line))
        if len(self.sold) == len(self.active):
            self.finish(Outcome("done", tuple(self.sold.values())))


class Bidder(Protocol):
    """Asks its mind at every price; a bid binds until the lot is gone."""

    house: str
    round: dict[str, int] = field(default_factory=dict)
    over: dict[str, str | None] = field(default_factory=dict)

    @on(Price)
    def consider(self, sender: str, message: Price) -> None:
        if message.lot in self.over or message.round <= self.round.get(message.lot, 0):
            self.ignore(message, "double, or overtaken")
            return
        if not self.round:
            self.set_timer("end", message.end_by)
        self.round[message.lot] = message.round
        decide_by = self.now + 0.75 * (message.reply_by - self.now)
        self.decide(message.lot, StillIn(call=message, decide_by=decide_by))

    def on_decision(self, lot: str, answer: In | Out) -> None:
        self.send(self.house, answer)

    @on(Gone)
    def hammer(self, sender: str, message: Gone) -> None:
        if message.line.item in self.over:
            self.ignore(message, "double")
            return
        self.over[message.line.item] = message.line.winner
        self.withdraw(message.line.item)

    def on_timer(self, name: str) -> None:
        self.finish(Outcome("done"))


class Clock(Mechanism, frozen=True):
    protocol = "x-sketch-clock"
    increment: float = 2.0
    reply_within_s: float = 1.0

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return House(self, participants, {item.id: list(participants) for item in items})

    def join(self, me: str, invitation: Envelope | None) -> Protocol | None:
        return Bidder(invitation.sender) if invitation is not None else None

    def default_strategy(self, question: Question, agent: Agent) -> In | Out:
        return thrifty(question, agent)


def thrifty(question: Question, agent: Agent) -> In | Out:
    """Bids up to its value, and never more than its purse has left for this lot."""
    assert isinstance(question, StillIn)
    call = question.call
    purse = agent.free + agent.held(call.lot)
    return (
        In(call.lot, call.round) if call.price <= min(agent.value_of(call.lot), purse) else question.otherwise
    )


def reckless(question: Question, agent: Agent) -> In:
    """Always bids; only its account can stop it."""
    assert isinstance(question, StillIn)
    return In(question.call.lot, question.call.round)


LOTS = tuple(Lot(f"lot{k}") for k in (1, 2, 3))


def simulate(seed: int = 1, wild: int = 1, **settings: object) -> Simulation:
    """Four bidders, the last `wild` of them reckless, for three lots."""
    simulation = Simulation(seed=seed, **settings)  # type: ignore[arg-type]
    simulation.add(Agent("house"))
    for k in range(4):
        values = {"lot1": 6.0 + 3 * k, "lot2": 14.0 - 2 * k, "lot3": 8.0 + k % 2}
        strategy = reckless if k >= 4 - wild else thrifty
        simulation.add(Agent(f"b{k}", strategy, values=values, money=20.0))
    simulation.open(Clock(), LOTS, "house", finish_by=60.0)
    return simulation
