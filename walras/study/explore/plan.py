"""What is explored: plans of worlds, what became of them, and the targets that know how to make and judge them."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from walras.errors import ScenarioError
from walras.messages import Frozen
from walras.simulation.faults import Faults
from walras.simulation.network import Network

L = TypeVar("L")


class Plan(Frozen, Generic[L], frozen=True):
    """One world, complete: the same plan gives the same run. Whoever reads it can leave things out."""

    seed: int
    seconds: float
    """How long there is work to do, simulated seconds; afterwards the world may come to rest."""
    network: Network
    faults: Faults
    load: L
    """What the target does in this world."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < inf:
            raise ScenarioError("seconds", self.seconds, "simulated seconds above 0")

    def __str__(self) -> str:
        faults = self.faults.describe(self.network)
        return f"seed {self.seed}, {self.seconds:g} s, {self.load}\n{faults}"


class Trial(msgspec.Struct):
    """What became of one plan."""

    broken: str = ""
    """The name of what does not hold: an invariant, linearizability, progress; empty if all is well."""
    why: str = ""
    ended_s: float = 0.0
    counts: Mapping[str, int] = {}
    """How often each fault and each rare branch has happened."""
    transcript: tuple[str, ...] = ()
    """The last things that happened; only of what is broken."""
    digest: str = ""
    """Of the trace; only if it was asked for."""


class Target(Protocol):
    """What the explorer must know of something in order to explore it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def plan_type(self) -> Any:
        """`Plan` of this target's load, to read plan files."""

    @property
    def expected(self) -> tuple[str, ...]:
        """The counters that must not be 0 after a standard run: else it proves nothing about what they count."""

    def draw(self, seed: int, seconds: float) -> Plan[Any]:
        """The world of a seed."""

    def run(self, plan: Plan[Any], *, digest: bool = False) -> Trial:
        """Run a plan and judge it; never raises for what is wrong with what is explored."""

    def milder(self, plan: Plan[Any]) -> Iterator[Plan[Any]]:
        """Plans with less of a load, the boldest first."""
