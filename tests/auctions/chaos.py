"""Any format, any faults: one small market for each seed, and what has to be true of it whatever happened.

What an auctioneer took into account is found in the trace alone: every message that reached it was either used or has a row
that says why not. The rule is then applied again, by other code than the auctioneer's, to what was used.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import fsum, inf
from random import Random
from typing import Any, NamedTuple

import msgspec

from auctions import (
    AllPay,
    AscendingClock,
    Auction,
    Bid,
    CallMarket,
    Clinching,
    CommitReveal,
    Dutch,
    English,
    FirstPrice,
    Jumping,
    Order,
    Positions,
    PostedPrice,
    Proxy,
    ScoringAuction,
    Sniping,
    Vickrey,
    clear,
    gsp,
    k_double,
    mcafee,
    third_price,
    trade_reduction,
    truthful,
    truthful_trader,
    uniform_price,
    vcg_double,
)
from auctions.clearing import Offer
from auctions.commit_reveal import Revealed, outcome_of
from auctions.sealed import SealedBid
from tests.auctions.test_continuous import pit, settled
from tests.auctions.worlds import HOUSE, market
from walras import Agent, Lot, Simulation, Task
from walras.agents import Strategy
from walras.allocation import units
from walras.items import Item
from walras.questions import Question
from walras.simulation import Uniform
from walras.simulation.swarm import random_faults

HORIZON_S = 60.0
NAMES = ("ada", "bob", "cyd", "dan", "eve")
LATE = ("late", "closed", "too late")
"""How an auctioneer says that something came after the end."""
ALIKE = ("a second answer", "a double, or overtaken", "overtaken, or a double", "double", "too late, or a double",
         "down", "after the end", "turned away", "from a stranger", "a double, or from somebody who is not asked")  # fmt: skip
"""Why else a copy of what was said before is not used."""

FORMATS: dict[str, Callable[[Item], Auction]] = {
    "first price": lambda item: FirstPrice(),
    "second price": lambda item: Vickrey(),
    "third price": lambda item: SealedBid(third_price),
    "all-pay": lambda item: AllPay(),
    "uniform price": lambda item: SealedBid(uniform_price),
    "positions": lambda item: SealedBid(third_price if item.procured else Positions(gsp, (1.0, 0.5))),
    "commit-reveal": lambda item: CommitReveal(),
    "scoring": lambda item: ScoringAuction() if item.procured else Vickrey(),
    "posted": lambda item: PostedPrice(6),
    "english": lambda item: English(increment=1),
    "english, 10 %": lambda item: English(increment="10%", jump_bids=False, active_within_s=8.0),
    "english, soft close": lambda item: English(
        increment=1, close="soft", lasts_s=8.0, extend_s=2.0, idle_s=None
    ),
    "english, candle": lambda item: English(increment=2, close="candle", lasts_s=12.0, idle_s=4.0),
    "proxy": lambda item: Proxy(increment=1, close="soft", lasts_s=10.0, idle_s=3.0),
    "japanese": lambda item: AscendingClock(increment=1, reply_within_s=1.0),
    "dutch": lambda item: Dutch(start=None if item.procured else 22, tick=2),
    "clinching": lambda item: Clinching(increment=2, reply_within_s=1.0),
    "call market": lambda item: CallMarket(),  # see `call_market_for`
    "continuous": lambda item: Auction(),  # not an auction by a house: see `play_continuous`
}
ITEMS: tuple[Item, ...] = (
    Lot("x"),
    Lot("x", quantity=2, reserve=4),
    Lot("x", wanted=True, reserve=20),
    Task("x", reserve=20),
    Task("x", reserve=20, copies=2),
)


class Marked(NamedTuple):
    """As another strategy, with a mark in its bids by which those of different bidders can be told apart."""

    number: int
    strategy: Strategy

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = self.strategy(question, agent)
        return (
            msgspec.structs.replace(answer, quality=1 - self.number / 64)
            if isinstance(answer, Bid)
            else answer
        )


class Played(NamedTuple):
    """One market that has come to rest."""

    name: str
    mechanism: Auction
    item: Item
    simulation: Simulation


def name_of(seed: int) -> str:
    """The format of this seed: they take turns."""
    return list(FORMATS)[seed % len(FORMATS)]


def play(seed: int) -> Played:
    """The market of this seed: all but the format is drawn."""
    rng = Random(f"chaos {seed}")
    name, item = name_of(seed), rng.choice(ITEMS)
    mechanism = FORMATS[name](item)
    people = NAMES[: rng.randint(2, 5)]
    worth = {who: {item.id: rng.randint(1, 20)} for who in people}
    kinds: tuple[Strategy, ...] = (truthful, truthful, Sniping(0.5), Jumping(0.3))
    strategies: dict[str, Any] = {who: Marked(k, rng.choice(kinds)) for k, who in enumerate(people)}
    if name == "call market":
        mechanism, item = call_market_for(people, rng), Lot("x", quantity=len(people))
        worth = {who: {"x": value} for who, value in zip(people, rng.sample(range(1, 21), 5), strict=False)}
        strategies = dict.fromkeys(people, truthful_trader)
    latency = rng.choice((Uniform(0.01, 0.05), Uniform(0.01, 1.0), Uniform(0.05, 4.0)))
    network, faults = random_faults(seed, [HOUSE, *people], HORIZON_S, latency=latency)
    weather: dict[str, Any] = {"finish_by": HORIZON_S, "seed": seed, "network": network, "faults": faults}
    simulation = market(mechanism, [item], worth, worth, strategies=strategies, **weather)
    simulation.run()
    return Played(name, mechanism, item, simulation)


def call_market_for(people: tuple[str, ...], rng: Random) -> CallMarket:
    """Some of them own a unit; prices differ, so that the rule says all."""
    return CallMarket(
        rng.choice((k_double, mcafee, trade_reduction, vcg_double)),
        endowments={who: 1 for who in people if rng.random() < 0.5},
    )


def check(seed: int) -> Counter[str]:
    """Play the market of this seed and hold it to everything; how often what was seen, so that nobody tests nothing."""
    if name_of(seed) == "continuous":
        return play_continuous(seed)
    played = play(seed)
    world = played.simulation.world
    check_ends(world)
    check_money(world)
    talks: dict[str, list[Any]] = {}
    restarts = [row.at for row in world.trace if row.kind == "restart" and row.agent == HOUSE]
    for row in world.trace:
        repeated = row.kind == "ignored" and row.agent == HOUSE and row.at in restarts  # by its recovery
        if not repeated:
            talks.setdefault(row.conversation, []).append(row)
    seen = Counter({played.name: 1})
    for conversation, outcome in world.outcomes.items():
        seen.update(check_conversation(played, talks[conversation], outcome.status))
    return seen


def play_continuous(seed: int) -> Counter[str]:
    """The order book, whose own invariants are those of its own tests."""
    network, faults = random_faults(seed, ["pit", "s1", "s2", "s3", "b1", "b2", "b3"], 40.0)
    simulation = pit(seed, network=network, faults=faults)
    simulation.run()
    check_ends(simulation.world)
    return Counter({"continuous": 1, "awards": settled(simulation)})


# ---------------------------------------------------------------------------------------------------- ends, and money
def check_ends(world: Any) -> None:
    """Every conversation has an outcome, in time, and no role is left over."""
    assert world.outcomes
    left = [
        (me, talk) for talk, seats in world.seats_of.items() for me, port in seats.items() if not port.ended
    ]
    assert not left, f"these roles never end: {left}"
    # a skewed clock is up to 1 s wrong
    late = {talk: at for talk, at in world.ended_at.items() if at > HORIZON_S + 1.1}
    assert not late, f"ended after the deadline: {late}"


def check_money(world: Any) -> None:
    """Money is conserved, none is left in escrow, and nobody has paid what it did not have."""
    ledger = world.ledger
    balances = ledger.balances()
    assert ledger.conserved()
    assert ledger.overcommitments == 0, "somebody paid what it did not have"
    assert not [name for name in balances if name.startswith(("escrow:", "bond:"))]
    assert abs(fsum(balances.values()) - (1000 + 100 * (len(balances) - 1))) < 1e-9


# --------------------------------------------------------------------------------------------------- one conversation
class Line(NamedTuple):
    """An award."""

    winner: str
    units: int
    price: float
    at: float = 0.0


class Heard(NamedTuple):
    """Something that a bidder said: when it first reached the house, and whether the house took it into account."""

    who: str
    message: Mapping[str, Any]
    at: float
    used: bool
    whys: tuple[str, ...]

    @property
    def price(self) -> float:
        return float(self.message.get("price", 0))


class Talk:
    """What happened in one conversation."""

    def __init__(self, played: Played, rows: list[Any], status: str) -> None:
        self.mechanism, self.rows, self.status = played.mechanism, rows, status
        self.item = self._item(played.item)
        self.lines = [_line(row.details["line"])._replace(at=row.at) for row in rows if row.kind == "award"]
        self.heard = _heard(rows)
        self.calls = [m for m in self._said_by_house() if m["type"] in ("ClockPrice", "StandingBid")]
        self.down = self.item.procured

    def _said_by_house(self) -> list[Mapping[str, Any]]:
        return [
            r.details["message"] for r in self.rows if r.kind in ("message", "broadcast") and r.agent == HOUSE
        ]

    def _item(self, item: Item) -> Item:
        """Put up again, there may be fewer copies."""
        shown = [m["item"] for m in self._said_by_house() if isinstance(m.get("item"), dict)]
        return (
            msgspec.structs.replace(item, copies=shown[0].get("copies", 1))
            if shown and isinstance(item, Task)
            else item
        )

    @property
    def closed_at(self) -> float:
        """When the house said that it was over."""
        ends = [
            r.at for r in self.rows if r.kind in ("message", "broadcast") and r.agent == HOUSE and _ends(r)
        ]
        sent = [
            r.details.get("sent", r.at)
            for r in self.rows
            if r.kind == "message" and r.agent == HOUSE and _ends(r)
        ]
        return min(ends + sent, default=inf)

    def used(self, kind: str = "Bid") -> list[Heard]:
        return [said for said in self.heard if said.message["type"] == kind and said.used]

    def best(self) -> dict[str, float]:
        """The best bid of each bidder that counted."""
        found: dict[str, float] = {}
        for bid in self.used():
            better = bid.who not in found or (bid.price < found[bid.who]) == self.down
            found[bid.who] = bid.price if better else found[bid.who]
        return found

    def ranked(self) -> list[float]:
        return sorted(self.best().values(), reverse=not self.down)


def _ends(row: Any) -> bool:
    return row.details["message"]["type"] in ("Closed", "Opened")


def _line(row: Mapping[str, Any]) -> Line:
    return Line(str(row["winner"]), int(row.get("quantity", 1)), float(row.get("price", 0)))


def _heard(rows: list[Any]) -> list[Heard]:
    """All that was said to the house and reached it; bids are marked, so that those of different bidders differ."""
    arrivals: dict[tuple[str, str], list[float]] = {}
    messages: dict[tuple[str, str], Mapping[str, Any]] = {}
    gone: dict[str, list[str]] = {}
    for row in rows:
        if (
            row.kind in ("message", "doubled")
            and row.details["to"] == HOUSE
            and row.details["arrival"] is not None
        ):
            key = (row.agent, str(row.details["message"]))
            messages[key] = row.details["message"]
            arrivals.setdefault(key, []).append(row.details["arrival"])
        elif row.agent == HOUSE and row.kind == "ignored":
            gone.setdefault(str(row.details["message"]), []).append(row.details["why"])
        elif row.agent == HOUSE and row.kind == "lost" and row.details["to"] == HOUSE:
            gone.setdefault(str(row.details["message"]), []).append("down")
    alike = Counter(text for _, text in arrivals)
    return [
        Heard(
            who,
            messages[who, text],
            min(at),
            # equal messages of several bidders cannot be told apart where some of them were ignored
            len(at) > len(gone.get(text, ())) if alike[text] == 1 else text not in gone,
            tuple(gone.get(text, ())),
        )
        for (who, text), at in arrivals.items()
    ]


def check_conversation(played: Played, rows: list[Any], status: str) -> Counter[str]:
    """At most as many units as there are, at the rule's prices; what came after the end was refused as late."""
    talk = Talk(played, rows, status)
    check_units(talk)
    if talk.lines or status != "overdue":
        RULES[played.name](talk)
    return Counter(awards=len(talk.lines), late=check_late(talk), conversations=1)


