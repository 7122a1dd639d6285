"""Bugs in conversations, work and money: promise 8 and the accounts."""

from __future__ import annotations

from typing import Any

from walras.accounts import Ledger
from walras.accounts.books import AccountBook
from walras.allocation import Outcome
from walras.errors import LocalProtocolError
from walras.simulation import book, world as world_module
from walras.simulation.book import Conversation
from walras.simulation.hosts import Worker
from walras.simulation.port import Port
from walras.simulation.world import World
from walras.testing.broken import bug
from walras.testing.patching import Patch


@bug
def one_outcome_per_open(patch: Patch) -> None:
    """A child that did not succeed is reported twice: when it ends, and when it is cleared away."""
    ended = Port.child_ended

    def again(self: Any, child: str, outcome: Any) -> None:
        ended(self, child, outcome)
        if outcome.status == "failed":
            self.enter("on_outcome", child, outcome)

    patch(Port, "child_ended", again)


@bug
def overdue(patch: Patch) -> None:
    """A child of a role that was seated by hand is given another second, if it has two."""
    late = book.overdue

    def patient(talk: Any) -> None:
        if talk.parent is not None and talk.finish_by == 2.0:
            talk.world.clock.call_at(talk.finish_by + 1.0, 4, late, talk)
        else:
            late(talk)

    patch(world_module, "overdue", patient)


@bug
def top_level_overdue(patch: Patch) -> None:
    """A conversation that was opened for nobody has no deadline."""
    late = book.overdue

    def lenient(talk: Any) -> None:
        if talk.parent is not None or talk.participants:
            late(talk)

    patch(world_module, "overdue", lenient)


@bug
def cancel_reaches_the_child(patch: Patch) -> None:
    """Cancelling is noted, and nobody told."""

    def noted(self: Any, child: str) -> None:
        self.note("cancel", child)

    patch(Port, "cancel", noted)


@bug
def overdue_cancels_children(patch: Patch) -> None:
    """An opener that is overdue leaves its children to themselves."""

    def leaving(self: Any) -> None:
        port = self.seats.get(self.opener)
        if self.outcome is None and port is not None and not port.ended:
            port.expel(Outcome("overdue"))
        if self.live:
            self.expire_soon()

    patch(Conversation, "overdue", leaving)


@bug
def child_ids_are_deterministic(patch: Patch) -> None:
    """Where nothing goes wrong, children are counted by all roles together."""
    open_ = Port.open

    def counted(self: Any, *arguments: Any) -> Any:
        if not self.guarded:
            self.opens = sum(room.count("/") > 1 for room in self.world.book)
        return open_(self, *arguments)

    patch(Port, "open", counted)


@bug
def finish_waits_for_children(patch: Patch) -> None:
    """A role may finish while its children go on."""
    finish = Port.finish

    def hasty(self: Any, outcome: Any) -> None:
        self.children = None
        finish(self, outcome)

    patch(Port, "finish", hasty)


@bug
def second_finish_is_refused(patch: Patch) -> None:
    """A second finish is swallowed."""
    finish = Port.finish

    def silent(self: Any, outcome: Any) -> None:
        if not self.ended:
            finish(self, outcome)

    patch(Port, "finish", silent)


@bug
def nothing_binds_after_finish(patch: Patch) -> None:
    """Who has finished may go on awarding and opening."""
    patch(Port, "demand_life", lambda self, verb: None)


@bug
def waiting_roles_are_expired(patch: Patch) -> None:
    """Where nothing goes wrong, a role that came in time may wait for ever for what cannot come any more."""
    expire = Conversation.expire_role

    def waiting(self: Any, port: Any) -> None:
        if port.guarded or self.finish_by == float("inf"):
            expire(self, port)

    patch(Conversation, "expire_role", waiting)


@bug
def latecomers_are_expired(patch: Patch) -> None:
    """Who joins after the end is not thought of any more."""
    patch(Conversation, "over", property(lambda self: False))


# -------------------------------------------------------------------------------------------------------- work


@bug
def one_report_per_perform(patch: Patch) -> None:
    """A key may be used again once its work is done."""
    ended = Port.job_ended

    def forgetful(self: Any, key: str, report: Any) -> None:
        if (
            report.status == "done"
            and not self.guarded
            and self.jobs.get(key) is not None
            and len(self.jobs) == 2
        ):
            del self.jobs[key]
            self.enter("on_performed", key, report)
        else:
            ended(self, key, report)

    patch(Port, "job_ended", forgetful)


