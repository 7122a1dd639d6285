"""Questions on their way to minds and back: open until an answer comes, their time is over, or nobody wants them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from walras.errors import LocalProtocolError, ScenarioError
from walras.live.agenda import ANSWER, SILENCE, Entry
from walras.live.answers import CALLED_OFF, Answered
from walras.messages import AgentId, ConversationId
from walras.questions import Question
from walras.trace.rows import without_addresses

if TYPE_CHECKING:
    from walras.live.port import Port
    from walras.live.runtime import Runtime

log = logging.getLogger("walras.live")

_STATUS = {"timeout": "silent", "invalid": "illegal"}
"""Where the guard's word for an answer is not the trace's."""

REPORT_S = 0.1
"""How long a result waits for the guard to say what minds took whose time is over."""


@dataclass(slots=True, eq=False)
class Asked:
    """One question to a mind, open until it is answered or voided."""

    id: int
    port: Port
    name: Hashable
    question: Question
    at: float
    """When it was put."""
    open: bool = True
    silence: Entry | None = None
    """What happens at `decide_by`."""

    def examined(self, value: Any) -> tuple[Any, str]:
        """A legal answer, or none: the question decides, and no answer can break it."""
        try:
            if self.question.accepts(value):
                self.question.commits(value)
                return value, "ok"
        except Exception as error:  # an answer is not ours
            log.warning("an answer of %s: %s", self.port.me, without_addresses(error))
            return None, "error"
        return None, "illegal"


class Inquiries:
    """All questions of a market that are open, by number. What minds say becomes an input here."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.open: dict[int, Asked] = {}
        self.late: set[asyncio.Task[None]] = set()
        """Calls whose questions are over, and of which the guard has not said what they took."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "late": set()}

    def ask(self, port: Port, name: Any, question: Question) -> Asked:
        """Put a question to an agent's mind: its answer comes back as an input, at `decide_by` at the latest."""
        agenda, number = self.runtime.agenda, self.runtime.next_number()
        asked = self.open[number] = Asked(number, port, name, question, agenda.now)
        late = question.decide_by < agenda.now
        if question.decide_by != inf:
            asked.silence = agenda.post(question.decide_by, SILENCE, self.silence, asked)
        if not late:
            agenda.outward(port.principal.mind.ask, asked)
        return asked

    def void(self, asked: Asked) -> None:
        """A question is no longer wanted: nobody is given its answer, and a call that is under way is broken off."""
        self._close(asked)
        asked.port.principal.mind.void(asked)

    def _close(self, asked: Asked) -> None:
        asked.open = False
        self.open.pop(asked.id, None)
        if asked.silence is not None:
            asked.silence.call_off()
        call = asked.port.principal.mind.pondering.get(asked.id)
        if call is not None:
            self.late.add(call)
            call.add_done_callback(self.late.discard)

    async def reported(self) -> None:
        """Until the guard has said what minds took whose time is over; it soon has, unless it is stuck."""
        if self.late:
            await asyncio.wait(self.late, timeout=REPORT_S)

    def call_off(self) -> None:
        """The market closes: answers that can change nothing any more, also in its next life, are waited for no longer."""
        for asked in self.open.values():
            run = asked.port.talk.run
            if run is not None and run.outcome is not None:
                asked.port.principal.mind.void(asked)
        for call in self.late:
            if not call.cancelling():
                call.cancel(CALLED_OFF)

    def silence(self, asked: Asked) -> None:
        """The time for an answer is over."""
        self._conclude(asked, asked.question.otherwise, "silent")

    def answered(self, asked: Asked, answered: Answered) -> None:
        """The guard has come back: what it says is looked at here, and becomes an input.

        Where nobody was called it takes no time, as in simulation: that a function was held up by others that block the
        loop is not its fault. Of an answer that comes too late it matters what it took, and why.
        """
        value, status = answered.value, _STATUS.get(answered.status, answered.status)
        if status == "ok":
            value, status = asked.examined(value) if asked.open else (None, "silent")
        agenda, port = self.runtime.agenda, asked.port
        at = agenda.clock() if answered.usage.calls or status == "silent" else asked.at
        whose = (asked.id, port.conversation, port.me, asked.name)
        details = (answered.usage, answered.latency_s, answered.attempts, answered.detail)
        try:
            agenda.submit(ANSWER, self.take_answer, *whose, value, status, details, at=at)
        except ScenarioError as error:
            log.warning("an answer of %s cannot be journaled: %s", port.me, error)
            agenda.submit(ANSWER, self.take_answer, *whose, None, "error", details, at=at)

    def take_answer(
        self,
        id_: int,
        conversation: ConversationId,
        agent: AgentId,
        name: Hashable,
        value: Any,
        status: str,
        details: tuple[Any, ...],
    ) -> None:
        """A mind has answered: what the answer binds is held before it is delivered.

        Where the question was voided meanwhile, or its time was over, the answer is accounted for and never delivered.
        """
        asked = self.open.get(id_)
        if asked is not None:
            value, status = self._held(asked, value, status)
        talk = self.runtime.book.get(conversation) or conversation
        usage, latency_s, attempts, detail = details
        if usage.calls:
            self.runtime.note(talk, "thought", agent, name, usage, latency_s, attempts)
        if detail:
            self.runtime.note(talk, "note", agent, f"about {name}: {detail}")
        if asked is not None:
            self._conclude(asked, value, status)

    def _held(self, asked: Asked, value: Any, status: str) -> tuple[Any, str]:
        """An answer that is paid for, or what stands in its place."""
        port, question = asked.port, asked.question
        if status == "ok":
            commitment = question.commits(value)
            try:
                funded = commitment is None or port.principal.account.hold(
                    port.conversation, asked.name, commitment
                )
                status = "ok" if funded else "unfunded"
            except LocalProtocolError as error:
                port.note("note", f"{type(error).__name__} in the answer: {error}")
                status = "error"
        return (value if status == "ok" else question.otherwise), status

    def _conclude(self, asked: Asked, answer: Any, status: str) -> None:
        port = asked.port
        self._close(asked)
        del port.questions[asked.name]
        port.note("answer", asked.name, answer, status)
        port.enter("on_decision", asked.name, answer)
