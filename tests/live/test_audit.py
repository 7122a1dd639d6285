"""The audit trail: all facts, once each, in a chain that shows what was done to it."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from contractnet import ContractNet
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Task
from walras.live import Live, Rules
from walras.live.audit import AuditError, AuditTrail, head_of, sealed, verify
from walras.testing.live import KilledHere, Observer
from walras.testing.virtual_time import run_virtually
from walras.trace import Trace

NET = ContractNet(reply_within_s=2.0)


def lived(
    path: Path,
    tasks: int = 1,
    stop_after_s: float = inf,
    journal: Path | None = None,
    cost: float = 2.0,
    **rules: Any,
) -> Trace:
    """A market with an audit trail; all that happened in it."""

    async def main() -> Trace:
        async with Live(
            wall=asyncio.get_running_loop().time, journal=journal, rules=Rules(audit=path, **rules)
        ) as market:
            for name, own in {"ada": 3.0, "bob": cost}.items():
                market.add(Agent(name, costs={"job": own}, deliberation_s=1.0))
            for k in range(tasks):
                conversation = market.open(NET, [Task(f"t{k}", kind="job")], 60.0)
                if market.now < stop_after_s:
                    await market.result(conversation)
            return market.trace

    trace: Trace = run_virtually(main())
    return trace


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    path = tmp_path / "market.audit"
    lived(path)
    return path


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def problems(path: Path, **more: Any) -> list[tuple[int, str]]:
    return [(finding.line, finding.problem) for finding in verify(path, **more).findings]


def test_every_fact_is_in_it_in_order_with_names(tmp_path: Path) -> None:
    path = tmp_path / "market.audit"
    trace = lived(path, tasks=2)
    content = [json.loads(line) for line in lines(path)]
    facts = [line["fact"] for line in content if "fact" in line]
    assert [(f["at"], f["kind"], f["conversation"], f["agent"]) for f in facts] == [
        (row.at, row.kind, row.conversation, row.agent) for row in trace
    ]
    assert [line["line"] for line in content] == list(range(1, len(content) + 1))
    assert (content[0]["format"], content[1]["market"]["recovered"]) == ("walras-audit/1", False)
    assert content[-1]["closed"] == {"facts": len(trace)}
    award = next(fact for fact in facts if fact["kind"] == "award")
    assert award["details"]["line"] == {"type": "Award", "item": "t0", "winner": "bob", "price": 2.0}


def test_an_untouched_trail_is_sound(trail: Path) -> None:
    found = verify(trail)
    assert (found.sound, found.closed, found.lines) == (True, True, len(lines(trail)))
    assert found.head in trail.read_text().splitlines()[-1]


def test_what_has_happened_is_in_it_before_it_leaves_the_market(tmp_path: Path) -> None:
    path = tmp_path / "market.audit"
    seen: list[bool] = []

    async def mind(question: Any, agent: Agent) -> Any:
        seen.append(b'"kind":"ask"' in path.read_bytes())

    async def main() -> None:
        async with Live(wall=asyncio.get_running_loop().time, rules=Rules(audit=path)) as market:
            market.add(Agent("ada", mind))
            await market.run(NET, [Task("t")], 10.0)

    run_virtually(main())
    assert seen and all(seen)


# ------------------------------------------------------------------------------------------------------ tampering


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(place=st.integers(0, 1_000), at=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_any_changed_bit_is_found_at_its_line(trail: Path, place: int, at: float, bit: int) -> None:
    before = lines(trail)
    k = place % len(before)
    changed = bytearray(before[k][:-1])
    changed[int(at * len(changed))] ^= 1 << bit
    if b"\n" in changed:
        return
    after = trail.with_name("changed")
    after.write_bytes(b"".join([*before[:k], bytes(changed) + b"\n", *before[k + 1 :]]))
    head_of(after).write_bytes(head_of(trail).read_bytes())
    found = problems(after)
    assert found and found[0][0] in (k, k + 1, k + 2), "the line, or its neighbours who miss it"


Change = Callable[[list[bytes]], list[bytes]]


def other_price(content: list[bytes]) -> list[bytes]:
    return [line.replace(b'"price":2.0', b'"price":9.0') for line in content]


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (lambda c: [*c[:6], c[6].replace(b'"at":', b'"at":1'), *c[7:]], 7, "was changed"),
        (lambda c: [*c[:6], *c[7:]], 7, "before it, number 7 is missing"),
        (lambda c: [*c[:6], *c[9:]], 7, "before it, numbers 7 to 9 are missing"),
        (lambda c: c[1:], 1, "before it, number 1 is missing"),
        (lambda c: [*c[:6], c[7], c[6], *c[8:]], 7, "number 8 is not at its place, number 7 was due"),
        (lambda c: [*c[:6], c[6], *c[6:]], 8, "number 7 is there for the second time"),
        (lambda c: [*c[:6], b"{}\n", *c[6:]], 7, "it is no line of an audit trail"),
        (lambda c: c[:-1], 0, "is missing: the file was cut off"),
        (lambda c: c[:-4], 0, "are missing: the file was cut off"),
        (lambda c: [*c[:-1], c[-1][:30]], 0, "it was broken off"),
    ],
)
def test_what_was_done_to_it_is_named(trail: Path, change: Change, line: int, said: str) -> None:
    changed = change(lines(trail))
    trail.write_bytes(b"".join(changed))
    place = line or len(changed)
    assert any(where == place and said in what for where, what in problems(trail)), problems(trail)


def test_a_line_that_was_sealed_anew_is_missed_by_the_next(trail: Path) -> None:
    before = lines(trail)
    k = next(k for k, line in enumerate(before) if b'"price":2.0' in line)
    body = json.loads(before[k - 1])["seal"], before[k].partition(b',"seal":')[0].replace(b":2.0", b":9.0")
    forged = b'%b,"seal":"%b"}\n' % (body[1], sealed(*body).encode())
    trail.write_bytes(b"".join([*before[:k], forged, *before[k + 1 :]]))
    assert problems(trail) == [(k + 2, "it, or the seal before it, was changed")]


def test_a_chain_that_was_forged_anew_does_not_match_what_was_noted(trail: Path, tmp_path: Path) -> None:
    noted = verify(trail).head
    forged = tmp_path / "forged"
    trace = Trace()
    trace.rows.append((0.0, "award", "house/1", "house", {"winner": "eve"}))
    forger = AuditTrail(forged, trace)
    forger.begin({}, recovered=False)
    forger.close(whole=True)
    assert verify(forged).sound, "nothing shows in the file alone"
    assert problems(forged, head=noted) == [(4, f"no line has the seal {noted[:12]}... that was noted")]
    assert verify(trail, head=noted).sound


def test_with_a_secret_nobody_else_can_forge_a_line(tmp_path: Path) -> None:
    path = tmp_path / "market.audit"
    lived(path, secret=b"ours")
    assert verify(path, key=b"ours").sound
    assert problems(path)[0] == (1, "it was changed")
    assert "another secret" in problems(path, key=b"theirs")[0][1]


def test_without_its_head_nobody_knows_whether_it_is_whole(trail: Path) -> None:
    head_of(trail).unlink()
    assert "lines may have been cut off" in problems(trail)[0][1]
    head_of(trail).write_text("nonsense")
    assert "is damaged" in problems(trail)[0][1]


@pytest.mark.parametrize("content", [None, b"", b"hello\n", b"\xff\xfe\x00\n\n", b'{"line":1}\n'])
def test_what_is_no_audit_trail_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AuditError, match="expected"):
        verify(path)


# ------------------------------------------------------------------------------------------------------- going on


def test_a_market_that_is_started_again_continues_the_chain_without_a_double(tmp_path: Path) -> None:
    path, journal = tmp_path / "market.audit", tmp_path / "market.db"
    lived(path, stop_after_s=0.0, journal=journal)
    first = verify(path)
    trace = lived(path, journal=journal)
    found = verify(path, head=first.head)
    assert found.sound and found.facts == len(trace) > first.facts


def test_a_kill_within_the_last_line_costs_nothing(tmp_path: Path) -> None:
    """What the journal has and the trail lacks is added."""
    path, journal = tmp_path / "market.audit", tmp_path / "market.db"
    lived(path, journal=journal)
    kept = lines(path)[:12]
    path.write_bytes(b"".join(kept) + b'{"line":13,"fa')
    head_of(path).write_text(f"12 {json.loads(kept[-1])['seal']}\n")
    trace = lived(path, journal=journal)
    found = verify(path)
    assert found.sound and found.facts == len(trace)
    assert lines(path)[:12] == kept


def test_what_a_market_was_at_when_it_broke_down_has_not_happened(tmp_path: Path) -> None:
    """As where the disk is full; the next life begins before it, and does it again."""
    path, journal = tmp_path / "market.audit", tmp_path / "market.db"

    async def main() -> None:
        rules = Rules(audit=path)
        async with Live(wall=asyncio.get_running_loop().time, journal=journal, rules=rules) as market:
            market.runtime.watch = observer
            for name, cost in {"ada": 3.0, "bob": 2.0}.items():
                market.add(Agent(name, costs={"job": cost}, deliberation_s=1.0))
            with pytest.raises(KilledHere):
                await market.run(NET, [Task("t0", kind="job")], 60.0)

    observer = Observer()
    observer.kill = ("house/1", "house", 3, 2)
    run_virtually(main())
    broken = verify(path)
    assert broken.sound and not broken.closed
    trace = lived(path, journal=journal)
    found = verify(path, head=broken.head)
    assert found.sound and found.facts == len(trace) > broken.facts > 0


NOTHING_YET = b"%016d %b\n" % (0, b"0" * 64)


@pytest.mark.parametrize(
    ("head", "size"),
    [(b"", None), (NOTHING_YET, None), (NOTHING_YET, 0.0), (NOTHING_YET, 0.5), (NOTHING_YET, 1.0), (NOTHING_YET, 1.5),
     (NOTHING_YET, 2.0), (NOTHING_YET, 2.5)],
)  # fmt: skip
def test_a_kill_as_it_begins_costs_nothing(tmp_path: Path, head: bytes, size: float | None) -> None:
    """Nothing was noted yet, and so many lines were written."""
    path, journal = tmp_path / "market.audit", tmp_path / "market.db"
    lived(path, journal=journal)
    whole = lines(path)
    head_of(path).write_bytes(head)
    if size is None:
        path.unlink()
    else:
        full = int(size)
        path.write_bytes(b"".join(whole[:full]) + (whole[full][:9] if size > full else b""))
    trace = lived(path, journal=journal)
    found = verify(path)
    assert found.sound and found.closed
    assert found.facts == len(trace)


@pytest.mark.parametrize(("head", "kept"), [(NOTHING_YET, 3), (None, 0), (None, 1), (b"", 0), (b"", 1)])
def test_who_takes_away_what_was_noted_does_not_go_unnoticed(
    trail: Path, head: bytes | None, kept: int
) -> None:
    trail.write_bytes(b"".join(lines(trail)[:kept]))
    if head is not None:
        head_of(trail).write_bytes(head)
    with pytest.raises(AuditError):
        lived(trail)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"tasks": 2}, r"has \d+ facts of this market, the journal leads to \d+; expected no more"),
        ({"cost": 1.0}, r"fact \d+, details.answer.price: the trail has 1.0, the journal leads to 2.0"),
    ],
)
def test_a_trail_that_tells_another_life_than_the_journal_is_refused(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    journal = tmp_path / "market.db"
    lived(tmp_path / "one", journal=journal)
    lived(tmp_path / "other", **other)
    with pytest.raises(AuditError, match=said):
        lived(tmp_path / "other", journal=journal)


def test_a_market_that_was_killed_and_has_lost_its_journal_does_not_begin_again(tmp_path: Path) -> None:
    """As where the disk has lost the end of it, or somebody has copied half of its files."""
    path, journal = tmp_path / "market.audit", tmp_path / "market.db"
    lived(path, journal=journal)
    kept = lines(path)[:-1]
    path.write_bytes(b"".join(kept))
    head_of(path).write_text(f"{len(kept)} {json.loads(kept[-1])['seal']}\n")
    with closing(sqlite3.connect(journal)) as database:
        database.executescript("DELETE FROM inputs; DELETE FROM snapshots")
    with pytest.raises(AuditError, match="a market that was killed, of which the journal knows nothing"):
        lived(path, journal=journal)
    assert verify(path).lines == len(kept), "and nothing was added to it"
    assert lived(path), "a market without a journal is always another one"


def test_a_damaged_trail_is_not_continued(trail: Path) -> None:
    trail.write_bytes(b"".join(other_price(lines(trail))))
    with pytest.raises(AuditError, match=r"is not sound: line \d+: .*was changed"):
        lived(trail)


def test_a_new_market_goes_on_in_the_same_file(trail: Path) -> None:
    before = verify(trail)
    trace = lived(trail)
    after = verify(trail, head=before.head)
    assert after.sound and after.facts == before.facts + len(trace)


def test_a_file_that_cannot_be_written_is_named_before_anything_happens(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="a file that can be written"):
        lived(tmp_path / "nowhere" / "market.audit")
