"""Comparisons are paired, lose nothing, and are the same however the work is spread."""

import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

from contractnet import ContractNet
from scenarios import llm_router
from tests.study.worlds import BobFirst, Errands, no_place, optima_computed
from walras.baselines import Greedy, LeastLoaded, RandomAssignment
from walras.errors import ScenarioError, WalrasError
from walras.mechanism import Mechanism
from walras.simulation.network import Constant, Network
from walras.simulation.simulation import Simulation
from walras.study import Conditions, InterruptedStudyError, Row, Study, compare
from walras.study.summary import Line

ROOT = Path(__file__).resolve().parents[2]
MECHANISMS: dict[str, Mechanism] = {"greedy": Greedy(), "random": RandomAssignment(), "bob": BobFirst()}


@pytest.fixture(scope="module")
def study() -> Study:
    return compare([Errands(), Errands(worth=20.0)], MECHANISMS, range(5))


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_there_is_a_row_for_every_scenario_mechanism_and_seed(study: Study) -> None:
    """In the order of the arguments, scenarios of one name told apart by the setting in which they differ."""
    table = study.table

    assert study.scenarios == ["errands (worth=10.0)", "errands (worth=20.0)"]
    assert study.mechanisms == ["greedy", "random", "bob"]
    assert table["seed"].tolist() == [0, 1, 2, 3, 4] * 6
    assert {"version", "digest", "efficiency", "welfare", "latency_p50_s"} <= set(table.columns)


def test_a_row_is_what_a_run_on_its_own_gives(study: Study) -> None:
    """Sharing a world changes nothing: digest and metrics are those of a simulation alone."""
    alone = Simulation(Errands(), RandomAssignment(), seed=3).run()
    row = next(r for r in study.rows if (r.mechanism, r.seed) == ("random", 3))

    assert (row.digest, row.metrics) == (alone.digest, alone.metrics)


def test_two_processes_give_the_same_study(study: Study) -> None:
    """The rows do not depend on who did the work, or on what ended first."""
    assert compare([Errands(), Errands(worth=20.0)], MECHANISMS, range(5), workers=2) == study


def test_any_executor_gives_the_same_study(study: Study) -> None:
    """Threads, as a stand-in for a cluster."""
    with ThreadPoolExecutor(3) as pool:
        assert compare([Errands(), Errands(worth=20.0)], MECHANISMS, range(5), executor=pool) == study


def test_the_optimum_of_a_world_is_computed_once() -> None:
    """Three mechanisms, two seeds, two optima."""
    optima_computed()
    compare(Errands(), MECHANISMS, [4, 9])

    assert optima_computed() == [4, 9]


def test_a_run_that_fails_is_a_row_and_the_others_are_there() -> None:
    """What a scenario raises is in the row of its run, in one line; every other run has its metrics."""
    study = compare(Errands(trouble="raise", troubled=(1,)), MECHANISMS, range(3))

    assert [row.seed for row in study.errors] == [1, 1, 1]
    assert study.errors[0].error == "RuntimeError: the third errand is too much"
    assert sum(bool(row.metrics) for row in study.rows) == 6
    assert study.summary("welfare")["n"].tolist() == [2, 2, 2]
    assert study.table["error"].tolist().count("") == 6


