"""One top-level conversation with all that descends from it: what was kept of it, and who waits for its end."""

from __future__ import annotations

import asyncio
from math import fsum
from typing import TYPE_CHECKING

from walras.allocation import Allocation, Award, Outcome
from walras.live.conversation import Opening
from walras.live.sameness import check_same
from walras.messages import ConversationId
from walras.results import AgentRecord, Result
from walras.results.facts import Done, Facts
from walras.scenario import Arrival
from walras.trace import Trace

if TYPE_CHECKING:
    from walras.live.runtime import Runtime


class Run:
    """What becomes of one conversation that the program has opened (`walras.results.facts.Kept`)."""

    def __init__(self, runtime: Runtime, opening: Opening) -> None:
        self.runtime = runtime
        self.opening = opening
        self.opened_s = runtime.now
        self.trace = Trace()
        self.awards: list[tuple[ConversationId, Award]] = []
        self.stood: dict[ConversationId, tuple[Award, ...]] = {}
        self.paid: dict[tuple[ConversationId, str], float] = {}
        self.done: list[Done] = []
        self.rounds: dict[tuple[ConversationId, str], int] = {}
        self.outcomes: dict[ConversationId, Outcome] = {}
        self.ended_at: dict[ConversationId, float] = {}
        self.live = 0
        """Roles that have not ended, children's included."""
        self.error: BaseException | None = None
        """What went wrong in the opener's own role: a bug, which whoever waits is told."""
        self._ended: asyncio.Event | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_ended": None}

    @property
    def outcome(self) -> Outcome | None:
        """How the conversation has ended; None while it goes on."""
        return self.outcomes.get(self.opening.id)

    def check_same(self, opening: Opening) -> None:
        """A program that is started again opens what it had opened.

        Raises:
            ScenarioError: naming what differs.
        """
        mine, theirs = (
            {"mechanism": o.mechanism, "items": o.items, "participants": o.participants}
            for o in (self.opening, opening)
        )
        check_same(opening.id, mine, theirs)

    # ------------------------------------------------------------------ the end
    def role_ended(self) -> None:
        """One role fewer; whoever waits is told when the last one has ended, or a moment after the opener."""
        self.live -= 1
        if self.outcome is None:
            return
        agenda = self.runtime.agenda
        if self.live == 0:
            agenda.outward(self.announce)
        elif self.ended_at[self.opening.id] == agenda.now:
            agenda.outward(self._announce_soon)

    def _announce_soon(self) -> None:
        asyncio.get_running_loop().call_later(self.runtime.grace_s, self.announce)

    def fail(self, error: BaseException) -> None:
        """The market cannot go on."""
        if self.outcome is None:
            self.error = error
            self.announce()

    def announce(self) -> None:
        """Wake up whoever waits."""
        if self._ended is not None:
            self._ended.set()

    async def wait(self) -> None:
        """Until it has ended; at once if it has.

        Raises:
            Exception: what went wrong in the opener's role, if that is what ended it.
        """
        if self._ended is None:
            self._ended = asyncio.Event()
            if self.outcome is not None:
                self._ended.set()
        await self._ended.wait()
        if self.error is not None:
            raise self.error

    # ------------------------------------------------------------------ the result
    def result(self) -> Result:
        """What it has come to until now."""
        runtime, opening = self.runtime, self.opening
        facts = Facts(self)
        arrival = Arrival(
            self.opened_s, opening.items, opening.opener, opening.participants, opening.finish_by
        )
        return Result(
            scenario=runtime.name,
            mechanism=opening.mechanism.protocol if opening.mechanism is not None else "",
            seed=runtime.seed,
            stopped_because="the conversation has ended" if self.outcome is not None else "it was asked for",
            ended_s=self.ended_at.get(opening.id, runtime.now),
            records=tuple(facts.record(opening.id, arrival, item) for item in opening.items),
            allocation=Allocation(facts.lines()),
            outcomes=dict(self.outcomes),
            trace=self.trace.so_far(),
            balances=runtime.ledger.balances(),
            agents=tuple(self._agent(id_) for id_ in dict.fromkeys((opening.opener, *opening.participants))),
            overcommitments=runtime.ledger.overcommitments,
        )

    def _agent(self, id_: str) -> AgentRecord:
        """What one agent has done and earned in this run."""
        done = [d for d in self.done if d.agent == id_]
        earned, spent = self.runtime.turnover.of(self.opening.id, id_)
        return AgentRecord(
            id=id_,
            capacity=self.runtime.host(id_).account.slots,
            busy_s=fsum(d.report.seconds for d in done),
            earned=earned,
            spent=spent,
            cost=fsum(d.report.cost for d in done),
            tasks=sum(d.report.status == "done" for d in done),
        )
