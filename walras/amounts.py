"""What counts as a number in a setting or an answer, whose type promises nothing where a file or a mind wrote it;
and checks of settings that most rules have.

Truth values are no numbers here, though Python has them as integers, and neither is NaN.
"""

from math import inf
from sys import float_info
from typing import TypeGuard

from walras.errors import ScenarioError

MOST = 1e300
"""More than anybody can mean by a price, by units or by seconds; sums of such numbers are still finite."""


def is_number(value: object, least: float = -inf, most: float = inf) -> TypeGuard[float]:
    """Whether it is a plain number from `least` to `most`.

    >>> is_number(3), is_number(3, most=2), is_number(True), is_number(float("nan"))
    (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_above_0(value: object) -> TypeGuard[float]:
    """Whether it is a number above 0, infinity included."""
    return is_number(value, 0) and value > 0


def is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a finite number of 0 or more, as money, a share or a time span in seconds is."""
    return is_number(value, 0, float_info.max)


def is_whole(value: object, least: float = 0, most: float = inf) -> TypeGuard[int]:
    """Whether it is a whole number from `least` to `most`; 2.0 is none.

    >>> is_whole(2), is_whole(2.0), is_whole(2, least=3), is_whole(True)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def check_seconds(settings: object, *fields: str, zero: bool = False) -> None:
    """Refuse the first of these fields that is not a finite time span above 0 seconds, or (`zero`) of 0 or more.

    Raises:
        ScenarioError: naming it.
    """
    for field in fields:
        value = getattr(settings, field)
        if not is_amount(value) or (value == 0 and not zero):
            least = ", 0 or more" if zero else " above 0"
            raise ScenarioError(field, value, f"a finite number of seconds{least}")


def check_count(settings: object, *fields: str, most: float = inf) -> None:
    """Refuse the first of these fields that is not a whole number from 1 to `most`.

    Raises:
        ScenarioError: naming it.
    """
    for field in fields:
        value = getattr(settings, field)
        if not is_whole(value, 1, most):
            expected = "a whole number of 1 or more" if most == inf else f"a whole number from 1 to {most:,}"
            raise ScenarioError(field, value, expected)
