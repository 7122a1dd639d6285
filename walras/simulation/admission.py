"""Complaints before time 0: what a simulation is given has to make sense before anything happens in it."""

from __future__ import annotations

from inspect import iscoroutinefunction
from math import inf
from typing import Any

from walras.agents import Agent
from walras.amounts import is_number, is_whole
from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.scenario import Instance, Scenario
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
    if not is_whole(settings["seed"], -inf):
        raise ScenarioError("seed", settings["seed"], "a whole number")
    if callable(settings["monitors"]):
        raise ScenarioError("monitors", settings["monitors"], "functions of the world, in a list")
    for monitor in settings["monitors"]:
        if not callable(monitor):
            raise ScenarioError("monitors", monitor, "functions of the world")


def check_agent(agent: object) -> None:
    """Raise `ScenarioError` unless it is an agent whose mind answers when it is called, without being awaited."""
    if not isinstance(agent, Agent):
        raise ScenarioError("agent", agent, "an Agent")
    mind = agent.strategy
    if any(map(iscoroutinefunction, (mind, type(mind).__call__, getattr(mind, "answer", None)))):
        raise ScenarioError(
            f"strategy of {agent.id}",
            mind,
            "a plain function: live minds answer in walras.live.Live, or recorded",
        )


def check_drawn(world: object) -> Instance:
    """What a scenario has drawn; raises `ScenarioError` unless it is a world."""
    if not isinstance(world, Instance):
        raise ScenarioError("what the scenario draws", world, "a walras.Instance, which `draw` has to return")
    if not hasattr(world, "arrivals"):
        raise ScenarioError(
            "what the scenario draws", world, "an Instance whose `super().__init__` was called"
        )
    return world


def check_horizon(until: object, now: float) -> None:
    """Raise `ScenarioError` unless a run can stop at this time."""
    if not is_number(until, now) or until in (now, inf):
        raise ScenarioError("until", until, f"a time in seconds after now, which is {now:g}")
