"""Who does the tasks: one role for both, the assigned and the claimed."""

from math import inf

from walras.allocation import Outcome, Report
from walras.baselines.messages import Assign, Claim, Done, Leave, MayClaim, Open, Release, Take, Taken
from walras.messages import AgentId
from walras.protocol import Protocol, on

WORK = "work"

MOST_CLAIMS = 1_000
"""So many claims for a task without a deadline may stay unanswered; its announcer is then out of reach for good.

More than one, since messages get lost and an answer may take many times `Worker.again_s`; but some number, since
otherwise a run in which an announcer is cut off would never end.
"""

MOST_QUESTIONS = 100_000
"""So often a mind is asked about a task without a deadline: it may be busy for long, or have no answer at all."""


class Worker(Protocol):
    """Does the task that it is assigned, once; where tasks are open, claims it first (`Announcer`'s diagram).

    While its mind neither takes nor leaves an open task, and while a claim has no answer, the question comes again
    every `again_s`; without a deadline it gives up after `MOST_CLAIMS`, or after `MOST_QUESTIONS`. An assignment is
    honoured even if the claim's hold on a slot has run out: the work then queues.
    """

    again_s: float = 1.0
    boss: AgentId = ""
    call: Open | None = None
    claims: int = 0
    asked: int = 0
    working: bool = False
    wanted: bool = True

    @on(Open)
    def hear(self, sender: AgentId, m: Open) -> None:
        if self.boss:
            self.ignore(m, "double")
        else:
            self.boss, self.call = sender, m
            self.end_by(m.close_by)
            self.ponder()

    def ponder(self) -> None:
        assert self.call is not None
        self.asked += 1
        decide_by = min(self.now + self.again_s, self.call.close_by)
        self.decide("claim", MayClaim(self.call.task, decide_by + self.again_s, decide_by=decide_by))

    def on_decision(self, name: str, answer: Take | Leave | None) -> None:
        if isinstance(answer, Take):
            self.claims += 1
            self.send(self.boss, Claim(answer.price, self.claims))
        if isinstance(answer, Leave):
            self.finish(Outcome("passed"))
        else:
            self.set_timer("again", self.now + self.again_s)

    @on(Assign)
    def work(self, sender: AgentId, m: Assign) -> None:
        if self.working or (self.boss and (sender != self.boss or not self.claims)):
            self.ignore(m, "double, or not claimed")
        elif self.now > m.report_by:
            self.ignore(m, "too late")
            self.finish(Outcome("late"))
        else:
            self.boss, self.working = sender, True
            self.end_by(m.report_by)
            if self.call is not None:
                self.cancel_timer("again")
                self.withdraw("claim")  # the work itself takes the slot now
            self.perform(WORK, m.task)

    def on_performed(self, key: str, report: Report) -> None:
        if self.wanted:
            self.send(self.boss, Done(report))
        self.finish(Outcome(report.status, results=(report,)))

    @on(Taken, Release)
    def drop(self, sender: AgentId, m: Taken | Release) -> None:
        if sender != self.boss or not self.wanted:
            self.ignore(m, "from a stranger, or double")
        else:
            self.give_up("released")

    def on_timer(self, name: str) -> None:
        tried = self.claims >= MOST_CLAIMS or self.asked >= MOST_QUESTIONS
        if name == "end" or (self.call and self.call.close_by == inf and tried):
            self.give_up("closed")
        else:
            self.withdraw("claim")  # what the last claim held, or else it would stand in its own way
            self.ponder()

    def give_up(self, why: str) -> None:
        """The task is no longer wanted from us."""
        if not self.working:
            self.finish(Outcome(why))
        elif self.wanted:
            self.wanted = False
            self.stop(WORK)

    def end_by(self, at: float) -> None:
        if at < inf:
            self.set_timer("end", at)

    def check(self) -> None:
        assert not self.working or self.boss
