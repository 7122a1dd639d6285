"""The simulator: the SimPy runtime of every protocol. Names are handed on lazily."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME_OF = {
    "Simulation": "simulation",
    "Clock": "clock",
    "World": "world",
    **dict.fromkeys(
        ("Constant", "Empirical", "LogNormal", "Matrix", "Network", "Partition", "Uniform"), "network"
    ),
    "Population": "population",
    **dict.fromkeys(("Swarm", "minimal", "random_faults"), "swarm"),
    **dict.fromkeys(("Crash", "Faults", "KillAt", "Pause", "Skew", "SlowDisk"), "faults"),
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # computed, so that it cannot drift from the table

if TYPE_CHECKING:
    from walras.simulation.clock import Clock as Clock
    from walras.simulation.faults import (
        Crash as Crash,
        Faults as Faults,
        KillAt as KillAt,
        Pause as Pause,
        Skew as Skew,
        SlowDisk as SlowDisk,
    )
    from walras.simulation.network import (
        Constant as Constant,
        Empirical as Empirical,
        LogNormal as LogNormal,
        Matrix as Matrix,
        Network as Network,
        Partition as Partition,
        Uniform as Uniform,
    )
    from walras.simulation.population import Population as Population
    from walras.simulation.simulation import Simulation as Simulation
    from walras.simulation.swarm import (
        Swarm as Swarm,
        minimal as minimal,
        random_faults as random_faults,
    )
    from walras.simulation.world import World as World


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras.simulation has no {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(f"walras.simulation.{_HOME_OF[name]}"), name)
