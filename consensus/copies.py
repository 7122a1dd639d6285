"""One copy of a replicated role: all copies apply the same inputs in the same order, and one of them acts."""

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import field
from msgspec.structs import replace

from consensus.inputs import (
    NOWHERE,
    Attend,
    FromOpener,
    Heard,
    Input,
    Kind,
    Over,
    Passed,
    Place,
    Told,
    ToOpener,
    What,
)
from consensus.raft.service import Dropped, Leading, Propose
from walras.allocation import Outcome
from walras.effects import (
    Broadcast,
    CancelChild,
    CancelTimer,
    Decide,
    Effect,
    Finish,
    Ignore,
    MakeAward,
    Open,
    Publish,
    Recorder,
    Send,
    SetTimer,
    Settle,
    Withdraw,
)
from walras.errors import LocalProtocolError
from walras.messages import AgentId, ConversationId, Message, Signed
from walras.protocol import Protocol, on, told
from walras.questions import Question

if TYPE_CHECKING:
    from consensus.replicated import Replicated

_AGAIN = "again"
_LATE = -1
"""The index under which copies that have ended answer what comes late; k is the number of what they answer."""


def _key(sender: AgentId, number: int | Place) -> str:
    """Under which a message is an input: agents have any names, also those of other kinds of inputs."""
    return f"message {sender} {number}"


class Recording(Recorder):
    """The port of the role inside: it is the opener, at the time of the last input, and what it does is noted."""

    def __init__(self, copy: "Copy") -> None:
        self.me = copy.opener
        self.conversation = copy.conversation
        self.finish_by = copy.ends
        self.now = copy.time
        self.incarnation = 0
        self.rng = copy.rng
        self.effects = []
        self.opened = copy.opened

    def perform(self, key: str, task: Any) -> None:
        raise self.refusal("performs work")

    def tell(self, conversation: ConversationId, message: Message) -> None:
        raise self.refusal("tells its agent's other roles something")

    def sign(self, body: Any) -> Signed[Any]:
        raise self.refusal("signs")

    def refusal(self, what: str) -> LocalProtocolError:
        return LocalProtocolError(
            f"{self.me} {what} in {self.conversation}, where it is replicated; expected messages, timers, questions, "
            "children, awards and settlements: all that does not depend on one machine"
        )


