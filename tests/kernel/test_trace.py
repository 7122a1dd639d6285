"""The trace: its digest, its reading, its tables, its transcripts and its file."""

import json
import math
import pickle
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from walras.allocation import Award, Outcome, Report
from walras.errors import WalrasError
from walras.messages import Message
from walras.trace import Trace, UnknownConversationError
from walras.trace.file import from_json, to_json
from walras.trace.rows import DETAILS, decode, encode, encode_as_is


class Call(Message, frozen=True):
    task: str
    reply_by: float


class Offer(Message, frozen=True):
    price: float


PEERS = ("ada", "bob", "cyd")
CALL = Call("t-1", 2.0)

ROWS: list[tuple[Any, ...]] = [
    (0.0, "open", "shop/1", "shop", "x-net", ["t-1"], PEERS, math.inf),
    (0.0, "lost", "shop/1", "shop", "cyd", CALL, "on the way"),
    (0.0, "broadcast", "shop/1", "shop", PEERS, CALL, [0.5, 0.75, None]),
    (0.5, "crash", "shop/1", "ada"),
    (0.5, "ask", "shop/1", "ada", "bid", 1.5),
    (0.5, "answer", "shop/1", "ada", "bid", Offer(3.0), "ok"),
    (0.9, 1, 12, "shop/1", "ada", "shop", Offer(3.0), 0.5),
    (0.75, "answer", "shop/1", "bob", "bid", None, "silent"),
    (0.75, "lost", "shop/1", "bob", "shop", Offer(4.0), "on the way"),
    (2.0, "award", "shop/1", "shop", Award("t-1", "ada", 3.0)),
    (2.1, "performed", "shop/1/ada/1", "ada", "t-1", Report("done", 1.0, 0.5, 2.0)),
    (2.2, "crash", "", "bob"),
    (2.5, "settle", "shop/1", "shop", "t-1", 3.0, "ada", 0.0),
    (2.5, "finish", "shop/1", "shop", Outcome("done")),
]


def trace_of(rows: list[tuple[Any, ...]], chunk: int = 1000, keep: bool = True) -> Trace:
    trace = Trace(keep=keep)
    for k, row in enumerate(rows, start=1):
        trace.rows.append(row)
        if k % chunk == 0:
            trace.fold()
    return trace


# ----------------------------------------------------------------------------------------------------------- digest


@pytest.mark.parametrize("chunk", [1, 2, 5, 13])
def test_the_digest_does_not_depend_on_where_chunks_end(chunk: int) -> None:
    assert trace_of(ROWS, chunk).digest == trace_of(ROWS).digest


@pytest.mark.parametrize("count", [15, 16, 65_535, 65_536])
def test_the_header_that_msgpack_puts_before_an_array_is_not_in_the_digest(count: int) -> None:
    """MessagePack's header has 1, 3 or 5 bytes; on each side of each boundary the digest is that of single rows."""
    rows = [(0.0, "crash", "c", "a")] * count
    assert trace_of(rows, chunk=count).digest == trace_of(rows, chunk=7).digest


def test_any_change_of_a_row_changes_the_digest() -> None:
    """Order, a value, a type (1 and 1.0, 0.0 and -0.0) and a missing row are all seen."""
    same = trace_of(ROWS).digest
    changed = [
        ROWS[::-1],
        ROWS[:-1],
        [*ROWS[:-1], (2.5, "finish", "shop/1", "shop", Outcome("failed"))],
        [(0, *ROWS[0][1:]), *ROWS[1:]],
        [(-0.0, *ROWS[0][1:]), *ROWS[1:]],
    ]
    digests = {trace_of(rows).digest for rows in changed}
    assert len(digests) == len(changed)
    assert same not in digests


def test_folding_clears_the_same_list() -> None:
    """Hot code keeps a reference to `rows`: what it appends after a fold is in the trace."""
    trace = Trace()
    rows = trace.rows
    rows.append(ROWS[0])
    trace.fold()
    assert rows == []
    rows.append(ROWS[3])
    assert rows is trace.rows
    assert len(trace) == 2
    assert [row.kind for row in trace] == ["open", "crash"]


