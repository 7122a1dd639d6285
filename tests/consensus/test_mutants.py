"""Bugs of one line are found, by a seed each; `python -m walras.testing.hunting --hunts 1` has new ones if the draws change."""

import pytest
from msgspec.structs import replace

from walras.simulation.faults import Skew
from walras.study.explore.raft import RaftTarget
from walras.testing.hunting import IN, SECONDS, Hunt, hunt, main, table
from walras.testing.raft_mutants import MUTANTS, mutated

SEEDS = {
    "vote_not_recorded": 3,
    "no_freshness_check": 0,
    "freshness_by_length": 3,
    "votes_of_half": 0,
    "stale_term_accepted": 65,
    "pre_vote_raises_term": 0,
    "old_entry_committed_by_counting": 60,
    "commit_of_half": 0,
    "learner_counted": 40,
    "heartbeat_commit_uncapped": 1,
    "truncation_without_conflict": 3,
    "anchor_not_checked": 1,
    "reply_before_persist": 9,
    "own_write_counted_early": 0,
    "snapshot_without_membership": 0,
    "joint_with_one_majority": 7,
    "premature_configuration": 0,
    "read_without_quorum": 115,
    "read_before_own_commit": 30,
    "sessions_off": 3,
    "sessions_not_in_snapshots": 3,
    "timer_not_redrawn": 8,
    "term_and_vote_in_two_writes": 107,
    "lease_read_with_skew": 54,
    "lease_by_quorum_check": 29,
}


@pytest.mark.parametrize("name", SEEDS)
def test_each_is_found(name: str) -> None:
    assert hunt(name, first=SEEDS[name], limit=1).broken


@pytest.mark.parametrize("name", IN)
def test_what_is_right_stands_in_worlds_made_for_a_mutant(name: str) -> None:
    target = RaftTarget(worlds=IN[name])
    trial = target.run(target.draw(SEEDS[name], SECONDS))

    assert not trial.broken, trial.why


def test_a_read_by_lease_is_stale_where_clocks_differ_and_not_without_that() -> None:
    target = RaftTarget(worlds=IN["lease_read_with_skew"])
    plan = target.draw(SEEDS["lease_read_with_skew"], SECONDS)
    right = tuple(fault for fault in plan.faults.schedule if not isinstance(fault, Skew))
    with mutated("lease_read_with_skew"):
        assert target.run(plan).broken == "linearizability"
        assert not target.run(replace(plan, faults=replace(plan.faults, schedule=right))).broken


def test_what_is_broken_in_a_mutant_is_whole_again_afterwards() -> None:
    target = RaftTarget()
    plan = target.draw(SEEDS["no_freshness_check"], 10.0)
    with mutated("no_freshness_check"):
        assert target.run(plan).broken
    assert not target.run(plan).broken


def test_the_table_has_a_row_for_each_with_all_hunts() -> None:
    hunts = {"sessions_off": [Hunt("sessions_off", 2, "linearizability"), Hunt("sessions_off", 9, "")]}
    row = table(hunts).splitlines()[-1]

    assert row.startswith("| `sessions_off` | A command that comes twice")
    assert row.endswith("| any | 2 (2, >9) | linearizability, nothing |")


def test_hunting_says_which_mutants_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["nobody"])
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert all(name in error.replace("\n", " ") for name in list(MUTANTS)[:3])


def test_a_survivor_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no_freshness_check", "--hunts", "1", "--limit", "3", "--json"]) == 0
    assert '"broken": "' in capsys.readouterr().out
    assert main(["timer_not_redrawn", "--hunts", "1", "--limit", "1", "--json"]) == 1
