"""How long messages take: settings of delays, all in seconds, and the streams that draw from them.

A setting is a value; `sampler(rng)` turns it into a stream of delays, a closure that is as cheap as Python
allows, since every message of a simulation calls one. A draw takes exactly one number from `rng` (`Constant`:
none), so two settings on the same stream are paired draw by draw.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from math import exp, inf, nextafter
from random import Random
from statistics import NormalDist

import numpy as np

from walras.errors import ScenarioError
from walras.messages import Frozen
from walras.simulation.checks import check_kind, check_number, check_seconds, kind

LEAST = 2.0**-54
"""In place of a draw of exactly 0.0, where a distribution has no value for it: half the least other draw."""
GREATEST = 1.0 - 2.0**-53
"""The greatest number that `Random.random` returns: what makes every bound here a true one."""


@lru_cache(maxsize=256)
def _span(low: float, high: float) -> float:
    """The width of [low, high], rounded so that ``low + width * u`` never exceeds `high` for u in [0, 1)."""
    span = high - low
    while low + span * GREATEST > high:
        span = nextafter(span, 0.0)
    return span


class Latency(Frozen, frozen=True, tag_field="kind", tag=kind):
    """How long a message takes, in seconds. Subclass it for a distribution of your own."""

    def sampler(self, rng: Random) -> Callable[[], float]:
        """A stream of delays: each call is one draw."""
        raise TypeError(f"{type(self).__name__} does not say how its delays are drawn")

    @property
    def bound(self) -> float:
        """Seconds that no draw ever exceeds; infinite if there is no such bound."""
        return inf

    def later(self, by_s: float) -> "Delay":
        """The same distribution, every delay longer by `by_s` seconds."""
        raise TypeError(f"{type(self).__name__} cannot be shifted, which a Matrix needs of its jitter")


class Constant(Latency, frozen=True):
    """Every message takes as long: the textbook's synchronous network, and the fastest to simulate."""

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)

    def sampler(self, rng: Random) -> Callable[[], float]:
        seconds = float(self.seconds)
        return lambda: seconds

    @property
    def bound(self) -> float:
        return self.seconds

    def later(self, by_s: float) -> "Delay":
        return Constant(self.seconds + by_s)


class Uniform(Latency, frozen=True):
    """Any delay between two bounds is as likely as any other."""

    low_s: float
    high_s: float

    def __post_init__(self) -> None:
        check_seconds("low_s", self.low_s)
        check_seconds("high_s", self.high_s)
        if self.high_s < self.low_s:
            raise ScenarioError("high_s", self.high_s, f"at least low_s, which is {self.low_s}")

    def sampler(self, rng: Random) -> Callable[[], float]:
        lowest = float(self.low_s)
        width = _span(lowest, self.high_s)

        # As defaults, not in a closure: a network has a thousand links, and so each takes fewer lines of the cache.
        def delay(
            low: float = lowest, span: float = width, random: Callable[[], float] = rng.random
        ) -> float:
            return low + span * random()

        return delay

    @property
    def bound(self) -> float:
        return self.high_s

    def later(self, by_s: float) -> "Delay":
        return Uniform(self.low_s + by_s, self.high_s + by_s)


class LogNormal(Latency, frozen=True):
    """A long tail, as measured round trips have: ``min_s + median_s * exp(sigma * Z)``, Z standard normal.

    `sigma` has no unit: about two thirds of the delays (beyond `min_s`) lie within a factor exp(sigma) of the
    median. Drawn by inversion of one 53-bit number, so Z never exceeds 8.21 and the bound is finite and true.
    """

    median_s: float
    sigma: float
    min_s: float = 0.0

    def __post_init__(self) -> None:
        check_seconds("median_s", self.median_s)
        check_number("sigma", self.sigma, 0.0, 10.0, "a number in [0, 10]")
        check_seconds("min_s", self.min_s)

    def sampler(self, rng: Random) -> Callable[[], float]:
        low, median, random = float(self.min_s), self.median_s, rng.random
        if not self.sigma:
            return Constant(low + median).sampler(rng)
        normal = NormalDist(0.0, self.sigma).inv_cdf
        return lambda: low + median * exp(normal(random() or LEAST))

    @property
    def bound(self) -> float:
        greatest = NormalDist().inv_cdf(GREATEST) * self.sigma
        return (self.min_s + self.median_s * exp(greatest)) * (1.0 + 1e-9)  # more than all rounding together

    def later(self, by_s: float) -> "Delay":
        return LogNormal(self.median_s, self.sigma, self.min_s + by_s)


