"""The commands about pure functions: majorities, and changes of configuration."""

import msgspec

from consensus.raft import confchange
from consensus.raft.errors import ConfChangeError
from consensus.raft.progress import Progress, Window, tracked
from consensus.raft.quorum import EVERYTHING, joint_committed, joint_vote_result
from consensus.raft.records import Change, ChangeKind, Configuration, NodeId
from consensus.raft.transcripts.reading import Directive


def committed(directive: Directive) -> list[str]:
    """A chart of who has acknowledged what, and the committed index."""
    voters, outgoing, ids = _halves(directive)
    values = zip(ids, directive.options.get("idx", ()), strict=True)
    acknowledged = {node: int(value) for node, value in values if value != "_"}
    index = joint_committed(voters, outgoing, acknowledged)
    result = "∞" if index == EVERYTHING else str(index)
    if not ids:
        return [f"<empty majority quorum>{result}"]
    return [*_chart(ids, acknowledged), result]


def _chart(ids: tuple[NodeId, ...], acknowledged: dict[NodeId, int]) -> list[str]:
    """A bar for each id, as long as its rank."""
    count = len(ids)
    lines = [" " * (count + 4) + "idx"]
    for node in sorted(ids):
        index = acknowledged.get(node, 0)
        rank = sum(acknowledged.get(other, 0) < index for other in ids)
        bar = "x" * rank + ">" if node in acknowledged else "?"
        lines.append(f"{bar:{count + 1}} {index:>5}    (id={node})")
    return lines


def vote(directive: Directive) -> list[str]:
    """How a vote stands."""
    voters, outgoing, ids = _halves(directive)
    values = zip(ids, directive.options.get("votes", ()), strict=True)
    votes = {node: value == "y" for node, value in values if value != "_"}
    return [joint_vote_result(voters, outgoing, votes).value]


def _halves(directive: Directive) -> tuple[tuple[NodeId, ...], tuple[NodeId, ...], tuple[NodeId, ...]]:
    """Both halves, and the distinct ids in the order in which they are named."""
    voters = directive.numbers("cfg")
    outgoing = () if directive.text("cfgj") == "zero" else directive.numbers("cfgj")
    return voters, outgoing, tuple(dict.fromkeys(voters + outgoing))


class Membership(msgspec.Struct):
    """A configuration under changes; the log is one entry longer after each, so that `next` tells when one joined."""

    configuration: Configuration = Configuration()
    progress: dict[NodeId, Progress] = {}
    last_index: int = 0

    def change(self, directive: Directive) -> list[str]:
        """One command; a change that fails prints why, and leaves everything as it was."""
        changes = parse_changes(" ".join(directive.input))
        try:
            if directive.command == "simple":
                after = confchange.simple(self.configuration, changes)
            elif directive.command == "enter-joint":
                after = confchange.enter_joint(self.configuration, changes, directive.flag("autoleave"))
            else:
                after = confchange.leave_joint(self.configuration)
        except ConfChangeError as error:
            return [str(error)]
        else:
            self.configuration = after
            self.progress = tracked(after, self.progress, self.last_index, Window())
            return [str(after), *(f"{node}: {progress}" for node, progress in self.progress.items())]
        finally:
            self.last_index += 1


def parse_changes(text: str) -> tuple[Change, ...]:
    """``v1 l2 r3 u4``: voter, learner, remove, update."""
    return tuple(Change(ChangeKind(word[0]), int(word[1:])) for word in text.split())
