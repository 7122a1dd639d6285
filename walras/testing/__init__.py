"""What we test ourselves with, and ship: scripts for one role, checks of roles, mechanisms and runtimes.

Names are handed on lazily, so that importing this loads no simulator.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME_OF = {
    **dict.fromkeys(("MechanismReport", "check_mechanism"), "mechanisms"),
    "check_protocol": "checks",
    "ContractError": "errors",
    **dict.fromkeys(("kill_everywhere", "kill_points"), "kills"),
    **dict.fromkeys(("Conditions", "RuntimeReport", "RuntimeUnderTest", "check_runtime"), "runtime"),
    "LiveRuntime": "live",
    "Loopback": "loopback",
    "candid": "scripted",
    "Script": "script",
    "SimulatedRuntime": "simulated",
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # computed, so that it cannot drift from the table

if TYPE_CHECKING:
    from walras.testing.checks import check_protocol as check_protocol
    from walras.testing.errors import ContractError as ContractError
    from walras.testing.kills import kill_everywhere as kill_everywhere, kill_points as kill_points
    from walras.testing.live import LiveRuntime as LiveRuntime
    from walras.testing.loopback import Loopback as Loopback
    from walras.testing.mechanisms import (
        MechanismReport as MechanismReport,
        check_mechanism as check_mechanism,
    )
    from walras.testing.runtime import (
        Conditions as Conditions,
        RuntimeReport as RuntimeReport,
        RuntimeUnderTest as RuntimeUnderTest,
        check_runtime as check_runtime,
    )
    from walras.testing.script import Script as Script
    from walras.testing.scripted import candid as candid
    from walras.testing.simulated import SimulatedRuntime as SimulatedRuntime


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras.testing has no {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(f"walras.testing.{_HOME_OF[name]}"), name)
