"""Schedules of faults: what they say, what they refuse and how they get smaller."""

from collections.abc import Callable, Iterator
from math import inf, nan

import msgspec
import pytest
from hypothesis import given, strategies as st

from walras.errors import ScenarioError
from walras.simulation.faults import Crash, Faults, KillAt, Pause, Scheduled, Skew, SlowDisk, without_parts
from walras.simulation.network import Constant, Network, Partition, Uniform

AGENTS = ("ada", "bob", "cyd")
spans = st.floats(0.0, 1e4) | st.just(inf)
starts = st.floats(0.0, 1e4)


@st.composite
def schedules(draw: st.DrawFn) -> Faults:
    agent = st.sampled_from(AGENTS)
    timed: st.SearchStrategy[Scheduled] = st.one_of(
        st.builds(Crash, agent, starts, spans),
        st.builds(Pause, agent, starts, spans),
        st.builds(SlowDisk, agent | st.none(), st.builds(Constant, starts), starts, spans),
    )
    skews = {
        name: Skew(name, draw(st.floats(-100.0, 100.0)), draw(st.sampled_from([0.0, 1e-4])))
        for name in draw(st.sets(agent))
    }
    kills = st.builds(KillAt, st.just("ada/1"), agent, st.integers(1, 9), st.integers(1, 9), spans)
    return Faults(
        (*draw(st.lists(timed, max_size=5)), *(skews[name] for name in sorted(skews))),
        Uniform(0.0, 0.1) if draw(st.booleans()) else Constant(0.0),
        draw(st.sampled_from([0.0, 0.5])),
        tuple(draw(st.lists(kills, max_size=3))),
    )


# -------------------------------------------------------------------------------------------------------- clocks


@given(st.floats(-1e6, 1e6), st.floats(-0.5, 1.0), starts, starts)
def test_a_skewed_clock_never_goes_back(offset: float, drift: float, one: float, other: float) -> None:
    skew = Skew("ada", offset, drift)
    assert skew.local(min(one, other)) <= skew.local(max(one, other))


@given(st.floats(-1e9, 1e9), st.floats(-0.5, 1.0), st.floats(-1e9, 1e9))
def test_a_timer_on_a_skewed_clock_is_never_early_and_hardly_late(
    offset: float, drift: float, at: float
) -> None:
    skew = Skew("ada", offset, drift)
    read = skew.local(skew.world(at))
    assert at <= read <= at + 1e-5


def test_a_skew_offsets_and_drifts() -> None:
    skew = Skew("ada", -2.0, 0.5)
    assert [skew.local(t) for t in (0.0, 2.0, 4.0)] == [-2.0, 1.0, 4.0]
    assert skew.world(inf) == inf
    assert Faults((skew,)).skew("ada") is skew
    assert Faults((skew,)).skew("bob") is None


# --------------------------------------------------------------------------------------------------------- disks


def test_without_slow_disks_and_fsync_writes_are_durable_at_once() -> None:
    assert Faults((Crash("ada", 1.0, 1.0),)).disk(1, "ada") is None
    assert Faults((SlowDisk("bob", Constant(1.0)),)).disk(1, "ada") is None


def test_a_slow_disk_is_slow_while_it_lasts_and_the_last_one_listed_counts() -> None:
    slow = SlowDisk(None, Constant(1.0), 10.0, 10.0), SlowDisk("ada", Constant(2.0), 15.0, 10.0)
    faults = Faults(slow, fsync=Constant(0.1))
    ada, bob = faults.disk(1, "ada"), faults.disk(1, "bob")
    assert ada is not None
    assert bob is not None
    times = (9.9, 10.0, 15.0, 20.0, 25.0)
    assert [ada(now) for now in times] == [0.1, 1.0, 2.0, 2.0, 0.1]
    assert [bob(now) for now in times] == [0.1, 1.0, 1.0, 0.1, 0.1]


def test_a_slow_disk_leaves_the_writes_before_and_after_it_alone() -> None:
    usual = Faults(fsync=Uniform(0.1, 0.2))
    plain, slowed = usual.disk(3, "ada"), Faults((SlowDisk("ada", Uniform(1.0, 2.0), 5.0, 5.0),), usual.fsync)
    slow = slowed.disk(3, "ada")
    assert plain is not None
    assert slow is not None
    for now in range(15):
        expected = plain(now)
        assert slow(now) == pytest.approx(expected * 10 if 5 <= now < 10 else expected)


# ------------------------------------------------------------------------------------------------------ settings


