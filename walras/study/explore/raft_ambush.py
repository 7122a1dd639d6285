"""Ambushes: whoever was just elected, or has just begun to change the membership, is cut off in that very moment.

Most of what can go wrong in Raft does so between a decision and its first message. Faults that are drawn beforehand seldom
come in these moments; an ambush waits for them.
"""

from consensus.raft.checkers import Invariants
from consensus.raft.replica import Replica
from consensus.raft.state import Role
from walras.messages import AgentId
from walras.randomness import stream
from walras.simulation.swarm import log_uniform

LATER_S = 1.0
SPAN_S = (0.2, 2.0)


class Ambushes:
    """Those of one world; before everything heals, replicas on two sides of one do not hear each other.

    Args:
        seed: of the world.
        names: the replicas.
        elected: the chance that a new leader is cut off, at once or a little later.
        changing: the chance that a leader is cut off from the old members, together with the new ones, when its
            configuration becomes joint.
        heal_s: when everything heals.
    """

    def __init__(
        self, seed: int, names: tuple[AgentId, ...], elected: float, changing: float, heal_s: float
    ) -> None:
        self.names, self.elected, self.changing, self.heal_s = names, elected, changing, heal_s
        self.rng = stream(seed, "explore", "ambush")
        self.seen = (0, 0)
        self.sides: list[tuple[float, float, tuple[AgentId, ...]]] = []
        """From when and until when which replicas are cut off from the others."""
        self.sprung = 0

    def watch(self, invariants: Invariants, replica: Replica, now: float) -> None:
        """A replica was looked at: perhaps its moment has come."""
        sightings = invariants.sightings
        seen, before = (sightings["election won"], sightings["joint configuration"]), self.seen
        raft = replica.node.raft
        if seen == before:
            return
        self.seen = seen
        if now >= self.heal_s or raft.role is not Role.LEADER:
            return
        if seen[0] != before[0]:
            if self.rng.random() < self.elected:
                others = [name for name in self.names if name != replica.me]
                company = self.rng.sample(others, self.rng.randrange(len(self.names) // 2))
                self.spring(
                    (replica.me, *company), now + self.rng.choice((0.0, self.rng.uniform(0.0, LATER_S)))
                )
        elif self.rng.random() < self.changing:
            self.spring((replica.me, *(self.names[node - 1] for node in raft.configuration.voters)), now)

    def spring(self, side: tuple[AgentId, ...], start: float) -> None:
        """Cut off these replicas for a while."""
        until = min(start + log_uniform(self.rng, SPAN_S), self.heal_s)
        self.sides = [one for one in self.sides if one[1] > start]
        self.sides.append((start, until, side))
        self.sprung += 1

    def between(self, sender: AgentId, to: AgentId, now: float) -> bool:
        """Whether what one replica has sent does not reach another."""
        return any(
            start <= now < until and (sender in side) != (to in side) for start, until, side in self.sides
        )
