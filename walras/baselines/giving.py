"""Who gives a task away: the dispatcher chooses an agent, the announcer waits for the first to claim it."""

from math import inf

from walras.allocation import Award, Outcome
from walras.baselines.messages import (
    Assign,
    Choice,
    Choose,
    Claim,
    Done,
    Open,
    Release,
    Taken,
    is_price,
)
from walras.items import Task
from walras.messages import AgentId
from walras.protocol import Protocol, on


class Dispatcher(Protocol):
    """Assigns a task to the agent that its own mind chooses, and pays on delivery::

        Dispatcher            Worker
        [Choose]
            |---- Assign -------->|   the price lies in escrow
            |                [performs]
            |<--- Done -----------|   done: paid; else: the next choice, `tries` in all
            |---- Release ------->|   only if the report stays out for `silence_s`, or at the end

    Ends as done, failed, cancelled or (nobody is eligible) unassigned, `margin_s` before `finish_by`.
    """

    task: Task
    candidates: tuple[AgentId, ...]
    tries: int = 2
    silence_s: float = inf
    margin_s: float = 0.1
    turn: int = 0
    report_by: float = inf
    winner: AgentId | None = None
    price: float = 0.0

    def on_start(self) -> None:
        self.turn = turn_of(self.conversation) % max(1, len(self.candidates))
        self.report_by = last_call(self.finish_by, self.now, self.margin_s)
        if self.report_by < inf:
            self.set_timer("end", self.report_by)
        self.choose()

    def choose(self) -> None:
        decide_by = last_call(self.report_by, self.now, self.margin_s)
        self.decide("whom", Choose(self.task, self.candidates, self.turn, decide_by=decide_by))

    def on_decision(self, name: str, answer: Choice) -> None:
        if answer.agent is None:
            self.finish(Outcome("unassigned", why="nobody who is eligible was chosen"))
        else:
            self.withdraw(name)  # from here on the price lies in escrow
            self.assign(answer.agent, answer.price)

    def assign(self, agent: AgentId, price: float) -> None:
        """This agent shall do it."""
        self.winner, self.price = agent, price
        self.award(Award(self.task.id, agent, price))
        self.send(agent, Assign(self.task, self.report_by))
        if self.silence_s < inf:
            self.set_timer("silence", self.now + self.silence_s)

    @on(Done)
    def conclude(self, sender: AgentId, m: Done) -> None:
        if sender != self.winner:
            self.ignore(m, "its sender is not, or no longer, assigned")
        elif m.report.status == "done":
            self.settle(self.task.id, self.price, sender)
            self.finish(Outcome("done", (Award(self.task.id, sender, self.price),), (m.report,)))
        else:
            self.try_next(f"{sender} reported {m.report.status}")

    def on_timer(self, name: str) -> None:
        why = f"no report from {self.winner} in time" if self.winner is not None else "no choice in time"
        if self.winner is not None:
            self.send(self.winner, Release())
        if name == "end":
            self.take_back()
            self.finish(Outcome("failed", why=why))
        else:
            self.try_next(why)

    def try_next(self, why: str) -> None:
        """Whoever is assigned is written off; somebody else gets the task, if tries are left."""
        self.take_back()
        self.tries -= 1
        if self.tries and self.candidates:
            self.choose()
        else:
            self.finish(Outcome("failed", why=why))

    def take_back(self) -> None:
        """The escrow comes back, and who had the task does not get it again."""
        if self.winner is not None:
            self.settle(self.task.id, 0.0, self.winner)
            self.cancel_timer("silence")
            self.candidates = tuple(agent for agent in self.candidates if agent != self.winner)
            self.winner = None

    def on_cancel(self) -> None:
        if self.winner is not None:
            self.send(self.winner, Release())
        self.take_back()
        self.finish(Outcome("cancelled"))

    def check(self) -> None:
        assert self.winner is None or self.winner in self.candidates


