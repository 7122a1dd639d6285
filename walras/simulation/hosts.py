"""Agents at home in a simulated world: their mind, which takes time, and their worker, which has a capacity."""

from __future__ import annotations

import copy
from collections import deque
from math import fsum, inf
from numbers import Real
from random import Random
from typing import TYPE_CHECKING, Any

from walras.agents import Agent
from walras.allocation import Report
from walras.errors import ReplayError, ScenarioError
from walras.items import Task
from walras.randomness import stream
from walras.simulation.clock import ANSWER, DELIVERY
from walras.simulation.port import is_open
from walras.trace.rows import without_addresses

if TYPE_CHECKING:
    from walras.accounts import AccountBook
    from walras.simulation.network import Routes
    from walras.simulation.port import Asked, Port
    from walras.simulation.world import World


class Host:
    """One agent's place in the world."""

    __slots__ = (
        "account",
        "agent",
        "blueprint",
        "clock",
        "id",
        "mind",
        "ready",
        "routes",
        "rows",
        "strategy",
        "worker",
        "world",
    )

    def __init__(self, world: World, agent: Agent, account: AccountBook, routes: Routes) -> None:
        self.id = agent.id
        self.world, self.clock, self.rows, self.ready = world, world.clock, world.trace.rows, world.ready
        self.agent = agent
        self.blueprint = copy.copy(agent)
        """What is true of it, whatever its strategy does to its view of itself."""
        self.account = account
        self.routes = routes
        self.strategy = agent.strategy
        self.worker = Worker(world, self)
        slow = agent.attention is not None or callable(agent.deliberation_s) or agent.deliberation_s > 0
        self.mind = Mind(world, agent) if slow or hasattr(agent.strategy, "deliberation_s") else None


class Mind:
    """A mind that ponders: each question takes its time, and at most `attention` are pondered at once.

    A question that is voided while it waits costs nothing; one that is voided while it is pondered still takes its
    time. One that is still unanswered at its `decide_by` is answered by `otherwise`.
    """

    def __init__(self, world: World, agent: Agent) -> None:
        self.world = world
        self.id = agent.id
        self.attention = agent.attention
        self.rng: Random = stream(world.seed, "mind", agent.id)
        self.agent = agent
        self.deliberation_s = agent.deliberation_s
        self.of_question = getattr(agent.strategy, "deliberation_s", None)
        self.life = 0
        self.pondering = 0
        self.waiting: deque[Asked] = deque()

    def ask(self, asked: Asked) -> None:
        """Take a question; its answer or its `otherwise` comes at `decide_by` at the latest."""
        port, _, question = asked
        decide_by = port.host_time(question.decide_by)
        if decide_by != float("inf"):
            self.world.clock.call_at(decide_by, ANSWER, give_up, asked)
        self.waiting.append(asked)
        self.start()

    def start(self) -> None:
        """Begin to ponder what waits, as far as attention goes."""
        while self.waiting and (self.attention is None or self.pondering < self.attention):
            asked = self.waiting.popleft()
            if is_open(asked):
                self.pondering += 1
                until = self.world.clock._now + self.thinking_s(asked)
                self.world.clock.call_at(until, ANSWER, self.done, (asked, self.life))
            else:
                self.world.bury()  # as in `done`

    def thinking_s(self, asked: Asked) -> float:
        """How long a question takes, seconds, as its strategy says or else its agent; below 0 counts as 0."""
        think_s = self.deliberation_s
        seconds: Any
        if self.of_question is not None:
            seconds = self._as_strategy_says(asked)
        else:
            seconds = think_s(self.rng) if callable(think_s) else think_s
        if not isinstance(seconds, Real) or not seconds < inf:
            raise ScenarioError(f"deliberation_s of {self.id}", seconds, "a finite number of seconds")
        return max(0.0, float(seconds))

    def _as_strategy_says(self, asked: Asked) -> Any:
        assert self.of_question is not None
        port, _, question = asked
        try:
            return self.of_question(question, self.agent)
        except ReplayError:
            raise
        except Exception as error:  # as in `World.answer`
            port.note("note", f"{type(error).__name__} in deliberation_s: {without_addresses(error)}")
            return 0.0

    def done(self, thought: tuple[Asked, int]) -> None:
        """The thought is complete; if its question is void by now, the answer is accounted for and goes nowhere."""
        asked, life = thought
        if life != self.life:
            return  # forgotten in a crash
        self.pondering -= 1
        port, name, _ = asked
        if is_open(asked):
            self.world.answer(asked, pondered=True)
        else:
            port.note("note", f"a late thought about {name}")
        self.world.bury()  # `give_up` waits in the heap for its `decide_by`, perhaps for long
        self.start()

    def crash(self) -> None:
        """The machine dies: what was pondered or waiting is forgotten."""
        self.waiting.clear()
        self.pondering = 0
        self.life += 1


