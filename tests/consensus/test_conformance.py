"""Transcripts: the format is read as it is written, every command does its part, and what differs is found."""

import json
from pathlib import Path

import pytest

from consensus.conformance import main
from consensus.raft.transcripts import describe
from consensus.raft.transcripts.commands import COMMANDS, Stage
from consensus.raft.transcripts.reading import Directive, read_transcript, without_log
from consensus.raft.transcripts.running import run_folder, run_transcript, summarize

# --------------------------------------------------------------------------------------- the shared transcripts


@pytest.fixture(scope="session")
def transcripts(shared_data: Path) -> Path:
    folder = shared_data / "consensus" / "raft"
    if not folder.is_dir():
        pytest.skip("no Raft transcripts in the shared data")
    return folder


def test_every_shared_transcript_matches(transcripts: Path) -> None:
    summary = summarize(run_folder(transcripts))

    assert summary.differences == {}
    assert summary.files == summary.files_passed >= 26
    assert summary.directives == summary.directives_matched >= 420


def test_a_changed_line_of_output_is_found_in_every_kind_of_file(transcripts: Path) -> None:
    """The comparison can fail: each of these words stands in the output of many directives."""
    for folder, word, other in (
        ("quorum", "VoteWon", "VoteLost"),
        ("confchange", "match=0", "match=1"),
        ("interaction", "MsgAppResp Term:1", "MsgAppResp Term:2"),
    ):
        texts = [path.read_text("utf-8") for path in sorted((transcripts / folder).glob("*.txt"))]
        changed = [text for text in texts if word in text]
        assert changed
        for text in changed:
            assert run_transcript("changed", text.replace(word, other)).difference is not None


# ------------------------------------------------------------------------------------------------- the format


def test_a_directive_has_arguments_input_and_output() -> None:
    text = """
# A comment.

do-it 1 2 flag=true list=(1, 2,3) words=(a b) none=()
first line
second line
----
some output

# Another one.
next \\
  more=1
----
----
with

blank lines
----
----
last
----
"""
    first, second, third = read_transcript(text)

    assert first == Directive(
        4,
        "do-it",
        ("1", "2"),
        {"flag": ("true",), "list": ("1", "2", "3"), "words": ("a", "b"), "none": ()},
        ("first line", "second line"),
        ("some output",),
    )
    assert (first.flag("flag"), first.flag("missing"), first.numbers("list")) == (True, False, (1, 2, 3))
    assert (second.line, second.number("more", 7), second.number("less", 7)) == (11, 1, 7)
    assert second.expected == ("with", "", "blank lines")
    assert (third.command, third.expected) == ("last", ())


def test_log_lines_do_not_count_and_nothing_left_is_ok() -> None:
    assert without_log(["INFO 1 became leader", "  DEBUG more", "1->2 MsgApp", "INFORMAL"]) == [
        "1->2 MsgApp",
        "INFORMAL",
    ]
    assert without_log(["ERROR ignored"]) == without_log(["ok"]) == without_log([]) == ["ok"]


def test_a_text_that_is_no_transcript_has_no_directives() -> None:
    assert read_transcript("Some notes.\n\nThey go on and on.\n") == []


# ------------------------------------------------------------------------------------------ commands, end to end

