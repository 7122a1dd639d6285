"""What may happen to messages: faults at their rates, from streams that do not disturb each other."""

from collections.abc import Callable, Iterator, Mapping
from math import inf, nan
from statistics import fmean
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from walras.errors import ScenarioError
from walras.simulation.network import (
    Constant,
    Delay,
    LogNormal,
    Matrix,
    Network,
    Partition,
    Uniform,
)

NOWHERE: dict[str, str] = {}
# -------------------------------------------------------------------------------------------------------- matrix

TRIANGLE = Matrix(("oslo", "rome", "bonn"), ((0.0, 3.0, 2.0), (4.0, 0.5, 1.0), (2.0, 1.0, 0.0)))
PLACES = {"ada": "oslo", "bob": "rome", "cyd": "rome"}


def test_a_matrix_is_read_from_the_senders_place_to_the_recipients() -> None:
    network = Network(TRIANGLE)
    assert network.link(0, "ada", "bob", PLACES)() == 3.0
    assert network.link(0, "bob", "ada", PLACES)() == 4.0
    assert network.link(0, "bob", "cyd", PLACES)() == 0.5
    assert network.link(0, "bob", "bob", PLACES)() == 0.0


def test_jitter_is_added_to_a_route() -> None:
    network = Network(msgspec.structs.replace(TRIANGLE, jitter=Uniform(0.0, 0.1)))
    draws = [network.link(seed, "ada", "bob", PLACES)() for seed in range(50)]
    assert 3.0 <= min(draws) < max(draws) <= 3.1
    assert network.latency.bound == 4.1


def test_an_unknown_place_is_found_before_time_0() -> None:
    with pytest.raises(ScenarioError, match="place of dan is ''; expected one of oslo, rome, bonn"):
        Network(TRIANGLE).check({**PLACES, "dan": ""})
    with pytest.raises(ScenarioError, match="place is 'york'"):
        TRIANGLE.between("oslo", "york")
    Network(TRIANGLE).check(PLACES)


# --------------------------------------------------------------------------------------------------------- links

FAULTS: dict[str, float] = {"loss": 0.3, "duplication": 0.4, "reordering": 0.2}


def with_rates(rates: Mapping[str, float]) -> Network:
    return msgspec.structs.replace(Network(), **rates)


def sent(network: Network, count: int = 200, now: float = 0.0, seed: int = 7) -> list[tuple[float, ...]]:
    link = network.faulty_link(seed, "ada", "bob", NOWHERE)
    return [link(now) for _ in range(count)]


def test_each_link_and_direction_has_its_own_delays_and_they_are_repeatable() -> None:
    network = Network()

    def some(seed: int, sender: str, to: str) -> tuple[float, ...]:
        link = network.link(seed, sender, to, NOWHERE)
        return tuple(link() for _ in range(5))

    names = [(7, "ada", "bob"), (7, "bob", "ada"), (7, "ada", "cyd"), (8, "ada", "bob")]
    assert len({some(*name) for name in names}) == 4
    assert some(*names[0]) == some(*names[0])


def test_without_faults_every_message_arrives_once_with_the_delay_of_the_plain_link() -> None:
    plain = Network().link(7, "ada", "bob", NOWHERE)
    assert sent(Network()) == [(plain(),) for _ in range(200)]


def test_what_one_sends_to_oneself_is_local_whatever_the_network_does() -> None:
    network = Network(loss=1.0, duplication=1.0, partitions=(Partition(0, inf, ("ada",)),))
    assert network.link(1, "ada", "ada", NOWHERE)() == 0.0
    assert network.faulty_link(1, "ada", "ada", NOWHERE)(5.0) == (0.0,)


@pytest.mark.parametrize("latency", [Uniform(0.01, 0.05), LogNormal(0.05, 0.4)])
def test_loss_leaves_the_delays_of_the_others_alone(latency: Delay) -> None:
    plain, lossy = sent(Network(latency)), sent(Network(latency, loss=0.3))
    assert 30 < lossy.count(()) < 90
    assert all(after in (before, ()) for before, after in zip(plain, lossy, strict=True))


@given(st.sets(st.sampled_from(sorted(FAULTS))), st.sampled_from(sorted(FAULTS)), st.integers(0, 1000))
def test_switching_a_fault_on_changes_no_draw_of_another(on: set[str], kind: str, seed: int) -> None:
    before = sent(with_rates({k: FAULTS[k] for k in on - {kind}}), seed=seed)
    after = sent(with_rates({k: FAULTS[k] for k in on | {kind}}), seed=seed)
    for old, new in zip(before, after, strict=True):
        if kind == "loss":
            assert new in (old, ())
        elif kind == "duplication":
            assert new[:1] == old[:1]
            assert len(new) <= 2
        else:
            assert len(new) == len(old)
            assert all(held >= plain for plain, held in zip(old, new, strict=True))


def test_turning_a_rate_up_only_adds_to_what_goes_wrong() -> None:
    for kind in FAULTS:
        few, many = sent(with_rates({kind: 0.1})), sent(with_rates({kind: 0.5}))
        plain = sent(Network())
        hit, hit_more = ({i for i in range(200) if run[i] != plain[i]} for run in (few, many))
        assert hit < hit_more
        assert all(few[i] == many[i] for i in hit)


