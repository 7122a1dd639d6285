"""What counts as a number in a setting or an answer, whose type promises nothing where a file or a mind wrote it.

Truth values are no numbers here, though Python has them as integers, and neither is NaN.
"""

from math import inf
from typing import TypeGuard


def is_number(value: object, least: float = -inf, most: float = inf) -> TypeGuard[float]:
    """Whether it is a plain number from `least` to `most`.

    >>> is_number(3), is_number(3, most=2), is_number(True), is_number(float("nan"))
    (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a finite number of 0 or more, as money, a share or a time span in seconds is."""
    return is_number(value, 0) and value < inf


def is_whole(value: object, least: float = 0, most: float = inf) -> TypeGuard[int]:
    """Whether it is a whole number from `least` to `most`; 2.0 is none.

    >>> is_whole(2), is_whole(2.0), is_whole(2, least=3), is_whole(True)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
