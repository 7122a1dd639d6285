"""What is said to a replica and by it: local tells by the other roles of its agent, and messages by clients.

Local (`Protocol.tell`), by a role that lives on the log, such as a replicated auctioneer::

    Listen(after)              ->   Installed(index, data), if the log does not reach back so far; then all that follows:
                                    Committed(index, command) ...  Leading(leading, term) ...
    Propose(command)           ->   nothing, until it is Committed; or Dropped(command, why)
    Read(number)               ->   ReadAt(number, index), after everything up to index was told: read now
    Compact(index, data)            everything told up to index is in data: the log may forget it

By messages, from anywhere::

    Submit(number, command)    ->   Reply(number, result), once it is applied; Redirect(number, leader, why)
    Query(number, question)    ->   Reply(number, result), linearizable, from any replica

From both: `Reconfigure`, `TransferLeader`. Every request may be lost, with its answer, and be made again; what is
submitted twice may happen twice, unless it goes through a session (`consensus.raft.sessions`).
"""

from collections.abc import Iterator

from consensus.raft.machine import Data, Journal, Result, StateMachine
from consensus.raft.records import ConfChange
from consensus.raft.storage import MemoryStorage
from walras.messages import AgentId, Fact, Message

# ------------------------------------------------------------------ from and to roles of the same agent


class Listen(Message, frozen=True):
    """Tell this conversation all that is committed behind an index; asked again, it begins again there."""

    after: int = 0


class Committed(Message, frozen=True):
    """The next command: in the order of the log, each index once (per `Listen`), the same at all replicas."""

    index: int
    command: Data


class Installed(Message, frozen=True):
    """In the place of all commands up to an index: the state after them, as `snapshot` or `Compact` gave it."""

    index: int
    data: Data


class Leading(Message, frozen=True):
    """Whether this replica leads, in a term. True comes only after all that was committed in earlier terms."""

    leading: bool
    term: int


class Propose(Message, frozen=True):
    """Put a command into the log; a follower sends it on to its leader. Taken is not committed: ask again."""

    command: Data


class Dropped(Message, frozen=True):
    """A proposal was not taken: no leader is known, say. Nothing was recorded."""

    command: Data
    why: str


class Read(Message, frozen=True):
    """When may a linearizable read be served? The number names the request."""

    number: int


class ReadAt(Message, frozen=True):
    """Now: all that was committed when `Read` came has been told, up to `index` and perhaps beyond."""

    number: int
    index: int


class Compact(Message, frozen=True):
    """A listener's whole state after an index: its log may begin there, for newcomers and for the listener's next life."""

    index: int
    data: Data


def retold(machine: StateMachine, storage: MemoryStorage, applied: int, after: int) -> Iterator[Message]:
    """What a listener is told of all that was applied behind an index, from the log or else from the machine's state."""
    if isinstance(machine, Journal):
        if machine.index > after:
            yield Installed(machine.index, machine.data)
        kept = machine.commands
    elif after < storage.latest.index:
        yield Installed(applied, machine.snapshot())
        return
    else:
        entries = storage.entries(after + 1, applied + 1)
        kept = [(e.index, e.data) for e in entries if e.data and not isinstance(e.data, ConfChange)]
    for index, command in kept:
        if index > after:
            yield Committed(index, command)


# ------------------------------------------------------------------ from and to clients


class Submit(Message, frozen=True):
    """Append a command, and say what came of it. The number is the client's own."""

    number: int
    command: Data


class Query(Message, frozen=True):
    """Ask the state machine something, at a moment between question and answer."""

    number: int
    question: Data


class Reply(Message, frozen=True):
    """What a command or a question came to."""

    number: int
    result: Result = None


class Redirect(Message, frozen=True):
    """Not here, or not now: ask `leader`, or anybody if it is empty. The request may still take effect if it was taken."""

    number: int
    leader: AgentId = ""
    why: str = ""


# ------------------------------------------------------------------ about the cluster, from both


class Reconfigure(Message, frozen=True):
    """Make these the members, in one step, through a joint configuration if more than one changes.

    The answer to a client is a `Reply` once the change is in force, or a `Redirect` that says why not.
    """

    number: int
    voters: tuple[AgentId, ...]
    learners: tuple[AgentId, ...] = ()


class TransferLeader(Message, frozen=True):
    """Hand the leadership to a voter, if it can take it within an election timeout."""

    to: AgentId


# ------------------------------------------------------------------ facts, for traces and metrics


class Elected(Fact, frozen=True):
    """A replica has become leader, and knows all that was committed before."""

    term: int


class Deposed(Fact, frozen=True):
    """A replica leads no longer."""

    term: int
