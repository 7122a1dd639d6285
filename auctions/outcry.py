"""Open outcry: the two roles of English auctions and of proxy bidding, read as a dialogue."""

from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import field

from auctions.clearing import Cleared
from auctions.house import Auctioneer, Bidder
from auctions.messages import HOLD, Bid, BidSchedule, Pass, Reason, Rejected, TieDecided
from auctions.open_messages import Later, StandingBid
from walras.allocation import units
from walras.messages import AgentId
from walras.protocol import on

if TYPE_CHECKING:
    from auctions.english import English

LEAST_WAIT_S = 0.01
"""However impatient a mind is, it is not asked more often than that."""


class OutcryAuctioneer(Auctioneer):
    """Tells what stands, takes what betters it, and ends when nobody does, or at the close::

        Auctioneer                              Bidders
           │ ── StandingBid(round, ask) ─────────▶ │ all who have not gone home
           │ ◀── Bid(price, round) ─────────────── │ whenever they like
           │ ── StandingBid(round + 1, leaders) ─▶ │ gather_s after the first bid that counts
           │ ◀── Pass ──────────────────────────── │ who goes home, and does not come back
           │ ── Closed(awards) ──────────────────▶ │ all: at the close, idle_s after the last bid, or alone with the leaders

    Each bidder can have one unit; of several units each has a leader. Bids that arrive within `gather_s` of each other are
    taken together: the best one leads, and of equal ones the dice choose.
    """

    rules: "English"
    round: int = 0
    bids: dict[AgentId, float] = field(default_factory=dict)
    """The best that each bidder has bid and that counts, in the order of arrival."""
    order: dict[AgentId, int] = field(default_factory=dict)
    """Who comes first among equals, once it matters."""
    leaders: tuple[AgentId, ...] = ()
    prices: tuple[float, ...] = ()
    """What each leader would pay."""
    ask: float = 0.0
    gone: list[AgentId] = field(default_factory=list)
    """Who has gone home."""
    active: dict[AgentId, float] = field(default_factory=dict)
    """When each has bid last, or led last."""
    gathering: bool = False
    opened_at: float = 0.0
    idle_s: float = inf
    """How long it goes on without another bid, once there is one."""
    closes_at: float = 0.0
    """The close as it is announced."""
    ends_at: float = 0.0
    """The close as it is."""
    due: float = inf
    """When it is over unless somebody bids before; what is heard later is late, even if we could not end it in time."""

    def open_bidding(self) -> None:
        rules = self.rules
        self.ask, self.opened_at = rules.opening_price(self.item), self.now
        self.closes_at = self.ends_at = min(self.now + rules.lasts_s, self.close_by)
        if rules.close == "candle":
            share = rules.candle_from + (1 - rules.candle_from) * self.rng.random()
            self.ends_at = self.now + share * (self.closes_at - self.now)
        self.active = dict.fromkeys(self.bidders, self.now)
        self.call()

    def call(self) -> None:
        """Tell what stands, unless nobody is left who could better it."""
        rules, bidders = self.rules, [bidder for bidder in self.bidders if bidder not in self.gone]
        stuck = self.round > 0 and not rules.can_go_on(self.item, self.standing, self.ask)
        if stuck or all(bidder in self.leaders for bidder in bidders):
            self.close_bidding()
            return
        self.round += 1
        idle_by = min(self.closes_at, self.now + self.idle_s)
        self.due = min(idle_by, self.ends_at)
        self.set_timer("hammer", self.due)
        message = StandingBid(
            item=self.shown,
            round=self.round,
            ask=self.ask,
            idle_by=idle_by,
            closes_at=self.closes_at,
            may_close_from=rules.earliest_close(self.opened_at, self.closes_at),
            ends_by=self.close_by if rules.close == "soft" else self.closes_at,
            leaders=self.leaders,
            price=self.standing,
            bidders=len(self.bidders),
        )
        self.broadcast(bidders, message)

    @property
    def standing(self) -> float | None:
        """The price that has to be beaten; None: there is a unit that nobody has bid for."""
        return self.prices[-1] if len(self.prices) == units(self.item) else None

    # ------------------------------------------------------------------ bids
    @on(Bid, BidSchedule)
    def take_answer(self, sender: AgentId, bid: Bid | BidSchedule) -> None:
        """A bid counts if it betters what its bidder was told."""
        rules = self.rules
        why = self.objection(sender, bid)
        if why is None:
            assert isinstance(bid, Bid)
            # the others need as long as the first one, and more
            if not self.bids and rules.idle_s is not None:
                self.idle_s = max(rules.idle_s, 2 * (self.now - self.opened_at))
            self.bids.pop(sender, None)
            self.bids[sender] = bid.price
            self.active[sender] = self.now
            if not self.gathering:
                self.gathering = True
                self.set_timer("gavel", min(self.now + rules.gather_s, self.ends_at))
        elif why == "too-low" and (bid.round < self.round or sender in self.bids):
            self.ignore(bid, "overtaken, or a double")  # what stands has been told since
        else:
            self.reject(sender, bid, why)

    def objection(self, sender: AgentId, bid: Bid | BidSchedule) -> Reason | None:
        """Why a bid does not count; None: it does."""
        rules = self.rules
        if self.state != "bidding" or self.now > self.due:
            return "late" if self.now > self.due else "closed"
        if sender not in self.bidders:
            return "ineligible"
        if self.unfit(bid) is not None or not isinstance(bid, Bid) or bid.units != 1:
            return self.unfit(bid) or "unparsable"
        if sender in self.gone:
            return "closed"
        if sender not in self.leaders and self.now > self.active[sender] + (rules.active_within_s or inf):
            self.gone.append(sender)
            return "inactive"
        mine = self.bids.get(sender)
        if not rules.counts(self.item, bid.price, self.ask, mine):
            return "too-low"
        if sender in self.leaders and not rules.leaders_may_raise:
            return "too-low"
        return "jump" if not rules.jump_bids and bid.price != self.ask else None

    @on(Pass)
    def let_go(self, sender: AgentId, message: Pass) -> None:
        """Somebody goes home; if only the leaders stay, it is over."""
        if self.state != "bidding" or sender not in self.bidders or sender in self.gone:
            self.ignore(message, "too late, a double, or from a stranger")
            return
        self.gone.append(sender)
        if not self.gathering and all(b in self.gone or b in self.leaders for b in self.bidders):
            self.close_bidding()

    # ------------------------------------------------------------------ who leads
    def name_leaders(self) -> None:
        """Take the bids together that have come: who leads now, and what would better that?"""
        self.gathering = False
        self.cancel_timer("gavel")
        ranked = self.ranked()
        before, supply = self.leaders, units(self.item)
        self.leaders = tuple(bidder for bidder, _ in ranked[:supply])
        self.prices, self.ask = self.rules.priced(self.item, [price for _, price in ranked])
        for bidder in before:
            self.active[bidder] = self.now
        if len(ranked) > supply and ranked[supply - 1][1] == ranked[supply][1]:
            level = sorted(bidder for bidder, price in ranked if price == ranked[supply][1])
            self.publish(TieDecided(self.item.id, tuple(level), tuple(b for b in level if b in self.leaders)))
        if self.rules.close == "soft" and self.closes_at - self.now < self.rules.extend_s:
            self.closes_at = self.ends_at = min(self.now + self.rules.extend_s, self.close_by)

    def ranked(self) -> list[tuple[AgentId, float]]:
        """Everybody's best bid, best first; among equals the dice decide, once for the whole auction, or who came first."""
        bids, sign = list(self.bids.items()), 1 if self.item.procured else -1
        if self.rules.ties == "seeded" and len(set(self.bids.values())) < len(bids):
            if not self.order:
                names = sorted(self.bidders)
                self.rng.shuffle(names)
                self.order = {name: place for place, name in enumerate(names)}
            bids.sort(key=lambda bid: self.order[bid[0]])
        return sorted(bids, key=lambda bid: sign * bid[1])

    # ------------------------------------------------------------------ the end
    def time_is_up(self, name: Any) -> None:
        if name == "gavel" or self.gathering:
            self.name_leaders()
            if self.now < self.ends_at:
                self.call()
                return
        self.close_bidding()

    def close_bidding(self) -> None:
        self.cancel_timer("hammer")
        if self.gathering:
            self.name_leaders()
        lines = zip(self.leaders, self.prices, strict=True)
        self.sell([Cleared(bidder, 1, price) for bidder, price in lines if self.serves(price)])


