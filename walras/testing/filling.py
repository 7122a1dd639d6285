"""Values that fit a JSON schema, any schema: the same for the same schema and seed."""

import math
from collections.abc import Mapping
from random import Random
from typing import Any

_DEEP = 6
"""Levels after which the shortest way out is taken: null, no optional field, no entry that need not be."""

_FORMATS = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "PT1M",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "uuid": "00000000-0000-4000-8000-000000000001",
}

_TYPE_OF_KEY = {
    "properties": "object",
    "items": "array",
    "prefixItems": "array",
    "minLength": "string",
    "minimum": "number",
}


def fill(schema: Mapping[str, Any], seed: str) -> Any:
    """A value that fits.

    Args:
        schema: with ``$ref`` to its own definitions, ``anyOf``, ``oneOf``, ``allOf``, ``const``, ``enum``, bounds, formats.
        seed: what the value is drawn from.

    Raises:
        LookupError: for a reference to nowhere, or one that can only end in itself.

    Examples:
        >>> fill({"type": "integer", "minimum": 3, "exclusiveMaximum": 4}, "any")
        3
    """
    return _Filler(schema, seed).value(schema, 0)


class _Filler:
    def __init__(self, root: Mapping[str, Any], seed: str) -> None:
        self.root = root
        self.rng = Random(seed)  # strings are hashed by SHA-512, the same everywhere

    def value(self, schema: Any, depth: int) -> Any:
        if schema is True or schema == {}:
            return "anything"
        if depth > 60:
            raise LookupError("a schema whose values never end")
        schema = self.resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        for either in ("anyOf", "oneOf"):
            if either in schema:
                return self.value(self.option(schema[either], depth), depth + 1)
        kind = schema.get("type") or next((t for key, t in _TYPE_OF_KEY.items() if key in schema), "null")
        if isinstance(kind, list):
            kind = (
                "null"
                if depth > _DEEP and "null" in kind
                else next(k for k in kind if k != "null" or len(kind) == 1)
            )
        make = getattr(self, f"a_{kind}", None)
        if make is None:
            raise LookupError(f"the type of a schema is {kind!r}; expected one that JSON has")
        return make(schema, depth)

    def resolved(self, schema: Any) -> dict[str, Any]:
        """The schema with its reference followed and what it combines merged."""
        for _ in range(60):
            if "$ref" not in schema:
                break
            found: Any = self.root
            for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
                if part:
                    found = found[part.replace("~1", "/").replace("~0", "~")]
            schema = {**found, **{key: rest for key, rest in schema.items() if key != "$ref"}}
        merged = {key: part for key, part in schema.items() if key != "allOf"}
        for part in schema.get("allOf", ()):
            more = self.resolved(part)
            properties = {**merged.get("properties", {}), **more.get("properties", {})}
            required = [*merged.get("required", ()), *more.get("required", ())]
            merged = {**merged, **more}
            if properties:
                merged["properties"], merged["required"] = properties, required
        return merged

    def option(self, options: list[Any], depth: int) -> Any:
        """One of several schemas: something rather than null, unless it gets deep."""
        nulls = [option for option in options if option.get("type") == "null"]
        others = [option for option in options if option.get("type") != "null"]
        if nulls and (depth > _DEEP or not others):
            return nulls[0]
        if depth > _DEEP:
            return min(others, key=lambda option: ("$ref" in option, len(str(self.resolved(option)))))
        return self.rng.choice(others)

    def a_null(self, schema: Any, depth: int) -> None:
        return None

    def a_boolean(self, schema: Any, depth: int) -> bool:
        return self.rng.random() < 0.5

    def a_integer(self, schema: Any, depth: int) -> int:
        low, high = self.bounds(schema, 1)
        step = schema.get("multipleOf", 1)
        first, last = math.ceil(low / step), math.floor(high / step)
        return int(self.rng.randint(first, max(first, last)) * step)

    def a_number(self, schema: Any, depth: int) -> float:
        low, high = self.bounds(schema, 1e-6)
        step = schema.get("multipleOf")
        if step is not None:
            first, last = math.ceil(low / step), math.floor(high / step)
            return float(self.rng.randint(first, max(first, last)) * step)
        drawn = round(self.rng.uniform(low, high), 4)
        return min(max(drawn, low), high)

    @staticmethod
    def bounds(schema: Any, margin: float) -> tuple[float, float]:
        """The least and the highest number; where one is open, a hundred away from the other."""
        lows = [
            schema[key] + extra
            for key, extra in (("minimum", 0), ("exclusiveMinimum", margin))
            if key in schema
        ]
        highs = [
            schema[key] - extra
            for key, extra in (("maximum", 0), ("exclusiveMaximum", margin))
            if key in schema
        ]
        high = min(highs) if highs else None
        low = max(lows) if lows else min(0, high - 100) if high is not None and high < 0 else 0
        return low, high if high is not None else low + 100

    def a_string(self, schema: Any, depth: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        word = "".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(max(6, least)))
        return word if len(word) <= most else word[: int(most)]

    def a_array(self, schema: Any, depth: int) -> list[Any]:
        found = [self.value(part, depth + 1) for part in schema.get("prefixItems", ())]
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        wanted = least if depth > _DEEP else max(least, min(most, 1 + int(self.rng.random() * 2)))
        items = schema.get("items", True)
        while items is not False and len(found) < wanted:
            found.append(self.value(items, depth + 1))
        return found

    def a_object(self, schema: Any, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.value(part, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if depth <= _DEEP or name in required
        }
