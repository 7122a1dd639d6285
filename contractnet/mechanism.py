"""The rules of a Contract Net, and the roles that play by them."""

from typing import Any, ClassVar, Literal

from contractnet.announcer import Announcer
from contractnet.awarding import AwardRule, best_value
from contractnet.contractor import Contractor
from contractnet.manager import Manager
from contractnet.messages import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from contractnet.strategies import truthful
from walras.agents import Agent
from walras.amounts import check_count, check_seconds, is_whole
from walras.errors import ScenarioError
from walras.items import Item, Task, are_names
from walras.mechanism import Mechanism
from walras.messages import AgentId, Envelope, Message
from walras.protocol import Protocol
from walras.questions import Question

_INVITING = (CallForProposals, AcceptProposal, RejectProposal, Cancel)


class ContractNet(Mechanism, frozen=True, kw_only=True):
    """The Contract Net protocol: announce a task, compare proposals, award, await the result, pay on delivery.

    One conversation is about one task; several tasks that are announced together get a child conversation each. It
    ends by its `finish_by`: durations here are upper bounds, which are cut to the time that is left.

    Args:
        reply_within_s: how long proposals are awaited, seconds; at most half of the time that is left.
        result_within_s: how long a result is awaited after the award, seconds. Silence is noticed then and not before:
            make it shorter than the conversation if an award is to be made again after a crash.
        cancel_within_s: how long the answer to a cancel is awaited, seconds.
        valid_for_s: how long after the reply deadline a proposal goes on to bind, seconds; at least `margin_s`, so that
            an acceptance can arrive in time.
        margin_s: what is allowed for a message on its way, seconds: minds answer that much before the reply deadline,
            and the last deadline lies that much before the end of the conversation.
        announcements: how often a task is announced at most, the first time included.
        pause_s: how long to wait before announcing it again, seconds.
        award_rule: scores proposals, see `contractnet.awarding`; equal scores are decided by the role's own dice.
        enough: close the bidding early, at this many proposals; None: wait for all answers, or the deadline.
        hold_losers: do not reject losers until the task is done, so that the next best can step in while its proposal
            binds; else every loser is rejected in the moment of the award.
        reserve: ``lazy`` (a proposal holds nothing, so that a contractor may be accepted more often than it has slots,
            and queues) or ``eager`` (it holds one slot while it binds; without a free slot there is no proposal).
        interruptible: whether a contractor that has begun to work can still be stopped.
        partners: who may be asked to do a task's `parts`, each in a Contract Net of its own; empty: the winner does it
            all by itself.

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        FIPA SC00029H, Contract Net Interaction Protocol Specification, 2002. R. G. Smith, The Contract Net Protocol,
        IEEE Transactions on Computers C-29(12), 1980.
    """

    reply_within_s: float = 2.0
    result_within_s: float = 3600.0
    cancel_within_s: float = 1.0
    valid_for_s: float = 10.0
    margin_s: float = 0.25
    announcements: int = 2
    pause_s: float = 1.0
    award_rule: AwardRule = best_value
    enough: int | None = None
    hold_losers: bool = False
    reserve: Literal["lazy", "eager"] = "lazy"
    interruptible: bool = True
    partners: tuple[AgentId, ...] = ()

    protocol: ClassVar[str] = "fipa-contract-net"
    messages: ClassVar[tuple[type[Message], ...]] = (
        CallForProposals,
        Propose,
        Refuse,
        NotUnderstood,
        AcceptProposal,
        RejectProposal,
        Inform,
        Failure,
        Cancel,
    )

    def __post_init__(self) -> None:
        check_seconds(self, "reply_within_s", "result_within_s", "cancel_within_s")
        check_seconds(self, "valid_for_s", "margin_s", "pause_s", zero=True)
        if self.margin_s >= self.reply_within_s:
            raise ScenarioError(
                "margin_s", self.margin_s, f"less than reply_within_s ({self.reply_within_s})"
            )
        if self.valid_for_s < self.margin_s:
            raise ScenarioError("valid_for_s", self.valid_for_s, f"margin_s ({self.margin_s}) or more")
        check_count(self, "announcements")
        if self.enough is not None and not is_whole(self.enough, 1):
            raise ScenarioError("enough", self.enough, "a whole number of 1 or more, or None")
        if not callable(self.award_rule):
            raise ScenarioError("award_rule", self.award_rule, "a function such as contractnet.cheapest")
        if self.reserve not in ("lazy", "eager"):
            raise ScenarioError("reserve", self.reserve, "'lazy' or 'eager'")
        if not are_names(self.partners):
            raise ScenarioError("partners", self.partners, "a tuple of agents, each by its id")

    # ------------------------------------------------------------------ deadlines
    def reply_by(self, now: float, finish_by: float) -> float | None:
        """Until when to await proposals, asking now: at most half of the time is for them. None: too little is left."""
        window = min(self.reply_within_s, (finish_by - self.margin_s - self.cancel_within_s - now) / 2)
        return now + window if window > self.margin_s else None

    def result_by(self, now: float, finish_by: float) -> float | None:
        """Until when to await a result, awarding now, with time for a cancel after it. None: too little is left."""
        by = min(now + self.result_within_s, finish_by - self.margin_s - self.cancel_within_s)
        return by if by - now > self.margin_s else None

    def cancel_by(self, now: float, finish_by: float) -> float:
        """Until when to await the answer to a cancel."""
        return min(now + self.cancel_within_s, finish_by - self.margin_s)

    # ------------------------------------------------------------------ roles
    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """A `Manager` for one task, an `Announcer` for several."""
        tasks = tuple(item for item in items if isinstance(item, Task))
        if not tasks or len(tasks) < len(items):
            raise ScenarioError("items", items, "one Task or more; lots are for auctions")
        invited = dict.fromkeys(participants, "invited")
        invited.pop(me, None)
        if len(tasks) > 1:
            return Announcer(self, tasks, tuple(invited))
        return Manager(self, tasks[0], invited)

    def join(self, me: AgentId, invitation: Envelope | None) -> Contractor | None:
        """A `Contractor`, for whoever is sent what managers say; one who has missed the call can at least say so."""
        if invitation is None or type(invitation.message) not in _INVITING:
            return None
        return Contractor(self, invitation.sender)

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """Truthful, see `contractnet.strategies`."""
        return truthful(question, agent)
