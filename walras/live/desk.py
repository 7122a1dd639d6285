"""The desk of a market: where participants in any language find the questions that wait for them, and answer.

Every open edge (HTTP, WebSocket, MCP, A2A) is a thin skin of it. An agent of the market whose strategy is
`walras.adapters.desk.AtDesk` is asked here, and to the guard it is a participant like any other: whoever shows its pass
sees the question, and the first answer counts.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import msgspec

from walras.allocation import Report
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Task
from walras.live.feed import DeskRules, Feed, Waiting, Work
from walras.live.live import Live
from walras.live.participant import Ask, Prompt
from walras.live.passes import BIDDER, Action, Passes, Reception
from walras.live.prompts import escaped
from walras.live.schemas import UnreadableError, form_of, instruction
from walras.live.visitor import Visitor, shown
from walras.messages import AgentId, ConversationId


def a_desk(given: object) -> Desk:
    """What an edge opens to the outside.

    Raises:
        ScenarioError: for anything but a desk, such as the market itself.
    """
    if not isinstance(given, Desk):
        raise ScenarioError("desk", given, "a Desk, such as Desk(market, secret)")
    return given


class Desk:
    """The desk of a market.

    Args:
        market: open.
        secret: what tokens are made from, 16 bytes or more.
        name: of the market, which passes name.
        rules: limits.
        passes: instead of a secret and a name.

    Raises:
        ScenarioError: for what is no market, or a secret that is too short.
    """

    def __init__(
        self,
        market: Live,
        secret: bytes = b"",
        *,
        name: str = "market",
        rules: DeskRules = DeskRules(),  # noqa: B008  # it is frozen
        passes: Passes | None = None,
    ) -> None:
        if not isinstance(market, Live):
            raise ScenarioError("market", market, "a market that is open, as in: async with Live() as market")
        self.market, self.rules = market, rules
        self.passes = passes if passes is not None else Passes(secret, name)
        self.reception = Reception(self.passes, rules.per_s, rules.burst)
        self.feeds: dict[AgentId, Feed] = {}
        self.life, self._numbers = secrets.token_hex(4), count(1)
        market.follow(self._saw)

    @property
    def name(self) -> str:
        """The market's."""
        return self.passes.market

    def token(self, agent: AgentId, may: tuple[Action, ...] = BIDDER, lasts_s: float | None = None) -> str:
        """What somebody shows to be this agent, see `Passes.issue`."""
        return self.passes.issue(agent, may, lasts_s)

    def enter(self, token: str) -> Visitor:
        """Let in who shows a token.

        Raises:
            RefusedError: for a token that is missing, wrong, expired or of another market; for too many requests.
        """
        return Visitor(self, self.reception.enter(token))

    def feed(self, agent: AgentId) -> Feed:
        """An agent's feed."""
        found = self.feeds.get(agent)
        if found is None:
            found = self.feeds[agent] = Feed(agent, self.rules)
        return found

    # ------------------------------------------------------------------ the market's side
    async def ask(self, ask: Ask) -> Any:
        """Put a question on the desk, until it is answered or the guard wants it no more."""
        feed, loop = self.feed(ask.agent), asyncio.get_running_loop()
        id_ = f"{self.life}-{next(self._numbers)}"
        waiting = Waiting(id_, ask, loop.time() + ask.seconds, loop.create_future())
        feed.waiting[id_] = waiting
        feed.add(self.market.now, "asked", ask.conversation, question=id_, kind=type(ask.question).__name__)
        try:
            return await waiting.answer
        finally:
            del feed.waiting[id_]
            feed.gone.append(id_)
            feed.add(self.market.now, "closed", ask.conversation, question=id_)

    def worker(self, agent: AgentId) -> Callable[[Task, str], Awaitable[Report]]:
        """A worker whose tasks are done by whoever shows this agent's pass: each is posted as a question of the kind `Work`.

        ``market.add(Agent("ada", AtDesk(desk)), desk.worker("ada"))``; `Rules(lease_s=...)` bounds how long one may take.
        """

        async def work(task: Task, key: str) -> Report:
            conversation = key.partition(f"/{agent}#")[0]
            question, form, note = Work(task=task, decide_by=math.inf), form_of(Work), ""
            data = escaped(msgspec.json.encode(question).decode())
            for _ in range(self.rules.most_reports):
                prompt = Prompt(f"{instruction(Work)}\nAnswer as this JSON schema says:\n{form.text}", data)
                ask = Ask(question, agent, conversation, prompt, form.schema, math.inf, key, note)
                try:
                    report = form.read(await self.ask(ask), self.rules.most_bytes)
                except UnreadableError as error:
                    note = error.note
                    continue
                if question.accepts(report):
                    assert isinstance(report, Report)
                    return report
                note = "expected done or failed, cost and seconds of 0 or more, quality from 0 to 1"
            raise RemoteProtocolError(
                f"{agent} has reported nonsense {self.rules.most_reports} times: {note}"
            )

        return work

    def _saw(self, row: tuple[Any, ...]) -> None:
        """A row of the trace: what concerns agents of this desk becomes their events."""
        at, kind, conversation, agent, *details = row
        if kind == "award":
            line = details[0]
            feed = self.feeds.get(line.winner)
            if feed is not None:
                if line.won:
                    feed.won.setdefault(conversation, []).append(shown(line))
                feed.add(at, "won" if line.won else "charged", conversation, **shown(line))
        elif kind == "settle":
            item, paid, winner, _ = details
            for feed in self.feeds.values():
                won = feed.won.get(conversation, ())
                if feed.agent == winner or (winner is None and any(line["item"] == item for line in won)):
                    feed.add(at, "paid", conversation, item=item, paid=paid)
        elif kind == "open":
            for feed in self._concerned(conversation):
                feed.add(at, "opened", conversation, protocol=details[0], items=list(details[1]))
        elif kind == "finish" and self._opener(conversation) == agent:
            for feed in self._concerned(conversation):
                won = feed.won.pop(conversation, [])
                feed.add(at, "ended", conversation, status=details[0].status, won=won)

    def _opener(self, conversation: ConversationId) -> AgentId:
        talk = self.market.runtime.book.get(conversation)
        return talk.opener if talk is not None else ""

    def _concerned(self, conversation: ConversationId) -> list[Feed]:
        """The feeds of the agents that are invited or seated there."""
        talk = self.market.runtime.book.get(conversation)
        if talk is None:
            return []
        everybody = dict.fromkeys((*talk.opening.participants, *talk.seats))
        return [self.feed(id_) for id_ in everybody if id_ in self.feeds or self._is_asked_here(id_)]

    def _is_asked_here(self, agent: AgentId) -> bool:
        host = self.market.runtime.hosts.get(agent)
        strategy = host.agent.strategy if host is not None and host.agent is not None else None
        return getattr(strategy, "desk", None) is self
