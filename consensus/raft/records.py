"""What a replica writes down: log entries, the hard state, snapshots, and the membership that they carry."""

from enum import StrEnum

import msgspec

from walras.messages import Frozen

NodeId = int
"""Names a member. Positive; whoever speaks for agents keeps a table of their names."""

NONE: NodeId = 0
"""Nobody: no vote, no leader, no transferee."""


class Command(Frozen, frozen=True, tag=True):
    """A structured command for the state machine. Raft never looks into it; a `str` does as well.

    Signatures inside a command are not verified on the way between replicas (they trust each other); whoever takes
    a command in verifies them once.
    """


class ChangeKind(StrEnum):
    """What happens to one member."""

    VOTER = "v"
    LEARNER = "l"
    REMOVE = "r"
    UPDATE = "u"
    """Nothing changes in Raft; something that the application keeps about the member does."""


class Transition(StrEnum):
    """How a configuration is entered and left."""

    AUTO = "auto"
    """One change: at once, without a joint configuration; several: as IMPLICIT."""
    IMPLICIT = "implicit"
    """Through a joint configuration, which the leader leaves by itself."""
    EXPLICIT = "explicit"
    """Through a joint configuration, which an empty change leaves."""


class Change(Frozen, frozen=True):
    """One member's change."""

    kind: ChangeKind
    node: NodeId


class ConfChange(Command, frozen=True):
    """A membership change; an empty one leaves a joint configuration."""

    changes: tuple[Change, ...] = ()
    transition: Transition = Transition.AUTO
    context: str = ""
    """For the application; Raft does not look into it."""

    @property
    def leaves_joint(self) -> bool:
        """Whether this is the request to leave the joint configuration."""
        return not self.changes and self.transition is Transition.AUTO

    @property
    def enters_joint(self) -> bool:
        """Whether this needs a joint configuration."""
        return self.transition is not Transition.AUTO or len(self.changes) > 1

    @property
    def leaves_by_itself(self) -> bool:
        """Whether the joint configuration that this enters is left without being asked."""
        return self.transition is not Transition.EXPLICIT


class Configuration(Frozen, frozen=True):
    """Who takes part; every tuple is sorted. Joint if `outgoing` is not empty: then both majorities must agree."""

    voters: tuple[NodeId, ...] = ()
    outgoing: tuple[NodeId, ...] = ()
    """The voters of the configuration that is being left."""
    learners: tuple[NodeId, ...] = ()
    learners_next: tuple[NodeId, ...] = ()
    """Voters of `outgoing` who become learners once the joint configuration is left."""
    auto_leave: bool = False

    @property
    def joint(self) -> bool:
        """Whether two majorities must agree."""
        return bool(self.outgoing)

    def members(self) -> tuple[NodeId, ...]:
        """Everybody to whom the log is sent, sorted."""
        return tuple(sorted({*self.voters, *self.outgoing, *self.learners}))

    def electors(self) -> tuple[NodeId, ...]:
        """Everybody who votes, in either half, sorted."""
        return tuple(sorted({*self.voters, *self.outgoing})) if self.outgoing else self.voters

    def __str__(self) -> str:
        def ids(nodes: tuple[NodeId, ...]) -> str:
            return f"({' '.join(map(str, nodes))})"

        text = f"voters={ids(self.voters)}"
        if self.outgoing:
            text += f"&&{ids(self.outgoing)}"
        if self.learners:
            text += f" learners={ids(self.learners)}"
        if self.learners_next:
            text += f" learners_next={ids(self.learners_next)}"
        return text + (" autoleave" if self.auto_leave else "")


class EntryKind(StrEnum):
    """What an entry's data is."""

    NORMAL = "EntryNormal"
    CONF_CHANGE = "EntryConfChange"
    """A `ConfChange` with exactly one change, in the older of etcd's two forms."""
    CONF_CHANGE_V2 = "EntryConfChangeV2"


class Entry(Frozen, frozen=True):
    """One place of the log. A leader's first entry of a term and a refused membership change are empty."""

    term: int = 0
    index: int = 0
    data: str | Command = ""
    kind: EntryKind = EntryKind.NORMAL


class HardState(Frozen, frozen=True):
    """What must survive a crash besides the log: one record, written in one piece or not at all.

    Term and vote in two writes lead to two votes in one term after a crash between them.
    """

    term: int = 0
    vote: NodeId = NONE
    commit: int = 0


class Snapshot(Frozen, frozen=True):
    """The state machine after the entry at `index`, of `term`, with the membership that holds there."""

    index: int = 0
    term: int = 0
    configuration: Configuration = Configuration()
    data: str | Command = ""


_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode

ENTRY_BYTES = 16
"""What an entry is taken to weigh besides its data."""


def payload_size(entry: Entry) -> int:
    """Bytes of an entry's data; an empty membership change weighs nothing, so that no limit keeps it out."""
    data = entry.data
    if isinstance(data, str):
        return len(data) if data.isascii() else len(data.encode())
    return 0 if data == ConfChange() else len(_encode(data))


def payload_sizes(entries: tuple[Entry, ...]) -> int:
    """Bytes of all data of some entries."""
    return sum(map(payload_size, entries))


def entries_size(entries: tuple[Entry, ...]) -> int:
    """Bytes of some entries, with what frames them."""
    return ENTRY_BYTES * len(entries) + payload_sizes(entries)


def within(entries: tuple[Entry, ...], max_size: int) -> tuple[Entry, ...]:
    """The longest prefix of at most `max_size` bytes; at least one entry passes, or nothing ever would."""
    if len(entries) < 2:
        return entries
    size = 0
    for count, entry in enumerate(entries):
        size += ENTRY_BYTES + payload_size(entry)
        if size > max_size and count:
            return entries[:count]
    return entries
