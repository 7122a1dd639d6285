"""What must hold between all members of a cluster after every step: the invariants of etcd's TLA+ model of Raft.

`Invariants` looks at the states of all members and raises `InvariantError` at the first step that breaks one. It
remembers what it has seen, so that a look costs little: only members that have changed are examined, and of their logs
only what is new. Because it remembers, it asks for more than the present: two leaders of one term are found even
if the first is gone when the second comes.

========================  ========================================================================================
MoreThanOneLeader         a term has one leader
ElectionSafety            a leader's log reaches as far as anybody's entries of its term
LogMatching               the same index and term anywhere: the same entry, and the same entry before it
Log                       whatever two members have committed agrees, index by index
LeaderCompleteness        a leader holds everything that was committed in earlier terms
QuorumLog                 every quorum of a member's configuration has somebody who durably holds what it has committed
MoreUpToDate              a log at least as fresh as another holds what the other has committed
CommittedIsDurable        what a leader has committed is in its own durable log
StateMachineSafety        whoever applies an index applies the same (`Invariants.applies`)
========================  ========================================================================================

References:
    D. Ongaro and J. Ousterhout, In Search of an Understandable Consensus Algorithm, USENIX ATC 2014, figure 3.
    The TLA+ specification of etcd's Raft (etcd-io/raft, ``tla/etcdraft.tla``), for the names and the last five.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from consensus.raft.records import Configuration, NodeId
from consensus.raft.state import Raft, Role

Place = tuple[int, int]
"""Index and term: what names an entry."""


class InvariantError(AssertionError):
    """An invariant does not hold; `invariant` is its name."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class Member(msgspec.Struct):
    """What was last seen of one member. Its log is known by its terms, from `base` on: `terms[0]` is that of `base`."""

    id: NodeId
    term: int = 0
    leads: bool = False
    base: int = 0
    terms: list[int] = msgspec.field(default_factory=lambda: [0])
    stable: int = 0
    """Up to here its log is durable, as far as it knows."""
    commit: int = 0
    configuration: Configuration | None = None
    """Who takes part as of `commit`; None while that is not settled, since a change is not applied yet."""

    @property
    def last(self) -> int:
        """The last index."""
        return self.base + len(self.terms) - 1

    @property
    def freshness(self) -> Place:
        """By which votes compare logs: last term, last index."""
        return self.terms[-1], self.last

    def term_at(self, index: int) -> int | None:
        """The term of an entry, None where the log does not reach."""
        place = index - self.base
        return self.terms[place] if 0 <= place < len(self.terms) else None


