"""The engine benchmark at quick sizes: all sides do the same work, and ours does it a good deal faster.

Floors are generous, since machines are shared; ``docs/benchmarks.md`` has the measured ratios.
"""

import json

import pytest

from benchmarks.engine import QUICK, RIVALS, OurSide, compare, main
from benchmarks.market import make_market


@pytest.mark.parametrize(("size", "rounds"), [(1, 4), (10, 8), (40, 4)])
def test_all_sides_agree_on_every_winner_and_on_the_last_instant(size: int, rounds: int) -> None:
    market = make_market(size, rounds, seed=size)
    times = compare(market, 1, {"ours": OurSide, **RIVALS})
    assert set(times) == {"ours", "simpy", "callbacks", "mesa"}


def test_our_side_sends_every_message_of_the_market() -> None:
    market = make_market(10, 5)
    ours = OurSide(market)
    warm = ours.result.trace.messages
    ours.run()
    assert ours.result.trace.messages - warm == market.messages == 5 * 31


def test_a_side_that_does_other_work_is_found_out() -> None:
    class Lazy(OurSide):
        def run(self) -> None:
            self.open(range(1, self.market.rounds))
            self.result = self.simulation.run(progress=False)

    with pytest.raises(AssertionError, match="lazy"):
        compare(make_market(5, 3), 1, {"ours": OurSide, "lazy": Lazy})


def test_quick_ratios_clear_generous_floors(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ratio_simpy_10"] > 1.5
    assert found["ratio_simpy_100"] > 2.5
    assert found["ratio_simpy_1000"] > 2.5
    assert found["ratio_mesa_100"] > 2.0
    assert 0 < found["bytes_per_message"] < 400
    assert found["bytes_per_agent"] > 0
    assert set(found) == {
        *(f"ratio_{name}_{size}" for name in RIVALS for size in QUICK.rounds),
        *(f"messages_per_second_{size}" for size in QUICK.rounds),
        "bytes_per_message",
        "bytes_per_agent",
    }


def test_the_table_for_people_shows_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    shown = capsys.readouterr().out
    assert "contractors" in shown
    assert all(f"{size}" in shown for size in QUICK.rounds)
