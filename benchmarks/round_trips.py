"""Round-trip times between a dozen real places, for experiments on distances.

``python -m benchmarks.round_trips PlanetLab490_rtt_ms_slice1.txt.gz`` makes the table again from the matrix that it was
taken from. Source, licence and derivation stand at the head of the table, `TABLE`.
"""

import gzip
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from walras.simulation.latency import Matrix

TABLE = Path(__file__).with_name("round_trips.tsv")
PLACES = 12

HEADER = """\
# Measured round-trip times between 12 PlanetLab nodes, in milliseconds.
# Source: github.com/uofa-rzhu3/NetLatency-Data at commit a5845579654b, first of 18 time slices of 490 nodes. Licence: MIT,
# Copyright (c) 2016 uofa-rzhu3. R. Zhu, B. Liu, D. Niu, Z. Li, H. V. Zhao, Network latency estimation for personal devices:
# a matrix completion approach, IEEE/ACM Transactions on Networking 25, 724-737, 2017.
# Derived: nodes drawn by random.Random(1), named by their rows from 0 on; rounded to 0.1 ms. Made by benchmarks/round_trips.py.
"""


def read(table: Path = TABLE) -> dict[str, dict[str, float]]:
    """Milliseconds from each place to each, there and back."""
    head, *rows = [line.split("\t") for line in table.read_text().splitlines() if not line.startswith("#")]
    return {row[0]: dict(zip(head[1:], map(float, row[1:]), strict=True)) for row in rows}


def one_way(trips: dict[str, dict[str, float]]) -> Matrix:
    """A network in which every message takes half of the round trip, always."""
    return Matrix(tuple(trips), tuple(tuple(ms / 2e3 for ms in row.values()) for row in trips.values()))


def sampled(rows: Sequence[Sequence[float]]) -> str:
    """The table, from the rows of the whole matrix in milliseconds."""
    nodes = sorted(random.Random(1).sample(range(len(rows)), PLACES))
    lines = ["\t".join(["node", *map(str, nodes)])]
    lines += ["\t".join([str(a), *(f"{rows[a][b]:.1f}" for b in nodes)]) for a in nodes]
    return HEADER + "\n".join(lines) + "\n"


def main(matrix: str) -> None:
    with gzip.open(matrix, "rt") as file:
        TABLE.write_text(sampled([[float(ms) for ms in line.split()] for line in file]))


if __name__ == "__main__":
    main(sys.argv[1])
