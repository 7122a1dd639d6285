"""Named random streams: what is drawn depends on the seed and the name, never on who drew before.

Two mechanisms on the same seed therefore meet the same world, and comparisons are paired.
"""

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TO_UNIT = 2.0**-53


def _digest(seed: int, names: tuple[object, ...]) -> bytes:
    return sha256("\x1f".join((str(seed), *map(str, names))).encode()).digest()


def stream(seed: int, *names: object) -> Random:
    """A stream of its own for this seed and these names (strings or integers).

    >>> stream(7, "work", "task-1", "ada").random() == stream(7, "work", "task-1", "ada").random()
    True
    """
    return Random(int.from_bytes(_digest(seed, names)))


def draw(seed: int, *names: object) -> float:
    """One number, uniform in [0, 1), for this seed and these names: a stream that is read once, at a tenth of its price.

    >>> 0.0 <= draw(7, "tie", "router/17", "ada") < 1.0
    True
    """
    return (int.from_bytes(_digest(seed, names)[:8]) >> 11) * _TO_UNIT


def uniforms(seed: int, *names: object, size: int) -> "NDArray[np.float64]":
    """So many numbers at once, uniform in [0, 1), for this seed and these names, shape (size,).

    Fewer of them are the first of more. They are made from raw bits, which NumPy keeps the same from version to version.

    >>> few, many = uniforms(7, "values", "ada", size=2), uniforms(7, "values", "ada", size=5)
    >>> bool((few == many[:2]).all())
    True
    """
    from numpy.random import PCG64  # NumPy takes a while, and protocols draw from streams

    bits = PCG64(int.from_bytes(_digest(seed, names))).random_raw(size)
    return (bits >> 11).astype(float) * _TO_UNIT