def test_rates_are_met() -> None:
    copies = sent(with_rates(FAULTS), 20_000)
    assert fmean(c == () for c in copies) == pytest.approx(0.3, abs=0.02)
    arrived = [c for c in copies if c]
    assert fmean(len(c) == 2 for c in arrived) == pytest.approx(0.4, abs=0.02)
    assert fmean(d > 0.05 for c in arrived for d in c) == pytest.approx(0.2, abs=0.03)


def test_a_rate_of_one_is_always_and_of_zero_is_never() -> None:
    assert set(sent(Network(loss=1.0))) == {()}
    assert {len(copies) for copies in sent(Network(duplication=1.0))} == {2}
    held = sent(Network(Constant(0.1), reordering=1.0, reorder_by=Constant(5.0)))
    assert set(held) == {(5.1,)}


def test_a_second_copy_has_a_delay_of_its_own() -> None:
    assert all(first != second for first, second in sent(Network(duplication=1.0)))


def test_routes_are_made_on_first_use_and_only_once() -> None:
    network = Network(loss=0.5)
    routes, faulty = network.routes(7, "ada", NOWHERE), network.faulty_routes(7, "ada", NOWHERE)
    assert not routes
    link = network.link(7, "ada", "bob", NOWHERE)
    assert [routes["bob"]() for _ in range(5)] == [link() for _ in range(5)]
    assert [faulty["bob"](0.0) for _ in range(200)] == sent(network)
    assert list(routes) == list(faulty) == ["bob"]


# ---------------------------------------------------------------------------------------------------- partitions


def passes(partition: Partition, sender: str, to: str, now: float = 5.0) -> bool:
    link: Callable[[float], tuple[float, ...]] = Network(partitions=(partition,)).faulty_link(
        1, sender, to, NOWHERE
    )
    return bool(link(now))


def test_a_partition_cuts_both_ways_between_its_sides_only() -> None:
    cut = Partition(0.0, 10.0, ("ada", "bob"), ("cyd",))
    assert not passes(cut, "ada", "cyd")
    assert not passes(cut, "cyd", "bob")
    assert passes(cut, "ada", "bob")
    assert passes(cut, "ada", "dan")
    assert passes(cut, "dan", "cyd")


def test_without_other_a_side_is_cut_off_from_everybody_else() -> None:
    cut = Partition(0.0, 10.0, ("ada", "bob"))
    assert not passes(cut, "ada", "dan")
    assert not passes(cut, "dan", "ada")
    assert passes(cut, "ada", "bob")
    assert passes(cut, "cyd", "dan")


@pytest.mark.parametrize("other", [None, ("bob",)])
def test_a_one_way_partition_lets_its_side_hear(other: tuple[str, ...] | None) -> None:
    cut = Partition(0.0, 10.0, ("ada",), other, one_way=True)
    assert not passes(cut, "ada", "bob")
    assert passes(cut, "bob", "ada")


def test_a_partition_lasts_from_its_start_until_before_its_end_by_the_time_of_sending() -> None:
    cut = Partition(2.0, 4.0, ("ada",))
    assert [passes(cut, "ada", "bob", now) for now in (1.9, 2.0, 3.9, 4.0)] == [True, False, False, True]


def test_a_partition_leaves_the_delays_after_it_alone() -> None:
    cut = Network(partitions=(Partition(0.0, 100.0, ("ada",)),)).faulty_link(7, "ada", "bob", NOWHERE)
    plain = sent(Network(), 200)
    assert [cut(float(now)) for now in range(200)] == [()] * 100 + plain[100:]


def test_after_healing_every_message_arrives_once_and_in_its_usual_time() -> None:
    cut = (Partition(0.0, inf, ("ada",)),)
    sick = msgspec.structs.replace(with_rates(FAULTS), partitions=cut, heal_s=9.0)
    assert sent(sick, now=9.0) == sent(Network())
    assert set(sent(sick, now=8.9)) == {()}


# ------------------------------------------------------------------------------------------------------ settings


def test_faulty_and_linger_say_what_the_runtime_may_rely_on() -> None:
    assert not Network().faulty
    assert Network().linger_s == 0.05
    assert Network(loss=0.1).faulty
    assert Network(loss=0.1).linger_s == 30.0
    assert Network(duplication=0.1).faulty
    assert Network(reordering=0.1).faulty
    assert Network(partitions=(Partition(0, 1, ("ada",)),)).faulty
    assert Network(Constant(31.0)).faulty, "what is too old on arrival is dropped"
    assert Network(Constant(30.0)).linger_s == 30.0
    assert not Network(LogNormal(0.05, 0.5)).faulty, "its bound is some 3 s"


