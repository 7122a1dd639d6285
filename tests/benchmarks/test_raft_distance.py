"""Commit latency over real distances: a round trip to the quorum and a write, whoever has failed."""

import gzip
from pathlib import Path

import pytest

from benchmarks.raft_distance import TRIPS, clusters, figure, measure, quorum_distance
from benchmarks.round_trips import TABLE, one_way, sampled
from walras.errors import ScenarioError

RAW = Path("../shared/data/scenarios/latency/PlanetLab490_rtt_ms_slice1.txt.gz")


@pytest.mark.skipif(not RAW.exists(), reason="the raw matrix is not here")
def test_the_table_is_what_its_head_says() -> None:
    with gzip.open(RAW, "rt") as file:
        rows = [[float(ms) for ms in line.split()] for line in file]
    assert TABLE.read_text() == sampled(rows)


def test_a_message_takes_half_of_the_round_trip() -> None:
    network = one_way(TRIPS)
    assert len(network.places) == 12
    assert network.between("32", "68").bound == pytest.approx(TRIPS["32"]["68"] / 2e3)
    assert all(TRIPS[a][b] == TRIPS[b][a] and not TRIPS[a][a] for a in TRIPS for b in TRIPS)


@pytest.mark.parametrize(("replicas", "down"), [(1, 0), (3, 0), (3, 1), (5, 0), (5, 1), (5, 2)])
def test_a_commit_takes_one_round_trip_to_the_quorum_and_one_write(replicas: int, down: int) -> None:
    for cluster in clusters(replicas, 3):
        sample = measure(cluster, down, disk_s=0.004, rounds=2)
        expected = quorum_distance(cluster, down)
        assert sample.write_ms == pytest.approx(expected + 4.0, abs=0.01)
        assert sample.read_ms == pytest.approx(expected, abs=0.01)
        assert measure(cluster, down, lease=True, rounds=1).read_ms == pytest.approx(0.0, abs=0.01)


def test_the_quorum_is_the_nearest_that_is_alive() -> None:
    cluster = ("60", "32", "130", "241", "433")  # 25, 166, 20 and 268 ms from the first
    assert [quorum_distance(cluster, down) for down in (0, 1, 2)] == [25.1, 165.8, 268.4]


def test_without_a_majority_nothing_can_be_measured() -> None:
    with pytest.raises(ScenarioError, match="a minority of 3"):
        measure(("32", "60", "68"), down=2)


def test_the_figure_has_a_line_and_four_kinds_of_cluster() -> None:
    (axes,) = figure(count=1).axes
    assert "ms" in axes.get_xlabel() and "ms" in axes.get_ylabel()
    assert len(axes.get_lines()) == 5
