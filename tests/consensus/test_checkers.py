"""The invariants: they hold in healthy clusters, whatever happens to them, and each of them can fail."""

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from consensus.raft.checkers import InvariantError, Invariants
from consensus.raft.errors import ProposalDroppedError
from consensus.raft.records import Configuration, Entry
from consensus.raft.state import Role
from tests.consensus.cluster import FIRST, Cluster, changes, make_node, without


class Watched:
    """A cluster of five, with entries committed everywhere, and the invariants watching it."""

    def __init__(self) -> None:
        self.cluster = Cluster((1, 2, 3, 4, 5))
        self.invariants = Invariants()
        self.look()
        self.leader = self.cluster.elect(1)
        self.leader.propose("a", "b")
        self.cluster.settle()
        self.look()

    def look(self) -> None:
        self.invariants.look(node.raft for node in self.cluster.nodes.values())

    def lag(self, *nodes: int) -> None:
        """Commit one more entry, in the leader's term, that these nodes do not get."""
        self.leader.propose("c")
        self.cluster.settle(without(*nodes))
        self.look()

    def put(self, node: int, term: int, data: str = "") -> None:
        """An entry appears at the end of a log, from nowhere."""
        log = self.cluster[node].raft.log
        log.unstable.append((Entry(term, log.last_index() + 1, data),))


def two_leaders(watched: Watched) -> None:
    watched.cluster[2].raft.role = Role.LEADER


def a_leader_after_another_of_its_term(watched: Watched) -> None:
    watched.leader.raft.role = Role.FOLLOWER
    watched.look()
    watched.cluster[2].raft.role = Role.LEADER


def a_follower_ahead_of_its_leader(watched: Watched) -> None:
    watched.put(3, watched.leader.raft.term)


def one_name_for_two_entries(watched: Watched) -> None:
    watched.lag(5)
    watched.put(5, watched.leader.raft.term, "something else")


def one_entry_after_two_others(watched: Watched) -> None:
    watched.put(4, 7)
    watched.put(4, 8)
    watched.look()
    watched.put(5, 6)
    watched.put(5, 8)


def two_commits_at_one_index(watched: Watched) -> None:
    watched.lag(4, 5)
    watched.put(5, 0)
    watched.cluster[5].raft.log.committed += 1


def a_leader_without_what_was_committed(watched: Watched) -> None:
    watched.lag(4, 5)
    late = watched.cluster[5].raft
    late.term, late.role = late.term + 1, Role.LEADER


def a_commit_behind_the_back_of_a_leader(watched: Watched) -> None:
    """Somebody leads in a later term, and an earlier leader commits an entry that it has not."""
    late = watched.cluster[5].raft
    late.term, late.role = late.term + 1, Role.LEADER
    watched.look()
    watched.lag(4, 5)


def a_commit_without_a_majority(watched: Watched) -> None:
    watched.leader.propose("c")
    watched.cluster.settle(without(2, 3, 4))
    log = watched.leader.raft.log
    log.committed = log.applied = log.last_index()


def a_majority_that_forgets(watched: Watched) -> None:
    watched.lag(4, 5)
    storage = watched.cluster.storages[3]
    storage.log.pop()
    storage.hard_state = replace(storage.hard_state, commit=storage.last_index())
    watched.cluster.start(3)


def a_fresh_log_that_lacks_a_commit(watched: Watched) -> None:
    watched.lag(5)
    watched.put(5, 9)


def a_commit_that_is_not_durable(watched: Watched) -> None:
    watched.put(1, watched.leader.raft.term)
    watched.leader.raft.log.committed += 1


def another_application(watched: Watched) -> None:
    watched.invariants.applies(FIRST, "a")
    watched.invariants.applies(FIRST, "b")


