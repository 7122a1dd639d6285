"""Sketch 6: any role becomes fault-tolerant by replicating its inputs. Here it is an auctioneer, on a Raft log.

The leader stamps inputs and puts them into the log; every copy feeds what is committed to its inner role, whose effects
are recorded. Only the leader carries them out, under (log index, k), by which receivers and the ledger drop doubles.
"""

from typing import Any, ClassVar

from msgspec import field

from tests.sketches.raft import LOG, Committed, Leading, Listen, Propose
from walras.allocation import Award, Outcome
from walras.effects import Broadcast, CancelTimer, Effect, Finish, MakeAward, Recorder, Send, SetTimer
from walras.messages import Frozen, Message
from walras.protocol import Protocol, on, told

# --------------------------------------------------------------------------------------------- the role inside


class Call(Message, frozen=True):
    lot: str
    reply_by: float


class Bid(Message, frozen=True):
    price: float


class Sold(Message, frozen=True):
    line: Award


class House(Protocol):
    """Sells one lot, sealed bids, to the highest at the second price. It knows nothing of copies."""

    lot: str
    bidders: tuple[str, ...]
    reply_within_s: float = 3.0
    bids: dict[str, float] = field(default_factory=dict)

    def on_start(self) -> None:
        reply_by = self.now + self.reply_within_s
        self.broadcast(self.bidders, Call(self.lot, reply_by))
        self.set_timer("close", reply_by)

    @on(Bid)
    def note(self, sender: str, message: Bid) -> None:
        self.bids.setdefault(sender, message.price)

    def on_timer(self, name: str) -> None:
        ranked = sorted(self.bids, key=lambda who: (-self.bids[who], who))
        price = self.bids[ranked[1]] if len(ranked) > 1 else 0.0
        line = Award(self.lot, ranked[0] if ranked else None, price, seller=self.me)
        if ranked:
            self.award(line)
        self.broadcast(self.bidders, Sold(line))
        self.finish(Outcome("done", (line,)))


# ------------------------------------------------------------------------------------------------ its bidders


class Wrapped(Message, frozen=True):
    """A copy's message, under the name of the effect that it is: a double is dropped, whoever sends it."""

    index: int
    k: int
    message: Message


class Bidder(Protocol):
    """Bids once it is called, and says so again until it hears who has won."""

    copies: tuple[str, ...]
    value: float
    heard: dict[tuple[int, int], bool] = field(default_factory=dict)
    called: bool = False
    won: Award | None = None

    @on(Wrapped)
    def unwrap(self, sender: str, message: Wrapped) -> None:
        if (message.index, message.k) in self.heard:
            self.ignore(message, "double")
            return
        self.heard[message.index, message.k] = True
        if isinstance(message.message, Call):
            self.called = True
            self.bid()
        elif isinstance(message.message, Sold):
            self.won = message.message.line
            self.cancel_timer("again")

    def bid(self) -> None:
        self.broadcast(self.copies, Bid(self.value))
        self.set_timer("again", self.now + 0.5)

    def on_timer(self, name: str) -> None:
        if self.won is None:
            self.bid()


# ------------------------------------------------------------------------------------------------ the wrapper


class Command(Frozen, frozen=True):
    """One input of the inner role; `at` is its `now`, `done` the last effect that is known to be out."""

    kind: str
    at: float
    sender: str = ""
    name: str = ""
    due: float = 0.0
    message: Message | None = None
    done: tuple[int, int] = (0, 0)


