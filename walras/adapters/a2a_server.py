"""Our agents and our auctioneer as A2A agents (extra ``a2a``), in the vocabulary of `walras.adapters.a2a`.

``async with Listening(agent_app(agent, passes, questions=[...])) as at:``; the card is at
``/.well-known/agent-card.json``, for everybody to read; all else takes a pass.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, MutableMapping
from math import inf
from typing import Any, Generic, TypeVar

import msgspec

from walras.adapters.a2a import EXTENSION, from_part
from walras.adapters.entrance import VISITOR, App, Entrance, Known, Receive, Send
from walras.agents import Agent
from walras.allocation import Report
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Item, Task
from walras.live.answers import in_words
from walras.live.approval_rules import ApprovalAsked, ApprovalEnded
from walras.live.desk import Desk, a_desk
from walras.live.extras import needed
from walras.live.feed import DeskRules
from walras.live.guard import Guard
from walras.live.hosts import Work, carried_out, pretend
from walras.live.passes import Pass, Passes, Reception, RefusedError
from walras.live.remote import answer_types
from walras.live.settings import Asker
from walras.live.visitor import Visitor
from walras.live.vocabulary import Vocabulary, plain
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.questions import Question

CARD = "/.well-known/agent-card.json"
MOST_WITHIN_S = 3600.0


def agent_app(
    agent: Agent,
    passes: Passes,
    *,
    questions: Iterable[type[Question]],
    guard: Asker | None = None,
    work: Work | None = None,
    costs: dict[str, Any] | None = None,
    rules: DeskRules = DeskRules(),  # noqa: B008  # it is frozen
) -> Entrance:
    """An agent of ours as an A2A agent: it answers asks by its strategy, and does what it wins by its worker.

    Args:
        agent: with a strategy.
        passes: of callers, who may ``ask``.
        questions: the classes of questions that it can be asked.
        guard: asks its mind; None: one of its own.
        work: its worker; None: its strategy's, if it has one, else it pretends, as in simulation.
        costs: hints for the card, as ``{"usd_per_bid": 0.001}``.
        rules: limits, for each caller.

    Raises:
        ScenarioError: for an agent without a strategy, passes that are none, questions that are no list of classes.
        MissingExtraError: if a2a-sdk is not installed.
    """
    if agent.strategy is None:
        raise ScenarioError("agent", agent, "an agent that has a strategy")
    worker = work or getattr(agent.strategy, "work", None) or pretend(agent)
    asked = guard if guard is not None else Guard()
    asks = _classes(questions)
    if not isinstance(passes, Passes):
        raise ScenarioError("passes", passes, 'Passes, such as Passes(secret, "spot")')
    vocabulary = Vocabulary((*asks, *answer_types(asks)), f"what {agent.id} is asked")
    executor = AgentExecutor(agent, vocabulary, asked, worker, passes, rules.most_keys)
    skills = [
        ("bid", "Bids", "Answers the questions of market roles"),
        ("work", "Works", "Does the tasks that it wins"),
    ]
    card = _card(agent.id, "Takes part in markets.", skills, costs)
    return _app(executor, card, Reception(passes, rules.per_s, rules.burst).enter, rules)


def _classes(given: Any) -> tuple[type[Question], ...]:
    asks = tuple(given) if isinstance(given, Iterable) else ()
    if not all(isinstance(each, type) and issubclass(each, Question) for each in asks) or not asks:
        raise ScenarioError("questions", given, "classes of questions, such as [BidWanted]")
    return asks


def auctioneer_app(desk: Desk, mechanism: Mechanism) -> Entrance:
    """A market's auctioneer as an A2A agent: who may ``open`` has items allocated among the market's agents, by this mechanism.

    Args:
        desk: of the market.
        mechanism: the rules.

    Raises:
        ScenarioError: for what is no desk, or no mechanism.
        MissingExtraError: if a2a-sdk is not installed.
    """
    a_desk(desk)
    if not isinstance(mechanism, Mechanism):
        raise ScenarioError("mechanism", mechanism, "a Mechanism, such as auctions.FirstPrice()")
    skills = [("allocate", "Allocates", f"Sells lots and procures work by {mechanism.protocol}")]
    card = _card(f"{desk.name} auctioneer", "Runs a market.", skills, None)
    return _app(AuctioneerExecutor(desk, mechanism), card, desk.enter, desk.rules)


# ------------------------------------------------------------------------------------------------------------- what is done
class _Executor(abc.ABC):
    """What the SDK calls with a message: finds the first data part, and answers."""

    def __init__(self, passes: Passes) -> None:
        self.passes = passes
        self._sdk, self._types = needed("a2a.helpers", "a2a"), needed("a2a.types", "a2a")
        self._errors = needed("a2a.utils.errors", "a2a")
        self._updater = needed("a2a.server.tasks", "a2a").TaskUpdater

    async def execute(self, context: Any, queue: Any) -> None:
        """One message; called by the SDK. What it asks for ends when its caller's pass is revoked."""
        data = [part for part in context.message.parts if part.WhichOneof("content") == "data"]
        try:
            body = from_part(data[0]) if data else None
            heeding = self.heed(body if isinstance(body, dict) else {}, context, queue)
            await self._unless_revoked(_pass(context), heeding)
        except (RemoteProtocolError, RefusedError, ScenarioError, msgspec.ValidationError) as error:
            raise self._errors.InvalidParamsError(message=f"{error}"[:300]) from None

    async def _unless_revoked(self, shown: Pass, act: Coroutine[Any, Any, None]) -> None:
        acting = asyncio.ensure_future(act)
        revoked = asyncio.ensure_future(self.passes.revocation(shown))
        try:
            await asyncio.wait((acting, revoked), return_when=asyncio.FIRST_COMPLETED)
            if acting.done():
                acting.result()
            else:
                self.passes.check(shown)
        finally:
            acting.cancel()
            revoked.cancel()
            await asyncio.gather(acting, revoked, return_exceptions=True)

    @abc.abstractmethod
    async def heed(self, body: dict[str, Any], context: Any, queue: Any) -> None:
        """Do what a body says."""

    async def cancel(self, context: Any, queue: Any) -> None:
        """A task is no longer wanted; the SDK has ended its `execute`."""
        await self._updater(queue, context.task_id, context.context_id).cancel()

    async def reply(self, said: dict[str, Any], context: Any, queue: Any) -> None:
        """Answer by a message."""
        await queue.enqueue_event(self._sdk.new_data_message(said, context_id=context.context_id))

    async def begin(self, context: Any, queue: Any, state: str = "WORKING") -> Any:
        """Answer by a task, which is now in this state."""
        task = self._sdk.new_task_from_user_message(context.message)
        task.id, task.context_id = context.task_id, context.context_id
        await queue.enqueue_event(task)
        updater = self._updater(queue, task.id, task.context_id)
        await self.say(updater, state)
        return updater

    async def end(self, updater: Any, state: str, result: dict[str, Any], why: str = "") -> None:
        """The task has come to an end."""
        await updater.add_artifact([self._sdk.new_data_part(result)], name="result")
        await self.say(updater, state, why)

    async def say(self, updater: Any, state: str, why: str = "") -> None:
        """The state that the task is in now."""
        message = updater.new_agent_message([self._sdk.new_text_part(why)]) if why else None
        await updater.update_status(self._types.TaskState.Value(f"TASK_STATE_{state}"), message=message)


