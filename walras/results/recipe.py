"""How a run is written down, so that it can be done again: scenario, mechanism and conditions as plain values.

What is written has the layout of a settings file. Classes and functions stand in it by their places, ``module:name``.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import msgspec

from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.scenario import Scenario

NOT_BY_NAME = "not_by_name"
"""The one key of a recipe that could not be written; its value says why."""


def recipe(
    scenario: Scenario,
    mechanisms: Mapping[str, Mechanism],
    seeds: Iterable[int],
    conditions: Mapping[str, Any],
    name: Callable[[type[Any]], str] | None = None,
) -> dict[str, Any]:
    """Runs as plain values, in the layout of a settings file; ``{NOT_BY_NAME: why}`` where that cannot be done.

    Args:
        scenario: of all runs.
        mechanisms: by label.
        seeds: one run each, for every mechanism.
        conditions: network, faults and `until_s`, as far as they are not the scenario's own.
        name: what to call the class of a scenario or a mechanism; None: by its place.
    """
    kind = name if name is not None else found_again
    try:
        return {
            "scenario": {"kind": kind(type(scenario)), **plain(scenario)},
            "version": scenario.version,
            "mechanisms": {
                label: {**plain(rules), "kind": kind(type(rules))} for label, rules in mechanisms.items()
            },
            "seeds": list(seeds),
            **{key: plain(value) for key, value in conditions.items() if value is not None},
        }
    except WalrasError as error:
        return {NOT_BY_NAME: str(error)}


def plain(value: Any) -> Any:
    """A struct as plain values, its functions by their places; `walras.study.settings.build` is the reverse.

    Raises:
        WalrasError: for what JSON has no word for, and for a function that has no name in any module.
    """
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field is not None else {}
        rules = isinstance(value, Mechanism) and type(value).opener is not Mechanism.opener
        kind = {"kind": found_again(type(value))} if callable(value) or rules else {}
        return tag | kind | {f: plain(getattr(value, f)) for f in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if callable(value):
        return found_again(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise WalrasError(f"{value!r} cannot be saved as a setting; expected text, a number, a list or a mapping")


def found_again(thing: Any) -> str:
    """The place of a class or function, ``module:name``, if it can be imported from there in another process.

    Raises:
        WalrasError: if it cannot: it is local to a function, or was defined in a script or a notebook.
    """
    try:
        place = place_of(thing)
        if thing.__module__ != "__main__" and imported(place) is thing:
            return place
    except (AttributeError, WalrasError):
        pass
    what = "class" if isinstance(thing, type) else "function"
    raise WalrasError(f"{thing!r} cannot be saved by name; expected a {what} of a module, not of a script")


def place_of(thing: Any) -> str:
    """Where a class or function of a module is: ``module:name``."""
    return f"{thing.__module__}:{thing.__qualname__}"


def imported(place: str) -> Any:
    """What stands at ``module:name``.

    Raises:
        WalrasError: if the module cannot be imported, or has no such name.
    """
    module, _, path = place.partition(":")
    try:
        found = import_module(module)
        for name in path.split("."):
            if not hasattr(found, name):
                near = ", ".join(difflib.get_close_matches(name, dir(found), cutoff=0.7)) or "module:name"
                raise WalrasError(f"{place!r} cannot be imported: {module} has no {name!r}; expected {near}")
            found = getattr(found, name)
    except WalrasError:
        raise
    except ModuleNotFoundError as error:
        where = "module:name, of a module that is installed, or in a folder of PYTHONPATH"
        raise WalrasError(f"{place!r} cannot be imported: {error}; expected {where}") from error
    except Exception as error:  # whatever a package does when it is imported
        raise WalrasError(f"{place!r} cannot be imported: {error}; expected module:name") from error
    return found
