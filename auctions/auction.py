"""The settings that all auction formats share, and the roles that a format makes."""

from inspect import signature
from typing import Any, ClassVar, Literal

from auctions.clearing import rule_name
from auctions.lots import Lots
from auctions.positions import Positions
from auctions.strategies import truthful
from walras.agents import Agent
from walras.amounts import check_seconds
from walras.errors import ScenarioError
from walras.items import Item, Lot, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId, Envelope, Message
from walras.protocol import Protocol
from walras.questions import Question


class Auction(Mechanism, frozen=True, kw_only=True):
    """The settings that all formats share; formats inherit them, and make their roles in `auctioneer` and `bidder`.

    One conversation is about one item, which is sold or procured as the item says. It ends by its `finish_by`:
    durations here are upper bounds, which are cut to the time that is left.

    Args:
        margin_s: what is allowed for a message on its way, seconds: minds answer that much before a reply deadline, and
            the last deadline lies that much before the end of the conversation.
        result_within_s: how long the result of work is awaited after its award, seconds; silence is noticed then.
        cancel_within_s: how long the last word of a worker that was called off is awaited, seconds.
        attempts: how often a task is put up at most, the first time included: again if nobody could have it, or if the
            winner did not deliver, who is then not asked again. A good is put up once.
        pause_s: how long to wait before putting it up again, seconds.
        hidden_reserve: whether bidders are not told the item's reserve.
        disclose: what the result tells: ``all`` awards to everybody, or to each only its ``own``.
        order: of several items, ``simultaneous`` (all auctions begin together) or ``sequential`` (one after the other, in
            the order in which they are given, each with an equal share of the time that is left).

    Raises:
        ScenarioError: for a setting outside its range; it names the field.
    """

    margin_s: float = 0.25
    result_within_s: float = 3600.0
    cancel_within_s: float = 1.0
    attempts: int = 2
    pause_s: float = 1.0
    hidden_reserve: bool = False
    disclose: Literal["all", "own"] = "all"
    order: Literal["simultaneous", "sequential"] = "simultaneous"

    calls: ClassVar[tuple[type[Message], ...]] = ()
    """The messages that invite a newcomer to bid."""

    def __post_init__(self) -> None:
        check_seconds(self, "result_within_s", "cancel_within_s")
        check_seconds(self, "margin_s", "pause_s", zero=True)
        if type(self.attempts) is not int or self.attempts < 1:
            raise ScenarioError("attempts", self.attempts, "a whole number of 1 or more")
        if self.disclose not in ("all", "own"):
            raise ScenarioError("disclose", self.disclose, "'all' or 'own'")
        if self.order not in ("simultaneous", "sequential"):
            raise ScenarioError("order", self.order, "'simultaneous' or 'sequential'")

    # ------------------------------------------------------------------ deadlines
    def close_by(self, item: Item, now: float, finish_by: float) -> float:
        """Until when bidding may go on, starting now: half of the time is for the work, if there is any."""
        end = finish_by - self.margin_s
        return now + (end - self.cancel_within_s - now) / 2 if item.escrowed else end

    def result_by(self, now: float, finish_by: float) -> float | None:
        """Until when to await a result, awarding now, with time to call the worker off after it. None: too little is left."""
        by = min(now + self.result_within_s, finish_by - self.margin_s - self.cancel_within_s)
        return by if by - now > self.margin_s else None

    def cancel_by(self, now: float, finish_by: float) -> float:
        """Until when to await the last word of a worker that is called off now."""
        return min(now + self.cancel_within_s, finish_by - self.margin_s)

    # ------------------------------------------------------------------ roles
    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        """The role that auctions one item."""
        raise TypeError(f"{type(self).__name__} does not say who auctions")

    def bidder(self, auctioneer: AgentId) -> Protocol:
        """The role of whoever is asked to bid."""
        raise TypeError(f"{type(self).__name__} does not say who bids")

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """An auctioneer for one item; for several, a role that opens a conversation for each."""
        for item in items:
            if not isinstance(item, Lot | Task):
                raise ScenarioError("items", item, "Lots or Tasks; bundles are for combinatorial auctions")
        if not items or len({item.id for item in items}) < len(items):
            raise ScenarioError("items", items, "one Lot or Task, or several with names of their own")
        bidders = tuple(agent for agent in dict.fromkeys(participants) if agent != me)
        return self.auctioneer(items[0], bidders) if len(items) == 1 else Lots(self, items, bidders)

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        """A bidder, for whoever is called to bid; who has missed the call is turned away."""
        if invitation is None or type(invitation.message) not in self.calls:
            return None
        return self.bidder(invitation.sender)

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """Truthful, see `auctions.strategies`."""
        return truthful(question, agent)


def check_reply(rules: Auction, reply_within_s: float) -> None:
    """Raise `ScenarioError` unless there is time for an answer to travel between its two deadlines."""
    check_seconds(rules, "reply_within_s")
    if rules.margin_s >= reply_within_s:
        raise ScenarioError("margin_s", rules.margin_s, f"less than reply_within_s ({reply_within_s})")


def check_rule(rule: Any, *given: str, example: str) -> None:
    """Raise `ScenarioError` unless a rule can be called with what it will be given; what it does then, nobody knows yet."""
    try:
        fits = callable(rule) and signature(rule).bind(*given) is not None
    except TypeError:
        fits = False
    except ValueError:  # not written in Python: it does not say what it takes
        fits = True
    if not fits:
        shown = rule_name(rule) if callable(rule) else rule
        raise ScenarioError("rule", shown, f"a function of {', '.join(given)}, such as {example}")
    if isinstance(rule, Positions) and rule.most_clicks > 1:
        expected = "at most 1 with messages, quality included: a bid holds the money for one click"
        raise ScenarioError("clicks of the rule", rule.clicks, expected)
