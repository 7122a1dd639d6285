"""The engine benchmark at quick sizes: all sides do the same work, and ours needs far fewer steps for it.

Times are for ``make bench``, and ``docs/benchmarks.md`` has them; what is asserted is the same on a busy machine.
"""

import gc
import json
from functools import partial
from typing import Any

import pytest

from benchmarks import engine, rival_processes
from benchmarks.bytecodes import bytecodes, per_message
from benchmarks.engine import QUICK, RIVALS, SAME_GC, OurSide, Patient, compare, sample
from benchmarks.market import Market, Side, make_market
from benchmarks.rival_callbacks import SimpyCallbacks
from benchmarks.rival_processes import GatheringProcesses, SimpyProcesses, TunedProcesses
from walras.simulation.simulation import SELDOM


@pytest.mark.parametrize(("size", "rounds"), [(1, 4), (10, 8), (40, 4)])
def test_all_sides_agree_on_every_winner_and_on_the_last_instant(size: int, rounds: int) -> None:
    market = make_market(size, rounds, seed=size)
    times = compare(market, 1, {"ours": OurSide, **RIVALS})
    assert set(times) == {"ours", "simpy", "gathering", "tuned", "callbacks", "mesa"}


def test_our_side_sends_every_message_of_the_market() -> None:
    market = make_market(10, 5)
    ours = OurSide(market)
    warm = ours.result.trace.messages
    ours.run()
    assert ours.result.trace.messages - warm == market.messages == 5 * 31


@pytest.mark.parametrize("reply_s", [0.04, 0.05, 0.09])
def test_the_processes_agree_where_the_deadline_comes_before_some_replies(
    reply_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes too late counts for none of them, and none loses the report by a wait that it has left behind."""
    market = make_market(40, 6)
    usual = SimpyProcesses(market)
    usual.run()
    monkeypatch.setattr(rival_processes, "REPLY_S", reply_s)
    sides = [side(market) for side in (SimpyProcesses, GatheringProcesses, TunedProcesses)]
    for side in sides:
        side.run()
    first, *others = (side.shown() for side in sides)
    assert all(shown == first for shown in others)
    assert first != usual.shown() and len(first.winners) == 7


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
    ("side", "at_10", "at_100", "at_1000"),
    [
        (SimpyProcesses, 1.85, 2.6, 2.55),
        (GatheringProcesses, 1.75, 2.4, 2.35),
        (TunedProcesses, 1.7, 2.3, 2.25),
    ],
)
def test_simpy_processes_execute_about_twice_our_bytecodes_or_more(
    side: type[Side], at_10: float, at_100: float, at_1000: float
) -> None:
    """Their bytecodes take longer, too (events, generators), so that the ratios of times are higher than these."""
    for size, rounds, least in ((10, 20, at_10), (100, 4, at_100), (1000, 1, at_1000)):
        market = make_market(size, rounds)
        assert per_message(side, market) > least * per_message(OurSide, market)


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


def test_ratios_are_their_times_over_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(market: Market, repeats: int, sides: dict[str, Any]) -> dict[str, list[float]]:
        return {
            name: [1.0] * repeats if name == "ours" else [8.0 if name == "simpy_same_gc" else 4.0] * repeats
            for name in sides
        }

    monkeypatch.setattr(engine, "compare", compared)
    found = engine.measure(QUICK)
    assert (found["ratio_simpy_100"], found["ratio_simpy_100_same_gc"], found["ratio_mesa_10"]) == (
        4.0,
        8.0,
        4.0,
    )


def test_a_message_in_flight_takes_few_bytes(found: dict[str, float]) -> None:
    """With the trace kept, and for one message in a thousand lost; both together are above, and the page says so."""
    assert 0 < found["bytes_per_message"] < found["bytes_per_message_kept"] < 300
    assert found["bytes_per_message"] < found["bytes_per_message_lossy"] < 300
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
        *(f"bytes_per_message{kind}" for kind in ("", "_kept", "_lossy", "_lossy_kept")),
        "bytes_per_agent",
    }
    engine.main(["--quick"])
    shown = capsys.readouterr().out
    for size in QUICK.rounds:
        for kind, mark in (("", f"{size} │"), ("_same_gc", "│  ")):
            cells = [f"{found[f'ratio_{name}_{size}{kind}']:.2f}" for name in RIVALS]
            assert any(mark in line and all(cell in line for cell in cells) for line in shown.splitlines())


def test_a_patient_rival_has_the_collector_of_ours_and_the_others_what_their_users_have() -> None:
    """What is set is taken back."""
    usual, seen = gc.get_threshold(), []

    class Watching(SimpyCallbacks):
        def run(self) -> None:
            seen.append(gc.get_threshold())
            super().run()

    assert {type(side(make_market(1, 1))) for side in SAME_GC.values()} == {Patient}
    sample(Watching, make_market(5, 3))
    sample(partial(Patient, Watching), make_market(5, 3))
    assert seen == [usual, (SELDOM, *usual[1:])]
    assert gc.get_threshold() == usual