class Copy(Protocol):
    """Plays an opener's role on one of several machines, without knowing which role it is::

        participant --ToOpener--> leader --Propose--> log --Told--> every copy: the role inside has an input
        participant <--Heard----- leader                            and its effects are noted, under (index, k)
        participant <--FromOpener, under (index, k)-- leader        then it alone carries them out

    Inputs count when they are committed, and at the time that the leader has stamped on them. Timers and the opener's
    mind are the leader's. Every input says up to where its leader has carried out the effects; a new leader carries out
    the rest, some of it perhaps once more: receivers and the ledger know each by (index, k). A copy keeps nothing on a
    disk: after a crash it hears the log again. When the role inside has finished and its last effects are known to be
    out, all copies finish.
    """

    recovery: ClassVar[str] = "records"

    rules: "Replicated"
    opener: AgentId
    inner: Protocol
    index: int = 0
    """The last input that was applied."""
    time: float = 0.0
    """What the role inside takes for now: the stamp of its last input, never going back."""
    ends: float = float("inf")
    leading: bool = False
    leader: AgentId = ""
    """Who has stamped the last input."""
    seen: dict[str, bool] = field(default_factory=dict)
    waiting: dict[str, Input] = field(default_factory=dict)
    """Inputs that are not committed yet, by key."""
    undone: dict[Place, Effect] = field(default_factory=dict)
    """Effects that are not known to be out."""
    out: Place = NOWHERE
    """Up to where we have carried them out, since we lead."""
    settings: int = 0
    """How many timers and questions were set."""
    timers: dict[Hashable, tuple[int, float]] = field(default_factory=dict)
    questions: dict[Hashable, tuple[int, Question]] = field(default_factory=dict)
    children: dict[ConversationId, bool] = field(default_factory=dict)
    opened: int = 0
    result: Outcome | None = None
    """How the role inside has finished."""

    def on_start(self) -> None:
        self.tell(self.rules.clerk, Attend())

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.tell(self.rules.clerk, Attend())

    # ------------------------------------------------------------------ what happens becomes an input
    def offer(self, kind: Kind, key: str, sender: str = "", number: int = 0, what: What = None) -> None:
        """Have something committed as an input, unless it is."""
        if key not in self.seen:
            given = Input(self.conversation, kind, key, sender=sender, number=number, what=what)
            self.submit(given, pass_on=kind in ("message", "decision"))  # the rest happens to the leader, too

    def submit(self, given: Input, pass_on: bool = True) -> None:
        """The leader proposes it; the others pass it on, and propose it should they come to lead."""
        if not self.waiting:
            self.set_timer(_AGAIN, self.now + self.rules.again_s)
        self.waiting[given.key] = given
        if self.leading:
            if given.kind == "start":
                given = replace(given, finish_by=self.finish_by)
            elif given.kind == "done":
                given = replace(given, number=self.index, what=self.result)
            self.tell(self.rules.log_id, Propose(replace(given, at=self.now, by=self.me, done=self.out)))
        elif pass_on and self.leader not in ("", self.me):
            self.send(self.leader, Passed(given))

    @on(ToOpener)
    def hear(self, sender: AgentId, message: ToOpener) -> None:
        key = _key(sender, message.number)
        if key in self.seen:
            self.send(sender, Heard(message.number))
        elif key in self.waiting:
            self.ignore(message, "on its way into the log")
        else:
            self.offer("message", key, sender, message.number, message.message)

    @on(Passed)
    def take_over(self, sender: AgentId, message: Passed) -> None:
        if sender not in self.rules.replicas:
            self.ignore(message, "from a stranger")
        elif self.leading and message.given.key not in self.seen and message.given.key not in self.waiting:
            self.submit(message.given)
        else:
            self.ignore(message, "committed, or on its way, or I do not lead either")

    def on_timer(self, name: Any) -> None:
        if name == _AGAIN:
            self.offer_again()
        elif name[1] in self.timers:
            number, _ = self.timers[name[1]]
            self.offer("timer", f"timer {number}", number=number)

    def offer_again(self) -> None:
        """What the log has not taken, or has lost with a leader."""
        waiting, self.waiting = self.waiting, {}
        for given in waiting.values():
            self.submit(given)

    def on_decision(self, name: Any, answer: Any) -> None:
        if name[1] in self.questions:
            number, _ = self.questions[name[1]]
            self.offer("decision", f"decision {number}", number=number, what=answer)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.offer("outcome", f"outcome {conversation}", sender=conversation, what=outcome)

    def on_cancel(self) -> None:
        self.offer("cancel", "cancel")

    @told(Dropped)
    def note_drop(self, conversation: ConversationId, message: Dropped) -> None:
        self.ignore(message, message.why)  # it waits, and is proposed again

    # ------------------------------------------------------------------ committed inputs become effects
    @told(Told)
    def apply(self, conversation: ConversationId, message: Told) -> None:
        given, index = message.given, message.index
        if index <= self.index:
            self.ignore(message, "told again")
            return
        self.index, self.leader = index, given.by
        self.waiting.pop(given.key, None)
        if not self.waiting:
            self.cancel_timer(_AGAIN)
        for place in [place for place in self.undone if place <= given.done]:
            del self.undone[place]
        if given.kind == "done":
            assert self.result is not None and not self.undone, "its last effects are out"
            self.finish(self.result)
        elif given.key in self.seen or self.is_outdated(given):
            self.ignore(message, "proposed twice, or taken back meanwhile")
        else:
            self.seen[given.key] = True
            self.time = max(self.time, given.at)
            self.ends = given.finish_by if given.kind == "start" else self.ends
            for k, effect in enumerate(self.drive(given), 1):
                self.note((index, k), effect)
            if self.leading:
                self.carry_out()
                if given.kind == "message":
                    self.send(given.sender, Heard(given.number))

    def is_outdated(self, given: Input) -> bool:
        """Whether a timer or question was set again, or called off, before this came into the log."""
        if given.kind not in ("timer", "decision"):
            return False
        of_kind: dict[Hashable, tuple[int, Any]] = self.timers if given.kind == "timer" else self.questions
        return self.name_of(given.number, of_kind) is None

    @staticmethod
    def name_of(number: int, of_kind: dict[Hashable, tuple[int, Any]]) -> Hashable | None:
        return next((name for name, (setting, _) in of_kind.items() if setting == number), None)

    def drive(self, given: Input) -> list[Effect]:
        """Give the role inside an input; what it does."""
        port = Recording(self)
        port.seat(self.inner)
        inner, kind, what = self.inner, given.kind, given.what
        if kind == "message" and self.result is None:
            inner.on_message(given.sender, what)
        elif kind == "message":
            inner.on_late(given.sender, what)
        elif self.result is not None:
            self.ignore(given, "after the end")
        elif kind == "start":
            inner.on_start()
        elif kind == "timer":
            name = self.name_of(given.number, self.timers)
            del self.timers[name]
            inner.on_timer(name)
        elif kind == "decision":
            name = self.name_of(given.number, self.questions)
            del self.questions[name]
            inner.on_decision(name, what)
        elif kind == "outcome":
            assert isinstance(what, Outcome)
            self.children[given.sender] = False
            inner.on_outcome(given.sender, what)
        else:
            inner.on_cancel()
        self.opened = port.opened
        return port.take()

    def note(self, place: Place, effect: Effect) -> None:
        """What a copy does by itself, all of them do; the rest is the leader's."""
        match effect:
            case SetTimer(name, at):
                self.settings += 1
                self.timers[name] = (self.settings, at)
                if self.leading:
                    self.set_timer(("inner", name), at)
            case CancelTimer(name):
                self.timers.pop(name, None)
                self.cancel_timer(("inner", name))
            case Decide(name, question):
                self.settings += 1
                self.questions[name] = (self.settings, question)
                if self.leading:
                    self.decide(("inner", name), question)
            case Withdraw(name):
                self.questions.pop(name, None)
                if self.leading:
                    self.withdraw(("inner", name))
            case Open(child, mechanism, items, participants, finish_by):
                mine = self.open(self.rules.around(mechanism), items, participants, finish_by)
                assert mine == child, f"{self.me} opens {mine} where its role has opened {child}"
                self.children[child] = True
            case Ignore(message, why):
                self.ignore(message, why)
            case Finish(outcome):
                self.end_inside(outcome)
            case _:
                self.undone[place] = effect

    def end_inside(self, outcome: Outcome) -> None:
        """The role inside has finished: nothing is left to wait for, but what it has said must get out."""
        if self.result is not None or any(self.children.values()):
            raise LocalProtocolError(
                f"{self.opener} finishes {self.conversation} twice, or before its children"
            )
        self.result = outcome
        for name in self.timers:
            self.cancel_timer(("inner", name))
        self.timers.clear()
        self.questions.clear()

    # ------------------------------------------------------------------ the leader acts
    @told(Leading)
    def lead(self, conversation: ConversationId, message: Leading) -> None:
        self.leading = message.leading
        if not self.leading:
            for name in self.timers:
                self.cancel_timer(("inner", name))
            return
        self.out = NOWHERE  # what we do not know to be out, we carry out
        self.offer_again()
        if "start" not in self.waiting:
            self.offer("start", "start")
        self.carry_out()
        for name, (_, at) in self.timers.items():
            self.set_timer(("inner", name), at)
        for name, (_, question) in self.questions.items():
            self.decide(("inner", name), question)

    def carry_out(self) -> None:
        """All that is noted and not out yet; after the last of it, propose the end."""
        for place, effect in self.undone.items():
            if place > self.out:
                self.out = place
                self.act(place, effect)
        if self.result is not None and "done" not in self.waiting:
            self.offer("done", "done")

    def act(self, place: Place, effect: Effect) -> None:
        """Carry out one effect, under its place."""
        key = f"{place[0]}.{place[1]}"
        match effect:
            case Send(to, message):
                self.say((to,), place, message)
            case Broadcast(to, message):
                self.say(to, place, message)
            case MakeAward(line):
                self.award(line, key)
            case Settle(item, paid, winner, penalty):
                self.settle(item, paid, winner, penalty, key)
            case Publish(fact):
                self.publish(fact)
            case CancelChild(child):
                self.cancel(child)
            case _:
                raise LocalProtocolError(f"{self.opener}, which is replicated, cannot {effect!r}")

    def say(self, to: Iterable[AgentId], place: Place, message: Message) -> None:
        """Speak for the role; what it says to itself is an input."""
        others = tuple(agent for agent in to if agent != self.opener)
        if self.opener in to:
            self.offer("message", _key(self.opener, place), self.opener, what=message)
        if len(others) == 1:
            self.send(others[0], FromOpener(*place, message))
        elif others:
            self.broadcast(others, FromOpener(*place, message))

    # ------------------------------------------------------------------ the end
    @told(Over)
    def come_late(self, conversation: ConversationId, message: Over) -> None:
        """All is over: nothing is left to do but to end likewise."""
        self.finish(message.outcome)

    def on_late(self, sender: AgentId, message: Any) -> None:
        """Whoever says something after the end hears that it was heard, and what the role inside says to it."""
        if not isinstance(message, ToOpener):
            self.ignore(message, "after the end")
            return
        key = _key(sender, message.number)
        if self.result is not None and key not in self.seen:
            self.seen[key] = True
            self.waiting.pop(key, None)
            port = Recording(self)
            port.now = self.now
            port.seat(self.inner)
            self.inner.on_late(sender, message.message)
            for effect in port.take():
                if isinstance(effect, Send) and effect.to == sender:
                    self.send(sender, FromOpener(_LATE, message.number, effect.message))
        self.send(sender, Heard(message.number))

    def check(self) -> None:
        self.inner.check()
        assert not (self.result is not None and self.timers)
        assert all(key not in self.seen for key in self.waiting)
