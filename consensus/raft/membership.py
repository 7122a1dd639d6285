"""Who takes part: membership changes proposed and applied, and snapshots as a source of membership (Ongaro 2014, 4)."""

from consensus.raft import confchange
from consensus.raft.elections import become_follower
from consensus.raft.errors import ConfChangeError
from consensus.raft.progress import Window, tracked
from consensus.raft.records import NONE, ConfChange, Configuration, Entry, EntryKind, Snapshot
from consensus.raft.replication import broadcast_append, maybe_commit, send_append
from consensus.raft.state import Raft, Role, trace


def screened(raft: Raft, proposed: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """What enters the leader's log in the place of what was proposed: a change that does not fit is emptied.

    It takes effect only when it is applied, so there may be one at a time between log and state.
    """
    entries = list(proposed)
    first = raft.log.last_index() + 1
    for place, entry in enumerate(proposed):
        if entry.kind is EntryKind.NORMAL:
            continue
        assert isinstance(entry.data, ConfChange), f"a membership change holds {entry.data!r}"
        if raft.settings.disable_conf_change_validation or not why_not(raft, entry.data):
            raft.pending_conf_index = first + place
            if raft.trace is not None:
                trace(raft, "ChangeConf", changes=[f"{c.kind}{c.node}" for c in entry.data.changes])
        else:
            entries[place] = Entry()
    return tuple(entries)


def why_not(raft: Raft, change: ConfChange) -> str:
    """Why a change cannot be taken now, empty if it can."""
    if raft.pending_conf_index > raft.log.applied:
        return f"one may be pending: {raft.pending_conf_index} is not applied, {raft.log.applied} is"
    if not change.changes and not raft.configuration.joint:
        return "there is no joint configuration to leave"
    try:
        confchange.changed(raft.configuration, change)
    except ConfChangeError as error:
        return str(error)
    return ""


def apply_conf_change(raft: Raft, change: ConfChange) -> Configuration:
    """A committed change takes effect; raises `ConfChangeError`, and nothing has changed."""
    switch_to(raft, confchange.changed(raft.configuration, change))
    if raft.trace is not None:
        trace(raft, "ApplyConfChange")
    return raft.configuration


def switch_to(raft: Raft, configuration: Configuration) -> None:
    """From now on this configuration counts."""
    settings = raft.settings
    window = Window(settings.max_inflight_msgs, settings.max_inflight_bytes)
    raft.progress = tracked(configuration, raft.progress, raft.log.last_index(), window)
    raft.configuration = configuration
    raft.peers = tuple(node for node in raft.progress if node != raft.id)
    if raft.role is not Role.LEADER:
        return
    own = raft.progress.get(raft.id)
    if own is None or own.is_learner:
        if settings.step_down_on_removal:
            become_follower(raft, raft.term, NONE)
        return
    if maybe_commit(raft):  # the new majorities may have more than the old ones had
        broadcast_append(raft)
    else:  # there is no reason to let newcomers wait for a heartbeat
        for peer in raft.peers:
            send_append(raft, peer, even_if_empty=False)
    if raft.transferee not in configuration.electors():
        raft.transferee = NONE


def restore(raft: Raft, snapshot: Snapshot) -> bool:
    """A leader's snapshot takes the place of log and membership, if it holds more than is committed here.

    Not if the log has its last entry already: then that much is committed, and the log stays. Nor if this node is
    not in it: it would be outside of its own configuration.
    """
    log = raft.log
    if snapshot.index <= log.committed:
        return False
    configuration = snapshot.configuration
    if raft.id not in configuration.members():
        return False
    if log.matches(snapshot.index, snapshot.term):
        log.commit_to(snapshot.index)
        return False
    log.restore(snapshot)
    switch_to(raft, confchange.checked(configuration))
    return True
