"""Sketch 1 runs, in fair and foul weather."""

import pytest

from tests.sketches import contract_net as cn
from tests.sketches.common import unsettled
from tests.sketches.contract_net import Boss, Call, Hand, Net, simulate
from walras.agents import Agent
from walras.allocation import Outcome, Report
from walras.effects import Finish, Open, Perform, Send
from walras.items import Task
from walras.simulation.network import Network
from walras.simulation.swarm import random_faults
from walras.tally import Tally
from walras.testing import Script, check_mechanism, check_protocol


def test_a_house_is_built_by_sub_contractors() -> None:
    simulation = simulate()
    result = simulation.run()
    assert not unsettled(simulation)
    assert result.outcomes["boss/1"].status == "done"
    assert result.balances == {"boss": 88.0, "ann": 55.0, "ben": 50.0, "cyd": 3.0, "dan": 4.0}


@pytest.mark.parametrize("seed", range(30))
def test_it_ends_well_or_badly_but_ends_under_random_faults(seed: int) -> None:
    network, faults = random_faults(seed, ("boss", "ann", "ben", "cyd", "dan"), 15.0)
    simulation = simulate(seed, network=network, faults=faults)
    simulation.run()
    assert not unsettled(simulation), f"seed {seed}"


def test_a_failed_part_calls_off_the_others() -> None:
    script = Script(Hand(Net(friends=("cyd",)), "boss"), "ann")
    script.start()
    script.hear("boss", Call(cn.HOUSE, 1.0, 10.0))
    assert script.decided("bid", cn.Bid(5.0)) == [Send("boss", cn.Bid(5.0))]
    effects = script.hear("boss", cn.Accept())
    assert [type(effect) for effect in effects[1:]] == [Perform, Open, Open]
    script.outcome("test/1/ann/1", Outcome("failed"))
    script.performed("own", Report("stopped"))
    assert script.outcome("test/1/ann/2", Outcome("cancelled"))[-2:] == [
        Send("boss", cn.Ready(False)), Finish(Outcome("failed")),
    ]  # fmt: skip


def test_boss_and_hand_are_proper_roles() -> None:
    task = Task("job", kind="build")
    check_protocol(
        lambda: Boss(Net(), task, ("ann", "ben"), Tally(needed=2)),
        [("start",), ("hear", "ann", cn.Bid(3.0)), ("hear", "ben", cn.Bid(2.0)), ("hear", "ben", cn.Ready(True)),
         ("late", "ann", cn.Bid(1.0))],
        me="boss", finish_by=20.0,
    )  # fmt: skip
    check_protocol(
        lambda: Hand(Net(), "boss"),
        [("start",), ("hear", "boss", Call(task, 1.0, 9.0)), ("decided", "bid", cn.Bid(3.0)), ("hear", "boss", cn.Accept()),
         ("performed", "own", Report("done")), ("late", "boss", cn.Accept())],
        me="ann", finish_by=20.0,
    )  # fmt: skip


def test_the_net_is_a_proper_mechanism() -> None:
    agents = [
        Agent("boss", money=50.0),
        *(Agent(f"hand{k}", costs=cn.Costs(build=4.0 + k)) for k in range(3)),
    ]
    report = check_mechanism(
        Net(), agents, [Task("job", kind="build")], seeds=range(2), within_s=12.0, kills=12
    )
    assert report.endings["calm"] == {"done": 2}
    assert report.endings["everything lost"] == {"unassigned": 2}


def test_a_lossy_network_is_survived() -> None:
    endings = set()
    for seed in range(20):
        simulation = simulate(seed, network=Network(loss=0.2, duplication=0.3, reordering=0.3))
        endings.add(simulation.run().outcomes["boss/1"].status)
        assert not unsettled(simulation), f"seed {seed}"
    assert len(endings) > 1  # else nothing went wrong, and this shows nothing
