"""The explorer: the same plan gives the same run, faults really fire, what breaks is found, shrunk and replayed."""

import gc
import json
from collections import Counter
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from consensus.raft.ready import Ready
from consensus.raft.records import Entry
from consensus.raft.replica import Replica
from walras.cli import main
from walras.errors import ScenarioError
from walras.messages import Frozen
from walras.simulation.faults import Crash, Faults, Pause, Skew, SlowDisk
from walras.simulation.latency import Constant
from walras.simulation.network import Network, Partition
from walras.simulation.simulation import SELDOM
from walras.simulation.swarm import random_faults
from walras.study.explore.counting import FAULTS, fired
from walras.study.explore.explorer import Exploration, explore
from walras.study.explore.plan import Plan, Target, Trial
from walras.study.explore.raft import BRANCHES, Load, RaftTarget
from walras.study.explore.raft_ambush import Ambushes
from walras.study.explore.raft_worlds import SWARM, WORLDS
from walras.study.explore.shrinking import smallest
from walras.study.explore.targets import find_target
from walras.testing.raft_mutants import mutated

SECONDS = 12.0

# ----------------------------------------------------------------------------------------------- a target of our own


class Weights(Frozen, frozen=True):
    weights: tuple[int, ...] = ()


class Scales:
    """Breaks if it is loaded with more than ten while b is down: nothing is simulated."""

    name = "scales"
    plan_type = Plan[Weights]
    expected = ("weighed", "crash")

    def draw(self, seed: int, seconds: float) -> Plan[Weights]:
        network, faults = random_faults(seed, ("a", "b", "c"), seconds)
        return Plan(seed, seconds, network, faults, Weights(tuple(range(seed % 7))))

    def run(self, plan: Plan[Weights], *, digest: bool = False) -> Trial:
        down = any(isinstance(fault, Crash) and fault.agent == "b" for fault in plan.faults.schedule)
        broken = "too heavy" if down and sum(plan.load.weights) >= 9 else ""
        counts = Counter({"weighed": 1, "crash": down})
        return Trial(broken, f"{plan.load}", 1.0, counts, ("creak",) if broken else ())

    def milder(self, plan: Plan[Weights]) -> Iterator[Plan[Weights]]:
        weights = plan.load.weights
        for place in range(len(weights)):
            yield replace(plan, load=Weights(weights[:place] + weights[place + 1 :]))