def test_a_script_without_a_guard_is_told_so_and_not_shown_tracebacks(tmp_path: Path) -> None:
    """Each worker runs the script again, which would start workers of its own; the study says why it has no results."""
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from walras import Greedy\nfrom walras.study import compare\nfrom tests.study.worlds import Errands\n"
        "study = compare(Errands(), {'greedy': Greedy()}, seeds=range(2), workers=2)\nprint(study.errors[0].error)\n"
    )
    said = subprocess.run(
        [sys.executable, script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    assert "has no line `if __name__ == '__main__':`" in said.stdout
    assert {line.partition(";")[0] for line in said.stderr.splitlines()} == {
        "walras: the script that called compare has no line `if __name__ == '__main__':` before that call"
    }


def test_a_worker_that_dies_takes_only_its_own_run_with_it() -> None:
    """One seed kills its process; the runs of all other seeds are there, as if it had not."""
    study = compare(Errands(trouble="die", troubled=(2,)), {"greedy": Greedy()}, range(5), workers=2)

    assert [row.seed for row in study.errors] == [2]
    assert "ended abruptly" in study.errors[0].error
    healthy = compare(Errands(), {"greedy": Greedy()}, [0, 1, 3, 4])
    assert [row.digest for row in study.rows if not row.error] == [row.digest for row in healthy.rows]


def test_ctrl_c_hands_over_what_there_is() -> None:
    """The interrupt carries the study so far, and is a KeyboardInterrupt for whoever does not know it."""
    with pytest.raises(KeyboardInterrupt) as caught:
        compare(Errands(trouble="ctrl-c", troubled=(2,)), MECHANISMS, range(5))

    assert isinstance(caught.value, InterruptedStudyError)
    assert sorted({row.seed for row in caught.value.study.rows}) == [0, 1]


def test_conditions_hold_for_every_run() -> None:
    """Another network, a horizon: in every row, and in what a saved study says of itself."""
    extra = Conditions(network=Network(latency=Constant(0.5)), until_s=2.5)
    study = compare(Errands(), {"greedy": Greedy()}, [0, 1], conditions=extra)

    assert {row.stopped_because for row in study.rows} == {"the horizon of 2.5 s was reached"}
    assert study.settings["errands"]["network"]["latency"] == {"kind": "constant", "seconds": 0.5}
    assert study.settings["errands"]["until_s"] == 2.5


def test_means_and_differences_are_those_of_the_table(study: Study) -> None:
    """A summary holds what scipy says of the same columns, paired by seed."""
    table = study.table[study.table["scenario"] == "errands (worth=10.0)"]
    by_label = {label: group["welfare"].tolist() for label, group in table.groupby("mechanism")}
    lines = {line.mechanism: line for line in study.lines("welfare") if line.scenario.endswith("10.0)")}
    test = stats.ttest_rel(by_label["bob"], by_label["greedy"])

    assert lines["bob"].mean == pytest.approx(math.fsum(by_label["bob"]) / 5)
    assert lines["bob"].difference_low == pytest.approx(test.confidence_interval(0.95).low)
    assert test.pvalue <= lines["bob"].p <= 4 * test.pvalue  # four differences in the whole summary
    assert math.isnan(lines["greedy"].difference)


def test_only_differences_that_chance_does_not_make_are_called_real(study: Study) -> None:
    """Bob costs twice as much in every world; a mechanism does not differ from itself."""
    same = compare(Errands(), {"greedy": Greedy(), "again": Greedy(), "bob": BobFirst()}, range(6))
    found = dict(zip(same.mechanisms, same.summary("cost")["real"].tolist(), strict=True))

    assert found["again"] is False
    assert found["bob"] is True
    assert study.summary("cost", reference="bob").columns.tolist() == list(Line.__struct_fields__)
    assert study.summary("cost", reference="bob")["real"].isna().tolist() == [False, False, True] * 2


def test_messages_that_a_mechanism_does_not_use_count_zero() -> None:
    """Contract Net proposes, greedy does not: 0, and not undefined."""
    study = compare(Errands(), {"net": ContractNet(), "greedy": Greedy()}, [0])

    assert study.table.set_index("mechanism")["messages_Propose"].to_dict() == {"net": 10, "greedy": 0}


def test_a_saved_study_comes_back_equal(study: Study, tmp_path: Path) -> None:
    """Rows, settings, numbers to the last bit; and a table for other tools."""
    study.save(tmp_path / "study")

    assert Study.load(tmp_path / "study") == study
    assert (tmp_path / "study" / "table.csv").read_text().startswith("scenario,mechanism,seed,version,digest")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"walras_study": 99, "settings": {}, "rows": []}', '{"rows": 3}']
)
def test_a_damaged_study_is_named(content: str, tmp_path: Path) -> None:
    """The error names the file, and is no traceback of a parser."""
    (tmp_path / "study.json").write_text(content)

    with pytest.raises(WalrasError, match=r"study\.json"):
        Study.load(tmp_path)


