"""The options of the wide market's benchmark; what it measures is tested beside the simulator, in `tests/simulation`."""

import pytest

from benchmarks import scale
from benchmarks.scale import Town


@pytest.mark.parametrize(
    ("arguments", "town"),
    [
        ([], Town()),
        (["--asked", "20"], Town(top=20)),
        (["--asked", "1000", "--errands", "1000"], Town(tasks=1_000, top=1_000)),
        (["--quick", "--asked", "200"], Town(tasks=1_000, agents=200, top=200)),
        (["--quick", "--errands", "50"], Town(tasks=50, agents=200)),
    ],
)
def test_the_options_say_which_town(
    arguments: list[str], town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[Town] = []

    def measure(town: Town) -> dict[str, int]:
        measured.append(town)
        return {"top": town.top}

    monkeypatch.setattr(scale, "measure", measure)
    scale.main(arguments)
    assert measured == [town]
    assert f"{town.top:,}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--asked", "0"], "--asked is 0; expected 1 to 1,000, the couriers there are"),
        (["--asked", "1001"], "--asked is 1001; expected 1 to 1,000"),
        (["--quick", "--asked", "201"], "--asked is 201; expected 1 to 200"),
        (["--asked", "few"], "--asked: invalid int value: 'few'"),
        (["--errands", "0"], "--errands is 0; expected 1 or more"),
        (["--errands", "-5"], "--errands is -5; expected 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        scale.main(arguments)
    assert refused.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]
