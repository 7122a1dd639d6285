"""Complaints before time 0: what a simulation is given has to make sense before anything happens in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Any, TypeGuard

from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.scenario import Arrival, Scenario
from walras.simulation.faults import Faults
from walras.simulation.network import Network


def check_settings(settings: dict[str, Any]) -> None:
    """Raise `ScenarioError` for the first argument of a `Simulation` that is not what it should be."""
    for field, kind, expected in (
        ("scenario", Scenario, "a Scenario, such as scenarios.llm_router()"),
        ("mechanism", Mechanism, "a Mechanism, such as contractnet.ContractNet()"),
        ("network", Network, "a walras.Network, or None for that of the scenario"),
        ("faults", Faults, "a walras.simulation.Faults, or None for those of the scenario"),
    ):
        if settings[field] is not None and not isinstance(settings[field], kind):
            raise ScenarioError(field, settings[field], expected)
    given, missing = ("scenario", "mechanism")
    if settings[given] is None:
        given, missing = missing, given
    if settings[given] is not None and settings[missing] is None:
        raise ScenarioError(missing, None, f"a {missing}, since a {given} is given")
    if not isinstance(settings["seed"], int) or isinstance(settings["seed"], bool):
        raise ScenarioError("seed", settings["seed"], "a whole number")
    for monitor in settings["monitors"]:
        if not callable(monitor):
            raise ScenarioError("monitors", monitor, "functions of the world")


def check_agent(agent: object) -> None:
    """Raise `ScenarioError` unless it is an agent."""
    if not isinstance(agent, Agent):
        raise ScenarioError("agent", agent, "an Agent")


def check_horizon(until: object, now: float) -> None:
    """Raise `ScenarioError` unless a run can stop at this time."""
    if not _is_number(until) or not now < until < inf:
        raise ScenarioError("until", until, f"a time in seconds after now, which is {now:g}")


def check_arrivals(arrivals: Sequence[Arrival], agents: Collection[AgentId]) -> None:
    """Raise `ScenarioError` for the first arrival that cannot be announced, or that is out of order."""
    before = 0.0
    for place, arrival in enumerate(arrivals):
        try:
            check_arrival(arrival, agents, before)
        except ScenarioError as error:
            raise ScenarioError(f"arrivals[{place}].{error.field}", error.value, error.expected) from None
        before = arrival.at


def check_arrival(arrival: Arrival, agents: Collection[AgentId], before: float) -> None:
    """Raise `ScenarioError` for an unknown agent, for times out of order, or for items that are none or not apart."""
    at, finish_by = arrival.at, arrival.finish_by
    if not _is_number(at) or not before <= at < inf:
        raise ScenarioError("at", at, f"a time in seconds, {before:g} or later")
    if not _is_number(finish_by) or not finish_by > at:
        raise ScenarioError("finish_by", finish_by, f"a time in seconds after {at:g}, or infinity")
    for who, named in (("opener", (arrival.opener,)), ("participants", arrival.participants)):
        if not all(map(agents.__contains__, named)):
            unknown = next(agent for agent in named if agent not in agents)
            raise ScenarioError(who, unknown, f"an agent of this world ({_some(agents)})")
    _check_items(arrival.items)


def _check_items(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if not isinstance(item, Item):
            raise ScenarioError("items", item, "items, such as Task('task-1')")
        if item.id in seen:
            raise ScenarioError("items", item.id, "an id of its own for every item of a conversation")
        seen.add(item.id)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _some(agents: Iterable[AgentId]) -> str:
    return ", ".join(list(agents)[:8]) or "nobody yet"
