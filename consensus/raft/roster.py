"""Members by name: the address book of a cluster, and what a wanted membership takes to get there."""

from collections.abc import Collection, Iterable

from consensus.raft import membership
from consensus.raft.records import NONE, Change, ChangeKind, ConfChange, Configuration, NodeId
from consensus.raft.state import Raft, Role
from walras.errors import ScenarioError
from walras.messages import AgentId, Frozen


class Roster(Frozen, frozen=True):
    """Everybody who is or may become a member, in the same order at all replicas: node ids are places, from 1 on.

    Raises:
        ScenarioError: for a name that is in it twice, or none at all.
    """

    names: tuple[AgentId, ...]

    def __post_init__(self) -> None:
        names: object = self.names
        if isinstance(names, str) or not self.names or len(dict.fromkeys(self.names)) < len(self.names):
            raise ScenarioError("members", self.names, "at least one replica, and each of them once")

    def id_of(self, name: AgentId) -> NodeId:
        """The node id of a name; raises `ScenarioError`."""
        if name not in self.names:
            raise ScenarioError("member", name, f"one of {', '.join(self.names)}")
        return self.names.index(name) + 1

    def name_of(self, node: NodeId) -> AgentId:
        """The name of a node; empty for nobody."""
        return self.names[node - 1] if 0 < node <= len(self.names) else ""

    def configuration(self, voters: Iterable[AgentId], learners: Iterable[AgentId] = ()) -> Configuration:
        """A membership by names; raises `ScenarioError` where it would be a bad one.

        An even number of voters survives no more failures than one voter less, and commits more slowly.
        """
        voting = tuple(sorted(dict.fromkeys(map(self.id_of, voters))))
        learning = tuple(sorted(dict.fromkeys(map(self.id_of, learners))))
        if len(voting) % 2 == 0:
            named = tuple(map(self.name_of, voting))
            raise ScenarioError("voters", named, "an odd number of replicas: 1, 3, 5 ...")
        if both := [self.name_of(node) for node in learning if node in voting]:
            raise ScenarioError("learners", tuple(both), "replicas that are not voters, too")
        return Configuration(voters=voting, learners=learning)


def change_to(now: Configuration, wanted: Configuration) -> ConfChange:
    """The change from one membership to another, neither of them joint; without changes if they are the same."""
    changes = [Change(ChangeKind.VOTER, node) for node in wanted.voters if node not in now.voters]
    changes += [Change(ChangeKind.LEARNER, node) for node in wanted.learners if node not in now.learners]
    kept = wanted.members()
    changes += [Change(ChangeKind.REMOVE, node) for node in now.members() if node not in kept]
    return ConfChange(tuple(changes))


def why_not(raft: Raft, roster: Roster, wanted: Configuration, up: Collection[NodeId]) -> str:
    """Why a node cannot lead into a membership now, given who is known to be up; empty if it can."""
    if raft.role is not Role.LEADER:
        return "not the leader"
    if raft.transferee != NONE:
        return "the leadership is being handed over"
    change = change_to(raft.configuration, wanted)
    if not change.changes:
        return "these are the members already"
    voting = [roster.name_of(node) for node in wanted.voters if node in up]
    if 2 * len(voting) <= len(wanted.voters):
        named = ", ".join(voting) or "nobody"
        return f"it would lose its quorum: only {named} is up; add newcomers as learners first"
    return membership.why_not(raft, change)
