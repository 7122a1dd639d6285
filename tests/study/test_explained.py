"""What settings mean: read from docstrings, for `walras list NAME` and for editors."""

from typing import Any

import pytest

from walras.mechanism import Mechanism
from walras.scenario import Scenario
from walras.study import catalogue
from walras.study.explained import Setting, prose_of, settings_of
from walras.study.schema import schema


class Bakery(Scenario, frozen=True, kw_only=True):
    """Bread, every morning.

    It is sold out by noon.

    Args:
        ovens: how many there are: each
            bakes one loaf.

        opens_s, closes_s: from when to when.

    Raises:
        ValueError: never.
    """

    ovens: int
    opens_s: float = 0.0
    closes_s: float = float("inf")
    secret: str | None = None


class Patisserie(Bakery, frozen=True, kw_only=True):
    """Cakes.

    Args:
        ovens: for cakes.
    """

    creams: tuple[str, ...] = ("butter",)


def test_settings_are_read_from_the_docstring() -> None:
    assert settings_of(Bakery) == [
        Setting("ovens", None, "how many there are: each bakes one loaf."),
        Setting("opens_s", "0.0", "from when to when."),
        Setting("closes_s", "inf", "from when to when."),
        Setting("secret", "null", ""),
    ]
    assert prose_of(Bakery) == "Bread, every morning.\n\nIt is sold out by noon."


def test_a_subclass_adds_to_what_its_base_says_and_may_say_it_anew() -> None:
    found = {setting.name: setting for setting in settings_of(Patisserie)}
    assert found["ovens"].meaning == "for cakes."
    assert found["closes_s"].meaning == "from when to when."
    assert found["creams"] == Setting("creams", '["butter"]', "")
    assert prose_of(Patisserie) == "Cakes."


def test_a_class_without_a_docstring_has_settings_without_a_meaning() -> None:
    class Bare(Scenario, frozen=True):
        size: int = 1

    assert settings_of(Bare) == [Setting("size", "1", "")]
    assert prose_of(Bare) == ""


ROOMS = ("walras", "contractnet", "auctions", "consensus", "scenarios")


def _ours(base: Any) -> list[tuple[Any, str]]:
    found = catalogue.declared(base).items()
    return [(base, name) for name, point in found if point.module.split(".")[0] in ROOMS]


OURS = _ours(Scenario) + _ours(Mechanism)


@pytest.mark.parametrize(("base", "name"), OURS, ids=[name for _, name in OURS])
def test_every_setting_of_ours_says_what_it_means(base: Any, name: str) -> None:
    cls = catalogue.find(base, name)
    assert [setting.name for setting in settings_of(cls) if not setting.meaning] == []
    assert prose_of(cls)


def test_editors_are_told_what_a_setting_means() -> None:
    """In both forms; a function's says besides how one is named, and no class's words get into another's."""
    found = schema()
    tasks = next(
        form["properties"]["tasks"]["description"]
        for form in found["properties"]["scenario"]["anyOf"]
        if form.get("properties", {}).get("kind") == {"const": "llm-router"}
    )
    assert tasks == found["$defs"]["LLMRouter"]["properties"]["tasks"]["description"] == "how many arrive."
    rule = found["$defs"]["ContractNet"]["properties"]["award_rule"]["description"]
    assert rule.startswith("scores proposals") and "module:name" in rule
    assert "proposals" not in found["$defs"]["SealedBid"]["properties"]["rule"]["description"]
