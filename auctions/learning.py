"""Bidders who learn by regret: no theory of the others, only what other bids would have earned.

Repeated first-price auctions between such learners approach the equilibrium (Feng, Guruganesh, Liaw, Mehta and Sethi,
"Convergence analysis of no-regret bidding algorithms in repeated auctions", AAAI 2021). A learner is told what every
action would have earned (`Hedge`, `RegretMatching`), or only what its own action has (`Exp3`).
"""

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple, Protocol

import numpy as np

from auctions.bulk import clear_rounds
from auctions.clearing import ClearingRule
from auctions.distributions import Distribution, Floats
from auctions.shading import Tabled
from auctions.values import Independent
from walras.errors import ScenarioError


class Learner(Protocol):
    """Chooses among so many actions, and learns what they earn. Payoffs are scaled to [-1, 1]."""

    bandit: bool
    """Whether it may learn only the payoff of the action that it took."""

    def chances(self) -> Floats:
        """How likely each action is now, shape (actions,)."""

    def learn(self, payoffs: Floats, taken: int) -> None:
        """What every action would have earned this time; a bandit looks at the one that was taken only."""


class Hedge:
    """Weights grow with the exponent of what an action would have earned.

    References: Freund and Schapire, Journal of Computer and System Sciences 55 (1997).
    """

    bandit = False

    def __init__(self, actions: int, rate: float = 0.1) -> None:
        _check(actions, rate)
        self.rate, self.total = rate, np.zeros(actions)

    def chances(self) -> Floats:
        weights = np.exp(self.rate * (self.total - self.total.max()))
        return np.asarray(weights / weights.sum())

    def learn(self, payoffs: Floats, taken: int) -> None:
        self.total += payoffs


class Exp3(Hedge):
    """Hedge for bandits: the payoff of the action taken, divided by its chance, stands for all.

    Args:
        actions: how many.
        rate: how fast it learns.
        explore: the share of rounds in which any action is as likely, above 0.

    References: Auer, Cesa-Bianchi, Freund and Schapire, SIAM Journal on Computing 32 (2002).
    """

    bandit = True

    def __init__(self, actions: int, rate: float = 0.01, explore: float = 0.05) -> None:
        super().__init__(actions, rate)
        if not 0.0 < explore <= 1.0:
            raise ScenarioError("explore", explore, "a share above 0, up to 1")
        self.explore = explore

    def chances(self) -> Floats:
        return (1.0 - self.explore) * super().chances() + self.explore / len(self.total)

    def learn(self, payoffs: Floats, taken: int) -> None:
        self.total[taken] += payoffs[taken] / self.chances()[taken]


class RegretMatching:
    """Actions are as likely as one regrets not having taken them.

    References: Hart and Mas-Colell, Econometrica 68 (2000).
    """

    bandit = False

    def __init__(self, actions: int) -> None:
        _check(actions, 1.0)
        self.regrets = np.zeros(actions)

    def chances(self) -> Floats:
        positive = np.maximum(self.regrets, 0.0)
        total = float(positive.sum())
        return positive / total if total > 0.0 else np.full(len(positive), 1.0 / len(positive))

    def learn(self, payoffs: Floats, taken: int) -> None:
        self.regrets += payoffs - payoffs[taken]


def choose(chances: Floats, rng: Random) -> int:
    """An action, drawn by its chance with the learner's own dice."""
    marks = list(accumulate(chances.tolist()))
    return min(bisect(marks, rng.random() * marks[-1]), len(marks) - 1)


class Learned(NamedTuple):
    """What bidders have come to bid: value levels (levels,), and for each bidder its mean bid (bidders, levels).

    `regret` (bidders,) is what the best fixed bid for each value would have earned more, per round.
    """

    values: Floats
    bids: Floats
    regret: Floats

    def bid(self, value: float, bidder: int = 0) -> float:
        """The mean bid of a bidder for a value, on straight lines between the levels."""
        return self.strategy(bidder).price(value)

    def strategy(self, bidder: int = 0) -> Tabled:
        """What a bidder has learned, as a strategy for agents; levels that never came up are left out."""
        known = np.isfinite(self.bids[bidder])
        return Tabled(tuple(self.values[known].tolist()), tuple(self.bids[bidder][known].tolist()))


def learn_to_bid(
    learners: Sequence[Sequence[Learner]],
    grid: Floats,
    distribution: Distribution,
    rule: ClearingRule,
    *,
    rounds: int,
    seed: int = 0,
    dice: Sequence[Random],
) -> Learned:
    """Let bidders learn in repeated auctions of one item, with new private values in each round.

    Parameters
    ----------
    learners : for each bidder a fresh learner for each level of its value
    grid : the bids that they choose from, shape (actions,), in currency, ascending
    distribution : of values, which are drawn at random among as many equally likely levels as there are learners
    rule : a single-item clearing rule; ties go to each bidder in turn
    rounds : how many; the mean bids are those of the second half
    seed : for the values, which are the same for all learners
    dice : each bidder's own, for its choices

    Returns
    -------
    Learned

    Raises
    ------
    ScenarioError : if bidders do not have the same number of learners and dice of their own
    """
    levels = len(learners[0]) if learners else 0
    if len(learners) < 2 or len(dice) != len(learners) or any(len(mine) != levels for mine in learners):
        raise ScenarioError(
            "learners", len(learners), "2 bidders or more, as many learners for each, and dice for each"
        )
    values = distribution.grid(levels)
    shares = Independent().draw(seed, len(learners), rounds).values
    drawn = np.minimum((shares * levels).astype(int), levels - 1)
    scale = max(float(np.abs(grid).max()), float(np.abs(values).max()))
    bids, counts = np.zeros((len(learners), levels)), np.zeros((len(learners), levels))
    earned, tried = np.zeros(len(learners)), np.zeros((len(learners), levels, len(grid)))
    for number, row in enumerate(drawn.tolist()):
        chances = [mine[level].chances() for mine, level in zip(learners, row, strict=True)]
        taken = [choose(chance, rng) for chance, rng in zip(chances, dice, strict=True)]
        made, turn = grid[taken], [f"{(k + number) % len(row):09}" for k in range(len(row))]
        for bidder, level in enumerate(row):
            payoffs = _payoffs(bidder, float(values[level]), made, grid, rule, turn) / scale
            learners[bidder][level].learn(payoffs, taken[bidder])
            earned[bidder] += payoffs[taken[bidder]]
            tried[bidder, level] += payoffs
            if 2 * number >= rounds:
                bids[bidder, level] += chances[bidder] @ grid
                counts[bidder, level] += 1
    regret = (tried.max(axis=2).sum(axis=1) - earned) * scale / rounds
    mean = np.divide(bids, counts, out=np.full_like(bids, math.nan), where=counts > 0)
    return Learned(values, mean, regret)


def _payoffs(
    bidder: int, value: float, made: Floats, grid: Floats, rule: ClearingRule, turn: Sequence[str]
) -> Floats:
    """What each bid of the grid would have earned against the bids that the others made; `turn` orders equal ones."""
    table = np.tile(made, (len(grid), 1))
    table[:, bidder] = grid
    result = clear_rounds(rule, table, names=turn)
    gains: Floats = value * (result.winners == bidder) - result.payments[:, bidder]
    return gains


def _check(actions: int, rate: float) -> None:
    if actions < 1:
        raise ScenarioError("actions", actions, "1 or more")
    if not 0.0 < rate < math.inf:
        raise ScenarioError("rate", rate, "a finite number above 0")
