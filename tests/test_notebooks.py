"""Everything shown runs: the notebooks, from a fresh kernel, top to bottom, and what they show is what comes out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXECUTE = "from nbclient.cli import main; main()"


def shown(notebook: Path) -> list[tuple[int, str]]:
    """What the cells show in words, by cell; digests, which change with every message, left out."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = [(k, output) for k, cell in enumerate(cells) for output in cell.get("outputs", [])]
    texts = [(k, output.get("text") or output.get("data", {}).get("text/plain", "")) for k, output in outputs]
    return [(k, re.sub(r"digest [0-9a-f]{12}", "digest ...", "".join(text))) for k, text in texts]


@pytest.mark.parametrize("notebook", sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb")))
def test_notebook_runs_and_shows_what_it_has_shown(notebook: str, tmp_path: Path) -> None:
    # In a process of its own: the kernel's sockets and event loops are not this test's to warn about.
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, "--timeout=240", f"--output={tmp_path / notebook}", notebook],
        cwd=ROOT / "notebooks", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    differs = "`make notebooks` runs it again; read whether what it says is still true"
    assert shown(tmp_path / notebook) == shown(ROOT / "notebooks" / notebook), differs
