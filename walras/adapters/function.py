"""A strategy that blocks, in a thread of its own."""

import threading
from typing import Any

from walras.agents import Agent, Strategy
from walras.errors import ScenarioError
from walras.live.participant import Retryable
from walras.live.threads import in_thread
from walras.questions import Question


class InThread:
    """Makes a coroutine of a strategy that blocks (a synchronous client, a long computation).

    A thread cannot be stopped: who is given up runs on, and spends. So no more than `threads` run at once, those that
    were given up included; who asks for one more has to come again.

    Args:
        strategy: a plain strategy; it shares its agent with other threads, and should only read it.
        threads: 1 or more.

    Raises:
        ScenarioError: for what is no strategy, or fewer than 1 thread.
    """

    def __init__(self, strategy: Strategy, threads: int = 4) -> None:
        if not callable(strategy):
            raise ScenarioError("strategy", strategy, "a function of a question and an agent")
        if threads < 1:
            raise ScenarioError("threads", threads, "1 or more")
        self.strategy, self.threads = strategy, threads
        self.running = 0
        self._lock = threading.Lock()

    async def __call__(self, question: Question, agent: Agent) -> Any:
        with self._lock:
            if self.running >= self.threads:
                raise Retryable(f"all {self.threads} threads are still at work")
            self.running += 1
        return await in_thread(self._counted, question, agent)

    def _counted(self, question: Question, agent: Agent) -> Any:
        try:
            return self.strategy(question, agent)
        finally:
            with self._lock:
                self.running -= 1
