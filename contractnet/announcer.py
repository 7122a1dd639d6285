"""Several tasks at once: a Contract Net each, side by side."""

from typing import TYPE_CHECKING

from msgspec import field

from walras.allocation import Outcome
from walras.items import Task
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol

if TYPE_CHECKING:
    from contractnet.mechanism import ContractNet


class Announcer(Protocol):
    """Opens a conversation for every task, waits for all of them, and ends with what they came to::

        Announcer ── open(task 1) ──▶ Manager …  ── outcome ──┐
                  ── open(task 2) ──▶ Manager …  ── outcome ──┼──▶ done, partial, failed, unassigned or cancelled

    Tasks that ended differently, none of them cancelled, are partial if anything was awarded.
    """

    rules: "ContractNet"
    tasks: tuple[Task, ...]
    invited: tuple[AgentId, ...]
    running: dict[ConversationId, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    cancelled: bool = False

    def on_start(self) -> None:
        """Announce all tasks."""
        finish_by = self.finish_by - self.rules.margin_s
        for task in self.tasks:
            self.running[self.open(self.rules, [task], self.invited, finish_by)] = task.id

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        """One task has ended."""
        self.outcomes[self.running.pop(conversation)] = outcome
        if not self.running:
            self.finish(self.total())

    def on_cancel(self) -> None:
        """Cancel what still runs; we end when all of it has."""
        self.cancelled = True
        for child in self.running:
            self.cancel(child)

    def total(self) -> Outcome:
        """The outcomes as one."""
        ends = [self.outcomes[task.id] for task in self.tasks]
        statuses = [end.status for end in ends]
        awards = tuple(line for end in ends for line in end.awards)
        if len(set(statuses)) == 1:
            status = statuses[0]
        elif self.cancelled:
            status = "cancelled"
        else:
            failed = "failed" in statuses or "overdue" in statuses
            status = "partial" if awards else "failed" if failed else "unassigned"
        why = "; ".join(
            f"{task.id}: {end.why}" for task, end in zip(self.tasks, ends, strict=True) if end.why
        )
        return Outcome(status, awards, tuple(report for end in ends for report in end.results), why)

    def check(self) -> None:
        """Every task either runs or has ended."""
        assert len(self.running) + len(self.outcomes) in (0, len(self.tasks))
