"""The format of transcripts: directives with arguments, input and expected output."""

import re
from collections.abc import Iterator, Sequence

import msgspec

_TOKEN = re.compile(r"[^\s=]+=\([^)]*\)|\S+")
_LOG_LINE = re.compile(r"\s*(DEBUG|INFO|WARN|ERROR|FATAL)\b")
_RULE = "----"


class Directive(msgspec.Struct, frozen=True):
    """One command of a transcript and what it should print."""

    line: int
    """Where the command stands, from 1."""
    command: str
    positional: tuple[str, ...] = ()
    options: dict[str, tuple[str, ...]] = {}
    input: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()

    def ids(self) -> tuple[int, ...]:
        """The positional arguments as node ids."""
        return tuple(map(int, self.positional))

    def numbers(self, name: str) -> tuple[int, ...]:
        """An option's values as numbers, none if it is absent."""
        return tuple(map(int, self.options.get(name, ())))

    def text(self, name: str, default: str = "") -> str:
        """An option's only value."""
        values = self.options.get(name, (default,))
        return values[0] if values else default

    def number(self, name: str, default: int) -> int:
        """An option's only value, as a number."""
        return int(self.text(name, str(default)))

    def flag(self, name: str) -> bool:
        """Whether an option says true."""
        return self.text(name, "false").lower() == "true"


def read_transcript(text: str) -> list[Directive]:
    """All directives of a transcript file; none if it is something else."""
    return list(_directives(text.splitlines()))


def _directives(lines: Sequence[str]) -> Iterator[Directive]:
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        start, command = at, lines[at]
        while command.endswith("\\") and at + 1 < len(lines):
            at += 1
            command = command[:-1] + lines[at]
        at += 1
        begin = at
        while at < len(lines) and lines[at] != _RULE:
            at += 1
        if at == len(lines):
            return  # without a rule there is no directive
        given = tuple(lines[begin:at])
        expected, at = _expected(lines, at + 1)
        yield _directive(start + 1, command, given, expected)


def _expected(lines: Sequence[str], at: int) -> tuple[tuple[str, ...], int]:
    """The output that begins at a line, and where it ends: at a blank line, or at a doubled rule if it began so."""
    framed = at < len(lines) and lines[at] == _RULE
    begin = at = at + framed
    while at < len(lines):
        if framed and lines[at : at + 2] == [_RULE, _RULE]:
            return tuple(lines[begin:at]), at + 2
        if not framed and not lines[at]:
            break
        at += 1
    return tuple(lines[begin:at]), at


def _directive(line: int, text: str, given: tuple[str, ...], expected: tuple[str, ...]) -> Directive:
    command, *tokens = _TOKEN.findall(text)
    positional, options = [], {}
    for token in tokens:
        name, found, value = token.partition("=")
        if not found:
            positional.append(token)
        elif value.startswith("("):
            options[name] = tuple(re.split(r"[,\s]+", value[1:-1].strip())) if value[1:-1].strip() else ()
        else:
            options[name] = (value,)
    return Directive(line, command, tuple(positional), options, given, expected)


def without_log(lines: Sequence[str]) -> list[str]:
    """Output without its log lines, whose wording is each implementation's own; nothing left is `ok`."""
    return [line for line in lines if not _LOG_LINE.match(line)] or ["ok"]
