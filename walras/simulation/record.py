"""From a world that has come to rest to its `Result`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import fsum
from typing import TYPE_CHECKING

from walras.allocation import Allocation, Award, units
from walras.items import Item, Task
from walras.messages import ConversationId
from walras.results import AgentRecord, Result, TaskRecord
from walras.scenario import Arrival
from walras.simulation.world import Done, World

if TYPE_CHECKING:
    from walras.simulation.simulation import Simulation


def make_result(simulation: Simulation, why: str) -> Result:
    """What a run has come to."""
    world = simulation.world
    facts = _Facts(world)
    scenario, mechanism = simulation.scenario, simulation.mechanism
    return Result(
        scenario=scenario.name if scenario is not None else "",
        mechanism=mechanism.protocol if mechanism is not None else "",
        seed=simulation.seed,
        stopped_because=why,
        ended_s=world.clock._now,
        records=tuple(
            facts.record(conversation, arrival, item)
            for conversation, arrival in simulation.conversations.items()
            for item in arrival.items
        ),
        allocation=Allocation(facts.lines()),
        outcomes=dict(world.outcomes),
        trace=world.trace.so_far(),
        balances=world.ledger.balances(),
        agents=tuple(facts.agents()),
        optimum=simulation.instance.optimum() if simulation.instance is not None else None,
        overcommitments=world.ledger.overcommitments,
    )


class _Facts:
    """What the world has kept, by top-level conversation and item."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.awards: dict[tuple[ConversationId, str], list[Award]] = {}
        self.done: dict[tuple[ConversationId, str], list[Done]] = {}
        self.paid: dict[tuple[ConversationId, str], float] = {}
        for conversation, line in world.awards:
            self.awards.setdefault((_top(conversation), line.item), []).append(line)
        self.stood: dict[tuple[ConversationId, str], list[Award]] = {}
        self.standing = _standing(world)
        for conversation, line in self.standing:
            if line.won:
                self.stood.setdefault((_top(conversation), line.item), []).append(line)
        for done in world.done:
            self.done.setdefault((_top(done.conversation), done.task.id), []).append(done)
        for (conversation, item), paid in world.paid.items():
            key = (_top(conversation), item)
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
        if (
            status == "done" and finished is None
        ):  # a sale, or work without a worker: finished as it was awarded
            finished = self.world.ended_at[conversation]
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
            cost=fsum(d.report.cost for d in self.done.get(key, [])),
            quality=fsum(d.report.quality for d in delivered) / max(1, len(delivered)),
            finished_s=finished,
            rounds=self.world.rounds.get(conversation, 1),
            awards=len(made),
            copies=units(item),
            conversation=conversation,
        )

    def _delivered(self, key: tuple[ConversationId, str], stood: list[Award]) -> list[Done]:
        """The work of each standing winner: its last that is done."""
        done = {d.agent: d for d in self.done.get(key, []) if d.report.status == "done"}
        return [done[line.winner] for line in stood if line.winner in done]

    def _value(self, delivered: list[Done], arrival: Arrival) -> float:
        instance = self.world.instance
        if instance is None:
            return 0.0
        return fsum(instance.value(d.task, d.report, d.at - arrival.at) for d in delivered)

    def _traded(self, item: Item, stood: list[Award]) -> float:
        instance = self.world.instance
        return fsum(instance.traded(item, line) for line in stood) if instance is not None else 0.0

    def _status(self, conversation: ConversationId, arrival: Arrival, item: Item) -> str:
        """How an item ended: as its conversation did, which of several items tells by the awards that stood."""
        outcome = self.world.outcomes.get(conversation)
        if outcome is None:
            return "unfinished"
        if len(arrival.items) == 1:
            return outcome.status
        if (conversation, item.id) in self.stood:
            return "done"
        return "unassigned" if outcome.status in ("done", "partial") else outcome.status

    def agents(self) -> Iterator[AgentRecord]:
        """What every agent has done and earned."""
        work: dict[str, list[Done]] = {}
        for done in self.world.done:
            work.setdefault(done.agent, []).append(done)
        for id_, host in self.world.hosts.items():
            yield AgentRecord(
                id=id_,
                capacity=host.blueprint.capacity,
                busy_s=host.worker.busy_s,
                earned=self.world.ledger.received_by(id_),
                spent=self.world.ledger.paid_by(id_),
                cost=fsum(done.report.cost for done in work.get(id_, ())),
                tasks=sum(done.report.status == "done" for done in work.get(id_, ())),
            )


def _standing(world: World) -> list[tuple[ConversationId, Award]]:
    """The awards that stood, in the order in which they were made.

    A conversation's outcome lists them, and with them those of its children that it has taken over: an award stands in
    the conversation where it was made, the latest first where one was made twice.
    """
    kept = {conversation: Counter(lines) for conversation, lines in world.stood.items()}
    for conversation, lines in world.stood.items():
        parent = conversation.rsplit("/", 2)[0]
        if parent in kept:
            kept[parent] -= Counter(lines)
    standing = []
    for conversation, line in reversed(world.awards):
        if conversation in kept:
            if not kept[conversation][line]:
                continue
            kept[conversation][line] -= 1
        standing.append((conversation, line))
    return standing[::-1]


def _top(conversation: ConversationId) -> ConversationId:
    return "/".join(conversation.split("/", 2)[:2])