def give_up(asked: Asked) -> None:
    """The time for an answer is over."""
    if is_open(asked):
        port, _, question = asked
        port.conclude((asked, question.otherwise, "silent"))


class Job:
    """One piece of work: queued, then running, then ended."""

    __slots__ = ("began", "key", "life", "port", "report", "state", "task")

    def __init__(self, port: Port, key: str, task: Task, life: int) -> None:
        self.port, self.key, self.task, self.life = port, key, task, life
        self.state = "queued"
        self.began = 0.0
        self.report: Report | None = None

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, as its report will say; what is done is "ended", too, while its agent is paused."""
        return self.state == "ended" and self.report is not None and self.report.status == "stopped"


class Worker:
    """Does an agent's tasks, first come first served, `capacity` at a time."""

    __slots__ = ("_spent_s", "capacity", "host", "life", "queue", "running", "world")

    def __init__(self, world: World, host: Host) -> None:
        self.world = world
        self.host = host
        self.capacity = host.blueprint.capacity
        self.life = 0
        self.running: list[Job] = []
        self.queue: deque[Job] = deque()
        self._spent_s = 0.0  # on work that has ended

    @property
    def load(self) -> int:
        """Tasks that are running or queued."""
        return len(self.running) + len(self.queue)

    @property
    def busy_s(self) -> float:
        """Seconds of work until now, added over its slots: also of what is not done yet, or was lost in a crash."""
        now = self.world.clock._now
        return self._spent_s + fsum([now - job.began for job in self.running])

    def take(self, port: Port, key: str, task: Task) -> Job:
        """Accept work; it starts when a slot is free."""
        job = Job(port, key, task, self.life)
        if self.capacity == 0:
            job.state, job.report = "ended", Report("failed", result="this agent has no capacity")
            self.world.clock.call_at(self.world.clock._now, DELIVERY, self._report, job)
            return job
        self.queue.append(job)
        self.host.account.busy = self.load
        self._start()
        return job

    def _start(self) -> None:
        while self.queue and len(self.running) < self.capacity:
            job = self.queue.popleft()
            clock = self.world.clock
            self.running.append(job)
            job.state, job.began = "running", clock._now
            job.port.note("began", job.key)
            job.report = self.world.work(job.task, self.host.id)
            clock.call_at(clock._now + job.report.seconds, DELIVERY, self._done, job)

    def _done(self, job: Job) -> None:
        if job.state != "running" or job.life != self.life:
            return  # stopped, or lost in a crash
        self._release(job)
        self._report(job)

    def _release(self, job: Job) -> None:
        job.state = "ended"
        self.running.remove(job)
        self._spent_s += self.world.clock._now - job.began
        self.host.account.busy = self.load
        self._start()

    def _report(self, job: Job) -> None:
        assert job.report is not None
        self.world.work_ended(job)
        job.port.job_ended(job.key, job.report)

    def stop(self, job: Job) -> None:
        """Stop work: what is queued never starts, what runs is broken off and has cost its share."""
        if job.life != self.life:
            return  # lost in a crash
        if job.state == "running":
            self._break_off(job, "stopped")
            self._release(job)
        elif job.state == "queued":
            self.queue.remove(job)
            self.host.account.busy = self.load
            job.state = "ended"
            job.report = Report("stopped")
        else:
            return  # too late
        self.world.clock.call_at(self.world.clock._now, DELIVERY, self._report, job)

    def _break_off(self, job: Job, status: str) -> None:
        """What runs has cost its share."""
        assert job.report is not None
        spent = self.world.clock._now - job.began
        share = spent / job.report.seconds if job.report.seconds > 0 else 1.0
        job.report = Report(status, cost=job.report.cost * share, seconds=spent)

    def crash(self) -> None:
        """The machine dies: work in progress is lost, though it has cost its share, and so is the queue."""
        for job in self.running:
            self._break_off(job, "unknown")
            self.world.work_ended(job)
        self._spent_s = self.busy_s
        self.running.clear()
        self.queue.clear()
        self.life += 1
        self.host.account.busy = 0