JOINT = """
add-nodes 3 voters=(1,2,3) index=2 prevote=true checkquorum=true inflight=2
----
ok

campaign 1
----
ok

process-ready 1
----
Ready MustSync=false:
Lead:0 State:StatePreCandidate
Messages:
1->2 MsgPreVote Term:1 Log:1/2
1->3 MsgPreVote Term:1 Log:1/2

stabilize log-level=none
----
ok

raft-state
----
1: StateLeader (Voter) Term:1 Lead:1
2: StateFollower (Voter) Term:1 Lead:1
3: StateFollower (Voter) Term:1 Lead:1

deliver-msgs 1 2 3
----
no messages

# The window is two messages wide, and a refused command is an error.
propose 1 "a"
----
ok

propose 1 b
----
ok

propose 1 c
----
ok

process-ready 1
----
Ready MustSync=true:
Entries:
1/4 EntryNormal "\\"a\\""
1/5 EntryNormal "b"
1/6 EntryNormal "c"
Messages:
1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "\\"a\\""]
1->3 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "\\"a\\""]
1->2 MsgApp Term:1 Log:1/4 Commit:3 Entries:[1/5 EntryNormal "b"]
1->3 MsgApp Term:1 Log:1/4 Commit:3 Entries:[1/5 EntryNormal "b"]

status 1
----
1: StateReplicate match=6 next=7
2: StateReplicate match=3 next=6 paused inflight=2[full]
3: StateReplicate match=3 next=6 paused inflight=2[full]

deliver-msgs drop=(3)
----
dropped: 1->3 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "\\"a\\""]
dropped: 1->3 MsgApp Term:1 Log:1/4 Commit:3 Entries:[1/5 EntryNormal "b"]

stabilize 1 2 log-level=none
----
ok

compact 1 5
----
1/6 EntryNormal "c"

raft-log 3
----
1/3 EntryNormal ""

# Several entries stand on lines of their own.
report-unreachable 1 2
----
ok

tick-heartbeat 1
----
ok

stabilize log-level=none
----
ok

status 1
----
1: StateReplicate match=6 next=7
2: StateReplicate match=6 next=7
3: StateReplicate match=6 next=7

status 2
----
ok

transfer-leadership from=1 to=3
----
ok

propose 1 d
----
raft proposal dropped

stabilize log-level=none
----
ok

raft-state
----
1: StateFollower (Voter) Term:2 Lead:3
2: StateFollower (Voter) Term:2 Lead:3
3: StateLeader (Voter) Term:2 Lead:3

fly 1
----
unknown command fly

campaign 9
----
there is no node 9
"""

SEVERAL_ENTRIES = """
add-nodes 2 voters=(1,2) learners=() index=2 content=begin
----
ok

log-level none
----
ok

campaign 1
----
ok

stabilize
----
ok

propose 1 a
----
ok

propose 9 a
----
there is no node 9

report-unreachable 1 2
----
ok

propose 1 b
----
ok

propose 1 c
----
ok

process-ready 1
----
ok

log-level debug
----
ok

deliver-msgs drop=(2)
----
dropped: 1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "a"]
dropped: 1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
  1/4 EntryNormal "a"
  1/5 EntryNormal "b"
]

tick-election 1
----
ok

stabilize 1 2
----
> 1 handling Ready
  Ready MustSync=false:
  Messages:
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
> 2 receiving messages
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:3
> 2 handling Ready
  Ready MustSync=false:
  Messages:
  2->1 MsgHeartbeatResp Term:1 Log:0/0
  2->1 MsgHeartbeatResp Term:1 Log:0/0
  2->1 MsgHeartbeatResp Term:1 Log:0/0
> 1 receiving messages
  2->1 MsgHeartbeatResp Term:1 Log:0/0
  2->1 MsgHeartbeatResp Term:1 Log:0/0
  2->1 MsgHeartbeatResp Term:1 Log:0/0
> 1 handling Ready
  Ready MustSync=false:
  Messages:
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
> 2 receiving messages
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
    1/6 EntryNormal "c"
  ]
> 2 handling Ready
  Ready MustSync=true:
  Entries:
  1/4 EntryNormal "a"
  1/5 EntryNormal "b"
  1/6 EntryNormal "c"
  Messages:
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
> 1 receiving messages
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:1 Vote:1 Commit:6
  CommittedEntries:
  1/4 EntryNormal "a"
  1/5 EntryNormal "b"
  1/6 EntryNormal "c"
  Messages:
  1->2 MsgApp Term:1 Log:1/6 Commit:6
> 2 receiving messages
  1->2 MsgApp Term:1 Log:1/6 Commit:6
> 2 handling Ready
  Ready MustSync=false:
  HardState Term:1 Vote:1 Commit:6
  CommittedEntries:
  1/4 EntryNormal "a"
  1/5 EntryNormal "b"
  1/6 EntryNormal "c"
  Messages:
  2->1 MsgAppResp Term:1 Log:0/6
> 1 receiving messages
  2->1 MsgAppResp Term:1 Log:0/6
"""