def check_units(talk: Talk) -> None:
    """What is awarded and stands is never more than there is; what is settled is the price, or nothing."""
    standing = 0
    for row in talk.rows:
        if row.kind == "award":
            standing += _line(row.details["line"]).units
            assert standing <= units(talk.item), f"{standing} of {units(talk.item)} units were awarded"
        elif row.kind == "settle":
            paid, winner = row.details["paid"], row.details["winner"]
            prices = [line.price for line in talk.lines if line.winner == winner]
            assert paid == 0 or paid in prices, f"{winner} was paid {paid}, not one of {prices}"
            standing -= not paid and any(line.winner == winner and line.units for line in talk.lines)


def check_late(talk: Talk) -> int:
    """What first reached the house after it had said that it was over was not used, but refused, as late."""
    late = [
        said
        for said in talk.heard
        if said.at > talk.closed_at and said.message["type"] in ("Bid", "Demand", "Order")
    ]
    for said in late:
        assert not said.used, f"{said} came after the end, at {talk.closed_at}"
        assert set(said.whys) <= {*LATE, *ALIKE}, f"{said} was refused for another reason"
    return sum(bool(set(said.whys) & set(LATE)) for said in late)


# --------------------------------------------------------------------------------------------------------- the rules again
def same(talk: Talk, wanted: list[tuple[int, float]]) -> None:
    """The same units at the same prices; who of equals got them was for the dice."""
    found = sorted((line.units, line.price) for line in talk.lines)
    assert found == sorted(wanted), f"awards {talk.lines}, expected {wanted} from {talk.best()}"


