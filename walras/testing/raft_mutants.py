"""Single-line bugs of Raft, from the literature and from the histories of its implementations, for the explorer to find.

Each is a patch of one function, and each must be found: an explorer, or an invariant, that finds nothing proves nothing.
Two bugs that are famous elsewhere are missing: a follower that acknowledges, or commits up to, the end of its own log
instead of the last entry that it was sent. Here nothing can tell them from what is right. A leader's first append ends in its
own term, and a refusal's hint takes it back to where the logs part and no further; so whatever follows an append that a
follower accepts was written by the same leader, or conflicts with it and is cut off.
``python -m walras.testing.hunting`` makes the table in ``docs/exploration.md``.

References:
    D. Ongaro, Consensus: Bridging Theory and Practice, 2014, section 3.6 (what each rule is for) and chapter 4.
    hashicorp/raft issue 661 (term and vote in two writes).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from msgspec.structs import replace

from consensus.raft import (
    elections,
    follower,
    leader,
    log,
    membership,
    quorum,
    reads,
    replication,
    state,
    stepping,
)
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.ready import Ready
from consensus.raft.records import Entry, Snapshot
from consensus.raft.replica import Replica
from consensus.raft.sessions import InSession, Sessions
from consensus.raft.settings import ReadOnly, Settings
from consensus.raft.state import Raft
from consensus.raft.written import Stored, Written
from walras.study.explore.raft import Load
from walras.testing.patching import Bug, Patch, installed

MUTANTS: dict[str, Bug] = {}
"""By name."""


def mutant(install: Bug) -> Bug:
    """Enter a mutant under its own name."""
    MUTANTS[install.__name__] = install
    return install


def mutated(name: str) -> AbstractContextManager[None]:
    """Break Raft in this one way, inside the block."""
    return installed(MUTANTS[name])


def _handles(patch: Patch, kind: Kind, handler: Callable[[Raft, RaftMessage], None]) -> None:
    """Another handler for a kind of message, in every role that has one."""
    for table in stepping._HANDLERS.values():
        if kind in table:
            patch(table, kind, handler)


# ------------------------------------------------------------------ votes and terms


@mutant
def vote_not_recorded(patch: Patch) -> None:
    """A vote is granted and not noted: the next candidate of that term gets it, too."""

    def forgetful(raft: Raft, m: RaftMessage) -> None:
        vote = raft.vote
        elections.on_vote_request(raft, m)
        raft.vote = vote

    _handles(patch, Kind.VOTE, forgetful)


@mutant
def no_freshness_check(patch: Patch) -> None:
    """Anybody gets a vote, however old its log."""
    patch(log.RaftLog, "is_up_to_date", lambda self, index, term: True)


@mutant
def freshness_by_length(patch: Patch) -> None:
    """Logs are compared by their length alone, not by their last terms first."""
    patch(log.RaftLog, "is_up_to_date", lambda self, index, term: index >= self.last_index())


@mutant
def votes_of_half(patch: Patch) -> None:
    """Half of the votes, rounded down, win an election."""
    patch(elections, "joint_vote_result", _of_half)


def _of_half(voters: Any, outgoing: Any, votes: Any) -> quorum.VoteResult:
    yes = sum(votes.get(voter, False) for voter in voters)
    won = quorum.VoteResult.WON
    return won if yes >= len(voters) // 2 else quorum.joint_vote_result(voters, outgoing, votes)


@mutant
def stale_term_accepted(patch: Patch) -> None:
    """A message of an earlier term is handled as if it were of this one."""

    def heeded(raft: Raft, m: RaftMessage) -> None:
        handle = stepping._HANDLERS[raft.role].get(m.kind)
        if handle is not None:
            handle(raft, m)

    patch(stepping, "_answer_the_past", heeded)


@mutant
def timer_not_redrawn(patch: Patch) -> None:
    """The election timeout is drawn from a single value: candidates meet each other again and again."""
    reset = state.reset

    def same(raft: Raft, term: int) -> None:
        reset(raft, term)
        raft.election_timeout = raft.settings.election_tick

    patch(elections, "reset", same)


@mutant
def pre_vote_raises_term(patch: Patch) -> None:
    """Whoever only asks whether it could win has raised its term already."""
    become = elections.become_pre_candidate

    def hasty(raft: Raft) -> None:
        become(raft)
        raft.term += 1

    patch(elections, "become_pre_candidate", hasty)


# ------------------------------------------------------------------ commit


@mutant
def old_entry_committed_by_counting(patch: Patch) -> None:
    """An entry of an earlier term is committed because a majority has it (Raft paper, figure 8)."""

    def any_term(self: log.RaftLog, index: int, term: int) -> bool:
        news = index > self.committed
        self.committed = max(index, self.committed)
        return news

    patch(log.RaftLog, "maybe_commit", any_term)


@mutant
def commit_of_half(patch: Patch) -> None:
    """An entry is committed when half of the voters, rounded down, have it."""

    def half(voters: Any, acknowledged: Any) -> int:
        indexes = sorted((acknowledged.get(voter, 0) for voter in voters), reverse=True)
        return indexes[max(0, len(voters) // 2 - 1)] if voters else quorum.EVERYTHING

    patch(quorum, "committed", half)


@mutant
def learner_counted(patch: Patch) -> None:
    """A learner's acknowledgement counts towards a commit."""

    def with_learners(raft: Raft) -> bool:
        config = raft.configuration
        matching = {node: progress.match for node, progress in raft.progress.items()}
        everybody = (*config.voters, *config.learners)
        return raft.log.maybe_commit(quorum.joint_committed(everybody, config.outgoing, matching), raft.term)

    for user in (leader, membership, replication):
        patch(user, "maybe_commit", with_learners)


