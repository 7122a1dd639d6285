"""What a file with bids may say: its fields, checked one by one. The schema is in ``docs/clearing-files.md``.

Numbers are kept exactly as they are written, decimals as fractions, so that nothing is rounded before the end.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, cast

import msgspec

from walras.errors import ScenarioError

MOST = int(1e100)
"""More than anybody means by a price or a number of units; sums and products of such numbers can still be written."""


class Entry(msgspec.Struct, frozen=True):
    """One bid of a file."""

    bidder: str
    price: float
    units: int = 1
    side: str = "buy"
    quality: float = 1
    budget: float | None = None


class Sheet(msgspec.Struct, frozen=True):
    """A file, checked: its bids in their order, and its settings."""

    bids: tuple[Entry, ...]
    reserve: float = 0
    units: int | None = None
    increment: float | None = None
    tick: float | None = None
    price: str = "highest-losing"
    clicks: tuple[float, ...] | None = None
    k: float = 0.5
    seed: int | None = None


Check = Callable[[str, object], Any]
"""From where a value stands, for the error, and the value, to the value that is computed with."""


def number(where: str, value: object) -> float:
    """A price: the fraction that is written, where it is not an integer."""
    if type(value) not in (int, float) or not 0 <= cast(float, value) <= MOST:
        raise ScenarioError(where, value, "a number of 0 or more, at most 1e100")
    return cast(float, value if type(value) is int else Fraction(repr(value)))


def positive(where: str, value: object) -> float:
    """A number that is not 0."""
    if value == 0:
        raise ScenarioError(where, value, "a number above 0")
    return number(where, value)


def whole(where: str, value: object) -> int:
    """A number of units."""
    if type(value) is not int or not 1 <= value <= MOST:
        raise ScenarioError(where, value, "a whole number of 1 or more")
    return value


def one(where: str, value: object) -> int:
    """The only number of units that a format knows."""
    if type(value) is not int or value != 1:
        raise ScenarioError(where, value, "1, or nothing: this format sells a bidder one unit")
    return value


def seed(where: str, value: object) -> int:
    """What decides ties."""
    if type(value) is not int:
        raise ScenarioError(where, value, "a whole number")
    return value


def bidder(where: str, value: object) -> str:
    """A name."""
    if not isinstance(value, str) or not value:
        raise ScenarioError(where, value, "a name: a string that is not empty")
    return value


def share(where: str, value: object) -> float:
    """A number in [0, 1]."""
    found = number(where, value)
    if found > 1:
        raise ScenarioError(where, value, "a number from 0 to 1")
    return found


def rates(where: str, value: object) -> tuple[float, ...]:
    """The clicks of slots."""
    if not isinstance(value, list | tuple) or not value:
        raise ScenarioError(where, value, "a list of numbers, the clicks of each slot, best first")
    clicks = tuple(number(f"{where}[{k}]", rate) for k, rate in enumerate(value))
    for k in range(1, len(clicks)):
        if clicks[k] > clicks[k - 1]:
            raise ScenarioError(f"{where}[{k}]", value[k], f"at most the {value[k - 1]} of the slot above")
    return clicks


def choice(*words: str) -> Check:
    """One of these words."""

    def check(where: str, value: object) -> object:
        if value not in words:
            raise ScenarioError(where, value, " or ".join(map(repr, words)))
        return value

    return check


def nothing(where: str, value: object) -> float:
    """A reserve where there is none."""
    if type(value) not in (int, float) or value != 0:
        raise ScenarioError(
            where, value, "0, or nothing: a double auction has no reserve, sellers ask for theirs"
        )
    return 0


NEEDED = ("bidder", "price", "side")
"""What a bid cannot do without, in the formats that have it."""


def read(
    contents: object, settings: Mapping[str, Check], of_bid: Mapping[str, Check], *, once: bool
) -> Sheet:
    """The contents of a file, checked.

    Args:
        contents: what the JSON file says, as plain dicts, lists, strings and numbers.
        settings: the fields that it may have beside its bids and a seed.
        of_bid: the fields that a bid may have; the `NEEDED` ones among them it has to have.
        once: whether a bidder may bid only once.

    Raises:
        ScenarioError: naming the first field that is wrong, its value and what was expected.
    """
    if not isinstance(contents, dict) or not isinstance(contents.get("bids"), list):
        raise ScenarioError("the file", contents, 'an object with a list of bids, as in {"bids": []}')
    checked = _checked(
        "", {key: value for key, value in contents.items() if key != "bids"}, {**settings, "seed": seed}
    )
    needed = [key for key in NEEDED if key in of_bid]
    bids: list[Entry] = []
    sides: dict[str, str] = {}
    for k, bid in enumerate(contents["bids"]):
        if not isinstance(bid, dict) or any(key not in bid for key in needed):
            raise ScenarioError(f"bids[{k}]", bid, f"an object with {', '.join(needed)}")
        entry = Entry(**_checked(f"bids[{k}].", bid, of_bid))
        if once and entry.bidder in sides:
            raise ScenarioError(f"bids[{k}].bidder", entry.bidder, "one bid for each bidder")
        side = sides.setdefault(entry.bidder, entry.side)
        if entry.side != side:
            raise ScenarioError(
                f"bids[{k}].side", entry.side, f"{side!r}, the side that {entry.bidder} is on"
            )
        bids.append(entry)
    _check_budgets(bids)
    return Sheet(bids=tuple(bids), **checked)


def _check_budgets(bids: list[Entry]) -> None:
    """Raise `ScenarioError` where a bidder's bids come to more than the budget that it declares: all of them may win."""
    budgets: dict[str, float] = {}
    for k, bid in enumerate(bids):
        if bid.budget is not None and bid.side == "sell":
            raise ScenarioError(f"bids[{k}].budget", shown(bid.budget), "nothing: who sells does not pay")
        if bid.budget is not None and budgets.setdefault(bid.bidder, bid.budget) != bid.budget:
            raise ScenarioError(
                f"bids[{k}].budget",
                shown(bid.budget),
                f"{shown(budgets[bid.bidder])}, as {bid.bidder} said before",
            )
    left = dict(budgets)
    for k, bid in enumerate(bids):
        if bid.bidder in left:
            left[bid.bidder] -= bid.price * bid.units
            if left[bid.bidder] < 0:
                budget = shown(budgets[bid.bidder])
                expected = f"no more than the budget of {bid.bidder}, which is {budget} for all it bids for"
                raise ScenarioError(f"bids[{k}].price", shown(bid.price), expected)


def shown(amount: float) -> float:
    """An amount as JSON can have it: an integer if it is whole, else the nearest float."""
    exact = Fraction(amount)
    return exact.numerator if exact.denominator == 1 else float(exact)


def _checked(where: str, given: Mapping[str, object], checks: Mapping[str, Check]) -> dict[str, Any]:
    for key in given:
        if key not in checks:
            raise ScenarioError(
                f"{where}{key}", given[key], f"no field of this name: there are {', '.join(checks)}"
            )
    return {key: checks[key](f"{where}{key}", value) for key, value in given.items()}
