"""A node's front: batches, restarts, time, settings, status and trace; and many random worlds without a violation."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from consensus.raft.errors import CorruptStorageError, SnapshotOutOfDateError, UnavailableError
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.node import Node
from consensus.raft.records import Command, Configuration, Entry, HardState, Snapshot
from consensus.raft.settings import ReadOnly, Settings
from consensus.raft.state import Role
from consensus.raft.storage import MemoryStorage, founding
from consensus.raft.trace import TraceEvent
from tests.consensus.cluster import Cluster, changes, finish, make_node, sent, storage_of, without
from walras.errors import LocalProtocolError, ScenarioError

# ----------------------------------------------------------------------------------------------- batches


def test_a_batch_holds_only_what_changed() -> None:
    node = make_node(1, voters=(1,))
    node.campaign()
    first, second, third = finish(node), finish(node), finish(node)

    assert first.soft_state is not None
    assert (first.soft_state.lead, first.soft_state.role) == (0, Role.CANDIDATE)
    assert (first.hard_state, first.entries) == (HardState(2, 1, 1), ())
    assert second.soft_state is not None
    assert (second.soft_state.lead, second.soft_state.role) == (1, Role.LEADER)
    assert (second.hard_state, second.entries) == (None, (Entry(2, 2),))
    assert (third.soft_state, third.hard_state) == (None, HardState(2, 1, 2))
    assert third.committed_entries == (Entry(2, 2),)
    assert [one.must_sync for one in (first, second, third)] == [True, True, False]
    assert not node.has_ready()
    assert node.ready() == msgspec.structs.replace(third, hard_state=None, committed_entries=())


def test_structured_commands_pass_through_untouched() -> None:
    class Put(Command, frozen=True):
        key: str
        value: int

    cluster = Cluster()
    cluster.elect(1).propose(Put("a", 1), "plain")
    cluster.settle()

    assert [entry.data for entry in cluster.storages[3].log] == ["", Put("a", 1), "plain"]


def test_a_batch_is_finished_before_the_next_one() -> None:
    node = make_node(1)
    node.campaign()
    node.ready()
    with pytest.raises(LocalProtocolError, match="again before advance"):
        node.ready()
    with pytest.raises(LocalProtocolError, match="no place"):
        make_node(1, async_storage_writes=True).advance()


def test_nothing_proposed_is_nothing_done() -> None:
    node = make_node(1)
    node.propose()

    assert not node.has_ready()


# ---------------------------------------------------------------------------------------- starts and restarts


def test_founding_members_start_alike_and_a_newcomer_starts_with_nothing() -> None:
    storage = MemoryStorage()
    storage.write(None, (), founding(Configuration((1, 2, 3)), "begin"))
    node = Node(Settings(id=2), storage, Random(1))

    assert (node.raft.term, node.raft.log.committed, node.raft.log.applied) == (0, 1, 1)
    assert storage.snapshot().data == "begin"

    newcomer = Node(Settings(id=4), MemoryStorage(), Random(1))

    assert newcomer.ticks_until_due() is None
    assert not newcomer.has_ready()


def test_a_crash_takes_nothing_that_was_written() -> None:
    cluster = Cluster()
    cluster.elect(1).propose("a", "b")
    cluster.settle()
    before = cluster[2].raft.hard_state()
    node = cluster.start(2)

    assert node.raft.hard_state() == before
    assert node.raft.role is Role.FOLLOWER
    assert [entry.data for entry in node.ready().committed_entries] == ["", "a", "b"], "applied once more"


def test_a_state_machine_that_is_durable_goes_on_where_it_was() -> None:
    cluster = Cluster()
    cluster.elect(1).propose("a", "b")
    cluster.settle()
    node = cluster.start(2, applied=3)

    assert [entry.data for entry in node.ready().committed_entries] == ["b"]


def test_after_a_restart_the_configuration_is_that_of_what_is_applied() -> None:
    cluster = Cluster((1, 2, 3, 4))
    leader = cluster.elect(1)
    leader.propose_conf_change(changes("r4"))
    cluster.settle()
    leader.propose("a")
    cluster.settle()
    snapshot = cluster.storages[2].latest
    assert (snapshot.index, cluster.storages[2].first_index()) == (3, 2)

    node = cluster.start(2)
    assert (str(node.raft.configuration), node.raft.log.applied) == ("voters=(1 2 3)", 3), "the snapshot's"

    cluster.storages[2].latest = msgspec.structs.replace(
        snapshot, index=1, configuration=Configuration((1, 2, 3, 4))
    )
    assert str(cluster.start(2).raft.configuration) == "voters=(1 2 3 4)"
    assert str(cluster.start(2, applied=2).raft.configuration) == "voters=(1 2 3 4)"
    assert str(cluster.start(2, applied=4).raft.configuration) == "voters=(1 2 3)"


@pytest.mark.parametrize("commit", [9, 2])
def test_a_storage_that_contradicts_itself_is_refused(commit: int) -> None:
    storage = MemoryStorage()
    storage.write(HardState(3, 0, commit), (), Snapshot(5, 2, Configuration((1,))))
    with pytest.raises(CorruptStorageError, match=f"commit {commit} lies outside of the log, 5 to 5"):
        Node(Settings(id=1), storage, Random(1))


def test_a_snapshot_from_the_future_or_the_past_is_refused_and_nothing_is_lost() -> None:
    storage = storage_of(Configuration((1,)), (1, 1), HardState(1, 0, 3))
    with pytest.raises(UnavailableError, match="from the future"):
        storage.compact(Snapshot(9, 1))
    with pytest.raises(SnapshotOutOfDateError):
        storage.write(None, (), Snapshot(1, 1))

    assert (storage.first_index(), storage.last_index()) == (2, 3)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("id", {"id": 0}),
        ("heartbeat_tick", {"heartbeat_tick": 0}),
        ("election_tick", {"election_tick": 3, "heartbeat_tick": 3}),
        ("max_inflight_msgs", {"max_inflight_msgs": 0}),
        ("max_inflight_bytes", {"max_inflight_bytes": 10, "max_size_per_msg": 11}),
        ("max_uncommitted_size", {"max_uncommitted_size": 0}),
        ("max_committed_size_per_ready", {"max_committed_size_per_ready": 0}),
        ("read_only", {"read_only": ReadOnly.LEASE}),
        ("read_only", {"read_only": "lease"}),
        ("election_tick", {"election_tick": "soon"}),
        ("election_tick", {"election_tick": 10.5}),
        ("election_spread", {"election_spread": -1}),
        ("pre_vote", {"pre_vote": "no"}),
        ("applied", {"applied": -1}),
        ("applied", {"applied": 7}),
    ],
)
def test_settings_that_make_no_sense_are_named(field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match=f"Settings.{field} is .*; expected "):
        make_node(**settings)


# ------------------------------------------------------------------------------------------------- time


def test_a_follower_campaigns_after_its_timeout_and_idles_until_then() -> None:
    node = make_node(1, election_tick=10)
    node.raft.election_timeout = 13
    node.tick(4)

    assert node.ticks_until_due() == 9

    node.tick(8)

    assert not node.has_ready()
    assert node.ticks_until_due() == 1
    node.tick()
    assert node.raft.role is Role.CANDIDATE


def test_a_leader_beats_and_checks_in_time() -> None:
    cluster = Cluster(election_tick=10, heartbeat_tick=4, check_quorum=True)
    leader = cluster.elect(1)

    assert leader.ticks_until_due() == 4

    leader.tick(4)
    beats = sent(leader)

    assert [m.kind for m in beats] == [Kind.HEARTBEAT] * 2
    leader.tick(4)
    assert leader.ticks_until_due() == 2, "the check of the quorum comes before the next beat"


@given(st.lists(st.integers(1, 40), max_size=6), st.booleans(), st.integers(0, 5))
def test_many_ticks_at_once_are_as_many_one_by_one(
    stretches: list[int], check_quorum: bool, seed: int
) -> None:
    def run(one_by_one: bool) -> list[Any]:
        settings = Settings(id=1, election_tick=7, heartbeat_tick=3, check_quorum=check_quorum)
        node = Node(settings, storage_of(Configuration((1, 2, 3))), Random(seed))
        node.campaign()
        sent(node)
        node.step(RaftMessage(Kind.VOTE_RESP, 1, 2, node.raft.term))
        seen: list[Any] = [sent(node)]
        for stretch in stretches:
            for _ in range(stretch if one_by_one else 1):
                node.tick(1 if one_by_one else stretch)
            seen.append(sent(node))
            raft = node.raft
            seen.append((raft.term, raft.role, raft.election_elapsed, raft.heartbeat_elapsed))
        return seen

    assert run(one_by_one=True) == run(one_by_one=False)


@given(st.integers(0, 30), st.integers(0, 5), st.booleans())
def test_nothing_happens_before_it_is_due_and_something_does_then(
    passed: int, seed: int, leads: bool
) -> None:
    settings = Settings(id=1, election_tick=7, heartbeat_tick=3)
    node = Node(settings, storage_of(Configuration((1,) if leads else (1, 2, 3))), Random(seed))
    if leads:
        node.campaign()
    sent(node)
    node.tick(passed)
    sent(node)
    due = node.ticks_until_due()
    assert due is not None
    before = (node.raft.role, node.raft.term)
    node.tick(due - 1)

    assert not node.has_ready()
    assert (node.raft.role, node.raft.term) == before

    elapsed = (node.raft.election_elapsed, node.raft.heartbeat_elapsed)
    node.tick()

    assert node.has_ready() or 0 in (node.raft.election_elapsed, node.raft.heartbeat_elapsed)
    assert elapsed != (node.raft.election_elapsed, node.raft.heartbeat_elapsed)


# ------------------------------------------------------------------------------------------ status and trace


def test_the_status_shows_a_leaders_view_of_everybody() -> None:
    cluster = Cluster((1, 2, 3), (4,))
    leader = cluster.elect(1)
    leader.propose("a")
    cluster.settle(without(3))
    leader.transfer_leader(3)

    assert str(leader.status()).splitlines() == [
        "1: StateLeader term=1 vote=1 lead=1",
        "log 2..3 commit=3 applied=3",
        "voters=(1 2 3) learners=(4)",
        "handing over to 3",
        "1: StateReplicate match=3 next=4",
        "2: StateReplicate match=3 next=4",
        "3: StateReplicate match=2 next=4 inflight=1",
        "4: StateReplicate match=3 next=4 learner",
    ]
    assert cluster[2].status().progress == {}


def test_a_status_does_not_change_afterwards() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    before = leader.status()
    leader.propose("a")
    cluster.settle(without(3))

    assert str(before.progress[3]) == "StateReplicate match=2 next=3"


def test_a_node_shows_itself_in_a_line() -> None:
    assert repr(make_node(2, terms=(1, 4))) == (
        "Node(Raft(2 StateFollower term=4 vote=0 lead=0 voters=(1 2 3) applied=1 committed=1 last=3))"
    )


def test_the_trace_tells_each_step_in_json() -> None:
    events: list[TraceEvent] = []
    cluster = Cluster((1, 2), trace=events.append)
    cluster.elect(1).propose_conf_change(changes("v3"))
    cluster.settle()
    names = [event.name for event in events if event.nid == 1]

    assert names[0] == "InitState"
    in_order = [
        "BecomeFollower", "BecomeCandidate", "SendRequestVoteRequest", "ReceiveRequestVoteResponse", "BecomeLeader",
        "Replicate", "SendAppendEntriesRequest", "Ready", "ReceiveAppendEntriesResponse", "Commit", "ApplyConfChange",
    ]  # fmt: skip
    at = 0
    for name in in_order:
        at = names.index(name, at)
    assert "ChangeConf" in names
    assert {"ReceiveRequestVoteRequest", "SendRequestVoteResponse", "ReceiveAppendEntriesRequest"} <= {
        event.name for event in events if event.nid == 2
    }
    lines = [msgspec.json.decode(msgspec.json.encode(event)) for event in events]
    leader = next(line for line in lines if line["name"] == "BecomeLeader")
    assert leader == {
        "name": "BecomeLeader",
        "nid": 1,
        "state": {"term": 1, "vote": 1, "commit": 1},
        "role": "StateLeader",
        "log": 1,
        "conf": [[1, 2], []],
    }


# --------------------------------------------------------------------------------------------- many worlds


class Chaos:
    """A cluster under a random schedule: loss, delay, doubles, crashes, compaction, membership changes, elections."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.cluster = Cluster(
            (1, 2, 3, 4, 5),
            pre_vote=rng.random() < 0.5,
            check_quorum=rng.random() < 0.5,
            max_inflight_msgs=rng.choice([1, 2, 256]),
            max_size_per_msg=rng.choice([20, 1 << 40]),
            step_down_on_removal=rng.random() < 0.5,
        )
        self.loss = rng.choice([0.0, 0.1, 0.3])
        self.committed: dict[int, Entry] = {}
        self.leader_of: dict[int, int] = {}
        self.proposed = 0

    def run(self, steps: int) -> str:
        """The last thing that was committed."""
        for _ in range(steps):
            self.act()
            self.check()
        self.heal()
        return str(self.committed[max(self.committed)].data)

    def act(self) -> None:
        rng, cluster = self.rng, self.cluster
        node = rng.choice(list(cluster.nodes))
        what = rng.random()
        if what < 0.60:
            self.deliver()
        elif what < 0.85:
            if cluster[node].has_ready():
                cluster.handle(node)
        elif what < 0.90:
            cluster[node].tick(rng.randrange(1, 8))
        elif what < 0.95:
            self.propose(node)
        elif what < 0.96:
            cluster.start(node)  # what was not written is gone, and the state machine applies the log again
            cluster.applied[node] = str(cluster.storages[node].latest.data).split()
        elif what < 0.975:
            cluster.compact(node, keep=rng.randrange(3))
        elif what < 0.99:
            change = rng.choice(["l4", "v4", "r5", "v5", "l5 v4", "r4 l5", "v4 v5", ""])
            self.change(node, change)
        else:
            cluster[node].transfer_leader(rng.choice(list(cluster.nodes)))

    def deliver(self) -> None:
        wire = self.cluster.wire
        if wire:
            m = wire.pop(self.rng.randrange(min(len(wire), 6)))
            if self.rng.random() < 0.05:
                wire.append(m)
            if self.rng.random() >= self.loss:
                self.cluster.deliver(m)

    def propose(self, node: int) -> None:
        self.proposed += 1
        try:
            self.cluster[node].propose(f"c{self.proposed}")
        except LocalProtocolError:
            self.proposed -= 1

    def change(self, node: int, text: str) -> None:
        try:
            self.cluster[node].propose_conf_change(changes(text))
        except LocalProtocolError:
            pass

    def check(self) -> None:
        """Election safety, state machine safety, and commits that are durable at their leader."""
        for node, one in self.cluster.nodes.items():
            raft = one.raft
            if raft.role is Role.LEADER:
                assert self.leader_of.setdefault(raft.term, node) == node, f"two leaders of term {raft.term}"
            log = raft.log
            assert log.applied <= log.applying <= log.committed <= log.last_index()
            for entry in log.slice(max(log.first_index(), log.committed - 3), log.committed + 1):
                assert self.committed.setdefault(entry.index, entry) == entry, (
                    "two entries are committed at one place"
                )

    def heal(self) -> None:
        """Without faults a leader is found, and what it then takes is applied by every member."""
        cluster = self.cluster
        for one in cluster.nodes.values():
            for peer in one.raft.peers:
                one.report_snapshot(peer, delivered=False)
        for _ in range(400):
            for one in cluster.nodes.values():
                one.tick()
            cluster.settle()
            leaders = [one for one in cluster.nodes.values() if one.raft.role is Role.LEADER]
            if leaders:
                leader = max(leaders, key=lambda one: one.raft.term)
                if leader.raft.id not in leader.raft.progress:
                    # it was removed and not asked to step down: its host stops it
                    del cluster.nodes[leader.raft.id]
                    continue
                try:
                    leader.propose("end")
                except LocalProtocolError:  # it is handing over
                    continue
                cluster.settle()
                voters = leader.raft.configuration.electors()
                if all(cluster.applied[voter][-1:] == ["end"] for voter in voters):
                    self.check()
                    assert len({tuple(cluster.applied[voter]) for voter in voters}) == 1
                    return
        raise AssertionError("healed, and still no progress")


@pytest.mark.parametrize("seed", range(40))
def test_no_random_world_breaks_safety_and_each_recovers(seed: int) -> None:
    assert Chaos(seed).run(1_500) == "end"


@pytest.mark.soak
def test_many_more_random_worlds() -> None:
    for seed in range(1_000, 6_000):
        assert Chaos(seed).run(1_500) == "end", seed
