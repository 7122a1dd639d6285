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
MoreUpToDate              a log at least as fresh as those of a quorum holds all that is committed: they would elect it
TermWithCandidate         nobody is in a term in which nobody has stood for election: asking (PreVote) raises none
CommittedIsDurable        what a leader has committed is in its own durable log
StateMachineSafety        whoever applies an index applies the same (`Invariants.applies`)
========================  ========================================================================================

References:
    D. Ongaro and J. Ousterhout, In Search of an Understandable Consensus Algorithm, USENIX ATC 2014, figure 3.
    The TLA+ specification of etcd's Raft (etcd-io/raft, ``tla/etcdraft.tla``), for the names and the last five. Its
    MoreUpToDate compares two logs alone, which is too much to ask of five members: one that is caught up entry by entry has
    committed an old entry, where another one still has a later leader's, which a majority has overwritten meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from consensus.raft.records import NONE, Configuration, NodeId
from consensus.raft.state import Raft, Role

Place = tuple[int, int]
"""Index and term: what names an entry."""


class InvariantError(AssertionError):
    """An invariant does not hold; `invariant` is its name, `what` is wrong."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant, self.what = invariant, what


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
    freshness: Place = (0, 0)
    """By which votes compare logs: last term, last index."""
    configuration: Configuration | None = None
    """Who takes part as of `commit`; None while that is not settled, since a change is not applied yet."""

    @property
    def last(self) -> int:
        """The last index."""
        return self.base + len(self.terms) - 1

    def term_at(self, index: int) -> int | None:
        """The term of an entry, None where the log does not reach."""
        place = index - self.base
        return self.terms[place] if 0 <= place < len(self.terms) else None


class News(NamedTuple):
    """What a look has found out about a member."""

    log: bool
    """Its log ends elsewhere, or it leads and did not, or the reverse."""
    commit: bool
    """Its commit index, or the configuration that is in force there."""
    first_commit: bool
    """Something was committed that nobody had committed before."""
    lost: bool
    """Something may not be there any more that was durable."""


class Invariants:
    """A watch over one cluster: call `look` with the states of all members that are up, after every step."""

    def __init__(
        self, leader_writes_first: bool = True, durable: Callable[[NodeId], int] | None = None
    ) -> None:
        """What the members' storages are like.

        Args:
            leader_writes_first: whether leaders send appends only after their own write (CommittedIsDurable).
            durable: up to where a member's log is durable, by its disk; None: by what the member itself has heard.
        """
        self.leader_writes_first = leader_writes_first
        self.durable = durable
        self.members: dict[NodeId, Member] = {}
        self.leaders: dict[int, NodeId] = {}
        """By term."""
        self.standing: dict[int, NodeId] = {}
        """By term, the one candidate; `NONE` if there were several."""
        self.entries: dict[Place, tuple[int | None, Any]] = {}
        """Every entry that any log has held: the term before it (None: compacted away), and its data."""
        self.reach: dict[int, int] = {}
        """By term, the last index of its entries anywhere."""
        self.committed: dict[int, int] = {}
        """The term of the entry that is committed at an index."""
        self.committed_in: dict[int, int] = {}
        """By the term in which it was *committed*, which may be later than the entry's: the last index."""
        self.applied: dict[int, Any] = {}
        self.sightings: Counter[str] = Counter()
        """How often something rare was seen: an exploration in which it never happens proves nothing about it."""
        self._seen: dict[NodeId, tuple[Raft, tuple[Any, ...]]] = {}

    # ------------------------------------------------------------------ looking
    def look(self, rafts: Iterable[Raft]) -> None:
        """Examine those that have changed since the last look; who is down is left out, and as it was."""
        seen = self._seen
        changed: list[tuple[Raft, bool]] = []
        for raft in rafts:
            log = raft.log
            unstable = log.unstable
            mark = (
                raft.term, raft.role, log.committed, unstable.offset, len(unstable.entries), unstable.snapshot,
                log.applied, raft.configuration, unstable.entries and unstable.entries[-1].term,
            )  # fmt: skip
            before = seen.get(raft.id)
            if before is None or before[0] is not raft or before[1] != mark:
                seen[raft.id] = raft, mark
                changed.append((raft, before is not None and before[0] is not raft))
        for member, news in [self._take(raft, restarted) for raft, restarted in changed]:
            if news.log or news.commit:
                self._check_leaders(member, news.first_commit)
            if news.lost:
                for other in self.members.values():
                    self._check_quorums(other)
            elif news.commit:
                self._check_quorums(member)
            if news.log or news.commit:
                self._check_electable()

    def _take(self, raft: Raft, restarted: bool) -> tuple[Member, News]:
        """Note what is new about a member, and check what needs no other member for it."""
        member = self.members.get(raft.id)
        if member is None:
            member = self.members[raft.id] = Member(raft.id, term=raft.term)
        before, commit, config = (member.freshness, member.leads), member.commit, member.configuration
        self._take_role(member, raft)
        lost = self._take_log(member, raft) or restarted
        first = self._take_commit(member, raft)
        member.freshness = member.terms[-1], member.last
        moved = member.commit != commit or member.configuration is not config
        return member, News(before != (member.freshness, member.leads), moved, first, lost)

    def applies(self, index: int, what: Any) -> None:
        """A member's state machine takes `what` at an index, or is in the state `what` after it."""
        if self.applied.setdefault(index, what) != what:
            detail = f"{self.applied[index]!r} was applied at index {index}, and now {what!r}"
            raise InvariantError("StateMachineSafety", detail)

    def split_votes(self) -> int:
        """In how many terms there were several candidates, and no leader so far."""
        return sum(only == NONE and term not in self.leaders for term, only in self.standing.items())

    # ------------------------------------------------------------------ what is new about a member
    def _take_role(self, member: Member, raft: Raft) -> None:
        term_before, led = member.term, member.leads
        member.term, member.leads = raft.term, raft.role is Role.LEADER
        if (
            raft.role is Role.CANDIDATE
        ):  # perhaps more than once: of a paused member two timeouts pass in one step
            for term in range(min(term_before + 1, raft.term), raft.term + 1):
                if self.standing.setdefault(term, raft.id) != raft.id:
                    self.standing[term] = NONE
        if led is not member.leads:
            self.sightings["leader stepped down" if led else "election won"] += 1
        if member.leads and self.leaders.setdefault(raft.term, raft.id) != raft.id:
            first = self.leaders[raft.term]
            raise InvariantError("MoreThanOneLeader", f"{first} and {raft.id} lead in term {raft.term}")
        if raft.term > term_before and raft.term not in self.standing and raft.term not in self.leaders:
            detail = f"{raft.id} is in term {raft.term}, in which nobody has stood for election"
            raise InvariantError("TermWithCandidate", detail)

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
        if agreed < min(member.last, last):
            self.sightings["entries truncated"] += 1
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
        if index > member.last and term:  # that of the founders is of no term
            self.sightings["snapshot installed"] += 1
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
        if raft.configuration.joint and not (member.configuration and member.configuration.joint):
            self.sightings["joint configuration"] += 1
        member.configuration = raft.configuration if log.applied >= log.committed else None
        if member.leads and self.leader_writes_first and member.commit > member.stable:
            detail = f"{member.id} has committed {member.commit}, and its log is durable to {member.stable}"
            raise InvariantError("CommittedIsDurable", detail)
        return first_time

    # ------------------------------------------------------------------ between members
    def _holds(self, member: Member, index: int) -> bool:
        """Whether a log holds the entry that is committed at an index; a snapshot does."""
        place = index - member.base
        if place <= 0:
            return True
        terms = member.terms
        return place < len(terms) and terms[place] == self.committed[index]

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

    def _check_electable(self) -> None:
        """Whose log is as fresh as those of a quorum of its voters could win their votes."""
        committed = max(self.committed, default=0)
        for member in self.members.values():
            config = member.configuration
            if config is None or self._holds(member, committed) or member.id not in config.electors():
                continue
            halves = (config.voters, config.outgoing) if config.outgoing else (config.voters,)
            if all(2 * self._older(half, member) > len(half) for half in halves):
                detail = f"{member.id} could win an election, by {config}, without entry {committed}"
                raise InvariantError("MoreUpToDate", detail)

    def _older(self, voters: Iterable[NodeId], candidate: Member) -> int:
        """How many have a log that is no fresher than a candidate's."""
        known = [self.members[voter] for voter in voters if voter in self.members]
        return sum(one.freshness <= candidate.freshness for one in known)

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
        if not self.committed[
            index
        ]:  # the founding snapshot, of no term, which a founder makes again if it is lost
            return True
        member = self.members.get(node)
        if member is None or not self._holds(member, index):
            return False
        return index <= (member.stable if self.durable is None else self.durable(node))
