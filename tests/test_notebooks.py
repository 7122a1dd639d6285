"""Everything shown runs: the notebooks, from a fresh kernel, top to bottom."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXECUTE = "from nbclient.cli import main; main()"


@pytest.mark.parametrize("notebook", sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb")))
def test_notebook_runs(notebook: str, tmp_path: Path) -> None:
    # In a process of its own: the kernel's sockets and event loops are not this test's to warn about.
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, "--timeout=240", f"--output={tmp_path / notebook}", notebook],
        cwd=ROOT / "notebooks", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / notebook).exists(), "the notebook was not executed"
