"""One question to one participant, from the first call to the last repair."""

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from walras.agents import Agent
from walras.errors import ReplayError
from walras.live.answers import NOTHING, Answered, Status, Usage, in_words
from walras.live.breaker import Pass
from walras.live.budget import OverBudgetError, Reservation
from walras.live.meanings import key_of
from walras.live.participant import Ask, Participant, Prompt, Reply, Retryable
from walras.live.schemas import Form, UnreadableError, form_of
from walras.messages import ConversationId
from walras.questions import Question

if TYPE_CHECKING:
    from walras.live.guard import Guard

_NO_PROMPT = Prompt("", "")


class Ended(Exception):  # noqa: N818  # no error: how a consultation ends without an answer
    """No answer will come, and this is the status."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status: Status = status


class Consultation:
    """One question to one participant. `run` it once."""

    def __init__(
        self, guard: "Guard", mind: Participant, agent: Agent, question: Question,
        conversation: ConversationId, seconds: float,
    ) -> None:  # fmt: skip
        self.guard, self.mind, self.agent = guard, mind, agent
        self.question, self.conversation = question, conversation
        self.clock = asyncio.get_running_loop().time
        self.began = self.clock()
        self.deadline = self.began + seconds
        self.breaker = guard.breaker(mind, agent.id)
        self.usage = NOTHING
        self.attempts = 0

    async def run(self) -> Answered:
        """Ask, and ask again as far as the rules allow; never raises, except when it is cancelled, or a replay has a miss."""
        try:
            value = await self._asked()
            return self._end("ok", value=value)
        except Ended as ended:
            return self._end(ended.status, str(ended))
        except ReplayError:
            raise  # a recorded mind was asked what it was not asked then: the run cannot go on
        except Exception as error:  # of the question or of its schema: no participant can help it
            return self._end("error", in_words(error))

    def _end(self, status: Status, detail: str = "", value: Any = None) -> Answered:
        return Answered(status, value, self.usage, self.clock() - self.began, self.attempts, detail)

    async def _asked(self) -> Any:
        """The legal answer, at the first try or after a repair."""
        form = form_of(type(self.question))
        repeats, key = 0, ""
        if self.mind.informed:
            key = key_of(self.agent.id, self.question)
            repeats = self.guard.repeated(self.conversation, key)
            if repeats >= self.guard.rules.most_repeats:
                raise Ended(
                    "over_budget", f"a loop: asked the same {repeats} times before in {self.conversation}"
                )
        note = detail = ""
        for repair in range(self.guard.rules.repairs + 1):
            ask = self._ask(form, f"{key}-{repeats}-{repair}", note)
            value = await self._called(ask)
            if value is None and not self.question.accepts(None):
                raise Ended("declined", "")
            try:
                return self._legal(form, value)
            except UnreadableError as error:
                note, detail = error.note, str(error)
        raise Ended("invalid", detail)

    def _legal(self, form: Form, value: Any) -> Any:
        answer = form.read(value, self.guard.rules.most_bytes) if value is not None else None
        if not self.question.accepts(answer):
            raise UnreadableError("its form is right, but the question does not accept its values")
        return answer

    def _ask(self, form: Form, key: str, note: str) -> Ask:
        guard, agent, question = self.guard, self.agent, self.question
        seconds = self.deadline - self.clock()
        if not self.mind.informed:
            return Ask(question, agent.id, self.conversation, _NO_PROMPT, {}, seconds, "")
        memory = guard.memory.recall(agent.id, self.conversation) if guard.memory is not None else None
        prompt = guard.prompts.prompt(agent, question, form, seconds=seconds, memory=memory, note=note)
        tools = guard.rules.tools.get(type(question), ())
        return Ask(question, agent.id, self.conversation, prompt, form.schema, seconds, key, note, tools)

    async def _called(self, ask: Ask) -> Any:
        """What the participant says, at the first call or after retries."""
        rules, fault = self.guard.rules, ""
        for attempt in range(rules.retries + 1):
            left = self.deadline - self.clock()
            if left <= 0:
                raise Ended("timeout", fault)
            try:
                return await self._call(msgspec.structs.replace(ask, seconds=left), fault)
            except Retryable as again:
                fault = f"{again}" or "a transient fault"
                pause = rules.backoff_s * 2**attempt * (0.5 + self.guard.rng.random())
                pause = max(pause, again.after_s)
            if attempt == rules.retries:
                break
            if self.clock() + pause >= self.deadline:
                raise Ended("timeout", f"{fault}; no time is left to try again")
            await asyncio.sleep(pause)
        raise Ended("error", f"{fault}, {rules.retries + 1} times")

    async def _call(self, ask: Ask, fault: str) -> Any:
        """One call, through the breaker and on the budget; `fault` is what befell the call before."""
        leave = self.breaker.admit(self.clock())
        if leave is None:
            why = f"{self.mind.provider or self.agent.id} keeps failing and is left alone"
            raise Ended("circuit_open", f"{why}: {fault}" if fault else why)
        try:
            reservation = self.guard.budgets.reserve(
                self.agent.id, self.conversation, self.mind.estimate(ask)
            )
        except OverBudgetError as short:
            leave.given_up()
            raise Ended("over_budget", str(short)) from None
        except BaseException:
            leave.given_up()
            raise
        self.attempts += 1
        return await self._metered(ask, leave, reservation)

    async def _metered(self, ask: Ask, leave: Pass, reservation: Reservation) -> Any:
        spent: Usage | None = None
        try:
            said = await self._within(ask)
            reply = said if isinstance(said, Reply) else Reply(said)
            usage: Any = reply.usage
            spent = usage.checked() if isinstance(usage, Usage) else None
            leave.succeeded()
            return reply.value
        except asyncio.CancelledError:
            leave.given_up()
            raise
        except Retryable as fault:
            spent = fault.usage.checked() if isinstance(fault.usage, Usage) else None
            leave.failed(self.clock())
            raise
        except TimeoutError:
            leave.failed(self.clock())
            raise Ended("timeout", "no answer in time") from None
        except ReplayError:
            leave.given_up()
            raise
        except Exception as error:
            leave.failed(self.clock())
            raise Ended("error", in_words(error)) from None
        finally:
            reservation.settle(spent)
            self.usage += spent if spent is not None else Usage()

    async def _within(self, ask: Ask) -> Any:
        """The call, in a task of its own: one that does not heed being cancelled cannot hold anybody up."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(_contained(self.mind, ask))
        over: asyncio.Future[None] = loop.create_future()  # as `asyncio.wait` does it, for one task
        bell = loop.call_later(ask.seconds, _ring, over)
        task.add_done_callback(lambda _: _ring(over))
        try:
            await over
        except asyncio.CancelledError:
            self.guard.abandon(task)
            raise
        finally:
            bell.cancel()
        if not task.done():
            self.guard.abandon(task)
            raise TimeoutError
        if task.cancelled():
            raise Broken("it cancelled itself")
        return task.result()


def _ring(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


class Broken(Exception):  # noqa: N818  # it is the participant that is
    """A participant did what must not get further: tried to end the process, or cancelled itself."""


async def _contained(mind: Participant, ask: Ask) -> Any:
    try:
        said: Any = mind.answer(ask)  # also from a plain method, whatever the types say
        return await said if inspect.isawaitable(said) else said
    except (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):  # these end us, too
        raise
    except TimeoutError as error:  # of its own, and not the guard's
        raise Broken(in_words(error)) from None
    except Exception:
        raise
    except BaseException as error:  # as SystemExit, and groups of cancellations
        raise Broken(in_words(error)) from None
