"""What a crash takes and a replay gives back: a role between two inputs, and what its inputs had come to."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from walras.allocation import Outcome
from walras.items import Task
from walras.messages import ConversationId
from walras.questions import Question

if TYPE_CHECKING:
    from walras.simulation.guarded_port import GuardedPort


class Snapshot:
    """A role between two inputs, with all that its port keeps for it."""

    def __init__(self, port: GuardedPort) -> None:
        role = port.role
        self.role = copy.deepcopy(role)
        self.rng = copy.deepcopy(port.stream)
        self.opens, self.awards = port.opens, port.awards
        self.timers = {name: timer.at for name, timer in (port.timers or {}).items()}
        self.questions = {name: question for _, name, question in port.open_questions()}
        self.jobs = {key: job.task if job is not None else None for key, job in (port.jobs or {}).items()}
        self.stopped = {key for key, job in (port.jobs or {}).items() if job is not None and job.stopped}
        """Work that was stopped and whose report is on its way."""
        self.children = dict(port.children or {})


class Replayed:
    """What a replay has found out about timers, questions, work and children, while nothing goes out."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.muted = True
        self.timers: dict[Hashable, float] = dict(snapshot.timers)
        self.questions: dict[Hashable, Question] = dict(snapshot.questions)
        self.jobs: dict[str, Task | None] = dict(snapshot.jobs)
        self.children: dict[ConversationId, bool] = dict(snapshot.children)
        self.stopped: set[str] = set(snapshot.stopped)
        self.outcome: Outcome | None = None

    @property
    def busy(self) -> bool:
        """Whether work or children have not ended yet."""
        return any(task is not None for task in self.jobs.values()) or any(self.children.values())

    def take(self, handler: str, arguments: tuple[Any, ...]) -> None:
        """An input ends what it answers."""
        if handler == "on_timer":
            self.timers.pop(arguments[0], None)
        elif handler == "on_decision":
            self.questions.pop(arguments[0], None)
        elif handler == "on_performed":
            self.jobs[arguments[0]] = None
        elif handler == "on_outcome":
            self.children[arguments[0]] = False
