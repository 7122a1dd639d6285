"""The raw records behind the tables: graded runs of LLMs, and one hour each of two request traces.

README.md beside this file tells their source and licence. No raw row comes with the package.
"""

import csv
import gzip
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from walras.errors import ScenarioError
from walras.messages import Frozen

Split = Literal["train", "test"]
Cell = tuple[str, str, str]  # kind, model, split

RUNS_FILE = "julia_llm_leaderboard_runs.csv.gz"
ARRIVALS_FILE = "AzureLLMInferenceTrace_{}.csv.gz"
PROMPTS = frozenset(
    {"InJulia", "JuliaExpertAsk", "JuliaExpertCoTTask", "JuliaRecapCoTTask", "JuliaRecapTask"}
)
SPLIT_WITHIN = ("task", "model", "prompt")  # inside each, the earlier half of the runs is "train"
LONGEST_S = 250.0  # the source's one outlier is 22,043 s; no run of a priced model is longer than 107 s


class Run(Frozen, frozen=True):
    """One outcome: quality `score` in 0..1, what the call cost in dollars, and its wall-clock seconds."""

    score: float
    cost_usd: float
    seconds: float


def read_runs(raw: Path) -> dict[Cell, list[Run]]:
    """The runs of the priced models with the five standard prompts by (kind, model, split), oldest first.

    A cost of 0 means "not recorded", never "free", so models without a priced run are left out. Within each
    group of `SPLIT_WITHIN` the earlier half of the runs (rounded down) is "train" and the later half "test".
    """
    columns = ("task", "model", "prompt", "cost_usd", "elapsed_s", "score_recomputed", "timestamp")
    rows = [row for row in read_rows(raw / RUNS_FILE, columns) if row["prompt"] in PROMPTS]
    priced = {row["model"] for row in rows if number(row, "cost_usd") > 0}
    if not priced:
        raise ScenarioError(RUNS_FILE, f"{len(rows)} runs", "some priced runs (cost_usd > 0)")
    groups: defaultdict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in sorted((row for row in rows if row["model"] in priced), key=lambda row: row["timestamp"]):
        groups[tuple(row[column] for column in SPLIT_WITHIN)].append(row)
    cells: defaultdict[Cell, list[Run]] = defaultdict(list)
    for group in groups.values():
        for k, row in enumerate(group):
            # a path ("accounts/.../name") is no good as an agent's name
            model = row["model"].rsplit("/", 1)[-1]
            split = "train" if k < len(group) // 2 else "test"
            cells[row["task"], model, split].append(outcome(row))
    return dict(cells)


def outcome(row: Mapping[str, str]) -> Run:
    """The run that a raw row records."""
    score, seconds = number(row, "score_recomputed") / 100, number(row, "elapsed_s")
    return Run(score=score, cost_usd=number(row, "cost_usd"), seconds=min(seconds, LONGEST_S))


def read_arrivals(raw: Path, trace: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Gaps in seconds, shape (n,), and (context, output) tokens of the request after each, shape (n, 2)."""
    path = raw / ARRIVALS_FILE.format(trace)
    rows = list(read_rows(path, ("TIMESTAMP", "ContextTokens", "GeneratedTokens")))
    if len(rows) < 2:
        raise ScenarioError(path.name, f"{len(rows)} rows", "at least two requests")
    try:  # datetime64 keeps all seven digits of the stamps, which `%f` does not
        stamps = np.array([row["TIMESTAMP"] for row in rows], dtype="datetime64[ns]")
    except ValueError as error:
        raise ScenarioError(f"TIMESTAMP in {path.name}", str(error), "YYYY-MM-DD HH:MM:SS.fffffff") from error
    sizes = np.array(
        [[number(row, "ContextTokens"), number(row, "GeneratedTokens")] for row in rows[1:]], dtype=np.int64
    )
    return np.diff(stamps).astype(np.int64) / 1e9, sizes


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a gzipped CSV file that must have `columns`."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            found = reader.fieldnames or []
            if missing := set(columns) - set(found):
                raise ScenarioError(
                    f"columns of {path.name}", list(found), f"also {', '.join(sorted(missing))}"
                )
            yield from reader
    except (OSError, EOFError) as error:
        raise ScenarioError("raw", str(path), "a readable gzipped CSV file of the raw data folder") from error


def number(row: Mapping[str, str], column: str) -> float:
    """The finite number in one field of a row."""
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ScenarioError(column, row[column], "a finite number")
    return value
