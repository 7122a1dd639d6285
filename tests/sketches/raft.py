"""Sketch 4: a small Raft (Ongaro and Ousterhout 2014) from records, with clients and linearizable reads.

What must be durable before something is said is persisted before it is said: the order of the calls is the rule.
A leader's own vote for an entry is a message to itself, sent after the entry, and so comes when the write is durable.
"""

from typing import Any, ClassVar

from msgspec import field

from walras.messages import Frozen, Message
from walras.protocol import Protocol, on, told
from walras.tally import Tally

LOG, READERS, WRITERS = "log", "readers", "writers"


What = str | Frozen


class Entry(Frozen, frozen=True):
    term: int
    id: str = ""
    what: What = ""


class RequestVote(Message, frozen=True):
    term: int
    last: int
    last_term: int


class Vote(Message, frozen=True):
    term: int
    granted: bool


class Append(Message, frozen=True):
    term: int
    prev: int
    prev_term: int
    entries: tuple[Entry, ...]
    commit: int
    probe: int


class Appended(Message, frozen=True):
    term: int
    ok: bool
    match: int
    probe: int = 0


class Propose(Message, frozen=True):
    id: str
    what: What


class Listen(Message, frozen=True):
    """Tell this conversation all that is committed, from the beginning."""


class Committed(Message, frozen=True):
    index: int
    id: str
    what: What


class Read(Message, frozen=True):
    number: int


class ReadAt(Message, frozen=True):
    number: int
    index: int


class Leading(Message, frozen=True):
    leading: bool


class Ballot(Frozen, frozen=True):
    term: int
    vote: str | None


class Tail(Frozen, frozen=True):
    at: int
    entries: tuple[Entry, ...]


