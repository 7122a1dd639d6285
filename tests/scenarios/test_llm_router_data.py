"""The shipped tables say what the raw records say; draws are keyed; errors name the value and the choices."""

import gzip
import itertools
import math
import random
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
import pytest

from scenarios.data.llm_router import build, raw
from scenarios.llm_router_data import Arrivals, Run, Runs, RunTable, Trace, gap_at_load, mean_run
from walras.errors import ScenarioError

TABLES = Path(build.__file__).parent
CELLS = 14 * 19


@pytest.fixture(scope="session")
def records(shared_data: Path) -> Path:
    folder = shared_data / "scenarios" / "llm_router"
    if not folder.is_dir():
        pytest.skip("no raw records of the LLM router here")
    return folder


@pytest.fixture(scope="session")
def recorded(records: Path) -> Runs:
    return Runs.load(records)


# -------------------------------------------------------------------------------------- shipped tables


def test_tables_are_rebuilt_to_the_byte(records: Path) -> None:
    rebuilt = build.tables(records)
    assert set(rebuilt) == {path.name for path in TABLES.glob("*.json")}
    for name, text in rebuilt.items():
        assert text == (TABLES / name).read_text("utf-8"), (
            f"{name}: python -m scenarios.data.llm_router.build"
        )


def test_tables_are_small_and_name_source_licence_and_change() -> None:
    for path in TABLES.glob("*.json"):
        text = path.read_text("utf-8")
        assert len(text) < 50_000
        for said in ('"source"', "at commit", '"licence"', '"changed": "aggregated'):
            assert said in text, (path.name, said)


def test_every_cell_is_shipped_and_no_atom_is_a_single_run() -> None:
    runs = Runs.load()
    assert (len(runs.kinds), len(runs.models)) == (14, 19)
    for split in ("train", "test"):
        table = [atoms for kinds in runs_table(split).values() for atoms in kinds.values()]
        assert len(table) == CELLS
        assert all(1 <= len(atoms) <= build.MOST_ATOMS and min(atoms)[0] >= 2 for atoms in table)


def runs_table(split: str) -> dict[str, dict[str, list[tuple[int, float, float, float]]]]:
    return msgspec.json.decode((TABLES / f"runs_{split}.json").read_bytes(), type=RunTable).cells


def test_shipped_means_are_the_recorded_means(recorded: Runs) -> None:
    shipped = Runs.load()
    assert (shipped.kinds, shipped.models) == (recorded.kinds, recorded.models)
    for kind in shipped.kinds:
        for model in shipped.models:
            for split in ("train", "test"):
                ours, theirs = shipped.expected(kind, model, split), recorded.expected(kind, model, split)
                assert ours.score == pytest.approx(theirs.score, abs=1e-4)
                assert ours.cost_usd == pytest.approx(theirs.cost_usd, rel=1e-4)
                assert ours.seconds == pytest.approx(theirs.seconds, rel=1e-4)


def test_halves_are_disjoint_equal_and_in_order(records: Path) -> None:
    cells = raw.read_runs(records)
    assert sum(map(len, cells.values())) == 9_804
    for kind, model, split in cells:
        more = len(cells[kind, model, "test"]) - len(cells[kind, model, "train"])
        # at most one for each prompt's odd number of runs
        assert 0 <= more <= len(raw.PROMPTS), (
            kind,
            model,
            split,
        )


def test_both_halves_hold_the_same_prompts(records: Path) -> None:
    """Else a model's scores would move between the halves for a reason that no agent can foresee."""
    runs = Runs.load(records)
    moves = [
        100
        * abs(
            fmean(runs.expected(k, m, "train").score - runs.expected(k, m, "test").score for k in runs.kinds)
        )
        for m in runs.models
    ]
    assert max(moves) < 5
    assert fmean(moves) < 1.5


def test_priced_models_only_and_seconds_are_clipped(records: Path) -> None:
    runs = [run for cell in raw.read_runs(records).values() for run in cell]
    assert min(run.cost_usd for run in runs) > 0
    assert max(run.seconds for run in runs) <= raw.LONGEST_S
    assert {0.0, 1.0} <= {run.score for run in runs} and max(run.score for run in runs) == 1.0