class Counting(Scales):
    """Scales that count how often they are used."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, plan: Plan[Weights], *, digest: bool = False) -> Trial:
        self.runs += 1
        return super().run(plan)


def test_what_breaks_is_shrunk_to_what_it_takes() -> None:
    found = explore(Scales(), range(100), 30.0)
    (one,) = found.found

    assert len(one.plan.faults.schedule) == 1
    assert sum(one.plan.load.weights) >= 9
    assert all(sum(one.plan.load.weights) - weight < 9 for weight in one.plan.load.weights)
    assert one.plan.seconds <= 1.001
    assert not one.plan.network.partitions
    assert one.plan.network.loss == 0.0
    assert one.shrunk.broken == "too heavy"
    assert str(one).endswith("creak")
    assert found.seeds == one.seed + 1


def test_garbage_is_collected_seldom_while_it_explores() -> None:
    usual, seen = gc.get_threshold(), set()

    class Watched(Scales):
        def run(self, plan: Plan[Weights], *, digest: bool = False) -> Trial:
            seen.add(gc.get_threshold()[0])
            return super().run(plan, digest=digest)

    explore(Watched(), range(3), 30.0)
    assert seen == {SELDOM}
    assert gc.get_threshold() == usual


def test_a_budget_bounds_the_search_for_less() -> None:
    target = Counting()
    drawn = next(plan for seed in range(100) if target.run(plan := target.draw(seed, 30.0)).broken)
    target.runs = 0
    smallest(target, drawn, Scales().run(drawn), 6)

    assert 0 < target.runs <= 6 + 6 // 3 * 2 + 1


def test_it_goes_on_until_enough_is_broken_and_counts_what_happened() -> None:
    found = explore(Scales(), range(300), 30.0, enough=3, shrink=False)

    assert len(found.found) == 3
    assert found.counts["weighed"] == found.seeds
    assert found.missing(Scales.expected) == []
    assert Exploration("scales", 1.0).missing(Scales.expected) == ["weighed", "crash"]
    assert all(one.plan == one.drawn for one in found.found)


@pytest.mark.parametrize(
    "bad",
    [{"seeds": ()}, {"seconds": 0.0}, {"seconds": -1.0}, {"seconds": inf}, {"workers": 0}, {"enough": 0}],
)
def test_nothing_to_do_is_an_error(bad: dict[str, Any]) -> None:
    given = {"seeds": range(3), "seconds": 5.0, **bad}
    with pytest.raises(ScenarioError):
        explore(Scales(), **given)


# ----------------------------------------------------------------------------------------------- counting


def test_faults_are_counted_by_what_they_did() -> None:
    network = Network(
        latency=Constant(0.1),
        partitions=(Partition(0.0, 5.0, ("a",), ("b",)), Partition(5.0, 9.0, ("a",), one_way=True)),
    )
    slow = SlowDisk("b", Constant(0.5), 2.0, 2.0)
    faults = Faults(schedule=(Skew("a", 1.0), slow, Crash("b", 1.0, 1.0), Pause("c", 1.0, 1.0)))
    rows = [
        (0.1, 1, 1, "t", "a", "b", "x", 0.0),
        (0.5, 1, 1, "t", "b", "a", "x", 0.0),
        (1.0, "lost", "t", "b", "a", "x", "on the way"),
        (1.0, "lost", "t", "b", "c", "x", "on the way"),
        (6.0, "lost", "t", "a", "b", "x", "on the way"),
        (6.0, "lost", "t", "b", "a", "x", "on the way"),
        (6.0, "lost", "t", "b", "b", "x", "down"),
        (6.0, "doubled", "t", "b", "a", "x", 6.5),
        (1.0, "crash", "", "b"),
        (2.0, "restart", "", "b"),
        (1.0, "pause", "", "c", 2.0),
        (1.0, "note", "t", "b", "a write was torn"),
        (1.0, "note", "t", "b", "something else"),
        (2.5, "persist", "t", "b", "record"),
        (4.5, "persist", "t", "b", "record"),
        (2.5, "persist", "t", "a", "record"),
    ]
    counts = fired(network, faults, rows)

    assert counts == {
        **dict.fromkeys(FAULTS, 1),
        "message lost": 2,
    }


# ----------------------------------------------------------------------------------------------- Raft


def test_a_slice_of_worlds_holds_and_everything_in_it_happens() -> None:
    found = explore(RaftTarget(), range(25), SECONDS)

    assert not found.found, str(found.found[0])
    assert found.seeds == 25
    assert found.missing((*FAULTS, *BRANCHES)) == []


def test_what_happens_is_counted_from_the_beginning_to_the_end() -> None:
    """Also where the trace of the beginning has been put away long before the end."""
    target = RaftTarget(3)
    calm, often = target.draw(0, SECONDS), tuple(Crash("r1", 1.0 + k, 0.2) for k in range(10))
    load = Load(replicas=3, founders=3, think_s=0.01)
    trial = target.run(replace(calm, network=Network(), faults=Faults(often), load=load))

    assert (trial.counts["crash"], trial.counts["restart"]) == (10, 10)


def test_the_same_plan_gives_the_same_run_also_from_a_file() -> None:
    target = RaftTarget()
    plan = target.draw(7, SECONDS)
    read = msgspec.json.decode(msgspec.json.encode(plan), type=target.plan_type)

    assert read == plan
    assert target.run(read, digest=True) == target.run(plan, digest=True)
    assert target.run(plan, digest=True).digest != target.run(target.draw(8, SECONDS), digest=True).digest


def test_features_are_on_in_some_seeds_and_off_in_others() -> None:
    loads = [RaftTarget().draw(seed, SECONDS).load for seed in range(60)]

    for feature in ("pre_vote", "check_quorum", "compact_every", "reconfigure_s", "transfer_s", "noise_s",
                    "batch_s", "max_inflight", "max_size", "founders", "replicas", "clients",
                    "ambush_elected", "ambush_changing"):  # fmt: skip
        assert len({getattr(load, feature) for load in loads}) > 1, feature
    assert not any(load.lease for load in loads)


@pytest.mark.parametrize("worlds", WORLDS)
def test_nothing_breaks_in_worlds_of_any_kind(worlds: str) -> None:
    found = explore(RaftTarget(worlds=worlds), range(1_000, 1_004), 5.0)

    assert not found.found, str(found.found[0])


def test_worlds_of_a_kind_differ_in_the_rest() -> None:
    """What they have in common is the clients' hurry, and clocks that drift far if they do; the rest is drawn."""
    plans = [RaftTarget(worlds="skewed").draw(seed, SECONDS) for seed in range(40)]
    drifts = [abs(one.drift) for plan in plans for one in plan.faults.schedule if isinstance(one, Skew)]

    assert {plan.load.patience_s for plan in plans} == {WORLDS["skewed"].load["patience_s"]}
    assert max(drifts) > SWARM.drift[1]
    assert {plan.load.replicas for plan in plans} == {3, 5}
    assert len({plan.network for plan in plans}) == len(plans)


