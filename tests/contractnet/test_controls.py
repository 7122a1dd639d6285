"""Negative controls: every rogue must trip its named check, and nothing trips where nobody is a rogue (section 14)."""

from collections.abc import Callable
from typing import Any

import pytest

from contractnet import ContractNet, Manager, Propose
from tests.contractnet import rogues
from tests.contractnet.checks import CHECKS, violations
from tests.contractnet.worlds import Cast, simulate
from walras import Agent, Network, Result, Simulation, Task
from walras.simulation import Constant

COSTS = {"a": 1.0, "b": 2.0, "c": 3.0}


def with_contractor(rogue: type[Any], agent: str = "a", **settings: Any) -> Result:
    cancel_at = settings.pop("cancel_at", float("inf"))
    rules = Cast(contractors=((agent, rogue),), **settings)
    return simulate(rules, COSTS, cancel_at=cancel_at, check=False)


def with_manager(rogue: type[Manager], **settings: Any) -> Result:
    costs = settings.pop("costs", COSTS)
    return simulate(Cast(manager=rogue, **settings), costs, check=False)


ROGUES: dict[str, tuple[str, Callable[[], Result]]] = {
    "proposes after the deadline": ("R3", lambda: with_contractor(rogues.LateBidder)),
    "awards a late bid": (
        "I3",
        lambda: simulate(
            Cast(manager=rogues.LateAwarder, contractors=(("a", rogues.LateBidder),), award_rule=_only_a),
            COSTS,
            check=False,
        ),
    ),
    "never rejects losers": ("I2", lambda: with_manager(rogues.NeverRejects, hold_losers=True)),
    "sends refuse to losers": ("I2", lambda: with_manager(rogues.RefusesLosers)),
    "awards twice": ("I1", lambda: with_manager(rogues.DoubleAwarder)),
    "invents a bid": ("I12", lambda: with_manager(rogues.Inventor, costs={**COSTS, "ghost": None})),
    "awards to a refuser": ("I3", lambda: with_manager(rogues.Inventor, costs={**COSTS, "ghost": None})),
    "awards below the price": ("I3", lambda: with_manager(rogues.Hagglers)),
    "pays for nothing": ("I5", lambda: _unpaid_for(rogues.OverPayer)),
    "works before it is accepted": ("I4", lambda: with_contractor(rogues.EarlyWorker)),
    "works after a rejection": ("I4", lambda: with_contractor(rogues.StubbornWorker, agent="c")),
    "works after expiry": ("I4", lambda: _accepted_too_late(rogues.LateWorker)),
    "is accepted, then silent": ("I7", lambda: with_contractor(rogues.SilentWinner, result_within_s=9.0)),
    "is accepted, then proposes again": ("I6", lambda: with_contractor(rogues.Waverer)),
    "ignores a cancel": ("I10", lambda: with_contractor(rogues.Deaf, cancel_at=1.0)),
    "ping-pong": (
        "I8",
        lambda: simulate(
            Cast(manager=rogues.PingPong, contractors=(("a", rogues.Parrot),)),
            COSTS,
            finish_by=9.0,
            check=False,
        ),
    ),
    "tells others its bid": ("I9", lambda: with_contractor(rogues.Gossip)),
    "announces for ever": ("liveness", lambda: with_manager(rogues.Sisyphus, costs={"a": None})),
}


def _only_a(task: Task, proposals: Any) -> Any:
    return {agent: float(agent == "a") for agent in proposals}


def _accepted_too_late(rogue: type[Any]) -> Result:
    """The award is made at the deadline, since somebody is silent, and takes longer than its margin to arrive."""
    cast = (("a", rogue), ("b", rogues.Mute))
    rules = Cast(contractors=cast, margin_s=0.01, valid_for_s=0.01, announcements=1)
    return simulate(rules, {"a": 1.0, "b": 2.0}, network=Network(latency=Constant(0.2)), check=False)


def _unpaid_for(rogue: type[Manager]) -> Result:
    rules = Cast(
        manager=rogue, contractors=(("a", rogues.SilentWinner),), result_within_s=5.0, announcements=1
    )
    return simulate(rules, COSTS, check=False)


@pytest.mark.parametrize("rogue", ROGUES)
def test_a_rogue_trips_its_check(rogue: str) -> None:
    """Each bad agent or manager is caught by the check that is named for it."""
    check, play = ROGUES[rogue]
    found = violations(play(), announcements=2)
    assert check in found, f"{rogue} goes unnoticed; found {found}"


def test_over_committing_is_seen_and_the_account_prevents_it() -> None:
    """I11: who does not ask its account promises more than it has; who asks does not."""

    def two_at_once(**settings: Any) -> Result:
        simulation = Simulation()
        for agent in ("m", "n"):
            simulation.add(Agent(agent))
        simulation.add(Agent("a", lambda question, agent: Propose(1.0), capacity=1))
        for opener in ("m", "n"):
            simulation.open(Cast(**settings), [Task("t")], opener, ["a"], finish_by=60.0)
        return simulation.run()

    assert "I11" in violations(two_at_once(contractors=(("a", rogues.OverCommitter),)), capacity=1)
    honest = two_at_once(reserve="eager")
    assert violations(honest, capacity=1) == {}
    assert honest.trace.message_counts()["Refuse"] >= 1, "the second proposal found no free slot"


def test_a_liar_that_reports_cancelled_is_not_paid() -> None:
    """I10, I5: reports cancelled yet bills in full."""
    rules = Cast(contractors=(("a", rogues.Liar),))
    in_order = Network(latency=Constant(0.02))
    result = simulate(rules, COSTS, cancel_at=1.0, network=in_order, check=False)
    assert sum(row.details["paid"] for row in result.trace if row.kind == "settle") == 0.0
    assert any(row.kind == "ignored" and row.agent == "m" for row in result.trace)


def test_nonsense_harms_nobody_else() -> None:
    """What is out of turn is ignored, its sender counts as silent, and the net goes on."""
    result = with_contractor(rogues.Nonsense)
    assert [line.winner for line in result.allocation.lines] == ["b"]
    assert violations(result) == {}


@pytest.mark.parametrize("rules", [ContractNet(), ContractNet(hold_losers=True), ContractNet(enough=2)])
@pytest.mark.parametrize("cancel_at", [float("inf"), 0.02, 0.06, 0.12, 1.0, 3.2])
def test_without_rogues_no_check_trips(rules: ContractNet, cancel_at: float) -> None:
    """The checks are not simply always unhappy; also with a cancel at every stage."""
    assert violations(simulate(rules, COSTS, cancel_at=cancel_at)) == {}


def test_every_check_has_a_rogue() -> None:
    """A check that cannot fail proves nothing; time that runs backwards is the simulator's own business."""
    assert {check for check, _ in ROGUES.values()} >= set(CHECKS) - {"I13"}
