"""The JSON Schema of settings files, made from the classes themselves, for editors and other tools."""

from typing import Any

import msgspec

from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.scenario import Scenario
from walras.simulation.faults import Faults
from walras.simulation.network import Network
from walras.study import catalogue
from walras.study.explained import meanings_of
from walras.study.runs import Conditions

_WHOLE = {"type": "integer"}
_SEEDS = {
    "anyOf": [
        _WHOLE,
        {"type": "array", "items": _WHOLE, "minItems": 1, "uniqueItems": True},
        {"type": "string", "pattern": "^-?\\d+:-?\\d+$"},
    ]
}
_FUNCTION = {
    "description": "A function: a public name of the mechanism's room, module:name, or a kind with its settings.",
    "anyOf": [{"type": "string"}, {"type": "object", "required": ["kind"]}],
}


def schema() -> dict[str, Any]:
    """What a settings file may hold, with the scenarios and mechanisms that are declared here.

    Examples:
        >>> sorted(schema()["properties"])[:3]
        ['check', 'faults', 'mechanism']
    """
    scenarios, mechanisms = _classes(Scenario), _classes(Mechanism)
    places, definitions = msgspec.json.schema_components(
        [*scenarios.values(), *mechanisms.values(), Network, Faults, Conditions],
        schema_hook=lambda _: _FUNCTION,
        ref_template="#/$defs/{name}",
    )
    refs = dict(
        zip([*scenarios.values(), *mechanisms.values(), Network, Faults, Conditions], places, strict=True)
    )
    for cls in (*scenarios.values(), *mechanisms.values()):
        properties = definitions[refs[cls]["$ref"].rpartition("/")[2]]["properties"]
        names = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
        for name, meaning in meanings_of(cls).items():
            if name in names:  # else it is no setting
                known = properties[names[name]]
                said = " ".join(filter(None, (meaning, known.get("description"))))
                properties[names[name]] = {**known, "description": said}
    for definition in definitions.values():
        if definition.get("type") == "object" and "properties" in definition:
            definition["additionalProperties"] = False
    scenario = _one_of(scenarios, refs, definitions)
    mechanism = _one_of(mechanisms, refs, definitions)
    labelled = {"anyOf": [mechanism, {"type": "null"}, {"type": "object"}]}
    by_label = {
        "type": "object",
        "additionalProperties": labelled,
        "minProperties": 1,
        "not": {"required": ["kind"]},
    }
    several = {"anyOf": [mechanism, {"type": "array", "items": mechanism, "minItems": 1}, by_label]}
    others = definitions.pop("Conditions")["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A settings file of Walras",
        "type": "object",
        "required": ["scenario"],
        "additionalProperties": False,
        "properties": {
            "scenario": scenario,
            "version": {"type": "integer", "description": "Of the scenario's rules; another one is refused."},
            **dict.fromkeys(("mechanism", "mechanisms"), several),
            **dict.fromkeys(("seed", "seeds"), _SEEDS),
            "network": refs[Network],
            "faults": refs[Faults],
            "until_s": others["until_s"],
            "check": others["check"],
        },
        "$defs": definitions,
    }


def _classes(base: Any) -> dict[str, Any]:
    found = {}
    for name in catalogue.declared(base):
        try:
            found[name] = catalogue.find(base, name)
        except WalrasError:  # another package's, which cannot be loaded: files cannot name it either
            continue
    return found


def _one_of(classes: dict[str, Any], refs: dict[Any, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A name of one of these classes, or the name as `kind` and the settings beside it."""
    forms: list[dict[str, Any]] = [{"enum": list(classes)}]
    for name, cls in classes.items():
        definition = definitions[refs[cls]["$ref"].rpartition("/")[2]]
        forms.append(
            {
                **{key: definition[key] for key in ("title", "description") if key in definition},
                "type": "object",
                "required": ["kind", *definition["required"]],
                "additionalProperties": False,
                "properties": {"kind": {"const": name}, **definition["properties"]},
            }
        )
    return {"anyOf": forms}
