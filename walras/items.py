"""What is allocated: tasks to be done, lots on sale, bundles of lots.

Prices are plain numbers. An item says on which side the money flows: a *procured* item is paid for by who announces
it (a task), a *sold* one by who wins it (a lot).
"""

from math import inf
from typing import Any

from walras.errors import ScenarioError
from walras.messages import Frozen

Capability = str
"""A skill that a task requires and an agent has; matching is by equality."""

MOST_COPIES = 1_000_000


class Item(Frozen, frozen=True, tag=True):
    """Anything that a mechanism can allocate."""

    id: str

    @property
    def procured(self) -> bool:
        """Whether who announces the item pays for it."""
        return False

    @property
    def escrowed(self) -> bool:
        """Whether its price lies in escrow from its award to its settlement, as that of work does."""
        return self.procured

    @property
    def ids(self) -> list[str]:
        """Its own id, and those of its parts, however deep."""
        return [self.id]


class Task(Item, frozen=True):
    """Work to be done, once for each of `copies` contractors (1 unless results are to be compared).

    `kind` names the sort of work; `requires` lists the capabilities that a contractor needs; `size` is in the
    scenario's unit of work; `reserve` is the most that its announcer will pay (None: any price); `parts` are
    sub-tasks that a contractor may pass on. `price_of_waiting` is what each second until it is done costs its
    announcer, published so that proposals can be scored.

    Raises:
        ScenarioError: for an id or capabilities that are no names, or a number out of range, naming the field.
    """

    kind: str = ""
    requires: tuple[Capability, ...] = ()
    size: float = 1.0
    reserve: float | None = None
    price_of_waiting: float = 0.0
    copies: int = 1
    parts: tuple["Task", ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        _check_id(self)
        if not are_names(self.requires):
            raise _bad(self, "requires", "a tuple of capabilities, each a non-empty string")
        if type(self.copies) is not int or not 1 <= self.copies <= MOST_COPIES:
            raise _bad(self, "copies", f"a whole number from 1 to {MOST_COPIES:,}")
        if self.reserve is not None and not _is_number(self.reserve):
            raise _bad(self, "reserve", "a number of 0 or more, or None for any price")
        for field in ("size", "price_of_waiting"):
            value = getattr(self, field)
            if not _is_number(value) or value == inf:
                raise _bad(self, field, "a finite number of 0 or more")

    @property
    def procured(self) -> bool:
        return True

    @property
    def ids(self) -> list[str]:
        return [self.id, *(id_ for part in self.parts for id_ in part.ids)]


class Lot(Item, frozen=True):
    """A good on sale, `quantity` identical units of it; `reserve` is the least that its seller accepts per unit.

    With `wanted=True` it is procured instead: the announcer buys, `reserve` is the most that it pays.

    Raises:
        ScenarioError: for an id that is no name, or a number out of range, naming the field.
    """

    quantity: int = 1
    reserve: float | None = None
    wanted: bool = False

    def __post_init__(self) -> None:
        _check_id(self)
        if type(self.quantity) is not int or self.quantity < 1:
            raise _bad(self, "quantity", "a whole number of 1 or more")
        if self.reserve is not None and not _is_number(self.reserve):
            raise _bad(self, "reserve", "a number of 0 or more, or None for any price")

    @property
    def procured(self) -> bool:
        return self.wanted

    @property
    def escrowed(self) -> bool:
        return False  # a good is paid at its award, on whichever side its buyer is


class Bundle(Item, frozen=True):
    """A set of lots that is bid for as one; `lots` are their ids in ascending order."""

    lots: tuple[str, ...] = ()


def are_names(value: Any) -> bool:
    """Whether this is a list or tuple of non-empty strings: a string alone is a sequence, too, of letters."""
    return isinstance(value, tuple | list) and all(isinstance(name, str) and name for name in value)


def _check_id(item: Item) -> None:
    if not are_names([item.id]):
        raise ScenarioError(f"id of a {type(item).__name__}", item.id, "a non-empty string")


def _is_number(value: Any) -> bool:
    try:
        return bool(value >= 0)  # NaN is not
    except (TypeError, ValueError):
        return False


def _bad(item: Item, field: str, expected: str) -> ScenarioError:
    return ScenarioError(f"{field} of {item.id}", getattr(item, field), expected)