@pytest.mark.parametrize(
    ("trace", "requests", "gap_s", "variation", "context", "output"),
    [("conv", 19_366, 0.18083, 1.09, 1154.7, 211.1), ("code", 8_819, 0.38965, 13.15, 2047.8, 27.9)],
)
def test_traces_have_the_published_figures(
    records: Path, trace: Trace, requests: int, gap_s: float, variation: float, context: float, output: float
) -> None:
    gaps, sizes = raw.read_arrivals(records, trace)
    assert len(gaps) == len(sizes) == requests - 1
    assert gaps.mean() == pytest.approx(gap_s, rel=1e-4)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=1e-2)
    assert sizes.mean(axis=0) == pytest.approx([context, output], rel=1e-3)
    table = Arrivals(trace)._table
    shipped = np.array(table.sizes)
    assert shipped[:, 2].sum() == len(sizes)
    assert np.average(shipped[:, :2], axis=0, weights=shipped[:, 2]) == pytest.approx(
        sizes.mean(axis=0), abs=0.1
    )
    at, seconds = np.array(table.gaps).T
    assert np.trapezoid(seconds, at) == pytest.approx(gap_s, rel=0.03)
    assert np.interp([0.5, 0.95, 0.99], at, seconds) == pytest.approx(
        np.quantile(gaps, [0.5, 0.95, 0.99]), rel=0.02
    )


# ----------------------------------------------------------------------------------------------- draws


def test_a_draw_depends_on_its_key_only() -> None:
    runs = Runs.load()
    kind, model = runs.kinds[0], runs.models[0]
    first = runs.draw(kind, model, random.Random("7/task-1"))
    runs.draw(kind, runs.models[1], random.Random("7/task-2"))
    assert runs.draw(kind, model, random.Random("7/task-1")) == first
    assert len({runs.draw(kind, model, random.Random(seed)) for seed in range(50)}) > 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_draws_have_the_mean_of_their_cell(split: raw.Split) -> None:
    runs, rng = Runs.load(), random.Random(1)
    drawn = [(1, runs.draw("audi_filter", "mistral-small", rng, split)) for _ in range(20_000)]
    expected = runs.expected("audi_filter", "mistral-small", split)
    assert mean_run(drawn).score == pytest.approx(expected.score, abs=0.01)
    assert mean_run(drawn).seconds == pytest.approx(expected.seconds, rel=0.02)


def test_raw_draws_are_recorded_runs(records: Path, recorded: Runs) -> None:
    cell = raw.read_runs(records)["wrap_string", "deepseek-coder", "test"]
    assert all(recorded.draw("wrap_string", "deepseek-coder", random.Random(s)) in cell for s in range(40))


@pytest.mark.parametrize("trace", ["conv", "code"])
def test_gaps_have_mean_one_and_times_ascend(trace: Trace) -> None:
    arrivals = Arrivals(trace)
    gaps = arrivals.gaps(400, random.Random(3))
    assert math.fsum(gaps) / 400 == pytest.approx(1, abs=1e-12)
    requests = arrivals.draw(400, random.Random(3), mean_gap_s=2.5)
    assert requests[-1].at_s == pytest.approx(1_000)
    assert all(a.at_s <= b.at_s for a, b in itertools.pairwise(requests))
    assert all(type(r.context_tokens) is int and r.output_tokens >= 0 for r in requests)
    assert requests == arrivals.draw(400, random.Random(3), mean_gap_s=2.5)
    assert requests != arrivals.draw(400, random.Random(4), mean_gap_s=2.5)
    assert arrivals.draw(400, random.Random(3))[-1].at_s == pytest.approx(400 * arrivals.mean_gap_s)


def test_recorded_gaps_keep_their_order_round_the_end(records: Path) -> None:
    gaps, sizes = raw.read_arrivals(records, "code")
    n = len(gaps) + 5
    first = random.Random(9).randrange(len(gaps))
    rows = (first + np.arange(n)) % len(gaps)
    drawn = Arrivals("code", records).draw(n, random.Random(9))
    assert [(r.context_tokens, r.output_tokens) for r in drawn] == [
        tuple(row) for row in sizes[rows].tolist()
    ]
    at = np.cumsum(gaps[rows])
    scale = n * gaps.mean() / at[-1]
    assert [r.at_s for r in drawn] == pytest.approx((at * scale).tolist())


