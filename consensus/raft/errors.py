"""What can go wrong, and whose fault it is."""

from walras.errors import LocalProtocolError, RemoteProtocolError, WalrasError


class ProposalDroppedError(LocalProtocolError):
    """A proposal was not taken: no leader is known, leadership is being handed over, or too much is uncommitted.

    Nothing was recorded; proposing again later is safe.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return "raft proposal dropped"


class ConfChangeError(LocalProtocolError):
    """A membership change that cannot be made from the present configuration, which stays as it was."""


class PeerNotFoundError(RemoteProtocolError):
    """An answer from a node that is not a member."""

    def __str__(self) -> str:
        return "raft: cannot step as peer not found"


class LocalMessageError(RemoteProtocolError):
    """A message that only a node itself may send to itself came from another."""

    def __str__(self) -> str:
        return "raft: cannot step raft local message"


class CommandRefusedError(RemoteProtocolError):
    """A state machine does not know a command or a question, or will not take it, and has changed nothing."""


class CompactedError(WalrasError):
    """The entries asked for are gone into a snapshot."""


class UnavailableError(WalrasError):
    """The entries asked for lie behind the end of the log."""


class SnapshotUnavailableError(WalrasError):
    """A storage has no snapshot at hand yet; the leader asks again later."""


class SnapshotOutOfDateError(WalrasError):
    """A storage was given a snapshot older than the one that it has."""


class CorruptStorageError(WalrasError):
    """What a storage holds cannot be what a replica wrote: nothing is done with it."""