@pytest.mark.parametrize(
    ("invariant", "breaks"),
    [
        ("MoreThanOneLeader", two_leaders),
        ("MoreThanOneLeader", a_leader_after_another_of_its_term),
        ("ElectionSafety", a_follower_ahead_of_its_leader),
        ("LogMatching", one_name_for_two_entries),
        ("LogMatching", one_entry_after_two_others),
        ("Log", two_commits_at_one_index),
        ("LeaderCompleteness", a_leader_without_what_was_committed),
        ("LeaderCompleteness", a_commit_behind_the_back_of_a_leader),
        ("QuorumLog", a_commit_without_a_majority),
        ("QuorumLog", a_majority_that_forgets),
        ("MoreUpToDate", a_fresh_log_that_lacks_a_commit),
        ("CommittedIsDurable", a_commit_that_is_not_durable),
        ("StateMachineSafety", another_application),
    ],
)
def test_each_invariant_can_fail(invariant: str, breaks: Callable[[Watched], None]) -> None:
    watched = Watched()

    def break_it() -> None:
        breaks(watched)
        watched.look()

    with pytest.raises(InvariantError, match=f"^{invariant}: ") as found:
        break_it()
    assert found.value.invariant == invariant


def test_a_snapshot_must_be_of_what_was_committed() -> None:
    watched = Watched()
    watched.lag(5)
    log = watched.cluster[5].raft.log
    snapshot = watched.cluster.storages[1].latest
    log.restore(type(snapshot)(log.last_index() + 1, 7, snapshot.configuration))
    with pytest.raises(InvariantError, match=r"^Log: 5 has a snapshot"):
        watched.look()


def test_a_stale_leader_may_lack_what_was_committed_after_it() -> None:
    """It commits nothing any more; only the term in which an entry was *committed* tells that it need not have it."""
    cluster, invariants = Cluster((1, 2, 3)), Invariants()
    cluster.elect(1).propose("lost")
    cluster.wire.clear()
    cluster.settle(without(1))
    cluster[2].campaign()
    cluster.settle(without(1))
    invariants.look(node.raft for node in cluster.nodes.values())

    assert sorted(cluster.leaders()) == [1, 2]
    assert cluster[2].raft.log.committed > cluster[1].raft.log.committed


def test_in_a_joint_configuration_one_half_is_enough() -> None:
    cluster, invariants = Cluster((1, 2, 3)), Invariants()
    for newcomer in (4, 5, 6):
        cluster.add(newcomer)
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("v4 v5 v6 r1 r2 r3"))
    for _ in range(30):
        cluster.settle(without(4, 5, 6))
        invariants.look(node.raft for node in cluster.nodes.values())

    assert leader.raft.configuration == Configuration((4, 5, 6), (1, 2, 3), auto_leave=True)


@pytest.mark.parametrize("seed", range(6))
def test_they_hold_in_random_worlds(seed: int) -> None:
    """Loss, doubles, disorder, restarts, compaction and changes of membership, looked at after every step."""
    rng, cluster, invariants = Random(seed), Cluster((1, 2, 3), election_tick=6), Invariants()
    cluster.add(4)
    proposed = 0
    for _ in range(1500):
        node = rng.randrange(1, 5)
        action = rng.random()
        if action < 0.3:
            cluster[node].tick()
        elif action < 0.32:
            cluster.start(node)
        elif action < 0.36:
            try:
                cluster[node].propose(str(proposed := proposed + 1))
            except ProposalDroppedError:
                continue
        elif action < 0.37 and cluster[node].raft.role is Role.LEADER:
            cluster[node].propose_conf_change(changes(rng.choice(("v4", "r4", "l4", "v3", "l3"))))
        elif action < 0.38:
            cluster.compact(node)
        elif cluster.wire:
            place = rng.randrange(len(cluster.wire))
            message = cluster.wire[place] if rng.random() < 0.1 else cluster.wire.pop(place)
            if rng.random() > 0.05 and message.to in cluster.nodes:
                cluster.deliver(message)
        invariants.look(one.raft for one in cluster.nodes.values())
        if cluster[node].has_ready():
            cluster.handle(node)
        invariants.look(one.raft for one in cluster.nodes.values())

    assert len(invariants.committed) > 3


def test_an_old_commit_may_be_told_late_to_one_while_another_has_what_was_overwritten() -> None:
    """Of five: 4 has an entry of term 2 that a majority never had, 5 learns entry by entry what was committed in term 3."""
    logs = {1: (1, 3), 2: (1, 3), 3: (1, 3), 4: (2,), 5: (1,)}
    nodes = {node: make_node(node, (1, 2, 3, 4, 5), terms) for node, terms in logs.items()}
    for node, one in nodes.items():
        one.raft.log.commit_to({4: 1, 5: 2}.get(node, 3))
    invariants = Invariants()
    invariants.look(one.raft for one in nodes.values())
    assert sorted(invariants.committed)[-1] == 3
