"""SimPy's own tests, with our clock in the place of `simpy.Environment`.

They travel in SimPy's source archive only, which `make setup` unpacks into `.cache`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SDIST = ROOT / ".cache" / "simpy-sdist"

# It compares the text of a traceback, which names the lines of SimPy's own `run` and `step`.
TRACEBACK_TEXT = "tests/test_exceptions.py::test_exception_chaining"
# Real time is another environment's business, and benchmarks show nothing about behaviour.
NOT_OURS = ("tests/test_rt.py", "tests/test_benchmark.py")
AT_LEAST = 130


@pytest.mark.parametrize("clock", ["unrolled", "stepping"])
def test_simpys_own_tests_pass_on_our_clock(clock: str) -> None:
    """All of them but one, both in the unrolled loop and where `step` is overridden."""
    if not (SDIST / "tests").is_dir():
        pytest.skip("no SimPy source here: `make setup` fetches it into .cache/simpy-sdist")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
        "NO_COLOR": "1",
        "WALRAS_CLOCK": clock,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "swap_environment", "-p", "no:cacheprovider"]
    command += ["tests", *(f"--ignore={file}" for file in NOT_OURS), f"--deselect={TRACEBACK_TEXT}"]
    done = subprocess.run(command, cwd=SDIST, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    summary = done.stdout.strip().splitlines()[-1]
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", summary.split(" in ")[0])}
    assert counts.pop("passed") >= AT_LEAST, summary
    assert counts.pop("deselected") == 1, summary
    assert set(counts) <= {"warning", "warnings"}, summary
