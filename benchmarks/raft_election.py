"""How long a Raft cluster is without a leader: ``python -m benchmarks.raft_election --range 150-155 --trials 1000 [--json]``.

The experiment of the Raft paper (extended version, section 9.3 and figure 16), run on the real core in virtual time, so
nothing here depends on the machine. The leader of 5 sends a synchronised round of heartbeats and is crashed uniformly
within its heartbeat interval; half of its followers have logs too short to win. Measured is the time from the crash until
all others have heard the new leader.

What decides the result is the *collision window*: how long after a candidate starts the others may still start too. Here
it is a message's latency, since requests leave while the candidate's own vote is being written, and it is the same for all
ranges: `LATENCY` and `WRITE`. ``docs/raft-elections.md`` has the figures.
"""

import argparse
import heapq
import json
from collections.abc import Callable, Sequence
from math import inf
from random import Random
from statistics import fmean
from typing import Any, Literal, NamedTuple

import numpy as np

from consensus.raft.messages import APPLY_THREAD, Kind, RaftMessage, StorageMessage
from consensus.raft.node import Node
from consensus.raft.ready import Ready
from consensus.raft.records import Configuration, Entry, HardState, NodeId, Snapshot
from consensus.raft.settings import Settings
from consensus.raft.storage import MemoryStorage
from walras.errors import ScenarioError
from walras.messages import Frozen
from walras.randomness import stream
from walras.simulation.latency import Latency, Uniform

TICK_S = 1e-5
"""A hundredth of a millisecond: fine enough for timeouts that differ by a few. Idle ticks cost nothing."""
LATENCY = Uniform(0.002, 0.003)
"""Seconds, one way. With `WRITE` a broadcast (there, a write, and back) takes 8 to 14 ms; the paper has about 15."""
WRITE = Uniform(0.004, 0.008)
"""Seconds until a vote or an entry is durable."""
VOTING = frozenset({Kind.VOTE, Kind.VOTE_RESP, Kind.PRE_VOTE, Kind.PRE_VOTE_RESP})
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


class Setting(Frozen, frozen=True, kw_only=True):
    """What an election is held in. All times in seconds.

    Attributes:
        low_s, high_s: timeouts are uniform between these.
        servers: how many vote; the last of them is the leader that crashes.
        log_lengths: of the followers that are alive, from the first one on; fewer than ``servers - 1`` means that others
            are down too. None: all are alive, and so many logs are short that those who have them can never win.
        heartbeat_s: of the leader; None is half the least timeout. It is crashed at any time within it.
        latency, write: how long a message and a durable write take.
        own_vote: whether a candidate's requests leave while its own vote is written (``parallel``) or after it (``first``).
        timers: what restarts an election timer. ``paper``: a leader's message, a vote given, an own candidacy, as the
            paper's figure 2 has it; ``etcd``: a request from a later term as well, even if it gets no vote.
        pre_vote: whether candidates ask first if they could win.
        limit_s: a trial that has no leader by then counts with this time.
    """

    low_s: float
    high_s: float
    servers: int = 5
    log_lengths: tuple[int, ...] | None = None
    heartbeat_s: float | None = None
    latency: Latency = LATENCY
    write: Latency = WRITE
    own_vote: Literal["parallel", "first"] = "parallel"
    timers: Literal["paper", "etcd"] = "paper"
    pre_vote: bool = False
    limit_s: float = 60.0

    def __post_init__(self) -> None:
        if self.servers < 3:
            raise ScenarioError(
                "servers", self.servers, "3 or more: a leader that crashes, and a majority without it"
            )
        if not 0 < self.low_s <= self.high_s < inf:
            expected = "two times above 0, the smaller one first"
            raise ScenarioError("range", f"{1e3 * self.low_s:g}-{1e3 * self.high_s:g} ms", expected)
        if not 0 < self.heartbeat < self.low_s:
            raise ScenarioError("heartbeat_s", self.heartbeat_s, "above 0 and below the least timeout")
        majority, logs = self.servers // 2 + 1, self.logs
        if not majority <= len(logs) < self.servers:
            raise ScenarioError(
                "log_lengths",
                self.log_lengths,
                f"{majority} to {self.servers - 1} followers, or nobody can win",
            )
        if min(logs) < 1:
            raise ScenarioError("log_lengths", self.log_lengths, "at least 1 entry each")
        if not 0 < self.limit_s < inf:
            raise ScenarioError("limit_s", self.limit_s, "seconds above 0")

    @property
    def logs(self) -> tuple[int, ...]:
        """The length of each live follower's log."""
        if self.log_lengths is not None:
            return self.log_lengths
        short = (self.servers - 1) // 2
        return (2,) * (self.servers - 1 - short) + (1,) * short

    @property
    def heartbeat(self) -> float:
        """Seconds between two heartbeats of the leader."""
        return self.low_s / 2 if self.heartbeat_s is None else self.heartbeat_s


