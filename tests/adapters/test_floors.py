"""Optional packages that are missing or too old: the error says what to type."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.adapters.minds_of_frameworks import FRAMEWORKS, need
from tests.adapters.page import ROOT
from tests.live.minds import how_much
from walras.adapters import frameworks
from walras.adapters.frameworks import (
    WITH_TOOLS,
    FrameworkParticipant,
    OldExtraError,
    Said,
    fault_of,
    floors,
    framework,
)
from walras.errors import ScenarioError
from walras.live.answers import NOTHING, Usage
from walras.live.extras import MissingExtraError
from walras.live.participant import Ask, Participant, Prompt, Retryable
from walras.live.prices import Price

DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


BY_NAME = ("openai", "litellm")
"""Those that take a model by its name."""


def participant(extra: str) -> Any:
    """The class of a framework's participants: the only one in its file."""
    module = import_module(f"walras.adapters.{extra.replace('-', '_')}")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    (found,) = (kind for kind in kinds if FrameworkParticipant in kind.__bases__)
    return found


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_a_missing_framework_is_named_with_the_command_that_installs_it(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(frameworks, "version", nothing)
    with pytest.raises(MissingExtraError, match=rf'pip install "walras\[{extra}\]"'):
        participant(extra)("a mind")


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_an_old_framework_is_told_its_floor(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version", lambda name: "0.0.1")
    first = next(floors(extra))
    with pytest.raises(OldExtraError, match=f"0.0.1 is installed; expected {first.specifier}") as old:
        participant(extra)("a mind")
    assert f'pip install --upgrade "walras[{extra}]"' in str(old.value)


def test_adapters_import_no_framework_before_it_is_used() -> None:
    """Nor do they change what others in the process see, such as OpenTelemetry's own switch."""
    names = ", ".join(f"walras.adapters.{extra.replace('-', '_')}" for extra in FRAMEWORKS)
    code = f"import os, sys, {names}, walras.adapters.market_tool; print(*sys.modules, *os.environ)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in found.split()}
    assert not loaded & {
        "ag2", "agent_framework", "agents", "autogen_core", "crewai", "google", "langchain", "langchain_core", "langgraph",
        "litellm", "llama_index", "openai", "pydantic_ai", "semantic_kernel", "smolagents", "workflows", "pydantic",
    }  # fmt: skip
    assert ("OTEL_SDK_DISABLED" in loaded) == ("OTEL_SDK_DISABLED" in os.environ)


@pytest.mark.parametrize("found", ["999.0rc1", "10.0", "2.100"])
def test_a_newer_framework_will_do(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version", lambda name: found)
    assert framework("pydantic-ai", "walras").__name__ == "walras"


def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version", lambda name: "2.9")
    with pytest.raises(OldExtraError, match=r"2\.9 is installed; expected >=2\.68"):
        framework("pydantic-ai", "walras")


@pytest.mark.filterwarnings("default")  # frameworks warn of themselves when they are imported
@pytest.mark.parametrize("extra", [extra for extra in FRAMEWORKS if extra not in BY_NAME])
def test_what_is_no_agent_of_the_framework_is_refused_at_once(extra: str) -> None:
    try:
        for wrong in ("gpt-4o-mini", None, type("Mind", (), {})):
            with pytest.raises(ScenarioError, match=r"agent is .*; expected a"):
                participant(extra)(wrong)
    except MissingExtraError:
        pytest.skip(f"{extra} is not installed")


@pytest.mark.parametrize(("tools", "requests"), [((), 1), (("bell",), WITH_TOOLS)])
def test_what_is_reserved_covers_every_request_that_a_question_may_take(
    tools: tuple[str, ...], requests: int
) -> None:
    class Mind(FrameworkParticipant):
        takes_tools = True

        async def said(self, ask: Ask) -> Said:
            return Said(None)

    asked = Ask(how_much(), "ada", "m/1", Prompt("a" * 60, "b" * 40), {}, 9.0, "k", tools=tools)
    one = Participant.estimate(Mind(most_output_tokens=20), asked)
    assert one.input_tokens
    assert Mind(most_output_tokens=20, price=Price(1.0, 2.0)).estimate(asked) == Usage(
        requests, requests * one.input_tokens, requests * 20, requests * (one.input_tokens + 2 * 20) / 1e6
    )


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("extra", BY_NAME)
@pytest.mark.parametrize("model", ["", " ", None, 5])
def test_a_model_without_a_name_is_refused_at_once(extra: str, model: Any) -> None:
    need(extra)
    with pytest.raises(ScenarioError, match=r"model is .*; expected a model's name"):
        participant(extra)(model, **({"api_key": ""} if extra == "openai" else {}))


@pytest.mark.parametrize(
    "wrong", [{"price": 0.15}, {"most_output_tokens": 0}, {"most_output_tokens": "many"}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    class Mind(FrameworkParticipant):
        async def said(self, ask: Ask) -> Said:
            return Said(None)

    with pytest.raises(ScenarioError, match=next(iter(wrong))):
        Mind(**wrong)


def test_a_framework_that_does_not_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version", lambda name: "999")
    with pytest.raises(MissingExtraError, match="no_such_module"):
        framework("pydantic-ai", "no_such_module")


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_every_framework_is_an_extra_of_its_own_with_floors(extra: str) -> None:
    declared = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"][extra]]
    assert declared
    assert all([spec.operator for spec in one.specifier] == [">="] for one in declared)
    assert {one.name for one in floors(extra)} == {one.name for one in declared}, "run pip install -e . again"


def test_there_is_no_extra_for_everything_and_conflicts_are_declared() -> None:
    extras = DECLARED["project"]["optional-dependencies"]
    assert "all" not in extras
    for pair in DECLARED["tool"]["uv"]["conflicts"]:
        one, other = (part["extra"] for part in pair)
        assert {one, other} <= set(extras)
        if {one, other} <= set(FRAMEWORKS):
            common = set(FRAMEWORKS[one].families) & set(FRAMEWORKS[other].families)
            assert not common, "frameworks of one family go together"


# ------------------------------------------------------------------------------------------------ faults


class Refused(Exception):  # noqa: N818
    def __init__(self, status: Any = None, headers: Any = None, code: Any = None) -> None:
        super().__init__("no")
        self.status_code = status
        self.response = type("Response", (), {"headers": headers, "status_code": code})()


class APIConnectionError(Exception):
    """As the openai package calls it."""


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_a_status_that_may_pass_is_retryable_however_deep_it_lies(status: int) -> None:
    found = fault_of(raised(ValueError("wrapped"), raised(RuntimeError("twice"), Refused(status))))
    assert isinstance(found, Retryable)
    assert str(status) in str(found)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_status_that_will_not_pass_is_an_error_at_once(status: int) -> None:
    found = fault_of(Refused(code=status))
    assert not isinstance(found, Retryable)
    assert str(status) in str(found)


def test_a_busy_provider_is_left_alone_as_long_as_it_wants() -> None:
    waits = [
        fault_of(Refused(429, headers))
        for headers in ({"retry-after": "2.5"}, {"retry-after": "Mon"}, {}, None)
    ]
    assert [wait.after_s for wait in waits if isinstance(wait, Retryable)] == [2.5, 0.0, 0.0, 0.0]


class ConnectError(Exception):
    """As HTTP clients call it."""


class ReadError(Exception):
    """The same, when the request was on its way already."""


@pytest.mark.parametrize(
    ("error", "took"),
    [
        (ConnectionResetError("gone"), None),
        (APIConnectionError("gone"), None),
        (ConnectError("nobody there"), NOTHING),
        (raised(APIConnectionError("nobody there"), ConnectError("nobody there")), NOTHING),
        (raised(APIConnectionError("cut off"), ReadError("cut off")), None),
    ],
)
def test_no_connection_may_pass_and_a_call_that_never_left_costs_nothing(
    error: Exception, took: Usage | None
) -> None:
    found = fault_of(raised(ValueError("wrapped"), error), "models.example")
    assert isinstance(found, Retryable)
    assert "no connection to models.example" in str(found)
    assert found.usage == took


def test_everything_else_is_what_it_was() -> None:
    error = raised(ValueError("a bug"), KeyError("x"))
    error.__context__ = error
    assert fault_of(error) is error
    again = Retryable("later")
    assert fault_of(raised(ValueError("wrapped"), again)) is again
