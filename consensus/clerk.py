"""Between a log and the copies that live on it: one clerk on each machine."""

from typing import ClassVar

from msgspec import field

from consensus.inputs import Attend, Digest, Input, Over, Told
from consensus.raft.service import Committed, Compact, Installed, Leading, Listen
from walras.allocation import Outcome
from walras.messages import ConversationId
from walras.protocol import Protocol, told

COMPACT_EVERY = 2_000
"""Committed inputs after which a clerk lets its log forget those of conversations that are over."""


class Clerk(Protocol):
    """Hands every committed input to the copy of its conversation, in the order of the log::

        log  --Committed, Installed, Leading-->  Clerk  --Told, Leading-->  Copy of this conversation
        log  <--Listen, Compact--                Clerk  <--Attend--         Copy

    All conversations of one group of machines share one log and one leader, so an election is paid for once. What is
    over is told to nobody again, however often somebody tries to begin it anew.
    """

    recovery: ClassVar[str] = "records"

    log: ConversationId
    index: int = 0
    leading: Leading | None = None
    attending: dict[ConversationId, bool] = field(default_factory=dict)
    live: dict[ConversationId, list[tuple[int, Input]]] = field(default_factory=dict)
    """The inputs of every conversation that is not over: a copy that comes late, or again, has to hear them all."""
    over: dict[ConversationId, Outcome] = field(default_factory=dict)
    since: int = 0
    """Inputs since the log was last compacted."""

    def on_start(self) -> None:
        self.tell(self.log, Listen())

    def on_recover(self, records: tuple[object, ...]) -> None:
        self.tell(self.log, Listen())

    @told(Attend)
    def attend(self, conversation: ConversationId, message: Attend) -> None:
        if conversation in self.over:
            self.tell(conversation, Over(self.over[conversation]))
            return
        self.attending[conversation] = True
        for index, given in self.live.get(conversation, ()):
            self.tell(conversation, Told(index, given))
        if self.leading is not None and self.leading.leading:
            self.tell(conversation, self.leading)

    @told(Committed)
    def hand_on(self, conversation: ConversationId, message: Committed) -> None:
        given = message.command
        if message.index <= self.index or not isinstance(given, Input):
            self.ignore(message, "told again, or somebody else's")
            return
        self.index = message.index
        self.since += 1
        inputs = self.live.setdefault(given.conversation, [])
        if given.conversation in self.over:
            self.ignore(message, "it is over")
            del self.live[given.conversation]
        elif given.kind != "done":
            inputs.append((message.index, given))
            self.tell_copy(given.conversation, Told(message.index, given))
        elif isinstance(given.what, Outcome) and inputs and inputs[-1][0] == given.number:
            self.over[given.conversation] = given.what
            self.tell_copy(given.conversation, Told(message.index, given))
            self.attending.pop(given.conversation, None)
            del self.live[given.conversation]
        else:
            self.ignore(message, "something has come before its end")
        if self.since >= COMPACT_EVERY:
            self.compact()

    def tell_copy(self, conversation: ConversationId, message: Told) -> None:
        if conversation in self.attending:
            self.tell(conversation, message)

    @told(Leading)
    def pass_on(self, conversation: ConversationId, message: Leading) -> None:
        self.leading = message
        for attending in self.attending:
            self.tell(attending, message)

    # ------------------------------------------------------------------ a shorter log
    def compact(self) -> None:
        self.since = 0
        live = sorted((pair for inputs in self.live.values() for pair in inputs), key=lambda pair: pair[0])
        self.tell(self.log, Compact(self.index, Digest(tuple(live), tuple(self.over.items()))))

    @told(Installed)
    def install(self, conversation: ConversationId, message: Installed) -> None:
        """A digest in the place of the log's beginning."""
        digest = message.data
        if message.index <= self.index or not isinstance(digest, Digest):
            self.ignore(message, "told again, or somebody else's")
            return
        self.over.update(digest.over)
        for ended in self.over:
            if self.attending.pop(ended, None):
                self.tell(ended, Over(self.over[ended]))
            self.live.pop(ended, None)
        for index, given in digest.live:
            if index > self.index:
                self.live.setdefault(given.conversation, []).append((index, given))
                self.tell_copy(given.conversation, Told(index, given))
        self.index = message.index

    def check(self) -> None:
        assert not self.live.keys() & self.over.keys()