class Failover(NamedTuple):
    """What followed one crash: seconds until the others had heard the new leader, and what it took.

    `vote_messages` are all requests for votes and pre-votes and their answers, also those to servers that are down.
    """

    downtime_s: float
    elections: int
    vote_messages: int


class Server:
    """A follower: the core, its disk, and up to when its clock has run."""

    def __init__(self, node_id: NodeId, log_length: int, setting: Setting, rng: Random) -> None:
        low, high = round(setting.low_s / TICK_S), round(setting.high_s / TICK_S)
        settings = Settings(
            id=node_id,
            election_tick=low,
            election_spread=high - low,
            keep_timer=setting.timers == "paper",
            heartbeat_tick=max(1, round(setting.heartbeat / TICK_S)),
            pre_vote=setting.pre_vote,
            async_storage_writes=setting.own_vote == "parallel",
            applied=1,
        )
        self.storage = MemoryStorage(
            HardState(term=1, vote=setting.servers, commit=1),
            Snapshot(configuration=Configuration(voters=tuple(range(1, setting.servers + 1)))),
            [Entry(term=1, index=index) for index in range(1, log_length + 1)],
        )
        self.node = Node(settings, self.storage, Random(rng.getrandbits(64)))
        self.clock = 0
        self.disk_free_at = 0
        self.writing = False
        self.alarm = 0


class Trial:
    """One crash and what follows it, as events on one heap; time in ticks."""

    def __init__(self, setting: Setting, seed: int, number: int) -> None:
        rng = stream(seed, "election", number)
        self.setting = setting
        self.latency = setting.latency.sampler(stream(seed, "latency", number))
        self.write = setting.write.sampler(stream(seed, "write", number))
        self.servers = {i: Server(i, length, setting, rng) for i, length in enumerate(setting.logs, start=1)}
        self.now = self.serial = self.vote_messages = 0
        self.events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.heard: dict[int, set[NodeId]] = {}
        self.over = False
        self.crash_at = rng.random() * setting.heartbeat
        for i, server in self.servers.items():
            beat = RaftMessage(Kind.HEARTBEAT, i, setting.servers, term=1, commit=1)
            self.after(self.latency(), self.deliver, server, beat)

    def run(self) -> Failover:
        """From the crash until every other live server has heard the new leader."""
        limit = (self.crash_at + self.setting.limit_s) / TICK_S
        while not self.over:
            at, _, handler, arguments = heapq.heappop(self.events)
            if at > limit:
                return self.failover(self.setting.limit_s)
            self.now = at
            handler(*arguments)
        return self.failover(self.now * TICK_S - self.crash_at)

    def failover(self, downtime_s: float) -> Failover:
        elections = max(server.node.raft.term for server in self.servers.values()) - 1
        return Failover(downtime_s, elections, self.vote_messages)

    def after(self, seconds: float, handler: Callable[..., None], *arguments: Any) -> None:
        self.at(self.now + round(seconds / TICK_S), handler, *arguments)

    def at(self, tick: int, handler: Callable[..., None], *arguments: Any) -> None:
        self.serial += 1
        heapq.heappush(self.events, (tick, self.serial, handler, arguments))

    # ------------------------------------------------------------------ what happens to a server
    def catch_up(self, server: Server) -> None:
        server.node.tick(self.now - server.clock)
        server.clock = self.now

    def ring(self, server: Server, alarm: int) -> None:
        if alarm == server.alarm:
            self.catch_up(server)
            self.settle(server)

    def deliver(self, server: Server, message: RaftMessage) -> None:
        self.catch_up(server)
        server.node.step(message)
        raft = server.node.raft
        if message.kind in (Kind.APP, Kind.HEARTBEAT) and message.term == raft.term > 1:
            heard = self.heard.setdefault(message.term, set())
            heard.add(raft.id)
            self.over = len(heard) == len(self.servers) - 1
        self.settle(server)

    def settle(self, server: Server) -> None:
        """Carry out what the server wants done, and wake it when something is due."""
        node = server.node
        while node.has_ready() and not server.writing:
            ready = node.ready()
            if self.setting.own_vote == "parallel":
                self.carry_out(server, ready)
            else:
                self.write_first(server, ready)
        due = node.ticks_until_due()
        if due is not None:
            server.alarm += 1
            self.at(self.now + due, self.ring, server, server.alarm)

    # ------------------------------------------------------------------ storage beside the node
    def carry_out(self, server: Server, ready: Ready) -> None:
        for message in ready.messages:
            if not isinstance(message, StorageMessage):
                self.send(message)
            elif message.to == APPLY_THREAD:
                self.respond(server, message)
            else:
                write = round(self.write() / TICK_S) if ready.must_sync else 0
                server.disk_free_at = max(self.now, server.disk_free_at) + write
                self.at(server.disk_free_at, self.stored, server, message)

    def stored(self, server: Server, message: StorageMessage) -> None:
        self.catch_up(server)
        hard = HardState(message.term, message.vote, message.commit) if message.term else None
        server.storage.write(hard, message.entries, message.snapshot)
        self.respond(server, message)
        self.settle(server)

    def respond(self, server: Server, message: StorageMessage) -> None:
        for response in message.responses:
            if response.to == server.node.raft.id:
                server.node.step(response)
            else:
                self.send(response)

    # ------------------------------------------------------------------ storage before everything else
    def write_first(self, server: Server, ready: Ready) -> None:
        for message in ready.messages:
            if message.kind is Kind.APP:  # the one promise that needs no write
                self.send(message)
        server.writing = True
        self.after(self.write() if ready.must_sync else 0.0, self.written, server, ready)

    def written(self, server: Server, ready: Ready) -> None:
        self.catch_up(server)
        server.storage.write(ready.hard_state, ready.entries, ready.snapshot)
        for message in ready.messages:
            if message.kind is not Kind.APP:
                self.send(message)
        server.node.advance()
        server.writing = False
        self.settle(server)

    def send(self, message: RaftMessage) -> None:
        self.vote_messages += message.kind in VOTING
        to = self.servers.get(message.to)
        if to is not None:
            self.after(self.latency(), self.deliver, to, message)


