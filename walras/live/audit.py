"""The audit trail: every fact of a live market, in the order of occurrence, in a file that is only ever appended to.

One JSON object per line. Every line carries its number and a seal: a hash over the line and the seal of the line
before, so that no line can be changed, taken out, put in or moved without breaking the chain from there on. Beside the
file lies ``<file>.head``, the number and the seal of the last line, so that lines that are cut off at the end are missed.

Who can write to both files can forge the whole chain, unless the market has a secret (`Rules.secret`), which the seals
are then made with, or the head was noted elsewhere.

A trail is written after the journal and before anything leaves the market. So after a kill the trail may lack the facts
of the last turn: the market that is brought back knows them, and they are added.
"""

import hmac
import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import msgspec

from walras.errors import ScenarioError, WalrasError
from walras.live.sameness import differences
from walras.trace import Trace
from walras.trace.file import to_json
from walras.trace.rows import Raw, decode, encode_rows, read_row

FORMAT = "walras-audit/1"
FIRST_SEAL = "0" * 64

_BEGINNING = 2
"""Lines that a trail begins with, before its head is noted for the first time."""

_LINE = re.compile(rb'(\{"line":(\d+),.*),"seal":"([0-9a-f]{64})"\}', re.DOTALL)
_encode = msgspec.json.Encoder().encode


class AuditError(WalrasError):
    """An audit trail that is damaged, or that another market has written, is not continued."""


