"""A cluster as a value: who takes part and what it replicates; seated in a simulation or a live market by one call."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from consensus.raft.kv import KeyValueStore
from consensus.raft.machine import Data, StateMachine, check_machine
from consensus.raft.replica import DEFAULTS, Replica
from consensus.raft.sessions import Client, Sessions
from consensus.raft.settings import Settings
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.messages import AgentId, ConversationId


class World(Protocol):
    """What a `Simulation` and a `Live` market have in common here."""

    def add(self, agent: Agent) -> None: ...
    def seat(self, agent: AgentId, role: Any, conversation: ConversationId = ...) -> None: ...
    def role(self, conversation: ConversationId, agent: AgentId) -> Any: ...


def _store() -> StateMachine:
    return Sessions(KeyValueStore())


class Cluster(msgspec.Struct, frozen=True):
    """Replicas of one state machine.

    Args:
        members: the agents that carry a replica, in an order that never changes; later ones may be added at the end.
        machine: makes the state machine of each, `Sessions` around it for clients that are to be served exactly once.
        conversation: in which replicas and clients talk.
        voters, learners, settings, batch_s, compact_every: as of `consensus.raft.replica.Replica`.

    Raises:
        ScenarioError: by `seat`, for an empty cluster or an even number of voters, and bad knobs.
    """

    members: tuple[AgentId, ...]
    machine: Callable[[], StateMachine] = _store
    conversation: ConversationId = "raft"
    voters: tuple[AgentId, ...] = ()
    learners: tuple[AgentId, ...] = ()
    settings: Settings = DEFAULTS
    batch_s: float = 0.0
    compact_every: int = 10_000

    def replica(self) -> Replica:
        """The role of any member, as it is before its first life."""
        if not callable(self.machine):
            expected = "what makes a state machine for each replica, such as the class KeyValueStore"
            raise ScenarioError("machine", self.machine, expected)
        machine = self.machine()
        check_machine(machine)
        return Replica(
            members=self.members,
            machine=machine,
            voters=self.voters,
            learners=self.learners,
            settings=self.settings,
            batch_s=self.batch_s,
            compact_every=self.compact_every,
        )

    def seat(self, world: World, add: bool = True) -> None:
        """Seat a replica at every member; with `add`, bring the agents into the world first."""
        self.replica()  # a cluster that makes no sense is refused before anybody is seated
        for name in self.members:
            if add:
                world.add(Agent(name))
            world.seat(name, self.replica(), self.conversation)

    def seat_client(self, world: World, name: AgentId, *operations: Data, **settings: Any) -> None:
        """Bring in a client that carries these operations out, see `consensus.raft.sessions.Client`."""
        world.add(Agent(name))
        world.seat(name, Client(self.members, operations, **settings), self.conversation)

    def replicas(self, world: World) -> dict[AgentId, Replica]:
        """The replicas as they are now, for people and checkers: look, do not touch."""
        return {name: world.role(self.conversation, name) for name in self.members}

    def leader(self, world: World) -> AgentId | None:
        """Who leads, to its own knowledge, in the highest term; None: nobody."""
        leading = [(role.led, name) for name, role in self.replicas(world).items() if role.led]
        return max(leading)[1] if leading else None
