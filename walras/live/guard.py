"""The guard around every live mind: whatever a participant does, a protocol gets an answer with a status, in time.

In this order: breaker, budget, the call within the time that is left, retries of transient faults in the same time,
account, validation, one repair. Nothing of this is anywhere else, so that nothing multiplies.
"""

import asyncio
import inspect
import logging
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from walras.agents import Agent, Strategy
from walras.amounts import is_number, is_whole
from walras.errors import ReplayError, ScenarioError
from walras.live.answers import CALLED_OFF, NOTHING, ONE_CALL, Answered, Usage, in_words
from walras.live.breaker import Breaker
from walras.live.budget import Budgets
from walras.live.cache import AnswerCache
from walras.live.cascade import Cascade
from walras.live.consultation import Consultation
from walras.live.memory import Memory
from walras.live.participant import Ask, Participant, Reply
from walras.live.prompts import Prompts
from walras.live.recording import Recording
from walras.messages import AgentId, ConversationId
from walras.questions import Question

log = logging.getLogger("walras.live")

INSTANT_S = 0.01
"""So long a plain function may take in any case, also where others have held the loop up until its time was over."""


class GuardRules(msgspec.Struct, frozen=True):
    """How patient a guard is.

    Raises:
        ScenarioError: for a number out of range.
    """

    retries: int = 2
    """How often a call is made again after a transient fault."""
    backoff_s: float = 0.05
    """The first pause before that, times 0.5 to 1.5; it doubles with each."""
    repairs: int = 1
    """How often a mind is asked again when its answer was not legal, and told why."""
    failures: int = 3
    """After how many failures in a row a provider is left alone."""
    open_s: float = 30.0
    """For how long."""
    most_bytes: int = 65_536
    """The largest answer that is looked at."""
    most_repeats: int = 20
    """How often one agent is asked the same within a conversation; more is a loop."""
    tools: Mapping[type[Question], tuple[str, ...]] = {}
    """What may be used to answer questions of a class; nothing for all others, bids among them."""

    def __post_init__(self) -> None:
        for name, least in {
            "retries": 0,
            "repairs": 0,
            "failures": 1,
            "most_bytes": 1,
            "most_repeats": 1,
        }.items():
            if not is_whole(getattr(self, name), least):
                raise ScenarioError(name, getattr(self, name), f"a whole number of {least} or more")
        for name in ("backoff_s", "open_s"):
            if not is_number(getattr(self, name), 0):
                raise ScenarioError(name, getattr(self, name), "a number of 0 or more")


_PARTS = {
    "rules": GuardRules,
    "budgets": Budgets,
    "recording": Recording,
    "cache": AnswerCache,
    "memory": Memory,
}


