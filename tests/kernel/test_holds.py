"""What answers hold of an agent's money and slots: never more than it has, and not for longer than it said."""

import math
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from walras.accounts import AccountBook, Ledger
from walras.accounts.books import Exact
from walras.agents import Agent
from walras.allocation import Award
from walras.errors import LocalProtocolError
from walras.questions import Commitment


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def account(money: float = 10.0, slots: int = 2) -> tuple[Ledger, AccountBook, Clock]:
    clock = Clock()
    ledger = Ledger({"ada": money, "shop": 0.0}, {"ada": slots, "shop": 0}, clock)
    return ledger, ledger.account("ada"), clock


def test_a_hold_binds_money_and_slots_and_its_release_frees_them() -> None:
    _, ada, _ = account()
    assert ada.hold("c", "bid", Commitment(money=4.0, slots=1))
    assert (ada.balance, ada.free, ada.free_slots) == (10.0, 6.0, 1)
    ada.release("c", "bid")
    assert (ada.free, ada.free_slots) == (10.0, 2)


def test_answers_only_raise_a_hold_component_by_component() -> None:
    _, ada, clock = account()
    ada.hold("c", "bid", Commitment(money=4.0, slots=2, until=10.0))
    assert ada.hold("c", "bid", Commitment(money=6.0, slots=1, until=5.0))
    assert (ada.free, ada.free_slots) == (4.0, 0)
    clock.now = 10.0
    assert ada.free == 4.0, "the later end counts"
    ada.hold("c", "bid", Commitment(until=20.0))
    clock.now = 20.0
    assert ada.free == 4.0
    clock.now = 20.5
    assert (ada.free, ada.free_slots) == (10.0, 2)


@pytest.mark.parametrize("wanted", [Commitment(money=7.0), Commitment(money=1.0, slots=2)])
def test_what_does_not_suffice_changes_nothing(wanted: Commitment) -> None:
    _, ada, _ = account()
    ada.hold("c", "first", Commitment(money=4.0, slots=1))
    assert not ada.hold("c", "second", wanted)
    assert (ada.free, ada.free_slots) == (6.0, 1)
    assert not ada.hold("c", "first", Commitment(money=10.5, slots=1))
    assert (ada.free, ada.free_slots) == (6.0, 1)


def test_a_raise_is_compared_with_what_is_free_beside_the_hold_itself() -> None:
    _, ada, _ = account(money=10.0)
    ada.hold("c", "bid", Commitment(money=9.0))
    assert ada.hold("c", "bid", Commitment(money=10.0))
    assert ada.free == 0.0


def test_after_its_until_a_hold_counts_as_free_and_not_before() -> None:
    _, ada, clock = account()
    ada.hold("c", "bid", Commitment(money=4.0, slots=1, until=3.0))
    clock.now = 3.0
    assert (ada.free, ada.free_slots) == (6.0, 1)
    clock.now = math.nextafter(3.0, 4.0)
    assert (ada.free, ada.free_slots) == (10.0, 2)
    assert ada.hold("c", "bid", Commitment(money=10.0)), "an expired hold is no base for a raise"


def test_an_older_end_does_not_end_a_hold_that_was_made_anew() -> None:
    _, ada, clock = account()
    ada.hold("c", "bid", Commitment(money=4.0, until=3.0))
    ada.release("c", "bid")
    ada.hold("c", "bid", Commitment(money=4.0, until=9.0))
    clock.now = 5.0
    assert ada.free == 6.0
    clock.now = 9.5
    assert ada.free == 10.0


def test_a_role_that_ends_releases_its_own_holds_only() -> None:
    _, ada, _ = account()
    for talk, name in (("c1", "a"), ("c1", "b"), ("c2", "a")):
        ada.hold(talk, name, Commitment(money=1.0))
    ada.release("c1")
    assert ada.free == 9.0
    ada.release("c1")
    ada.release("c2", "never made")
    assert ada.free == 9.0


def test_held_tells_what_a_name_holds_in_the_conversation_that_asks() -> None:
    _, ada, clock = account()
    ada.hold("c", ("bid", 1), Commitment(money=4.0, until=3.0))
    assert ada.held(("bid", 1)) == 0.0, "nobody is asking"
    ada.asking = "elsewhere"
    assert ada.held(("bid", 1)) == 0.0
    ada.asking = "c"
    assert (ada.held(("bid", 1)), ada.held("other")) == (4.0, 0.0)
    clock.now = 4.0
    assert ada.held(("bid", 1)) == 0.0


def test_work_takes_slots_from_what_can_be_held() -> None:
    _, ada, _ = account(slots=2)
    ada.busy = 1
    assert ada.free_slots == 1
    assert not ada.hold("c", "x", Commitment(slots=2))


def test_payments_take_money_from_what_can_be_held() -> None:
    ledger, ada, _ = account(money=10.0)
    ledger.award("e", "c", "shop", Award("lot", "ada", 7.0), procured=False)
    assert not ada.hold("c", "bid", Commitment(money=4.0))
    assert ada.hold("c", "bid", Commitment(money=3.0))


def test_unlimited_credit_stays_unlimited_and_its_slots_do_not() -> None:
    _, ada, _ = account(money=math.inf, slots=1)
    assert ada.hold("c", "bid", Commitment(money=1e308, slots=1))
    assert (ada.free, ada.free_slots) == (math.inf, 0)
    ada.asking = "c"
    assert ada.held("bid") == 1e308


