"""One replica, and a test for its world: in which order it writes, promises and tells."""

from typing import Any

import msgspec
from msgspec.structs import replace

from consensus.raft.askers import Asker as Waiting, Readers
from consensus.raft.kv import KeyValueStore, Put
from consensus.raft.machine import Data, Kept
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Configuration, Entry, HardState, Snapshot
from consensus.raft.replica import Replica
from consensus.raft.service import (
    Elected,
    Installed,
    Leading,
    Listen,
    Query,
    Redirect,
    Submit,
)
from consensus.raft.state import Role
from consensus.raft.written import Stored
from tests.consensus.worlds import QUICK, THREE
from walras.effects import Checkpoint, Effect, Persist, Publish, Send, Tell
from walras.testing import Script

# ------------------------------------------------------------------ what waits for the disk


def kinds(effects: list[Effect]) -> list[str]:
    """The order of what matters for durability."""
    found = []
    for effect in effects:
        if isinstance(effect, Persist | Checkpoint):
            found.append("write")
        elif isinstance(effect, Send) and isinstance(effect.message, RaftMessage):
            found.append(effect.message.kind.value)
        elif isinstance(effect, Send):
            found.append(type(effect.message).__name__)
    return found


def test_promises_leave_after_the_write_and_appends_before_it() -> None:
    script = Script(Replica(THREE, KeyValueStore(), settings=replace(QUICK, pre_vote=False)), me="r1")
    assert kinds(script.start())[:1] == ["write"]  # the founding snapshot

    vote = RaftMessage(Kind.VOTE, to=1, sender=2, term=5, index=9, log_term=4)
    assert kinds(script.hear("r2", vote)) == ["write", "MsgVoteResp", "Stored"]
    append = RaftMessage(Kind.APP, to=1, sender=2, term=5, index=1, entries=(Entry(5, 2),))
    assert kinds(script.hear("r2", append)) == []  # one write at a time
    assert kinds(script.hear("r1", Stored())) == ["write", "MsgAppResp", "Stored"]
    beat = RaftMessage(Kind.HEARTBEAT, to=1, sender=2, term=5, commit=2)
    assert kinds(script.hear("r1", Stored())) == []
    assert kinds(script.hear("r2", beat)) == ["MsgHeartbeatResp"]  # a commit index alone may be lost

    while script.role.node.raft.role is Role.FOLLOWER:
        candidacy = kinds(script.timer("due"))
    assert candidacy == ["write", "MsgVote", "MsgVote", "Stored"]
    script.hear("r1", Stored())
    granted = RaftMessage(Kind.VOTE_RESP, to=1, sender=3, term=6)
    assert kinds(script.hear("r3", granted)) == ["MsgApp", "MsgApp", "write", "Stored"]


def test_a_life_begins_with_what_the_last_one_wrote() -> None:
    script = Script(Replica(THREE, KeyValueStore(), settings=QUICK), me="r1")
    script.start()
    entries = (Entry(5, 2), Entry(5, 3, Put("x", "a")))
    script.hear(
        "r2", RaftMessage(Kind.APP, to=1, sender=2, term=5, log_term=0, index=1, entries=entries, commit=3)
    )
    assert script.role.machine == KeyValueStore({"x": "a"})
    again = Script(Replica(THREE, KeyValueStore(), settings=QUICK), me="r1")
    again.recover(script.records)
    status = again.role.status()

    assert (status.hard_state, status.last_index, status.applied) == (HardState(5, 0, 3), 3, 3)
    assert again.role.machine == KeyValueStore({"x": "a"})
    assert "StateFollower term=5" in str(status)


# ------------------------------------------------------------------ one replica alone, with a test for its world


def elected(**settings: Any) -> Script:
    """A replica that has won an election in term 2, whose first entry of that term, at 2, is not committed."""
    script = Script(Replica(THREE, settings=replace(QUICK, pre_vote=False), **settings), me="r1")
    script.start()
    script.told("listening", Listen())
    script.hear("r2", RaftMessage(Kind.VOTE, to=1, sender=2, term=1))
    script.hear("r1", Stored())
    while script.role.node.raft.role is Role.FOLLOWER:
        script.timer("due")
    script.hear("r1", Stored())
    script.hear("r3", RaftMessage(Kind.VOTE_RESP, to=1, sender=3, term=2))
    script.hear("r1", Stored())
    return script


def acknowledge(script: Script, index: int, sender: int = 2) -> list[Effect]:
    """A follower has everything up to an index."""
    return script.hear(f"r{sender}", RaftMessage(Kind.APP_RESP, to=1, sender=sender, term=2, index=index))


def messages(effects: list[Effect], kind: type = RaftMessage) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Send | Tell) and isinstance(e.message, kind)]