class Announcer(Protocol):
    """Announces a task to all; the first claim to arrive has it, the others get `Taken`::

        Announcer             Worker 1 .. N
            |---- Open ---------->|   to all
            |<--- Claim ----------|   of who has a free slot, now or later
            |---- Assign -------->|   to the first; its price lies in escrow
            |---- Taken --------->|   to all others, once; again to who claims again, since it was lost
            |                [performs]
            |<--- Done -----------|   done: paid

    2N + c + 1 messages for c claims, 3N + 1 at most. A second claim of the winner says that Assign was lost: it is
    sent again. Ends as done, failed, cancelled or (no claim) unassigned, `margin_s` before `finish_by`.
    """

    task: Task
    audience: tuple[AgentId, ...]
    margin_s: float = 0.1
    close_by: float = inf
    winner: AgentId | None = None
    price: float = 0.0

    def on_start(self) -> None:
        self.close_by = last_call(self.finish_by, self.now, self.margin_s)
        if self.close_by < inf:
            self.set_timer("end", self.close_by)
        if self.audience:
            self.broadcast(self.audience, Open(self.task, self.close_by))
        else:
            self.finish(Outcome("unassigned", why="nobody was invited"))

    @on(Claim)
    def serve(self, sender: AgentId, m: Claim) -> None:
        if sender not in self.audience or not is_price(m.price, self.task):
            self.ignore(m, "not invited, or at no price that can be paid")
        elif self.winner is None:
            self.assign(sender, m.price)
        elif m.attempt == 1:
            self.ignore(m, "taken, and its sender has been told")
        else:  # it claims again: our answer to its first claim was lost
            self.send(sender, Assign(self.task, self.close_by) if sender == self.winner else Taken())

    def assign(self, agent: AgentId, price: float) -> None:
        """This agent has it, and the others are told."""
        self.winner, self.price = agent, price
        self.award(Award(self.task.id, agent, price))
        self.send(agent, Assign(self.task, self.close_by))
        self.broadcast(tuple(other for other in self.audience if other != agent), Taken())

    @on(Done)
    def conclude(self, sender: AgentId, m: Done) -> None:
        if sender != self.winner:
            self.ignore(m, "its sender has not been assigned")
        elif m.report.status == "done":
            self.settle(self.task.id, self.price, sender)
            self.finish(Outcome("done", (Award(self.task.id, sender, self.price),), (m.report,)))
        else:
            self.end(Outcome("failed", why=f"{sender} reported {m.report.status}"))

    def on_timer(self, name: str) -> None:
        if self.winner is None:
            self.finish(Outcome("unassigned", why="nobody claimed it in time"))
        else:
            self.send(self.winner, Release())
            self.end(Outcome("failed", why=f"no report from {self.winner} in time"))

    def end(self, outcome: Outcome) -> None:
        """Finish without a result: what lies in escrow comes back."""
        if self.winner is not None:
            self.settle(self.task.id, 0.0, self.winner)
        self.finish(outcome)

    def on_cancel(self) -> None:
        self.broadcast(self.audience, Release())
        self.end(Outcome("cancelled"))

    def on_late(self, sender: AgentId, m: object) -> None:
        if isinstance(m, Claim) and m.attempt > 1 and sender != self.winner:
            self.send(sender, Taken())
        else:
            self.ignore(m, "after the end")

    def check(self) -> None:
        assert self.winner is None or self.winner in self.audience


def last_call(deadline: float, now: float, margin_s: float) -> float:
    """An instant before a deadline: by the margin, or by a tenth of the time that is left where that is less."""
    return max(now, deadline - min(margin_s, (deadline - now) / 10.0)) if deadline < inf else inf


def turn_of(conversation: str) -> int:
    """The last number in the id of a conversation: how many its initiator had opened; 0 if there is none."""
    counter = conversation.rpartition("/")[2]
    return int(counter) if counter.isdecimal() else 0
