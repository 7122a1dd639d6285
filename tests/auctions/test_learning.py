"""Learners find the equilibrium without knowing what one is."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from auctions.clearing import ClearingRule, first_price, second_price
from auctions.distributions import Floats, Uniform
from auctions.learning import Exp3, Hedge, Learned, Learner, RegretMatching, choose, learn_to_bid
from walras.errors import ScenarioError

GRID = np.linspace(0.0, 1.0, 21)
LEVELS = 8


def learn(
    make: Callable[[], Learner], rule: ClearingRule = first_price, rounds: int = 5000, seed: int = 0
) -> Learned:
    learners = [[make() for _ in range(LEVELS)] for _ in range(2)]
    dice = [Random(f"{seed} {k}") for k in range(2)]
    return learn_to_bid(learners, GRID, Uniform(), rule, rounds=rounds, seed=seed, dice=dice)


@pytest.mark.parametrize(
    "make", [lambda: Hedge(21, 0.3), lambda: RegretMatching(21)], ids=["hedge", "matching"]
)
def test_in_repeated_first_price_auctions_bids_come_near_the_equilibrium(make: Callable[[], Learner]) -> None:
    """Two bidders, uniform values: half the value, within less than a step of the grid on average."""
    learned = learn(make)
    off = np.abs(learned.bids - learned.values / 2)
    assert off.mean() < 0.04
    assert off.max() < 0.08
    assert (learned.regret < 0.02).all()
    assert abs(learned.bid(0.8) - 0.4) < 0.08


def test_in_second_price_auctions_they_come_near_their_values() -> None:
    learned = learn(lambda: RegretMatching(21), second_price)
    assert np.abs(learned.bids - learned.values).mean() < 0.06


def test_regret_falls_with_time_and_a_learner_that_learns_nothing_keeps_it() -> None:
    """No-regret is a promise about averages; dice alone do not keep it."""

    class Dice(RegretMatching):
        def learn(self, payoffs: object, taken: int) -> None:
            pass

    short, long = (learn(lambda: RegretMatching(21), rounds=rounds).regret.mean() for rounds in (200, 4000))
    assert long < short / 2
    assert learn(lambda: Dice(21), rounds=1000).regret.mean() > 10 * long


def test_a_bandit_finds_the_better_of_two_arms() -> None:
    learner, rng = Exp3(2, rate=0.02), Random(5)
    for _ in range(3000):
        taken = choose(learner.chances(), rng)
        paid = np.array([0.6, 0.3]) if rng.random() < 0.9 else np.array([-0.2, 0.1])
        learner.learn(np.where(np.arange(2) == taken, paid, np.nan), taken)
    assert learner.chances()[0] > 0.9


def test_what_a_bandit_seldom_does_counts_for_the_times_that_it_did_not() -> None:
    """The payoff over the chance: on average what the arm would have paid, however seldom it is taken."""
    learner = Exp3(2, rate=1.0, explore=0.2)
    learner.learn(np.array([2.0, np.nan]), 0)
    assert learner.total.tolist() == [4.0, 0.0]  # 2 over 1/2
    chance = 0.1 + 0.8 / (1 + np.exp(4.0))
    assert learner.chances()[1] == pytest.approx(chance)
    learner.learn(np.array([np.nan, 1.0]), 1)
    assert learner.total[1] == pytest.approx(1 / chance)


def test_what_was_bid_before_half_of_the_rounds_does_not_count() -> None:
    class Turning(RegretMatching):
        """Bids the least of the grid in its first 50 rounds, and the most in all others."""

        seen = 0

        def chances(self) -> Floats:
            self.seen += 1
            return np.array([1.0, 0.0] if self.seen <= 50 else [0.0, 1.0])

    learners = [[Turning(2)] for _ in range(2)]
    dice = [Random(1), Random(2)]
    found = learn_to_bid(learners, np.array([0.1, 0.4]), Uniform(), first_price, rounds=100, dice=dice)
    assert found.bids.ravel().tolist() == pytest.approx([0.4, 0.4])


def test_the_same_dice_learn_the_same_and_others_something_else() -> None:
    one, again, other = (learn(lambda: Hedge(21), rounds=300, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.bids, again.bids, equal_nan=True)
    assert not np.array_equal(one.bids, other.bids, equal_nan=True)


def test_what_was_learned_is_a_strategy() -> None:
    learned = Learned(np.array([0.2, 0.5, 0.8]), np.array([[0.1, np.nan, 0.4]]), np.zeros(1))
    assert learned.strategy().values == (0.2, 0.8)
    assert learned.bid(0.5) == pytest.approx(0.25)
    assert (learned.bid(0.0), learned.bid(1.0)) == (0.1, 0.4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hedge(0),
        lambda: Hedge(3, rate=0.0),
        lambda: Exp3(3, explore=0.0),
        lambda: learn_to_bid([[Hedge(2)]], GRID, Uniform(), first_price, rounds=1, dice=[Random(1)]),
    ],
)
def test_nonsense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ScenarioError):
        make()
