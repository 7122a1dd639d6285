"""How a node is, for people."""

import msgspec

from consensus.raft.progress import Progress
from consensus.raft.records import Configuration, HardState, NodeId
from consensus.raft.state import Raft, Role


class Status(msgspec.Struct, frozen=True):
    """A copy of what matters; `str` of it is a few lines to read."""

    id: NodeId
    role: Role
    lead: NodeId
    hard_state: HardState
    applied: int
    first_index: int
    last_index: int
    configuration: Configuration
    transferee: NodeId
    progress: dict[NodeId, Progress]
    """By member, in order of ids; empty unless this node leads."""

    def __str__(self) -> str:
        hard = self.hard_state
        lines = [
            f"{self.id}: {self.role.value} term={hard.term} vote={hard.vote} lead={self.lead}",
            f"log {self.first_index}..{self.last_index} commit={hard.commit} applied={self.applied}",
            str(self.configuration),
        ]
        if self.transferee:
            lines.append(f"handing over to {self.transferee}")
        lines += [f"{node}: {progress}" for node, progress in self.progress.items()]
        return "\n".join(lines)


def status_of(raft: Raft) -> Status:
    """How a node is now."""
    leads = raft.role is Role.LEADER
    return Status(
        id=raft.id,
        role=raft.role,
        lead=raft.lead,
        hard_state=raft.hard_state(),
        applied=raft.log.applied,
        first_index=raft.log.first_index(),
        last_index=raft.log.last_index(),
        configuration=raft.configuration,
        transferee=raft.transferee,
        progress={node: _copy(progress) for node, progress in raft.progress.items()} if leads else {},
    )


def _copy(progress: Progress) -> Progress:
    copied = msgspec.structs.replace(progress)
    copied.inflights = msgspec.structs.replace(progress.inflights, sent=progress.inflights.sent.copy())
    return copied
