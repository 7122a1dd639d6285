"""A role alone on a stage: the test is its world, and sees its effects in order."""

from typing import Any

from contractnet import AcceptProposal, CallForProposals, ContractNet, Contractor, Manager, Propose
from walras.allocation import Outcome, Report
from walras.effects import Broadcast, Effect, Finish, Recorder, Send
from walras.items import Task
from walras.messages import Message
from walras.protocol import Protocol

TASK = Task("t")
DONE = Report("done", cost=1.0, quality=1.0, seconds=1.0)
NEVER = float("inf")


class Stage:
    """Drives one role; every input returns the effects that it had. After a finish, what comes is late."""

    def __init__(self, role: Protocol, me: str, *, finish_by: float = NEVER, seed: int = 0) -> None:
        self.role: Any = role
        self.port = Recorder(me, finish_by=finish_by, seed=seed)
        self.port.seat(role)
        self.outcome: Outcome | None = None

    def at(self, now: float) -> "Stage":
        assert now >= self.port.now
        self.port.now = now
        return self

    def start(self) -> list[Effect]:
        self.role.on_start()
        return self._effects()

    def hear(self, sender: str, message: Message) -> list[Effect]:
        if self.outcome is None:
            self.role.on_message(sender, message)
        else:
            self.role.on_late(sender, message)
        return self._effects()

    def timer(self, name: Any) -> list[Effect]:
        self.role.on_timer(name)
        return self._effects()

    def decided(self, answer: Any) -> list[Effect]:
        self.role.on_decision("bid", answer)
        return self._effects()

    def performed(self, report: Report, key: str = "t") -> list[Effect]:
        self.role.on_performed(key, report)
        return self._effects()

    def child_ended(self, conversation: str, outcome: Outcome) -> list[Effect]:
        self.role.on_outcome(conversation, outcome)
        return self._effects()

    def cancel(self) -> list[Effect]:
        self.role.on_cancel()
        return self._effects()

    def _effects(self) -> list[Effect]:
        effects = self.port.take()
        for effect in effects:
            assert self.outcome is None or not isinstance(effect, Finish), "it finishes twice"
            if isinstance(effect, Finish):
                self.outcome = effect.outcome
        if self.outcome is None:
            self.role.check()
        return effects


def manager(
    *invited: str, task: Task = TASK, finish_by: float = 100.0, seed: int = 0, **settings: Any
) -> Stage:
    """A manager ``m`` that has called for proposals at 0, which is not among the effects to come."""
    rules = ContractNet(**settings)
    role = rules.opener("m", (task,), invited)
    assert isinstance(role, Manager)
    stage = Stage(role, "m", finish_by=finish_by, seed=seed)
    stage.start()
    return stage


def contractor(**settings: Any) -> Stage:
    """A contractor ``c`` of the manager ``m`` that has heard nothing yet."""
    return Stage(Contractor(ContractNet(**settings), "m"), "c")


CALL = CallForProposals(TASK, reply_by=2.0)


def proposed(valid_until: float = NEVER, **settings: Any) -> Stage:
    """A contractor that has proposed at 0.5; by the rules its proposal binds until 12 (2 + 10)."""
    stage = contractor(**settings)
    stage.at(0.5).hear("m", CALL)
    stage.decided(Propose(3.0, valid_until=valid_until))
    return stage


def working(**settings: Any) -> Stage:
    """A contractor that has been accepted at 2.5 and works."""
    stage = proposed(**settings)
    stage.at(2.5).hear("m", AcceptProposal(50.0))
    return stage


def messages(effects: list[Effect]) -> list[Any]:
    """What was sent, as (recipients, message)."""
    return [(e.to, e.message) for e in effects if isinstance(e, Send | Broadcast)]


def statuses(stage: Stage) -> tuple[str, str]:
    """How the role has ended, and why."""
    assert stage.outcome is not None
    return stage.outcome.status, stage.outcome.why