@pytest.mark.parametrize("chunk", [1, 3, 5, 1000])
def test_the_rows_since_any_number_are_those_from_there_on(chunk: int) -> None:
    trace = trace_of(ROWS, chunk)
    for number in range(len(ROWS) + 2):
        assert decode(encode(trace.since(number))) == decode(encode(ROWS[number:]))
    trace.rows.append(ROWS[0])
    assert decode(encode(trace.since(len(ROWS)))) == decode(encode(ROWS[:1]))


def test_reading_in_the_middle_of_a_run_changes_nothing() -> None:
    trace = Trace()
    for row in ROWS:
        trace.rows.append(row)
        assert len(list(trace)) == len(trace)
        assert trace.digest
    assert trace.digest == trace_of(ROWS).digest


def test_sets_and_mappings_are_hashed_in_sorted_order_and_objects_without_addresses() -> None:
    """Nothing that differs from process to process reaches the digest."""
    assert encode({"b": 1, "a": 2}) == encode({"a": 2, "b": 1})
    assert encode({"x", "y", "z"}) == encode({"z", "y", "x"}) == encode(["x", "y", "z"])
    assert encode(object()) == encode("<object object>")
    assert encode([object(), lambda: 0]) == encode([object(), lambda: 1])
    assert b"lambda" in encode(lambda: 0)


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        ("lone \ud800", "lone \\ud800"),
        ({1: "a"}, {"1": "a"}),
        ({(1, 2): {2**70: 1}}, {"[1, 2]": {"1180591620717411303424": 1}}),
        ({1, "a"}, ["a", 1]),
    ],
)
def test_what_msgpack_cannot_hold_is_kept_as_text(odd: object, kept: object) -> None:
    """A strategy may answer anything: the run goes on, and the row is the same whoever its neighbours are."""
    row = (1.0, "answer", "c", "a", "n", odd, "ok")
    assert next(iter(trace_of([row]))).details["answer"] == kept
    assert trace_of([*ROWS, row]).digest == trace_of([*ROWS, row], chunk=1).digest


def test_structs_inside_rows_that_msgpack_cannot_hold_keep_their_shape() -> None:
    row = (1.0, "answer", "c", "a", "n", (2**64, Offer(1.5)), "ok")
    assert next(iter(trace_of([row]))).details["answer"] == [str(2**64), {"type": "Offer", "price": 1.5}]


# ---------------------------------------------------------------------------------------------------------- reading


def test_rows_come_back_with_names() -> None:
    rows = list(trace_of(ROWS))
    message = rows[6]
    assert (message.at, message.kind, message.conversation, message.agent) == (
        0.5,
        "message",
        "shop/1",
        "ada",
    )
    assert message.details == {
        "sender": "ada", "to": "shop", "message": {"type": "Offer", "price": 3.0}, "sent": 0.5, "arrival": 0.9, "id": 12,
    }  # fmt: skip
    assert rows[2].details["to"] == list(PEERS)
    assert rows[2].details["arrivals"] == [0.5, 0.75, None]
    assert rows[5].details == {"name": "bid", "answer": {"type": "Offer", "price": 3.0}, "status": "ok"}
    assert rows[11] == type(rows[11])(2.2, "crash", "", "bob", {})


def test_every_kind_has_its_names_and_an_unknown_one_numbers() -> None:
    for kind, names in DETAILS.items():
        (row,) = trace_of([(0.0, kind, "c", "a", *range(len(names)))])
        assert row.details == {name: k for k, name in enumerate(names)}
    (row,) = trace_of([(0.0, "novelty", "c", "a", "x", "y")])
    assert row.details == {"detail_1": "x", "detail_2": "y"}
    (row,) = trace_of([(0.0, "note", "c", "a", "x", "y")])
    assert row.details == {"text": "x", "detail_2": "y"}


def test_messages_are_counted_as_they_were_sent() -> None:
    """A broadcast to three counts three, the one of them that was lost included; a copy by the network counts none."""
    trace = trace_of([*ROWS, (3.0, "doubled", "shop/1", "shop", "ada", CALL, 3.5)])
    assert trace.message_counts() == {"Call": 3, "Offer": 2}
    assert trace.messages == 5
    assert trace.bytes == 3 * len(encode(CALL)) + 2 * len(encode(Offer(3.0)))


