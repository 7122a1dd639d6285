"""One run of a study: what it takes, how it is written down, and how it is done again."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import msgspec

from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.results import Result
from walras.results.recipe import recipe
from walras.scenario import Optimum, Scenario
from walras.simulation.faults import Faults
from walras.simulation.network import Network
from walras.simulation.record import make_result
from walras.simulation.simulation import Simulation
from walras.study import catalogue

INTERRUPTED = "it was interrupted"


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a run beside its scenario, its mechanism and its seed.

    Args:
        network: instead of the scenario's.
        faults: instead of the scenario's.
        until_s: the horizon, seconds of the run; None: as long as it takes.
        check: call every role's own checks after every input (slower).

    Raises:
        ScenarioError: for a horizon that is not finite and above 0.
    """

    network: Network | None = None
    faults: Faults | None = None
    until_s: float | None = None
    check: bool = False

    def __post_init__(self) -> None:
        if self.until_s is not None and not 0 < self.until_s < inf:
            raise ScenarioError("until_s", self.until_s, "a finite number of seconds above 0")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run takes; `label` is what a table calls its mechanism."""

    scenario: Scenario
    mechanism: Mechanism
    label: str = ""
    seed: int = 0
    conditions: Conditions = Conditions()


class InterruptedRunError(KeyboardInterrupt):
    """Ctrl-C during a run; what it had come to by then is in `result`."""

    def __init__(self, result: Result) -> None:
        super().__init__(INTERRUPTED)
        self.result = result


def execute(
    run: Run,
    optimum: Optimum | msgspec.UnsetType | None = msgspec.UNSET,
    *,
    keep_trace: bool = True,
    progress: bool | None = None,
) -> Result:
    """Run it; the result carries the label and the settings that `again` needs.

    Args:
        run: what to run.
        optimum: that of its world, if an earlier run of the same scenario and seed has computed it.
        keep_trace: False only counts and hashes the trace.
        progress: show a progress bar; None: on long runs in a terminal.

    Raises:
        InterruptedRunError: for Ctrl-C, with the result so far.
    """
    extra = run.conditions
    simulation = Simulation(
        run.scenario, run.mechanism, run.seed, network=extra.network, faults=extra.faults, check=extra.check
    )
    if optimum is not msgspec.UNSET:
        _take(simulation, optimum)
    try:
        result = simulation.run(extra.until_s, progress=progress, keep_trace=keep_trace)
    except KeyboardInterrupt:
        if optimum is msgspec.UNSET:
            _take(simulation, None)  # it may take long, and somebody is in a hurry
        raise InterruptedRunError(_named(make_result(simulation, INTERRUPTED), run)) from None
    return _named(result, run)


def _take(simulation: Simulation, optimum: Optimum | None) -> None:
    """Give a world its optimum, which depends on scenario and seed only, so that it is not computed again."""
    assert simulation.instance is not None
    simulation.instance.optimum = lambda: optimum  # type: ignore[method-assign]  # of this one world


def _named(result: Result, run: Run) -> Result:
    label = run.label or result.mechanism
    how = written(run.scenario, {label: run.mechanism}, [run.seed], run.conditions)
    return msgspec.structs.replace(result, mechanism=label, settings=how)


# ----------------------------------------------------------------------------------------------- written and done again


def written(
    scenario: Scenario, mechanisms: Mapping[str, Mechanism], seeds: Iterable[int], conditions: Conditions
) -> dict[str, Any]:
    """The recipe of runs, with the declared names of what is declared."""
    extra = {name: getattr(conditions, name) for name in ("network", "faults", "until_s")}
    return recipe(scenario, mechanisms, seeds, extra, _name)


def _name(cls: type[Any]) -> str:
    return catalogue.name_of(Scenario if issubclass(cls, Scenario) else Mechanism, cls)
