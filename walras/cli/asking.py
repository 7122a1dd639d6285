"""What the arguments of a command ask for: names with settings, seeds and files, as the objects that they mean."""

import re
from collections.abc import Mapping, Sequence
from os.path import isfile  # unlike that of Path, it is false for what is too long for a name
from typing import Any

import msgspec

from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.results.recipe import plain
from walras.scenario import Scenario
from walras.study import catalogue, settings, yaml_file
from walras.study.declared import Declared, SettingsFile, named, seeds_of
from walras.study.runs import Conditions
from walras.study.yaml_file import scalar

DEFAULT_MECHANISM = "contract-net"

_NAME_AND_SETTINGS = re.compile(r"(.*?)(?::(\w+=.*))?\Z", re.DOTALL)
_OPENING, _CLOSING = "[{(", "]})"


def asked(
    what: str,
    mechanisms: Sequence[str],
    seeds: str | None,
    changes: Sequence[str],
    until: str | None,
    *,
    check: bool,
) -> Declared:
    """What to run: a settings file or a scenario, changed by the options that were given.

    Args:
        what: the path of a settings file, or a scenario's name with settings, as in ``llm-router:tasks=20``.
        mechanisms: names with settings; none: those of the file.
        seeds: one or a range; None: those of the file, or 0.
        changes: settings of the scenario, ``key=value`` each.
        until: the horizon in seconds; None: that of the file, if it has one.
        check: whether to check invariants; else as in the file.
    """
    file: SettingsFile | None = None
    if what.endswith((".yaml", ".yml")) or isfile(what):
        values, lines = yaml_file.read(what)
        file = SettingsFile(lines, what)
        found = file.read(values)
    else:
        found = Declared(scenario=named(Scenario, name_and_settings(what)))
    new: dict[str, Any] = {}
    if mechanisms:
        new["mechanisms"] = mechanisms_of(mechanisms)
    if changes:
        new["scenario"] = _changed(found.scenario, changes, new.get("mechanisms", found.mechanisms))
    if seeds is not None:
        new["seeds"] = seeds_of(scalar(seeds))
    given = {"until_s": scalar(until)} if until is not None else {}
    if given or check:
        wanted = settings.build(Conditions, {"until_s": found.conditions.until_s, **given})
        check = check or found.conditions.check
        new["conditions"] = msgspec.structs.replace(found.conditions, until_s=wanted.until_s, check=check)
    found = msgspec.structs.replace(found, **new)
    if file is not None:
        file.check_agents(found)
    return found


def mechanisms_of(specs: Sequence[str]) -> dict[str, Mechanism]:
    """Mechanisms by label: their names, or all that was written where a name comes twice."""
    given = [name_and_settings(spec) for spec in specs]
    names = [one["kind"] for one in given]
    labels = [name if names.count(name) == 1 else spec for name, spec in zip(names, specs, strict=True)]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise WalrasError(f"--mechanism {twice} is given twice; expected each once")
    return {label: named(Mechanism, one) for label, one in zip(labels, given, strict=True)}


def name_and_settings(spec: str) -> dict[str, Any]:
    """``name:key=value,key=value`` as a mapping with the name as its kind."""
    match = _NAME_AND_SETTINGS.match(spec)
    assert match is not None, "the pattern matches anything"
    name, rest = match.groups()
    first, colon, behind = name.partition(":")
    if colon and (first in catalogue.declared(Scenario) or first in catalogue.declared(Mechanism)):
        raise WalrasError(f"{behind!r} after {first}: is no setting; expected key=value, several with commas")
    return {"kind": name, **dict(pairs(rest or ""))}


def pairs(text: str) -> list[tuple[str, Any]]:
    """``key=value,key=value`` as keys and values, these as a settings file would read them.

    >>> pairs("tasks=20,models=[ada, bob],trace=code")
    [('tasks', 20), ('models', ['ada', 'bob']), ('trace', 'code')]
    """
    found: list[tuple[str, Any]] = []
    for part in _split(text):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise WalrasError(
                f"{part!r} is no setting; expected key=value (a list in brackets: models=[a, b])"
            )
        if key.strip() in dict(found):
            raise WalrasError(f"{key.strip()} is given twice in {text!r}; expected it once")
        found.append((key.strip(), scalar(value)))
    return found


def _split(text: str) -> list[str]:
    """The parts between commas that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += not quote and (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _changed(scenario: Scenario, changes: Sequence[str], mechanisms: Mapping[str, Mechanism]) -> Scenario:
    given: dict[str, Any] = {}
    for key, value in (pair for change in changes for pair in pairs(change)):
        if key in given:
            raise WalrasError(f"--set {key} is given twice; expected it once")
        if key not in scenario.__struct_fields__:
            _check_elsewhere(scenario, key, value, mechanisms or mechanisms_of([DEFAULT_MECHANISM]))
        given[key] = value
    return settings.build(type(scenario), {**plain(scenario), **given}, scenario.name)


def _check_elsewhere(scenario: Scenario, key: str, value: Any, mechanisms: Mapping[str, Mechanism]) -> None:
    """A setting that the scenario has not, and a mechanism has, is to be given to that one."""
    for rules in mechanisms.values():
        if key in rules.__struct_fields__:
            name = catalogue.name_of(Mechanism, type(rules))
            wrong = f"--set {key} is no setting of {scenario.name}, but one of {name}"
            raise WalrasError(f"{wrong}; expected -m {name}:{key}={value}")
