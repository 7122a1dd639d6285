"""Which scenarios and mechanisms there are: those that installed packages declare as entry points.

A package adds its own by declaring the groups ``walras.scenarios`` and ``walras.mechanisms``. Whatever is not
declared is named by its place instead, as in ``mypackage.worlds:Harbour``.
"""

import difflib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.results.recipe import found_again, imported
from walras.scenario import Scenario

T = TypeVar("T", Scenario, Mechanism)

_GROUPS: dict[type, tuple[str, str]] = {
    Scenario: ("scenario", "walras.scenarios"),
    Mechanism: ("mechanism", "walras.mechanisms"),
}


def declared(base: type[T]) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in alphabetical order; nothing is imported yet."""
    found = entry_points(group=_GROUPS[base][1])
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def find(base: type[T], name: str) -> type[T]:
    """The class of this name, or at this ``module:Class``.

    Raises:
        WalrasError: if there is none, naming the nearest; and for a class that only others build upon.
    """
    what = _GROUPS[base][0]
    points = declared(base)
    if name in points:
        try:
            found = points[name].load()
        except Exception as error:  # whatever a package does when it is imported
            raise WalrasError(f"{what} {name!r} cannot be loaded: {error}") from error
    elif ":" in name:
        found = imported(name)
    elif not points:
        raise WalrasError(
            f"no {what} is declared here, so {name!r} is not known; expected Walras to be installed"
        )
    else:
        raise WalrasError(f"there is no {what} {name!r}; expected {one_of(name, points)}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise WalrasError(f"{name} is no {what}; expected a class that inherits walras.{base.__name__}")
    lacking = _lacking(found)
    if lacking:
        raise WalrasError(
            f"{name} is only the base of a {what}, without {lacking}; expected a class that has them all"
        )
    return found


def find_any(name: str) -> list[type[Scenario] | type[Mechanism]]:
    """The scenario of this name, the mechanism of this name, or both; or what is at this ``module:Class``.

    Settings behind a name, as in ``greedy:tries=3``, are left aside.

    Raises:
        WalrasError: as `find` does.
    """
    scenarios, mechanisms = declared(Scenario), declared(Mechanism)
    bare = name.partition(":")[0]
    if bare in scenarios or bare in mechanisms:
        found: list[type[Scenario] | type[Mechanism]] = [find(Scenario, bare)] if bare in scenarios else []
        return found + ([find(Mechanism, bare)] if bare in mechanisms else [])
    if ":" not in name:
        expected = one_of(name, [*scenarios, *mechanisms])
        raise WalrasError(f"there is no scenario or mechanism {name!r}; expected {expected}")
    there = imported(name)
    if not (isinstance(there, type) and issubclass(there, Scenario | Mechanism)):
        raise WalrasError(
            f"{name} is no scenario and no mechanism; expected a class that inherits walras.Scenario or walras.Mechanism"
        )
    return [find(Scenario, name) if issubclass(there, Scenario) else find(Mechanism, name)]


def _lacking(cls: type[Scenario] | type[Mechanism]) -> str:
    """What a class leaves to its subclasses, so that it cannot be run itself; empty if nothing."""
    if issubclass(cls, Scenario):
        has = {"name": hasattr(cls, "name"), "draw": cls.draw is not Scenario.draw}
    else:
        has = {"protocol": hasattr(cls, "protocol"), "opener": cls.opener is not Mechanism.opener}
    return " and ".join(part for part, there in has.items() if not there)


def name_of(base: type[T], cls: type[T]) -> str:
    """The name by which `find` finds a class: the declared one, else its ``module:Class``.

    Raises:
        WalrasError: if it is neither declared nor in a module from which it could be imported.
    """
    for name, point in declared(base).items():
        if point.module.split(".")[0] == cls.__module__.split(".")[0]:
            try:
                if point.load() is cls:
                    return name
            except Exception:  # another package's affair: this class has a place of its own
                continue
    return found_again(cls)


def one_of(name: str, known: Iterable[str]) -> str:
    """What was expected in place of a name: the nearest one first, if any is near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    others = ", ".join(other for other in names if other not in near)
    if not near:
        return f"one of {others}"
    return f"{near[0]}, the nearest, or one of {others}" if others else near[0]
