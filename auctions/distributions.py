"""Distributions of private values, with what the theory of auctions asks of them in closed form.

Every function takes a number or an array of them, and gives back the same. Amounts are in the run's currency.
"""

import math
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from walras.errors import ScenarioError
from walras.messages import Frozen

Floats = NDArray[np.float64]
Real = TypeVar("Real", float, Floats)
"""A number, or an array of numbers: what goes in comes out."""

LAST = 1.0 - 2.0**-53
"""The greatest share below 1: where an endless distribution is cut."""


def kind(name: str) -> str:
    """The name of a class as settings files have it."""
    return name.lower()


class Distribution(Frozen, frozen=True, tag_field="kind", tag=kind):
    """How a value is distributed, from `low` to `top`. Subclass it and say four things.

    `area` is what turns a distribution into equilibrium bids: the mean of the highest of m independent draws, given
    that all are below v, is ``v - area(v, m)``.
    """

    @property
    def support(self) -> tuple[float, float]:
        """The least and the greatest value; the greatest may be infinite."""
        raise TypeError(f"{type(self).__name__} does not say between which bounds it lies")

    def cdf(self, v: Real) -> Real:
        """F(v): how likely a value of at most v is."""
        raise TypeError(f"{type(self).__name__} does not say how likely a value of at most v is")

    def quantile(self, u: Real) -> Real:
        """The inverse of `cdf`, for shares in [0, 1)."""
        raise TypeError(f"{type(self).__name__} does not say which value has a given share below it")

    def pdf(self, v: Real) -> Real:
        """f(v): the density, one over currency."""
        raise TypeError(f"{type(self).__name__} does not say how dense it is")

    def area(self, v: Real, m: float) -> Real:
        """The integral of (F(x) / F(v))^m for x from `low` to v, in currency; m is 0 or more."""
        raise TypeError(f"{type(self).__name__} does not say what its area is")

    def mirrored(self) -> "Distribution":
        """How minus the value is distributed: a seller's cost is a value below zero, and one theory serves both sides."""
        raise ScenarioError(
            "distribution", self, "uniform or exponential costs: no closed form is known here"
        )

    def grid(self, points: int) -> Floats:
        """The midpoints of so many equally likely slices, ascending: for sums instead of integrals."""
        return self.quantile((np.arange(points) + 0.5) / points)


class Power(Distribution, frozen=True):
    """F(v) = ((v - low) / (high - low))^exponent on [low, high]: uniform with exponent 1, strong bidders with more.

    >>> Power(exponent=2.0).cdf(0.5), Power(exponent=2.0).quantile(0.25)
    (0.25, 0.5)
    """

    low: float = 0.0
    high: float = 1.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ScenarioError("high", self.high, f"a finite number above low ({self.low})")
        if not 0.0 < self.exponent < math.inf:
            raise ScenarioError("exponent", self.exponent, "a finite number above 0")

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, v: Real) -> Real:
        return plain(v, np.clip((v - self.low) / (self.high - self.low), 0.0, 1.0) ** self.exponent)

    def quantile(self, u: Real) -> Real:
        return plain(u, self.low + (self.high - self.low) * u ** (1.0 / self.exponent))

    def pdf(self, v: Real) -> Real:
        width, a = self.high - self.low, self.exponent
        inside = np.logical_and(np.greater_equal(v, self.low), np.less_equal(v, self.high))
        with np.errstate(divide="ignore"):
            share = np.clip((v - self.low) / width, 0.0, 1.0)
            return plain(v, np.where(inside, a * np.power(share, a - 1.0) / width, 0.0))

    def area(self, v: Real, m: float) -> Real:
        return plain(v, (v - self.low) / (m * self.exponent + 1.0))


class Uniform(Power, frozen=True):
    """All values from low to high are equally likely.

    >>> Uniform(0.0, 10.0).cdf(2.5), Uniform(0.0, 10.0).area(5.0, m=1)
    (0.25, 2.5)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.exponent != 1.0:
            raise ScenarioError("exponent", self.exponent, "1; Power has other exponents")

    def mirrored(self) -> "Uniform":
        return Uniform(-self.high, -self.low)


class Exponential(Distribution, frozen=True):
    """F(v) = 1 - exp(-v / mean): many low values, no highest one.

    >>> round(Exponential(mean=2.0).quantile(0.5), 6)
    1.386294
    """

    mean: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.mean < math.inf:
            raise ScenarioError("mean", self.mean, "a finite number above 0")

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    def cdf(self, v: Real) -> Real:
        return plain(v, -np.expm1(-np.maximum(v, 0.0) / self.mean))

    def quantile(self, u: Real) -> Real:
        return plain(u, -self.mean * np.log1p(-np.asarray(u)))

    def pdf(self, v: Real) -> Real:
        return plain(v, np.where(np.less(v, 0.0), 0.0, np.exp(-np.maximum(v, 0.0) / self.mean) / self.mean))

    def area(self, v: Real, m: float) -> Real:
        """With U = F(v): v / U^m less the mean times the sum of U^(j - m) / j for j = 1 ... m; m is whole.

        Where U^m is small that would be a difference of large numbers: there the series of its remainder is added up.
        """
        if m != int(m):
            raise ScenarioError(
                "exponent of F", m, "a whole number: exponential values have no closed form else"
            )
        m, U = int(m), np.atleast_1d(np.asarray(self.cdf(v), dtype=float))
        if m == 0:
            return v
        found = np.empty_like(U)
        small = U**m < 1e-3
        big = U[~small]
        terms = sum((big**j / j for j in range(1, m + 1)), np.zeros_like(big))
        found[~small] = (np.atleast_1d(np.asarray(v, dtype=float))[~small] / self.mean - terms) / big**m
        found[small] = _remainder(U[small], m)
        return plain(v, self.mean * found.reshape(np.shape(v)))

    def mirrored(self) -> "NegativeExponential":
        return NegativeExponential(self.mean)


class NegativeExponential(Distribution, frozen=True):
    """Minus an exponential cost: F(v) = exp(v / mean) for v up to 0.

    >>> NegativeExponential(2.0).cdf(0.0), NegativeExponential(2.0).area(-1.0, m=4)
    (1.0, 0.5)
    """

    mean: float = 1.0

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, 0.0

    def cdf(self, v: Real) -> Real:
        return plain(v, np.exp(np.minimum(v, 0.0) / self.mean))

    def quantile(self, u: Real) -> Real:
        return plain(u, self.mean * np.log(np.maximum(u, 1.0 - LAST)))

    def pdf(self, v: Real) -> Real:
        return plain(v, np.where(np.greater(v, 0.0), 0.0, np.exp(np.minimum(v, 0.0) / self.mean) / self.mean))

    def area(self, v: Real, m: float) -> Real:
        return plain(v, np.full(np.shape(v), self.mean / m if m else math.inf))

    def mirrored(self) -> Exponential:
        return Exponential(self.mean)


def _remainder(U: Floats, m: int) -> Floats:
    """The sum of U^i / (m + i) for i = 1, 2, ... until nothing is added any more."""
    total, power = np.zeros_like(U), np.ones_like(U)
    for i in range(1, 10_000):
        power = power * U
        if not (power > 1e-18).any():
            break
        total += power / (m + i)
    return total


def plain(given: Real, found: Any) -> Real:
    """What was found for a given number or array: a number for a number, since NumPy's own scalars are no JSON."""
    return cast(Real, float(found) if np.ndim(given) == 0 else np.asarray(found))
