"""Transcripts found, run and compared."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from consensus.raft.transcripts.commands import Stage
from consensus.raft.transcripts.reading import Directive, read_transcript, without_log
from walras.errors import WalrasError


class Difference(msgspec.Struct, frozen=True):
    """Where a transcript and our Raft part first."""

    line: int
    command: str
    expected: tuple[str, ...]
    printed: tuple[str, ...]


class FileResult(msgspec.Struct, frozen=True):
    """How one transcript went."""

    file: str
    """Its path within the folder that was searched."""
    directives: int
    matched: int
    difference: Difference | None = None


class Summary(msgspec.Struct, frozen=True):
    """How all went; the counts are of files and of directives."""

    files: int
    files_passed: int
    directives: int
    directives_matched: int
    differences: dict[str, Difference]
    """The first difference of each file that has one."""


def run_transcript(name: str, text: str) -> FileResult:
    """One transcript, from an empty stage; it is run to its end whatever differs."""
    stage, matched, first = Stage(), 0, None
    directives = read_transcript(text)
    for directive in directives:
        printed = _run(stage, directive)
        if without_log(printed) == without_log(directive.expected):
            matched += 1
        elif first is None:
            expected = tuple(directive.expected)
            first = Difference(directive.line, directive.command, expected, tuple(printed))
    return FileResult(name, len(directives), matched, first)


def _run(stage: Stage, directive: Directive) -> list[str]:
    """What a directive prints; what is wrong with it, or an assertion of ours that fails, is a difference like any other."""
    try:
        return stage.run(directive)
    except AssertionError as error:
        return [f"AssertionError: {error}"]
    except (LookupError, TypeError, ValueError) as error:
        return [f"these arguments make no sense here ({error})"]


def run_folder(folder: Path) -> list[FileResult]:
    """Every transcript of a folder and its subfolders, in order of names; other text files are left out.

    Raises `WalrasError` for a file that cannot be read.
    """
    results = [
        run_transcript(path.relative_to(folder).as_posix(), _text(path))
        for path in sorted(folder.rglob("*.txt"))
    ]
    return [result for result in results if result.directives]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise WalrasError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WalrasError(f"{path} is not text in UTF-8") from None


def summarize(results: Iterable[FileResult]) -> Summary:
    """The counts of some results."""
    results = list(results)
    return Summary(
        files=len(results),
        files_passed=sum(result.matched == result.directives for result in results),
        directives=sum(result.directives for result in results),
        directives_matched=sum(result.matched for result in results),
        differences={r.file: r.difference for r in results if r.difference is not None},
    )
