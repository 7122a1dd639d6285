"""The scripts that test the frameworks, and what the build machine runs, with stubs in place of what takes its time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.page import ROOT

PYTHON = """#!/bin/sh
case "$*" in
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip "*) eval "$PIP" ;;
    "-m pytest "*) eval "$PYTEST" ;;
esac
"""
MAKE = """#!/bin/sh
if [ "$1" = test ]; then echo "$CLOSING"; exit "$TEST"; fi
echo "== family A: something"; exit "$ADAPTERS"
"""


def ran(command: list[str], **settings: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a script."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def stub(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return str(path)


def families(place: Path, *names: str, **settings: str) -> tuple[int, list[str]]:
    """The exit code, and what is said of each family in the end."""
    settings = {"PIP": "true", "PYTEST": "true", "ENVIRONMENTS": str(place), **settings}
    code, lines = ran(["tests/adapters/families", *names], PYTHON=stub(place / "python", PYTHON), **settings)
    return code, lines[-len(names) - 1 : -1]


def test_families_that_pass_are_said_to(tmp_path: Path) -> None:
    code, said = families(tmp_path, "A", "B", "C")
    assert [line.partition(" in ")[0] for line in said] == [f"== family {name}: passed" for name in "ABC"]
    assert code == 0


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    families(tmp_path, "A")
    code, said = families(tmp_path, "A", PIP="exit 1")
    assert (code, "passed" in said[0]) == (0, True)


@pytest.mark.parametrize("settings", [{"PIP": "exit 1"}, {"PIP": "sleep 200", "PREPARE_S": "1"}])
def test_a_family_that_cannot_be_fetched_is_skipped_aloud(tmp_path: Path, settings: dict[str, str]) -> None:
    code, said = families(tmp_path, "C", PYTEST="exit 1", **settings)
    assert (code, "SKIPPED: its packages could not be fetched" in said[0]) == (0, True)
    code, said = families(tmp_path, "C")
    assert (code, "passed" in said[0]) == (0, True), "half an environment was taken for a whole one"


def test_a_family_for_which_there_is_no_time_is_skipped_aloud(tmp_path: Path) -> None:
    families(tmp_path, "A")
    code, said = families(tmp_path, "A", PYTEST="exit 1", BUDGET_S="10", TEST_S="10")
    assert (code, said) == (0, ["== family A: SKIPPED: no time was left"])


def test_tests_that_cannot_begin_in_time_are_skipped_and_counted(tmp_path: Path) -> None:
    paths = (
        "tests/adapters/test_function.py::test_no_threads_at_all_is_refused tests/adapters/test_doubles.py"
    )
    late = f"WALRAS_TESTS_UNTIL=0 {sys.executable} -m pytest -q -p no:cacheprovider {paths}"
    code, said = families(tmp_path, "A", PYTEST=late)
    assert code == 0
    assert "but 3 of its tests were SKIPPED: no time was left" in said[0]


@pytest.mark.parametrize("trouble", ["exit 1", "exit 3", "kill -SEGV $$"])
def test_a_family_that_fails_is_a_failure_and_the_others_are_tested(tmp_path: Path, trouble: str) -> None:
    code, said = families(tmp_path, "A", "B", PYTEST=f'[ "$WALRAS_FAMILY" = B ] || {trouble}')
    assert code == 1
    assert ["FAILED" in line for line in said] == [True, False]


def test_tests_that_hang_are_ended_and_have_failed(tmp_path: Path) -> None:
    families(tmp_path, "A")
    code, said = families(tmp_path, "A", PYTEST="sleep 200", BUDGET_S="8", TEST_S="1")
    assert (code, "FAILED" in said[0]) == (1, True)


def test_a_family_that_is_none_is_refused() -> None:
    code, said = ran(["tests/adapters/families", "A", "Z"])
    assert (code, said) == (2, ["there is no family Z; expected some of A B C"])


# ------------------------------------------------------------------------------------------------ .ci/run

CLOSING = "===== 4 passed, 2 skipped in 1.23s ====="


@pytest.mark.parametrize(
    ("test", "adapters", "expected"), [("0", "0", 0), ("2", "0", 2), ("0", "1", 1), ("2", "1", 2)]
)
def test_the_build_has_the_code_of_the_first_that_fails_and_pytests_line_as_its_last(
    tmp_path: Path, test: str, adapters: str, expected: int
) -> None:
    stub(tmp_path / "make", MAKE)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    code, lines = ran([".ci/run"], PATH=path, CLOSING=CLOSING, TEST=test, ADAPTERS=adapters)
    assert (code, lines[-1]) == (expected, CLOSING)
    assert "== family A: something" in lines, "both steps run"


def test_a_build_that_ends_before_its_tests_says_so(tmp_path: Path) -> None:
    stub(tmp_path / "make", MAKE)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    code, lines = ran([".ci/run"], PATH=path, CLOSING="error: lint", TEST="2", ADAPTERS="0")
    assert (code, lines[-1].startswith("pytest has not run")) == (2, True)
