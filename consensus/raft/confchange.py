"""Membership changes: from one configuration to the next. Pure functions; a change that fails changes nothing.

Single-step changes may alter one voter, so that old and new majorities overlap; more go through a joint configuration,
in which both majorities must agree (Ongaro 2014, chapter 4). Node 0 is ignored: an application that decided
against a change applies it with that id.
"""

from collections.abc import Iterable

from consensus.raft.errors import ConfChangeError
from consensus.raft.records import NONE, Change, ChangeKind, ConfChange, Configuration, NodeId


def changed(config: Configuration, change: ConfChange) -> Configuration:
    """The configuration after a change of any form; raises `ConfChangeError`."""
    if change.leaves_joint:
        return leave_joint(config)
    if change.enters_joint:
        return enter_joint(config, change.changes, change.leaves_by_itself)
    return simple(config, change.changes)


def simple(config: Configuration, changes: Iterable[Change]) -> Configuration:
    """Changes at once, of at most one voter and any learners."""
    if config.joint:
        raise ConfChangeError("can't apply simple config change in joint config")
    after = _apply(config, changes)
    if len(set(config.voters) ^ set(after.voters)) > 1:
        raise ConfChangeError("more than one voter changed without entering joint config")
    return after


def enter_joint(config: Configuration, changes: Iterable[Change], auto_leave: bool) -> Configuration:
    """Any changes, through a joint configuration: today's voters become its outgoing half."""
    if config.joint:
        raise ConfChangeError("config is already joint")
    if not config.voters:
        raise ConfChangeError("can't make a zero-voter config joint")
    joint = Configuration(config.voters, config.voters, config.learners, (), auto_leave)
    return _apply(joint, changes)


def leave_joint(config: Configuration) -> Configuration:
    """Only the incoming half remains, and the demoted voters are learners now."""
    if not config.joint:
        raise ConfChangeError("can't leave a non-joint config")
    return Configuration(config.voters, learners=_sorted({*config.learners, *config.learners_next}))


def checked(config: Configuration) -> Configuration:
    """The configuration itself; an assertion fails if its parts contradict each other."""
    voters, outgoing, learners = set(config.voters), set(config.outgoing), set(config.learners)
    staged = set(config.learners_next)
    assert not learners & (voters | outgoing), f"a learner votes: {config}"
    assert staged <= outgoing, f"who is to be demoted must be leaving: {config}"
    assert not staged & (learners | voters), f"who is to be demoted must not be settled yet: {config}"
    assert config.joint or not config.auto_leave, f"there is nothing to leave: {config}"
    return config


def _apply(config: Configuration, changes: Iterable[Change]) -> Configuration:
    """The incoming half after some changes, in their order."""
    voters, learners, staged = set(config.voters), set(config.learners), set(config.learners_next)
    for change in changes:
        node = change.node
        if node == NONE or change.kind is ChangeKind.UPDATE:
            continue
        for group in (voters, learners, staged):
            group.discard(node)
        if change.kind is ChangeKind.VOTER:
            voters.add(node)
        elif change.kind is ChangeKind.LEARNER:
            # While it still votes in the outgoing half it cannot be a learner, too.
            (staged if node in config.outgoing else learners).add(node)
    if not voters:
        raise ConfChangeError("removed all voters")
    return checked(
        Configuration(_sorted(voters), config.outgoing, _sorted(learners), _sorted(staged), config.auto_leave)
    )


def _sorted(nodes: Iterable[NodeId]) -> tuple[NodeId, ...]:
    return tuple(sorted(nodes))