def wrong() -> Iterator[tuple[Callable[[], object], str]]:
    yield lambda: Partition(2.0, 2.0, ("a",)), "end_s is 2.0; expected a time after start_s, which is 2.0"
    yield lambda: Partition(2.0, nan, ("a",)), "end_s is nan"
    yield lambda: Partition(-1.0, 2.0, ("a",)), "start_s is -1.0"
    yield lambda: Partition(0.0, 1.0, ()), "side is "
    yield lambda: Partition(0.0, 1.0, ("a",), ()), "other is "
    yield lambda: Partition(0.0, 1.0, ("a", "b"), ("b",)), "expected no agent of side; b is on both"
    yield lambda: Network(loss=1.1), r"loss is 1.1; expected a probability in \[0, 1\]"
    yield lambda: Network(duplication=-0.1), "duplication is -0.1"
    yield lambda: Network(reordering=nan), "reordering is nan"
    yield lambda: Network(lifetime_s=0.0), "lifetime_s is 0.0; expected more than 0 seconds"
    yield lambda: Network(lifetime_s=inf), "lifetime_s is inf"
    yield lambda: Network(heal_s=-1.0), "heal_s is -1.0"
    yield lambda: Network(latency=0.05), "latency is 0.05; expected a distribution of delays"  # type: ignore[arg-type]
    yield lambda: Network(reorder_by=1.0), "reorder_by is 1.0"  # type: ignore[arg-type]
    alone: Any = Partition(0.0, 1.0, ("a",))
    yield lambda: Network(partitions=alone), r"expected several Partition\(...\), in a tuple"
    name: Any = "ada"
    yield lambda: Partition(0.0, 1.0, name), "side is 'ada'; expected at least one agent, in a tuple"
    yield lambda: Partition(0.0, 1.0, ("a",), name), "other is 'ada'; expected at least one agent, in a tuple"
    yield lambda: Network(forging="maybe"), "forging is 'maybe'; expected True or False"  # type: ignore[arg-type]
    yield lambda: Matrix(("x",), ((0.1,),), 0.1), "jitter is 0.1; expected a distribution of delays"  # type: ignore[arg-type]
    yield lambda: Network(partitions=(("ada",),)), r"partitions is \('ada',\); expected several Partition"  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "message"), list(wrong()))
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_a_partition_names_agents_of_the_world() -> None:
    network = Network(partitions=(Partition(0.0, 1.0, ("ada",), ("zoe",)),))
    with pytest.raises(ScenarioError, match=r"partitions\[0\].other is 'zoe'"):
        network.check({"ada": "", "bob": ""})
    network.check({"ada": "", "zoe": ""})


def test_a_settings_file_names_a_latency_by_its_kind() -> None:
    found = msgspec.convert(
        {
            "latency": {
                "kind": "matrix",
                "places": ["here", "there"],
                "delays_s": [[0, 1], [1, 0]],
                "jitter": {"kind": "log-normal", "median_s": 0.01, "sigma": 0.3},
            },
            "partitions": [{"start_s": 1, "end_s": 2, "side": ["ada"], "one_way": True}],
        },
        Network,
    )
    matrix = Matrix(("here", "there"), ((0.0, 1.0), (1.0, 0.0)), LogNormal(0.01, 0.3))
    assert found == Network(matrix, partitions=(Partition(1.0, 2.0, ("ada",), one_way=True),))
    assert msgspec.yaml.decode(msgspec.yaml.encode(found), type=Network) == found, "infinity included"


def test_a_partition_says_in_words_what_it_cuts() -> None:
    assert str(Partition(1.0, 2.0, ("ada", "bob"))) == (
        "nothing passes between ada, bob and everybody else until 2 s"
    )
    assert str(Partition(1.0, 2.0, ("ada",), ("bob",), one_way=True)) == (
        "nothing passes from ada to bob until 2 s"
    )


@pytest.mark.parametrize("faulty", [False, True])
def test_who_is_added_after_it_was_written_to_is_as_far_away_as_its_place(faulty: bool) -> None:
    places = {"ada": "oslo"}
    network = Network(latency=TRIANGLE)
    plain, any_ = network.routes(1, "ada", places), network.faulty_routes(1, "ada", places)

    def delay() -> float:
        return any_["bob"](0.0)[0] if faulty else plain["bob"]()

    assert delay() == 0.0, "nobody of this name"
    places["bob"] = "rome"
    assert [delay(), delay()] == [3.0, 3.0]


def test_each_copy_is_held_up_or_not_for_itself() -> None:
    network = Network(latency=Constant(0.0), duplication=1.0, reordering=0.5, reorder_by=Uniform(1.0, 2.0))
    link = network.faulty_link(1, "ada", "bob", {})
    copies = [link(0.0) for _ in range(40)]
    assert {(first > 0, second > 0) for first, second in copies} == {
        (a, b) for a in (False, True) for b in (False, True)
    }


def test_how_long_a_copy_is_held_up_does_not_depend_on_the_draw_that_it_is() -> None:
    network = Network(latency=Constant(0.0), reordering=0.2, reorder_by=Uniform(0.0, 1.0))
    link = network.faulty_link(1, "ada", "bob", {})
    held = [delay for (delay,) in (link(0.0) for _ in range(400)) if delay]
    assert max(held) > 0.8