def test_a_message_lost_on_arrival_is_counted_once() -> None:
    """Its sending has a row of its own; the loss is a row of the recipient."""
    sent = (0.9, 1, 12, "shop/1", "ada", "shop", Offer(3.0), 0.5)
    trace = trace_of([sent, (0.9, "lost", "shop/1", "shop", "shop", Offer(3.0), "down")])
    assert trace.messages == 1


def test_counting_continues_as_the_trace_grows() -> None:
    trace = trace_of(ROWS)
    before = trace.messages
    trace.rows.extend(ROWS)
    assert trace.messages == 2 * before


def test_a_trace_that_is_not_kept_has_the_digest_and_counts_and_says_why_it_has_no_rows() -> None:
    kept, counted = trace_of(ROWS, chunk=3), trace_of(ROWS, chunk=4, keep=False)
    assert (counted.digest, len(counted)) == (kept.digest, len(kept))
    assert (counted.message_counts(), counted.bytes) == (kept.message_counts(), kept.bytes)
    with pytest.raises(WalrasError, match="keep=False"):
        list(counted)


# ------------------------------------------------------------------------------------------------------ transcripts


def test_a_copy_so_far_does_not_grow() -> None:
    """What a result holds at a horizon stays as it was, whoever goes on writing."""
    trace = Trace()
    trace.rows.append((0.0, "note", "c/1", "ada", "one"))
    early = trace.so_far()
    trace.rows.append((1.0, "note", "c/1", "ada", "two"))
    assert (len(early), len(trace)) == (1, 2)
    assert early.digest != trace.digest
    assert [row.details["text"] for row in early] == ["one"]
    assert trace.so_far() == trace
    counted = Trace(keep=False)
    counted.rows.append((0.0, 1, 1, "c/1", "ada", "bob", Offer(1.0), 0.0))
    assert counted.so_far().message_counts() == {"Offer": 1}


def test_rows_that_were_not_kept_are_not_forgotten_when_later_ones_are() -> None:
    """Reading raises, for what is left would look like a whole run."""
    trace = Trace(keep=False)
    trace.rows.append((0.0, "note", "", "ada", "hashed only"))
    trace.fold()
    trace.keep = True
    trace.rows.append((1.0, "note", "", "ada", "kept"))
    with pytest.raises(WalrasError, match="has only counted and hashed its rows"):
        list(trace)


def test_a_transcript_is_a_dialogue_in_causal_order() -> None:
    """A message is shown once, at its sending; an answer that became a message is that message; losses are marked."""
    assert str(trace_of(ROWS).conversation("shop/1")).splitlines() == [
        "conversation shop/1",
        "0.000 s  shop              opens x-net on t-1 with ada, bob, cyd, without a deadline",
        "0.000 s  shop -> 3 agents  Call(task='t-1', reply_by=2)  to ada, bob, cyd  (lost on the way to cyd)",
        "0.500 s  ada               crash()",
        "0.500 s  ada -> shop       Offer(price=3)",
        "0.750 s  bob               decides bid: None  (silent: the answer that stands otherwise)",
        "0.750 s  bob -> shop       Offer(price=4)  (lost: on the way)",
        "2.000 s  shop              awards t-1 to ada at 3",
        "2.500 s  shop              settles t-1: pays 3 to ada",
        "2.500 s  shop              finishes: done",
    ]


def test_a_transcript_shows_children_and_the_backstage_when_asked() -> None:
    trace = trace_of(ROWS)
    with_children = str(trace.conversation("shop/1", children=True))
    assert "[/ada/1] performed t-1: done (cost 1, quality 0.5, seconds 2)" in with_children
    assert "[.] finishes: done" in with_children
    everything = str(trace.conversation("shop/1", everything=True))
    assert "is asked bid, until 1.5 s\n" in everything
    live = trace_of([(0.5, "ask", "shop/1", "ada", "bid", math.inf, CALL)]).conversation(
        "shop/1", everything=True
    )
    assert "is asked bid, without a deadline: Call(task='t-1', reply_by=2)" in str(live)
    assert "decides bid: Offer(price=3)" in everything
    assert len(trace.conversation("shop/1", children=True)) == len(trace.conversation("shop/1")) + 1


