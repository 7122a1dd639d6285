"""Faults drawn by chance: they heal, they repeat, they do not disturb each other; and failing ones get smaller."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf
from statistics import fmean

import msgspec
import pytest
from hypothesis import given, strategies as st

from walras.errors import ScenarioError
from walras.simulation.faults import Crash, Faults, Pause, Skew, SlowDisk
from walras.simulation.network import Network, Partition
from walras.simulation.swarm import Swarm, minimal, random_faults, shrink

AGENTS = ("ada", "bob", "cyd")


def wrong() -> Iterator[tuple[Callable[[], object], str]]:
    yield lambda: Swarm(loss=(0.1, 1.5)), "greatest loss is 1.5; expected a probability"
    yield lambda: Swarm(span_s=(2.0, 1.0)), "greatest span_s is 1.0; expected at least 2.0, the least"
    yield lambda: Swarm(span_s=(0.0, 1.0)), "least span_s is 0.0; expected a number above 0"
    yield lambda: Swarm(chance=2.0), "chance is 2.0"
    yield lambda: Swarm(together=-1), "together is -1"
    yield lambda: random_faults(1, AGENTS, 0.0), "horizon_s is 0.0"


@pytest.mark.parametrize(("make", "message"), list(wrong()))
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


# --------------------------------------------------------------------------------------------------------- swarm


@given(st.integers(0, 2**32), st.integers(1, 6), st.floats(0.5, 600.0), st.none() | st.integers(0, 2))
def test_a_drawn_world_heals_and_is_repeatable(
    seed: int, count: int, horizon: float, together: int | None
) -> None:
    agents = [f"a{k}" for k in range(count)]
    swarm = Swarm(together=together)
    network, faults = random_faults(seed, agents, horizon, swarm)
    assert (network, faults) == random_faults(seed, agents, horizon, swarm)
    assert network.heal_s == pytest.approx(0.7 * horizon, abs=0.001)
    assert faults.end_s <= network.heal_s
    assert all(partition.end_s <= network.heal_s for partition in network.partitions)
    faults.check(agents)
    network.check(dict.fromkeys(agents, ""))
    if together is not None:
        assert most_at_once(faults) <= together


def most_at_once(faults: Faults) -> int:
    outages = [(f.at_s, f.at_s + f.span_s, f.agent) for f in faults.schedule if isinstance(f, Crash | Pause)]
    return max((len({a for s, e, a in outages if s <= at < e}) for at, _, _ in outages), default=0)


def test_each_kind_of_fault_is_on_in_about_half_of_the_seeds_and_rates_vary() -> None:
    worlds = [random_faults(seed, AGENTS, 100.0) for seed in range(400)]
    kinds = {
        "loss": [n.loss > 0 for n, _ in worlds],
        "duplication": [n.duplication > 0 for n, _ in worlds],
        "reordering": [n.reordering > 0 for n, _ in worlds],
        "fsync": [f.fsync.bound > 0 for _, f in worlds],
        "write_survives": [f.write_survives > 0 for _, f in worlds],
        "skew": [any(isinstance(x, Skew) for x in f.schedule) for _, f in worlds],
    }
    for kind, on in kinds.items():
        assert 160 <= sum(on) <= 240, kind
    for often in (Crash, Pause, SlowDisk):
        assert 120 <= sum(any(isinstance(x, often) for x in f.schedule) for _, f in worlds) <= 240
    assert any(n.partitions for n, _ in worlds)
    assert min(n.loss for n, _ in worlds if n.loss) < 0.003
    assert max(n.loss for n, _ in worlds) > 0.2


def test_switching_a_kind_off_changes_no_other() -> None:
    for seed in range(30):
        network, faults = random_faults(seed, AGENTS, 100.0)
        rarely = Swarm(crashes=(1e-9, 1e-9), loss=(1e-9, 1e-9))
        without, milder = random_faults(seed, AGENTS, 100.0, rarely)
        assert milder.schedule == tuple(f for f in faults.schedule if not isinstance(f, Crash))
        assert (without.partitions, without.duplication) == (network.partitions, network.duplication)


def test_nothing_is_drawn_at_chance_zero_and_a_lone_agent_is_never_cut_off() -> None:
    network, faults = random_faults(3, AGENTS, 100.0, Swarm(chance=0.0))
    assert not network.faulty
    assert not faults
    assert not random_faults(3, ("ada",), 100.0, Swarm(chance=1.0))[0].partitions
    healthy, none = random_faults(3, AGENTS, 100.0, Swarm(chance=1.0, heal_at=0.0))
    assert not healthy.partitions
    assert {type(fault) for fault in none.schedule} == {Skew}


# ----------------------------------------------------------------------------------------------------- shrinking


@given(st.integers(0, 10_000))
def test_the_pair_of_network_and_faults_shrinks_too(seed: int) -> None:
    network, faults = random_faults(seed, AGENTS, 60.0, Swarm(chance=1.0))
    for calmer, fewer in shrink(network, faults):
        assert (calmer == network) != (fewer == faults)
        assert calmer.partitions != network.partitions or calmer == network or calmer.loss <= network.loss


def test_minimal_finds_the_two_faults_that_matter() -> None:
    tried: list[Faults] = []

    def fails(network: Network, faults: Faults) -> bool:
        tried.append(faults)
        return network.loss > 0 and any(isinstance(f, Crash) and f.agent == "bob" for f in faults.schedule)

    found = 0
    for seed in range(40):
        network, faults = random_faults(seed, AGENTS, 60.0)
        tried.clear()
        if not fails(network, faults):
            continue
        found += 1
        least, few = minimal(network, faults, fails)
        assert len(tried) <= 501
        assert least == msgspec.structs.replace(network, duplication=0.0, reordering=0.0, partitions=())
        assert len(few.schedule) == 1
        assert isinstance(few.schedule[0], Crash)
        assert few.schedule[0].down_s <= 0.02
        assert few == Faults(few.schedule)
    assert found >= 3


def test_minimal_stops_after_so_many_tries() -> None:
    network, faults = random_faults(1, AGENTS, 60.0)
    calls: list[Faults] = []

    def fails(_: Network, tried: Faults) -> bool:
        calls.append(tried)
        return False

    assert minimal(network, faults, fails, tries=5) == (network, faults)
    assert len(calls) == 5


def test_of_short_faults_there_are_so_many_on_average_and_each_agent_is_well_in_between() -> None:
    """Of crashes each agent has so many, of partitions the network."""
    swarm = Swarm(chance=1.0, crashes=(4.0, 4.0), partitions=(4.0, 4.0), span_s=(0.01, 0.01), between_s=1.0)
    worlds = [random_faults(seed, AGENTS, 1000.0, swarm) for seed in range(60)]
    crashes = [
        [f for f in faults.schedule if isinstance(f, Crash) and f.agent == agent]
        for _, faults in worlds
        for agent in AGENTS
    ]
    assert fmean(map(len, crashes)) == pytest.approx(4.0, abs=0.5)
    assert fmean(len(network.partitions) for network, _ in worlds) == pytest.approx(4.0, abs=0.8)
    gaps = [b.at_s - a.at_s - a.down_s for several in crashes for a, b in pairwise(several)]
    assert min(gaps) >= 1.0 - 1e-3


def test_clocks_go_wrong_and_networks_fall_apart_in_every_way() -> None:
    worlds = [random_faults(seed, AGENTS, 100.0, Swarm(chance=1.0)) for seed in range(40)]
    skews = [f for _, faults in worlds for f in faults.schedule if isinstance(f, Skew)]
    assert {skew.offset_s > 0 for skew in skews} == {True, False}
    assert {(skew.drift > 0) - (skew.drift < 0) for skew in skews} == {-1, 0, 1}
    cuts = [cut for network, _ in worlds for cut in network.partitions]
    assert {(cut.one_way, len(cut.side)) for cut in cuts} == {
        (way, n) for way in (True, False) for n in (1, 2)
    }


def test_an_agent_that_is_down_may_be_paused_as_well() -> None:
    """`together` counts agents, not faults."""
    for seed in range(30):
        one, any_number = (
            random_faults(seed, ("ada",), 100.0, Swarm(chance=1.0, together=n)) for n in (1, None)
        )
        assert one == any_number


def test_the_boldest_network_is_calm_and_a_partition_for_good_is_made_a_minute() -> None:
    network = Network(loss=0.1, duplication=0.1, reordering=0.1, partitions=(Partition(1.0, inf, ("ada",)),))
    candidates = [calmer for calmer, _ in shrink(network, Faults())]
    assert not candidates[0].faulty
    assert (Partition(1.0, 61.0, ("ada",)),) in [calmer.partitions for calmer in candidates]
