"""What settings mean: read from docstrings, for `walras list NAME` and for editors."""

from typing import Any, ClassVar

import msgspec
import pytest

from contractnet import ContractNet
from walras.cli.showing import show_class
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

    Raises:
        ValueError: never.

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


class Odd(Scenario, frozen=True, kw_only=True):
    """
    Args:
      plain: known.
      typed (int, optional): with a type.
      below:
          text beneath.
      *args: not a setting, and no end of the section.
          Nor is this.
      last : not read, but
      really: read.
    Returns:
      none: of these.

    More prose.
    """

    plain: int = 1
    typed: int = 2
    below: int = 3
    really: int = 4
    none: int = 5


def test_what_has_another_form_is_skipped_and_the_rest_is_read() -> None:
    meanings = [setting.meaning for setting in settings_of(Odd)]
    assert meanings == ["known.", "with a type.", "text beneath.", "read.", ""]
    assert prose_of(Odd) == "", "what stands behind a section is not what the class is"


class Undocumented(Bakery, frozen=True, kw_only=True):
    pass


def test_a_class_says_nothing_in_the_words_of_its_base() -> None:
    assert prose_of(Undocumented) == ""
    assert settings_of(Undocumented)[0].meaning.startswith("how many there are")


class Nets(ContractNet, frozen=True, kw_only=True):
    """A Contract Net of somebody else's."""

    said: str = 'say "hi"'
    never: float = float("nan")
    pair: tuple[bool, bool] = (True, False)
    rule: Any = len
    own: Any = settings_of
    thing: Any = msgspec.field(default_factory=object)
    broken: Any = msgspec.field(default_factory=lambda: 1 / 0)
    net: Any = msgspec.field(default_factory=ContractNet)


def test_defaults_are_shown_as_settings_files_write_them() -> None:
    """A function by the public name of its own room, else by its place; and no default of anybody is in the way."""
    found = {setting.name: setting.default for setting in settings_of(Nets)}
    assert found["award_rule"] == "best_value"
    assert (found["said"], found["never"], found["pair"]) == ('say "hi"', "nan", "[true,false]")
    assert (found["rule"], found["own"]) == ("builtins:len", "walras.study.explained:settings_of")
    assert found["thing"] == '"<object object>"'
    assert found["broken"] == "(ZeroDivisionError: division by zero)"
    assert found["net"] is not None and '"reply_within_s":2.0' in found["net"]


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
OURS_BY_NAME: dict[str, Any] = {name: catalogue.declared(base)[name] for base, name in OURS}


@pytest.mark.parametrize(("base", "name"), OURS, ids=[name for _, name in OURS])
def test_every_setting_of_ours_says_what_it_means(base: Any, name: str) -> None:
    cls = catalogue.find(base, name)
    assert [setting.name for setting in settings_of(cls) if not setting.meaning] == []
    assert prose_of(cls)


class Renamed(Scenario, frozen=True, kw_only=True, rename="camel"):
    """Of another package.

    Args:
        two_words: in one.
        gone: no setting any more.
    """

    name: ClassVar[str] = "renamed"
    two_words: int = 1
    broken: list[int] = msgspec.field(default_factory=lambda: [1 // 0])


def test_a_class_of_another_package_breaks_neither_the_schema_nor_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "walras.study.schema._classes", lambda base: {"renamed": Renamed} if base is Scenario else {}
    )
    found = schema()["$defs"]["Renamed"]["properties"]
    assert found["twoWords"]["description"] == "in one."
    assert "gone" not in found
    show_class(Renamed)
    assert "(ZeroDivisionError: " in capsys.readouterr().out


class Loud(Nets, frozen=True, kw_only=True):
    """Says `much` in [bold]markup[/]."""

    size: int
    empty: str = ""
    markup: str = "[/red]"


def test_what_is_shown_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """No markup of anybody's is obeyed; a default that is empty is one; backticks are for documents."""
    show_class(Loud)
    out = capsys.readouterr().out
    assert "Says much in [bold]markup[/]." in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert (rows["size"], rows["empty"], rows["markup"]) == (["(to", "be", "given)"], [], ["[/red]"])
    assert rows["pair"] == ["[true,false]"]


def test_a_name_may_be_a_scenarios_and_a_mechanisms(monkeypatch: pytest.MonkeyPatch) -> None:
    router, net = OURS_BY_NAME["llm-router"], OURS_BY_NAME["contract-net"]
    monkeypatch.setattr(catalogue, "declared", lambda base: {"both": router if base is Scenario else net})
    assert [cls.__name__ for cls in catalogue.find_any("both")] == ["LLMRouter", "ContractNet"]


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
