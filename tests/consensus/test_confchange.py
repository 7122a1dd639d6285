"""Membership changes: what each does, what is refused, and that majorities of neighbours always overlap."""

from itertools import combinations

import pytest
from hypothesis import assume, given, strategies as st

from consensus.raft.confchange import changed, enter_joint, leave_joint, simple
from consensus.raft.errors import ConfChangeError
from consensus.raft.progress import Progress, Window, tracked
from consensus.raft.records import Change, ChangeKind, ConfChange, Configuration, Transition

CHANGES = st.lists(st.builds(Change, st.sampled_from(list(ChangeKind)), st.integers(0, 6)), max_size=5).map(
    tuple
)
START = Configuration(voters=(1, 2, 3))


def parse(text: str) -> tuple[Change, ...]:
    return tuple(Change(ChangeKind(word[0]), int(word[1:])) for word in text.split())


@given(CHANGES)
def test_any_majority_before_and_after_a_simple_change_share_a_voter(changes: tuple[Change, ...]) -> None:
    try:
        after = simple(START, changes)
    except ConfChangeError:
        return
    for old in combinations(START.voters, len(START.voters) // 2 + 1):
        for new in combinations(after.voters, len(after.voters) // 2 + 1):
            assert set(old) & set(new), (old, new)


@given(CHANGES, st.booleans())
def test_a_joint_configuration_keeps_the_old_half_until_it_is_left(
    changes: tuple[Change, ...], auto_leave: bool
) -> None:
    try:
        joint = enter_joint(START, changes, auto_leave)
    except ConfChangeError:
        assume(False)
    after = leave_joint(joint)

    assert joint.outgoing == START.voters
    assert joint.auto_leave == auto_leave
    assert after == Configuration(joint.voters, learners=after.learners)
    assert set(after.learners) == set(joint.learners) | set(joint.learners_next)
    assert set(after.members()) <= set(joint.members())


@given(st.lists(st.one_of(CHANGES, st.none()), max_size=8))
def test_no_series_of_changes_makes_a_member_both_voter_and_learner(
    series: list[tuple[Change, ...] | None],
) -> None:
    config = START
    for changes in series:
        try:
            if changes is None:
                config = leave_joint(config)
            else:
                config = changed(config, ConfChange(changes, Transition.EXPLICIT))
        except ConfChangeError:
            continue
        assert config.voters, "somebody must vote"
        assert not set(config.learners) & set(config.electors())
        assert set(config.learners_next) <= set(config.outgoing)
        assert not set(config.learners_next) & (set(config.voters) | set(config.learners))


@pytest.mark.parametrize(
    ("before", "changes", "why"),
    [
        (START, "r1 r2 r3", "removed all voters"),
        (START, "v4 v5", "more than one voter changed without entering joint config"),
        (START, "r1 v4", "more than one voter changed without entering joint config"),
        (enter_joint(START, (), False), "l9", "can't apply simple config change in joint config"),
    ],
)
def test_what_a_simple_change_may_not_do(before: Configuration, changes: str, why: str) -> None:
    with pytest.raises(ConfChangeError, match=why):
        simple(before, parse(changes))


def test_what_a_joint_change_may_not_do() -> None:
    joint = enter_joint(START, parse("v4"), False)

    with pytest.raises(ConfChangeError, match="config is already joint"):
        enter_joint(joint, (), True)
    with pytest.raises(ConfChangeError, match="can't make a zero-voter config joint"):
        enter_joint(Configuration(), parse("v1"), False)
    with pytest.raises(ConfChangeError, match="can't leave a non-joint config"):
        leave_joint(START)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ConfChange(parse("v4")), "voters=(1 2 3 4)"),
        (ConfChange(parse("r3")), "voters=(1 2)"),
        (ConfChange(parse("v4 r1")), "voters=(2 3 4)&&(1 2 3) autoleave"),
        (ConfChange(parse("v4"), Transition.IMPLICIT), "voters=(1 2 3 4)&&(1 2 3) autoleave"),
        (ConfChange(parse("v4"), Transition.EXPLICIT), "voters=(1 2 3 4)&&(1 2 3)"),
        (ConfChange((), Transition.EXPLICIT), "voters=(1 2 3)&&(1 2 3)"),
        (ConfChange(parse("l2 l4"), Transition.EXPLICIT), "voters=(1 3)&&(1 2 3) learners=(4) learners_next=(2)"),
    ],
)  # fmt: skip
def test_which_way_a_change_takes(change: ConfChange, expected: str) -> None:
    assert str(changed(START, change)) == expected


def test_an_empty_change_leaves_a_joint_configuration() -> None:
    joint = changed(START, ConfChange(parse("r1 l2 v4")))

    assert str(changed(joint, ConfChange())) == "voters=(3 4) learners=(2)"


def test_a_newcomer_is_tracked_from_the_end_of_the_log_and_others_keep_what_is_known() -> None:
    before = tracked(START, {}, 0, Window())
    before[2].acknowledge(7)
    after = tracked(changed(START, ConfChange(parse("l9"))), before, 12, Window(max_count=3))

    assert list(after) == [1, 2, 3, 9]
    assert after[2] is before[2]
    assert isinstance(after[9], Progress)
    assert str(after[9]) == "StateProbe match=0 next=12 learner"
    assert after[9].inflights.max_count == 3


def test_a_demoted_voter_is_a_learner_only_once_the_joint_configuration_is_left() -> None:
    members = tracked(START, {}, 0, Window())
    joint = changed(START, ConfChange(parse("l2"), Transition.EXPLICIT))

    assert not tracked(joint, members, 0, Window())[2].is_learner
    assert tracked(leave_joint(joint), members, 0, Window())[2].is_learner