def wrong() -> Iterator[tuple[Callable[[], object], str]]:
    yield lambda: Crash("ada", -1.0, 1.0), "at_s is -1.0; expected a finite number of seconds, 0 or more"
    yield (
        lambda: Crash("ada", 1.0, nan),
        "down_s is nan; expected a time span of 0 seconds or more, or infinity",
    )
    yield lambda: Pause("ada", inf, 1.0), "at_s is inf"
    yield lambda: Pause("ada", 0.0, -1.0), "for_s is -1.0"
    yield lambda: SlowDisk("ada", Constant(1.0), 0.0, -1.0), "for_s is -1.0"
    yield lambda: Skew("ada", nan), "offset_s is nan"
    yield lambda: Skew("ada", 0.0, -0.6), r"drift is -0.6; expected seconds per second in \[-0.5, 1\]"
    yield lambda: KillAt("ada/1", "ada", 0, 1, 1.0), "input is 0; expected a whole number of 1 or more"
    yield lambda: KillAt("ada/1", "ada", 1, 0, 1.0), "effect is 0"
    yield lambda: KillAt("ada/1", "ada", 1, 1, -1.0), "down_s is -1.0"
    yield lambda: Faults(write_survives=1.5), r"write_survives is 1.5; expected a probability in \[0, 1\]"
    yield lambda: Faults((Skew("ada", 1.0), Skew("ada", 2.0))), "expected one skew for ada, not 2"
    yield lambda: Faults(("ada",)), "schedule is 'ada'; expected faults with a time: Crash"  # type: ignore[arg-type]
    yield lambda: Faults(Crash("ada", 1.0, 1.0)), "expected faults with a time: .*, in a tuple"  # type: ignore[arg-type]
    yield lambda: Faults(kill_at=(Crash("ada", 1.0, 1.0),)), r"kill_at is Crash\("  # type: ignore[arg-type]
    yield lambda: Faults(fsync=0.01), "fsync is 0.01; expected a distribution of delays"  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "message"), list(wrong()))
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_faults_name_agents_of_the_world() -> None:
    everybody = Faults((SlowDisk(None, Constant(1.0)), Crash("ada", 1.0, 1.0)))
    everybody.check(AGENTS)
    with pytest.raises(
        ScenarioError, match=r"schedule\[1\].agent is 'ada'; expected an agent of this world \(bob\)"
    ):
        everybody.check(["bob"])
    with pytest.raises(ScenarioError, match=r"kill_at\[0\].agent is 'zoe'"):
        Faults(kill_at=(KillAt("zoe/1", "zoe", 1, 1, 1.0),)).check(AGENTS)


@given(schedules())
def test_a_settings_file_can_hold_any_schedule(faults: Faults) -> None:
    assert msgspec.yaml.decode(msgspec.yaml.encode(faults), type=Faults) == faults


def test_a_settings_file_names_a_fault_by_its_kind() -> None:
    listed = [
        {"kind": "crash", "agent": "ada", "at_s": 1, "down_s": 2},
        {"kind": "slow-disk", "agent": None, "fsync_s": {"kind": "constant", "seconds": 0.1}},
    ]
    kills = [{"conversation": "ada/1", "agent": "ada", "input": 2, "effect": 1, "down_s": 0}]
    found = msgspec.convert({"schedule": listed, "kill_at": kills}, Faults)
    assert found.schedule == (Crash("ada", 1.0, 2.0), SlowDisk(None, Constant(0.1)))
    assert found.kill_at == (KillAt("ada/1", "ada", 2, 1, 0.0),)


def test_describe_has_one_line_for_each_fault_in_the_order_of_their_times() -> None:
    faults = Faults(
        (Pause("bob", 5.0, 0.5), Crash("ada", 2.0, inf), Skew("cyd", -0.25, 1e-5)),
        write_survives=0.5,
        kill_at=(KillAt("ada/1", "ada", 3, 1, 2.0),),
    )
    network = Network(loss=0.1, partitions=(Partition(3.0, 4.0, ("ada",)),), heal_s=9.0)
    assert faults.describe(network).splitlines() == [
        "a write in flight survives a crash with probability 0.5",
        "loss of messages with probability 0.1",
        "at 0 s the clock of cyd is 0.25 s behind, drifting by +1e-05 s/s",
        "at 2 s ada crashes and is down for good",
        "at 3 s nothing passes between ada and everybody else until 4 s",
        "at 5 s bob pauses for 0.5 s",
        "at 9 s the network heals",
        "ada is killed before effect 1 of input 3 of ada/1 and is down for 2 s",
    ]
    assert Faults().describe() == Faults().describe(Network()) == "no faults"


def test_faults_are_true_if_anything_goes_wrong() -> None:
    assert not Faults()
    assert not Faults(write_survives=0.5), "it needs a crash to matter"
    assert Faults((Skew("ada", 1.0),))
    assert Faults(fsync=Constant(0.1))
    assert Faults(kill_at=(KillAt("ada/1", "ada", 1, 1, 1.0),))


# ----------------------------------------------------------------------------------------------------- shrinking


@given(st.integers(0, 40))
def test_parts_are_left_out_from_all_to_each_single_one(count: int) -> None:
    things = tuple(range(count))
    left = list(without_parts(things))
    assert all(len(fewer) < count for fewer in left)
    assert all(things[:k] + things[k + 1 :] in left for k in things)
    assert left[:1] == ([()] if count else [])


@given(schedules())
def test_every_candidate_is_strictly_smaller(faults: Faults) -> None:
    for fewer in faults.shrink():
        assert fewer.size < faults.size


@given(schedules())
def test_shrinking_from_candidate_to_candidate_ends(faults: Faults) -> None:
    steps = 0
    while candidates := list(faults.shrink()):
        faults = candidates[-1]  # the most timid: the longest way down
        steps += 1
        assert steps < 1000
    assert faults.size[0] == 0


def test_a_schedule_is_over_when_its_last_fault_is() -> None:
    assert Faults((Crash("ada", 1.0, 2.0), Pause("bob", 2.0, 0.5))).end_s == 3.0
    assert Faults((SlowDisk(None, Constant(1.0)),)).end_s == inf
    assert Faults().end_s == 0.0


def test_a_sound_network_has_nothing_to_heal() -> None:
    assert Faults().describe(Network(heal_s=9.0)) == "no faults"


def test_a_milder_skew_errs_to_the_same_side() -> None:
    assert list(Skew("ada", -1.0, 1e-4).milder()) == [Skew("ada", -1.0), Skew("ada", -0.5, 1e-4)]