def sealed(talk: Talk) -> None:
    rules = talk.mechanism
    assert isinstance(rules, SealedBid)
    bids = {bid.who: msgspec.convert(dict(bid.message), Bid) for bid in talk.used()}
    offers = [Offer(who, rules.compared(talk.item, bid, bid.price)) for who, bid in bids.items()]
    reserve = getattr(talk.item, "reserve", None)
    lines = clear(rules.rule, offers, reserve=reserve, units=units(talk.item), reverse=talk.down)
    paid = [rules.payable(talk.item, bids[line.bidder], line) for line in lines]
    same(talk, [(line.units, line.price) for line in paid])


def commit_reveal(talk: Talk) -> None:
    rules = talk.mechanism
    assert isinstance(rules, CommitReveal)
    revealed = {said.who: msgspec.convert(dict(said.message), Revealed) for said in talk.used("Revealed")}
    wanted = outcome_of(rules.rule, talk.item, revealed)
    assert sorted(line._replace(at=0.0) for line in talk.lines) == sorted(
        Line(*msgspec.structs.astuple(line)) for line in wanted
    )


def posted(talk: Talk) -> None:
    takers = {bid.who for bid in talk.used()}
    for line in talk.lines:
        assert line.price == 6 * line.units
        assert line.winner in takers


