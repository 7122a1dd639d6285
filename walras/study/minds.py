"""Kinds of participants that a market file can name: what each needs, and the mind that it makes."""

from collections.abc import Callable
from math import inf
from typing import Any, Literal

import msgspec

from walras.adapters.human import HumanParticipant
from walras.adapters.openai import OpenAIParticipant
from walras.adapters.subprocess import Allowance, SubprocessParticipant
from walras.agents import Agent, Strategy
from walras.live.prices import Price
from walras.study.environment import from_environment


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of a market file. Without a kind it answers by its mechanism's default, from its private type.

    Args:
        values: what lots are worth to it, by their ids.
        costs: what tasks cost it, by their ids or kinds.
        capabilities: what it can do.
        quality: how well it says it does that, from 0 to 1.
        about: what it says about itself, for the directory.
        capacity: how many tasks it works on at the same time.
        money: what it has at the start.
        budget_usd: what its mind may cost at most.
    """

    values: dict[str, float] = {}
    costs: dict[str, float] = {}
    capabilities: tuple[str, ...] = ()
    quality: dict[str, float] = {}
    about: str = ""
    capacity: int = 1
    money: float = inf
    budget_usd: float = inf

    def mind(self) -> Strategy | None:
        """A new mind, for one market."""
        return None

    def agent(self, name: str, *, minds: bool = True) -> Agent:
        """A new agent with a new mind, or with none."""
        return Agent(
            name,
            self.mind() if minds else None,
            values=self.values,
            costs=self.costs or None,
            capabilities=self.capabilities,
            capacity=self.capacity,
            money=self.money,
        )


class FunctionEntrant(Entrant, frozen=True, kw_only=True):
    """A strategy of Python's: a plain function or a coroutine function, as ``module:name``."""

    function: Callable[..., Any]

    def mind(self) -> Strategy:
        return self.function


class OpenAIEntrant(Entrant, frozen=True, kw_only=True):
    """A model behind an OpenAI-compatible endpoint. No key is ever in a file: `api_key_env` names the variable that has it.

    Raises:
        ScenarioError: for a variable that is not set.
    """

    model: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    price: Price | None = None
    structured: bool = True
    most_output_tokens: int = 1000
    options: dict[str, Any] = {}

    def mind(self) -> Strategy:
        return OpenAIParticipant(
            self.model,
            base_url=self.base_url,
            api_key=from_environment("api_key_env", self.api_key_env, "the key"),
            price=self.price,
            structured=self.structured,
            most_output_tokens=self.most_output_tokens,
            options=self.options,
        )


class SubprocessEntrant(Entrant, frozen=True, kw_only=True):
    """A program that speaks JSON lines (`walras.adapters.subprocess`), with an environment of its own."""

    command: tuple[str, ...]
    allowance: Allowance = Allowance()
    environment: dict[str, str] = {}

    def mind(self) -> Strategy:
        return SubprocessParticipant(self.command, allowance=self.allowance, environment=self.environment)


class HumanEntrant(Entrant, frozen=True, kw_only=True):
    """The person at the terminal."""

    silence: Literal["timeout", "decline"] = "timeout"
    margin_s: float = 1.0

    def mind(self) -> Strategy:
        return HumanParticipant(self.silence, margin_s=self.margin_s)


KINDS: dict[str, type[Entrant]] = {
    "default": Entrant,
    "function": FunctionEntrant,
    "openai": OpenAIEntrant,
    "subprocess": SubprocessEntrant,
    "human": HumanEntrant,
}
"""By the name that a file gives them."""