def test_an_ambush_cuts_one_side_off_from_the_other_until_everything_heals() -> None:
    ambushes = Ambushes(1, ("r1", "r2", "r3"), 1.0, 1.0, heal_s=2.1)
    ambushes.spring(("r1",), 2.0)

    assert ambushes.between("r1", "r2", 2.0)
    assert ambushes.between("r3", "r1", 2.0)
    assert not ambushes.between("r2", "r3", 2.0)
    assert not ambushes.between("r1", "r2", 1.9)
    assert not ambushes.between("r1", "r2", 2.1)


def test_whoever_wins_an_election_may_be_ambushed() -> None:
    """Nobody hears whoever wins, so others are elected meanwhile, until everything heals."""
    target = RaftTarget(3)
    calm = target.draw(0, SECONDS)
    plan = replace(calm, network=Network(heal_s=SECONDS), faults=Faults(), load=Load(replicas=3, founders=3))
    ambushed = target.run(replace(plan, load=replace(plan.load, ambush_elected=1.0)))

    assert not ambushed.broken, ambushed.why
    assert target.run(plan).counts["election won"] == 1
    assert ambushed.counts["election won"] >= ambushed.counts["ambush"] > 1


def test_progress_is_demanded() -> None:
    """Replicas that are down for good cannot serve anybody, and that is found."""
    target = RaftTarget(3)
    plan = target.draw(3, SECONDS)
    dead = Faults(schedule=(Crash("r1", 1.0, 1e6), Crash("r2", 1.0, 1e6)))
    trial = target.run(replace(plan, faults=dead))

    assert trial.broken == "progress"
    assert trial.transcript