class Guard:
    """Asks minds. Its random stream only spreads retries; its clock is the event loop's.

    Args:
        rules: how patient it is.
        budgets: what may be spent; by default nothing is limited, but all of it is counted.
        prompts: how questions become words.
        recording: of all answers, or to replay.
        cache: of answers.
        memory: what participants remember.
        rng: draws the jitter of retries.

    Raises:
        ScenarioError: for an argument of another kind.
    """

    def __init__(
        self,
        rules: GuardRules = GuardRules(),  # noqa: B008  # it is frozen
        *,
        budgets: Budgets | None = None,
        prompts: Prompts | None = None,
        recording: Recording | None = None,
        cache: AnswerCache | None = None,
        memory: Memory | None = None,
        rng: Random | None = None,
    ) -> None:
        self.rules = rules
        self.budgets = budgets if budgets is not None else Budgets()
        self.prompts = prompts if prompts is not None else Prompts()
        self.recording, self.cache, self.memory = recording, cache, memory
        self.rng = rng if rng is not None else Random()
        for name, kind in _PARTS.items():
            if not isinstance(part := getattr(self, name), (kind, type(None))):
                raise ScenarioError(name, part, f"a {kind.__name__}, or None")
        self.breakers: dict[str | tuple[AgentId, int], tuple[Breaker, object]] = {}
        """By provider; beside each who stands alone behind it, so that no other comes by the same number."""
        self.repeats: dict[ConversationId, dict[str, int]] = {}
        self.abandoned: set[asyncio.Task[Any]] = set()
        """Calls that were given up, and are still running."""

    async def answer(
        self,
        agent: Agent,
        question: Question,
        *,
        conversation: ConversationId,
        seconds: float,
        strategy: Strategy | None = None,
    ) -> Answered:
        """Ask an agent's mind; an answer with its status comes back within about `seconds`, whatever it does.

        Args:
            agent: who is asked, with its view of itself.
            question: what.
            conversation: where.
            seconds: until the answer is too late.
            strategy: what answers where the agent has no strategy of its own, as its mechanism's default.

        Raises:
            ReplayError: only where a recording is replayed and has no answer, or cannot be written. The run cannot go
                on then.
        """
        mind = agent.strategy if agent.strategy is not None else strategy
        if mind is None:
            return Answered("declined", detail=f"{agent.id} has no strategy")
        if self.recording is not None:
            found = self.recording.find(agent.id, conversation, question)
            if found is not None:
                return await self._paced(found, seconds)
        try:
            answered = await self._ask(mind, agent, question, conversation, seconds)
            if self.memory is not None:
                self.memory.note(agent.id, conversation, question, answered)
        except asyncio.CancelledError as broken_off:
            if broken_off.args == (CALLED_OFF,) and self.recording is not None:
                self.recording.called_off(agent.id, conversation, question, seconds, Usage())
            raise
        except ReplayError:
            raise
        except Exception as error:  # of a question or a provider that cannot even be looked at
            answered = Answered("error", detail=in_words(error))
        if self.recording is not None:
            self.recording.write(agent.id, conversation, question, answered)
        return answered

    async def _paced(self, found: Answered, seconds: float) -> Answered:
        assert self.recording is not None
        pondered = found.latency_s * self.recording.pace
        if pondered > 0:
            await asyncio.sleep(max(0.0, min(pondered, seconds)))
        late = found.status == "ok" and pondered > seconds
        return Answered("timeout", latency_s=seconds, detail="recorded, but too slow here") if late else found

    async def _ask(
        self, mind: Strategy, agent: Agent, question: Question, conversation: ConversationId, seconds: float
    ) -> Answered:
        if isinstance(mind, Cascade):
            return await self._in_turn(mind, agent, question, conversation, seconds)
        if not isinstance(mind, Participant):
            answered = self._rule(mind, agent, question, seconds)
            if isinstance(answered, Answered):
                return answered
            mind = answered
        cache = self.cache
        if cache is not None:
            kept = cache.find(agent.id, conversation, question)
            if kept is not None:
                return kept
        try:
            answered = await Consultation(self, mind, agent, question, conversation, seconds).run()
        finally:
            if isinstance(mind, Coroutine):
                mind.drop()
        if cache is not None:
            cache.keep(agent.id, conversation, question, answered)
        return answered

    async def _in_turn(
        self, cascade: Cascade, agent: Agent, question: Question, conversation: ConversationId, seconds: float
    ) -> Answered:
        """Ask the minds of a cascade until one answers well enough, each in its share of the time."""
        clock = asyncio.get_running_loop().time
        began, told, usage, attempts = clock(), [], NOTHING, 0
        best: Answered | None = None
        for mind in cascade.minds:
            left = seconds - (clock() - began)
            share = 1.0 if mind is cascade.minds[-1] else cascade.share
            found = await self._ask(mind, agent, question, conversation, left * share)
            usage, attempts = usage + found.usage, attempts + found.attempts
            name = getattr(mind, "__name__", type(mind).__name__)
            told.append(f"{name}: {found.status}" + (f" ({found.detail})" if found.detail else ""))
            if found.status == "ok" or best is None or best.status != "ok":
                best = found
            if found.status == "declined" or (found.status == "ok" and _is_enough(cascade, question, found)):
                best = found
                break
        assert best is not None
        took = clock() - began
        return Answered(best.status, best.value, usage, took, attempts, "; ".join(told))

    @staticmethod
    def _rule(mind: Strategy, agent: Agent, question: Question, seconds: float) -> "Answered | Coroutine":
        """Call a plain strategy; if it turns out to be a coroutine, that is a mind to be consulted."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            value = mind(question, agent)
            if inspect.isawaitable(value):
                return Coroutine(mind, agent, value)
            legal = question.accepts(value)
        except (ReplayError, KeyboardInterrupt):
            raise
        except BaseException as error:  # nothing is awaited here, so whatever it is, it is the strategy's own
            return Answered("error", None, NOTHING, clock() - began, 1, in_words(error))
        took = clock() - began
        if took > max(seconds, INSTANT_S):
            why = f"it blocked the market for {took:.3g} s; make it a coroutine, or a walras.adapters.function.InThread"
            log.warning("%s: %s", agent.id, why)  # whoever wrote it should see it at once
            return Answered("timeout", None, NOTHING, took, 1, why)
        if legal:
            return Answered("ok", value, NOTHING, took, 1)
        if value is None:
            return Answered("declined", None, NOTHING, took, 1)
        return Answered("invalid", None, NOTHING, took, 1, f"a {type(value).__name__}, and no legal answer")

    def breaker(self, mind: Participant, agent: AgentId) -> Breaker:
        """The circuit breaker of a participant's provider; without one, of this agent's participant alone."""
        alone = mind.strategy if isinstance(mind, Coroutine) else mind
        key = mind.provider or (agent, id(alone))
        found = self.breakers.get(key)
        if found is None:
            found = self.breakers[key] = Breaker(self.rules.failures, self.rules.open_s), alone
        return found[0]

    def repeated(self, conversation: ConversationId, key: str) -> int:
        """How often a question with this key has been asked in a conversation before; counts this time."""
        counts = self.repeats.setdefault(conversation, {})
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1

    def abandon(self, task: asyncio.Task[Any]) -> None:
        """Give up a call: it is cancelled, and if it does not heed that, it runs on without anybody waiting."""
        task.cancel()
        self.abandoned.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self.abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else will look at it

    def forget(self, conversation: ConversationId) -> None:
        """A conversation is over: what was only kept for it goes."""
        self.repeats.pop(conversation, None)
        self.budgets.forget(conversation)
        if self.memory is not None:
            self.memory.forget(conversation)

    def close(self) -> None:
        """Close the files."""
        if self.recording is not None:
            self.recording.close()
        if self.memory is not None:
            self.memory.close()


def _is_enough(cascade: Cascade, question: Question, found: Answered) -> bool:
    try:
        return cascade.enough is None or bool(cascade.enough(question, found.value))
    except Exception:  # a judge that fails finds nothing good enough
        return False


class Coroutine(Participant):
    """A strategy that is a coroutine function: a participant that needs no words, and costs nothing that we know of."""

    informed = False

    def __init__(self, strategy: Strategy, agent: Agent, begun: Any) -> None:
        self.strategy, self.agent, self.begun = strategy, agent, begun

    async def answer(self, ask: Ask) -> Any:
        begun, self.begun = self.begun, None
        said = await (begun if begun is not None else self.strategy(ask.question, self.agent))
        return said if isinstance(said, Reply) else Reply(said, ONE_CALL)

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    def drop(self) -> None:
        """Close what was begun and never awaited, as when there was no budget for it."""
        if inspect.iscoroutine(self.begun):
            self.begun.close()
