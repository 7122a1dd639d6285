"""What a command leaves behind when it cannot go on: what has ended is shown, and what is wrong is one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import test_cli
from tests.test_cli import ERRANDS, ROOT, Said

pytestmark = test_cli.pytestmark


def two_seeds(folder: Path, trouble: str) -> Path:
    """A settings file of four runs, the third of which comes into this trouble."""
    file = folder / f"{trouble}.yaml"
    scenario = f"{{kind: '{ERRANDS}', trouble: {trouble}, troubled: [1]}}"
    file.write_text(f"{{scenario: {scenario}, mechanisms: [greedy, random], seeds: 0:2}}")
    return file


def test_ctrl_c_shows_the_runs_that_had_ended(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One as its summary, several side by side, none as nothing."""
    file = two_seeds(tmp_path, "ctrl-c")
    several = Said(capsys, "run", file)
    assert several.code == 130
    assert "interrupted, 2 of 4 runs had ended" in several.err
    assert several.out.startswith("errands, seed 0 ") and "* best" in several.out

    one = Said(capsys, "run", file, "-m", "greedy")
    assert one.code == 130
    assert one.out.startswith("errands, greedy, seed 0\n")
    none = Said(capsys, "run", file, "--seed", "1")
    assert (none.code, none.out) == (130, "")


def test_ctrl_c_shows_what_a_comparison_has_come_to(capsys: pytest.CaptureFixture[str]) -> None:
    """As tables, or as lines of JSON."""
    command = (
        "compare",
        f"{ERRANDS}:trouble=ctrl-c,troubled=[2]",
        "-m",
        "greedy",
        "-m",
        "random",
        "--seeds",
        "0:4",
    )
    tables = Said(capsys, *command)
    lines = Said(capsys, *command, "--json")

    assert (tables.code, lines.code) == (130, 130)
    assert "interrupted, 4 runs had ended" in tables.err
    assert "errands, means over 2 seeds" in tables.out and "difference to that of greedy" in tables.out
    assert [json.loads(line)["seed"] for line in lines.out.splitlines()] == [0, 1, 0, 1]


def test_a_run_that_cannot_begin_does_not_hide_those_before(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code and sentence stay what they are."""
    said = Said(capsys, "run", ERRANDS, "-m", "greedy", "-m", "call-market")

    assert (said.code, said.err.count("\n")) == (2, 1)
    assert said.out.startswith("errands, greedy, seed 0\n")


def test_nor_does_one_that_raises(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="too much"):
        Said(capsys, "run", two_seeds(tmp_path, "raise"))
    assert capsys.readouterr().out.startswith("errands, seed 0 ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device without room")
@pytest.mark.parametrize("command", ["list", "schema"])
def test_where_nothing_can_be_written_one_sentence_says_so(command: str) -> None:
    """At a device without room, and where the shell has closed stdout; a bug of ours would be a traceback."""
    run = f"{sys.executable} -m walras {command}"
    for to, words in (
        ("/dev/full", "cannot be written: No space left on device"),
        ("&-", "stdout is closed"),
    ):
        said = subprocess.run(
            f"{run} >{to}",
            shell=True,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (said.returncode, said.stderr.count("\n")) == (2, 1)
        assert said.stderr.startswith("walras: ") and words in said.stderr
