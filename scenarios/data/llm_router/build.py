"""Rebuild the tables beside this file from the folder of the raw records.

From the root of the project: ``python -m scenarios.data.llm_router.build RAW [TARGET]``. The same records
give the same bytes.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from scenarios.data.llm_router.raw import Run, read_arrivals, read_runs
from scenarios.llm_router_data import mean_run

MOST_ATOMS = 8
RUNS_PER_ATOM = 3  # on average at least; no atom is a single run
CONTEXT_BINS, OUTPUT_BINS = 20, 10
RUNS_ABOUT = {
    "source": "github.com/svilupp/Julia-LLM-Leaderboard at commit 7b7a408c3afb",
    "licence": "MIT, Copyright (c) 2023 J S",
    "changed": "aggregated: see README.md beside this file",
    "cells": "model -> kind of task -> atoms [runs, mean score 0..1, mean cost in US dollars, mean seconds]",
}
ARRIVALS_ABOUT = {
    "source": "github.com/Azure/AzurePublicDataset at commit b469a113cedc, AzureLLMInferenceTrace_{}",
    "licence": "CC-BY-4.0",
    "cite": "P. Patel et al., Splitwise: Efficient generative LLM inference using phase splitting, ISCA 2024",
    "changed": "aggregated: see README.md beside this file",
    "gaps": "quantiles of the time between arrivals [probability, seconds]",
    "sizes": "binned requests [mean context tokens, mean output tokens, requests]",
}


def main(arguments: Sequence[str]) -> None:
    """Write the four tables."""
    raw, target = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parent
    for name, text in tables(raw).items():
        (target / name).write_text(text, encoding="utf-8")


def tables(raw: Path) -> dict[str, str]:
    """File name -> contents of every derived table."""
    cells = sorted(read_runs(raw).items())
    texts = {}
    for split in ("train", "test"):
        found: dict[str, dict[str, list[list[float]]]] = {}
        for (kind, model, part), runs in cells:
            if part == split:
                found.setdefault(model, {})[kind] = [[n, *rounded(mean)] for n, mean in atoms(runs)]
        texts[f"runs_{split}.json"] = layout({"about": RUNS_ABOUT, "cells": dict(sorted(found.items()))})
    for trace in ("conv", "code"):
        gaps, sizes = read_arrivals(raw, trace)
        about = ARRIVALS_ABOUT | {"source": ARRIVALS_ABOUT["source"].format(trace)}
        texts[f"arrivals_{trace}.json"] = layout(
            {
                "about": about,
                "mean_gap_s": significant(float(gaps.mean())),
                "gaps": quantiles(gaps),
                "sizes": binned(sizes),
            }
        )
    return texts


def atoms(runs: Sequence[Run]) -> list[tuple[int, Run]]:
    """Merge the runs of a cell into at most `MOST_ATOMS` groups of like outcomes, each replaced by its mean.

    Ward's clustering on score, cost / mean cost and seconds / mean seconds. Scores are bimodal, so the score
    counts twice and a full and a zero score are marked: they stay apart from the partial ones wherever there
    are two of them. A group of one joins its nearest group. The mean of the cell is kept, its spread within a
    group is not.
    """
    mean = mean_run([(1, run) for run in runs])
    points = np.array(
        [
            [2 * r.score, r.score == 1, r.score == 0, r.cost_usd / mean.cost_usd, r.seconds / mean.seconds]
            for r in runs
        ]
    )
    labels = fcluster(linkage(points, "ward"), min(MOST_ATOMS, len(runs) // RUNS_PER_ATOM), "maxclust")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    while len(groups) > 1 and min(map(len, groups)) == 1:
        single = groups.pop(min(range(len(groups)), key=lambda g: len(groups[g])))
        distances = [np.linalg.norm(points[group].mean(axis=0) - points[single[0]]) for group in groups]
        nearest = int(np.argmin(distances))
        groups[nearest] = np.sort(np.concatenate([groups[nearest], single]))
    merged = [(len(group), mean_run([(1, runs[row]) for row in group.tolist()])) for group in groups]
    return sorted(merged, key=lambda atom: (atom[1].score, atom[1].cost_usd, atom[1].seconds))


def quantiles(gaps: NDArray[np.float64]) -> list[list[float]]:
    """Quantiles at 201 points: even up to 0.99, then closing in on 1, as the tail holds much of the mean."""
    tail = 1 - np.geomspace(0.01, 1 / len(gaps), 101)
    probabilities = np.round(np.concatenate([np.linspace(0, 0.99, 100), tail[1:], [1.0]]), 7)
    return [
        [float(p), significant(q)]
        for p, q in zip(probabilities, np.quantile(gaps, probabilities), strict=True)
    ]


def binned(sizes: NDArray[np.int64]) -> list[list[int]]:
    """Requests in equal bins by context and, within those, by output tokens: (mean, mean, number)."""
    rows = []
    for by_context in np.array_split(sizes[np.lexsort((sizes[:, 1], sizes[:, 0]))], CONTEXT_BINS):
        for part in np.array_split(by_context[np.lexsort((by_context[:, 0], by_context[:, 1]))], OUTPUT_BINS):
            rows.append([*(int(mean) for mean in np.rint(part.mean(axis=0))), len(part)])
    return sorted(rows)


def rounded(run: Run) -> list[float]:
    """The fields of a run to five significant digits."""
    return [significant(value) for value in (run.score, run.cost_usd, run.seconds)]


def significant(value: float) -> float:
    """A number to five significant digits."""
    return float(f"{value:.5g}")


def layout(table: dict[str, object]) -> str:
    """JSON with a line for each entry two levels down, so that a difference can be read."""
    parts = []
    for key, value in table.items():
        if key == "cells" and isinstance(value, dict):
            models = (f"{json.dumps(model)}: {lines(kinds)}" for model, kinds in value.items())
            parts.append(f"{json.dumps(key)}: {{\n" + ",\n".join(models) + "\n}")
        else:
            parts.append(f"{json.dumps(key)}: {lines(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def lines(value: object) -> str:
    """One line for each entry of a dictionary, a few of a list to a line."""
    dense = (",", ":")
    if isinstance(value, dict):
        return (
            "{\n"
            + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=dense)}" for k, v in value.items())
            + "\n}"
        )
    if isinstance(value, list):
        rows = [
            ",".join(json.dumps(v, separators=dense) for v in value[i : i + 5])
            for i in range(0, len(value), 5)
        ]
        return "[\n" + ",\n".join(rows) + "\n]"
    return json.dumps(value)


if __name__ == "__main__":
    main(sys.argv[1:])