@mutant
def heartbeat_commit_uncapped(patch: Patch) -> None:
    """A heartbeat carries the leader's commit index, whatever the follower is known to have."""

    def uncapped(raft: Raft, m: RaftMessage) -> None:
        raft.messages.append(replace(m, commit=raft.log.committed))

    def as_far_as_it_goes(raft: Raft, m: RaftMessage) -> None:
        follower.on_heartbeat(raft, replace(m, commit=min(m.commit, raft.log.last_index())))

    send = state.send
    patch(replication, "send", lambda raft, m: (uncapped if m.kind is Kind.HEARTBEAT else send)(raft, m))
    _handles(patch, Kind.HEARTBEAT, as_far_as_it_goes)


# ------------------------------------------------------------------ the log


@mutant
def truncation_without_conflict(patch: Patch) -> None:
    """An append cuts off everything behind it, though nothing there contradicts it: an old one takes entries away."""

    def cut(self: log.RaftLog, first: int, entries: tuple[Entry, ...]) -> None:
        new = tuple(entry for entry in entries if entry.index > self.committed)
        if new:
            self.unstable.append(new)

    patch(log.RaftLog, "_append_from_conflict", cut)


@mutant
def anchor_not_checked(patch: Patch) -> None:
    """An append is taken if the log is long enough, whatever stands before it."""
    matches = log.RaftLog.matches
    append = log.RaftLog.maybe_append

    def unanchored(self: log.RaftLog, index: int, term: int, entries: tuple[Entry, ...], commit: int) -> Any:
        if index <= self.last_index() and not matches(self, index, term):
            term = self.term_or_0(index)
        return append(self, index, term, entries, commit)

    patch(log.RaftLog, "maybe_append", unanchored)


# ------------------------------------------------------------------ durability


@mutant
def reply_before_persist(patch: Patch) -> None:
    """Promises leave before what they promise is durable."""

    def write(self: Replica, ready: Ready) -> None:
        for message in ready.messages:
            self.post(message)
        self.persist(Written(self.storage.hard_state, ready.entries, ready.snapshot))
        self.writing = True
        self.send(self.me, Stored())

    patch(Replica, "write", write)


