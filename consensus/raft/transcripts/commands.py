"""The commands of transcripts, and what each does."""

from collections.abc import Callable
from functools import partial

from consensus.raft.messages import Kind
from consensus.raft.node import Node
from consensus.raft.progress import Progress
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import ConfChange, Configuration, NodeId, Transition
from consensus.raft.settings import ReadOnly, Settings
from consensus.raft.transcripts import pure
from consensus.raft.transcripts.environment import Environment, start_snapshot
from consensus.raft.transcripts.reading import Directive
from walras.errors import WalrasError

ELECTION_TICK = 3
HEARTBEAT_TICK = 1


class Stage:
    """What the directives of one transcript share: a cluster, a configuration, and whether output is silenced."""

    def __init__(self) -> None:
        self.environment = Environment()
        self.membership = pure.Membership()
        self.quiet = False

    def run(self, directive: Directive) -> list[str]:
        """What a directive prints; of a silenced one only an error. Log lines are not printed at all."""
        self.environment.lines = lines = []
        try:
            command = COMMANDS.get(directive.command)
            if command is None:
                raise WalrasError(f"unknown command {directive.command}")
            printed = command(self, directive)
            lines += printed or []
        except WalrasError as error:
            return ([] if self.quiet else lines) + [str(error)]
        return ([] if self.quiet else lines) or ["ok"]


# ------------------------------------------------------------------ the cluster


def add_nodes(stage: Stage, d: Directive) -> None:
    """``add-nodes N voters=(..) learners=(..) index= content= ...``"""
    environment = stage.environment
    configuration = Configuration(
        tuple(sorted(d.numbers("voters"))), learners=tuple(sorted(d.numbers("learners")))
    )
    start = start_snapshot(d.number("index", 0), configuration, d.text("content"))
    for _ in range(int(d.positional[0])):
        environment.add_node(_settings(d, len(environment.members) + 1), start)


def _settings(d: Directive, node: NodeId) -> Settings:
    return Settings(
        id=node,
        election_tick=ELECTION_TICK,
        heartbeat_tick=HEARTBEAT_TICK,
        max_inflight_msgs=d.number("inflight", EVERYTHING),
        max_committed_size_per_ready=d.number("max-committed-size-per-ready", EVERYTHING),
        pre_vote=d.flag("prevote"),
        check_quorum=d.flag("checkquorum"),
        async_storage_writes=d.flag("async-storage-writes"),
        read_only=ReadOnly(d.text("read-only", ReadOnly.SAFE)),
        disable_conf_change_validation=d.flag("disable-conf-change-validation"),
        step_down_on_removal=d.flag("step-down-on-removal"),
    )


def _node(stage: Stage, d: Directive) -> Node:
    return stage.environment[int(d.positional[0])].node


def propose_conf_change(stage: Stage, d: Directive) -> None:
    """``propose-conf-change ID v1=bool transition=auto``, the changes on the input line."""
    changes = pure.parse_changes(" ".join(d.input))
    change = ConfChange(changes, Transition(d.text("transition", Transition.AUTO)))
    _node(stage, d).propose_conf_change(change, v1=d.flag("v1"))


def set_timeout(stage: Stage, d: Directive) -> None:
    """``set-randomized-election-timeout ID timeout=``: in the place of a draw."""
    _node(stage, d).raft.election_timeout = d.number("timeout", 0)


def transfer(stage: Stage, d: Directive) -> None:
    """``transfer-leadership from= to=``"""
    stage.environment[d.number("from", 0)].node.transfer_leader(d.number("to", 0))


# ------------------------------------------------------------------ what happens


def deliver(stage: Stage, d: Directive) -> list[str] | None:
    """``deliver-msgs IDs drop=(..) type=``: first what is delivered, in the order of the arguments."""
    kind = Kind(d.text("type")) if "type" in d.options else None
    environment = stage.environment
    count = sum(environment.deliver(node, kind) for node in d.ids())
    count += sum(environment.deliver(node, kind, drop=True) for node in d.numbers("drop"))
    return None if count else ["no messages"]