def _caller(context: Any) -> Any:
    return context.call_context.state["auth"]


def _pass(context: Any) -> Pass:
    caller = _caller(context)
    shown: Pass = caller.shown if isinstance(caller, Visitor) else caller
    return shown


T = TypeVar("T")


class Kept(Generic[T]):
    """What came of a request, for a caller that asks again under the same key; so many for each caller."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._of: dict[AgentId, OrderedDict[tuple[str, ...], tuple[bytes, float, T]]] = {}

    def get(self, caller: AgentId, key: tuple[str, ...], body: Any) -> T | None:
        """What is kept.

        Raises:
            RefusedError: if the key stands for another body.
        """
        mine = self._of.get(caller, OrderedDict())
        known, until, value = mine.get(key, (b"", -inf, None))
        if until <= asyncio.get_running_loop().time():
            return None
        if known != _encoded(body):
            raise RefusedError("conflict", "key: another request has been made under it")
        return value

    def put(self, caller: AgentId, key: tuple[str, ...], body: Any, value: T, lasts_s: float = inf) -> None:
        """Keep what came of a request."""
        mine = self._of.setdefault(caller, OrderedDict())
        mine[key] = _encoded(body), asyncio.get_running_loop().time() + lasts_s, value
        if len(mine) > self.most:
            mine.popitem(last=False)


def _encoded(body: Any) -> bytes:
    return msgspec.json.encode(body, order="deterministic")


class AgentExecutor(_Executor):
    """Answers asks, and does work. The same key in the same context again is not pondered or done again."""

    def __init__(
        self, agent: Agent, vocabulary: Vocabulary, guard: Asker, work: Work, passes: Passes, most_kept: int
    ) -> None:
        super().__init__(passes)
        self.agent, self.vocabulary, self.guard, self.work = agent, vocabulary, guard, work
        self._kept: Kept[asyncio.Future[dict[str, Any]]] = Kept(most_kept)

    async def heed(self, body: dict[str, Any], context: Any, queue: Any) -> None:
        _pass(context).demand("ask")
        asked, task = body.get("ask"), body.get("do")
        if isinstance(asked, dict):
            seconds = msgspec.convert(asked.get("seconds"), float)
            if not 0 < seconds <= MOST_WITHIN_S:
                raise RemoteProtocolError(f"seconds: a number above 0, up to {MOST_WITHIN_S:g}, is expected")
            self.vocabulary.read(asked.get("question"), Question)
            updater = None
            if getattr(self.agent.strategy, "person", False):
                updater = await self.begin(context, queue, "INPUT_REQUIRED")
            said = await self._once(context, asked, asked.get("question"), self._answer, seconds)
            if updater is None:
                await self.reply(said, context, queue)
            else:
                why = said.get("failed", "")
                await self.end(updater, "FAILED" if why else "COMPLETED", said, why)
        elif isinstance(task, dict):
            self.vocabulary.read(task.get("task"), Task)  # before there is a task of theirs
            updater = await self.begin(context, queue)
            said = await self._once(context, task, task.get("task"), self._work, inf)
            report = said["report"]
            state = {"done": "COMPLETED", "stopped": "CANCELED"}.get(report["status"], "FAILED")
            await self.end(updater, state, said, report.get("result", ""))
        else:
            raise RemoteProtocolError(
                f'a data part {{"ask": ...}} or {{"do": ...}} is expected, see {EXTENSION}'
            )

    async def _once(
        self, context: Any, body: dict[str, Any], about: Any, act: Callable[..., Any], lasts_s: float
    ) -> dict[str, Any]:
        """What `act` returns for this key: once, as long as that lasts. Another market may use the same names later."""
        caller = _pass(context).agent
        key = (act.__name__, context.context_id, f"{body.get('key') or context.message.message_id}")
        kept = self._kept.get(caller, key, about)
        if kept is None or kept.cancelled() or (kept.done() and kept.exception() is not None):
            kept = asyncio.ensure_future(act(body, context.context_id))
            self._kept.put(caller, key, about, kept, lasts_s)
        found: dict[str, Any] = await kept
        return found

    async def _answer(self, asked: dict[str, Any], context_id: str) -> dict[str, Any]:
        question = self.vocabulary.read(asked.get("question"), Question)
        seconds = asked["seconds"]
        found = await self.guard.answer(self.agent, question, conversation=context_id, seconds=seconds)
        self.guard.forget(context_id)
        if found.status == "ok":
            return {"answer": plain(found.value)}
        if found.status == "declined":
            return {"answer": None}
        return {"failed": f"{found.status}: {found.detail}"}

    async def _work(self, body: dict[str, Any], context_id: str) -> dict[str, Any]:
        task = self.vocabulary.read(body.get("task"), Task)
        try:
            report = await carried_out(self.work, task, f"{body.get('key')}")
        except Exception as error:  # a worker is not ours
            report = Report("failed", result=in_words(error))
        return {"report": plain(report)}


class AuctioneerExecutor(_Executor):
    """Opens conversations in the names of its callers, on their accounts."""

    def __init__(self, desk: Desk, mechanism: Mechanism) -> None:
        super().__init__(desk.passes)
        self.desk, self.mechanism = desk, mechanism
        self.vocabulary = Vocabulary((), "what is allocated here")
        self._tasks: dict[str, tuple[ConversationId, asyncio.Queue[str]]] = {}
        """Those that are under way, and the states that they have come to meanwhile."""
        desk.market.follow(self._saw)
        self._known: Kept[ConversationId] = Kept(desk.rules.most_keys)

    async def heed(self, body: dict[str, Any], context: Any, queue: Any) -> None:
        wanted, visitor = body.get("allocate"), _caller(context)
        assert isinstance(visitor, Visitor)
        if not isinstance(wanted, dict):
            raise RemoteProtocolError(f'a data part {{"allocate": ...}} is expected, see {EXTENSION}')
        items = self.vocabulary.read(wanted.get("items"), tuple[Item, ...])
        within_s = msgspec.convert(wanted.get("within_s"), float)
        if not 0 < within_s <= MOST_WITHIN_S:
            raise RemoteProtocolError(f"within_s: a number above 0, up to {MOST_WITHIN_S:g}, is expected")
        visitor.shown.demand("open")
        key = (f"{wanted.get('key') or context.message.message_id}",)
        conversation = self._known.get(visitor.agent, key, wanted)
        if conversation is None:
            conversation = visitor.open(self.mechanism, items, within_s)
            self._known.put(visitor.agent, key, wanted, conversation)
        news: asyncio.Queue[str] = asyncio.Queue()
        self._tasks[context.task_id] = conversation, news
        updater = await self.begin(context, queue)
        telling = asyncio.create_task(self._tell(updater, news))
        try:
            result = await self.desk.market.result(conversation)
        finally:
            telling.cancel()
        del self._tasks[context.task_id]  # if it is cancelled, `cancel` needs it
        outcome = result.outcomes[conversation]
        awards = [plain(line) for line in outcome.awards]
        states = {"done": "COMPLETED", "unassigned": "COMPLETED", "cancelled": "CANCELED"}
        said = {"conversation": conversation, "status": outcome.status, "awards": awards}
        await self.end(updater, states.get(outcome.status, "FAILED"), said, outcome.why)

    async def cancel(self, context: Any, queue: Any) -> None:
        conversation, _ = self._tasks.pop(context.task_id, (None, None))
        if conversation is not None:
            self.desk.market.cancel(conversation)
        await super().cancel(context, queue)

    def _saw(self, row: tuple[Any, ...]) -> None:
        """A row of the trace: while a person is asked to approve, tasks say so."""
        if isinstance(row[-1], ApprovalAsked | ApprovalEnded):
            for conversation, news in self._tasks.values():
                if conversation == row[2]:
                    news.put_nowait("INPUT_REQUIRED" if isinstance(row[-1], ApprovalAsked) else "WORKING")

    async def _tell(self, updater: Any, news: asyncio.Queue[str]) -> None:
        while True:
            await self.say(updater, await news.get())


# ----------------------------------------------------------------------------------------------------------- how it is served
def _card(name: str, does: str, skills: list[tuple[str, str, str]], costs: dict[str, Any] | None) -> Any:
    types = needed("a2a.types", "a2a")
    extension = types.AgentExtension(
        uri=EXTENSION,
        description="Questions, work and allocations of markets as JSON.",
        params={"costs": costs or {}},
    )
    bearer = types.SecurityScheme(http_auth_security_scheme=types.HTTPAuthSecurityScheme(scheme="bearer"))
    here = types.AgentInterface(url="http://127.0.0.1", protocol_binding="JSONRPC", protocol_version="1.0")
    return types.AgentCard(
        name=name, description=does, version="1", supported_interfaces=[here],
        capabilities=types.AgentCapabilities(streaming=True, extensions=[extension]),
        skills=[types.AgentSkill(id=i, name=n, description=d, tags=["market"]) for i, n, d in skills],
        default_input_modes=["application/json"], default_output_modes=["application/json"],
        security_schemes={"pass": bearer},
        security_requirements=[types.SecurityRequirement(schemes={"pass": types.StringList()})],
    )  # fmt: skip


def _app(executor: Any, card: Any, enter: Callable[[str], Known], rules: DeskRules) -> Entrance:
    """The SDK's routes for an executor, behind an entrance."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_is_not_told)
    routes, handlers = needed("a2a.server.routes", "a2a"), needed("a2a.server.request_handlers", "a2a")
    starlette, routing = needed("starlette.applications", "http"), needed("starlette.routing", "http")
    responses, types = needed("starlette.responses", "http"), needed("a2a.types", "a2a")
    to_dict = needed("google.protobuf.json_format", "a2a").MessageToDict
    store = needed("a2a.server.tasks", "a2a").InMemoryTaskStore()
    handler = handlers.DefaultRequestHandler(executor, Tasks(store, rules.most_keys), card)

    @contextlib.asynccontextmanager
    async def lasting(app: Any) -> AsyncIterator[None]:
        yield
        await handler.aclose()  # what is under way is stopped

    async def show(request: Any) -> Any:
        """The card, with the address at which it was asked for: that of our socket, not what the caller claims."""
        host, port = request.scope["server"]
        url = f"{request.scope['scheme']}://{f'[{host}]' if ':' in host else host}:{port}"
        shown = types.AgentCard()
        shown.CopyFrom(card)
        del shown.supported_interfaces[:]
        for binding in ("JSONRPC", "HTTP+JSON"):
            shown.supported_interfaces.add(url=url, protocol_binding=binding, protocol_version="1.0")
        return responses.JSONResponse(to_dict(shown))

    app = starlette.Starlette(
        routes=[
            routing.Route(CARD, show),
            *routes.create_jsonrpc_routes(handler, "/"),
            *routes.create_rest_routes(handler),
        ],
        lifespan=lasting,
    )
    return Entrance(_named(app), enter, rules, (CARD,))


