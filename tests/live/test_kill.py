"""A live market as a process, killed with SIGKILL at random points and started again: every task is finished once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.killed_program import MONEY, TASKS

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the nursery forks")


def nursery(folder: Path, runs: int, seed: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.killed_program", str(folder), str(runs), str(seed)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(run: dict[str, Any]) -> None:
    assert run["statuses"] == ["done"] * TASKS
    assert run["awards"] == [1] * TASKS, "an award was lost or doubled"
    assert len(run["done"]) == len(set(run["done"])) == TASKS, "a task was not done, or done twice"
    assert len(run["calls"]) <= TASKS + 4 * run["kills"], "work that was reported was asked for again"
    assert run["conserved"]
    assert (run["audit"], run["audited"]) == ([], run["facts"]), "the audit trail lacks or doubles a fact"
    assert set(run["balances"]) == {"house", "w0", "w1", "w2"}, "something is left in escrow"
    assert sum(run["balances"].values()) == MONEY
    assert run["balances"]["house"] == MONEY - sum(run["paid"])


def test_killed_at_random_every_task_is_finished_once(tmp_path: Path) -> None:
    runs = nursery(tmp_path, runs=8, seed=1)
    for run in runs:
        check(run)
    assert sum(run["kills"] for run in runs) >= 8, "this shows nothing: too little was killed"


@pytest.mark.soak
def test_two_hundred_runs_killed_at_random(tmp_path: Path) -> None:
    runs = nursery(tmp_path, runs=200, seed=2)
    for run in runs:
        check(run)
    assert len(runs) == 200 and sum(run["kills"] for run in runs) >= 300
    assert sum(len(run["calls"]) for run in runs) > 200 * TASKS + 20, (
        "this shows little: hardly any work was broken off"
    )
