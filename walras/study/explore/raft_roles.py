"""Who works a Raft cluster in an exploration: clients whose history is checked, and an administrator without mercy."""

from typing import Any, ClassVar

from consensus.linearizability import Recorder
from consensus.raft.kv import Append, Get, Put
from consensus.raft.machine import Data
from consensus.raft.service import Query, Reconfigure, Redirect, Reply, Submit, TransferLeader
from consensus.raft.sessions import InSession, OpenSession
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on

PATIENCE_S = 0.3
"""After this time without an answer a client usually asks another replica."""
NOISE = "noise"
"""A key that no client uses."""
OPENING = 0
"""The number under which a session is asked for."""
GIVE_UP_S = 1.8
"""After so long without an answer nobody knows what became of it, and the client goes on under another name."""


class Client(Protocol):
    """Puts, appends and gets, one after the other, and writes down what came back.

    A command goes through a session, so asking again is safe, also after an answer was lost.
    """

    recovery: ClassVar[str] = "records"  # it never crashes: nothing needs to be journaled

    replicas: tuple[AgentId, ...]
    history: Recorder
    keys: int
    reads: float
    """The share of operations that read."""
    think_s: float
    patience_s: float
    until_s: float
    healed_s: float
    number: int = 0
    name: str = ""
    wanted: Data | None = None
    """What waits for an answer."""
    session: int = 0
    tries: int = 0
    leader: AgentId = ""
    home: AgentId = ""
    done: int = 0
    """Operations that were called after everything healed, and have returned."""
    called_s: float = 0.0

    @property
    def enough(self) -> int:
        """So many times a request is sent before the client gives up."""
        return round(GIVE_UP_S / self.patience_s)

    def on_start(self) -> None:
        self.name, self.home = self.me, self.rng.choice(self.replicas)
        self.think()

    def think(self) -> None:
        self.wanted = None
        if self.now < self.until_s or not self.done:
            self.set_timer("next", self.now + self.rng.expovariate(1.0 / self.think_s))

    def on_timer(self, name: Any) -> None:
        if name == "next":
            self.begin()
        elif name == "again":
            self.ask()
        elif self.tries < self.enough or self.now > self.healed_s:
            self.leader = ""
            self.ask()
        else:
            self.give_up()

    def begin(self) -> None:
        self.number += 1
        self.tries, self.called_s = 0, self.now
        key, draw = f"k{self.rng.randrange(self.keys)}", self.rng.random()
        value = f"{self.me}.{self.number} "
        question: Data
        if draw < self.reads:
            f, argument, question = "get", None, Get(key)
        elif draw < (1.0 + self.reads) / 2:
            f, argument, question = "put", value, Put(key, value)
        else:
            f, argument, question = "append", value, Append(key, value)
        self.wanted = question
        self.history.invoke(self.name, f, argument, key=key)
        self.ask()

    def ask(self) -> None:
        """Of whom is taken to lead, else of anybody; most reads stay at one place, whoever leads."""
        wanted = self.wanted
        assert wanted is not None
        self.tries += 1
        to = self.leader or self.rng.choice(self.replicas)
        if isinstance(wanted, Get) and self.tries == 1 and self.rng.random() < 0.7:
            to = self.home
        self.send(to, self.request(wanted))
        self.set_timer("patience", self.now + self.patience_s)

    def request(self, wanted: Data) -> Message:
        """A read as it is; a command within a session, which is opened first."""
        if isinstance(wanted, Get):
            return Query(self.number, wanted)
        if not self.session:
            return Submit(OPENING, OpenSession())
        return Submit(self.number, InSession(session=self.session, sequence=self.number, command=wanted))

    def give_up(self) -> None:
        self.cancel_timer("patience")
        self.cancel_timer("again")
        self.history.info(self.name)
        self.name = f"{self.me}/{self.number}"
        self.think()

    @on(Reply)
    def hear(self, sender: AgentId, message: Reply) -> None:
        if self.wanted is None:
            return
        if message.number == OPENING and not self.session:
            assert isinstance(message.result, int)
            self.session, self.leader = message.result, sender
            self.tries -= 1
            self.ask()
        elif message.number == self.number:
            if not isinstance(self.wanted, Get):
                self.leader = sender
            self.cancel_timer("patience")
            self.cancel_timer("again")
            self.history.ok(self.name, message.result)
            self.done += self.called_s >= self.healed_s
            self.think()

    @on(Redirect)
    def ask_elsewhere(self, sender: AgentId, message: Redirect) -> None:
        if self.wanted is None or message.number not in (self.number, OPENING):
            return
        self.leader = message.leader
        if self.tries < self.enough or self.now > self.healed_s:
            self.set_timer("again", self.now + (0.01 if self.leader else 0.2))


class Administrator(Protocol):
    """Changes the membership and moves the leadership around, at any time, until everything heals."""

    recovery: ClassVar[str] = "records"

    replicas: tuple[AgentId, ...]
    reconfigure_s: float
    """Mean time between changes of membership; 0: none."""
    transfer_s: float
    noise_s: float
    """Commands that nobody waits for, to all replicas at once: also to a leader that was deposed and does not know."""
    until_s: float
    number: int = 0
    noise: int = 0
    voters: tuple[AgentId, ...] = ()
    leader: AgentId = ""

    def on_start(self) -> None:
        for name in ("reconfigure", "transfer", "noise"):
            self.plan(name)

    def plan(self, name: str) -> None:
        mean = {"reconfigure": self.reconfigure_s, "transfer": self.transfer_s, "noise": self.noise_s}[name]
        if mean:
            at = self.now + self.rng.expovariate(1.0 / mean)
            if at < self.until_s:
                self.set_timer(name, at)

    def on_timer(self, name: Any) -> None:
        somebody = self.rng.choice(self.replicas)
        if name == "transfer":
            self.send(somebody, TransferLeader(self.rng.choice(self.replicas)))
        elif name == "noise":
            self.noise += 1
            self.broadcast(self.replicas, Submit(-self.noise, Append(NOISE, f"{self.noise} ")))
        else:
            self.number += 1
            self.broadcast(self.replicas, self.drawn())  # whoever leads, or believes so, acts on it
        self.plan(name)

    def drawn(self) -> Reconfigure:
        """An odd number of voters, also one alone among three; each of the others is a learner or out of it.

        Often the leader stays, and with it come those who were not asked for the last time: nobody else is an old and
        a new member then.
        """
        least = 1 if len(self.replicas) == 3 else 3
        count = self.rng.randrange(least, len(self.replicas) + 1, 2)
        order = self.rng.sample(self.replicas, len(self.replicas))
        if self.rng.random() < 0.5:
            order.sort(key=lambda name: (name != self.leader, name in self.voters))
        self.voters = tuple(order[:count])
        learners = [name for name in order[count:] if self.rng.random() < 0.7]
        return Reconfigure(self.number, self.voters, tuple(learners))

    @on(Redirect)
    def hear(self, sender: AgentId, message: Redirect) -> None:
        self.leader = message.leader or self.leader

    @on(Reply)
    def hear_of_success(self, sender: AgentId, message: Reply) -> None:
        self.leader = sender
