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
    )
    from walras.simulation.faults import (
        Faults as Faults,
    )
    from walras.simulation.faults import (
        KillAt as KillAt,
    )
    from walras.simulation.faults import (
        Pause as Pause,
    )
    from walras.simulation.faults import (
        Skew as Skew,
    )
    from walras.simulation.faults import (
        SlowDisk as SlowDisk,
    )
    from walras.simulation.network import (
        Constant as Constant,
    )
    from walras.simulation.network import (
        Empirical as Empirical,
    )
    from walras.simulation.network import (
        LogNormal as LogNormal,
    )
    from walras.simulation.network import (
        Matrix as Matrix,
    )
    from walras.simulation.network import (
        Network as Network,
    )
    from walras.simulation.network import (
        Partition as Partition,
    )
    from walras.simulation.network import (
        Uniform as Uniform,
    )
    from walras.simulation.population import Population as Population
    from walras.simulation.simulation import Simulation as Simulation
    from walras.simulation.swarm import (
        Swarm as Swarm,
    )
    from walras.simulation.swarm import (
        minimal as minimal,
    )
    from walras.simulation.swarm import (
        random_faults as random_faults,
    )
    from walras.simulation.world import World as World


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras.simulation has no {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(f"walras.simulation.{_HOME_OF[name]}"), name)
