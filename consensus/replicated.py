"""Any deterministic opener, a Contract Net manager or an auctioneer, made fault-tolerant by replicating its inputs."""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec.structs import replace

from consensus.clerk import Clerk
from consensus.copies import Copy
from consensus.correspondent import Correspondent
from consensus.inputs import FromOpener, Heard, Passed, ToOpener
from consensus.raft.replica import DEFAULTS, Replica
from walras.agents import Agent
from walras.amounts import check_seconds, is_amount
from walras.errors import ScenarioError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Envelope, Message
from walras.protocol import Protocol
from walras.questions import Question


class Founder(Replica):
    """A replica that does not wait for an election timeout when its cluster begins: it has been named to lead."""

    def on_start(self) -> None:
        super().on_start()
        self.node.campaign()
        self.work()


class RaftLog(Mechanism, frozen=True, kw_only=True):
    """The log of a replicated role, kept by Raft.

    Args:
        heartbeat_s: between two heartbeats of a leader, seconds.
        election_s: how long a follower waits for a leader before it asks for votes, at least, seconds; twice that at most.
        batch_s: how long inputs are gathered before they enter the log together, seconds; 0: not at all.
    """

    heartbeat_s: float = 0.1
    election_s: float = 1.0
    batch_s: float = 0.0

    protocol: ClassVar[str] = "x-raft-log"

    def __post_init__(self) -> None:
        for name in ("heartbeat_s", "election_s"):
            if not is_amount(getattr(self, name)) or getattr(self, name) < 0.001:
                raise ScenarioError(name, getattr(self, name), "a finite number of seconds, 0.001 or more")
        check_seconds(self, "batch_s", zero=True)
        if not self.heartbeat_s < self.election_s:
            raise ScenarioError("election_s", self.election_s, f"more than heartbeat_s ({self.heartbeat_s})")

    def replica(self, me: AgentId, members: tuple[AgentId, ...]) -> Protocol:
        """The role that keeps the log on one machine; it speaks the local tells of `consensus.raft.service`."""
        knobs = replace(
            DEFAULTS,
            heartbeat_tick=round(self.heartbeat_s * 1000),
            election_tick=round(self.election_s * 1000),
        )
        role = Founder if me == members[0] else Replica
        return role(members, settings=knobs, batch_s=self.batch_s)


class Replicated(Mechanism, frozen=True):
    """A mechanism whose opener survives its machines: copies of its role on several of them replicate its inputs.

    What the mechanism is does not matter, as long as its opener is a deterministic role that does no work of its own.
    Its participants are the same as ever. They, the ledger and the result see one opener: its name, account, dice and
    children; which machine speaks for it may change at any moment. With a majority of the machines up, a crash loses
    nothing and doubles nothing. Deadlines go on meanwhile, so a fail-over may change who wins.

    Args:
        mechanism: the rules.
        replicas: the machines, an odd number; agents of these names are added to a world that does not have them. None
            of them may take part. The first one is the first to lead.
        again_s: after how many seconds something that is not known to be in the log is said again.
        log: who keeps the log.

    Raises:
        ScenarioError: for settings that make no sense; it names the field.

    References:
        F. B. Schneider, Implementing fault-tolerant services using the state machine approach: a tutorial, ACM Computing
        Surveys 22(4), 1990. D. Ongaro and J. Ousterhout, In search of an understandable consensus algorithm, 2014.

    Examples:
        >>> from contractnet import ContractNet
        >>> Replicated(ContractNet(), replicas=("r1", "r2", "r3")).log_id
        'replicas/r1+r2+r3/log'
    """

    mechanism: Mechanism
    replicas: tuple[AgentId, ...] = ("replica-1", "replica-2", "replica-3")
    again_s: float = 1.0
    log: RaftLog = RaftLog()

    protocol: ClassVar[str] = "x-replicated"
    messages: ClassVar[tuple[type[Message], ...]] = (FromOpener, ToOpener, Heard, Passed)

    def __post_init__(self) -> None:
        inside: object = self.mechanism
        if not isinstance(inside, Mechanism) or isinstance(inside, Replicated):
            raise ScenarioError("mechanism", inside, "a Mechanism that is not replicated yet")
        names: object = self.replicas
        if not isinstance(names, tuple) or len(set(names)) < len(names) or len(names) % 2 == 0:
            raise ScenarioError(
                "replicas", names, "an odd number of names, each once: one more does not help"
            )
        log: object = self.log
        if not isinstance(log, RaftLog):
            raise ScenarioError("log", log, "a RaftLog, such as RaftLog(election_s=2.0)")
        check_seconds(self, "again_s")

    # ------------------------------------------------------------------ machines
    @property
    def log_id(self) -> ConversationId:
        """Where the replicas of the log talk; everything that these machines replicate shares it."""
        return f"replicas/{'+'.join(self.replicas)}/log"

    @property
    def clerk(self) -> ConversationId:
        """Where the clerks are."""
        return f"replicas/{'+'.join(self.replicas)}/clerk"

    def deputies(self) -> tuple[AgentId, ...]:
        """The replicas."""
        return self.replicas

    def services(self) -> Iterable[tuple[AgentId, ConversationId, Protocol]]:
        """The log, and a clerk, on every machine."""
        for me in self.replicas:
            yield me, self.log_id, self.log.replica(me, self.replicas)
            yield me, self.clerk, Clerk(self.log_id)

    def around(self, mechanism: Mechanism) -> "Replicated":
        """The same machines for another mechanism, such as that of a child."""
        return mechanism if isinstance(mechanism, Replicated) else replace(self, mechanism=mechanism)

    # ------------------------------------------------------------------ roles
    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        """A copy of the mechanism's opener."""
        both = [agent for agent in participants if agent in self.replicas]
        if both:
            raise ScenarioError("replicas", self.replicas, f"none that takes part, as {both[0]} does")
        return Copy(self, me, self.mechanism.opener(me, items, participants))

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        """The mechanism's newcomer, who deals with whichever copy speaks."""
        if me in self.replicas or invitation is None:
            return None
        if not isinstance(invitation.message, FromOpener) or invitation.sender not in self.replicas:
            return None
        opener = invitation.conversation.rsplit("/", 2)[-2]
        inner = self.mechanism.join(
            me, replace(invitation, sender=opener, message=invitation.message.message)
        )
        return Correspondent(self, opener, inner, invitation.sender) if inner is not None else None

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """As the mechanism has it."""
        return self.mechanism.default_strategy(question, agent)