def test_load_one_is_the_rate_at_which_all_can_serve() -> None:
    assert gap_at_load(1.0, [1, 1], [2.0, 2.0]) == pytest.approx(1.0)
    assert gap_at_load(3.0, [4], [6.0]) == pytest.approx(0.5)


# ---------------------------------------------------------------------------------------------- errors


def test_unknown_names_are_told_with_the_choices() -> None:
    runs = Runs.load()
    kind, model = runs.kinds[0], runs.models[0]
    for field, value, ask in (
        ("kind", "poetry", lambda: runs.expected("poetry", model)),
        ("model", "gpt-9", lambda: runs.draw(kind, "gpt-9", random.Random(1))),
        ("split", "valid", lambda: runs.expected(kind, model, "valid")),  # type: ignore[arg-type]
        ("trace", "video", lambda: Arrivals("video")),  # type: ignore[arg-type]
    ):
        with pytest.raises(ScenarioError, match="one of") as raised:
            ask()
        assert (raised.value.field, raised.value.value) == (field, value)


@pytest.mark.parametrize("load", [0.0, -1.0, math.inf, math.nan])
def test_a_load_is_positive_and_finite(load: float) -> None:
    with pytest.raises(ScenarioError, match="load"):
        gap_at_load(load, [1], [1.0])


def test_at_least_one_arrival() -> None:
    with pytest.raises(ScenarioError, match="n is 0"):
        Arrivals().draw(0, random.Random(1))


@pytest.mark.parametrize("mean_gap_s", [0.0, -1.0, math.nan])
def test_a_mean_gap_is_positive(mean_gap_s: float) -> None:
    with pytest.raises(ScenarioError, match="mean_gap_s"):
        Arrivals().draw(3, random.Random(1), mean_gap_s)


def test_a_missing_folder_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="raw"):
        Runs.load(tmp_path / "nowhere")
    (tmp_path / raw.RUNS_FILE).write_text("no gzip")
    with pytest.raises(ScenarioError, match="raw"):
        Runs.load(tmp_path)


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path.parent


def test_missing_columns_are_named(tmp_path: Path) -> None:
    folder = packed(tmp_path / raw.RUNS_FILE, "task,model\nx,y\n")
    with pytest.raises(ScenarioError, match="also cost_usd, elapsed_s, prompt, score_recomputed, timestamp"):
        Runs.load(folder)


def test_fields_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    header = "task,model,prompt,cost_usd,elapsed_s,score_recomputed,timestamp\n"
    folder = packed(tmp_path / raw.RUNS_FILE, header + "x,y,InJulia,cheap,1,100,2024\n")
    with pytest.raises(ScenarioError, match="cost_usd is 'cheap'"):
        Runs.load(folder)
    folder = packed(
        tmp_path / raw.ARRIVALS_FILE.format("conv"),
        "TIMESTAMP,ContextTokens,GeneratedTokens\nnoon,1,2\nnoon,3,4\n",
    )
    with pytest.raises(ScenarioError, match="TIMESTAMP"):
        Arrivals("conv", folder)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_trace_without_a_gap_is_told(tmp_path: Path, rows: int) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "2023-11-16 18:15:46.6805900,1,2\n" * rows
    with pytest.raises(ScenarioError, match="at least two requests"):
        Arrivals("conv", packed(tmp_path / raw.ARRIVALS_FILE.format("conv"), text))


def test_runs_without_a_priced_model_are_told(tmp_path: Path) -> None:
    text = "task,model,prompt,cost_usd,elapsed_s,score_recomputed,timestamp\nx,y,InJulia,0,1,100,2024\n"
    with pytest.raises(ScenarioError, match="priced"):
        Runs.load(packed(tmp_path / raw.RUNS_FILE, text))


def test_a_cell_without_runs_is_told() -> None:
    with pytest.raises(ScenarioError, match="every"):
        Runs({("a", "x", "train"): [(1, Run(1.0, 0.1, 2.0))]})
