"""What the settings of a simulated world have in common: names in files, and complaints before time 0."""

import re
from collections.abc import Collection, Iterable
from types import UnionType

from walras.amounts import is_amount, is_number
from walras.errors import ScenarioError
from walras.messages import AgentId
from walras.scenario import some


def kind(class_name: str) -> str:
    """How a settings file names a class: ``LogNormal`` is ``kind: log-normal``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", class_name).lower()


def check_number(field: str, value: object, low: float, high: float, expected: str) -> None:
    """Raise `ScenarioError` unless the value is a number in [low, high]; NaN and truth values are none."""
    if not is_number(value, low, high):
        raise ScenarioError(field, value, expected)


def check_seconds(field: str, value: object) -> None:
    """Raise `ScenarioError` unless the value is a finite time span of 0 seconds or more."""
    if not is_amount(value):
        raise ScenarioError(field, value, "a finite number of seconds, 0 or more")


def check_probability(field: str, value: object) -> None:
    """Raise `ScenarioError` unless the value is a probability."""
    check_number(field, value, 0.0, 1.0, "a probability in [0, 1]")


def check_kind(field: str, value: object, kinds: type | UnionType, expected: str) -> None:
    """Raise `ScenarioError` unless the value is of one of these kinds."""
    if not isinstance(value, kinds):
        raise ScenarioError(field, value, expected)


def check_several(field: str, values: object, kinds: type | UnionType, expected: str) -> None:
    """Raise `ScenarioError` unless this is a tuple or list of values of these kinds."""
    if not isinstance(values, tuple | list):
        raise ScenarioError(field, values, f"{expected}, in a tuple")
    for value in values:
        check_kind(field, value, kinds, expected)


def check_agents(field: str, agents: Iterable[AgentId], known: Collection[AgentId]) -> None:
    """Raise `ScenarioError` for the first agent that is not one of the known ones."""
    for agent in agents:
        if agent not in known:
            raise ScenarioError(field, agent, f"an agent of this world ({some(known)})")
