"""A strategy that blocks, in a thread of its own."""

import asyncio
import threading
from typing import Any

from walras.agents import Agent, Strategy
from walras.errors import ScenarioError
from walras.live.participant import Retryable
from walras.questions import Question


class InThread:
    """Makes a coroutine of a strategy that blocks (a synchronous client, a long computation).

    A thread cannot be stopped: who is given up runs on, and spends. So no more than `threads` run at once, those that
    were given up included; who asks for one more has to come again.

    Args:
        strategy: a plain strategy; it shares its agent with other threads, and should only read it.
        threads: 1 or more.

    Raises:
        ScenarioError: for fewer than 1 thread.
    """

    def __init__(self, strategy: Strategy, threads: int = 4) -> None:
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
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        threading.Thread(target=self._work, args=(loop, answer, question, agent), daemon=True).start()
        return await answer

    def _work(
        self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], question: Question, agent: Agent
    ) -> None:
        value, error = None, None
        try:
            value = self.strategy(question, agent)
        except BaseException as raised:  # whatever it is, it belongs to who asked
            error = raised if isinstance(raised, Exception) else RuntimeError(repr(raised))
        with self._lock:
            self.running -= 1
        try:
            loop.call_soon_threadsafe(_hand_over, answer, value, error)
        except RuntimeError:  # the loop has been closed meanwhile
            return


def _hand_over(answer: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if answer.done():
        return  # given up
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(value)
