"""Agents at home in a live market: an account that outlives them, a mind that is asked, a worker that does its tasks."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from walras.accounts import AccountBook
from walras.agents import Agent, Estimate
from walras.allocation import Report
from walras.errors import ReplayError
from walras.items import Task
from walras.live.agenda import DELIVERY
from walras.live.answers import CALLED_OFF, NOTHING, Answered, in_words
from walras.live.sameness import check_same
from walras.live.threads import in_thread, is_async
from walras.messages import ConversationId

if TYPE_CHECKING:
    from walras.live.inquiries import Asked
    from walras.live.port import Port
    from walras.live.runtime import Runtime

log = logging.getLogger("walras.live")

Work = Callable[[Task, str], "Report | str | Awaitable[Report | str | None] | None"]
"""An agent's worker: does a task, and reports (or returns its result as text). The second argument is the idempotency
key of the work: after a crash the same work may be asked for again under the same key."""


class Purse:
    """An agent's account as one of its conversations sees it: several questions may be pondered at once."""

    def __init__(self, account: AccountBook, conversation: ConversationId) -> None:
        self._account, self._conversation = account, conversation

    @property
    def free(self) -> float:
        """Money that is neither spent nor held."""
        return self._account.free

    @property
    def free_slots(self) -> int:
        """Slots that are neither working nor held."""
        return self._account.free_slots

    def held(self, name: Hashable) -> float:
        """Money that is held under this name in this conversation."""
        hold = self._account.holds.get(self._conversation, {}).get(name)
        return hold.money if hold is not None else 0.0


