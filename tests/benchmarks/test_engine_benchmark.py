"""The engine benchmark at quick sizes: all sides do the same work, and ours needs far fewer steps for it.

Times are for ``make bench``, and ``docs/benchmarks.md`` has them; what is asserted is the same on a busy machine.
"""

import gc
import json
from functools import partial

import pytest

from benchmarks import engine
from benchmarks.bytecodes import bytecodes
from benchmarks.engine import QUICK, RIVALS, SIDES, OurSide, Patient, compare, sample
from benchmarks.market import make_market
from benchmarks.rival_callbacks import SimpyCallbacks
from benchmarks.rival_processes import SimpyProcesses, TunedProcesses
from walras.simulation.simulation import SELDOM


@pytest.mark.parametrize(("size", "rounds"), [(1, 4), (10, 8), (40, 4)])
def test_all_sides_agree_on_every_winner_and_on_the_last_instant(size: int, rounds: int) -> None:
    market = make_market(size, rounds, seed=size)
    times = compare(market, 1, SIDES)
    assert set(times) >= {"ours", "simpy", "tuned", "callbacks", "mesa"}


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


@pytest.mark.parametrize(
    ("size", "rounds", "least", "least_tuned"),
    [(10, 20, 1.85, 1.7), (100, 4, 2.6, 2.3), (1000, 1, 2.55, 2.25)],
)
def test_simpy_processes_execute_about_twice_our_bytecodes_or_more(
    size: int, rounds: int, least: float, least_tuned: float
) -> None:
    """Their bytecodes take longer, too (events, generators), so that the ratios of times are higher than these."""
    market = make_market(size, rounds)
    ours = bytecodes(OurSide(market).run)
    assert bytecodes(SimpyProcesses(market).run) > least * ours
    assert bytecodes(TunedProcesses(market).run) > least_tuned * ours


def test_bytecodes_are_counted_exactly() -> None:
    def once() -> None:
        sum(range(5))

    def twice() -> None:
        once()
        once()

    market = make_market(10, 5)
    bytecodes(
        OurSide(market).run
    )  # what we learn once per class, and 3.13's tracing once per function, is known from here on
    assert bytecodes(OurSide(market).run) == bytecodes(OurSide(market).run)
    assert 2 * bytecodes(once) < bytecodes(twice) < 4 * bytecodes(once)


def test_a_message_in_flight_takes_few_bytes(found: dict[str, float]) -> None:
    assert 0 < found["bytes_per_message"] < 300
    assert 0 < found["bytes_per_agent"] < 8_000


def test_json_has_every_number_and_the_table_every_size(
    found: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "measure", lambda sizes: found)
    engine.main(["--quick", "--json"])
    assert json.loads(capsys.readouterr().out) == found
    assert set(found) == {
        *(
            f"ratio_{name}_{size}{same}"
            for name in RIVALS
            for size in QUICK.rounds
            for same in ("", "_same_gc")
        ),
        *(f"messages_per_second_{size}" for size in QUICK.rounds),
        "bytes_per_message",
        "bytes_per_agent",
    }
    engine.main(["--quick"])
    shown = capsys.readouterr().out
    assert all(f"{found[f'ratio_simpy_{size}']:.2f}" in shown for size in QUICK.rounds)


def test_a_patient_rival_has_the_collector_of_ours_and_the_others_what_their_users_have() -> None:
    """What is set is taken back."""
    usual, seen = gc.get_threshold(), []

    class Watching(SimpyCallbacks):
        def run(self) -> None:
            seen.append(gc.get_threshold())
            super().run()

    sample(Watching, make_market(5, 3))
    sample(partial(Patient, Watching), make_market(5, 3))
    assert seen == [usual, (SELDOM, *usual[1:])]
    assert gc.get_threshold() == usual
