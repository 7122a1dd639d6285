"""Results: the definition of every metric, the printed table, and the saved folder."""

import importlib.util
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from walras.allocation import Allocation, Award, Outcome, Report
from walras.errors import WalrasError
from walras.messages import Message
from walras.results import AgentRecord, Result, TaskRecord
from walras.results.summary import _size
from walras.scenario import Optimum
from walras.trace import Trace


class Offer(Message, frozen=True):
    price: float


def record(item: str, status: str = "done", **changes: Any) -> TaskRecord:
    """A task that was announced at 0 and, if done, finished at 10 s, worth 5 at a cost of 2."""
    done = status == "done"
    plain = TaskRecord(
        item=item, kind="draft", status=status, announced_s=0.0, winner="ada" if done else None, price=3.0, paid=3.0,
        value=5.0 if done else 0.0, cost=2.0, quality=0.5 if done else 0.0, finished_s=10.0 if done else None, rounds=1,
        conversation=f"shop/{item}",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def agent(id_: str, busy_s: float = 0.0, **changes: Any) -> AgentRecord:
    plain = AgentRecord(
        id_, capacity=1, busy_s=busy_s, earned=0.0, cost=0.0, tasks=int(busy_s > 0), spent=0.0
    )
    return msgspec.structs.replace(plain, **changes)


def small_trace(keep: bool = True) -> Trace:
    trace = Trace(keep=keep)
    trace.rows.append((0.0, "broadcast", "shop/a", "shop", ("ada", "bob"), Offer(1.0), [0.1, 0.2]))
    trace.rows.append((0.5, 1, 3, "shop/a", "ada", "shop", Offer(2.0), 0.2))
    return trace


def small_result(**changes: Any) -> Result:
    """Three tasks of which one failed; ada works 30 s, bob 10 s, the shop only announces."""
    plain = Result(
        scenario="drafts",
        mechanism="x-net",
        seed=7,
        stopped_because="every conversation has ended",
        ended_s=40.0,
        records=(
            record("a", awards=1),
            record("b", announced_s=5.0, finished_s=35.0, quality=1.0, winner="bob", rounds=2, awards=2),
            record("c", "failed", paid=0.0, awards=1),
        ),
        allocation=Allocation(
            [Award("a", "ada", 3.0), Award("b", "ada", 3.0), Award("b", "bob", 3.0), Award("c", "bob", 3.0)]
        ),
        outcomes={"shop/a": Outcome("done", (Award("a", "ada", 3.0),), (Report("done", 2.0, 0.5, 10.0),))},
        trace=small_trace(),
        balances={"shop": math.inf, "ada": 3.0},
        agents=(
            agent("ada", 30.0, earned=3.0, cost=2.0),
            agent("bob", 10.0, earned=3.0, cost=4.0),
            agent("shop", spent=6.0),
        ),
        optimum=Optimum(10.0, True, "by hand"),
        settings={"tasks": 3, "load": math.inf},
    )
    return msgspec.structs.replace(plain, **changes)


# ---------------------------------------------------------------------------------------------------------- metrics


def test_metrics_of_a_run_that_can_be_reckoned_by_hand() -> None:
    """Completion 2/3; welfare 5 + 5 - 3 x 2 = 4 of 10; latencies 10 and 30 s; first announced 0, last finished 35 s."""
    size = len(msgspec.msgpack.encode(Offer(1.0)))
    assert small_result().metrics == {
        "tasks": 3,
        "completed": 2,
        "completion_rate": 2 / 3,
        "welfare": 4.0,
        "efficiency": 0.4,
        "optimum": 10.0,
        "optimum_exact": True,
        "paid": 6.0,
        "cost": 6.0,
        "quality": 0.75,
        "quality_all": 0.5,
        "latency_p50_s": 20.0,
        "latency_p95_s": 29.0,
        "makespan_s": 35.0,
        "rounds": 4 / 3,
        "messages": 3,
        "messages_per_task": 1.0,
        "bytes": 3 * size,
        "messages_Offer": 3,
        "jain": pytest.approx(0.8),
        "gini": pytest.approx(0.25),
        "utilisation": 0.5,
        "defaults": 0,
        "overcommitments": 0,
        "misawards": 2,
        "ir_violations": 1,
        "budget_balance": 0.0,
    }


def test_what_is_not_defined_is_none_and_never_zero() -> None:
    """A run in which nothing was announced has no shares, no latencies and no fairness; its counts are 0."""
    metrics = Result().metrics
    undefined = {name for name, value in metrics.items() if value is None}
    assert undefined == {
        "completion_rate", "efficiency", "optimum", "optimum_exact", "quality", "quality_all", "latency_p50_s",
        "latency_p95_s", "makespan_s", "rounds", "messages_per_task", "jain", "gini", "utilisation", "budget_balance",
    }  # fmt: skip
    assert {value for value in metrics.values() if value is not None} == {0}


@pytest.mark.parametrize("optimum", [None, Optimum(0.0, True, ""), Optimum(-1.0, True, "")])
def test_efficiency_is_undefined_where_the_optimum_is_not_above_zero(optimum: Optimum | None) -> None:
    assert small_result(optimum=optimum).metrics["efficiency"] is None


def test_rounding_lifts_no_run_above_the_optimum_and_hides_none_that_is() -> None:
    """A welfare of 3: of an optimum that was added up in another order, and of one that is wrong."""
    records = (record("a"),)
    rounded = small_result(records=records, optimum=Optimum(math.nextafter(3.0, 0.0), True, "")).metrics
    assert (rounded["welfare"], rounded["efficiency"]) == (3.0, 1.0)
    assert small_result(records=records, optimum=Optimum(2.0, True, "")).metrics["efficiency"] == 1.5


def test_failed_work_keeps_its_cost_and_loses_its_value() -> None:
    failed = small_result(records=(record("a", "failed"),)).metrics
    assert (failed["welfare"], failed["cost"], failed["quality"], failed["quality_all"]) == (
        -2.0,
        2.0,
        None,
        0.0,
    )


def test_who_only_announces_has_no_load_to_compare_and_who_was_idle_has() -> None:
    """An opener without work would look like an idle worker; an idle worker is what unfairness means."""
    both = (agent("ada", 10.0), agent("shop"))
    assert small_result(agents=both).metrics["jain"] == 1.0
    assert small_result(agents=(*both, agent("idle"))).metrics["jain"] == 0.5
    assert small_result(agents=(agent("ada", 10.0), agent("shop", 10.0))).metrics["jain"] == 1.0
    assert small_result(agents=(*both, agent("none", capacity=0))).metrics["jain"] == 1.0


def test_loads_are_relative_to_capacity() -> None:
    loads = (agent("ada", 40.0, capacity=4), agent("bob", 10.0))
    metrics = small_result(agents=loads, ended_s=20.0).metrics
    assert (metrics["jain"], metrics["gini"], metrics["utilisation"]) == (1.0, 0.0, 0.5)


@pytest.mark.parametrize(
    ("status", "awards", "copies", "count"),
    [("done", 1, 1, 0), ("done", 2, 1, 1), ("done", 2, 2, 0), ("failed", 2, 1, 2), ("unassigned", 0, 1, 0)],
)
def test_misawards_are_awards_that_came_to_nothing(status: str, awards: int, copies: int, count: int) -> None:
    result = small_result(records=(record("a", status, copies=copies, awards=awards),))
    assert result.metrics["misawards"] == count


def test_work_that_cost_more_than_it_earned_violates_individual_rationality_beyond_rounding() -> None:
    at_a_loss = agent("ada", 1.0, earned=0.3, cost=0.1 + 0.2)
    assert small_result(agents=(at_a_loss,)).metrics["ir_violations"] == 0
    assert small_result(agents=(agent("ada", 1.0, earned=1.0, cost=1.01),)).metrics["ir_violations"] == 1


def test_the_budget_balance_is_below_zero_where_somebody_subsidised() -> None:
    agents = (agent("ada", earned=5.0), agent("shop", spent=4.0))
    assert small_result(agents=agents).metrics["budget_balance"] == -1.0
    unknown = (*agents, agent("bob", spent=None))
    assert small_result(agents=unknown).metrics["budget_balance"] is None


def test_metrics_do_not_need_a_trace_that_was_kept() -> None:
    assert small_result(trace=small_trace(keep=False)).metrics == small_result().metrics


# ---------------------------------------------------------------------------------------------------- print, tables


def test_the_printed_table_has_completion_before_cost_and_names_the_run() -> None:
    result = small_result()
    assert str(result).splitlines() == [
        "drafts, x-net, seed 7",
        "  completion  66.7 %  2 of 3 tasks: 1 failed",
        "  efficiency     0.4  of the optimum, 10",
        "  cost             6  paid 6, welfare 4",
        "  quality       0.75  of finished tasks; 0.5 over all",
        "  latency       20 s  median; p95 29 s, makespan 35 s",
        f"  messages         3  1 per task, {3 * len(msgspec.msgpack.encode(Offer(1.0)))} B",
        "  fairness       0.8  Jain's index of loads; Gini 0.25, utilisation 50.0 %",
        f"  ended         40 s  every conversation has ended; digest {result.digest[:12]}",
    ]


def trace_with_defaults(keep: bool, why: str = "TypeError in the strategy: no") -> Trace:
    """Bob's mind fails twice and is silent once; ada's answers."""
    trace = small_trace(keep)
    trace.rows += [
        (0.6, "note", "shop/a", "ada", "a remark"),
        (0.6, "answer", "shop/a", "ada", "bid", Offer(2.0), "ok"),
        (0.7, "note", "shop/a", "bob", why),
        (0.7, "answer", "shop/a", "bob", "bid", None, "error"),
        (0.8, "note", "shop/a", "bob", "another reason"),
        (0.8, "answer", "shop/a", "bob", "bid", None, "error"),
        (0.9, "answer", "shop/a", "bob", "bid", None, "silent"),
    ]
    return trace


@pytest.mark.parametrize("keep", [True, False])
def test_questions_that_got_no_legal_answer_are_printed_with_the_first_reason(
    tmp_path: Path, keep: bool
) -> None:
    result = small_result(trace=trace_with_defaults(keep))
    line = "3  questions without a legal answer: 2 error, 1 silent; first bob: TypeError in the strategy: no"
    assert [row.split("defaults")[1].strip() for row in str(result).splitlines() if "defaults" in row] == [
        line
    ]
    result.save(tmp_path)
    assert str(Result.load(tmp_path)) == str(result)
    assert result.trace.so_far().default_counts() == {"error": 2, "silent": 1}
    assert result.metrics["defaults"] == Result.load(tmp_path).metrics["defaults"] == 3


def test_a_reason_stays_one_printable_line() -> None:
    printed = str(small_result(trace=trace_with_defaults(True, "\x1b[2J\n" + "long " * 100)))
    line = next(row for row in printed.splitlines() if "defaults" in row)
    assert line.isprintable()
    assert line.endswith("...")


def test_a_bound_is_called_a_bound() -> None:
    bound = small_result(optimum=Optimum(10.0, False, "relaxed"))
    assert "of an upper bound on the optimum, 10" in str(bound)
    assert "bound" not in str(small_result())
    assert "optimum not known" in str(small_result(optimum=None))
    assert "undefined: the optimum, -1" in str(small_result(optimum=Optimum(-1.0, True, "")))


def test_an_optimum_that_was_beaten_is_called_none() -> None:
    """Beyond rounding."""
    assert "of the optimum, 3; it is none, as welfare is above it" in str(
        small_result(optimum=Optimum(3.0, exact=True, method="a guess"))
    )
    assert "it is none" not in str(small_result())


def test_overcommitments_are_printed_where_there_are_any() -> None:
    assert re.search(r"overcommitments +2  times somebody was bound", str(small_result(overcommitments=2)))
    assert "overcommitments" not in str(small_result(overcommitments=0))


def test_a_bare_run_prints_too() -> None:
    assert "bare run, no mechanism, seed 0" in str(Result())
    assert repr(Result()).startswith("<Result of a bare run with no mechanism, seed 0: 0 of 0 tasks done")


def test_html_shows_the_same_and_escapes_names() -> None:
    html = small_result(scenario="<b>")._repr_html_()
    assert "&lt;b&gt;" in html
    assert "66.7 %" in html


def test_the_table_has_a_row_per_task() -> None:
    table = small_result().to_pandas()
    assert table["item"].tolist() == ["a", "b", "c"]
    assert table["latency_s"].tolist()[:2] == [10.0, 30.0]
    assert table["latency_s"].isna().tolist() == [False, False, True]
    assert set(table["seed"]) == {7}
    assert list(Result().to_pandas().columns) == list(table.columns)


def test_an_agents_record_is_found_by_name() -> None:
    assert small_result().agent("bob").busy_s == 10.0
    with pytest.raises(KeyError):
        small_result().agent("nobody")
    with pytest.raises(KeyError, match="'bop' was not in this run; the nearest are bob"):
        small_result().agent("bop")


# ------------------------------------------------------------------------------------------------------ save and load

parquet = pytest.param(
    True, marks=pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is an extra")
)


@pytest.mark.parametrize("in_parquet", [False, parquet])
def test_what_is_loaded_equals_what_was_saved(tmp_path: Path, in_parquet: bool) -> None:
    """All parts, infinities and None included, so also metrics, digest and printed table."""
    result = small_result()
    result.save(tmp_path / "deep" / "run", parquet=in_parquet)
    back = Result.load(tmp_path / "deep" / "run")
    assert back == result
    assert (back.metrics, back.digest, str(back)) == (result.metrics, result.digest, str(result))
    assert back.trace.first_difference(result.trace) is None
    assert (tmp_path / "deep" / "run" / "tasks.parquet").exists() == in_parquet
    assert (tmp_path / "deep" / "run" / "tasks.json").exists() != in_parquet


@pytest.mark.parametrize("in_parquet", [False, parquet])
def test_an_empty_result_can_be_saved(tmp_path: Path, in_parquet: bool) -> None:
    Result().save(tmp_path, parquet=in_parquet)
    assert Result.load(tmp_path) == Result()


def test_a_result_whose_trace_was_only_counted_keeps_digest_and_counts(tmp_path: Path) -> None:
    result = small_result(trace=small_trace(keep=False))
    result.save(tmp_path)
    back = Result.load(tmp_path)
    assert (back.digest, back.metrics) == (result.digest, result.metrics)
    assert back == result
    assert not (tmp_path / "trace.jsonl").exists()
    with pytest.raises(WalrasError, match="keep=False"):
        list(back.trace)


def test_saving_again_leaves_nothing_of_the_earlier_result(tmp_path: Path) -> None:
    small_result().save(tmp_path)
    (tmp_path / "tasks.parquet").write_bytes(b"old")
    counted = small_result(trace=small_trace(keep=False))
    counted.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.json", "tasks.json"]


@pytest.mark.parametrize("in_parquet", [False, parquet])
def test_numbers_of_numpy_and_truth_values_are_saved_as_plain_numbers(
    tmp_path: Path, in_parquet: bool
) -> None:
    result = small_result(
        seed=np.int64(7),
        records=(
            record("a", price=True, paid=np.float32(0.5), rounds=np.int64(2), finished_s=np.float64(9.0)),
        ),
        allocation=Allocation([Award("a", "ada", price=True), Award("b", "bob", price=2, quantity=True)]),
        outcomes={"shop/a": Outcome("done", (Award("a", "ada", True),), (Report("done", np.float64(2.0)),))},
        balances={"ada": np.float64(3.0)},
        settings={"load": np.float64(1.5), "sizes": np.array([1, 2])},
    )
    result.save(tmp_path, parquet=in_parquet)
    back = Result.load(tmp_path)
    assert (back.records, back.allocation, back.outcomes) == (
        result.records,
        result.allocation,
        result.outcomes,
    )
    assert type(back.allocation["a"].price) is float
    assert (back.balances, back.settings) == ({"ada": 3.0}, {"load": 1.5, "sizes": [1, 2]})


def test_what_cannot_be_saved_is_named_and_deletes_nothing(tmp_path: Path) -> None:
    small_result().save(tmp_path)
    with pytest.raises(WalrasError, match=r"settings of the result cannot be saved: .* type object"):
        small_result(settings={"odd": object()}).save(tmp_path)
    with pytest.raises(WalrasError, match="records of the result cannot be saved"):
        small_result(records=(record("a", price="three"),)).save(tmp_path)
    assert Result.load(tmp_path) == small_result()


def test_saved_files_are_strict_json(tmp_path: Path) -> None:
    small_result().save(tmp_path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    head = json.loads((tmp_path / "result.json").read_text("utf-8"), parse_constant=refuse)
    assert head["walras_result"] == 1
    assert head["balances"] == {"shop": {"$float": "inf"}, "ada": 3.0}
    tasks = json.loads((tmp_path / "tasks.json").read_text("utf-8"), parse_constant=refuse)
    assert [task["item"] for task in tasks] == ["a", "b", "c"]
    assert list(tasks[0]) == list(TaskRecord.__struct_fields__), "also those that are at their defaults"


def rewrite(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps(content | changes), "utf-8")

    return change


def put(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text, "utf-8")

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def other_trace(folder: Path) -> None:
    Trace().to_jsonl(folder / "trace.jsonl")


def too_few_tasks(folder: Path) -> None:
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    (folder / "tasks.json").write_text(json.dumps(tasks[:2]), "utf-8")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (remove("result.json"), r"result\.json cannot be read: No such file"),
        (remove("tasks.json"), r"tasks\.json cannot be read: No such file"),
        (remove("trace.jsonl"), r"trace\.jsonl cannot be read: No such file"),
        (put("result.json", "{"), r"result\.json is damaged: .*; expected JSON"),
        (put("result.json", '{"$float": "x"}'), r"result\.json is damaged"),
        (put("result.json", "[]"), r"result\.json is not the head of a saved result"),
        (put("result.json", "{}"), r"result\.json is not the head of a saved result"),
        (rewrite("result.json", walras_result=2), r"result\.json is of version 2; expected 1 or less"),
        (rewrite("result.json", walras_result="1"), r"result\.json is not the head"),
        (
            rewrite("result.json", seed="seven"),
            r"result\.json is damaged: Expected `int`, got `str` - at `\$\.seed`",
        ),
        (rewrite("result.json", table="../tasks.json"), r"names '\.\./tasks\.json' for its tasks; expected"),
        (rewrite("result.json", table="tasks.parquet"), r"tasks\.parquet (cannot be read|needs pyarrow)"),
        (put("tasks.json", '[{"item": 1}]'), r"tasks\.json is damaged: Expected `str`, got `int`"),
        (too_few_tasks, r"tasks\.json has 2 tasks; expected 3, as result\.json says"),
        (other_trace, r"trace\.jsonl has the digest e3b0c44298fc.* it belongs to another run"),
        (put("trace.jsonl", "rubbish"), r"trace\.jsonl, line 1 is 'rubbish'"),
    ],
)
def test_a_damaged_folder_is_one_sentence_that_names_the_file(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    small_result().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(WalrasError, match=says) as caught:
        Result.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("in_parquet", [False, parquet])
def test_a_table_that_was_changed_is_not_believed(tmp_path: Path, in_parquet: bool) -> None:
    """Though it is one that could have been written: here it lies beside the head of another run."""
    result = small_result()
    result.save(tmp_path / "run", parquet=in_parquet)
    richer = tuple(msgspec.structs.replace(record, paid=1000.0) for record in result.records)
    small_result(records=richer).save(tmp_path / "other", parquet=in_parquet)
    table = "tasks.parquet" if in_parquet else "tasks.json"
    (tmp_path / "other" / table).replace(tmp_path / "run" / table)
    with pytest.raises(WalrasError, match=rf"{table} has the SHA-256 \w{{12}}\.\.\.; expected \w{{12}}"):
        Result.load(tmp_path / "run")


def test_a_folder_of_an_earlier_walras_which_wrote_no_sha256_is_loaded(tmp_path: Path) -> None:
    small_result().save(tmp_path)
    head = json.loads((tmp_path / "result.json").read_text("utf-8"))
    del head["table_sha256"]
    (tmp_path / "result.json").write_text(json.dumps(head), "utf-8")
    assert Result.load(tmp_path) == small_result()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("I was here first", "utf-8")
    with pytest.raises(WalrasError, match="run cannot be written"):
        small_result().save(tmp_path / "run")


def test_parquet_without_pyarrow_names_the_extra_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(WalrasError, match=r"pip install 'walras\[parquet\]'"):
        small_result().save(tmp_path / "run", parquet=True)
    assert not (tmp_path / "run").exists()


def test_lots_have_no_quality_and_do_not_water_down_that_of_tasks() -> None:
    lot = record("vase", quality=None)
    only_lots = small_result(records=(lot,)).metrics
    assert (only_lots["quality"], only_lots["quality_all"]) == (None, None)
    assert small_result(records=(lot,)).to_pandas()["quality"].dtype == float
    mixed = small_result(records=(lot, record("a", quality=0.5), record("b", status="failed"))).metrics
    assert (mixed["quality"], mixed["quality_all"]) == (0.5, 0.25)


def test_an_opener_that_worked_in_no_time_is_compared_too() -> None:
    both = (agent("ada", 10.0), agent("shop", tasks=1))
    assert small_result(agents=both).metrics["jain"] == 0.5


def test_the_makespan_begins_with_the_first_announcement_whatever_became_of_it() -> None:
    records = (record("a", "failed"), record("b", announced_s=5.0, finished_s=35.0))
    assert small_result(records=records).metrics["makespan_s"] == 35.0


@pytest.mark.parametrize(
    ("cost", "earned", "count"), [(1e9 + 0.5, 1e9, 0), (1e9 + 2.0, 1e9, 1), (1e-10, 0.0, 0), (1e-6, 0.0, 1)]
)
def test_rounding_is_relative_above_1_and_absolute_below(cost: float, earned: float, count: int) -> None:
    assert (
        small_result(agents=(agent("ada", 1.0, earned=earned, cost=cost),)).metrics["ir_violations"] == count
    )


def test_version_0_is_no_result(tmp_path: Path) -> None:
    small_result().save(tmp_path)
    rewrite("result.json", walras_result=0)(tmp_path)
    with pytest.raises(WalrasError, match=r"result\.json is not the head of a saved result"):
        Result.load(tmp_path)


def test_a_truth_value_as_quality_is_saved_as_a_number(tmp_path: Path) -> None:
    result = small_result(records=(record("a", quality=True),))
    result.save(tmp_path)
    assert Result.load(tmp_path).records == result.records


@pytest.mark.parametrize(
    ("ended_s", "shown"), [(9999.4, "9999 s"), (9999.6, "10,000 s"), (12345.0, "12,345 s")]
)
def test_large_numbers_are_printed_whole(ended_s: float, shown: str) -> None:
    assert f" {shown} " in str(small_result(ended_s=ended_s)).splitlines()[-1]


@pytest.mark.parametrize(
    ("n", "shown"), [(999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_600, "1 MB"), (10**9, "1 GB")]
)
def test_sizes_are_printed_in_the_unit_that_fits(n: int, shown: str) -> None:
    assert _size(n) == shown


def test_half_a_character_is_saved_as_the_trace_has_it(tmp_path: Path) -> None:
    """Minds send such text; a run is not lost for it."""
    report = Report("done", result="half \ud83d of it")
    small_result(outcomes={"shop/1": Outcome("done", results=(report,))}).save(tmp_path)
    (saved,) = Result.load(tmp_path).outcomes["shop/1"].results
    assert saved.result == "half \\ud83d of it"
