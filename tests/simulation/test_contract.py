"""The simulator keeps the runtime contract, on its fast path and on the guarded one, and both leave the same trace."""

import pytest

from tests.sketches.contract_net import ContractNet, simulate
from walras.simulation.simulation import Simulation
from walras.testing.errors import ContractError
from walras.testing.runtime import Conditions, all_checks, check_runtime, examine
from walras.testing.simulated import SimulatedRuntime, guarded_runtime


@pytest.mark.parametrize("name", all_checks())
def test_the_fast_path_keeps_the_promise(name: str) -> None:
    check_runtime(SimulatedRuntime, only=[name])


@pytest.mark.parametrize("name", all_checks())
def test_the_guarded_path_keeps_the_promise(name: str) -> None:
    check_runtime(guarded_runtime, only=[name])
