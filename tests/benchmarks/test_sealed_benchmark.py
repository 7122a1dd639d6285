"""The benchmark of sealed bids at quick sizes: both sides agree, and the arrays are far ahead of the messages."""

import json

import pytest

from benchmarks import sealed


def test_the_figures_are_printed_as_json_and_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    sealed.main(["--quick", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["tasks"], found["agents"], found["both_tasks"]) == (1000, 1000, 40)
    assert found["messages"] == 40 * (3 * 40 + 1)
    assert found["ratio"] > 10  # hundreds measured
    assert found["peak_mb"] < 4, "a slice of bids and not the 8 MB of all of them"


def test_a_side_that_gives_other_prices_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SURCHARGE", 0.0)
    town = sealed.Errands(tasks=30, agents=10)
    fair = sealed.in_bulk(town, 7)
    monkeypatch.undo()
    assert sealed.in_bulk(town, 7).prices.tolist() != fair.prices.tolist()
    monkeypatch.setattr(sealed, "in_bulk", lambda *_: fair)
    with pytest.raises(AssertionError):
        sealed.measure(town, town)
