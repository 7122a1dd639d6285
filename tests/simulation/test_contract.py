"""The simulator keeps the runtime contract, on its fast path and on the guarded one, and both leave the same trace."""

import os
import subprocess
import sys
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.sketches import clock_auction, contract_net
from tests.sketches.pbft import Client, Replica
from walras.agents import Agent
from walras.allocation import Outcome
from walras.effects import Finish, Persist, Send, SetTimer, Tell
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.testing.puppets import After, Ask, Look, Mind, Note, Offer, OpenChild, Puppet, PuppetRules
from walras.testing.runtime import ROOM, Stage, all_checks, check_runtime
from walras.testing.simulated import SimulatedRuntime, guarded_runtime

ROOT = Path(__file__).resolve().parents[2]
OTHER = "test/2"


@pytest.mark.parametrize("name", all_checks())
def test_the_fast_path_keeps_the_promise(name: str) -> None:
    check_runtime(SimulatedRuntime, only=[name])


@pytest.mark.parametrize("name", all_checks())
def test_the_guarded_path_keeps_the_promise(name: str) -> None:
    check_runtime(guarded_runtime, only=[name])


# ------------------------------------------------------------------------------------------- one world, two paths


def pbft(**settings: Any) -> Simulation:
    simulation = Simulation(seed=1, **settings)
    names = ("p0", "p1", "p2", "p3")
    for name in names:
        simulation.add(Agent(name))
        simulation.seat(name, Replica(names))
    simulation.add(Agent("client"))
    simulation.seat("client", Client(names, ("a", "b")))
    return simulation


@pytest.mark.parametrize("simulate", [contract_net.simulate, clock_auction.simulate, pbft])
def test_both_paths_leave_the_same_trace(simulate: Any) -> None:
    plain, guarded = simulate(), simulate(check=True)
    assert not plain.world.port_class.guarded and guarded.world.port_class.guarded
    for simulation in (plain, guarded):
        simulation.run(until=50.0)
    difference = plain.world.trace.first_difference(guarded.world.trace)
    assert difference is None, str(difference)


SCRIPT = """
from tests.sketches import clock_auction, contract_net
from walras.simulation.network import Network
bad = Network(loss=0.1, duplication=0.2, reordering=0.2)
for simulate in (contract_net.simulate, clock_auction.simulate):
    simulation = simulate(seed=4, network=bad)
    simulation.run()
    print(simulation.world.trace.digest)
"""


def test_the_digest_does_not_depend_on_the_hash_seed() -> None:
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        digests.add(run.stdout)
    assert len(digests) == 1, digests
    assert len(next(iter(digests)).split()) == 2


# ------------------------------------------------------------- what only a simulator can bring about on purpose


@pytest.fixture
def stage() -> Stage:
    return Stage(SimulatedRuntime)


def test_a_timer_at_infinity_never_fires_and_does_not_drag_the_clock_along(stage: Stage) -> None:
    stage.seat(
        "ada", {"start": (SetTimer("never", inf), SetTimer("t", 1.0)), "timer t": (SetTimer("never", inf),)}
    )
    simulation = Simulation()
    simulation.add(Agent("ada"))
    role = Puppet({"start": (SetTimer("never", inf), SetTimer("t", 1.0))})
    simulation.seat("ada", role)
    result = simulation.run()
    assert [line for line, _ in role.log] == ["start", "timer t"]
    assert result.ended_s == 1.0


def test_a_crash_ends_a_pause_and_what_waited_is_heard_once(stage: Stage) -> None:
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=1.0)
    stage.seat("ada", {"start": (Ask("q", 9.0), SetTimer("t", 2.0), OpenChild(PuppetRules(), 1.5))})
    stage.runtime.pause("ada", 0.5, 9.0)
    stage.crash("ada", at=3.0, down=1.0)
    stage.run(12)
    assert sorted(stage.log("ada")) == ["decided q 1", f"outcome {ROOM}/ada/1 overdue", "start", "timer t"]
    assert stage.at("ada", "timer t") == 4.0


def test_a_pause_that_ends_while_the_machine_is_down_loses_nothing(stage: Stage) -> None:
    stage.seat("ada", {"start": (OpenChild(PuppetRules(), 1.0),)})
    stage.runtime.pause("ada", 0.5, 2.0)
    stage.crash("ada", at=2.0, down=3.0)
    stage.run(8)
    assert stage.log("ada") == ["start", f"outcome {ROOM}/ada/1 overdue"]


