"""From a world that has come to rest to its `Result`."""

from __future__ import annotations

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
        self.stood = {(_top(c), line.item) for c, line in world.awards if self._stands(c, line)}
        for done in world.done:
            self.done.setdefault((_top(done.conversation), done.task.id), []).append(done)
        for (conversation, item), paid in world.paid.items():
            key = (_top(conversation), item)
            self.paid[key] = self.paid.get(key, 0.0) + paid

    def lines(self) -> Iterator[Award]:
        """The awards that stood: a conversation's outcome says which; before it has one, all that were made."""
        for conversation, line in self.world.awards:
            if self._stands(conversation, line):
                yield line

    def _stands(self, conversation: ConversationId, line: Award) -> bool:
        stood = self.world.stood.get(conversation)
        return stood is None or line in stood

    def record(self, conversation: ConversationId, arrival: Arrival, item: Item) -> TaskRecord:
        """How one item ended."""
        world = self.world
        key = (conversation, item.id)
        awards = [line for line in self.awards.get(key, []) if line.winner is not None]
        work = self.done.get(key, [])
        status = self._status(conversation, arrival, item)
        won = {line.winner for line in awards}
        done = next((d for d in work if d.report.status == "done" and d.agent in won), None)
        value = quality = 0.0
        finished: float | None = None
        winner = awards[-1].winner if awards else None
        if done is not None and status == "done":
            finished, quality, winner = done.at, done.report.quality, done.agent
            if world.instance is not None:
                value = world.instance.value(done.task, done.report, finished - arrival.at)
        elif awards and status == "done":
            finished = world.ended_at[conversation]
        return TaskRecord(
            item=item.id,
            kind=item.kind if isinstance(item, Task) else "",
            status=status,
            announced_s=arrival.at,
            winner=winner,
            price=next((line.price for line in reversed(awards) if line.winner == winner), 0.0),
            paid=self._paid(key, item, awards),
            value=value,
            cost=fsum(d.report.cost for d in work),
            quality=quality,
            finished_s=finished,
            rounds=world.rounds.get(conversation, 1),
            copies=units(item),
            conversation=conversation,
        )

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

    def _paid(self, key: tuple[ConversationId, str], item: Item, awards: list[Award]) -> float:
        if item.escrowed:
            return self.paid.get(key, 0.0)
        return fsum(line.price for line in awards)

    def agents(self) -> Iterator[AgentRecord]:
        """What every agent has done and earned."""
        work: dict[str, list[Done]] = {}
        for done in self.world.done:
            work.setdefault(done.agent, []).append(done)
        for id_, host in self.world.hosts.items():
            yield AgentRecord(
                id=id_,
                capacity=host.agent.capacity,
                busy_s=host.worker.busy_s,
                earned=self.world.ledger.received_by(id_),
                spent=self.world.ledger.paid_by(id_),
                cost=fsum(done.report.cost for done in work.get(id_, ())),
                tasks=sum(done.report.status == "done" for done in work.get(id_, ())),
            )


def _top(conversation: ConversationId) -> ConversationId:
    return "/".join(conversation.split("/", 2)[:2])
