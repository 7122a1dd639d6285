"""Sketch 5: PBFT's normal case (Castro and Liskov 1999), one view; what others said is quoted, and proves itself.

Client        primary                others
  | Request ---> | PrePrepare -------> |
  |              | <------ Prepare --> |   2f of them and the PrePrepare: prepared
  |              | <------- Commit --> |   2f + 1 of them: committed, executed in order
  | <------------------------- Reply   |   f + 1 equal ones
"""

from hashlib import sha256
from typing import Any, ClassVar

from msgspec import field

from walras.messages import Frozen, Message, Signed
from walras.protocol import Protocol, on
from walras.tally import Tally


class Request(Message, frozen=True):
    client: str
    number: int
    what: str


class PrePrepare(Frozen, frozen=True, tag=True):
    n: int
    request: Request


class Prepare(Frozen, frozen=True, tag=True):
    n: int
    digest: str


class Commit(Frozen, frozen=True, tag=True):
    n: int
    digest: str


class Said(Message, frozen=True):
    """Somebody's words, under their signature."""

    quote: Signed[PrePrepare | Prepare | Commit]


class Certificate(Frozen, frozen=True, tag=True):
    """Proves by itself that a request was prepared, whoever brings it."""

    pre_prepare: Signed[PrePrepare]
    prepares: tuple[Signed[Prepare], ...]


class WhatAbout(Message, frozen=True):
    n: int


class Proof(Message, frozen=True):
    certificate: Certificate


class Reply(Message, frozen=True):
    number: int
    result: str


def digest(request: Request) -> str:
    return sha256(repr(request).encode()).hexdigest()[:16]


class Replica(Protocol):
    """One of 3f + 1; the first of them is the primary, and stays it."""

    recovery: ClassVar[str] = "records"

    everybody: tuple[str, ...]
    f: int = 1
    last: int = 0
    ordered: dict[tuple[str, int], int] = field(default_factory=dict)
    accepted: dict[int, Signed[Any]] = field(default_factory=dict)
    votes: dict[tuple[str, int, str], dict[str, Signed[Any]]] = field(default_factory=dict)
    certificates: dict[int, Certificate] = field(default_factory=dict)
    committed: dict[int, Request] = field(default_factory=dict)
    done: list[Request] = field(default_factory=list)

    @property
    def primary(self) -> str:
        return self.everybody[0]

    def on_recover(self, records: tuple[Any, ...]) -> None:
        for record in records:
            if isinstance(record, Certificate):
                self.certificates[record.pre_prepare.body.n] = record
            else:
                self.accepted[record.body.n] = record
                request = record.body.request
                self.ordered[request.client, request.number] = record.body.n
        self.last = max(self.accepted, default=0)
        for n in self.accepted:
            self.send_all(WhatAbout(n))

    def say(self, body: PrePrepare | Prepare | Commit) -> None:
        self.send_all(Said(self.sign(body)))

    def send_all(self, message: Message) -> None:
        self.broadcast(self.everybody, message)

    @on(Request)
    def order(self, sender: str, message: Request) -> None:
        if sender != message.client:
            self.ignore(message, "not its own")
            return
        key = (message.client, message.number)
        if message in self.done:
            self.send(sender, Reply(message.number, f"did {message.what}"))
            return
        if key in self.ordered or self.me != self.primary:  # asked again: something was lost on the way
            self.catch_up()
            return
        self.last += 1
        self.ordered[key] = self.last
        self.say(PrePrepare(self.last, message))

    def catch_up(self) -> None:
        for n in range(len(self.done) + 1, max((*self.accepted, self.last)) + 1):
            self.send_all(WhatAbout(n))
        for n in sorted(self.accepted.keys() - self.committed.keys()):
            self.send_all(Said(self.accepted[n]))

    @on(Said)
    def hear(self, sender: str, message: Said) -> None:
        quote: Signed[Any] = message.quote
        body = quote.body
        if isinstance(body, PrePrepare):
            self.accept(quote)
        elif quote.by in self.everybody:
            self.votes.setdefault((type(body).__name__, body.n, body.digest), {}).setdefault(quote.by, quote)
            self.advance(body.n)

    def accept(self, quote: Signed[PrePrepare]) -> None:
        n = quote.body.n
        if quote.by != self.primary or n in self.accepted:
            self.ignore(quote, "not acceptable, or a double")
            return
        self.accepted[n] = quote
        self.persist(quote)
        if self.me != self.primary:
            self.say(Prepare(n, digest(quote.body.request)))
        self.advance(n)

    def advance(self, n: int) -> None:
        """Two conditions meet here, in any order: the PrePrepare, and the votes for it."""
        pre = self.accepted.get(n)
        if pre is None:
            return
        d = digest(pre.body.request)
        prepares, commits = (self.votes.get((kind, n, d), {}) for kind in ("Prepare", "Commit"))
        backed = tuple(quote for by, quote in prepares.items() if by != pre.by)
        if len(backed) >= 2 * self.f and n not in self.certificates:
            self.certificates[n] = Certificate(pre, backed)
            self.persist(self.certificates[n])
            self.say(Commit(n, d))
        if len(commits) >= 2 * self.f + 1:
            self.committed.setdefault(n, pre.body.request)
            self.execute()

    def execute(self) -> None:
        while len(self.done) + 1 in self.committed:
            request = self.committed[len(self.done) + 1]
            self.done.append(request)
            self.send(request.client, Reply(request.number, f"did {request.what}"))

    @on(WhatAbout)
    def show(self, sender: str, message: WhatAbout) -> None:
        certificate = self.certificates.get(message.n)
        if certificate is not None:
            self.send(sender, Proof(certificate))
            self.send(
                sender, Said(self.sign(Commit(message.n, digest(certificate.pre_prepare.body.request))))
            )
        elif message.n in self.accepted:
            self.send(sender, Said(self.accepted[message.n]))
            if self.me != self.primary:
                self.send(
                    sender, Said(self.sign(Prepare(message.n, digest(self.accepted[message.n].body.request))))
                )

    @on(Proof)
    def believe(self, sender: str, message: Proof) -> None:
        certificate = message.certificate
        n, d = certificate.pre_prepare.body.n, digest(certificate.pre_prepare.body.request)
        backing = {q.by for q in certificate.prepares if q.body == Prepare(n, d)} - {
            certificate.pre_prepare.by
        }
        if certificate.pre_prepare.by != self.primary or len(backing) < 2 * self.f:
            self.ignore(message, "proves nothing")
            return
        if n not in self.accepted:
            self.accept(certificate.pre_prepare)
        for quote in certificate.prepares:
            self.votes.setdefault(("Prepare", n, d), {}).setdefault(quote.by, quote)
        self.advance(n)


