"""Valuations: what sets of lots are worth to an agent, in the run's currency.

A valuation is a value: frozen, comparable, picklable, and called with the ids of the items that are owned
together. The empty set is worth 0. The classes are those of the combinatorial auction literature; see Nisan,
"Bidding languages for combinatorial auctions", chapter 9 of Cramton, Shoham and Steinberg (eds.),
Combinatorial Auctions, 2006.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from numbers import Real
from typing import Any

import msgspec

from walras.errors import ScenarioError


class Valuation(msgspec.Struct, frozen=True):
    """What items are worth together. Subclass it and override `__call__`.

    >>> class Pair(Valuation, frozen=True):
    ...     def __call__(self, items):
    ...         return 10.0 if len(set(items)) >= 2 else 0.0
    >>> pair = Pair()
    >>> pair(["a", "b"]), pair["a"], pair.marginal("b", given=["a"])
    (10.0, 0.0, 10.0)
    """

    def __call__(self, items: Iterable[str]) -> float:
        """The value of these items together; an id that is given twice stands for two units of a lot."""
        raise TypeError(f"{type(self).__name__} does not say what items are worth: override __call__")

    def __getitem__(self, item: str) -> float:
        """The value of one item alone; 0 for one that it does not know."""
        return self((item,))

    def marginal(self, item: str, given: Iterable[str]) -> float:
        """What the item adds to those that are owned already."""
        owned = tuple(_ids(given))
        return self((*owned, item)) - self(owned)


class Additive(Valuation, frozen=True):
    """Every item has a value of its own, and sets are worth the sum; of several units, each is worth the same.

    >>> values = Additive({"a": 3, "b": 4})
    >>> values(["a", "b"]), values["a"], values["unknown"]
    (7.0, 3.0, 0.0)
    """

    values: Mapping[str, float]

    def __post_init__(self) -> None:
        _set(self, "values", _checked(self.values))

    def __call__(self, items: Iterable[str]) -> float:
        get = self.values.get
        return math.fsum([get(item, 0.0) for item in _ids(items)])

    def __getitem__(self, item: str) -> float:
        return self.values.get(item, 0.0)

    def marginal(self, item: str, given: Iterable[str]) -> float:
        return self.values.get(item, 0.0)


class UnitDemand(Valuation, frozen=True):
    """One item is enough: a set is worth its best item, and no item is worth less than nothing.

    >>> UnitDemand({"a": 3, "b": 4})(["a", "b"])
    4.0
    """

    values: Mapping[str, float]

    def __post_init__(self) -> None:
        _set(self, "values", _checked(self.values))

    def __call__(self, items: Iterable[str]) -> float:
        get = self.values.get
        return max(0.0, max((get(item, 0.0) for item in _ids(items)), default=0.0))


class Capped(Valuation, frozen=True):
    """Additive up to a limit: on the number of items that are of use, on what they are worth in all, or on both.

    Items are disposed of freely: the `most_items` best count, and none that is worth less than nothing.

    >>> values = Capped({"a": 3, "b": 4, "c": 5}, most_items=2)
    >>> values(["a", "b", "c"]), values.marginal("c", given=["a", "b"])
    (9.0, 2.0)
    >>> Capped({"a": 3, "b": 4}, most_value=6)(["a", "b"])
    6.0
    """

    values: Mapping[str, float]
    most_items: int | None = None
    """None: any number."""
    most_value: float = math.inf

    def __post_init__(self) -> None:
        _set(self, "values", _checked(self.values))
        _set(self, "most_value", float(self.most_value))
        if self.most_items is not None and self.most_items < 0:
            raise ScenarioError("most_items", self.most_items, "0 or more, or None for any number")
        if not self.most_value >= 0:
            raise ScenarioError("most_value", self.most_value, "a number of 0 or more")

    def __call__(self, items: Iterable[str]) -> float:
        get = self.values.get
        worth = sorted((get(item, 0.0) for item in _ids(items)), reverse=True)
        return min(math.fsum(max(0.0, value) for value in worth[: self.most_items]), self.most_value)


class SingleMinded(Valuation, frozen=True):
    """One set is wanted, all or nothing; what comes beside it adds nothing.

    >>> wanted = SingleMinded(("a", "b"), 10)
    >>> wanted(["a"]), wanted(["a", "b", "c"])
    (0.0, 10.0)
    """

    items: tuple[str, ...]
    value: float

    def __post_init__(self) -> None:
        _set(self, "items", _bundle(self.items))
        _set(self, "value", _number(f"value of {' '.join(self.items)}", self.value))

    def __call__(self, items: Iterable[str]) -> float:
        return max(0.0, self.value) if set(_ids(items)).issuperset(self.items) else 0.0


class Table(Valuation, frozen=True):
    """XOR bids: a set is worth the best stated set that it contains, and what is left over is disposed of freely.

    `bids` are values by set of item ids: a tuple or a frozenset, or a plain string for one item. They are kept as
    tuples in ascending order. Every monotone valuation can be written so, if need be with a value for every set.

    >>> values = Table({("a",): 2, ("b",): 3, ("a", "b"): 7})
    >>> values(["a"]), values(["b", "c"]), values(["b", "a"]), values([])
    (2.0, 3.0, 7.0, 0.0)
    """

    bids: Mapping[Any, float]

    def __post_init__(self) -> None:
        if not isinstance(self.bids, Mapping):
            raise ScenarioError("bids", self.bids, "a mapping from sets of item ids to their values")
        # Ascending tuples and not sets: the printed form must not depend on the hash seed.
        bids = {_bundle(items): _number(f"value of {items}", value) for items, value in self.bids.items()}
        if len(bids) < len(self.bids):
            raise ScenarioError("bids", self.bids, "every set once, whatever the order of its items")
        _set(self, "bids", bids)

    def __call__(self, items: Iterable[str]) -> float:
        owned = set(_ids(items))
        return max(0.0, max((v for wanted, v in self.bids.items() if owned.issuperset(wanted)), default=0.0))


def is_monotone(
    valuation: Callable[[Iterable[str]], float], items: Iterable[str], tolerance: float = 0.0
) -> bool:
    """Whether no item ever makes a set worth less (free disposal), by looking at all 2^n sets of the n items.

    Parameters
    ----------
    valuation : callable from ids to a value
    items : at most 16 different ids
    tolerance : how much less is put down to rounding, in the unit of the values

    Examples
    --------
    >>> is_monotone(UnitDemand({"a": 1, "b": 2}), "ab"), is_monotone(Additive({"a": -1}), "a")
    (True, False)
    """
    worth = _all_sets(valuation, items)
    return all(worth[owned] >= worth[owned - {item}] - tolerance for owned in worth for item in sorted(owned))


def is_submodular(
    valuation: Callable[[Iterable[str]], float], items: Iterable[str], tolerance: float = 1e-9
) -> bool:
    """Whether no item is worth more beside others than without them (no complements), by looking at all 2^n sets.

    Parameters
    ----------
    valuation : callable from ids to a value
    items : at most 16 different ids
    tolerance : how much more is put down to rounding, in the unit of the values

    References
    ----------
    Lehmann, Lehmann and Nisan, "Combinatorial auctions with decreasing marginal utilities", Games and Economic
    Behavior 55 (2006): it is enough to compare v(S + i) + v(S + j) with v(S + i + j) + v(S).

    Examples
    --------
    >>> is_submodular(Capped({"a": 1, "b": 2}, 1), "ab"), is_submodular(SingleMinded(("a", "b"), 3), "ab")
    (True, False)
    """
    worth = _all_sets(valuation, items)
    return all(
        worth[owned - {i}] + worth[owned - {j}] >= worth[owned] + worth[owned - {i, j}] - tolerance
        for owned in worth
        for i, j in combinations(sorted(owned), 2)
    )


def _all_sets(
    valuation: Callable[[Iterable[str]], float], items: Iterable[str]
) -> dict[frozenset[str], float]:
    known = sorted(set(items))
    if len(known) > 16:
        raise ValueError(f"items are {len(known)}, with 2^{len(known)} sets; expected at most 16 of them")
    sets = (chosen for k in range(len(known) + 1) for chosen in combinations(known, k))
    return {frozenset(chosen): valuation(chosen) for chosen in sets}


def _ids(items: Iterable[str]) -> Iterable[str]:
    if isinstance(items, str):  # its letters would pass for ids, and be worth nothing
        raise TypeError(f"items is {items!r}, one id; expected several, or valuation[{items!r}]")
    return items


def _set(valuation: Valuation, field: str, value: Any) -> None:
    msgspec.structs.force_setattr(valuation, field, value)


def _number(field: str, value: object) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise ScenarioError(field, value, "a finite number")
    return float(value)


def _checked(values: object) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise ScenarioError("values", values, "a mapping from item id to value")
    return {_id(item): _number(f"value of {item}", value) for item, value in values.items()}


def _id(item: object) -> str:
    if not isinstance(item, str) or not item:
        raise ScenarioError("item id", item, "a non-empty string")
    return item


def _bundle(items: object) -> tuple[str, ...]:
    if isinstance(items, str):
        items = (items,)
    found = tuple(sorted(map(_id, items))) if isinstance(items, Iterable) else ()
    if not found or len(set(found)) < len(found):
        raise ScenarioError("set of items", items, "one or more different item ids")
    return found
