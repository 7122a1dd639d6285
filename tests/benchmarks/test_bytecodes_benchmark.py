"""The table of bytecodes at quick sizes: it shows what is counted for each side of the engine benchmark's market."""

import json

import pytest

from benchmarks import bytecodes
from benchmarks.bytecodes import SIDES, per_message
from benchmarks.market import make_market


def test_the_figures_are_those_of_every_side_and_printed_as_json_and_as_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = bytecodes.measure({10: 2, 20: 1})
    assert set(found) == {f"bytecodes_{name}_{size}" for name in SIDES for size in (10, 20)}
    for name, side in SIDES.items():
        assert found[f"bytecodes_{name}_20"] == pytest.approx(per_message(side, make_market(20, 1)), rel=0.01)
    monkeypatch.setattr(bytecodes, "measure", lambda rounds: found)
    monkeypatch.setattr(bytecodes, "ROUNDS", {10: 2, 20: 1})
    bytecodes.main(["--json"])
    assert json.loads(capsys.readouterr().out) == found
    bytecodes.main([])
    shown = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[int(cell.replace(",", "")) for cell in row] for row in shown] == [
        [size, *(found[f"bytecodes_{name}_{size}"] for name in SIDES)] for size in (10, 20)
    ]


def test_a_message_costs_so_many_bytecodes_whatever_the_number_of_rounds() -> None:
    few, many = (per_message(SIDES["simpy"], make_market(10, rounds)) for rounds in (4, 16))
    assert few == pytest.approx(many, rel=0.05)