def test_a_leader_says_so_only_once_it_knows_what_its_forerunners_knew() -> None:
    script = elected()
    assert script.role.node.raft.role is Role.LEADER
    assert script.role.led == 0
    effects = acknowledge(script, 2)
    assert messages(effects, Leading) == [Leading(True, 2)]
    assert Elected(2) in [e.fact for e in effects if isinstance(e, Publish)]
    effects = script.hear("r3", RaftMessage(Kind.HEARTBEAT, to=1, sender=3, term=3))
    assert messages(effects, Leading) == [Leading(False, 2)]


def test_a_new_leader_has_its_first_heartbeat_on_time() -> None:
    script = elected()
    assert script.timers["due"] <= script.now + 0.05 + 1e-9


def test_a_snapshot_that_is_not_answered_is_sent_again() -> None:
    script = elected(compact_every=1, keep=0)
    acknowledge(script, 2)
    script.hear("r1", Stored())
    refusal = RaftMessage(Kind.APP_RESP, to=1, sender=3, term=2, index=1, reject=True)
    sign_of_life = RaftMessage(Kind.HEARTBEAT_RESP, to=1, sender=3, term=2)
    first = [m.kind for m in messages(script.hear("r3", refusal))]
    assert first == [Kind.SNAP]
    assert [m.kind for m in messages(script.hear("r3", sign_of_life))] == []
    script.timer(3)
    assert [m.kind for m in messages(script.hear("r3", sign_of_life))] == [Kind.SNAP]


def test_who_waits_for_something_that_a_snapshot_overtakes_is_told() -> None:
    script = elected()
    script.hear("client", Submit(1, "mine"))
    script.hear("r1", Stored())
    snapshot = Snapshot(9, 3, Configuration(voters=(1, 2, 3)), Kept(9, "state"))
    effects = script.hear("r2", RaftMessage(Kind.SNAP, to=1, sender=2, term=3, snapshot=snapshot))
    assert messages(effects, Redirect) == [Redirect(1, "r2", "overtaken by a snapshot")]
    assert messages(effects, Installed) == [Installed(9, "state")]


def test_whoever_waits_to_read_is_not_forgotten_when_a_leader_is_found() -> None:
    script = Script(Replica(THREE, settings=QUICK), me="r1")
    script.start()
    script.hear("client", Query(1, ""))
    found = messages(script.hear("r2", RaftMessage(Kind.HEARTBEAT, to=1, sender=2, term=1)))
    found += messages(script.hear("r1", Stored()))
    assert [m.kind for m in found] == [Kind.HEARTBEAT_RESP, Kind.READ_INDEX]


def test_readers_are_covered_by_rounds_that_began_after_they_asked() -> None:
    readers, early, late = Readers(), Waiting("early", 1), Waiting("late", 2)
    readers.add(early)
    first = readers.begin("r1/0", 1.0)
    readers.add(late)
    readers.end("another/round", 7)
    assert readers.served(9) == []
    readers.end(first, 7)
    assert (readers.served(6), readers.served(7)) == ([], [early])
    readers.end(readers.begin("r1/0", 2.0), 8)
    assert readers.served(8) == [late]


def test_what_a_stranger_passes_on_is_ignored() -> None:
    script = elected()
    proposal = RaftMessage(Kind.PROP, to=1, sender=2, entries=(Entry(data="smuggled"),))
    assert kinds(script.hear("mallory", proposal)) == []
    assert script.role.status().last_index == 2
    script.hear("r2", proposal)
    assert script.role.status().last_index == 3


def test_a_member_passes_on_what_another_one_asks_of_the_leader_and_speaks_for_nobody_else() -> None:
    """Who took a former leader for the leader is asked for, too: by the former one."""
    script = elected()
    acknowledge(script, 2)
    read = RaftMessage(Kind.READ_INDEX, to=1, sender=2, context="r2/1")
    assert kinds(script.hear("r3", read)) == ["MsgHeartbeat", "MsgHeartbeat"]
    script.hear("r3", RaftMessage(Kind.TRANSFER_LEADER, to=1, sender=2))
    assert script.role.node.raft.transferee == 2
    beat = RaftMessage(Kind.HEARTBEAT_RESP, to=1, sender=2, term=2, context="r2/1")
    assert kinds(script.hear("r3", beat)) == []
    assert kinds(script.hear("r2", beat)) == ["MsgReadIndexResp"]


def test_a_message_has_so_few_fields_that_a_trace_takes_it_as_it_is() -> None:
    """With more than 15, its class included, a trace encodes everything twice: a loaded cluster took twice as long."""
    first_byte = msgspec.msgpack.encode(RaftMessage(Kind.APP, to=1, sender=2, term=5))[0]

    assert first_byte == 0x80 + len(["type", "kind", "to", "sender", "term"]), "the header of a short map"


def test_a_journal_keeps_what_it_was_told() -> None:
    journal: Any = Replica(THREE).machine
    commands: list[Data] = ["a", "b", "c"]
    for index, command in enumerate(commands, 4):
        journal.apply(index, command)
    journal.compact(5, "a b")
    journal.compact(4, "a")
    other: Any = Replica(THREE).machine
    other.restore(journal.snapshot())

    assert (other.index, other.data, other.commands) == (5, "a b", [(6, "c")])
