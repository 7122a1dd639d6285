"""The engine benchmark at quick sizes: all sides do the same work, and ours needs far fewer steps for it.

Times are for ``make bench``, and ``docs/benchmarks.md`` has them; what is asserted is the same on a busy machine.
"""

import gc
import json

import pytest

from benchmarks import engine
from benchmarks.bytecodes import bytecodes
from benchmarks.engine import QUICK, RIVALS, OurSide, compare
from benchmarks.market import make_market
from benchmarks.rivals import SimpyCallbacks
from walras.simulation.simulation import SELDOM


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


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return engine.measure(QUICK)


@pytest.mark.parametrize(("size", "rounds", "least"), [(10, 20, 1.7), (100, 4, 2.3), (1000, 1, 2.25)])
def test_simpy_processes_execute_more_than_twice_our_bytecodes(size: int, rounds: int, least: float) -> None:
    """Their bytecodes take longer, too (events, generators), so that the ratios of times are higher than these."""
    market = make_market(size, rounds)
    assert bytecodes(RIVALS["simpy"](market).run) > least * bytecodes(OurSide(market).run)


def test_bytecodes_are_counted_exactly() -> None:
    def once() -> None:
        sum(range(5))

    def twice() -> None:
        once()
        once()

    market = make_market(10, 5)
    OurSide(market).run()  # what is learned once per class is known from here on
    assert bytecodes(OurSide(market).run) == bytecodes(OurSide(market).run)
    assert 2 * bytecodes(once) < bytecodes(twice) < 4 * bytecodes(once)


def test_a_message_in_flight_takes_few_bytes(found: dict[str, float]) -> None:
    assert 0 < found["bytes_per_message"] < 300
    assert 0 < found["bytes_per_agent"] < 8_000


def test_json_has_every_number_and_the_table_every_size(
    found: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "measure", lambda sizes, as_used: found)
    engine.main(["--quick", "--json"])
    assert json.loads(capsys.readouterr().out) == found
    assert set(found) == {
        *(f"ratio_{name}_{size}" for name in RIVALS for size in QUICK.rounds),
        *(f"messages_per_second_{size}" for size in QUICK.rounds),
        "bytes_per_message",
        "bytes_per_agent",
    }
    engine.main(["--quick"])
    shown = capsys.readouterr().out
    assert all(f"{found[f'ratio_simpy_{size}']:.2f}" in shown for size in QUICK.rounds)


@pytest.mark.parametrize("as_used", [False, True])
def test_every_side_has_the_collector_of_ours_unless_as_used(as_used: bool) -> None:
    """What is set is taken back."""
    usual, seen = gc.get_threshold(), []

    class Watching(SimpyCallbacks):
        def run(self) -> None:
            seen.append(gc.get_threshold())
            super().run()

    engine.sample(Watching, make_market(5, 3), as_used)
    assert seen == [usual if as_used else (SELDOM, *usual[1:])]
    assert gc.get_threshold() == usual


@pytest.mark.parametrize(("arguments", "expected"), [(["--json"], False), (["--json", "--as-used"], True)])
def test_the_flag_reaches_the_measurement(
    arguments: list[str], expected: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "measure", lambda sizes, as_used: {"as_used": as_used})
    engine.main(arguments)
    assert json.loads(capsys.readouterr().out) == {"as_used": expected}
