"""Delays and what may happen to messages: bounds, distributions, and streams that do not disturb each other."""

from collections.abc import Callable, Iterator
from math import exp, inf, log, nan
from random import Random
from statistics import fmean, median

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walras.errors import ScenarioError
from walras.simulation.latency import GREATEST, Latency
from walras.simulation.network import (
    Constant,
    Delay,
    Empirical,
    LogNormal,
    Matrix,
    Network,
    Partition,
    Uniform,
)

NOWHERE: dict[str, str] = {}
seconds = st.floats(0.0, 1e4) | st.sampled_from([0.0, 0.1, 0.3, 1e-300])


@st.composite
def delays(draw: st.DrawFn) -> Delay:
    low, high = sorted((draw(seconds), draw(seconds)))
    if draw(st.booleans()):
        return draw(st.sampled_from([Constant(low), Uniform(low, high)]))
    if draw(st.booleans()):
        return LogNormal(low, draw(st.floats(0.0, 10.0)), high)
    return Empirical(tuple(sorted(draw(st.lists(seconds, min_size=2, max_size=8)))))


class Extreme(Random):
    """Dice that fall on the same number each time."""

    def __init__(self, number: float) -> None:
        super().__init__(0)
        self.number = number

    def random(self) -> float:
        return self.number


# ---------------------------------------------------------------------------------------------------- latencies


@given(delays(), st.integers(0, 2**64))
def test_no_draw_exceeds_the_bound_or_is_negative(latency: Delay, seed: int) -> None:
    draw = latency.sampler(Random(seed))
    assert all(0.0 <= draw() <= latency.bound for _ in range(50))


@given(delays(), st.sampled_from([0.0, 2.0**-53, 0.5, 1.0 - 2.0**-52, GREATEST]))
def test_the_bound_holds_for_the_most_extreme_dice(latency: Delay, number: float) -> None:
    delay = latency.sampler(Extreme(number))()
    assert isinstance(delay, float)
    assert 0.0 <= delay <= latency.bound


@given(delays(), st.integers())
def test_the_same_stream_gives_the_same_delays(latency: Delay, seed: int) -> None:
    one, other = latency.sampler(Random(seed)), latency.sampler(Random(seed))
    assert [one() for _ in range(20)] == [other() for _ in range(20)]


@given(delays(), st.floats(0.0, 100.0))
def test_later_moves_every_draw_by_as_much(latency: Delay, by_s: float) -> None:
    plain, moved = latency.sampler(Random(1)), latency.later(by_s).sampler(Random(1))
    for _ in range(20):
        assert moved() == pytest.approx(plain() + by_s, rel=1e-9, abs=1e-9)


def test_a_draw_takes_one_number_so_that_settings_are_paired() -> None:
    for latency in (Uniform(1.0, 2.0), LogNormal(1.0, 0.5), Empirical((1.0, 2.0, 9.0))):
        used, counted = Random(3), Random(3)
        draw = latency.sampler(used)
        for _ in range(7):
            draw()
            counted.random()
        assert used.random() == counted.random()


def test_constant_draws_a_float_even_if_the_setting_is_a_whole_number() -> None:
    assert type(Constant(1).sampler(Random(0))()) is float


def test_lognormal_has_its_median_and_its_sigma() -> None:
    draw = LogNormal(0.05, 0.5, min_s=1.0).sampler(Random(11))
    logs = [log(draw() - 1.0) for _ in range(20_000)]
    assert exp(median(logs)) == pytest.approx(0.05, rel=0.02)
    assert np.std(logs) == pytest.approx(0.5, rel=0.02)


def test_empirical_follows_its_quantiles() -> None:
    quantiles = (0.0, 1.0, 1.5, 4.0, 10.0)
    draw = Empirical(quantiles).sampler(Random(5))
    drawn = np.quantile([draw() for _ in range(40_000)], [0.25, 0.5, 0.75])
    assert drawn == pytest.approx(quantiles[1:-1], rel=0.03)