def told_while_down() -> Stage:
    """Ada's first role tells the second one three things and is killed: they wait for the restart."""
    stage = Stage(SimulatedRuntime)
    tells = tuple(Tell(OTHER, Note(str(n))) for n in range(3))
    stage.seat("ada", {"start": (After("go", 1.0),), "timer go": (*tells, Send("bob", Note("x")))})
    stage.seat("ada", {"told 0": (Send("bob", Note("zero")),)}, OTHER)
    stage.seat("bob", {})
    stage.seat("bob", {}, OTHER)
    stage.runtime.kill(ROOM, "ada", 2, 4, 1.0)
    return stage


def test_a_kill_during_the_restart_loses_nothing_that_waited() -> None:
    stage = told_while_down()
    stage.runtime.kill(OTHER, "ada", 2, 1, 1.0)  # its first told, handled during the restart
    stage.run(8)
    assert stage.log("ada", OTHER) == ["start", "told 0", "told 1", "told 2"]


def test_a_kill_during_the_restart_leaves_the_agents_other_roles_down() -> None:
    stage = told_while_down()
    stage.seat("ada", {"start": (SetTimer("t", 2.5),)}, "test/3")
    stage.runtime.kill(OTHER, "ada", 2, 1, 1.0)
    stage.run(8)
    stage.expect("ada", "start", "timer t", room="test/3")
    assert stage.at("ada", "timer t", "test/3") == 3.0


def test_a_records_role_that_finishes_before_its_write_is_durable_hears_the_rest_as_late() -> None:
    stage = Stage(SimulatedRuntime, fsync=1.0)
    done = Finish(Outcome("done"))
    stage.seat("ada", {"start": (SetTimer("t", 0.5), Persist(Note("r")), done, done)}, records=True)
    stage.seat("bob", {"start": (Send("ada", Note("late")),)})
    stage.run(3)
    stage.expect("ada", "start", "refused Finish", "late late")
    assert stage.runtime.unfinished() == [(ROOM, "bob")]


def test_a_records_role_that_crashes_before_its_finish_is_durable_lives_again() -> None:
    stage = Stage(SimulatedRuntime, fsync=1.0)
    stage.seat(
        "ada",
        {"start": (Persist(Note("r")), Finish(Outcome("done"))), "recovered": (After("t", 1.0),)},
        records=True,
    )
    stage.crash("ada", at=0.5, down=0.5)
    stage.run(4)
    assert stage.log("ada") == ["recovered", "life 1", "timer t"]


def test_holds_end_on_their_agents_own_clock() -> None:
    stage = Stage(SimulatedRuntime, skew={"ada": -100.0})
    mind = Mind(q=Offer(4.0, until=-99.0))
    stage.agent("ada", mind, money=10.0)
    looks = {f"timer {name}": (Look(mind),) for name in ("before", "after")}
    stage.seat("ada", {"start": (Ask("q", 0.5), After("before", 0.9), After("after", 1.1)), **looks})
    stage.run(3)
    assert [line for line in stage.log("ada") if line.startswith("free")] == ["free 6", "free 10"]


def test_who_was_overdue_while_down_holds_nothing_after_the_restart() -> None:
    stage = Stage(SimulatedRuntime)
    mind = Mind(q=Offer(4.0))
    stage.agent("ada", mind, thinks=1.0, money=10.0)
    stage.open(PuppetRules({"start": (Ask("q", 9.0),)}), "ada", finish_by=2.0)
    stage.crash("ada", at=0.5, down=3.0)
    stage.run(9)
    account = stage.runtime.ledger.account("ada")
    assert (account.free, stage.runtime.outcomes) == (10.0, {"ada/1": "overdue"})


def test_a_bare_role_is_not_stopped_by_the_end_of_its_child() -> None:
    simulation = Simulation(network=Network())
    simulation.add(Agent("ada"))
    role = Puppet(
        {"start": (OpenChild(PuppetRules({"start": (Finish(Outcome("done")),)}), 5.0), SetTimer("t", 9.0))}
    )
    simulation.seat("ada", role)
    simulation.run()
    assert [line for line, _ in role.log] == ["start", "outcome bare/1/ada/1 done", "timer t"]
