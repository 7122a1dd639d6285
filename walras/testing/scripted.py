"""Scripted models, which answer in place of the filler of `walras.testing.Loopback`."""

import json
import re
from typing import Any

from walras.testing.filling import fill

_PRICE = re.compile(
    r"^Item 1 of the data(?:: it would cost you| is worth) (-?[\d.]+(?:e[+-]?\d+)?)\b", re.MULTILINE
)
_DATA = re.compile(r"<data (\w+)>\n(\{.*\})\n</data \1>", re.DOTALL)


def candid(prompt: str, schema: Any) -> Any:
    """Bids what the prompt says that the item is worth, or would cost; where it says neither, it passes or refuses.

    Its answer is of the first form that needs nothing else. What no form lets it say is filled in, as without a mind.

    Args:
        prompt: as `walras.live.Prompts` makes them; other prompts say nothing to it.
        schema: of the answer; None: none was asked for.
    """
    if schema is None:
        return {"ok": True}
    known = _known(prompt)
    forms = schema.get("$defs", {}) if "answer" in schema.get("properties", {}) else {}
    for form in forms.values():
        fields = form.get("properties", {})
        if all(name in known or _is_given(part) for name, part in fields.items()):
            return {"answer": {name: known.get(name, _given(part)) for name, part in fields.items()}}
    return fill(schema, prompt)


def _known(prompt: str) -> dict[str, Any]:
    """What can be said of the first item: its id, and its price if there is one."""
    price, data = _PRICE.search(prompt), _DATA.search(prompt)
    question = json.loads(data[2])["question"] if data is not None else {}
    item = question.get("item", question.get("task", {})).get("id")
    found = {"item": item, "price": float(price[1]) if price is not None else None}
    return {name: value for name, value in found.items() if value is not None}


def _is_given(part: Any) -> bool:
    """Whether nothing has to be known for this field: it has one value only, or may be left out."""
    return len(part.get("enum", ())) == 1 or {"type": "null"} in part.get("anyOf", ())


def _given(part: Any) -> Any:
    return part["enum"][0] if "enum" in part else None
