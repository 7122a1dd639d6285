"""The benchmark of the live runtime at a small size: every mind is asked, answers, and the cheapest wins."""

import json

import pytest

from benchmarks import live


def test_the_figures_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    live.main(["--json", "--participants", "40", "--repeats", "1"])
    found = json.loads(capsys.readouterr().out)
    assert found["participants"] == 40
    assert all(found[f"{kind}_ms_per_question"] > 0.0 for kind in ("rule", "coroutine", "guard"))
    assert found["round_s"] > 0.0 and found["journaled_round_s"] > 0.0


def test_the_figures_are_printed_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    live.main(["--participants", "5", "--repeats", "1"])
    assert "guard_ms_per_question" in capsys.readouterr().out
