"""What a leader knows about one follower, and how fast it may send to it."""

from collections import deque
from enum import StrEnum

import msgspec

from consensus.raft.records import Configuration, NodeId


class ProgressState(StrEnum):
    """How a leader sends to a follower."""

    PROBE = "StateProbe"
    """One append at a time, to find where the logs agree."""
    REPLICATE = "StateReplicate"
    """Pipelined: `next` moves when something is sent."""
    SNAPSHOT = "StateSnapshot"
    """Nothing, until an answer shows that the follower's log reaches the leader's again."""


class Inflights(msgspec.Struct):
    """The window of appends that were sent and not yet answered: the last index and the bytes of each."""

    max_count: int
    max_bytes: int = 0
    """0: no limit."""
    sent: deque[tuple[int, int]] = msgspec.field(default_factory=deque)
    size: int = 0

    def add(self, index: int, size: int) -> None:
        """One more append, ending with `index`."""
        assert not self.full, "more was sent than the window allows"
        self.sent.append((index, size))
        self.size += size

    def free_up_to(self, index: int) -> None:
        """All appends up to an index have been answered."""
        sent = self.sent
        while sent and sent[0][0] <= index:
            self.size -= sent.popleft()[1]

    def clear(self) -> None:
        """Nothing is on its way any more."""
        self.sent.clear()
        self.size = 0

    @property
    def full(self) -> bool:
        """Whether nothing more may be sent. An append may overshoot the bytes, so that one of any size passes."""
        return len(self.sent) >= self.max_count or (self.max_bytes > 0 and self.size >= self.max_bytes)


class Progress(msgspec.Struct):
    """One follower in the leader's eyes. Always match < next; what lies between is on its way, or was lost."""

    match: int
    """The greatest index known to equal the leader's."""
    next: int
    """The first index to be sent next."""
    inflights: Inflights
    is_learner: bool = False
    state: ProgressState = ProgressState.PROBE
    recent_active: bool = False
    """Whether anything was heard since the last quorum check or change of role."""
    followed_at: int | None = None
    """Our tick when we sent the newest heartbeat that it has answered; with leases only."""
    flow_paused: bool = False
    """Whether appends wait for an answer or a heartbeat's."""
    pending_snapshot: int = 0
    sent_commit: int = 0
    """The commit index last sent; lower again where what carried it may have been lost."""

    @property
    def paused(self) -> bool:
        """Whether appends must wait."""
        return self.flow_paused or self.state is ProgressState.SNAPSHOT

    def _enter(self, state: ProgressState) -> None:
        self.state = state
        self.flow_paused = False
        self.pending_snapshot = 0
        self.inflights.clear()

    def become_probe(self) -> None:
        """Find out where the logs agree; after a snapshot, right behind it if it may have arrived."""
        behind_snapshot = self.pending_snapshot + 1 if self.state is ProgressState.SNAPSHOT else 0
        self._enter(ProgressState.PROBE)
        self.next = max(self.match + 1, behind_snapshot)
        self.sent_commit = min(self.sent_commit, self.next - 1)

    def become_replicate(self) -> None:
        """The logs agree up to `match`: send as fast as the window allows."""
        self._enter(ProgressState.REPLICATE)
        self.next = self.match + 1

    def become_snapshot(self, index: int) -> None:
        """A snapshot is on its way."""
        self._enter(ProgressState.SNAPSHOT)
        self.pending_snapshot = index
        self.next = index + 1
        self.sent_commit = index

    def sent_entries(self, count: int, size: int) -> None:
        """An append left with that many entries and bytes."""
        if self.state is ProgressState.REPLICATE:
            if count:
                self.next += count
                self.inflights.add(self.next - 1, size)
            # Whatever fills the window, or finds it full, is a probe: it pauses until something is heard.
            self.flow_paused = self.inflights.full
        elif count:
            self.flow_paused = True

    def wants_commit(self, commit: int) -> bool:
        """Whether an append would tell the follower of a commit that it can use and was not told of."""
        return self.sent_commit < commit and self.sent_commit < self.next - 1

    def acknowledge(self, index: int) -> bool:
        """The follower has everything up to `index`; whether that is news."""
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, index + 1)
        self.flow_paused = False
        return True

    def reject(self, rejected: int, hint: int) -> bool:
        """The follower refused an append after `rejected`, and proposes `hint`; whether that is news, not an echo."""
        if self.state is ProgressState.REPLICATE:
            if rejected <= self.match:
                return False
            self.next = self.match + 1
        else:
            if self.next - 1 != rejected:
                return False
            self.next = max(min(rejected, hint + 1), self.match + 1)
            self.flow_paused = False
        self.sent_commit = min(self.sent_commit, self.next - 1)
        return True

    def __str__(self) -> str:
        text = f"{self.state} match={self.match} next={self.next}"
        text += " learner" if self.is_learner else ""
        text += " paused" if self.paused else ""
        text += f" pendingSnap={self.pending_snapshot}" if self.pending_snapshot else ""
        text += "" if self.recent_active else " inactive"
        if self.inflights.sent:
            text += f" inflight={len(self.inflights.sent)}" + ("[full]" if self.inflights.full else "")
        return text


class Window(msgspec.Struct, frozen=True):
    """How much may be on its way to one follower."""

    max_count: int = 256
    max_bytes: int = 0
    """0: no limit."""


def tracked(
    config: Configuration, before: dict[NodeId, Progress], last_index: int, window: Window
) -> dict[NodeId, Progress]:
    """A progress for each member, in order of ids: those who stay keep theirs.

    A newcomer starts at the end of the log, so that the first answer tells where it really is, and counts as active,
    so that the next quorum check does not depose the leader for its silence.
    """
    after = {}
    for node in config.members():
        progress = before.get(node)
        if progress is None:
            inflights = Inflights(window.max_count, window.max_bytes)
            progress = Progress(0, max(last_index, 1), inflights, recent_active=True)
        progress.is_learner = node in config.learners
        after[node] = progress
    return after
