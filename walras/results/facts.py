"""From what a runtime has kept of its conversations to the records of a `Result`."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from typing import NamedTuple

from walras.allocation import Award, Outcome, Report, units
from walras.items import Item, Task
from walras.messages import AgentId, ConversationId
from walras.results.records import TaskRecord
from walras.scenario import Arrival, Instance, check_worth


class Done(NamedTuple):
    """Work that has ended, and when."""

    conversation: ConversationId
    agent: AgentId
    task: Task
    report: Report
    at: float


class Kept(typing.Protocol):
    """What a runtime keeps of its conversations, and of those that they open."""

    @property
    def awards(self) -> Sequence[tuple[ConversationId, Award]]:
        """All that were made, in order."""

    @property
    def stood(self) -> Mapping[ConversationId, tuple[Award, ...]]:
        """Those that an outcome lists, by conversation; without an entry all of a conversation's stand."""

    @property
    def paid(self) -> Mapping[tuple[ConversationId, str], float]:
        """What was settled, by conversation and item."""

    @property
    def done(self) -> Sequence[Done]: ...

    @property
    def rounds(self) -> Mapping[tuple[ConversationId, str], int]:
        """How often a top-level conversation's opener has announced an item alone."""

    @property
    def outcomes(self) -> Mapping[ConversationId, Outcome]:
        """Of top-level conversations."""

    @property
    def ended_at(self) -> Mapping[ConversationId, float]: ...


class Facts:
    """What a runtime has kept, by top-level conversation and item."""

    def __init__(self, kept: Kept, instance: Instance | None = None) -> None:
        self.kept = kept
        self.instance = instance
        self.awards: dict[tuple[ConversationId, str], list[Award]] = {}
        self.done: dict[tuple[ConversationId, str], list[Done]] = {}
        self.paid: dict[tuple[ConversationId, str], float] = {}
        for conversation, line in kept.awards:
            self.awards.setdefault((top_of(conversation), line.item), []).append(line)
        self.stood: dict[tuple[ConversationId, str], list[Award]] = {}
        self.standing = _standing(kept)
        for conversation, line in self.standing:
            if line.won:
                self.stood.setdefault((top_of(conversation), line.item), []).append(line)
        for done in kept.done:
            self.done.setdefault((top_of(done.conversation), done.task.id), []).append(done)
        for (conversation, item), paid in kept.paid.items():
            key = (top_of(conversation), item)
            self.paid[key] = self.paid.get(key, 0.0) + paid

    def lines(self) -> Iterator[Award]:
        """The awards that stood: a conversation's outcome says which; before it has one, all that were made."""
        return (line for _, line in self.standing)

    def record(self, conversation: ConversationId, arrival: Arrival, item: Item) -> TaskRecord:
        """How one item ended. Value and quality are those of the work that its standing winners delivered."""
        key = (conversation, item.id)
        paid_for = [line for line in self.awards.get(key, []) if line.winner is not None]
        made = [line for line in paid_for if line.won]
        stood = self.stood.get(key, [])
        status = self._status(conversation, arrival, item)
        delivered = self._delivered(key, stood) if status == "done" else []
        finished = max((d.at for d in delivered), default=None)
        if status == "done" and finished is None:  # a sale, or work without a worker: as it was awarded
            finished = self.kept.ended_at[conversation]
        shown = stood or made[-1:]
        return TaskRecord(
            item=item.id,
            kind=item.kind if isinstance(item, Task) else "",
            status=status,
            announced_s=arrival.at,
            winner=shown[-1].winner if shown else None,
            price=fsum(line.price for line in shown),
            paid=self.paid.get(key, 0.0) if item.escrowed else fsum(line.price for line in paid_for),
            value=self._value(delivered, arrival) if isinstance(item, Task) else self._traded(item, stood),
            cost=fsum(d.report.cost for id_ in item.ids for d in self.done.get((conversation, id_), [])),
            quality=_quality(delivered) if isinstance(item, Task) else None,
            finished_s=finished,
            rounds=self.kept.rounds.get(key, 1),
            awards=len(made),
            copies=units(item),
            conversation=conversation,
        )

    def _delivered(self, key: tuple[ConversationId, str], stood: list[Award]) -> list[Done]:
        """The work of each standing winner: its last that is done."""
        done = {d.agent: d for d in self.done.get(key, []) if d.report.status == "done"}
        return [done[line.winner] for line in stood if line.winner in done]

    def _value(self, delivered: list[Done], arrival: Arrival) -> float:
        instance = self.instance
        if instance is None:
            return 0.0
        return fsum(
            check_worth(instance.value(d.task, d.report, d.at - arrival.at), d.task) for d in delivered
        )

    def _traded(self, item: Item, stood: list[Award]) -> float:
        instance = self.instance
        return fsum(instance.traded(item, line) for line in stood) if instance is not None else 0.0

    def _status(self, conversation: ConversationId, arrival: Arrival, item: Item) -> str:
        """How an item ended: as its conversation did, which of several items tells by the awards that stood."""
        outcome = self.kept.outcomes.get(conversation)
        if outcome is None:
            return "unfinished"
        if len(arrival.items) == 1:
            return outcome.status
        key = (conversation, item.id)
        if stood := self.stood.get(key):
            return "partial" if isinstance(item, Task) and len(stood) < item.copies else "done"
        if outcome.status in ("done", "partial"):
            return "failed" if any(line.won for line in self.awards.get(key, [])) else "unassigned"
        return outcome.status


def _quality(delivered: Sequence[Done]) -> float:
    """The mean over all copies; 0 where nothing was delivered."""
    return fsum(done.report.quality for done in delivered) / max(1, len(delivered))


def _standing(found: Kept) -> list[tuple[ConversationId, Award]]:
    """The awards that stood, in the order in which they were made.

    A conversation's outcome lists them, and with them those of its children that it has taken over: an award stands in
    the conversation where it was made, the latest first where one was made twice.
    """
    kept = {conversation: Counter(lines) for conversation, lines in found.stood.items()}
    for conversation, lines in found.stood.items():
        parent = conversation.rsplit("/", 2)[0]
        if parent in kept:
            kept[parent] -= Counter(lines)
    standing = []
    for conversation, line in reversed(found.awards):
        if conversation in kept:
            if not kept[conversation][line]:
                continue
            kept[conversation][line] -= 1
        standing.append((conversation, line))
    return standing[::-1]


def top_of(conversation: ConversationId) -> ConversationId:
    """The top-level conversation that this one is, or descends from."""
    return conversation if conversation.count("/") < 2 else "/".join(conversation.split("/", 2)[:2])
