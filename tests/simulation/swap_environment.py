"""A pytest plugin for SimPy's own tests: whatever they take for `simpy.Environment` is our clock.

`test_simpy_suite.py` loads it into a pytest of its own; `WALRAS_CLOCK` says which of the clock's two ways to run is meant.
"""

import os

import pytest
import simpy
import simpy.core

from walras.simulation.clock import Clock


class WholeClock(Clock):
    """A clock that starts at 0, as SimPy's does, not at 0.0: SimPy's tests compare times as text."""

    def __init__(self, initial_time: float = 0) -> None:
        super().__init__(initial_time)


class SteppingClock(WholeClock):
    """A clock whose `step` is overridden, so that `run` goes through it instead of the unrolled loop."""

    def step(self) -> None:
        super().step()


CLOCK = {"unrolled": WholeClock, "stepping": SteppingClock}[os.environ["WALRAS_CLOCK"]]

# Before SimPy's test modules are imported, hence at import: they may take the name out of either module.
simpy.Environment = simpy.core.Environment = CLOCK  # type: ignore[misc]


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """No test passes for the reason that it met the plain environment."""
    environment = item.funcargs.get("env")
    assert environment is None or type(environment) is CLOCK