@pytest.mark.parametrize(
    "nonsense",
    [
        Commitment(money=-1.0),
        Commitment(money=math.nan),
        Commitment(money=math.inf),
        Commitment(slots=-1),
        Commitment(until=math.nan),
    ],
)
def test_a_commitment_that_is_none_is_refused(nonsense: Commitment) -> None:
    _, ada, _ = account(money=math.inf)
    with pytest.raises(LocalProtocolError, match=r"c holds .* of ada; expected finite money of 0 or more"):
        ada.hold("c", "bid", nonsense)


def test_a_seated_agent_sees_its_account() -> None:
    _, ada, _ = account()
    agent = Agent("ada", money=10.0, capacity=2).seated(ada, Random(0), None)
    ada.hold("c", "bid", Commitment(money=4.0, slots=1))
    ada.asking = "c"
    assert (agent.free, agent.free_slots, agent.held("bid")) == (6.0, 1, 4.0)


# --------------------------------------------------------------------------------------------------------- laws

KEYS = st.sampled_from([("c1", "a"), ("c1", ("b", 1)), ("c2", "a")])
MONEY = st.one_of(st.floats(0, 6), st.sampled_from([0.0, 0.1, 0.2, 0.3, 1 / 3]))


class Holds(RuleBasedStateMachine):
    """One account beside a plain model: a table of holds, in fractions, looked through from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.ada, self.clock = account(money=5.0, slots=3)
        self.holds: dict[tuple[str, object], tuple[Fraction, int, float]] = {}

    def live(self) -> dict[tuple[str, object], tuple[Fraction, int, float]]:
        return {key: hold for key, hold in self.holds.items() if self.clock.now <= hold[2]}

    @rule(
        key=KEYS,
        money=MONEY,
        slots=st.integers(0, 3),
        lasts=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.5, math.inf]),
    )
    def hold(self, key: tuple[str, object], money: float, slots: int, lasts: float) -> None:
        self.holds = self.live()
        old = self.holds.get(key, (Fraction(0), 0, -math.inf))
        until = self.clock.now + lasts
        raised = (max(old[0], Fraction(money)), max(old[1], slots), max(old[2], until))
        others = [hold for other, hold in self.holds.items() if other != key]
        fits = (
            sum((m for m, _, _ in others), raised[0]) <= 5 and sum(s for _, s, _ in others) + raised[1] <= 3
        )
        made = self.ada.hold(key[0], key[1], Commitment(money, slots, until))
        assert made is fits
        if fits:
            self.holds[key] = raised

    @rule(key=KEYS)
    def release(self, key: tuple[str, object]) -> None:
        self.ada.release(key[0], key[1])
        self.holds.pop(key, None)

    @rule(talk=st.sampled_from(["c1", "c2"]))
    def release_all(self, talk: str) -> None:
        self.ada.release(talk)
        self.holds = {key: hold for key, hold in self.holds.items() if key[0] != talk}

    @rule(by=st.sampled_from([0.25, 0.5, 1.0]))
    def wait(self, by: float) -> None:
        self.clock.now += by

    @invariant()
    def what_is_free_is_what_live_holds_leave(self) -> None:
        live = self.live()
        assert self.ada.free == float(5 - sum((hold[0] for hold in live.values()), Fraction(0)))
        assert self.ada.free_slots == 3 - sum(hold[1] for hold in live.values())

    @invariant()
    def holds_never_exceed_what_the_agent_has(self) -> None:
        assert self.ada.free >= 0
        assert self.ada.free_slots >= 0


TestHolds = Holds.TestCase
TestHolds.settings = settings(stateful_step_count=25)

FINITE = st.floats(-1e200, 1e200)


@given(st.lists(FINITE))
def test_exact_sums_lose_nothing(numbers: list[float]) -> None:
    total = Exact()
    for number in numbers:
        total.add(number)
    assert sum(map(Fraction, total.parts), Fraction(0)) == sum(map(Fraction, numbers), Fraction(0))
    assert float(total) == math.fsum(numbers)


@given(st.lists(st.floats(0, 1e200), min_size=1), st.floats(0, 1))
def test_a_split_sum_adds_up_again_in_positive_parts(numbers: list[float], share: float) -> None:
    total = Exact()
    for number in numbers:
        total.add(number)
    parts = [*total.split_off(math.fsum(numbers) * share), *total.drain()]
    assert all(part > 0 for part in parts)
    assert sum(map(Fraction, parts), Fraction(0)) == sum(map(Fraction, numbers), Fraction(0))
    assert total.parts == []


def test_who_is_short_of_one_thing_can_still_hold_the_other() -> None:
    ledger, ada, _ = account(money=1.0, slots=1)
    ledger.award("e", "c", "shop", Award("lot", "ada", 2.0), procured=False)
    assert ada.hold("c", "slot", Commitment(slots=1)), "its debt is no reason"
    ledger, ada, _ = account(money=1.0, slots=1)
    ada.busy = 2
    assert ada.hold("c", "money", Commitment(money=1.0)), "its queue is no reason"


def test_what_a_hold_binds_can_still_be_paid_without_an_overcommitment() -> None:
    ledger, ada, _ = account(money=10.0)
    ada.hold("c", "bid", Commitment(money=6.0))
    ledger.award("e", "c", "shop", Award("lot", "ada", 6.0), procured=False)
    assert ledger.overcommitments == 0
