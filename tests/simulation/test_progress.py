"""The progress bar: on long runs in a terminal, on stderr, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.worlds import RULES, Errands
from walras import Simulation
from walras.simulation import progress

ROOT = Path(__file__).resolve().parents[2]
RUN = """
from tests.simulation.worlds import RULES, Errands
from walras import Simulation
from walras.simulation import progress
progress._PATIENCE_S = {patience}
progress._REFRESH_S = 0.0
print(Simulation(Errands(tasks=30), RULES).run(progress={wanted}).digest)
"""


def shown(*, patience: float = 0.0, wanted: bool | None = None) -> tuple[str, str]:
    """What a run prints to stdout, which is a pipe, and to stderr, which is a terminal."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    ours, theirs = pty.openpty()
    code = RUN.format(patience=patience, wanted=wanted)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        assert child.stdout is not None
        screen = b"".join(iter(lambda: read(ours), b""))
        out = child.stdout.read().decode()
    os.close(ours)
    assert child.returncode == 0, screen.decode()
    return out, screen.decode()


def read(terminal: int) -> bytes:
    """What has come to a terminal; nothing once its other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that it is closed
        return b""


def test_a_long_run_in_a_terminal_shows_how_many_conversations_have_ended() -> None:
    """The bar goes to the terminal; what is printed goes to stdout and stays clean."""
    out, screen = shown()
    assert "simulating" in screen
    assert "30/30" in screen
    assert "s simulated" in screen
    assert len(out.strip()) == 64


def test_a_short_run_shows_no_bar() -> None:
    """Nothing before a second has passed: a bar that flickers tells nobody anything."""
    assert "simulating" not in shown(patience=60.0)[1]


def test_a_bar_that_is_not_wanted_is_not_shown() -> None:
    assert "simulating" not in shown(wanted=False)[1]


@pytest.mark.parametrize("wanted", [None, False])
def test_there_is_no_bar_where_there_is_no_terminal(
    wanted: bool | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    Simulation(Errands(), RULES).run(progress=wanted)
    assert capfd.readouterr() == ("", "")


def test_a_bar_can_be_forced_or_left_out_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's digest does not depend on who looks at its bar."""
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    digests = {Simulation(Errands(), RULES).run(progress=wanted).digest for wanted in (True, False, None)}
    assert len(digests) == 1