class Invariants:
    """A watch over one cluster: call `look` with the states of all members that are up, after every step."""

    def __init__(self, leader_writes_first: bool = True) -> None:
        """`leader_writes_first`: whether leaders send appends only after their own write (CommittedIsDurable)."""
        self.leader_writes_first = leader_writes_first
        self.members: dict[NodeId, Member] = {}
        self.leaders: dict[int, NodeId] = {}
        """By term."""
        self.entries: dict[Place, tuple[int | None, Any]] = {}
        """Every entry that any log has held: the term before it (None: compacted away), and its data."""
        self.reach: dict[int, int] = {}
        """By term, the last index of its entries anywhere."""
        self.committed: dict[int, int] = {}
        """The term of the entry that is committed at an index."""
        self.committed_in: dict[int, int] = {}
        """By the term in which it was *committed*, which may be later than the entry's: the last index."""
        self.applied: dict[int, Any] = {}
        self._seen: dict[NodeId, tuple[Any, ...]] = {}

    # ------------------------------------------------------------------ looking
    def look(self, rafts: Iterable[Raft]) -> None:
        """Examine those that have changed since the last look; who is down is left out, and as it was."""
        seen, changed = self._seen, []
        for raft in rafts:
            log = raft.log
            unstable = log.unstable
            mark = (
                raft, raft.term, raft.role, log.committed, unstable.offset, len(unstable.entries), unstable.snapshot,
                log.applied, raft.configuration, unstable.entries and unstable.entries[-1].term,
            )  # fmt: skip
            before = seen.get(raft.id)
            if before is None or before[0] is not raft or before[1:] != mark[1:]:
                seen[raft.id] = mark
                changed.append(raft)
        for member, lost, committed in [self._take(raft) for raft in changed]:
            self._check_leaders(member, committed)
            self._check_freshness(member)
            for other in self.members.values() if lost else (member,):
                self._check_quorums(other)

    def _take(self, raft: Raft) -> tuple[Member, bool, bool]:
        """Note what is new: whether something durable was lost, and something committed for the first time."""
        member = self.members.get(raft.id)
        if member is None:
            member = self.members[raft.id] = Member(raft.id)
        self._take_role(member, raft)
        return member, self._take_log(member, raft), self._take_commit(member, raft)

    def applies(self, index: int, what: Any) -> None:
        """A member's state machine takes `what` at an index, or is in the state `what` after it."""
        if self.applied.setdefault(index, what) != what:
            detail = f"{self.applied[index]!r} was applied at index {index}, and now {what!r}"
            raise InvariantError("StateMachineSafety", detail)

    # ------------------------------------------------------------------ what is new about a member
    def _take_role(self, member: Member, raft: Raft) -> None:
        member.term, member.leads = raft.term, raft.role is Role.LEADER
        if member.leads and self.leaders.setdefault(raft.term, raft.id) != raft.id:
            first = self.leaders[raft.term]
            raise InvariantError("MoreThanOneLeader", f"{first} and {raft.id} lead in term {raft.term}")

    def _take_log(self, member: Member, raft: Raft) -> bool:
        """Follow the log; whether something is not there any more that was durable."""
        log, terms = raft.log, member.terms
        first, last = log.first_index(), log.last_index()
        stable_before = member.stable
        agreed = min(member.last, last)
        while agreed >= max(first, member.base) and terms[agreed - member.base] != log.term(agreed):
            agreed -= 1
        if agreed < max(
            first, member.base
        ):  # nothing that is known is left: what it stands on is new, or must agree
            agreed = first - 1
            self._take_base(member, agreed, log.term(agreed))
        del member.terms[agreed - member.base + 1 :]
        if agreed < last:
            self._take_entries(member, log.slice(agreed + 1, last + 1))
        if log.unstable.snapshot is None:
            member.stable = log.unstable.offset - 1
        return agreed < stable_before

    def _take_base(self, member: Member, index: int, term: int) -> None:
        if self.committed.setdefault(index, term) != term:
            detail = f"{member.id} has a snapshot of index {index} in term {term}, committed was {self.committed[index]}"
            raise InvariantError("Log", detail)
        member.base, member.terms = index, [term]

    def _take_entries(self, member: Member, entries: Iterable[Any]) -> None:
        known, reach, terms = self.entries, self.reach, member.terms
        for entry in entries:
            index, term, before = entry.index, entry.term, terms[-1]
            was = known.setdefault((index, term), (before, entry.data))
            if was[0] != before or (was[1] is not entry.data and was[1] != entry.data):
                detail = f"entry {index} of term {term} is {was[1]!r} after term {was[0]}"
                raise InvariantError(
                    "LogMatching", f"{detail}, but at {member.id} {entry.data!r} after {before}"
                )
            if reach.get(term, 0) < index:
                reach[term] = index
            terms.append(term)

    def _take_commit(self, member: Member, raft: Raft) -> bool:
        """Follow the commit index; whether something was committed that nobody had committed before."""
        log = raft.log
        first_time = False
        for index in range(min(member.commit, log.committed) + 1, log.committed + 1):
            term = member.term_at(index)
            if term is None:  # within a snapshot
                continue
            if index not in self.committed:
                self.committed[index], first_time = term, True
            elif self.committed[index] != term:
                detail = (
                    f"{member.id} commits index {index} of term {term}, before it was {self.committed[index]}"
                )
                raise InvariantError("Log", detail)
        if first_time:
            self.committed_in[raft.term] = max(self.committed_in.get(raft.term, 0), log.committed)
        member.commit = log.committed
        member.configuration = raft.configuration if log.applied >= log.committed else None
        if member.leads and self.leader_writes_first and member.commit > member.stable:
            detail = f"{member.id} has committed {member.commit}, and its log is durable to {member.stable}"
            raise InvariantError("CommittedIsDurable", detail)
        return first_time

    # ------------------------------------------------------------------ between members
    def _holds(self, member: Member, index: int) -> bool:
        """Whether a log holds the entry that is committed at an index; a snapshot does."""
        return index <= member.base or member.term_at(index) == self.committed[index]

    def _check_leaders(self, member: Member, committed: bool) -> None:
        """A leader's log against what came before it; all leaders if something is newly committed."""
        for leader in self.members.values() if committed else (member,):
            if not leader.leads:
                continue
            for term, index in self.committed_in.items():
                if term < leader.term and not self._holds(leader, index):
                    detail = (
                        f"{leader.id} leads in term {leader.term} without entry {index}, committed in {term}"
                    )
                    raise InvariantError("LeaderCompleteness", detail)
        for term in (member.term, member.terms[-1]):
            of_term = self.members.get(self.leaders.get(term, 0))
            leads = of_term is not None and of_term.leads and of_term.term == term
            if of_term is not None and leads and self.reach.get(term, 0) > of_term.last:
                detail = f"{of_term.id} leads in term {term} with {of_term.last} entries, elsewhere are"
                raise InvariantError("ElectionSafety", f"{detail} {self.reach[term]}")

    def _check_freshness(self, member: Member) -> None:
        own = member.freshness
        for other in self.members.values():
            theirs = other.freshness
            for fresher, older in ((member, other), (other, member)):
                ahead = own >= theirs if fresher is member else theirs >= own
                if ahead and not self._holds(fresher, older.commit):
                    detail = (
                        f"{fresher.id} has a log as fresh as that of {older.id}, without entry {older.commit}"
                    )
                    raise InvariantError("MoreUpToDate", detail)

    def _check_quorums(self, member: Member) -> None:
        """What a member has committed would survive the loss of any minority."""
        config = member.configuration
        if config is None:
            return
        index = member.commit
        for voters in (config.voters, config.outgoing) if config.outgoing else (config.voters,):
            holders = [voter for voter in voters if self._durably_holds(voter, index)]
            if 2 * len(holders) >= len(voters):
                return  # a quorum has a majority of each half, so one half is enough
        detail = f"{member.id} has committed entry {index}, and a quorum of {config} does not hold it durably"
        raise InvariantError("QuorumLog", detail)

    def _durably_holds(self, node: NodeId, index: int) -> bool:
        member = self.members.get(node)
        return member is not None and index <= member.stable and self._holds(member, index)