def stabilize(stage: Stage, d: Directive) -> None:
    """``stabilize [IDs] [log-level=]``"""
    environment, before = stage.environment, stage.quiet
    if "log-level" in d.options:
        stage.quiet = _silences(d.text("log-level"))
    try:
        environment.stabilize(d.ids() or range(1, len(environment.members) + 1))
        if stage.quiet:
            environment.lines.clear()
    finally:
        stage.quiet = before


def _each(stage: Stage, d: Directive, process: Callable[[NodeId], None], header: str) -> None:
    """One node's output as it is; several nodes' each under a header, and indented."""
    environment = stage.environment
    for node in d.ids():
        if len(d.positional) > 1:
            environment.say(f"> {node} {header}")
            environment.indented(partial(process, node))
        else:
            process(node)


def log_level(stage: Stage, d: Directive) -> None:
    """``log-level LEVEL``: there are no log lines here, but NONE silences all else, too."""
    stage.quiet = _silences(d.positional[0])


def _silences(level: str) -> bool:
    return level.upper() == "NONE"


# ------------------------------------------------------------------ what is seen


def status(stage: Stage, d: Directive) -> list[str]:
    """``status ID``: the progress of each member; nothing of a node that does not lead."""
    return progress_lines(_node(stage, d).status().progress)


def progress_lines(progress: dict[NodeId, Progress]) -> list[str]:
    """A line per member."""
    return [f"{node}: {member}" for node, member in progress.items()]


def raft_state(stage: Stage, _: Directive) -> list[str]:
    """``raft-state``: each node, as it sees itself."""
    lines = []
    for member in stage.environment.members:
        raft = member.node.raft
        voter = "Voter" if raft.id in raft.configuration.electors() else "Non-Voter"
        lines.append(f"{raft.id}: {raft.role.value} ({voter}) Term:{raft.term} Lead:{raft.lead}")
    return lines


Command = Callable[[Stage, Directive], list[str] | None]


def _call(method: Callable[..., object]) -> Command:
    """A command that calls a method of its first node with its further arguments as ids."""

    def command(stage: Stage, d: Directive) -> None:
        method(_node(stage, d), *d.ids()[1:])

    return command


COMMANDS: dict[str, Command] = {
    "committed": lambda _, d: pure.committed(d),
    "vote": lambda _, d: pure.vote(d),
    "simple": lambda stage, d: stage.membership.change(d),
    "enter-joint": lambda stage, d: stage.membership.change(d),
    "leave-joint": lambda stage, d: stage.membership.change(d),
    "add-nodes": add_nodes,
    "campaign": _call(Node.campaign),
    "propose": lambda stage, d: _node(stage, d).propose(d.positional[1]),
    "propose-conf-change": propose_conf_change,
    "tick-election": lambda stage, d: _node(stage, d).tick(ELECTION_TICK),
    "tick-heartbeat": lambda stage, d: _node(stage, d).tick(HEARTBEAT_TICK),
    "set-randomized-election-timeout": set_timeout,
    "transfer-leadership": transfer,
    "forget-leader": _call(Node.forget_leader),
    "report-unreachable": _call(Node.report_unreachable),
    "process-ready": lambda s, d: _each(s, d, s.environment.process_ready, "handling Ready"),
    "process-append-thread": lambda s, d: _each(
        s, d, s.environment.process_append, "processing append thread"
    ),
    "process-apply-thread": lambda s, d: _each(s, d, s.environment.process_apply, "processing apply thread"),
    "deliver-msgs": deliver,
    "stabilize": stabilize,
    "compact": lambda stage, d: stage.environment.compact(*d.ids()),
    "send-snapshot": lambda stage, d: stage.environment.send_snapshot(*d.ids()),
    "raft-log": lambda stage, d: stage.environment.print_log(*d.ids()),
    "raft-state": raft_state,
    "status": status,
    "log-level": log_level,
}