class Client(Protocol):
    """Sends its requests one by one, again and again until f + 1 replicas have given the same answer."""

    everybody: tuple[str, ...]
    wishes: tuple[str, ...]
    f: int = 1
    number: int = 0
    answers: dict[str, Tally[bool]] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)

    def on_start(self) -> None:
        self.ask()

    def ask(self) -> None:
        if self.number < len(self.wishes):
            self.broadcast(self.everybody, Request(self.me, self.number, self.wishes[self.number]))
            self.set_timer("again", self.now + 1.0)

    def on_timer(self, name: str) -> None:
        self.ask()

    @on(Reply)
    def count(self, sender: str, message: Reply) -> None:
        if message.number == self.number and self.answers.setdefault(
            message.result, Tally(needed=self.f + 1)
        ).add(sender, True):
            self.results.append(message.result)
            self.number, self.answers = self.number + 1, {}
            self.ask()


class TwoTongued(Replica):
    """A primary that tells everybody something else, and backs it with words that others never said."""

    @on(Request)
    def order(self, sender: str, message: Request) -> None:
        self.last += 1
        others = [name for name in self.everybody if name != self.me]
        for k, peer in enumerate(others):
            request = Request(message.client, message.number, f"{message.what} {k}")
            self.send(peer, Said(self.sign(PrePrepare(self.last, request))))
            for other in self.everybody:
                for body in (Prepare(self.last, digest(request)), Commit(self.last, digest(request))):
                    forged: Signed[Any] = Signed(other, body, self.sign(body).proof)
                    said = self.sign(body) if other == self.me else forged
                    self.send(peer, Said(said))

    @on(Said, WhatAbout, Proof)
    def smile(self, sender: str, message: Message) -> None:
        """It has said what it had to say."""