@mutant
def own_write_counted_early(patch: Patch) -> None:
    """A leader counts its own log before it is durable, and a candidate its own vote."""
    write = Replica.write

    def uncounted(self: Replica, ready: Ready) -> None:
        write(self, ready)
        self.writing = False  # so the batch is taken for done at once

    patch(Replica, "write", uncounted)
    patch(Replica.message_handlers, Stored, lambda self, sender, message: None)  # type: ignore[arg-type]


@mutant
def term_and_vote_in_two_writes(patch: Patch) -> None:
    """A new term is written at once, and the vote with the next write: a crash between them forgets the vote alone."""
    write = Replica.write

    def in_two(self: Replica, ready: Ready) -> None:
        storage = self.storage
        whole = storage.hard_state
        if ready.hard_state is not None:
            storage.hard_state = replace(whole, vote=0)
        write(self, ready)
        storage.hard_state = whole

    patch(Replica, "write", in_two)


@mutant
def snapshot_without_membership(patch: Patch) -> None:
    """Who installs a snapshot keeps the membership that it had."""
    restore = membership.restore

    def as_before(raft: Raft, snapshot: Snapshot) -> bool:
        return restore(raft, replace(snapshot, configuration=raft.configuration))

    patch(follower, "restore", as_before)


# ------------------------------------------------------------------ membership


@mutant
def joint_with_one_majority(patch: Patch) -> None:
    """In a joint configuration the new majority alone decides."""
    patch(replication, "joint_committed", lambda new, old, acked: quorum.committed(new, acked))
    patch(elections, "joint_vote_result", lambda new, old, votes: quorum.vote_result(new, votes))


@mutant
def premature_configuration(patch: Patch) -> None:
    """A membership change enters the log before the last one is applied."""
    why_not = membership.why_not

    def impatient(raft: Raft, change: Any) -> str:
        why = why_not(raft, change)
        return "" if why.startswith("one may be pending") else why

    patch(membership, "why_not", impatient)


# ------------------------------------------------------------------ reads and clients


@mutant
def read_without_quorum(patch: Patch) -> None:
    """A leader answers reads without asking whether it still leads."""
    patch(reads, "_begin", lambda raft, m: reads._answer(raft, m, raft.log.committed))


@mutant
def read_before_own_commit(patch: Patch) -> None:
    """A new leader answers reads before anything of its term is committed, so before it knows what is."""
    patch(reads, "_has_committed_in_its_term", lambda raft: True)


@mutant
def sessions_off(patch: Patch) -> None:
    """A command that comes twice is carried out twice."""

    def again(self: Sessions, index: int, command: InSession) -> Any:
        return self.machine.apply(index, command.command)

    patch(Sessions, "_once", again)


@mutant
def sessions_not_in_snapshots(patch: Patch) -> None:
    """A snapshot holds the machine and not the sessions, so that after it commands may be carried out again."""
    restore = Sessions.restore

    def empty(self: Sessions, data: Any) -> None:
        restore(self, data)
        self.open = {id_: replace(session, sequence=0, result=None) for id_, session in self.open.items()}

    patch(Sessions, "restore", empty)


def _lease_read(patch: Patch) -> None:
    settings = Load.settings

    def leased(self: Load) -> Settings:
        return replace(settings(self), read_only=ReadOnly.LEASE, check_quorum=True)

    patch(Load, "settings", leased)


@mutant
def lease_read_with_skew(patch: Patch) -> None:
    """Leaders read by their last check of a quorum, in a world whose clocks do not run equally fast."""
    _lease_read(patch)
    patch(reads, "_holds_a_lease", lambda raft: True)


@mutant
def lease_by_quorum_check(patch: Patch) -> None:
    """Leaders read by their last check of a quorum, which looks once per election timeout; all clocks run equally fast."""
    _lease_read(patch)
    patch(reads, "_holds_a_lease", lambda raft: not raft.handed_over)
