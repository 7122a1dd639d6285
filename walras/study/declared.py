"""Settings files: a scenario, mechanisms, seeds and what may go wrong, declared in YAML.

.. code-block:: yaml

    scenario: {kind: llm-router, tasks: 50, load: 1.5}
    mechanisms:
      contract-net:
      hasty: {kind: contract-net, reply_within_s: 0.5, award_rule: cheapest}
      random:
    seeds: 0:10
    network: {latency: {kind: uniform, low_s: 0.01, high_s: 0.05}, loss: 0.01}

Whatever comes in kinds is named by its `kind`; its other keys are the settings of that class. A scenario or mechanism
without settings may be its name alone, and a mechanism's kind is its label where no other is given.
"""

import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from walras.agents import Agent
from walras.amounts import is_whole
from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.scenario import Scenario
from walras.simulation.admission import check_drawn
from walras.simulation.faults import Faults
from walras.simulation.network import Network
from walras.study import catalogue, settings, yaml_file
from walras.study.located import Located
from walras.study.runs import Conditions, Run

T = TypeVar("T", Scenario, Mechanism)

KEYS = ("scenario", "version", "mechanisms", "seeds", "network", "faults", "until_s", "check")
_SINGULAR = {"mechanism": "mechanisms", "seed": "seeds"}
_RANGE = re.compile(r"(-?\d+):(-?\d+)\Z")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a settings file says, as the objects that Python code would make."""

    scenario: Scenario
    mechanisms: dict[str, Mechanism] = {}
    seeds: tuple[int, ...] = (0,)
    conditions: Conditions = Conditions()

    def runs(self) -> list[Run]:
        """One run for every seed and mechanism, those of one world one after the other."""
        return [
            Run(scenario=self.scenario, mechanism=rules, label=label, seed=seed, conditions=self.conditions)
            for seed in self.seeds
            for label, rules in self.mechanisms.items()
        ]


def load(path: str | Path) -> Declared:
    """Read a settings file.

    Raises:
        BadFileError: naming the file, the line, the field, its value and what was expected.

    Examples:
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp()) / "small.yaml"
        >>> _ = file.write_text("scenario: {kind: llm-router, tasks: 5}")
        >>> load(file).scenario.tasks
        5
    """
    found, lines = yaml_file.read(path)
    return understand(found, lines, str(path))


def understand(found: Any, lines: Mapping[yaml_file.Place, int], source: str) -> Declared:
    """What plain values in the layout of a settings file say; `lines` and `source` are for errors."""
    file = SettingsFile(lines, source)
    declared = file.read(found)
    file.check_agents(declared)
    return declared


def named(base: type[T], given: Any) -> T:
    """A scenario or mechanism from its name, or from ``{kind: name, ...}`` with its settings.

    Raises:
        WalrasError: for a name or a setting that does not exist, or a value that does not fit.
    """
    what = base.__name__.lower()
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        example = "{kind: llm-router, tasks: 40}" if base is Scenario else "{kind: english, increment: 5%}"
        expected = f"a name, or settings with the name as their kind, as in {example}"
        raise settings.BadSettingError((), what, given, expected)
    cls = catalogue.find(base, given["kind"])
    return settings.build(cls, {k: v for k, v in given.items() if k != "kind"}, given["kind"])


def seeds_of(given: Any) -> tuple[int, ...]:
    """Seeds from one number, a list, or a range such as ``0:30`` (30 is not one of them)."""
    wanted = "a whole number, a list of them, or a range such as 0:30"
    if isinstance(given, str) and (ends := _RANGE.match(given)):
        found: list[Any] = list(range(int(ends[1]), int(ends[2])))
    else:
        found = given if isinstance(given, list) else [given]
    if not found or not all(is_whole(seed, -inf) for seed in found):
        raise settings.BadSettingError((), "seeds", given, wanted)
    if len(set(found)) < len(found):
        raise settings.BadSettingError((), "seeds", given, "each seed once")
    return tuple(found)


def _check_version(scenario: Scenario, version: Any) -> None:
    if version is not None and version != scenario.version:
        raise settings.BadSettingError(
            (),
            "version",
            version,
            f"{scenario.version}, which {scenario.name} has here: its rules have changed",
        )


class SettingsFile(Located):
    """Reads the sections of a settings file. Who changes what it says looks for the agents that it names afterwards."""

    def read(self, found: Any) -> Declared:
        """All of it, but for whether the agents that it names are there."""
        given = self.sections(found)
        with self.at("scenario"):
            scenario = named(Scenario, given.get("scenario"))
        with self.at("version"):
            _check_version(scenario, given.get("version"))
        return Declared(
            scenario=scenario,
            mechanisms=self.mechanisms(given["mechanisms"]) if "mechanisms" in given else {},
            seeds=self.seeds(given.get("seeds", 0)),
            conditions=self.conditions(given),
        )

    def sections(self, found: Any) -> dict[str, Any]:
        """The top of the file, singular keys as plural ones."""
        if not isinstance(found, Mapping):
            raise yaml_file.BadFileError(
                self.source, self.lines.get(()), "it is no mapping; expected scenario: ..."
            )
        given: dict[str, Any] = {}
        for key, value in found.items():
            name = str(_SINGULAR.get(key, key))
            wrong = ""
            if name not in KEYS:
                wrong = f"{key} is no section; expected {catalogue.one_of(key, KEYS)}"
            elif name in given:
                wrong = f"{key} says what {self.spelling[name]} says; expected one of the two"
            if wrong:
                raise yaml_file.BadFileError(self.source, self.lines.get((key,)), wrong)
            given[name], self.spelling[name] = value, key
        if "scenario" not in given:
            raise yaml_file.BadFileError(self.source, None, "it has no scenario; expected scenario: ...")
        return given

    def mechanisms(self, given: Any) -> dict[str, Mechanism]:
        """By label: from one, a list, or a mapping from labels."""
        found: dict[str, Mechanism] = {}
        entries: list[tuple[str | int | None, str, Any]]
        if isinstance(given, Mapping) and "kind" not in given:
            entries = [(label, label, _labelled(label, rest)) for label, rest in given.items()]
        elif isinstance(given, list):
            entries = [(k, _kind_of(one), one) for k, one in enumerate(given)]
        else:
            entries = [(None, _kind_of(given), given)]
        if not entries:
            with self.at("mechanisms"):
                expected = "a name, a list of them or a mapping from labels, with one at least"
                raise settings.BadSettingError((), "mechanisms", given, expected)
        for key, label, one in entries:
            with self.at("mechanisms", *([key] if key is not None else [])):
                if label in found:
                    raise WalrasError(
                        f"{label} comes twice; expected a mapping that gives each a label of its own"
                    )
                found[label] = named(Mechanism, one)
        return found

    def seeds(self, given: Any) -> tuple[int, ...]:
        with self.at("seeds"):
            return seeds_of(given)

    def conditions(self, given: Mapping[str, Any]) -> Conditions:
        """Network, faults, horizon and checks."""
        found: dict[str, Any] = {}
        for name, cls in (("network", Network), ("faults", Faults)):
            if given.get(name) is not None:
                with self.at(name):
                    if not isinstance(given[name], Mapping):
                        raise settings.BadSettingError((), name, given[name], "a mapping of settings")
                    found[name] = settings.build(cls, given[name], name)
        plain = {name: given[name] for name in ("until_s", "check") if name in given}
        with self.at():
            return msgspec.structs.replace(settings.build(Conditions, plain), **found)

    def check_agents(self, declared: Declared) -> None:
        """Whoever is to fail or to be cut off is in the world of the first seed, or a deputy: runs name no line."""
        network, faults = declared.conditions.network or Network(), declared.conditions.faults or Faults()
        if not (network.partitions or faults.schedule or faults.kill_at):
            return
        with self.at("scenario"):
            drawn = check_drawn(declared.scenario.draw(declared.seeds[0]))
        agents = {agent.id: agent.place for agent in drawn.agents}
        for rules in declared.mechanisms.values() or (Mechanism(),):
            deputies = (*rules.deputies(), *(agent for agent, _, _ in rules.services()))
            places = {**dict.fromkeys(deputies, Agent.place), **agents}
            with self.at("network"):
                network.check(places)
            with self.at("faults"):
                faults.check(places)


def _labelled(label: str, rest: Any) -> Any:
    """What stands beside a label: settings of the mechanism of that name, unless it names another kind."""
    if rest is None or (isinstance(rest, Mapping) and "kind" not in rest):
        return {"kind": label, **(rest or {})}
    return rest


def _kind_of(one: Any) -> str:
    return str(one.get("kind")) if isinstance(one, Mapping) else str(one)
