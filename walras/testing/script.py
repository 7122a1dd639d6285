"""One role, scripted by hand: the test is its world, tells it things, and compares its effects in order."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Hashable, Iterable
from math import isnan
from typing import Any

from walras.allocation import Outcome, Report
from walras.effects import (
    Broadcast,
    CancelChild,
    CancelTimer,
    Checkpoint,
    Decide,
    Effect,
    Finish,
    Ignore,
    Open,
    Perform,
    Persist,
    Publish,
    Recorder,
    Send,
    SetTimer,
    Tell,
    Withdraw,
)
from walras.errors import LocalProtocolError
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol
from walras.questions import Question
from walras.testing.errors import ContractError

TALK = (Send, Broadcast, Ignore, Publish)
"""What a role may still do after its finish."""


class Script:
    """Drives one role as a runtime would, and checks that both sides keep the rules.

    Every call returns the effects that it had, in order. A call that no runtime would make (an answer to a question that
    is not open) is the test's fault and raises `LocalProtocolError`; a verb that no role may call then is the role's,
    and raises `ContractError`.

    Args:
        role: a fresh role.
        me: the agent that plays it.
        conversation: where.
        finish_by: when the conversation is over, seconds.
        seed: of its random stream.

    Examples:
        >>> from walras.allocation import Outcome
        >>> from walras.protocol import Protocol
        >>> class Brief(Protocol):
        ...     def on_start(self):
        ...         self.finish(Outcome("done"))
        >>> Script(Brief()).start()
        [Finish(outcome=Outcome(status='done'))]
    """

    def __init__(
        self, role: Protocol, me: AgentId = "me", conversation: ConversationId = "test/1", *,
        finish_by: float = float("inf"), seed: int = 0,
    ) -> None:  # fmt: skip
        self.role: Any = role
        self.port = Recorder(me, conversation, finish_by=finish_by, seed=seed)
        self.port.seat(role)
        self.questions: dict[Hashable, Question] = {}
        """Questions that are open."""
        self.timers: dict[Hashable, float] = {}
        """Timers that are set, with their times."""
        self.work: dict[str, bool] = {}
        """Work that was handed over, and whether it is still going on."""
        self.children: dict[ConversationId, bool] = {}
        """Conversations that it opened, and whether they still go on."""
        self.finished: Outcome | None = None
        """How it has finished; None: it has not."""
        self.records: list[Any] = []
        """What it has made durable, if it is a records role."""
        self.effects: list[Effect] = []
        """All its effects so far."""
        self.inputs = 0

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.port.now

    # ------------------------------------------------------------------ inputs
    def start(self) -> list[Effect]:
        """The first call."""
        self._expect(self.inputs == 0, "start comes first, and once")
        return self._enter("on_start")

    def recover(self, records: Iterable[Any] | None = None) -> list[Effect]:
        """A new life of a records role: in place of `start`, with these records, or with all that it has persisted."""
        self._expect(
            self.role.recovery == "records", f"{type(self.role).__name__} recovers by replay, from no records"
        )
        self.questions.clear()
        self.timers.clear()
        self.work.clear()
        self.children.clear()
        self.finished = None
        self.port.incarnation += 1
        return self._enter("on_recover", tuple(self.records if records is None else records))

    def hear(self, sender: AgentId, message: Message) -> list[Effect]:
        """A message arrives; after the finish it is late."""
        return self._enter("on_message" if self.finished is None else "on_late", sender, message)

    def late(self, sender: AgentId, message: Message) -> list[Effect]:
        """A message arrives after the finish."""
        self._expect(self.finished is not None, "a message is late only after the finish")
        return self._enter("on_late", sender, message)

    def told(self, conversation: ConversationId, message: Message) -> list[Effect]:
        """Another conversation of the same agent tells it something."""
        self._demand_life("is told something")
        return self._enter("on_told", conversation, message)

    def decided(self, name: Hashable, answer: Any) -> list[Effect]:
        """The mind answers an open question; `question.otherwise` is always allowed."""
        self._expect(name in self.questions, f"no question {name!r} is open, but {list(self.questions)}")
        question = self.questions[name]
        legal = answer == question.otherwise or question.accepts(answer)
        self._expect(legal, f"{answer!r} is no legal answer to {question!r}: no runtime would deliver it")
        del self.questions[name]
        return self._enter("on_decision", name, answer)

    def timer(self, name: Hashable) -> list[Effect]:
        """This timer fires: now, or when it is due."""
        self._expect(name in self.timers, f"no timer {name!r} is set, but {list(self.timers)}")
        self.port.now = max(self.now, self.timers.pop(name))
        return self._enter("on_timer", name)

    def at(self, time: float) -> list[Effect]:
        """Time passes: every timer that is due by then fires, in the order of their times."""
        self._expect(time >= self.now, f"it is {self.now:g} already, and time does not go back")
        effects: list[Effect] = []
        while due := [name for name, at in self.timers.items() if at <= time]:
            effects += self.timer(min(due, key=self.timers.__getitem__))
        self.port.now = time
        return effects

    def performed(self, key: str, report: Report) -> list[Effect]:
        """Work of this key has ended."""
        self._expect(self.work.get(key), f"no work {key!r} is going on, but {list(self.work)}")
        self.work[key] = False
        return self._enter("on_performed", key, report)

    def outcome(self, conversation: ConversationId, outcome: Outcome) -> list[Effect]:
        """A conversation that it opened has ended."""
        self._expect(
            self.children.get(conversation), f"it has not opened {conversation}, but {list(self.children)}"
        )
        self.children[conversation] = False
        return self._enter("on_outcome", conversation, outcome)

    def cancel(self) -> list[Effect]:
        """Who opened this conversation no longer wants it."""
        self._demand_life("is cancelled")
        return self._enter("on_cancel")

    # ------------------------------------------------------------------ what it has come to
    def state(self) -> dict[str, Any]:
        """The role's fields as they are now: a copy, to be compared later."""
        return {field: copy.deepcopy(getattr(self.role, field)) for field in self.role.__struct_fields__}

    def fork(self) -> Script:
        """The same role in the same situation, made from its pickle: what happens to one does not touch the other."""
        twin = copy.copy(self)
        twin.role = pickle.loads(pickle.dumps(self.role))
        twin.port = copy.copy(self.port)
        twin.port.rng = copy.deepcopy(self.port.rng)
        twin.port.effects = []
        twin.port.seat(twin.role)
        for field in ("questions", "timers", "work", "children"):
            setattr(twin, field, dict(getattr(self, field)))
        twin.records, twin.effects = list(self.records), list(self.effects)
        return twin

    # ------------------------------------------------------------------ rules
    def _enter(self, handler: str, *arguments: Any) -> list[Effect]:
        self.inputs += 1
        getattr(self.role, handler)(*arguments)
        effects = self.port.take()
        for effect in effects:
            self._account(handler, effect)
        self.effects += effects
        return effects

    def _account(self, handler: str, effect: Effect) -> None:
        """Note what an effect opens or ends, and complain if the role may not do it now."""
        if self.finished is not None and not isinstance(effect, TALK):
            self._blame(
                handler, effect, "after its finish a role may only send, broadcast, ignore and publish"
            )
        match effect:
            case Send(message=message) | Broadcast(message=message) | Tell(message=message):
                if not isinstance(message, Message):
                    self._blame(handler, effect, "what is sent is a walras.messages.Message")
            case Decide(name, question):
                self.questions[name] = question
            case Withdraw(name):
                self.questions.pop(name, None)
            case SetTimer(name, at):
                if isnan(at):
                    self._blame(handler, effect, "a timer is set to a time")
                self.timers[name] = at
            case CancelTimer(name):
                self.timers.pop(name, None)
            case Persist(record) | Checkpoint(record):
                self._keep(handler, effect, record)
            case _:
                self._account_ends(handler, effect)

    def _account_ends(self, handler: str, effect: Effect) -> None:
        """As `_account`, for work, children and the role's own end."""
        match effect:
            case Perform(key):
                self.work.setdefault(key, True)
            case Open(conversation):
                self.children[conversation] = True
            case CancelChild(conversation):
                if conversation not in self.children:
                    self._blame(handler, effect, "a role cancels only what it has opened")
            case Finish(outcome):
                self._end(handler, effect, outcome)

    def _keep(self, handler: str, effect: Effect, record: Any) -> None:
        if self.role.recovery != "records":
            self._blame(handler, effect, "only roles with recovery = 'records' persist")
        if isinstance(effect, Checkpoint):
            self.records.clear()
        self.records.append(record)

    def _end(self, handler: str, effect: Effect, outcome: Outcome) -> None:
        going_on = [name for name, on in (self.work | self.children).items() if on]
        if going_on:
            self._blame(
                handler, effect, f"a role ends after its work and its children: {', '.join(going_on)} go on"
            )
        self.finished = outcome
        self.timers.clear()
        self.questions.clear()

    def _blame(self, handler: str, effect: Effect, rule: str) -> None:
        raise ContractError(f"{type(self.role).__name__}.{handler}, input {self.inputs}: {effect!r}; {rule}")

    def _demand_life(self, what: str) -> None:
        self._expect(self.finished is None, f"it {what} after its finish, which no runtime does")

    def _expect(self, legal: object, complaint: str) -> None:
        if not legal:
            raise LocalProtocolError(f"script of {type(self.role).__name__}: {complaint}")
