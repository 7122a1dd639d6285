"""The benchmark of Raft at quick sizes: every figure is there, and the work behind it is bounded, counted in bytecodes."""

import json

import pytest

from benchmarks import raft, rival_raft
from benchmarks.bytecodes import bytecodes
from benchmarks.raft import SETTLE_S, WINDOW, settled


def test_the_figures_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    raft.main(["--quick", "--json"])
    found = json.loads(capsys.readouterr().out)
    rival = {name for name in found if name.startswith("pysyncobj")}
    assert len(rival) == 2
    assert set(found) - rival == {
        "committed_per_s_3", "committed_per_s_5", "idle_x", "loaded_x", "load_per_s", "chaos_per_s",
    }  # fmt: skip
    assert all(found[name] > 0 for name in set(found) - rival)


@pytest.mark.parametrize(("replicas", "most"), [(3, 1_150), (5, 1_450)])
def test_a_command_under_load_costs_so_many_bytecodes(replicas: int, most: int) -> None:
    """Over all replicas and the client; gathered for 2 ms; one by one each costs five times that."""
    simulation, writer = settled(replicas, batch_s=0.002, window=WINDOW)
    assert writer is not None
    spent = bytecodes(lambda: simulation.run(until=SETTLE_S + 0.05, keep_trace=False))
    assert writer.answered > 1_000
    assert spent < most * writer.answered


def test_a_second_of_idleness_is_heartbeats_and_nothing_else() -> None:
    """A cluster of five with a heartbeat of 100 ms: 80 messages a second."""
    simulation, _ = settled(5)
    simulation.run(until=SETTLE_S, keep_trace=False)
    assert bytecodes(lambda: simulation.run(until=SETTLE_S + 2.0, keep_trace=False)) < 2 * 95_000


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
