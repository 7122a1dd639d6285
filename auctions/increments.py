"""By how much a price moves at a time: an amount, or a share of the price."""

from auctions.messages import is_price
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import Frozen


class Increment(Frozen, frozen=True):
    """A step between prices: `amount` in currency, or (`relative`) a share of the price that it starts from.

    A share of a price of 0 is nothing; there the step is `from_zero`.
    """

    amount: float
    relative: bool = False
    from_zero: float = 0.01

    def step(self, price: float) -> float:
        """How far the next price is from this one.

        >>> Increment(2).step(100), Increment(0.05, relative=True).step(100)
        (2, 5.0)
        """
        if not self.relative:
            return self.amount
        return self.amount * price if price > 0 else self.from_zero

    def after(self, price: float, down: bool = False) -> float:
        """The price one step on, upwards or downwards; never below 0.

        >>> Increment(2).after(3), Increment(2).after(3, down=True), Increment(4).after(3, down=True)
        (5, 1, 0)
        """
        return max(0, price - self.step(price)) if down else price + self.step(price)


def parse_share(text: str) -> float | None:
    """The number before a per cent sign, divided by 100; None: it is not written so.

    >>> parse_share("5%"), parse_share("five")
    (0.05, None)
    """
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else None
    except ValueError:
        return None


def read_increment(field: str, value: float | str, from_zero: float = 0.01) -> Increment:
    """An increment as settings write it: a number is an amount, ``"5%"`` a share.

    Raises:
        ScenarioError: naming the field, for a step of 0, for one below it, and for what is no number.
    """
    if isinstance(value, str):
        share = parse_share(value)
        if share is not None and 0 < share < 1:
            return Increment(share, relative=True, from_zero=from_zero)
    elif is_price(value) and value > 0:
        return Increment(value)
    raise ScenarioError(field, value, 'a number above 0, or a share such as "5%", above 0 and below 100')


def opening_of(item: Item, opening: float | None, *, hidden: bool) -> float:
    """Where an ascending price starts (a descending one in a procurement): never where the public reserve forbids to sell.

    Raises:
        ScenarioError: for a procurement without a public reserve and without an opening price.
    """
    reserve = None if hidden else getattr(item, "reserve", None)
    known = [price for price in (opening, reserve) if price is not None and is_price(price)]
    if item.procured and not known:
        raise ScenarioError(
            "opening", opening, f"a price to begin with, or a public, finite reserve of {item.id}"
        )
    return min(known) if item.procured else max(known, default=0)