@bug
def impossible_work_is_reported(patch: Patch) -> None:
    """Work for an agent without capacity waits in its queue."""
    take = Worker.take

    def queued(self: Any, port: Any, key: str, task: Any) -> Any:
        if self.capacity:
            return take(self, port, key, task)
        from walras.simulation.hosts import Job

        return Job(port, key, task, self.life)

    patch(Worker, "take", queued)


@bug
def stopped_work_is_reported(patch: Patch) -> None:
    """Work that is stopped before it began is not reported."""
    stop = Worker.stop

    def silent(self: Any, job: Any) -> None:
        if job.state == "queued":
            self.queue.remove(job)
        else:
            stop(self, job)

    patch(Worker, "stop", silent)


@bug
def work_waits_for_capacity(patch: Patch) -> None:
    """An agent takes on one task more than it can."""
    made = Worker.__init__

    def overworked(self: Any, world: Any, host: Any) -> None:
        made(self, world, host)
        if self.capacity and not world.port_class.guarded:
            self.capacity += 1

    patch(Worker, "__init__", overworked)


@bug
def finish_waits_for_work(patch: Patch) -> None:
    """A role may finish while its work goes on."""
    finish = Port.finish

    def hasty(self: Any, outcome: Any) -> None:
        self.jobs = None
        finish(self, outcome)

    patch(Port, "finish", hasty)


@bug
def work_is_awaited_beyond_the_end(patch: Patch) -> None:
    """When nothing can reach a role any more it is ended, though it is at work."""

    def impatient(self: Any, port: Any) -> None:
        if not port.ended:
            port.expel(Outcome("expired"))

    patch(Conversation, "expire_role", impatient)


# ------------------------------------------------------------------------------------------------------- money


@bug
def lot_is_paid_at_its_award(patch: Patch) -> None:
    """The price of a lot lies in escrow, as if it were work."""
    award = Ledger.award

    def deferred(
        self: Any, effect: str, room: str, opener: str, line: Any, procured: bool, *more: Any
    ) -> bool:
        return award(self, effect, room, opener, line, procured or line.item == "lot", *more)

    patch(Ledger, "award", deferred)


@bug
def settlement_pays_what_is_settled(patch: Patch) -> None:
    """A settlement for less than half of a price pays all of it."""
    settle = Ledger.settle

    def generous(self: Any, effect: str, room: str, item: str, paid: float, *more: Any) -> bool:
        price = float(self._escrow.find(room, item, None).price)
        return settle(self, effect, room, item, price if paid < price / 2 else paid, *more)

    patch(Ledger, "settle", generous)


@bug
def task_price_lies_in_escrow(patch: Patch) -> None:
    """What lies in escrow still counts as its payer's."""
    open_account, balance = Ledger.open_account, AccountBook.balance
    ledger_of: dict[AccountBook, Ledger] = {}

    def known(self: Any, agent_id: str, money: float, slots: int) -> None:
        open_account(self, agent_id, money, slots)
        ledger_of[self._books[agent_id]] = self

    def rosy(self: Any) -> float:
        items = [item for talk in ledger_of[self]._escrow._stakes.values() for item in talk.values()]
        lying = [stake.price for stakes in items for stake in stakes.values() if stake.payer is self]
        return balance.fget(self) + sum(map(float, lying))  # type: ignore[attr-defined, no-any-return]

    patch(Ledger, "open_account", known)
    patch(AccountBook, "balance", property(rosy))


@bug
def unsettled_money_goes_back(patch: Patch) -> None:
    """What was not settled stays in escrow when the conversation ends."""
    abandon = Ledger.abandon

    def keeping(self: Any, effect: str, room: str) -> None:
        bonds = [posting for posting in self.postings if posting.why == "bond"]
        if not bonds:
            abandon(self, effect, room)

    patch(Ledger, "abandon", keeping)


@bug
def money_is_conserved(patch: Patch) -> None:
    """What goes back is not posted."""
    post = Ledger._post

    def lax(self: Any, debit: str, credit: str, amount: float, why: str, *rest: Any) -> None:
        if why != "refund":
            post(self, debit, credit, amount, why, *rest)

    patch(Ledger, "_post", lax)


@bug
def only_what_is_on_offer_is_awarded(patch: Patch) -> None:
    """Anything can be awarded."""
    award = World.award

    def lax(self: Any, port: Any, effect: str, line: Any) -> None:
        try:
            award(self, port, effect, line)
        except LocalProtocolError:
            self.awards.append((port.conversation, line))

    patch(World, "award", lax)
