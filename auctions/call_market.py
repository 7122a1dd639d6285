"""The call market: sealed orders to buy and to sell, collected until a deadline and cleared at once by any double rule."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

from msgspec import field
from msgspec.structs import replace

from auctions.auction import Auction, check_reply, check_rule
from auctions.clearing import Cleared, Offer, ranked, rule_name
from auctions.double_clearing import DoubleRule, Exchange, checked, k_double
from auctions.house import Auctioneer, Bidder
from auctions.messages import HOLD, CallForBids, Closed, Reason, Rejected
from auctions.order_book import Order
from auctions.order_messages import Leave, OrderWanted, unfit
from auctions.traders import truthful_trader
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.errors import ScenarioError
from walras.items import Item, Lot
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on
from walras.questions import Question


class CallVenue(Auctioneer):
    """Calls for orders once, collects them blind, and clears them by the double rule::

        Venue                                   Traders
          │ ── CallForBids(good, reply_by) ──────▶ │ all
          │ ◀── Order or Leave ─────────────────── │ until reply_by, or all have answered
          │ ── Closed(awards) ───────────────────▶ │ all; units and money change hands

    The first answer of each trader counts. Nothing depends on the order in which they arrive.
    """

    rules: "CallMarket"
    reply_by: float = 0.0
    orders: dict[AgentId, Order | None] = field(default_factory=dict)
    """What each trader has answered; None: it does not want to trade."""

    @property
    def left(self) -> int:
        """Units that nobody buys stay with their sellers, so that nothing is left to be done."""
        return 0

    def open_bidding(self) -> None:
        self.reply_by = min(self.now + self.rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        rule = rule_name(cast(Any, self.rules.rule))
        self.broadcast(self.bidders, CallForBids(self.item, self.reply_by, rule, len(self.bidders)))

    @on(Order, Leave)
    def take_order(self, sender: AgentId, order: Order | Leave) -> None:
        """One more answer; the last one closes the market."""
        if sender not in self.bidders or sender in self.orders:
            self.ignore(order, "a second answer" if sender in self.orders else "from a stranger")
            self.tell_again(sender)
            return
        reason = self.refusal(sender, order)
        if reason is not None:
            self.ignore(order, reason)
            self.send(sender, Rejected(self.item.id, reason))
            return
        self.orders[sender] = order if isinstance(order, Order) else None
        if len(self.orders) == len(self.bidders):
            self.close_bidding()

    def refusal(self, sender: AgentId, order: Order | Leave) -> Reason | None:
        """Why an answer does not count; None: it does."""
        if self.now > self.reply_by:
            return "late"
        if self.state != "bidding":
            return "closed"
        if isinstance(order, Leave):
            return None
        if unfit(order) is not None:
            return "unparsable"
        owned = self.rules.owned(sender)
        return "ineligible" if order.side == "sell" and owned is not None and order.units > owned else None

    def time_is_up(self, name: Any) -> None:
        self.close_bidding()

    def close_bidding(self) -> None:
        self.cancel_timer("reply")
        buys, sells = self.side("buy"), self.side("sell")
        exchange = checked(self.rules.rule(buys, sells), buys, sells)
        self.tell_tie(buys, {line.bidder for line in exchange.bought})
        # Turned around, the asks that trade are the highest, as `tell_tie` expects.
        asks = [replace(ask, price=0 - ask.price) for ask in sells]
        self.tell_tie(asks, {line.bidder for line in exchange.sold})
        for award in awards_of(exchange, self.item.id, self.me):
            self.awards.append(award)
            self.award(award)
        self.sell()

    def side(self, side: Literal["buy", "sell"]) -> list[Offer]:
        """The orders of one side, of equal prices in an order that our own dice decide."""
        offers = [
            Offer(trader, order.price or 0, int(order.units))  # who sells without a price takes any
            for trader, order in sorted(self.orders.items())
            if order is not None and order.side == side
        ]
        tied = len({offer.price for offer in offers}) < len(offers)
        return ranked(offers, rng=self.rng if tied else None)

    def on_late(self, sender: AgentId, message: Any) -> None:
        if isinstance(message, Order | Leave):
            self.take_order(sender, message)
        else:
            super().on_late(sender, message)


class CallTrader(Bidder):
    """Asks its mind once, and orders; see `CallVenue`."""

    @on(CallForBids)
    def consider(self, sender: AgentId, call: CallForBids) -> None:
        """Ask our mind. Its deadline leaves time for the answer to travel."""
        if self.item is not None or not self.concerns(sender, call.item):
            self.ignore(call, "a second call")
            return
        question = OrderWanted(
            good=call.item.id,
            market=self.conversation,
            close_by=call.reply_by,
            number=1,
            owned=cast("CallMarket", self.rules).owned(self.me),
            decide_by=call.reply_by - self.rules.margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Any) -> None:
        """Send our order; whatever else it is, there is nothing to take back or to wait for."""
        if isinstance(answer, Order):
            self.state = "bidding"
            self.answer(replace(answer, number=1))
        else:
            self.answer(Leave(1))

    @on(Closed)
    def take_result(self, sender: AgentId, closed: Closed) -> None:
        """The market is over, whether we have traded or not."""
        if sender != self.auctioneer or self.item is None or closed.item != self.item.id:
            self.ignore(closed, "not our venue's")
            return
        traded = any(award.won and self.me in (award.winner, award.seller) for award in closed.awards)
        self.finish(Outcome("traded" if traded else "released"))


class CallMarket(Auction, frozen=True):
    """Sealed orders to buy and sell one good, cleared at once: a call market under any double rule.

    One conversation is about one `Lot`, units of which its traders buy and sell among themselves; its opener is the venue.
    A trader gives one order, for any number of units, in answer to the same question as in `ContinuousDouble`, so the same
    strategies serve. Buyers pay sellers; what a rule lets buyers pay beyond that is paid to the venue, and what sellers get
    beyond that is paid by the venue, so under `vcg_double` it needs money. An order to buy holds what it may cost.

    Args:
        rule: who trades at which price, see `auctions.double_clearing`.
        reply_within_s: how long orders are collected, seconds; less, if all have answered before.
        endowments: units that traders own, and so may sell; who is not named owns none. None: nobody counts, and who sells is
            up to strategies and induced values (`Limits`).

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        D. Friedman and J. Rust (eds.), The Double Auction Market, 1993.
    """

    rule: DoubleRule = k_double
    reply_within_s: float = 2.0
    endowments: Mapping[AgentId, int] | None = None

    protocol: ClassVar[str] = "x-call-market"
    messages: ClassVar[tuple[type[Message], ...]] = (CallForBids, Order, Leave, Closed, Rejected)
    calls: ClassVar[tuple[type[Message], ...]] = (CallForBids,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reply(self, self.reply_within_s)
        check_rule(self.rule, "buys", "sells", example="auctions.mcafee")
        for agent, units in (self.endowments or {}).items():
            if type(units) is not int or units < 0:
                raise ScenarioError(f"endowment of {agent}", units, "a whole number of 0 or more")

    def owned(self, agent: AgentId) -> int | None:
        """Units that an agent may sell; None: nobody counts."""
        return None if self.endowments is None else self.endowments.get(agent, 0)

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """A venue for one lot; for several, a role that opens a conversation for each."""
        for item in items:
            if not isinstance(item, Lot) or item.procured or item.reserve is not None:
                raise ScenarioError(
                    "items", item, "Lots on sale without a reserve: goods, for which sellers ask"
                )
            stock = sum((self.endowments or {}).values())
            if stock > item.quantity:
                raise ScenarioError(
                    f"quantity of {item.id}", item.quantity, f"at least the {stock} endowed units"
                )
        return super().opener(me, items, participants)

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """Truthful, see `auctions.traders`."""
        return truthful_trader(question, agent)

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        return CallVenue(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return CallTrader(self, auctioneer)


def awards_of(exchange: Exchange, good: str, house: AgentId) -> list[Award]:
    """The awards by which everybody pays and gets what the exchange says.

    Buyers and sellers are paired in their ranking, and the unit costs the lesser of what the one pays and the other gets.
    What a buyer has still to pay goes to the house, and what a seller has still to get comes from it: charges without
    units, which are awards of quantity 0.

    >>> exchange = Exchange((Cleared("b", 1, 7),), (Cleared("s", 1, 4),))
    >>> [
    ...     (award.winner, award.seller, award.quantity, award.price)
    ...     for award in awards_of(exchange, "wheat", "house")
    ... ]
    [('b', 's', 1, 4), ('b', None, 0, 3)]
    """
    buys, sells = list(exchange.bought), list(exchange.sold)  # what of them is still open
    found, b, s = [], 0, 0
    while b < len(buys):
        buy, sell = buys[b], sells[s]
        units = min(buy.units, sell.units)
        price = min(_share(buy, units), _share(sell, units))
        found.append(Award(good, buy.bidder, price, units, sell.bidder))
        buys[b] = Cleared(buy.bidder, buy.units - units, buy.price - price)
        sells[s] = Cleared(sell.bidder, sell.units - units, sell.price - price)
        b, s = b + (buys[b].units == 0), s + (sells[s].units == 0)
    found += [Award(good, rest.bidder, rest.price, 0) for rest in _owing(buys, exchange.bought)]
    found += [Award(good, house, rest.price, 0, rest.bidder) for rest in _owing(sells, exchange.sold)]
    return found


def _share(line: Cleared, units: int) -> float:
    """What so many units of a line cost, rounded down where prices are whole; the last ones cost all that is left."""
    if units == line.units:
        return line.price
    money = line.price * units
    return money // line.units if isinstance(money, int) else money / line.units


def _owing(rests: Sequence[Cleared], lines: Sequence[Cleared]) -> list[Cleared]:
    """The lines of which something is still to be paid, beyond what floats leave over."""
    return [rest for rest, line in zip(rests, lines, strict=True) if rest.price > 1e-12 * line.price]