class OutcryBidder(Bidder):
    """Asks its mind whenever it does not lead, and bids, waits or goes home; see `OutcryAuctioneer`.

    A mind that is still thinking is not asked again before it has answered, or a slow one would never finish.
    """

    rules: "English"
    call: StandingBid | None = None
    """The latest that we have heard."""
    asked: int = 0
    """About which round our mind is thinking; 0: it is not."""
    waiting: bool = False
    gone: bool = False
    mine: float | None = None
    """Our best bid so far."""
    binds: bool = False
    """Whether it may still win."""
    opened_at: float = 0.0
    active_at: float = 0.0

    @on(StandingBid)
    def hear(self, sender: AgentId, call: StandingBid) -> None:
        """Things have changed: are we outbid?"""
        first = self.call is None
        if not self.concerns(sender, call.item) or self.gone:
            self.ignore(call, "not our auctioneer's, or we have gone home")
            return
        if not first and call.round <= self.round:
            self.ignore(call, "a double, or overtaken")
            return
        self.call = call
        self.stop_waiting()
        if first:
            self.opened_at = self.active_at = self.now
        if self.me in call.leaders:
            self.active_at = self.now
            return
        if self.binds and self.mine is not None:
            if self.rules.may_lead(call, self.mine):
                return  # it is on its way
            self.binds, self.asked = False, 0
            self.withdraw(HOLD)
        if not self.asked:
            self.ask()

    @property
    def round(self) -> int:
        """Of the latest call."""
        return self.call.round if self.call is not None else 0

    def ask(self) -> None:
        """Ask our mind about what stands. Its deadline leaves time for the answer to travel."""
        assert self.call is not None
        self.asked = self.round
        self.decide(HOLD, self.rules.question(self.call, self))

    def on_decision(self, name: str, answer: Bid | Pass | Later) -> None:
        assert self.call is not None
        asked, self.asked = self.asked, 0
        if self.state == "working" or self.me in self.call.leaders:
            self.ignore(answer, "there is nothing to say any more")
        elif isinstance(answer, Pass) and answer.reason != "no-answer":
            self.go_home(answer)
        elif isinstance(answer, Bid) and self.rules.useful(self.call, answer.price, self.mine):
            self.mine, self.binds, self.active_at = answer.price, True, self.now
            self.answer(answer)
        elif asked < self.round:
            self.ask()  # the answer is about what is past
        elif isinstance(answer, Later):
            self.wait(answer.at)
        elif isinstance(answer, Bid):
            self.go_home(Pass(answer.item, round=asked))

    @on(Rejected)
    def take_rejection(self, sender: AgentId, rejected: Rejected) -> None:
        """Whatever was wrong with our bid, what stands tells us how to go on; unless we may bid no more."""
        if sender == self.auctioneer and rejected.reason == "inactive":
            self.gone = True
        self.ignore(rejected, rejected.reason)

    @property
    def deadline(self) -> float:
        """The latest time at which our mind can answer."""
        assert self.call is not None
        return min(self.call.idle_by, self.call.closes_at) - self.rules.margin_s

    def wait(self, until: float) -> None:
        """Ask again then, or at the last moment for an answer; who has let it pass waits for something to happen."""
        if self.deadline > self.now:
            self.waiting = True
            self.set_timer("wake", max(min(until, self.deadline), self.now + LEAST_WAIT_S))

    def go_home(self, word: Pass) -> None:
        """Say that we bid no more."""
        self.gone = True
        self.answer(word)

    def stop_waiting(self) -> None:
        if self.waiting:
            self.waiting = False
            self.cancel_timer("wake")

    def on_timer(self, name: str) -> None:
        self.waiting = False
        if self.state != "working":
            self.ask()