def english(talk: Talk) -> None:
    """The best bids that counted win, and pay themselves."""
    same(talk, [(1, price) for price in talk.ranked()[: units(talk.item)]])
    assert all(talk.best()[line.winner] == line.price for line in talk.lines)


def proxy(talk: Talk) -> None:
    """An increment more than the best maximum that got none, within the winners' own, and at least the reserve."""
    ranked, supply = talk.ranked(), units(talk.item)
    opening = getattr(talk.item, "reserve", None) or 0
    won, lost = ranked[:supply], ranked[supply:]
    price = opening
    if lost:
        price = max(won[-1], lost[0] - 1) if talk.down else min(won[-1], lost[0] + 1)
        price = min(price, opening) if talk.down else max(price, opening)
    same(talk, [(1, price)] * len(won))
    assert sorted((talk.best()[line.winner] for line in talk.lines), reverse=not talk.down) == won


def japanese(talk: Talk) -> None:
    """All pay one price, the last or the last but one that was called, and all who pay it have bid it."""
    called = [
        price for _, price in sorted({call["round"]: call.get("price", 0) for call in talk.calls}.items())
    ]
    for line in talk.lines:
        assert line.price in called[-2:] and line.price == talk.lines[0].price
        assert any(bid.who == line.winner and bid.price == line.price for bid in talk.used()), line
    if len(talk.lines) < units(talk.item):
        assert len(called) <= 1 or not talk.lines  # only for want of bidders at the first price