class Finding(msgspec.Struct, frozen=True):
    """What is wrong with a trail, and where: the number of the line in the file, from 1."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


class Verified(msgspec.Struct, frozen=True):
    """What `verify` has found."""

    lines: int
    facts: int
    head: str
    """The seal of the last line: noted elsewhere, it proves later that nothing was cut off or written anew."""
    closed: bool
    """Whether the market was closed in order; else it was killed, goes on, or the end is missing."""
    findings: tuple[Finding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class AuditTrail:
    """Appends what happens in a market; made by `Live` where ``Rules(audit=...)`` names a file.

    Args:
        path: of the file; one that exists is continued, if it is sound.
        trace: what has happened.
        key: seals the lines; empty: they are only hashed.
        fsync: whether to wait for the disk.

    Raises:
        AuditError: for a file that is no audit trail, or a damaged one.
    """

    def __init__(self, path: str | Path, trace: Trace, key: bytes = b"", *, fsync: bool = False) -> None:
        self.path, self.trace, self.key, self.fsync = Path(path), trace, key, fsync
        self.number, self.seal = 0, FIRST_SEAL
        self.told = 0
        """How many rows of the trace are in the file."""
        self._closed = True
        """Whether the last market in the file came to its end."""
        self._file: IO[bytes] | None = None
        self._head: int | None = None

    # ------------------------------------------------------------------ writing
    def begin(self, market: Mapping[str, Any], recovered: bool, journaled: bool = False) -> None:
        """Open the file, and go on where it ends: a market that was brought back adds what it lacks.

        A market that was killed goes on with its journal; one that has lost it, as a damaged disk may, would do all again.
        """
        known = self._continued()
        if recovered:
            self._check(known)
            self.told = len(known)
        elif journaled and known and not self._closed:
            raise AuditError(
                f"{self.path} ends with a market that was killed, of which the journal knows nothing; "
                "expected the journal of that market, or another trail"
            )
        try:
            self._head = os.open(head_of(self.path), os.O_CREAT | os.O_WRONLY, 0o666)
            if not self.number:
                self._note_head()  # before there is a file: a kill in between leaves a trail of nothing
            self._file = self.path.open("ab")
        except OSError as error:
            if self._head is not None:
                os.close(self._head)
            raise ScenarioError(
                "audit", str(self.path), f"a file that can be written ({error.strerror})"
            ) from None
        if not self.number:
            self._append({"format": FORMAT})
        self._append({"market": {**market, "recovered": recovered}})
        self._save()
        self.keep_up()

    def keep_up(self) -> None:
        """Write down what has happened since the last time, and see it safe."""
        rows = self.trace.since(self.told)
        for fact in _facts(rows):
            self._append({"fact": fact})
        self.told += len(rows)
        if rows:
            self._save()

    def close(self, *, whole: bool) -> None:
        """The market is closed. One that broke down has no proper end: what is not in its journal has not happened."""
        if self._file is None:
            return
        if whole:
            self.keep_up()
            self._append({"closed": {"facts": self.told}})
            self._save()
        self._file.close()
        assert self._head is not None
        os.close(self._head)
        self._file = self._head = None

    def _append(self, content: Mapping[str, Any]) -> None:
        assert self._file is not None
        self.number += 1
        body = _encode({"line": self.number, **content})[:-1]
        self.seal = sealed(self.seal, body, self.key)
        self._file.write(b'%b,"seal":"%b"}\n' % (body, self.seal.encode()))

    def _save(self) -> None:
        assert self._file is not None
        self._file.flush()
        if self.fsync:
            os.fsync(self._file.fileno())
        self._note_head()

    def _note_head(self) -> None:
        assert self._head is not None
        os.lseek(self._head, 0, os.SEEK_SET)  # it is always as long, so it is written in place
        os.write(self._head, b"%016d %b\n" % (self.number, self.seal.encode()))
        if self.fsync:
            os.fsync(self._head)

    # ------------------------------------------------------------------ going on
    def _continued(self) -> list[Any]:
        """The facts of the last market in the file. What a kill has left of a last line is taken away."""
        if not self.path.exists():
            return []
        whole = self.path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if not end and _noted(self.path) == (0, FIRST_SEAL):
            self.path.write_bytes(b"")
            return []
        if end < len(whole):
            with self.path.open("r+b") as file:
                file.truncate(end)
        found = verify(self.path, self.key)
        if not found.sound:
            raise AuditError(
                f"{self.path} is not sound: {found.findings[0]}; expected one that can be continued"
            )
        self.number, self.seal, self._closed = found.lines, found.head, found.closed
        facts: list[Any] = []
        for line in whole[:end].splitlines():
            content = msgspec.json.decode(line)
            if not content.get("market", {"recovered": True})["recovered"]:
                facts = []
            if "fact" in content:
                facts.append(content["fact"])
        return facts

    def _check(self, known: list[Any]) -> None:
        """The market that was brought back must have lived the life that the trail tells."""
        lived = _facts(self.trace.since(0)[: len(known)])
        k = -1
        for k, (told, fact) in enumerate(zip(known, lived, strict=False)):
            for path, noted, now in differences(told, msgspec.json.decode(_encode(fact))):
                raise AuditError(
                    f"{self.path} and the journal disagree about fact {k + 1}, {path}: the trail has {_short(noted)}, "
                    f"the journal leads to {_short(now)}"
                )
        if k + 1 < len(known):
            raise AuditError(
                f"{self.path} has {len(known)} facts of this market, the journal leads to {k + 1}; expected no more"
            )


def _facts(rows: list[Raw]) -> Iterator[dict[str, Any]]:
    """Rows as plain objects; both those that are live and those that were encoded before give the same."""
    for raw in decode(encode_rows(rows)) if rows else ():
        row = read_row(raw)
        yield {f: to_json(getattr(row, f)) for f in row.__struct_fields__}


def _short(fact: Any) -> str:
    text = _encode(fact).decode()
    return text if len(text) < 120 else text[:117] + "..."


def sealed(before: str, body: bytes, key: bytes = b"") -> str:
    """The seal of a line: of its text up to the seal, and of the seal before."""
    content = before.encode() + body
    return hmac.digest(key, content, "sha256").hex() if key else sha256(content).hexdigest()


def head_of(path: Path) -> Path:
    """Where the number and the seal of the last line stand."""
    return path.with_name(path.name + ".head")


# --------------------------------------------------------------------------------------------------- verifying


class _Line(msgspec.Struct, frozen=True):
    """A line as it stands in the file: its place, the number that it says, its text without the seal, its seal."""

    place: int
    number: int
    body: bytes
    seal: str


def verify(path: str | Path, key: bytes = b"", head: str = "") -> Verified:
    """Check an audit trail line by line.

    Args:
        path: of the file.
        key: the market's secret, if it has one.
        head: the seal of a line that was noted elsewhere; it has to be in the file.

    Returns:
        What was found: every line that was changed, is missing, is repeated or stands at the wrong place, is named.

    Raises:
        AuditError: for a file that cannot be read, or is no audit trail.
    """
    try:
        whole = Path(path).read_bytes()
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}; expected an audit trail") from None
    lines = whole.split(b"\n")
    rest, findings = lines.pop(), []
    read = [_read(place, line) for place, line in enumerate(lines, start=1)]
    findings += [
        Finding(k, "it is no line of an audit trail") for k, line in enumerate(read, 1) if line is None
    ]
    sound = [line for line in read if line is not None]
    if not sound:
        raise AuditError(f"{path} has no line of an audit trail; expected {FORMAT}")
    findings += _order(sound)
    findings += _chain(sound, key)
    if rest:
        findings.append(Finding(len(lines) + 1, "it was broken off"))
    findings += _end(Path(path), sound, head)
    last = sound[-1]
    return Verified(
        lines=len(lines),
        facts=sum(b',"fact":' in line.body[:40] for line in sound),
        head=last.seal,
        closed=b',"closed":' in last.body[:40],
        findings=tuple(sorted(findings, key=lambda finding: finding.line)),
    )


def _read(place: int, line: bytes) -> _Line | None:
    match = _LINE.fullmatch(line)
    return None if match is None else _Line(place, int(match[2]), match[1], match[3].decode())


def _order(lines: list[_Line]) -> Iterator[Finding]:
    """Numbers that are missing, repeated, or not where they belong."""
    seen: set[int] = set()
    there = {line.number for line in lines}
    expected = 1
    for line in lines:
        if line.number in seen:
            yield Finding(line.place, f"number {line.number} is there for the second time")
        elif line.number != expected:
            gone = [number for number in range(expected, line.number) if number not in there]
            if gone:
                yield Finding(line.place, f"before it, {_numbers(gone)} missing")
            if expected in there - seen or line.number < expected:
                yield Finding(
                    line.place, f"number {line.number} is not at its place, number {expected} was due"
                )
        seen.add(line.number)
        expected = max(expected, line.number + 1)


def _numbers(gone: list[int]) -> str:
    if len(gone) == 1:
        return f"number {gone[0]} is"
    return f"numbers {gone[0]} to {gone[-1]} are"


def _chain(lines: list[_Line], key: bytes) -> Iterator[Finding]:
    """Lines whose seal is not that of their text after the line with the number before."""
    seals = {0: FIRST_SEAL} | {line.number: line.seal for line in reversed(lines)}
    for line in lines:
        before = seals.get(line.number - 1)
        if before is not None and line.seal != sealed(before, line.body, key):
            what = "it, or the seal before it, was changed" if line.number > 1 else "it was changed"
            yield Finding(line.place, what if not key else f"{what}, or it was sealed with another secret")


def _end(path: Path, lines: list[_Line], head: str) -> Iterator[Finding]:
    """What the head says of the end, and what somebody has noted of it."""
    last = lines[-1]
    if head and all(line.seal != head for line in lines):
        yield Finding(last.place, f"no line has the seal {head[:12]}... that was noted")
    beside = head_of(path)
    if not beside.exists():
        yield Finding(last.place, f"{beside.name} is missing, so lines may have been cut off after it")
        return
    noted = _noted(path)
    if noted is None:
        yield Finding(last.place, f"{beside.name} is damaged, so lines may have been cut off after it")
        return
    number = noted[0]
    if number > last.number:
        gone = _numbers(list(range(last.number + 1, number + 1)))
        yield Finding(last.place, f"after it, {gone} missing: the file was cut off")
    elif noted == (0, FIRST_SEAL) and last.number <= _BEGINNING:
        return  # killed as it began
    elif all((line.number, line.seal) != noted for line in lines):
        yield Finding(last.place, f"line {number} had another seal when it was written, says {beside.name}")


def _noted(path: Path) -> tuple[int, str] | None:
    """The number and the seal that stand beside a trail; None if they cannot be read."""
    try:
        match = re.fullmatch(r"(\d+) ([0-9a-f]{64})\n", head_of(path).read_text(errors="replace"))
    except OSError:
        return None
    return (int(match[1]), match[2]) if match is not None else None
