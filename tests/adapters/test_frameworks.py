"""Every framework that is installed here keeps the contract, case by case; the others are skipped.

What is seen is compared with the table in docs/plug-your-agent-in.md; WALRAS_REGENERATE=1 writes it instead.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.adapters import table
from tests.adapters.contract import CASES, Case, keeps
from tests.adapters.minds_of_frameworks import FRAMEWORKS, Framework, need
from tests.adapters.page import ROOT
from tests.adapters.watched import watch
from walras.adapters.frameworks import floors

# Their deprecations are between them and their libraries.
pytestmark = pytest.mark.filterwarnings("default")

QUIET = "nothing leaves the machine"
SEEN: dict[str, dict[str, bool]] = {}
"""Which case each framework has passed in this run."""


@pytest.fixture(params=FRAMEWORKS)
def one(request: pytest.FixtureRequest) -> Framework:
    need(request.param)
    return FRAMEWORKS[request.param]


@pytest.mark.parametrize("line", CASES.values(), ids=CASES)
def test_the_contract(one: Framework, line: Case) -> None:
    passed, why = keeps(one, line)
    SEEN.setdefault(one.extra, {})[line.name] = passed
    if line.name in one.cannot:
        assert not passed, f"{one.extra} can do this by now: take it out of what it cannot"
        pytest.skip(one.cannot[line.name])
    if why is not None:
        raise why


def test_nothing_leaves_the_machine(one: Framework) -> None:
    """Neither when a framework is imported, nor when it is asked, nor at its exit: no traces, no telemetry, no tables."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.watched", one.extra],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert "answered: True" in [line.strip() for line in lines], done.stdout[-2000:] + done.stderr[-2000:]
    wanted = json.loads(lines[-1].removeprefix("wanted:"))
    SEEN.setdefault(one.extra, {})[QUIET] = wanted == []
    assert wanted == []


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("socket.connect", (None, ("192.0.2.1", 443))),
        ("socket.getaddrinfo", ("example.org", 443)),
        ("socket.getaddrinfo", (b"example.org", 443)),
    ],
)
def test_the_watch_sees_whoever_leaves(event: str, args: tuple[object, ...]) -> None:
    with pytest.raises(PermissionError):
        watch(event, args)
    watch("socket.connect", (None, ("127.0.0.1", 80)))
    watch("socket.connect", (None, "/a/path"))


def test_the_table_in_the_docs_says_what_was_seen(one: Framework) -> None:
    seen = SEEN.get(one.extra, {})
    if len(seen) < len(CASES) + 1:
        pytest.skip("only a part of the contract has been run")
    if os.environ.get("WALRAS_REGENERATE"):
        table.write(one.extra, seen)
    shown = table.read()
    assert {case: shown.get((case, one.extra)) for case in seen} == {
        case: table.cell(one.extra, case, passed) for case, passed in seen.items()
    }


def test_the_table_in_the_docs_has_every_framework_and_every_case() -> None:
    shown = table.read()
    assert {case for case, _ in shown} == {*CASES, QUIET}
    assert {name for _, name in shown} == set(FRAMEWORKS)
    assert set(shown.values()) == {table.YES, table.NO, table.NOT_ASKED}


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_the_versions_in_the_docs_are_no_older_than_the_floors(extra: str) -> None:
    families, versions = table.read_versions()[extra]
    tested = dict(one.split(" ") for one in versions.split(", "))
    assert families.replace(" ", "") == FRAMEWORKS[extra].families
    assert set(tested) == {one.name for one in floors(extra)}
    assert all(one.specifier.contains(tested[one.name]) for one in floors(extra))


def test_the_script_installs_each_framework_in_its_families() -> None:
    script = (ROOT / "tests" / "adapters" / "families").read_text("utf-8")
    declared = dict(re.findall(r'^    \[([A-Z])\]="([\w,-]+)"$', script, re.MULTILINE))
    for family, extras in declared.items():
        belong = {name for name, one in FRAMEWORKS.items() if family in one.families}
        assert set(extras.split(",")) == belong
