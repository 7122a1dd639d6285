"""The participant of a Contract Net: it proposes or refuses, and does the task if its proposal is accepted."""

from math import inf
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from contractnet.messages import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    ProposalWanted,
    Propose,
    Refuse,
    RejectProposal,
)
from walras.allocation import Outcome, Report
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol, on

if TYPE_CHECKING:
    from contractnet.mechanism import ContractNet

_REFUSED, _RELEASED = Outcome("refused"), Outcome("released")
_EXPIRED = Failure("expired")


class Contractor(Protocol):
    """Answers one call for proposals; FIPA SC00029H::

        Manager                                    Contractor
           │ ── CallForProposals ──────────────────▶ │ new ──▶ deciding, asks its mind
           │ ◀── Propose(price, ..., valid_until) ── │ ──▶ proposed; it binds until valid_until
           │ ◀── Refuse or NotUnderstood ─────────── │ ──▶ ends
           │ ── RejectProposal ────────────────────▶ │ proposed ──▶ ends, released
           │ ── AcceptProposal ────────────────────▶ │ proposed ──▶ working, or Failure("expired")
           │ ◀── Inform or Failure ───────────────── │ working ──▶ ends
           │ ── Cancel ────────────────────────────▶ │ any ──▶ releases or stops, Inform("cancelled")

    Expiry is lazy: whether the proposal still binds is asked when an acceptance arrives, since nobody can see it
    before. Its own work and the parts of the task that it passes on are awaited together; if one goes wrong, or the
    manager cancels, the others are stopped, and the last word comes when all have ended. A cancel that comes too late
    for the work is answered by the result and Failure("already-finished").
    """

    rules: "ContractNet"
    manager: AgentId
    call: CallForProposals | None = None
    proposal: Propose | None = None
    working: bool = False
    waiting: tuple[str, ...] = ()
    """What has not ended yet: our own work, by its key, and parts, by their conversations."""
    cancelled: bool = False
    wrong: str = ""
    """What went wrong first."""
    report: Report | None = None
    last_word: Inform | Failure | None = None

    @property
    def state(self) -> str:
        """new, deciding, proposed or working."""
        if self.call is None:
            return "new"
        return "deciding" if self.proposal is None else "working" if self.working else "proposed"

    # ------------------------------------------------------------------ proposing
    @on(CallForProposals)
    def consider(self, sender: AgentId, call: CallForProposals) -> None:
        """Ask our mind. Its deadline leaves time for the answer to travel; if that has passed, it is a refusal."""
        if self.call is not None:
            self.ignore(call, "a second call for proposals")
            return
        rules = self.rules
        if not call.reply_by < inf:  # a stranger's call, without a deadline: our own rules have one
            call = replace(call, reply_by=self.now + rules.reply_within_s)
        self.call, reply_by = call, call.reply_by
        self.decide(
            "bid",
            ProposalWanted(
                task=call.task,
                manager=sender,
                valid_until=reply_by + rules.valid_for_s,
                eager=rules.reserve == "eager",
                decide_by=reply_by - rules.margin_s,
            ),
        )

    def on_decision(self, name: str, answer: Propose | Refuse | NotUnderstood) -> None:
        if type(answer) is Propose:
            assert self.call is not None
            binds_until = self.call.reply_by + self.rules.valid_for_s
            if answer.valid_until > binds_until:
                answer = replace(answer, valid_until=binds_until)
            self.proposal = answer
            self.send(self.manager, answer)
        else:
            self.send(self.manager, answer)
            self.finish(_REFUSED)

    @on(RejectProposal, NotUnderstood)
    def release(self, sender: AgentId, message: Message) -> None:
        """We are free again."""
        if self.proposal is not None and not self.working and sender == self.manager:
            self.finish(_RELEASED)
        else:
            self.puzzle_over(sender, message)

    def puzzle_over(self, sender: AgentId, message: Message) -> None:
        """Out of sequence: ignored; if we know of nothing that it could be about, we say so, once."""
        self.ignore(message, "out of sequence")
        if self.state == "new" and type(message) is not NotUnderstood:
            self.send(sender, NotUnderstood("unknown-conversation"))
            self.finish(Outcome("not-understood"))

    # ------------------------------------------------------------------ working
    @on(AcceptProposal)
    def start_work(self, sender: AgentId, message: AcceptProposal) -> None:
        """Do the task, and have its parts done, unless our proposal has ceased to bind."""
        if self.state != "proposed" or sender != self.manager:
            self.puzzle_over(sender, message)
            return
        assert self.call is not None and self.proposal is not None
        if self.now > self.proposal.valid_until:
            self.send(self.manager, _EXPIRED)
            self.finish(Outcome("expired"))
            return
        if self.rules.reserve == "eager":
            self.withdraw("bid")  # the work takes the slot that the proposal held
        task, others = self.call.task, [a for a in self.rules.partners if a not in (self.me, self.manager)]
        self.working, self.waiting = True, (task.id,)
        self.perform(task.id, task)
        for part in task.parts if others else ():
            self.waiting += (self.open(self.rules, [part], others, message.result_by - self.rules.margin_s),)

    def on_performed(self, key: str, report: Report) -> None:
        self.report = report
        self.one_ended(key, report.status)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.one_ended(conversation, outcome.status)

    def one_ended(self, part: str, status: str) -> None:
        """Our own work, or a part, has ended; the first that went wrong stops the others."""
        self.waiting = tuple(other for other in self.waiting if other != part)
        if status != "done" and not self.wrong:
            self.wrong = f"{part}: {status}"
            if not self.cancelled:
                self.stop_all()
        if not self.waiting:
            self.answer()

    def stop_all(self) -> None:
        """Stop our own work, and cancel the parts."""
        assert self.call is not None
        for part in self.waiting:
            if part == self.call.task.id:
                self.stop(part)
            else:
                self.cancel(part)

    def answer(self) -> None:
        """Everything has ended: say how, and end."""
        report = self.report
        if not self.wrong:
            status = "done"
            self.last_word = Inform("result" if report is not None and report.result else "done", report)
        elif self.cancelled:
            status, self.last_word = "cancelled", Inform("cancelled", report)
        else:
            status, self.last_word = "failed", Failure("failed", report, self.wrong)
        self.send(self.manager, self.last_word)
        if self.cancelled and not self.wrong:
            self.send(self.manager, Failure("already-finished", report))
        self.finish(Outcome(status, results=(report,) if report is not None else (), why=self.wrong))

    # ------------------------------------------------------------------ cancelling, the end
    @on(Cancel)
    def give_up(self, sender: AgentId, message: Cancel) -> None:
        """Release or stop, and say so; or say that the work cannot be stopped."""
        if self.state == "new" or sender != self.manager:
            self.puzzle_over(sender, message)
        elif self.state != "working":
            self.send(sender, Inform("cancelled"))
            self.finish(Outcome("cancelled"))
        elif not self.rules.interruptible:
            self.send(sender, Failure("cannot-cancel"))
        elif self.cancelled:
            self.ignore(message, "cancelled already, and stopping")
        else:
            self.cancelled = True
            if not self.wrong:
                self.stop_all()

    def on_late(self, sender: AgentId, message: Any) -> None:
        """Say it again: an acceptance or a cancel may cross our last word, or that one may have been lost."""
        last = self.last_word
        if sender != self.manager or type(message) not in (AcceptProposal, Cancel):
            self.ignore(message, "after the end")
        elif type(message) is AcceptProposal:
            self.send(sender, _EXPIRED if last is None else last)
        elif last is None or (type(last) is Inform and last.kind == "cancelled"):
            self.send(sender, Inform("cancelled", self.report))
        else:
            self.send(sender, Failure("already-finished", self.report))

    def check(self) -> None:
        """Nothing is worked on before an acceptance, and nobody works for nothing."""
        assert self.working >= bool(self.waiting)
        assert not self.working or self.proposal is not None
        assert self.cancelled <= self.working
