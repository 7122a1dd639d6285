"""From a world that has come to rest to its `Result`."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum
from typing import TYPE_CHECKING, Any

from walras.allocation import Allocation
from walras.results import AgentRecord, Result
from walras.results.facts import Done, Facts
from walras.results.recipe import recipe
from walras.scenario import check_optimum
from walras.simulation.world import World

if TYPE_CHECKING:
    from walras.simulation.simulation import Simulation


def make_result(simulation: Simulation, why: str) -> Result:
    """What a run has come to."""
    world = simulation.world
    facts = Facts(world, simulation.instance)
    scenario, mechanism = simulation.scenario, simulation.mechanism
    return Result(
        scenario=scenario.name if scenario is not None else "",
        mechanism=mechanism.protocol if mechanism is not None else "",
        seed=simulation.seed,
        stopped_because=why,
        ended_s=world.clock._now,
        records=tuple(
            facts.record(conversation, arrival, item)
            for conversation, arrival in simulation.conversations.items()
            for item in arrival.items
        ),
        allocation=Allocation(facts.lines()),
        outcomes=dict(world.outcomes),
        trace=world.trace.so_far(),
        balances=world.ledger.balances(),
        agents=tuple(_agents(world)),
        optimum=check_optimum(simulation.instance.optimum()) if simulation.instance is not None else None,
        overcommitments=world.ledger.overcommitments,
        settings=_settings(simulation),
    )


def _settings(simulation: Simulation) -> dict[str, Any]:
    """What `walras replay` needs: nothing for a bare run, of which only its code knows what is in it."""
    if simulation.scenario is None or simulation.mechanism is None:
        return {}
    mechanism = simulation.mechanism
    return recipe(
        simulation.scenario, {mechanism.protocol: mechanism}, [simulation.seed], simulation.conditions
    )


def _agents(world: World) -> Iterator[AgentRecord]:
    """What every agent has done and earned."""
    work: dict[str, list[Done]] = {}
    for done in world.done:
        work.setdefault(done.agent, []).append(done)
    for id_, host in world.hosts.items():
        done_by = work.get(id_, [])
        yield AgentRecord(
            id=id_,
            capacity=host.blueprint.capacity,
            busy_s=host.worker.busy_s,
            earned=float(host.account.received),
            spent=float(host.account.paid),
            cost=fsum([done.report.cost for done in done_by]),
            tasks=[done.report.status for done in done_by].count("done"),
        )
