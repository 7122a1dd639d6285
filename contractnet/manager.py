"""The initiator of a Contract Net: it announces a task, awards it, and awaits the result."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import field
from msgspec.structs import replace

from contractnet.awarding import acceptable, best, rejections
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
    TieDecided,
)
from walras.allocation import Award, Outcome, Report
from walras.items import Task
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol, on

if TYPE_CHECKING:
    from contractnet.mechanism import ContractNet


_LIVE = ("invited", "proposed", "accepted", "cancelling")


class Manager(Protocol):
    """Announces one task, once; FIPA SC00029H, after R. G. Smith, IEEE Trans. Computers C-29(12), 1980::

        Manager                                    Contractors
           │ ── CallForProposals(task, reply_by) ──▶ │ m
           │ ◀── Propose, Refuse, NotUnderstood ──── │ until reply_by, `enough`, or all have answered
           │ ── AcceptProposal(result_by) ─────────▶ │ at most task.copies; the price goes into escrow
           │ ── RejectProposal ────────────────────▶ │ all other proposers, at once (or held until the task is done)
           │ ◀── Inform or Failure ───────────────── │ until result_by; silence is cancelled
           │ ── Cancel ────────────────────────────▶ │ at any time before
           │ ◀── Inform("cancelled") or Failure ──── │ until cancel_within_s later

    A result is paid as proposed. What fails, is cancelled or stays silent is not paid, and the best proposal that is
    held and still binds steps in. A late proposal is rejected at once, also after the end.

    What could not be awarded is announced again as the standard has it: in a new conversation, a child of this one
    with one announcement less, whose outcome becomes ours. So every conversation keeps the standard, their number is
    bounded, and every task ends: done, partial (some copies), failed, unassigned or cancelled.

    `standing` is each participant's record: invited; proposed, refused, not-understood, silent or late;
    accepted or rejected; done or failed; cancelling, uncancellable, cancelled or unanswered.
    """

    rules: "ContractNet"
    task: Task
    standing: dict[AgentId, str]
    state: str = "new"
    """new, bidding, working, pausing, announced again, cancelling."""
    reply_by: float = 0.0
    awaited: int = 0
    """How many have yet to answer: the call while bidding, the cancel while cancelling."""
    proposals: dict[AgentId, Propose] = field(default_factory=dict)
    """All sound proposals that we have heard, answered or not, unless taken back."""
    contracts: dict[AgentId, Award] = field(default_factory=dict)
    """What is accepted, and neither delivered nor given up."""
    kept: list[Award] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    broken: int = 0
    again: ConversationId = ""
    """The conversation in which the task is announced again."""

    # ------------------------------------------------------------------ bidding
    def on_start(self) -> None:
        reply_by = self.rules.reply_by(self.now, self.finish_by)
        if reply_by is None or not self.standing:
            self.end(note="no time was left" if self.standing else "there was nobody to ask")
        else:
            self.state, self.awaited, self.reply_by = "bidding", len(self.standing), reply_by
            self.set_timer("reply", reply_by)
            self.broadcast(tuple(self.standing), CallForProposals(self.task, reply_by))

    @on(Propose)
    def take_proposal(self, sender: AgentId, proposal: Propose) -> None:
        """One more proposal; one that is heard after `reply_by` is late, even if we stood still then and have not closed."""
        if self.state == "bidding" and self.now > self.reply_by:
            self.close_bidding()
        if self.standing.get(sender) != "invited":
            self.turn_away(sender, proposal)
            return
        self.standing[sender] = "proposed"
        self.proposals[sender] = proposal
        self.awaited -= 1
        enough = self.rules.enough
        if not self.awaited or (enough is not None and len(self.proposals) == enough):
            self.close_bidding()

    @on(Refuse, NotUnderstood)
    def take_no(self, sender: AgentId, message: Refuse | NotUnderstood) -> None:
        """No proposal; or, not understood at a later stage, the end of this participant's part, whatever it was."""
        standing, refused = self.standing.get(sender), type(message) is Refuse
        if standing == "invited":
            self.standing[sender] = "refused" if refused else "not-understood"
            self.awaited -= 1
            if not self.awaited:
                self.close_bidding()
        elif not refused and standing == "proposed":
            self.standing[sender] = "not-understood"
            del self.proposals[sender]
        elif not refused and (standing == "cancelling" or sender in self.contracts):
            self.part_with(sender, "not-understood")
        else:
            self.ignore(message, "not asked, or a second answer, or too late")

    def turn_away(self, sender: AgentId, proposal: Propose) -> None:
        """A proposal that nobody waits for: rejected if its sender was silent until now, else a double."""
        standing = self.standing.get(sender)
        if sender in self.proposals or standing not in ("silent", "cancelling", "unanswered"):
            self.ignore(proposal, "from a stranger" if standing is None else "a second answer")
        elif standing == "silent":
            self.standing[sender] = "late"
            self.send(sender, RejectProposal("late" if self.now > self.reply_by else "closed"))
        else:
            self.proposals[sender] = proposal
            self.send(sender, RejectProposal("cancelled"))

    def close_bidding(self) -> None:
        """Who has not answered by now is silent."""
        self.cancel_timer("reply")
        if self.awaited:
            silent = [agent for agent, standing in self.standing.items() if standing == "invited"]
            self.standing.update(dict.fromkeys(silent, "silent"))
            self.awaited = 0
        self.state = "working"
        self.award_best(dict(self.proposals))

    # ------------------------------------------------------------------ awarding
    def award_best(self, pending: dict[AgentId, Propose]) -> None:
        """Accept the best for what nobody does yet; reject the others, or hold them; if nobody works, conclude."""
        if pending:
            now, places = self.now, self.task.copies - len(self.kept) - len(self.contracts)
            result_by, arrives = self.rules.result_by(now, self.finish_by), now + self.rules.margin_s
            sound = acceptable(self.task, pending, arrives)
            if places and sound and result_by is not None:
                for winner in self.choose(sound, places):
                    self.accept(winner, result_by)
                    del pending[winner]
            if pending and not (self.contracts and self.rules.hold_losers):
                self.standing.update(dict.fromkeys(pending, "rejected"))
                for reason, losers in rejections(pending, sound, arrives).items():
                    self.broadcast(losers, RejectProposal(reason))
        if not self.contracts:
            self.conclude()

    def held(self) -> dict[AgentId, Propose]:
        """The proposals that are still unanswered: none, unless losers are held."""
        if not self.rules.hold_losers:
            return {}
        return {agent: p for agent, p in self.proposals.items() if self.standing[agent] == "proposed"}

    def choose(self, proposals: dict[AgentId, Propose], places: int) -> list[AgentId]:
        """The best by the rules' score; between equals our own dice decide, whoever came first."""
        winners, tied = best(self.rules.award_rule, self.task, proposals, places)
        if tied:
            places -= len(winners)
            self.publish(TieDecided(self.task.id, tuple(tied), places))
            winners += self.rng.sample(tied, places)
        return winners

    def accept(self, winner: AgentId, result_by: float) -> None:
        """Award to one proposer."""
        line = Award(self.task.id, winner, self.proposals[winner].price)
        self.standing[winner] = "accepted"
        self.contracts[winner] = line
        self.award(line)
        self.set_timer(("result", winner), result_by)
        self.send(winner, AcceptProposal(result_by))

    # ------------------------------------------------------------------ results
    @on(Inform)
    def take_result(self, sender: AgentId, inform: Inform) -> None:
        """A contractor is done; or our cancel has released it."""
        if inform.kind == "cancelled" and self.standing.get(sender) == "cancelling":
            self.part_with(sender, "cancelled")
        elif inform.kind == "cancelled" or sender not in self.contracts:
            self.ignore(inform, "the sender has no such contract")
        else:
            self.part_with(sender, "done", inform.report)

    @on(Failure)
    def take_failure(self, sender: AgentId, failure: Failure) -> None:
        """A contractor has failed; or our cancel has."""
        contract, cancelling = sender in self.contracts, self.standing.get(sender) == "cancelling"
        report, of_cancel = failure.report, failure.reason in ("cannot-cancel", "already-finished")
        if not cancelling and (of_cancel or not contract):
            self.ignore(failure, "the sender has no such contract")
        elif contract and failure.reason == "cannot-cancel" and self.state == "cancelling":
            self.standing[sender] = "uncancellable"  # its result is still due, and still paid
            self.awaited -= 1
        elif contract and of_cancel and report is not None and report.status == "done":
            self.part_with(sender, "done", report)  # its Inform is late, or lost
        else:
            self.part_with(sender, "failed")

    def part_with(self, sender: AgentId, how: str, report: Report | None = None) -> None:
        """A participant's part is over: settle its contract, if it had one, and go on."""
        if self.state == "cancelling" and self.standing[sender] == "cancelling":
            self.awaited -= 1
        self.standing[sender] = how
        if report is not None:
            self.reports.append(report)
        line = self.contracts.pop(sender, None)
        if line is not None:
            self.cancel_timer(("result", sender))
            self.cancel_timer(("cancel", sender))
            self.settle(line.item, line.price if how == "done" else 0.0, sender)
            if how == "done":
                self.kept.append(line)
            else:
                self.broken += 1
        if self.state == "working":
            self.award_best(self.held())
        elif not self.awaited and not self.contracts:
            self.end("cancelled")

    # ------------------------------------------------------------------ silence and cancelling
    def on_timer(self, name: Any) -> None:
        if name == "reply":
            self.close_bidding()
        elif name == "again":
            self.announce_again()
        elif name == "cancel":
            for agent in [a for a, standing in self.standing.items() if standing == "cancelling"]:
                self.part_with(agent, "unanswered")
        elif name[0] == "result" and self.state == "working":
            self.call_off([name[1]], ("cancel", name[1]))
        else:
            self.part_with(name[1], "unanswered")

    def call_off(self, agents: list[AgentId], timer: Any) -> None:
        """Cancel the parts of these participants; their answers are awaited until the timer of this name."""
        self.standing.update(dict.fromkeys(agents, "cancelling"))
        self.set_timer(timer, self.rules.cancel_by(self.now, self.finish_by))
        self.broadcast(agents, Cancel())

    def on_cancel(self) -> None:
        live = [agent for agent, standing in self.standing.items() if standing in _LIVE]
        if self.state == "announced again":
            self.cancel(self.again)
        elif self.state in ("bidding", "working") and live:
            self.cancel_timer("reply")
            for agent in live:  # answers to earlier cancels, too, are awaited until the common deadline
                if self.standing[agent] == "cancelling":
                    self.cancel_timer(("cancel", agent))
            self.state, self.awaited = "cancelling", len(live)
            self.call_off(live, "cancel")
        elif self.state != "cancelling":
            self.end("cancelled")

    # ------------------------------------------------------------------ the end
    def conclude(self) -> None:
        """Nobody works: the task is done, or announced again, or given up."""
        rules, again_at = self.rules, self.now + self.rules.pause_s
        more = len(self.kept) < self.task.copies and rules.announcements > 1
        if more and rules.reply_by(again_at, self.finish_by) is not None:
            self.state = "pausing"
            self.set_timer("again", again_at)
        else:
            self.end()

    def announce_again(self) -> None:
        """Ask everybody who has not done it already, in a conversation of its own."""
        self.state = "announced again"
        rules = replace(self.rules, announcements=self.rules.announcements - 1)
        task = replace(self.task, copies=self.task.copies - len(self.kept))
        others = [agent for agent, standing in self.standing.items() if standing != "done"]
        self.again = self.open(rules, [task], others, self.finish_by - self.rules.margin_s)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.kept += outcome.awards
        self.reports += outcome.results
        self.broken += outcome.status in ("failed", "overdue")
        self.end("cancelled" if outcome.status == "cancelled" else "", f"asked again: {outcome.why}")

    def end(self, status: str = "", note: str = "") -> None:
        """Finish; unless all is done, say how the participants stood."""
        why = ""
        if not status and len(self.kept) == self.task.copies:
            status = "done"
        else:
            status = status or ("partial" if self.kept else "failed" if self.broken else "unassigned")
            stood = [f"{n} {standing}" for standing, n in Counter(self.standing.values()).items()]
            why = "; ".join(part for part in (", ".join(stood), note) if part)
        self.finish(Outcome(status, tuple(self.kept), tuple(self.reports), why))

    def on_late(self, sender: AgentId, message: Any) -> None:
        if type(message) is Propose:
            self.turn_away(sender, message)
        else:
            self.ignore(message, "after the end")

    def check(self) -> None:
        """One contract per copy, with somebody who proposed; nobody is awaited twice or forgotten."""
        standings = Counter(self.standing.values())
        assert len(self.contracts) + len(self.kept) <= self.task.copies
        assert all(self.standing[a] in ("accepted", "cancelling", "uncancellable") for a in self.contracts)
        assert self.proposals.keys() >= self.contracts.keys()
        assert standings["proposed"] <= len(self.proposals)
        if self.state == "bidding":
            assert self.awaited == standings["invited"] > 0 == len(self.contracts)
        elif self.state == "cancelling":
            assert self.awaited == standings["cancelling"]
