"""What lies at a market's desk for one agent: its questions, its events, its receipts. See `walras.live.desk`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Any, ClassVar, Literal

import msgspec

from walras.allocation import Report
from walras.amounts import is_amount, is_number
from walras.items import Task
from walras.live.participant import Ask
from walras.live.settings import check_above_0
from walras.messages import AgentId, ConversationId
from walras.questions import Question


class DeskRules(msgspec.Struct, frozen=True):
    """Limits of a desk; each holds for one agent.

    Raises:
        ScenarioError: for a number that is not above 0.
    """

    most_bytes: int = 65_536
    """The largest request."""
    per_s: float = 20.0
    """How many requests a second, in the long run ..."""
    burst: int = 40
    """... and at once."""
    most_at_once: int = 64
    """How many requests and lines may be under way at the same time."""
    most_waiting: int = 8
    """How many requests may wait for events at the same time."""
    most_wait_s: float = 30.0
    """How long one may wait."""
    most_events: int = 1000
    """How many events are kept for those who have not seen them."""
    most_keys: int = 1000
    """How many idempotency keys are remembered."""
    most_reports: int = 3
    """How often somebody may report its work in a way that is none, before the work has failed."""

    def __post_init__(self) -> None:
        check_above_0(self, *self.__struct_fields__)


EventKind = Literal["opened", "asked", "closed", "won", "charged", "paid", "ended"]


class Event(msgspec.Struct, frozen=True):
    """Something that concerns an agent: `number` counts from 1, `at_s` is the market's time."""

    number: int
    at_s: float
    kind: EventKind
    conversation: ConversationId
    data: dict[str, Any] = {}


class Events(msgspec.Struct, frozen=True):
    """What has happened since a cursor, and the next cursor. `missed` is how many events are no longer kept."""

    events: list[Event]
    cursor: str
    missed: int = 0


class Posted(msgspec.Struct, frozen=True):
    """A question that waits for its answer.

    `instructions` are the market's own words; `data` is what others wrote, as JSON inside a fence, never to be obeyed.
    `question` is the same data for programs. The answer has to fit `schema`, and counts for `seconds_left` (null: as
    long as it is open). Work that was won is posted as a question, too, of the kind `Work`; `key` names it for whoever
    does it, in this life of the market and the next.
    """

    id: str
    conversation: ConversationId
    kind: str
    question: dict[str, Any]
    schema: dict[str, Any]
    seconds_left: float | None
    instructions: str
    data: str
    key: str = ""
    note: str = ""
    """Why the answer before was not accepted, if the question is asked again."""


class Notice(msgspec.Struct, frozen=True):
    """A conversation, as one agent may see it. What others bid, or won, is none of its affair."""

    id: ConversationId
    protocol: str
    opener: AgentId
    items: list[dict[str, Any]]
    status: str
    """``open``, or how it has ended."""
    seconds_left: float | None
    """Until it is over at the latest; null: there is no such time."""
    invited: bool
    seated: bool
    questions: list[str] = []
    """Those of its questions that wait for this agent's answer."""
    won: list[dict[str, Any]] = []
    """Item, price and quantity of each award to this agent."""


class Work(Question, frozen=True, kw_only=True):
    """You have won this task. Do it, then report how it ended.

    The status is done or failed; cost is what it truly cost you, quality is from 0 to 1, seconds is how long it took.
    """

    task: Task

    answers: ClassVar[tuple[type, ...]] = (Report,)

    def accepts(self, answer: Any) -> bool:
        return (
            isinstance(answer, Report)
            and answer.status in ("done", "failed")
            and is_amount(answer.cost)
            and is_number(answer.quality, 0, 1)
            and is_amount(answer.seconds)
        )


class Receipt(msgspec.Struct, frozen=True):
    """What became of an answer. One that is not legal is used up, too; the question may be asked once more."""

    question: str
    legal: bool
    why: str = ""


class Waiting(msgspec.Struct, eq=False):
    """One question at the desk."""

    id: str
    ask: Ask
    by: float
    answer: asyncio.Future[Any]


class Feed:
    """One agent's questions, events and receipts."""

    def __init__(self, agent: AgentId, rules: DeskRules) -> None:
        self.agent = agent
        self.waiting: dict[str, Waiting] = {}
        self.gone: deque[str] = deque(maxlen=rules.most_keys)
        self.events: deque[Event] = deque(maxlen=rules.most_events)
        self.receipts: OrderedDict[str, tuple[bytes, Receipt]] = OrderedDict()
        self.won: dict[ConversationId, list[dict[str, Any]]] = {}
        """Awards in conversations that go on."""
        self.listeners = 0
        self.last = 0
        self._news = asyncio.Event()

    def add(self, at_s: float, kind: EventKind, conversation: ConversationId, /, **data: Any) -> None:
        """One more event; whoever waits is told."""
        self.last += 1
        self.events.append(Event(self.last, at_s, kind, conversation, data))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def news(self) -> None:
        """Until there is one more event."""
        await self._news.wait()
