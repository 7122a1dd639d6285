"""What lies in one folder comes into one report, so it is of the same worlds, whoever made it when."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from contractnet import ContractNet
from scenarios.llm_router import LLMRouter
from tests import test_cli
from tests.study.worlds import Errands, no_place
from tests.test_cli import ERRANDS, Said
from walras.baselines import Greedy
from walras.results import Result
from walras.study.runs import Run, execute

pytestmark = test_cli.pytestmark

Say = Callable[..., Said]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: Said(capsys, *arguments)


OTHERS = {
    "settings": (f"{ERRANDS}:worth=11",),
    "seed": (ERRANDS, "--seed", "2"),
    "horizon": (ERRANDS, "--until", "9"),
    "scenario": ("llm-router:tasks=3",),
}


def test_a_folder_takes_no_runs_of_other_worlds(say: Say, tmp_path: Path) -> None:
    """Not beside the others and not in their place; further mechanisms in the same world, and the same again, are welcome."""
    assert say("run", ERRANDS, "-m", "greedy", "--out", "z").code == 0
    before = Result.load("z/greedy")

    for other, mechanism in product(OTHERS, ("greedy", "random")):
        said = say("run", *OTHERS[other], "-m", mechanism, "--out", "z")
        assert (said.code, said.out) == (2, ""), other
        assert said.err == (
            "walras: --out z holds another run, errands with seed 0 in z/greedy; "
            "expected a new folder, or the same scenario, settings and seeds\n"
        )
    assert Result.load("z/greedy") == before
    assert [place.name for place in tmp_path.glob("z/*/")] == ["greedy"]

    for mechanism in ("greedy", "random"):
        assert say("run", ERRANDS, "-m", mechanism, "--out", "z").code == 0


def test_more_seeds_may_be_added_where_seeds_have_folders(say: Say, tmp_path: Path) -> None:
    """One alone has none, and would count twice."""
    (tmp_path / "two.yaml").write_text(f"{{scenario: '{ERRANDS}', mechanism: greedy, seeds: 0:2}}")
    assert say("run", "two.yaml", "--out", "z").code == 0
    assert say("run", "two.yaml", "--seed", "0:3", "--out", "z").code == 0
    assert sorted(place.name for place in tmp_path.glob("z/greedy/*")) == ["seed-0", "seed-1", "seed-2"]
    assert "another run, errands with seed 2 in" in say("run", "two.yaml", "--out", "z").err
    assert "another run, errands with seed 0 in" in say("run", ERRANDS, "-m", "greedy", "--out", "z").err


def test_runs_and_studies_have_folders_of_their_own(say: Say) -> None:
    """A report is of one or the other."""
    run, compare = (
        (command, ERRANDS, "-m", "greedy", "--out", place)
        for command, place in (("run", "r"), ("compare", "s"))
    )
    assert (say(*run).code, say(*compare).code, say(*compare).code) == (0, 0, 0)
    assert (
        say(*run[:-1], "s").err
        == "walras: --out s holds a study; expected a new folder, or that of earlier runs\n"
    )
    assert say(*compare[:-1], "r").err == (
        "walras: --out r holds runs; expected a new folder, or that of an earlier study\n"
    )


def test_no_report_puts_different_settings_into_one_table(say: Say) -> None:
    """Of different scenarios it has a table each; what cannot be written by name is not known to differ."""
    router, mine = LLMRouter(tasks=3), ContractNet(award_rule=no_place())  # type: ignore[arg-type]  # of no declared type
    for folder, worth in (("a", 10.0), ("b", 11.0)):
        execute(Run(scenario=Errands(worth=worth), mechanism=mine, label="mine")).save(f"{folder}/mine")
        for scenario in (Errands(worth=worth), router):
            run = Run(scenario=scenario, mechanism=Greedy(), label="greedy")
            execute(run).save(f"{folder}/{scenario.name}")

    assert say("report", "a").code == 0
    said = say("report", ".")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "walras: . holds runs of errands with different settings, in a/errands and in b/errands; "
        "expected a folder for each\n"
    )