def test_fields_at_their_defaults_are_not_missed() -> None:
    """Structs leave them out when encoded: an award at 0 and a report without numbers are readable all the same."""
    told = str(
        trace_of(
            [
                (0.0, "award", "c/1", "shop", Award("t-1", "ada")),
                (0.0, "award", "c/1", "shop", Award("t-1", "bob", 2.0, quantity=0)),
                (0.0, "performed", "c/1", "ada", "t-1", Report("failed")),
                (0.0, "finish", "c/1", "shop", Outcome("failed", why="no result")),
            ]
        ).conversation("c/1")
    )
    assert "awards t-1 to ada at 0\n" in told
    assert "charges bob 2 for t-1\n" in told
    assert "performed t-1: failed\n" in told
    assert told.endswith("finishes: failed: no result")


def test_a_conversation_is_not_its_namesake() -> None:
    """shop/1 is neither shop/10 nor, without children, shop/1/ada/1."""
    rows = [(0.0, "crash", c, "ada") for c in ("shop/1", "shop/10", "shop/1/ada/1")]
    trace = trace_of(rows)
    assert len(trace.conversation("shop/1")) == 1
    assert [row.conversation for row in trace.conversation("shop/1", children=True)] == [
        "shop/1",
        "shop/1/ada/1",
    ]


def test_an_unknown_conversation_is_a_key_error_that_names_the_nearest() -> None:
    trace = trace_of([(0.0, "crash", f"router/{k}", "ada") for k in range(1, 30)])
    with pytest.raises(UnknownConversationError) as caught:
        trace.conversation("router/171")
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, WalrasError)
    assert str(caught.value).startswith(
        "the trace has no conversation 'router/171'; the nearest are router/17"
    )
    with pytest.raises(UnknownConversationError, match="it has none at all"):
        Trace().conversation("router/1")


def test_every_kind_of_row_can_be_read_in_a_transcript_with_few_details_too() -> None:
    """A runtime of another version may leave details out: the transcript shows what there is."""
    for kind in DETAILS:
        trace = trace_of([(0.0, kind, "c/1", "ada")])
        assert "ada" in str(trace.conversation("c/1", everything=True))


# ------------------------------------------------------------------------------------------------------- differences


def test_equal_traces_do_not_differ_and_nan_equals_nan() -> None:
    rows = [(math.nan, "note", "", "a", "x")]
    assert trace_of(rows).first_difference(trace_of(rows)) is None
    assert trace_of(ROWS, 3).first_difference(trace_of(ROWS, 4)) is None


@pytest.mark.parametrize("number", [0, 1, 6, len(ROWS) - 1])
def test_the_first_difference_names_the_row_and_shows_both(number: int) -> None:
    other = [*ROWS[:number], (9.0, "note", "shop/1", "shop", "something else"), *ROWS[number + 1 :]]
    found = trace_of(ROWS, 4).first_difference(trace_of(other, 5))
    assert found is not None
    assert found.number == number
    assert found.this == list(trace_of(ROWS))[number]
    assert found.other is not None
    assert found.other.details == {"text": "something else"}
    assert list(found.before) == list(trace_of(ROWS))[max(0, number - 3) : number]
    assert f"the traces part at row {number}" in str(found)
    assert "something else" in str(found)


def test_a_trace_that_ends_early_differs_where_it_ends() -> None:
    found = trace_of(ROWS[:-1]).first_difference(trace_of(ROWS))
    assert found is not None
    assert (found.number, found.this) == (len(ROWS) - 1, None)
    assert "(has ended)" in str(found)


def test_a_difference_of_type_only_is_found() -> None:
    """1 and 1.0 are equal in Python and not in a trace: the digest differs, so there must be a first difference."""
    found = trace_of([(1, "crash", "c", "a")]).first_difference(trace_of([(1.0, "crash", "c", "a")]))
    assert found is not None
    assert found.number == 0


# ------------------------------------------------------------------------------------------------------------ tables