class Host:
    """One agent's place. The agent itself may come, go and come again (`attach`, `detach`)."""

    def __init__(self, runtime: Runtime, id_: str, account: AccountBook) -> None:
        self.runtime = runtime
        self.id = id_
        self.account = account
        self.agent: Agent | None = None
        """The agent's view of itself; None while it is not there."""
        self.work: Work | None = None
        self.draining = False
        """Whether it takes part in nothing new."""
        self.away = False
        """Whether its roles live in another process."""
        self.mind = Mind(self)
        self.worker = Worker(self)

    def __getstate__(self) -> dict[str, Any]:
        """Without the agent, which the program that restarts the market brings along."""
        return {**self.__dict__, "agent": None, "work": None, "mind": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.mind = Mind(self)

    def check_same(self, money: float, capacity: int) -> None:
        """Who comes back finds the account that it had.

        Raises:
            ScenarioError: if it brings another one.
        """
        mine, theirs = (
            {"money": self.account.money, "capacity": self.account.slots},
            {"money": money, "capacity": capacity},
        )
        check_same(self.id, mine, theirs)

    def attach(self, agent: Agent, work: Work | None) -> None:
        """The agent is there: it is asked what is open, and takes up the work that was not reported."""
        self.agent = agent
        self.work = work if work is not None else pretend(agent)
        agenda = self.runtime.agenda
        for asked in self.runtime.inquiries.open.values():
            if asked.port.principal is self and asked.question.decide_by >= agenda.now:
                agenda.outward(self.mind.ask, asked)
        for job in self.worker.running.values():
            agenda.outward(self.worker.launch, job)
        agenda.plan()

    def detach(self) -> None:
        """The agent is gone: nobody thinks or works here."""
        self.agent = self.work = None
        self.mind.stop()
        self.worker.break_off()


class Mind:
    """Questions on their way to the guard, at most `attention` at once; a question that is voided is called off."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.waiting: deque[Asked] = deque()
        self.pondering: dict[int, asyncio.Task[None]] = {}

    def ask(self, asked: Asked) -> None:
        """Take a question; whoever asks does not wait for it. An agent who is not there is asked when it comes."""
        agent = self.host.agent
        if agent is None:
            return
        if asked.open:
            self.waiting.append(asked)
            self._start(agent)
        elif self._is_free(agent):  # it was called off in the turn in which it was put
            recording, question = getattr(self.host.runtime.guard, "recording", None), asked.question
            if recording is not None:
                seconds = question.decide_by - asked.at
                recording.called_off(agent.id, asked.port.conversation, question, seconds, NOTHING)

    def _is_free(self, agent: Agent) -> bool:
        return agent.attention is None or len(self.pondering) < agent.attention

    def _start(self, agent: Agent) -> None:
        while self.waiting and self._is_free(agent):
            asked = self.waiting.popleft()
            if asked.open:
                self.pondering[asked.id] = asyncio.get_running_loop().create_task(self._ponder(asked, agent))

    async def _ponder(self, asked: Asked, agent: Agent) -> None:
        runtime, port, question = self.host.runtime, asked.port, asked.question
        view = copy.copy(agent)
        view.account = Purse(self.host.account, port.conversation)
        mechanism = port.talk.mechanism
        try:
            answered = await runtime.guard.answer(
                view,
                question,
                conversation=port.conversation,
                seconds=question.decide_by - runtime.agenda.clock(),
                strategy=mechanism.default_strategy if mechanism is not None else _otherwise,
            )
            runtime.inquiries.answered(asked, answered)
        except ReplayError as error:  # the run cannot go on, and must not seem to
            runtime.fail(error)
        # A bug of the guard's, which never raises: one question is lost, and the market goes on.
        except Exception as error:
            log.exception("asking %s in %s", port.me, port.conversation)
            runtime.inquiries.answered(asked, Answered("error", detail=in_words(error)))
        finally:
            if self.pondering.get(asked.id) is _current_task():  # else who came back was asked anew
                del self.pondering[asked.id]
            if self.host.agent is not None:
                self._start(self.host.agent)

    def void(self, asked: Asked) -> None:
        """Nobody wants the answer any more: a call that is under way is broken off, and so costs no more."""
        task = self.pondering.get(asked.id)
        if task is not None:
            task.cancel(CALLED_OFF)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What is under way."""
        return list(self.pondering.values())

    def stop(self) -> None:
        """Break off everything; the questions stay open until their time is over."""
        self.waiting.clear()
        for task in self.pondering.values():
            if not task.cancelling():  # a second time would make it forget how it was cancelled
                task.cancel()


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work: queued, then running, then ended."""

    id: int
    port: Port
    key: str
    task: Task
    state: str = "queued"
    began: float = 0.0
    stopping: bool = False

    @property
    def idempotency_key(self) -> str:
        """Names this work for whoever does it, in this life of the market and in the next."""
        return f"{self.port.conversation}/{self.port.me}#{self.key}"


class Worker:
    """Does an agent's tasks, first come first served, `capacity` at a time."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.queue: deque[Job] = deque()
        self.running: dict[int, Job] = {}
        self.busy_s = 0.0
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tasks": {}}

    def take(self, port: Port, key: str, task: Task) -> Job:
        """Accept work; it begins when a slot is free."""
        runtime = self.host.runtime
        job = runtime.enter_job(port, key, task)
        if self.host.account.slots == 0:
            job.state = "ended"
            report = Report("failed", result="this agent has no capacity")
            runtime.agenda.post(runtime.now, DELIVERY, runtime.take_report, job.id, report)
        else:
            self.queue.append(job)
            self._start()
        return job

    def _start(self) -> None:
        runtime = self.host.runtime
        while self.queue and len(self.running) < self.host.account.slots:
            job = self.queue.popleft()
            self.running[job.id] = job
            job.state, job.began = "running", runtime.now
            job.port.note("began", job.key)
            runtime.agenda.outward(self.launch, job)
        self.host.account.busy = len(self.running) + len(self.queue)

    def launch(self, job: Job) -> None:
        """Have it done, once its beginning is durable; an agent who is not there will find it later."""
        if self.host.work is None or job.state != "running" or job.id in self._tasks:
            return
        if job.stopping:
            self.host.runtime.reported(job, Report("stopped"))
        else:
            self._tasks[job.id] = asyncio.get_running_loop().create_task(self._do(job, self.host.work))

    async def _do(self, job: Job, work: Work) -> None:
        runtime = self.host.runtime
        began = runtime.agenda.clock()
        try:
            report = await self._outcome(job, work)
        finally:
            del self._tasks[job.id]
        if report is None:
            self.launch(job)  # where the agent is back already: it has waited for this to let go
            return
        if not report.seconds:
            report = msgspec.structs.replace(report, seconds=runtime.agenda.clock() - began)
        runtime.reported(job, report)

    async def _outcome(self, job: Job, work: Work) -> Report | None:
        """How it ends; None: it was broken off, since the market closes, or the agent has left."""
        lease_s = self.host.runtime.lease_s
        lease = asyncio.timeout(lease_s if lease_s < inf else None)
        try:
            async with lease:
                report = await carried_out(work, job.task, job.idempotency_key)
            broken_off = _current_task().cancelling() and not job.stopping  # and it has spoken all the same
            return None if broken_off else report
        except asyncio.CancelledError:
            return Report("stopped") if job.stopping else None
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # a worker is not ours: whatever it does must not stop the market
            if lease.expired():
                return Report("unknown", result=f"its lease of {lease_s:g} s has run out")
            return Report("failed", result=in_words(error))

    def stop(self, job: Job) -> None:
        """Stop work: what is queued never begins, what runs is broken off, unless it ends before."""
        if job.state == "queued":
            self.queue.remove(job)
            job.state = "stopped"
            self.host.account.busy = len(self.running) + len(self.queue)
            runtime = self.host.runtime
            runtime.agenda.post(runtime.now, DELIVERY, runtime.take_report, job.id, Report("stopped"))
        elif job.state == "running" and not job.stopping:
            job.stopping = True
            self.host.runtime.agenda.outward(self._break_off, job)

    def _break_off(self, job: Job) -> None:
        if job.id in self._tasks:
            self._tasks[job.id].cancel()
        elif job.state == "running":
            self.host.runtime.reported(job, Report("stopped"))

    def ended(self, job: Job, report: Report) -> None:
        """A job has ended: its slot is free."""
        if self.running.pop(job.id, None) is not None:
            self.busy_s += report.seconds
        job.state = "ended"
        self._start()

    def forget(self, port: Port) -> None:
        """A records role has forgotten its work: nobody waits for it."""
        self.queue = deque(job for job in self.queue if job.port is not port)
        for job in [job for job in self.running.values() if job.port is port]:
            job.state = "ended"
            del self.running[job.id]
            if job.id in self._tasks:
                self._tasks[job.id].cancel()
        self._start()

    def tasks(self) -> list[asyncio.Task[None]]:
        """What is under way."""
        return list(self._tasks.values())

    def break_off(self) -> None:
        """The agent is gone, or the market closes; what runs is taken up again when it comes back."""
        for task in self._tasks.values():
            task.cancel()


async def carried_out(work: Work, task: Task, key: str) -> Report:
    """Have a worker do a task; what it returns in place of a report is its result.

    Raises:
        BaseException: whatever the worker raises.
    """
    if is_async(work):
        found = await work(task, key)  # type: ignore[misc]
    else:  # a plain function may take its time: the market does not wait for it
        found = await in_thread(work, task, key)
    if isinstance(found, Report):
        return found
    return Report("done", quality=1.0, result="" if found is None else str(found))


def pretend(agent: Agent) -> Work:
    """A worker that takes the time and has the cost that its agent believes in, and does nothing: as in simulation."""

    async def work(task: Task, key: str) -> Report:
        estimate = agent.estimate(task) or Estimate()
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.sleep(estimate.seconds)
        except asyncio.CancelledError:  # what is stopped has cost its share
            spent = asyncio.get_running_loop().time() - began
            return Report("stopped", estimate.cost * spent / estimate.seconds, seconds=spent)
        return Report("done", estimate.cost, estimate.quality, estimate.seconds)

    return work


def _otherwise(question: Any, agent: Agent) -> Any:
    return question.otherwise


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "only tasks ponder and work"
    return task