def failovers(setting: Setting, trials: int, seed: int = 1) -> list[Failover]:
    """So many crashes, each with draws of its own."""
    if trials < 1:
        raise ScenarioError("trials", trials, "1 or more")
    return [Trial(setting, seed, number).run() for number in range(trials)]


def measure(setting: Setting, trials: int, seed: int = 1) -> dict[str, float]:
    """The distribution of the downtime in milliseconds, and how many trials were cut off at the limit."""
    found = [failover.downtime_s for failover in failovers(setting, trials, seed)]
    times = np.array(found) * 1e3
    shown = {"min_ms": float(times.min())}
    shown |= {f"{name}_ms": float(np.quantile(times, share)) for name, share in QUANTILES.items()}
    shown |= {"max_ms": float(times.max()), "mean_ms": fmean(times.tolist())}
    rounded = {name: round(value, 2) for name, value in shown.items()}
    return rounded | {"cut_off": sum(time >= setting.limit_s for time in found)}


# ------------------------------------------------------------------------------------------------- command line


def span(text: str) -> tuple[float, float]:
    """Two numbers of milliseconds, ``150-155``, as seconds."""
    low, dash, high = text.partition("-")
    try:
        return float(low) / 1e3, float(high if dash else low) / 1e3
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of milliseconds such as 150-155") from None


def lengths(text: str) -> tuple[int, ...]:
    """Log lengths, ``2,2,1,1``."""
    return tuple(int(length) for length in text.split(","))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.raft_election", description="Downtime after a crash"
    )
    made.add_argument("--range", type=span, required=True, help="of timeouts in ms, such as 150-155")
    made.add_argument("--trials", type=int, default=1_000, help="how many crashes (1000)")
    made.add_argument("--seed", type=int, default=1, help="of all draws (1)")
    made.add_argument("--servers", type=int, default=5, help="the leader that crashes included (5)")
    made.add_argument("--log-lengths", type=lengths, help="of the live followers (5 servers: 2,2,1,1)")
    made.add_argument("--heartbeat", type=float, help="ms (half the least timeout)")
    made.add_argument("--latency", type=span, help="one way in ms, uniform (2-3)")
    made.add_argument("--write", type=span, help="until a vote is durable in ms, uniform (4-8)")
    made.add_argument("--own-vote", choices=["parallel", "first"], default="parallel",
                      help="a candidate asks while its own vote is written, or afterwards (parallel)")  # fmt: skip
    made.add_argument("--timers", choices=["paper", "etcd"], default="paper",
                      help="whether a request that gets no vote leaves timers alone, or restarts them (paper)")  # fmt: skip
    made.add_argument("--pre-vote", action="store_true", help="ask first whether an election could be won")
    made.add_argument("--limit", type=float, default=60.0, help="seconds after which a trial is cut off (60)")
    made.add_argument("--json", action="store_true", help="for machines")
    return made


def setting_of(options: argparse.Namespace) -> Setting:
    return Setting(
        low_s=options.range[0],
        high_s=options.range[1],
        servers=options.servers,
        log_lengths=options.log_lengths,
        heartbeat_s=None if options.heartbeat is None else options.heartbeat / 1e3,
        latency=LATENCY if options.latency is None else Uniform(*options.latency),
        write=WRITE if options.write is None else Uniform(*options.write),
        own_vote=options.own_vote,
        timers=options.timers,
        pre_vote=options.pre_vote,
        limit_s=options.limit,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    asked = parser()
    options = asked.parse_args(arguments)
    try:
        found = measure(setting_of(options), options.trials, options.seed)
    except ScenarioError as error:
        asked.error(str(error))
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:10} {value:10.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