class Copy(Protocol):
    """One copy of a role: all apply the same inputs, one of them acts."""

    recovery: ClassVar[str] = "records"

    inner: Protocol
    logical: str
    index: int = 0
    last: float = 0.0
    leading: bool = False
    seen: dict[str, bool] = field(default_factory=dict)
    waiting: dict[str, Command] = field(default_factory=dict)
    undone: dict[tuple[int, int], Effect] = field(default_factory=dict)
    out: tuple[int, int] = (0, 0)
    timers: dict[str, float] = field(default_factory=dict)
    result: Outcome | None = None

    def on_start(self) -> None:
        self.listen()

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.listen()

    def listen(self) -> None:
        self.tell(LOG, Listen())
        self.set_timer("listen", self.now + 1.0)

    # ------------------------------------------------------------------ inputs become commands
    def offer(self, id: str, command: Command) -> None:
        if id not in self.seen:
            self.waiting[id] = command
            if self.leading:
                self.tell(LOG, Propose(id, command))

    @on(Bid)
    def hear(self, sender: str, message: Bid) -> None:
        self.offer(
            f"message {sender}", Command("message", self.now, sender=sender, message=message, done=self.out)
        )

    def on_timer(self, name: Any) -> None:
        if name == "listen":
            self.listen()
            for id, command in list(self.waiting.items()):
                self.offer(id, command)
        else:
            due = self.timers.get(name, 0.0)
            self.offer(f"timer {name} {due}", Command("timer", self.now, name=name, due=due, done=self.out))

    # ------------------------------------------------------------------ committed commands become effects
    @told(Committed)
    def apply(self, conversation: str, message: Committed) -> None:
        command = message.what
        if message.index <= self.index:
            self.ignore(message, "told again")
            return
        self.index = message.index
        if not isinstance(command, Command):
            self.ignore(message, "a leader's first entry")
            return
        self.waiting.pop(message.id, None)
        for name in [name for name in self.undone if name <= command.done]:
            del self.undone[name]
        if message.id in self.seen:
            self.ignore(message, "proposed twice")
            return
        self.seen[message.id] = True
        if command.kind == "done":
            assert self.result is not None
            self.finish(self.result)  # now its last effects are out
            return
        if command.kind == "timer" and self.timers.get(command.name) != command.due:
            self.ignore(message, "moved or cancelled meanwhile")
            return
        self.last = max(self.last, command.at)  # `now` of all copies: the leader's stamp, never going back
        for k, effect in enumerate(self.drive(command)):
            self.note((self.index, k), effect)
        if self.leading:
            self.carry_out()

    def drive(self, command: Command) -> list[Effect]:
        port = Recorder(self.logical, self.conversation)
        port.now = self.last
        port.seat(self.inner)
        if command.kind == "start":
            self.inner.on_start()
        elif command.kind == "timer":
            del self.timers[command.name]
            self.inner.on_timer(command.name)
        elif self.result is None:
            self.inner.on_message(command.sender, command.message)
        return port.take()

    def note(self, name: tuple[int, int], effect: Effect) -> None:
        if isinstance(effect, SetTimer):
            self.timers[str(effect.name)] = effect.at
            if self.leading:
                self.set_timer(effect.name, effect.at)
        elif isinstance(effect, CancelTimer):
            self.timers.pop(str(effect.name), None)
            self.cancel_timer(effect.name)
        elif isinstance(effect, Finish):
            self.result = effect.outcome
        else:
            self.undone[name] = effect

    # ------------------------------------------------------------------ the leader acts
    @told(Leading)
    def lead(self, conversation: str, message: Leading) -> None:
        self.leading = message.leading
        for name, at in self.timers.items():
            if self.leading:
                self.set_timer(name, at)
            else:
                self.cancel_timer(name)
        if self.leading:
            self.offer("start", Command("start", self.now))
            self.carry_out()
            for id, command in list(self.waiting.items()):
                self.offer(id, command)

    def carry_out(self) -> None:
        for (index, k), effect in self.undone.items():
            if isinstance(effect, Send):
                self.send(effect.to, Wrapped(index, k, effect.message))
            elif isinstance(effect, Broadcast):
                self.broadcast(effect.to, Wrapped(index, k, effect.message))
            elif isinstance(effect, MakeAward):
                self.award(effect.line, key=f"{index}.{k}")
            self.out = max(self.out, (index, k))
        if self.result is not None:
            self.offer("done", Command("done", self.now, done=self.out))