_TALKERS = tuple(
    f"a2a.server.{name}"
    for name in ("agent_execution.active_task", "routes.jsonrpc_dispatcher", "routes.rest_dispatcher")
)


def _is_not_told(record: logging.LogRecord) -> bool:
    """Keeps the log free of what its caller is told: to the SDK each refusal is a failure, with a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, needed("a2a.utils.errors", "a2a").InvalidParamsError)


class Tasks:
    """The SDK's store of tasks, which forgets a caller's oldest when there are too many of them."""

    def __init__(self, store: Any, most: int) -> None:
        self._store, self._most = store, most
        self._of: dict[AgentId, dict[str, None]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, task: Any, context: Any) -> None:
        """Keep a task as it is now."""
        mine = self._of.setdefault(context.user.user_name, {})
        mine.pop(task.id, None)
        mine[task.id] = None
        await self._store.save(task, context)
        if len(mine) > self._most:
            oldest = next(iter(mine))
            del mine[oldest]
            await self._store.delete(oldest, context)


class _User:
    """Who calls, for the SDK: tasks are their owner's only."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.display_name = name


def _named(app: App) -> App:
    async def named(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        visitor: Any = scope.get(VISITOR)
        if visitor is not None:
            scope["auth"], scope["user"] = visitor, _User(visitor.agent)
        await app(scope, receive, send)

    return named