@pytest.mark.parametrize("wrongly", ["one entry is left out", "one entry is another"])
def test_a_machine_that_is_given_something_else_is_found_at_once(
    wrongly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which the logs say nothing, and the machines' states only when everything is over."""
    right = Replica.carry_out

    def carry_out(self: Replica, ready: Ready) -> None:
        given: list[Entry] = []
        for entry in ready.committed_entries:
            if self.me != "r2" or entry.index != 8:
                given.append(entry)
            elif wrongly == "one entry is another":
                given.append(replace(entry, data="something else"))
        right(self, replace(ready, committed_entries=tuple(given)))

    target = RaftTarget(3)
    calm = target.draw(0, SECONDS)
    plan = replace(calm, network=Network(heal_s=SECONDS), faults=Faults(), load=Load(replicas=3, founders=3))
    assert not target.run(plan).broken
    monkeypatch.setattr(Replica, "carry_out", carry_out)
    trial = target.run(plan)

    assert trial.broken == "StateMachineSafety"
    assert trial.ended_s < SECONDS


def test_a_bug_is_found_shrunk_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mutated("vote_not_recorded"):
        code = main(["explore", "raft", "--seeds", "60", "--seconds", "12", "--out", str(tmp_path)])
        said = capsys.readouterr().out
        assert code == 1
        assert "breaks MoreThanOneLeader" in said
        assert "MsgVoteResp" in said
        (file,) = tmp_path.glob("raft-seed-*.json")
        again = main(["explore", "raft", "--plan", str(file)])
        assert again == 1
        assert "MoreThanOneLeader" in capsys.readouterr().out
    assert main(["explore", "raft", "--plan", str(file)]) == 0
    assert "nothing breaks" in capsys.readouterr().out
    summary = json.loads((tmp_path / "exploration.json").read_text())
    assert summary["found"][0]["broken"] == "MoreThanOneLeader"
    shrunk = summary["found"][0]["plan"]
    drawn = RaftTarget().draw(shrunk["seed"], 12.0)
    assert len(shrunk["faults"].get("schedule", ())) <= len(drawn.faults.schedule)
    assert shrunk["seconds"] < 12.0


def test_the_command_says_what_happened_and_what_never_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "raft", "--seed", "3", "--seconds", "2", "--worlds", "alike"]) == 0
    said = capsys.readouterr().out
    assert "1 seed, " in said
    assert "never happened: " in said
    assert main(["explore", "raft", "--seeds", "3:5", "--seconds", "2", "--replicas", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seeds"], found["target"], found["found"]) == (2, "raft", [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("rift",),
        ("raft", "--replicas", "4"),
        ("raft", "--replicas", "1"),
        ("raft", "--replicas", "many"),
        ("raft", "--worlds", "calm"),
        ("raft", "--seeds", "none"),
        ("raft", "--seeds", "5:5"),
        ("raft", "--seeds", "0"),
        ("raft", "--seeds", "-3"),
        ("raft", "--seeds", "true"),
        ("raft", "--seed", "x"),
        ("raft", "--seed", "1.5"),
        ("raft", "--seconds", "0"),
        ("raft", "--seconds", "-3"),
        ("raft", "--seconds", "soon"),
        ("raft", "--seconds", "inf"),
        ("raft", "--workers", "0"),
        ("raft", "--plan", "/nowhere"),
        ("raft", "--plan", __file__),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("walras: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("replicas", 0), ("founders", 9), ("clients", 0), ("keys", 0), ("think_s", 0.0), ("patience_s", 0.0),
     ("reads", 1.5), ("noise_s", -1.0), ("max_inflight", 0), ("compact_every", 0), ("seconds", -1.0)],
)  # fmt: skip
def test_a_plan_that_was_edited_into_nonsense_is_one_sentence(
    field: str, value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = msgspec.to_builtins(RaftTarget().draw(3, 1.0))
    (plan if field in plan else plan["load"])[field] = value
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))

    assert main(["explore", "raft", "--plan", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("walras: ")
    assert field in error
    assert error.count("\n") == 1


def test_unknown_targets_and_settings_are_named() -> None:
    with pytest.raises(ScenarioError, match="one of raft"):
        find_target("paxos")
    target: Target = find_target("raft", replicas=3)
    assert target.name == "raft"


# ----------------------------------------------------------------------------------------------- the standard run


@pytest.mark.soak
def test_the_standard_run_holds_and_everything_in_it_happens() -> None:
    found = explore(RaftTarget(), range(2_000), 20.0)

    assert not found.found, str(found.found[0])
    assert found.missing((*FAULTS, *BRANCHES)) == []


def test_workers_find_the_same() -> None:
    alone, together = (explore(RaftTarget(), range(12), 2.0, workers=workers) for workers in (1, 2))

    assert alone.counts == together.counts
    assert (alone.seeds, alone.simulated_s) == (together.seeds, together.simulated_s)