ASYNC_SNAPSHOT = """
add-nodes 1 voters=(1) index=10 async-storage-writes=true
----
ok

process-append-thread 1
----
no append work to perform

process-apply-thread 1
----
no apply work to perform

add-nodes 1 async-storage-writes=true
----
ok

campaign 1
----
ok

propose-conf-change 1
l2
----
raft proposal dropped

stabilize log-level=none
----
ok

propose-conf-change 1
l2
----
ok

stabilize 1 log-level=none
----
ok

stabilize log-level=none
----
ok

raft-state
----
1: StateLeader (Voter) Term:1 Lead:1
2: StateFollower (Non-Voter) Term:1 Lead:1

status 1
----
1: StateReplicate match=12 next=13
2: StateReplicate match=12 next=13 learner

add-nodes 1 voters=(1) index=1
----
index must be specified as > 1 due to bootstrap

compact 1 12
----
log is empty: first index=13, last index=12

compact 1 12
----
requested index is unavailable due to compaction
"""


@pytest.mark.parametrize("text", [JOINT, SEVERAL_ENTRIES, ASYNC_SNAPSHOT])
def test_our_own_transcripts_match(text: str) -> None:
    result = run_transcript("ours", text)

    assert result.difference is None
    assert result.matched == result.directives > 10


def test_every_command_of_the_facts_is_there() -> None:
    told = (
        "add-nodes campaign propose propose-conf-change tick-election tick-heartbeat set-randomized-election-timeout "
        "transfer-leadership forget-leader report-unreachable process-ready deliver-msgs process-append-thread "
        "process-apply-thread compact send-snapshot raft-log raft-state status log-level stabilize "
        "committed vote simple enter-joint leave-joint"
    )
    assert set(COMMANDS) == set(told.split())


def test_arguments_without_sense_are_a_difference_and_not_the_end() -> None:
    text = "committed cfg=(1,2) idx=(x,y)\n----\n7\n\nvote cfg=(1) votes=(y)\n----\nVoteWon\n"
    result = run_transcript("bad", text)

    assert (result.directives, result.matched) == (2, 1)
    assert result.difference is not None
    assert result.difference.printed[0].startswith("these arguments make no sense here (")


def test_a_failed_assertion_of_ours_is_a_difference_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stage: Stage, directive: Directive) -> list[str]:
        raise AssertionError("never")

    monkeypatch.setitem(COMMANDS, "raft-state", fail)
    result = run_transcript("bad", "raft-state\n----\nok\n\nvote cfg=(1) votes=(y)\n----\nVoteWon\n")

    assert (result.directives, result.matched) == (2, 1)
    assert result.difference is not None
    assert result.difference.printed == ("AssertionError: never",)


def test_ids_print_in_hexadecimal_and_workers_by_name() -> None:
    assert [describe.target(node) for node in (0, 10, 255, -1, -2)] == [
        "None",
        "a",
        "ff",
        "AppendThread",
        "ApplyThread",
    ]


# -------------------------------------------------------------------------------------------------- the program


def test_the_program_counts_and_shows_the_first_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "good.txt").write_text("vote cfg=(1) votes=(y)\n----\nVoteWon\n")
    (tmp_path / "notes.txt").write_text("Nothing to run here.\n")
    (tmp_path / "deep" / "er" / "bad.txt").write_text(
        "vote cfg=(1) votes=(y)\n----\nVoteLost\n\nvote cfg=(1) votes=(_)\n----\nVotePending\n\nfly\n----\nok\n"
    )

    assert main(["raft", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "files": 2,
        "files_passed": 1,
        "directives": 4,
        "directives_matched": 2,
        "differences": {
            "deep/er/bad.txt": {
                "line": 1,
                "command": "vote",
                "expected": ["VoteLost"],
                "printed": ["VoteWon"],
            }
        },
    }

    assert main(["raft", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "files       1 of 2",
        "directives  2 of 4",
        "",
        "deep/er/bad.txt:1 vote",
        "  expected",
        "    VoteLost",
        "  printed",
        "    VoteWon",
    ]

    assert main(["raft", str(tmp_path / "deep")]) == 1
    (tmp_path / "deep" / "er" / "bad.txt").unlink()
    assert main(["raft", str(tmp_path)]) == 0


def test_the_program_says_what_is_wrong_with_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, why in ((tmp_path / "none", "is not a folder"), (tmp_path, "there is no transcript")):
        with pytest.raises(SystemExit) as stopped:
            main(["raft", str(folder)])
        assert stopped.value.code == 2
        assert why in capsys.readouterr().err
    (tmp_path / "photo.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(SystemExit) as stopped:
        main(["raft", str(tmp_path)])
    assert stopped.value.code == 2
    assert "photo.txt is not text in UTF-8" in capsys.readouterr().err