class Empirical(Latency, frozen=True):
    """Measured delays: their quantiles at equally spaced probabilities, from the least (0) to the greatest (1).

    Between two quantiles it interpolates linearly (type 7 of Hyndman and Fan, "Sample quantiles in
    statistical packages", The American Statistician 50(4), 1996).
    """

    quantiles_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.quantiles_s) < 2:
            raise ScenarioError("quantiles_s", self.quantiles_s, "at least the least and the greatest delay")
        for place, quantile in enumerate(self.quantiles_s):
            check_seconds(f"quantiles_s[{place}]", quantile)
        if any(low > high for low, high in pairwise(self.quantiles_s)):
            raise ScenarioError("quantiles_s", self.quantiles_s, "delays in ascending order")

    @classmethod
    def from_samples(cls, samples_s: Iterable[float], points: int = 101) -> "Empirical":
        """The distribution of measured delays, as `points` quantiles (101: every percentile)."""
        samples = [float(sample) for sample in samples_s]
        if not samples:
            raise ScenarioError("samples_s", samples, "at least one measured delay")
        if points < 2:
            raise ScenarioError("points", points, "2 or more")
        for place, sample in enumerate(samples):
            check_seconds(f"samples_s[{place}]", sample)
        quantiles = np.quantile(samples, np.linspace(0.0, 1.0, points))
        return cls(tuple(np.maximum.accumulate(quantiles).tolist()))  # rounding may bend equal ones

    def sampler(self, rng: Random) -> Callable[[], float]:
        quantiles, random = self.quantiles_s, rng.random
        steps = _steps(quantiles)
        pieces = len(steps)

        def draw() -> float:
            place = random() * pieces  # never rounds up to `pieces`
            left = int(place)
            return quantiles[left] + steps[left] * (place - left)

        return draw

    @property
    def bound(self) -> float:
        return self.quantiles_s[-1]

    def later(self, by_s: float) -> "Delay":
        return Empirical(tuple(quantile + by_s for quantile in self.quantiles_s))


@lru_cache(maxsize=256)
def _steps(quantiles_s: tuple[float, ...]) -> tuple[float, ...]:
    """The widths between quantiles; shared, since every link of a network asks for them."""
    return tuple(_span(low, high) for low, high in pairwise(quantiles_s))


Delay = Constant | Uniform | LogNormal | Empirical
"""The latencies that settings files know by their `kind`."""


class Matrix(Frozen, frozen=True, tag_field="kind", tag=kind):
    """One-way delays between places: row the sender's, column the recipient's; they need not be symmetric.

    The diagonal is the delay between two agents at the same place. `jitter` is added, drawn for each message.
    """

    places: tuple[str, ...]
    delays_s: tuple[tuple[float, ...], ...]
    jitter: Delay | None = None

    def __post_init__(self) -> None:
        count = len(self.places)
        if not count or len(set(self.places)) != count:
            raise ScenarioError("places", self.places, "one or more names, each once")
        if [len(row) for row in self.delays_s] != [count] * count:
            raise ScenarioError("delays_s", self.delays_s, f"{count} rows of {count}, as there are places")
        for sender, row in zip(self.places, self.delays_s, strict=True):
            for to, delay in zip(self.places, row, strict=True):
                check_seconds(f"delays_s from {sender} to {to}", delay)

        if self.jitter is not None:
            check_kind(
                "jitter",
                self.jitter,
                Latency,
                "a distribution of delays, such as Uniform(0.0, 0.005), or None",
            )

    def between(self, sender: str, to: str) -> Delay:
        """The latency from one place to another; `ScenarioError` for a place that is not in `places`."""
        for place in (sender, to):
            if place not in self.places:
                raise ScenarioError("place", place, f"one of {', '.join(self.places)}")
        delay = self.delays_s[self.places.index(sender)][self.places.index(to)]
        return Constant(delay) if self.jitter is None else self.jitter.later(delay)

    @property
    def bound(self) -> float:
        """Seconds that no draw ever exceeds, on any route."""
        longest = max(map(max, self.delays_s))
        return longest if self.jitter is None else self.jitter.later(longest).bound
