"""Roles that play foul: each breaks one rule, which a check of the same test kit must notice."""

from typing import Any

from msgspec.structs import replace

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Contractor,
    Inform,
    Manager,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from walras.allocation import Outcome, Report
from walras.items import Task
from walras.messages import AgentId
from walras.protocol import on

# ------------------------------------------------------------------------------------------------ contractors


class LateBidder(Contractor):
    """Proposes half a second after the deadline."""

    def on_decision(self, name: str, answer: Any) -> None:
        self.set_timer("late", self.call.reply_by + 0.5)  # type: ignore[union-attr]

    def on_timer(self, name: Any) -> None:
        super().on_decision("bid", Propose(0.1))


class EarlyWorker(Contractor):
    """Begins before it is accepted."""

    def on_decision(self, name: str, answer: Any) -> None:
        super().on_decision(name, answer)
        self.perform("t", Task("t"))

    @on(RejectProposal)
    def release(self, sender: AgentId, message: Any) -> None:
        self.stop("t")

    def on_performed(self, key: str, report: Report) -> None:
        self.finish(Outcome("released"))


class StubbornWorker(Contractor):
    """Works although it was rejected."""

    @on(RejectProposal)
    def release(self, sender: AgentId, message: Any) -> None:
        self.perform("t", Task("t"))

    def on_performed(self, key: str, report: Report) -> None:
        self.send(self.manager, Inform("done", report))
        self.finish(Outcome("done"))


class LateWorker(Contractor):
    """Works although its proposal has expired."""

    @on(AcceptProposal)
    def start_work(self, sender: AgentId, message: AcceptProposal) -> None:
        self.proposal = Propose(1.0)
        super().start_work(sender, message)


class Mute(Contractor):
    """Hears the call, and says nothing."""

    @on(CallForProposals)
    def consider(self, sender: AgentId, call: CallForProposals) -> None:
        self.ignore(call, "not now")


class SilentWinner(Contractor):
    """Is accepted, and never heard of again."""

    @on(AcceptProposal, Cancel)
    def start_work(self, sender: AgentId, message: Any) -> None:
        self.ignore(message, "gone")


class Waverer(Contractor):
    """Is accepted, and proposes again."""

    @on(AcceptProposal)
    def start_work(self, sender: AgentId, message: AcceptProposal) -> None:
        super().start_work(sender, message)
        self.send(self.manager, Propose(99.0))


class Deaf(Contractor):
    """Ignores cancels."""

    @on(Cancel)
    def give_up(self, sender: AgentId, message: Cancel) -> None:
        self.ignore(message, "who cares")


class Liar(Contractor):
    """Says that it has stopped, and then that it is done, to be paid."""

    @on(Cancel)
    def give_up(self, sender: AgentId, message: Cancel) -> None:
        self.send(self.manager, Inform("cancelled"))
        self.send(self.manager, Inform("done", Report("done")))


class Parrot(Contractor):
    """Does not understand, ever."""

    @on(CallForProposals, NotUnderstood)
    def consider(self, sender: AgentId, call: Any) -> None:
        self.send(sender, NotUnderstood())


class PingPong(Manager):
    """Answers what was not understood in kind."""

    @on(NotUnderstood)
    def take_no(self, sender: AgentId, message: Any) -> None:
        self.send(sender, NotUnderstood())


class OverCommitter(Contractor):
    """Does not ask its mind, and so holds nothing for what it offers."""

    @on(CallForProposals)
    def consider(self, sender: AgentId, call: CallForProposals) -> None:
        self.call = call
        self.on_decision("bid", Propose(1.0))


class Gossip(Contractor):
    """Tells its proposal to another contractor."""

    def on_decision(self, name: str, answer: Any) -> None:
        super().on_decision(name, answer)
        self.send("b", answer)


class Nonsense(Contractor):
    """Answers the call with a call, an acceptance and a result of its own."""

    def on_decision(self, name: str, answer: Any) -> None:
        assert self.call is not None
        for nonsense in (self.call, AcceptProposal(1.0), Inform("result")):
            self.send(self.manager, nonsense)
        self.finish(Outcome("refused"))


# ------------------------------------------------------------------------------------------------ managers


class LateAwarder(Manager):
    """Takes proposals for a second longer than it says."""

    def on_start(self) -> None:
        super().on_start()
        self.reply_by += 1.0
        self.set_timer("reply", self.reply_by)


class NeverRejects(Manager):
    """Lets losers wait for ever."""

    def part_with(self, sender: AgentId, how: str, report: Report | None = None) -> None:
        super().part_with(sender, how, report)

    def held(self) -> dict[AgentId, Propose]:
        return {}


class RefusesLosers(Manager):
    """Sends losers a refusal, as some packages do."""

    def award_best(self, pending: dict[AgentId, Propose]) -> None:
        for loser in list(pending)[1:]:
            del pending[loser]
            self.send(loser, Refuse())
        super().award_best(pending)


class DoubleAwarder(Manager):
    """Accepts everybody for a task that is wanted once."""

    def choose(self, pending: dict[AgentId, Propose], places: int) -> list[AgentId]:
        return list(pending)


class Inventor(Manager):
    """Awards to somebody who has never proposed."""

    def award_best(self, pending: dict[AgentId, Propose]) -> None:
        if not self.contracts and not self.kept and not self.broken:
            pending["ghost"] = self.proposals["ghost"] = Propose(0.0)
            self.standing["ghost"] = "proposed"
        super().award_best(pending)


class OverPayer(Manager):
    """Pays for what was not delivered."""

    def part_with(self, sender: AgentId, how: str, report: Report | None = None) -> None:
        line = self.contracts.pop(sender)
        self.settle(line.item, line.price, sender)
        self.end("failed")


class Hagglers(Manager):
    """Awards below the price that was proposed."""

    def accept(self, winner: AgentId, result_by: float) -> None:
        self.proposals[winner] = Propose(0.01)
        super().accept(winner, result_by)


class Sisyphus(Manager):
    """Announces again without end."""

    def announce_again(self) -> None:
        self.rules = replace(self.rules, announcements=self.rules.announcements + 1)
        super().announce_again()