def dutch(talk: Talk) -> None:
    """Who takes it pays what it has said; nobody had said more by then and got none."""
    taken = {(bid.who, bid.price) for bid in talk.heard if bid.message["type"] == "Bid"}
    assert all((line.winner, line.price) in taken for line in talk.lines)
    winners = {line.winner for line in talk.lines}
    lost = [bid for bid in talk.used() if bid.who not in winners]
    if sum(line.units for line in talk.lines) < units(talk.item):
        assert not lost, f"{lost} got none, though there was some left"
    for line in talk.lines:  # one that was heard when this unit was gone had no part in it
        rivals = [bid.price for bid in lost if bid.at <= line.at]
        assert all(price >= line.price if talk.down else price <= line.price for price in rivals)


def clinching(talk: Talk) -> None:
    """Nobody has more than it has asked for, nor pays more for it than the last price at which it did."""
    prices = {call["round"]: call.get("price", 0) for call in talk.calls}
    for line in talk.lines:
        own = [
            said.message
            for said in talk.heard
            if said.who == line.winner and said.message["type"] == "Demand"
        ]
        assert max(said["units"] + said.get("indifferent", 0) for said in own) >= line.units
        at = [prices[said["round"]] for said in own if said["units"] + said.get("indifferent", 0)]
        worst = min(at) if talk.down else max(at)
        assert line.price >= worst * line.units if talk.down else line.price <= worst * line.units


def call_market(talk: Talk) -> None:
    """Everybody has, and has paid, what the rule says for the orders that counted."""
    rules = talk.mechanism
    assert isinstance(rules, CallMarket)
    orders = [(said.who, msgspec.convert(dict(said.message), Order)) for said in talk.used("Order")]
    buys, sells = (
        [Offer(who, order.price or 0, int(order.units)) for who, order in orders if order.side == side]
        for side in ("buy", "sell")
    )
    exchange = rules.rule(buys, sells)
    wanted = Counter({HOUSE: exchange.revenue})
    wanted.update({line.bidder: -line.price for line in exchange.bought})
    wanted.update({line.bidder: line.price for line in exchange.sold})
    found: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for row in talk.rows:
        if row.kind == "award":
            winner, seller = row.details["line"]["winner"], row.details["line"].get("seller") or HOUSE
            line = _line(row.details["line"])
            found.update({winner: -line.price, seller: line.price})
            moved.update({winner: line.units, seller: -line.units})
    assert {who: money for who, money in found.items() if money} == {w: m for w, m in wanted.items() if m}
    assert all(moved[line.bidder] == line.units for line in exchange.bought)
    assert all(moved[line.bidder] == -line.units for line in exchange.sold)


RULES: dict[str, Callable[[Talk], None]] = {
    **dict.fromkeys(("first price", "second price", "third price", "all-pay", "scoring"), sealed),
    **dict.fromkeys(("uniform price", "positions"), sealed),
    **dict.fromkeys(("english", "english, 10 %", "english, soft close", "english, candle"), english),
    "commit-reveal": commit_reveal,
    "posted": posted,
    "proxy": proxy,
    "japanese": japanese,
    "dutch": dutch,
    "clinching": clinching,
    "call market": call_market,
}
