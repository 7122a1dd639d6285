"""Who has shown a pass at the desk (`walras.live.desk`): what its agent may see and do."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from walras.allocation import Award
from walras.items import Item
from walras.live.conversation import Opening
from walras.live.feed import Events, Notice, Posted, Receipt, Waiting
from walras.live.passes import Pass, RefusedError
from walras.live.schemas import UnreadableError, form_of
from walras.mechanism import Mechanism
from walras.messages import ConversationId

if TYPE_CHECKING:
    from walras.live.desk import Desk

MOST_KEY = 200
"""The longest idempotency key."""

MOST_LISTED = 200
"""How many conversations are listed at once: those that opened last."""


class Visitor:
    """Somebody who has shown a pass: what its agent may see and do. Made by `Desk.enter`, for one request or line."""

    def __init__(self, desk: Desk, shown: Pass) -> None:
        self.desk, self.shown, self.agent = desk, shown, shown.agent
        self.feed = desk.feed(shown.agent)

    def count(self) -> None:
        """One more request.

        Raises:
            RefusedError: for too many; for a pass that is over meanwhile.
        """
        self.desk.reception.count(self.shown)

    # ------------------------------------------------------------------ looking
    def conversations(self) -> list[Notice]:
        """The conversations that this agent is in, and, if its pass lets it join, those that are open."""
        self.shown.demand("look")
        runs, may_join = self.desk.market.runtime.runs, "join" in self.shown.may
        seen = [self._notice(run.opening) for run in list(runs.values())[-MOST_LISTED:]]
        return [one for one in seen if one.invited or one.seated or (may_join and one.status == "open")]

    def inspect(self, conversation: ConversationId) -> Notice:
        """One conversation.

        Raises:
            RefusedError: if there is none that this agent may see.
        """
        self.shown.demand("look")
        runtime = self.desk.market.runtime
        run, talk = runtime.runs.get(conversation), runtime.book.get(conversation)
        opening = run.opening if run is not None else talk.opening if talk is not None else None
        if opening is not None:
            found = self._notice(opening)
            if found.invited or found.seated or ("join" in self.shown.may and found.status == "open"):
                return found
        raise RefusedError("unknown", f"no conversation {conversation[:80]!r} that {self.agent} may see")

    def _notice(self, opening: Opening) -> Notice:
        runtime, id_ = self.desk.market.runtime, opening.id
        talk, run = runtime.book.get(id_), runtime.runs.get(id_)
        outcome = run.outcome if run is not None else talk.outcome if talk is not None else None
        left = opening.finish_by - self.desk.market.now
        won = self.feed.won.get(id_, [])
        if outcome is not None:
            won = [shown(line) for line in outcome.awards if line.won and line.winner == self.agent]
        return Notice(
            id_,
            opening.mechanism.protocol if opening.mechanism is not None else "",
            opening.opener,
            [msgspec.to_builtins(item) for item in opening.items],
            "open" if outcome is None else outcome.status,
            max(0.0, left) if math.isfinite(left) else None,
            self.agent in opening.participants,
            talk is not None and self.agent in talk.seats,
            [w.id for w in self.feed.waiting.values() if w.ask.conversation == id_],
            won,
        )

    def questions(self) -> list[Posted]:
        """The questions that wait for this agent's answer, the oldest first."""
        self.shown.demand("look")
        now = asyncio.get_running_loop().time()
        return [_posted(waiting, now) for waiting in self.feed.waiting.values() if not waiting.answer.done()]

    async def events(self, cursor: str = "", wait_s: float = 0.0) -> Events:
        """What has happened to this agent since a cursor; if nothing has, wait for it as long as is allowed.

        Args:
            cursor: of the last answer; empty: from the beginning.
            wait_s: seconds; more than the desk's `most_wait_s` is taken for that.

        Raises:
            RefusedError: for a cursor or a time that is none; for too many who wait; for a pass that is over meanwhile.
        """
        self.shown.demand("look")
        seen = self._number(cursor)
        feed, rules = self.feed, self.desk.rules
        if not wait_s >= 0:
            raise RefusedError("malformed", "wait_s: expected a number of seconds of 0 or more")
        if feed.last <= seen and wait_s > 0:
            if feed.listeners >= rules.most_waiting:
                raise RefusedError(
                    "too many", f"{rules.most_waiting} requests of {self.agent} wait already", 1.0
                )
            feed.listeners += 1
            try:
                async with asyncio.timeout(min(wait_s, rules.most_wait_s)):
                    await feed.news()
            except TimeoutError:
                pass
            finally:
                feed.listeners -= 1
            self.desk.passes.check(self.shown)
        found = [event for event in feed.events if event.number > seen]
        missed = feed.last - seen - len(found)
        return Events(found, f"{self.desk.life}:{feed.last}", missed)

    def _number(self, cursor: str) -> int:
        """The number of the last event that somebody has seen; of an earlier life of the market: none."""
        if not cursor:
            return 0
        life, colon, number = cursor.partition(":")
        if not colon or not (number.isascii() and number.isdigit() and len(number) < 16):
            raise RefusedError("malformed", "cursor: expected the cursor of an earlier answer, or none")
        return min(int(number), self.feed.last) if life == self.desk.life else 0

    # ------------------------------------------------------------------ doing
    def answer(self, question: str, value: Any, key: str = "") -> Receipt:
        """Answer a question, once. The same answer under the same key again gets the same receipt.

        Args:
            question: its id.
            value: JSON data as the question's schema says; None declines.
            key: the idempotency key; empty: the question's id.

        Raises:
            RefusedError: for a question that is not there or no longer open, for a key that stands for another answer.
        """
        self.shown.demand("answer")
        key, feed = key or question, self.feed
        if len(key) > MOST_KEY:
            raise RefusedError("malformed", f"key: expected at most {MOST_KEY} characters")
        try:
            digest = hashlib.sha256(msgspec.json.encode([question, value], order="deterministic")).digest()
        except (TypeError, ValueError, RecursionError):
            raise RefusedError("malformed", "answer: expected JSON data") from None
        known = feed.receipts.get(key)
        if known is not None:
            if known[0] != digest:
                raise RefusedError("conflict", "key: another answer has been given under it")
            return known[1]
        waiting = feed.waiting.get(question)
        if waiting is None or waiting.answer.done():
            late = waiting is not None or question in feed.gone
            why = "is no longer open" if late else f"is not one that waits for {self.agent}"
            raise RefusedError("too late" if late else "unknown", f"question {question[:80]!r} {why}")
        receipt = _judged(waiting, value, self.desk.rules.most_bytes)
        waiting.answer.set_result(value)
        feed.receipts[key] = digest, receipt
        if len(feed.receipts) > self.desk.rules.most_keys:
            feed.receipts.popitem(last=False)
        return receipt

    def join(self, conversation: ConversationId) -> Notice:
        """Let this agent join a conversation by its own wish, unless the mechanism turns it away.

        Raises:
            RefusedError: if there is no such conversation, or the agent is not in the market.
        """
        self.shown.demand("join")
        runtime = self.desk.market.runtime
        if conversation not in runtime.book:
            raise RefusedError("unknown", f"no conversation {conversation[:80]!r} is open")
        host = runtime.hosts.get(self.agent)
        if host is None or host.agent is None:
            raise RefusedError("not allowed", f"{self.agent} is not in the market; its owner has to add it")
        self.desk.market.join(self.agent, conversation)
        return self._notice(runtime.book[conversation].opening)

    def open(self, mechanism: Mechanism, items: Iterable[Item], within_s: float) -> ConversationId:
        """Open a conversation in this agent's name and on its account.

        Raises:
            ScenarioError: as `Live.open`.
        """
        self.shown.demand("open")
        return self.desk.market.open(mechanism, items, within_s, opener=self.agent)


def shown(line: Award) -> dict[str, Any]:
    """An award as its winner sees it."""
    return {"item": line.item, "price": line.price, "quantity": line.quantity}


def _posted(waiting: Waiting, now: float) -> Posted:
    ask = waiting.ask
    return Posted(
        waiting.id, ask.conversation, type(ask.question).__name__, msgspec.to_builtins(ask.question), dict(ask.schema),
        max(0.0, waiting.by - now) if waiting.by != math.inf else None, ask.prompt.system, ask.prompt.user, ask.key,
        ask.note,
    )  # fmt: skip


def _judged(waiting: Waiting, value: Any, most_bytes: int) -> Receipt:
    """What the guard will say of an answer, said at once to who gave it."""
    question = waiting.ask.question
    try:
        if value is None:
            return Receipt(waiting.id, True, "" if question.accepts(None) else "declined")
        legal = question.accepts(form_of(type(question)).read(value, most_bytes))
        return Receipt(waiting.id, legal, "" if legal else "the question does not accept these values")
    except UnreadableError as error:
        return Receipt(waiting.id, False, f"{error}"[:300])
    except Exception as error:  # of a question that cannot judge what it asked for
        return Receipt(waiting.id, False, type(error).__name__)
