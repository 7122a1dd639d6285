"""Tables in terminals of any width: no number and no name is cut, and every block says what its rows are."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests import test_cli
from tests.test_cli import SMALL, Said
from walras.cli.table import Head, show_table

pytestmark = test_cli.pytestmark

MECHANISMS = ("-m", "contract-net", "-m", "greedy", "-m", "first-come-claim")
_NAME = re.compile(r"[\w.:=/+-]+[*%]*")


@pytest.fixture(params=[80, 60])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of so many columns."""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", str(request.param))):
        monkeypatch.setenv(name, value)
    return int(request.param)


def words(said: str) -> set[str]:
    """Numbers, names and whatever else stands in tables."""
    return set(_NAME.findall(plain(said)))


def plain(said: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)


@pytest.mark.parametrize("command", [("run",), ("compare", "--seeds", "0:3")], ids=["run", "compare"])
def test_a_terminal_shows_all_that_a_pipe_gets(
    command: tuple[str, ...],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same numbers, labels and titles, in lines that fit."""
    arguments = (command[0], "llm-router", *SMALL, *MECHANISMS, *command[1:])
    shown = Said(capsys, *arguments).out
    monkeypatch.delenv("FORCE_COLOR")
    piped = Said(capsys, *arguments).out

    assert "…" not in shown
    assert words(piped) == words(shown)
    assert max(len(line) for line in plain(shown).splitlines()) <= columns < max(map(len, piped.splitlines()))


def test_an_id_can_be_copied_from_any_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """From each block of a run's conversations."""
    Said(capsys, "run", "llm-router", *SMALL, "--out", tmp_path)
    shown = plain(Said(capsys, "show", tmp_path).out)

    assert "…" not in shown
    heads = [line for line in shown.splitlines() if line.startswith(" conversation")]
    assert len(heads) > 1
    ids = [f"router/{k}" for k in range(1, 6)] * len(heads)
    assert re.findall(r"^ (router/\d+) ", shown, re.MULTILINE) == ids


def table(width: int, heads: list[Head], *rows: tuple[str, ...], last: tuple[str, ...] = ()) -> str:
    to = Console(file=io.StringIO(), width=width)
    show_table(to, "a title", heads, rows, last)
    assert isinstance(to.file, io.StringIO)
    return "\n".join(line.rstrip() for line in to.file.getvalue().splitlines() if line.strip())


def test_titles_are_folded_before_columns_are_moved() -> None:
    heads: list[Head] = [("who", "left"), ("price per task", "right"), ("cost", "right")]
    rows = ("ada", "10.12345", "1")

    assert table(40, heads, rows).splitlines()[1] == " who   price per task   cost"
    assert table(26, heads, rows, last=("all", "", "9")).splitlines() == [
        "a title",
        "          price",
        " who   per task   cost",
        " ─────────────────────",
        " ada   10.12345      1",
        " all                 9",
    ]


def test_blocks_repeat_the_labels_and_leave_out_a_last_row_that_says_nothing() -> None:
    heads: list[Head] = [("who", "left"), ("price", "right"), ("cost", "right")]
    assert table(
        20, heads, ("ada", "10.12345", "1"), ("bob", "2", "3"), last=("all", "", "9")
    ).splitlines() == [
        "a title",
        " who      price",
        " ──────────────",
        " ada   10.12345",
        " bob          2",
        " who   cost",
        " ──────────",
        " ada      1",
        " bob      3",
        " all      9",
    ]


def test_where_nothing_fits_names_are_folded_and_numbers_stay_whole() -> None:
    """A name in brackets is no markup."""
    heads: list[Head] = [("who", "left"), ("price", "right")]
    found = table(17, heads, ("[bold]ada", "0.12345")).splitlines()
    assert found[-2:] == [" [bold   0.12345", " ]ada"]