@given(st.lists(seconds, min_size=1, max_size=30), st.integers(2, 40))
def test_from_samples_is_the_linear_quantile_and_keeps_the_range(samples: list[float], points: int) -> None:
    found = Empirical.from_samples(samples, points)
    assert (found.quantiles_s[0], found.quantiles_s[-1]) == (min(samples), max(samples))
    assert np.quantile(samples, np.linspace(0, 1, points)) == pytest.approx(found.quantiles_s)


def test_a_latency_of_ones_own_needs_a_sampler_and_has_no_bound_unless_it_says_so() -> None:
    class Odd(Latency, frozen=True):
        pass

    assert Odd().bound == inf
    with pytest.raises(NotImplementedError, match="Odd does not say how its delays are drawn"):
        Odd().sampler(Random(0))
    with pytest.raises(NotImplementedError, match="cannot be shifted"):
        Odd().later(1.0)


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
    before = sent(Network(**{k: FAULTS[k] for k in on - {kind}}), seed=seed)
    after = sent(Network(**{k: FAULTS[k] for k in on | {kind}}), seed=seed)
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
        few, many = sent(Network(**{kind: 0.1})), sent(Network(**{kind: 0.5}))
        plain = sent(Network())
        hit, hit_more = ({i for i in range(200) if run[i] != plain[i]} for run in (few, many))
        assert hit < hit_more
        assert all(few[i] == many[i] for i in hit)


def test_rates_are_met() -> None:
    copies = sent(Network(**FAULTS), 20_000)
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
    sick = Network(**FAULTS, partitions=(Partition(0.0, inf, ("ada",)),), heal_s=9.0)
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
    yield lambda: Constant(-1.0), "seconds is -1.0; expected a finite number of seconds, 0 or more"
    yield lambda: Constant(nan), "seconds is nan"
    yield lambda: Constant("1"), "seconds is '1'"  # type: ignore[arg-type]
    yield lambda: Constant(True), "seconds is True"
    yield lambda: Uniform(0.0, inf), "high_s is inf"
    yield lambda: Uniform(2.0, 1.0), "high_s is 1.0; expected at least low_s, which is 2.0"
    yield lambda: LogNormal(1.0, -0.1), "sigma is -0.1; expected a number in"
    yield lambda: LogNormal(1.0, nan), "sigma is nan"
    yield lambda: Empirical((1.0,)), "expected at least the least and the greatest delay"
    yield lambda: Empirical((1.0, 0.5)), "expected delays in ascending order"
    yield lambda: Empirical((0.0, nan)), r"quantiles_s\[1\] is nan"
    yield lambda: Empirical.from_samples([]), "samples_s is .*; expected at least one measured delay"
    yield lambda: Empirical.from_samples([1.0], 1), "points is 1; expected 2 or more"
    yield lambda: Matrix((), ()), "places is "
    yield lambda: Matrix(("a", "a"), ((0.0, 0.0), (0.0, 0.0))), "expected one or more names, each once"
    yield lambda: Matrix(("a", "b"), ((0.0, 1.0), (1.0,))), "expected 2 rows of 2, as there are places"
    yield lambda: Matrix(("a", "b"), ((0.0, 1.0), (-1.0, 0.0))), "delays_s from b to a is -1.0"
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


@pytest.mark.parametrize(("make", "message"), wrong())
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_a_partition_names_agents_of_the_world() -> None:
    network = Network(partitions=(Partition(0.0, 1.0, ("ada",), ("zoe",)),))
    with pytest.raises(ScenarioError, match="agent of a partition is 'zoe'"):
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
    assert msgspec.json.decode(msgspec.json.encode(found), type=Network) == found


def test_a_partition_says_in_words_what_it_cuts() -> None:
    assert str(Partition(1.0, 2.0, ("ada", "bob"))) == (
        "nothing passes between ada, bob and everybody else until 2 s"
    )
    assert str(Partition(1.0, 2.0, ("ada",), ("bob",), one_way=True)) == (
        "nothing passes from ada to bob until 2 s"
    )