def test_plots_have_units_and_intervals(study: Study) -> None:
    """A panel per scenario, its axis with a unit, a line with two ends for every interval."""
    panels = study.plot("latency_p50_s")
    intervals = [
        np.asarray(line.get_xdata()).tolist() for line in panels[0].lines if line.get_marker() == "|"
    ]
    expected = study.summary("latency_p50_s").query(f"scenario == {study.scenarios[0]!r}")

    assert [axes.get_title("left") for axes in panels] == study.scenarios
    assert panels[0].get_xlabel() == "median latency, s"
    assert [label.get_text() for label in panels[0].get_yticklabels()] == study.mechanisms
    assert intervals == expected[["low", "high"]].to_numpy().tolist()


def test_a_plot_says_what_is_defined_on_fewer_seeds_or_nowhere() -> None:
    """How many seeds a mean is over; no scale around nothing."""
    found: dict[str, list[float | None]] = {
        "bob": [1.0, None, 3.0],
        "greedy": [1.0, 2.0, 3.0],
        "random": [None] * 3,
    }
    study = Study(
        Row(
            scenario="s",
            mechanism=label,
            seed=seed,
            version=1,
            metrics={"quality": value, "efficiency": None},
        )
        for label, values in found.items()
        for seed, value in enumerate(values)
    )
    quality, efficiency = study.plot("quality")[0], study.plot("efficiency")[0]

    assert [text.get_text() for text in quality.texts] == ["2 of 3 seeds", "not defined"]
    assert [text.get_text() for text in efficiency.texts] == ["not defined"] * 3
    assert len(quality.get_xticks()) and not len(efficiency.get_xticks())


def test_errors_name_what_is_near(study: Study) -> None:
    """A metric or reference that is not there."""
    with pytest.raises(WalrasError, match="expected efficiency, the nearest"):
        study.plot("efficency")
    with pytest.raises(WalrasError, match="expected bob, the nearest"):
        study.summary("welfare", reference="bobby")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scenarios": []}, "scenarios"),
        ({"scenarios": [Errands(), Errands()]}, "scenarios"),
        ({"mechanisms": {}}, "mechanisms"),
        ({"mechanisms": {"greedy": Greedy}}, "mechanism greedy"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": [0.5]}, "seeds"),
        ({"seeds": 30}, "seeds"),
        ({"scenarios": ContractNet()}, "scenarios"),
        ({"workers": 0}, "workers"),
        ({"workers": 2, "mechanisms": {"net": ContractNet(award_rule=no_place())}}, "workers"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(change: dict[str, object], field: str) -> None:
    """A ScenarioError names the argument."""
    arguments: dict[str, object] = {"scenarios": Errands(), "mechanisms": MECHANISMS, "seeds": [0]}

    with pytest.raises(ScenarioError) as caught:
        compare(**{**arguments, **change})  # type: ignore[arg-type]

    assert caught.value.field == field


def test_a_function_without_a_name_runs_but_cannot_be_written_down() -> None:
    """The study is there; where its settings would be stands why they are not."""
    net = ContractNet(award_rule=no_place())  # type: ignore[arg-type]
    study = compare(Errands(), {"net": net, "least loaded": LeastLoaded()}, [0])

    assert not study.errors
    assert "cannot be saved by name" in study.settings["errands"]["not_by_name"]


def test_a_study_without_one_good_run_says_why() -> None:
    """Not that there is no such metric."""
    bad = Study([Row(scenario="s", mechanism="m", seed=0, version=1, error="RuntimeError: no")])

    with pytest.raises(WalrasError, match="RuntimeError: no"):
        bad.summary()


def test_no_thread_is_left_behind() -> None:
    """Processes and their threads end with the comparison."""
    before = threading.active_count()
    compare(Errands(), MECHANISMS, [0], workers=2)

    assert threading.active_count() <= before


def test_scenarios_of_several_kinds_keep_their_names() -> None:
    """Only those of one kind are told apart by their settings: others have other settings."""
    study = compare([Errands(), llm_router(tasks=2)], {"greedy": Greedy()}, [1])
    assert study.scenarios == ["errands", "llm-router"]
    assert not [row.error for row in study.rows if row.error]