def test_the_message_table_has_a_row_per_message() -> None:
    table = trace_of(ROWS).to_pandas()
    assert list(table.columns) == ["sent_s", "arrival_s", "conversation", "sender", "to", "type", "message"]
    assert list(zip(table["sender"], table["to"], table["type"], strict=True)) == [
        ("shop", "cyd", "Call"),
        ("shop", "ada", "Call"),
        ("shop", "bob", "Call"),
        ("ada", "shop", "Offer"),
        ("bob", "shop", "Offer"),
    ]
    assert table["arrival_s"].isna().tolist() == [True, False, False, False, True]
    assert json.loads(table["message"][1]) == {"task": "t-1", "reply_by": 2.0}


def test_other_kinds_have_tables_of_their_own() -> None:
    answers = trace_of(ROWS).to_pandas(kind="answer")
    assert list(answers.columns) == ["at_s", "conversation", "agent", "name", "answer", "status"]
    assert answers["status"].tolist() == ["ok", "silent"]
    assert json.loads(answers["answer"][0]) == {"type": "Offer", "price": 3.0}
    everything = trace_of(ROWS).columns(None)
    assert everything["kind"][:3] == ["open", "lost", "broadcast"]
    assert {len(column) for column in everything.values()} == {len(ROWS)}
    assert trace_of(ROWS).columns("checkpoint") == {"at_s": [], "conversation": [], "agent": []}


def test_the_table_of_an_empty_trace_has_its_columns() -> None:
    assert list(Trace().to_pandas().columns) == list(trace_of(ROWS).to_pandas().columns)


# -------------------------------------------------------------------------------------------------------------- file


ODD_VALUES = [
    math.inf, -math.inf, math.nan, -math.nan, -0.0, 0.1 + 0.2, 1e16, 5e-324, 1e308, 2**64 - 1, -(2**63), True, None,
    b"\x00\xff", b"", datetime(2030, 1, 2, 3, 4, 5, 6, UTC), {"$float": "inf"}, {"$new": 1, "x": 2}, {"type": "x"}, [], {},
    "\u2028 \x00 é 🜚 \"quoted\"", ["nested", {"deep": [b"x", math.inf]}],
]  # fmt: skip


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_every_value_survives_the_file(value: object, tmp_path: Path) -> None:
    """JSON has no NaN, infinities, bytes or times, and would take our tags for its own: all come back bit by bit."""
    trace = trace_of([(0.0, "note", "", "a", value), (1, "note", "", "a", 1.0)])
    trace.to_jsonl(tmp_path / "t.jsonl")
    back = Trace.from_jsonl(tmp_path / "t.jsonl")
    assert back.digest == trace.digest
    assert back.first_difference(trace) is None


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_like)
def test_values_survive_json_bit_by_bit(value: Any) -> None:
    stored = decode(encode(value))
    text = json.dumps(to_json(stored), allow_nan=False)
    assert encode_as_is(from_json(json.loads(text))) == encode_as_is(stored)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trace_of(ROWS).to_jsonl(tmp_path / "t.jsonl")
    return tmp_path / "t.jsonl"