class Replica(Protocol):
    """Follower, candidate or leader."""

    recovery: ClassVar[str] = "records"

    peers: tuple[str, ...]
    beat_s: float = 0.1
    term: int = 0
    vote: str | None = None
    log: list[Entry] = field(default_factory=lambda: [Entry(0)])
    state: str = "follower"
    commit: int = 0
    votes: Tally[bool] = field(default_factory=lambda: Tally(needed=0))
    next: dict[str, int] = field(default_factory=dict)
    match: dict[str, int] = field(default_factory=dict)
    probe: int = 0
    probed: dict[str, int] = field(default_factory=dict)
    reads: list[tuple[int, str, int]] = field(default_factory=list)
    listeners: dict[str, bool] = field(default_factory=dict)

    # ------------------------------------------------------------------ lives
    def on_start(self) -> None:
        self.await_leader()

    def on_recover(self, records: tuple[Any, ...]) -> None:
        for record in records:
            if isinstance(record, Ballot):
                self.term, self.vote = record.term, record.vote
            else:
                self.log[record.at :] = record.entries
        self.await_leader()

    @property
    def majority(self) -> int:
        return (len(self.peers) + 1) // 2 + 1

    # ------------------------------------------------------------------ transitions
    def await_leader(self) -> None:
        self.set_timer("election", self.now + self.beat_s * (5.0 + 5.0 * self.rng.random()))

    def become_follower(self, term: int) -> None:
        if term > self.term:
            self.term, self.vote = term, None
            self.persist(Ballot(term, None))
        if self.state == "leader":
            self.cancel_timer("beat")
            self.reads.clear()
            self.say(Leading(False))
        self.state = "follower"
        self.await_leader()

    def become_candidate(self) -> None:
        self.state, self.term, self.vote = "candidate", self.term + 1, self.me
        self.votes = Tally(needed=self.majority)
        self.persist(Ballot(self.term, self.me))
        self.broadcast(self.peers, RequestVote(self.term, len(self.log) - 1, self.log[-1].term))
        self.send(self.me, Vote(self.term, True))
        self.await_leader()

    def become_leader(self) -> None:
        self.state = "leader"
        self.cancel_timer("election")
        self.next = dict.fromkeys(self.peers, len(self.log))
        self.match = dict.fromkeys((*self.peers, self.me), 0)
        self.probed = dict.fromkeys(self.peers, 0)
        self.say(Leading(True))
        self.append(Entry(self.term))
        self.set_timer("beat", self.now + self.beat_s)

    def on_timer(self, name: str) -> None:
        if name == "election":
            self.become_candidate()
        else:
            self.replicate()
            self.set_timer("beat", self.now + self.beat_s)

    # ------------------------------------------------------------------ elections
    @on(RequestVote)
    def ballot(self, sender: str, message: RequestVote) -> None:
        if message.term > self.term:
            self.become_follower(message.term)
        current = (message.last_term, message.last) >= (self.log[-1].term, len(self.log) - 1)
        granted = message.term == self.term and self.vote in (None, sender) and current
        if granted and self.vote is None:
            self.vote = sender
            self.persist(Ballot(self.term, sender))
            self.await_leader()
        self.send(sender, Vote(self.term, granted))

    @on(Vote)
    def count(self, sender: str, message: Vote) -> None:
        if message.term > self.term:
            self.become_follower(message.term)
        elif self.state == "candidate" and message.term == self.term and message.granted:
            if self.votes.add(sender, True):
                self.become_leader()
        else:
            self.ignore(message, "another election's")

    # ------------------------------------------------------------------ replication
    def append(self, entry: Entry) -> None:
        self.log.append(entry)
        last = len(self.log) - 1
        self.replicate()  # leaves before the write
        self.persist(Tail(last, (entry,)))
        self.send(self.me, Appended(self.term, True, last))  # after it: our own vote, once durable

    def replicate(self) -> None:
        for peer in self.peers:
            self.replicate_to(peer)

    def replicate_to(self, peer: str) -> None:
        prev = self.next[peer] - 1
        entries = tuple(self.log[prev + 1 :])
        self.send(peer, Append(self.term, prev, self.log[prev].term, entries, self.commit, self.probe))

    @on(Append)
    def follow(self, sender: str, message: Append) -> None:
        if message.term < self.term:
            self.send(sender, Appended(self.term, False, 0))
            return
        self.become_follower(message.term)
        if message.prev >= len(self.log) or self.log[message.prev].term != message.prev_term:
            hint = min(message.prev, len(self.log)) - 1
            self.send(sender, Appended(self.term, False, hint, message.probe))
            return
        for at, entry in enumerate(message.entries, message.prev + 1):
            if at >= len(self.log) or self.log[at].term != entry.term:
                self.log[at:] = message.entries[at - message.prev - 1 :]
                self.persist(Tail(at, tuple(self.log[at:])))
                break
        match = message.prev + len(message.entries)
        # A double of this message waits for the write, too: effects of later handlers do.
        self.send(sender, Appended(self.term, True, match, message.probe))
        self.advance(min(message.commit, match))

    @on(Appended)
    def progress(self, sender: str, message: Appended) -> None:
        if message.term > self.term:
            self.become_follower(message.term)
            return
        if self.state != "leader" or message.term != self.term:
            self.ignore(message, "no leader any more")
            return
        if sender != self.me:
            self.probed[sender] = max(self.probed[sender], message.probe)
        if message.ok:
            self.match[sender] = max(self.match[sender], message.match)
            self.next[sender] = self.match[sender] + 1
            reached = sorted(self.match.values())[-self.majority]
            if self.log[reached].term == self.term:
                self.advance(reached)
        elif sender != self.me:
            self.next[sender] = max(1, min(self.next[sender] - 1, message.match + 1))
            self.replicate_to(sender)
        self.serve_reads()

    def advance(self, to: int) -> None:
        while self.commit < to:
            self.commit += 1
            for listener in self.listeners:
                self.tell_entry(listener, self.commit)

    # ------------------------------------------------------------------ our own agent's other roles
    def say(self, message: Message) -> None:
        for listener in self.listeners:
            self.tell(listener, message)

    def tell_entry(self, listener: str, index: int) -> None:
        self.tell(listener, Committed(index, self.log[index].id, self.log[index].what))

    @told(Listen)
    def listen(self, conversation: str, message: Listen) -> None:
        if conversation not in self.listeners:
            self.listeners[conversation] = True
            for index in range(1, self.commit + 1):
                self.tell_entry(conversation, index)
            self.tell(conversation, Leading(self.state == "leader"))

    @told(Propose)
    def propose(self, conversation: str, message: Propose) -> None:
        if self.state == "leader" and all(entry.id != message.id for entry in self.log):
            self.append(Entry(self.term, message.id, message.what))

    @told(Read)
    def read(self, conversation: str, message: Read) -> None:
        if self.state == "leader":
            self.probe += 1
            self.reads.append((self.probe, conversation, message.number))
            self.replicate()

    def serve_reads(self) -> None:
        if self.log[self.commit].term != self.term:
            return  # what is committed is known only once something of our own term is
        for probe, conversation, number in list(self.reads):
            if 1 + sum(answered >= probe for answered in self.probed.values()) >= self.majority:
                self.reads.remove((probe, conversation, number))
                self.tell(conversation, ReadAt(number, self.commit))

    def check(self) -> None:
        assert self.commit < len(self.log)
        assert all(a.term <= b.term for a, b in zip(self.log, self.log[1:], strict=False))


class Operation(Frozen, frozen=True):
    """A read or write that has come back: at which index, and between which times."""

    kind: str
    began: float
    ended: float
    index: int


class Client(Protocol):
    """Reads or writes, one at a time, through the replica of its own agent, which may forget what it was asked."""

    kind: str
    every_s: float = 0.2
    number: int = 0
    began: float = 0.0
    waiting: str = ""
    history: list[Operation] = field(default_factory=list)

    def on_start(self) -> None:
        self.set_timer("next", self.now + self.every_s)

    def on_timer(self, name: str) -> None:
        if name == "next" or not self.waiting:
            self.number += 1
            self.waiting, self.began = self.kind, self.now
        self.ask()

    def ask(self) -> None:
        self.tell(LOG, Listen())
        own = f"{self.me}-{self.number}"
        self.tell(LOG, Propose(own, own) if self.waiting == "write" else Read(self.number))
        self.set_timer("again", self.now + self.every_s)

    def come_back(self, index: int) -> None:
        self.history.append(Operation(self.waiting, self.began, self.now, index))
        self.waiting = ""
        self.cancel_timer("again")
        self.set_timer("next", self.now + self.every_s)

    @told(Committed)
    def written(self, conversation: str, message: Committed) -> None:
        if self.waiting == "write" and message.id == f"{self.me}-{self.number}":
            self.come_back(message.index)

    @told(ReadAt)
    def was_read(self, conversation: str, message: ReadAt) -> None:
        if self.waiting == "read" and message.number == self.number:
            self.come_back(message.index)

    @told(Leading)
    def note(self, conversation: str, message: Leading) -> None:
        """A client asks whoever leads, again and again, so it need not know."""
