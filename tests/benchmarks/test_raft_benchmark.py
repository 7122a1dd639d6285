"""The benchmark of Raft at quick sizes: every figure is there, and far above what something broken would give."""

import json

import pytest

from benchmarks import raft, rival_raft


def test_the_figures_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    raft.main(["--quick", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["committed_per_s_5"] > 4_000  # ten times as many measured
    assert found["committed_per_s_3"] > 6_000
    assert found["idle_x"] > 100
    assert found["loaded_x"] > 20
    assert found["chaos_per_s"] > 4


def test_the_rival_does_the_same_work_where_it_is_installed() -> None:
    pytest.importorskip("pysyncobj")
    figure = rival_raft.committed_per_s(3, commands=300, window=100)
    assert figure is not None
    assert figure > 500


def test_a_schedule_that_goes_wrong_is_no_figure() -> None:
    def broken(seed: int) -> None:
        assert seed < 2, f"seed {seed}"

    with pytest.raises(AssertionError, match="seed 2"):
        raft.chaos_per_s(3, broken)
