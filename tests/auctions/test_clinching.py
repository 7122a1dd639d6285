"""Ausubel's auction as messages: the same units and payments as the pure rule, and as Vickrey's."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from auctions import (
    Bid,
    Clinched,
    Clinching,
    ClockPrice,
    Demand,
    DemandAt,
    MarginalValues,
    Pass,
    Rejected,
    TieDecided,
)
from auctions.clearing import Offer, clear
from auctions.multi_unit import ausubel
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, ScenarioError, Simulation, Task
from walras.effects import Broadcast, Decide, Ignore, MakeAward, Publish, Send
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
LICENCES = {"A": (123, 113, 103), "B": (75, 5, 3), "C": (125, 125, 49), "D": (85, 65, 7), "E": (45, 25, 5)}


def bidding(marginal: Mapping[str, tuple[int, ...]], lot: Lot, **changes: Any) -> Any:
    mechanism = Clinching(increment=changes.pop("increment", 1))
    return play(
        mechanism,
        [lot],
        {name: {lot.id: 1} for name in marginal},
        money=10_000,
        strategies={name: MarginalValues(values) for name, values in marginal.items()},
        **changes,
    )


def test_the_licences_of_ausubel_2004() -> None:
    """A clinches at 65, 75 and 85, C at 75 and 85 (American Economic Review 94(5), section I)."""
    result = bidding(LICENCES, Lot("licence", quantity=5))
    assert result.allocation.lines == (Award("licence", "A", 225, 3), Award("licence", "C", 160, 2))
    told = [(message["units"], message["spent"]) for _, _, message in sent(result, Clinched)]
    assert told == [(1, 65), (2, 140), (1, 75), (3, 225), (2, 160)]


marginal_values = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(
    lambda v: tuple(sorted(v, reverse=True))
)


@settings(max_examples=40, deadline=None)
@given(
    values=st.dictionaries(st.sampled_from("abcd"), marginal_values, min_size=1),
    supply=st.integers(1, 5),
    reserve=st.integers(0, 3),
    wanted=st.booleans(),
)
def test_on_the_grid_of_the_increments_it_is_exactly_the_pure_rule(
    values: dict[str, tuple[int, ...]], supply: int, reserve: int, wanted: bool
) -> None:
    """Sold and procured. Ties on the border may go to others by dice, at the same prices: who is paid what in all agrees."""
    lot = Lot("w", quantity=supply, reserve=reserve if not wanted else 9 - reserve, wanted=wanted)
    result = bidding(values, lot)
    offers = [Offer(name, value) for name, steps in values.items() for value in fitting(steps, lot)]
    pure = clear(ausubel, offers, reserve=lot.reserve, units=supply, reverse=wanted, rng=Random(1))
    lines = result.allocation.lines
    assert sum(line.quantity for line in lines) == sum(line.units for line in pure)
    assert sum(line.price for line in lines) == sum(line.price for line in pure)
    levels = [value for steps in values.values() for value in steps]
    if len(set(levels)) == len(levels):
        assert {(line.winner, line.quantity, line.price) for line in lines} == {
            (line.bidder, line.units, line.price) for line in pure
        }


def fitting(steps: tuple[int, ...], lot: Lot) -> list[int]:
    """The values for the units that one bidder can have."""
    return sorted(steps, reverse=not lot.wanted)[: lot.quantity]


def test_with_coarse_steps_who_left_in_the_last_round_pays_the_price_before() -> None:
    result = bidding({"a": (9,), "b": (8,)}, Lot("w", quantity=1), increment=5)
    (line,) = result.allocation.lines
    assert line.price == 5  # at 10 both have left; at 5 both were in


def test_tasks_go_to_as_many_workers_as_there_are_copies_at_the_first_cost_left_out() -> None:
    result = play(Clinching(increment=1), [Task("job", copies=2, reserve=20)], costs=COSTS)
    assert sorted((line.winner, line.price) for line in result.allocation.lines) == [("ada", 8), ("bob", 8)]
    assert result.records[0].status == "done"


def test_a_hidden_reserve_is_bid_up_to() -> None:
    mechanism = Clinching(increment=1, hidden_reserve=True)
    result = play(mechanism, [Lot("vase", quantity=2, reserve=7)], VALUES)
    assert sorted((line.winner, line.price) for line in result.allocation.lines) == [("ada", 7), ("bob", 7)]
    assert not play(mechanism, [Lot("vase", quantity=2, reserve=13)], VALUES).allocation


def test_a_hidden_reserve_holds_for_what_is_left_over_at_the_end_too() -> None:
    """At 5 both want one, which is too little; at 10 only ada does, and bob cannot have the other one for 5."""
    mechanism = Clinching(increment=5, hidden_reserve=True)
    values = {"ada": {"vase": 12}, "bob": {"vase": 9}}
    result = play(mechanism, [Lot("vase", quantity=2, reserve=7)], values)
    assert result.allocation.lines == (Award("vase", "ada", 10),)
    result = play(mechanism, [Lot("vase", quantity=2, reserve=5)], values)
    assert sorted(result.allocation.lines, key=str) == [Award("vase", "ada", 5), Award("vase", "bob", 5)]


# -------------------------------------------------------------------------------------------------------------- scripted
def auctioneer(seed: int = 0, finish_by: float = 60.0, **settings: Any) -> Script:
    rules = Clinching(**({"increment": 2} | settings))
    lot = Lot("w", quantity=3)
    script = Script(rules.opener(HOUSE, (lot,), ("ada", "bob")), me=HOUSE, finish_by=finish_by, seed=seed)
    script.start()
    return script


def test_a_dialogue() -> None:
    script = auctioneer()
    lot = Lot("w", quantity=3)
    assert script.effects[-1] == Broadcast(("ada", "bob"), ClockPrice(lot, 0, 1, 2.0, 2, 3))
    script.hear("ada", Demand("w", 3, 1))
    effects = script.hear("bob", Demand("w", 2, 1))  # bob leaves one to ada, for nothing
    assert effects[1:3] == [Send("ada", Clinched("w", 1, 0, 1)), effects[2]]
    assert effects[-1] == Broadcast(("ada", "bob"), ClockPrice(lot, 2, 2, 2.0, 2, 2))
    script.hear("bob", Demand("w", 1, 2))
    effects = script.hear("ada", Demand("w", 3, 2))  # now two are left to ada
    assert Send("ada", Clinched("w", 2, 2, 2)) in effects
    script.hear("ada", Demand("w", 2, 3))
    effects = script.hear("bob", Demand("w", 1, 3))
    awards = [effect.line for effect in effects if isinstance(effect, MakeAward)]
    assert awards == [Award("w", "ada", 2, 2), Award("w", "bob", 4, 1)]


def test_demand_does_not_rise_nor_fall_below_what_is_clinched_and_silence_is_no_more_than_that() -> None:
    script = auctioneer()
    script.hear("ada", Demand("w", 3, 1))
    script.hear("bob", Demand("w", 2, 1))
    more = Demand("w", 3, 2)
    assert script.hear("bob", more) == [
        Ignore(more, "unparsable"),
        Send("bob", Rejected("w", "unparsable", 2)),
    ]
    script.hear("bob", Demand("w", 2, 2))
    effects = script.timer("reply")  # ada is silent: its one unit is its own all the same
    awards = [effect.line for effect in effects if isinstance(effect, MakeAward)]
    assert awards == [Award("w", "ada", 0, 1), Award("w", "bob", 4, 2)]


def test_who_wants_nothing_more_keeps_what_is_clinched_and_gets_no_more_than_it_ever_wanted() -> None:
    """Each wants two of five and clinches one; when all stop, the other two go to two of them for the price before."""
    lot, names = Lot("w", quantity=5), ("ada", "bob", "cyd")
    script = Script(Clinching(increment=2).opener(HOUSE, (lot,), names), me=HOUSE, finish_by=60.0)
    script.start()
    for call, wanted in ((1, 2), (2, 0)):
        for name in names:
            effects = script.hear(name, Demand("w", wanted, call))
    awards = [effect.line for effect in effects if isinstance(effect, MakeAward)]
    assert sorted((line.quantity, line.price) for line in awards) == [(1, 0), (2, 0), (2, 0)]


def test_what_is_late_a_double_or_nonsense_does_not_count() -> None:
    script = auctioneer()
    script.hear("ada", Demand("w", 3, 1))
    for sender, message in (("ada", Demand("w", 1, 1)), ("eve", Demand("w", 1, 1))):
        assert script.hear(sender, message) == [
            Ignore(message, "a double, or from somebody who is not asked")
        ]
    for demand in (
        Demand("w", -1, 1),
        Demand("w", 2, 1, indifferent=2),
        Demand("w", 1.5, 1),  # type: ignore[arg-type]
        Bid("w", 3, round=1),
    ):
        assert script.hear("bob", demand)[0] == Ignore(demand, "unparsable")
    assert script.hear("bob", Demand("urn", 1, 1))[0] == Ignore(Demand("urn", 1, 1), "unknown-item")
    script.hear("bob", Demand("w", 3, 1))
    old = Demand("w", 3, 1)
    assert script.hear("bob", old) == [Ignore(old, "late"), Send("bob", Rejected("w", "late", 1))]


def test_what_is_left_over_goes_by_dice_among_those_to_whom_it_is_worth_just_that() -> None:
    winners = set()
    for seed in range(10):
        script = auctioneer(seed=seed)
        for name in ("ada", "bob"):
            script.hear(name, Demand("w", 2, 1))
        script.hear("ada", Demand("w", 1, 2, indifferent=1))
        effects = script.hear("bob", Demand("w", 1, 2, indifferent=1))
        (tie,) = [effect.fact for effect in effects if isinstance(effect, Publish)]
        (winner,) = [
            effect.line.winner
            for effect in effects
            if isinstance(effect, MakeAward) and effect.line.quantity == 2
        ]
        assert tie == TieDecided("w", ("ada", "bob"), (str(winner),))
        winners.add(winner)
    assert winners == {"ada", "bob"}


def test_when_time_is_up_dice_share_out_what_is_wanted_at_the_price_that_was_called_last() -> None:
    best: set[str | None] = set()
    for seed in range(10):
        script = auctioneer(seed=seed, finish_by=5.0)
        for call, now in ((1, 1.9), (2, 3.8), (3, 4.75)):  # bidding is over at 4.75
            script.hear("ada", Demand("w", 2, call))
            script.port.now = now
            effects = script.hear("bob", Demand("w", 2, call))
        awards = [effect.line for effect in effects if isinstance(effect, MakeAward)]
        assert sorted((line.quantity, line.price) for line in awards) == [(1, 0), (2, 4)]
        (tie,) = [effect.fact for effect in effects if isinstance(effect, Publish)]
        assert isinstance(tie, TieDecided) and tie.tied == ("ada", "bob")
        best.update(line.winner for line in awards if line.quantity == 2)
    assert best == {"ada", "bob"}


def test_the_question_says_what_is_clinched_and_what_it_has_cost() -> None:
    script = Script(Clinching().bidder(HOUSE), me="ada")
    lot = Lot("w", quantity=3)
    script.hear(HOUSE, ClockPrice(lot, 4, 1, 2.0, 2, 3))
    script.decided("bid", Demand("w", 2, 1))
    script.hear(HOUSE, Clinched("w", 1, 4, 1))
    assert isinstance(script.hear(HOUSE, Clinched("w", 1, 4, 1))[0], Ignore)
    (decide,) = script.hear(HOUSE, ClockPrice(lot, 5, 2, 3.0, 2, 2))
    assert isinstance(decide, Decide)
    question = decide.question
    assert isinstance(question, DemandAt)
    assert (question.price, question.quantity, question.clinched, question.spent) == (5, 2, 1, 4)
    commitment = question.commits(Demand("w", 2, 2))
    assert commitment is not None
    assert commitment.money == 9
    assert question.commits(Pass("w", round=2)) is None
    assert not question.accepts(Demand("w", 3, 2))


@pytest.mark.parametrize("seed", range(4))
def test_over_a_bad_network_it_ends_and_no_more_is_sold_than_there_is(seed: int) -> None:
    network = Network(latency=Uniform(0.0, 0.9), loss=0.1, duplication=0.2)
    result = bidding(
        LICENCES, Lot("licence", quantity=5), seed=seed, network=network, increment=20, finish_by=600.0
    )
    assert sum(line.quantity for line in result.allocation.lines) <= 5
    for line in result.allocation.lines:
        assert line.price <= sum(LICENCES[str(line.winner)][: line.quantity])
    assert result.overcommitments == 0


@pytest.mark.parametrize("item", [Lot("vase"), Lot("vase", quantity=2), Task("job", copies=2, reserve=20)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(Clinching(increment=1), people, [item], kills=8)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=4), Clinching(), seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 4


def test_settings_are_those_of_the_clock() -> None:
    with pytest.raises(ScenarioError, match=r"^increment is 0"):
        Clinching(increment=0)