def test_the_file_is_json_with_a_header(saved: Path) -> None:
    """Strict JSON throughout: other tools read it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    header, *rows = [
        json.loads(line, parse_constant=refuse) for line in saved.read_text("utf-8").splitlines()
    ]
    assert header == {"walras_trace": 1, "digest": trace_of(ROWS).digest, "rows": len(ROWS)}
    assert rows[0] == [
        0.0,
        "open",
        "shop/1",
        "shop",
        "x-net",
        ["t-1"],
        ["ada", "bob", "cyd"],
        {"$float": "inf"},
    ]
    assert rows[6][1] == 1


def test_a_file_of_many_rows_comes_back_whole(tmp_path: Path) -> None:
    trace = trace_of([(float(k), "crash", "c", f"agent-{k}") for k in range(9_000)], chunk=1_000)
    trace.to_jsonl(tmp_path / "t.jsonl")
    assert Trace.from_jsonl(tmp_path / "t.jsonl") == trace


def damage(path: Path, line: int, text: str | None) -> None:
    lines = path.read_text("utf-8").splitlines()
    lines[line - 1 : line] = [] if text is None else [text]
    path.write_text("".join(f"{kept}\n" for kept in lines), "utf-8")


BYTES = b64encode(b"\xc1").decode()  # not MessagePack


@pytest.mark.parametrize(
    ("line", "text", "says"),
    [
        (4, '[0.5, "crash", ', "line 4 is .* expected one row of a trace"),
        (4, "", "line 4 is '' *; expected one row"),
        (4, "17", "line 4 is '17'"),
        (4, '["soon", "crash", "c", "ada"]', "line 4 is"),
        (4, '[0.5, 1, 2, "c"]', "line 4 is"),
        (4, '[0.5, 2, "c", "ada"]', "line 4 is"),
        (4, '[0.5, "broadcast", "c", "ada", 1, 2, 3]', "line 4 is"),
        (4, '[0.5, "note", "c", "ada", {"$float": "many"}]', "line 4 is"),
        (4, '[0.5, "note", "c", "ada", {"$bytes": "%"}]', "line 4 is"),
        (4, '[0.5, "note", "c", "ada", {"$other": 1}]', "line 4 is"),
        (4, '[0.5, "note", "c", "ada", {"$msgpack": "' + BYTES + '"}]', "line 4 is"),
        (4, '[0.6, "crash", "shop/1", "ada"]', "line 1 names the digest .* a row was changed"),
        (4, None, "line 1 promises 14 rows, but the file has 13"),
        (1, '{"walras_trace": 2, "digest": "", "rows": 1}', "schema 2; expected one from 1 to 1"),
        (1, '{"rows": 1}', "expected the header of a trace"),
        (1, None, "line 1 is .*; expected the header of a trace"),
    ],
)
def test_a_damaged_file_is_one_sentence_that_names_the_line(
    saved: Path, line: int, text: str | None, says: str
) -> None:
    damage(saved, line, text)
    with pytest.raises(WalrasError, match=says) as caught:
        Trace.from_jsonl(saved)
    assert type(caught.value) is WalrasError
    assert str(caught.value).startswith(str(saved))
    assert "\n" not in str(caught.value)


def test_binary_rubbish_an_empty_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with pytest.raises(WalrasError, match=r"t\.jsonl cannot be read: No such file"):
        Trace.from_jsonl(path)
    path.write_bytes(b"")
    with pytest.raises(WalrasError, match="line 1 is missing"):
        Trace.from_jsonl(path)
    path.write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(WalrasError, match=r"line 1 is .* expected the header"):
        Trace.from_jsonl(path)


def test_a_trace_survives_pickling_and_goes_on() -> None:
    trace = Trace()
    trace.rows.append((0.0, "note", "", "ada", "it begins"))
    twin = pickle.loads(pickle.dumps(trace))
    assert twin == trace and [row.details for row in twin] == [{"text": "it begins"}]
    for each in (trace, twin):
        each.rows.append((1.0, "note", "", "ada", "it goes on"))
    assert twin.digest == trace.digest

    counting = Trace(keep=False)
    counting.rows.append((0.0, "note", "", "ada", "it begins"))
    with pytest.raises(WalrasError, match="only counted"):
        pickle.dumps(counting)


Wide = msgspec.defstruct(
    "Wide", [(f"field_{k}", int, 0) for k in range(20)], bases=(Message,), frozen=True, tag="Wide"
)


@pytest.mark.parametrize("fields", [0, 3, 14, 15, 20])
def test_a_struct_of_many_fields_comes_back_from_a_file_with_its_digest(fields: int, tmp_path: Path) -> None:
    """Defaults are left out, and MessagePack has a header of another length for fewer fields."""
    trace = Trace()
    trace.rows.append((0.5, 1, 3, "c/1", "ada", "shop", Wide(*range(1, fields + 1)), 0.2))
    trace.to_jsonl(tmp_path / "trace.jsonl")
    again = Trace.from_jsonl(tmp_path / "trace.jsonl")
    assert (again.digest, again.bytes) == (trace.digest, trace.bytes)


@pytest.mark.parametrize("before", [(), (56832,), (56832, 56832), (-34,), (-34, -34, -34)])
def test_a_long_header_is_found_wherever_it_stands(before: tuple[int, ...]) -> None:
    """Also first of all, and behind numbers whose bytes look like one (56832 is ``de 00``, -34 is ``de``)."""
    value: Any = [*before, Wide()] if before else Wide()
    assert encode(value) == encode_as_is(decode(encode(value)))
