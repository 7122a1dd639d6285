"""Raft explored: replicas with a key-value store, clients, an administrator, and everything that may go wrong.

After every step the invariants of `consensus.raft.checkers` must hold. When everything has healed, every client must get
an answer and all members must come to the same state within a bounded time; what the clients saw must be
linearizable.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from random import Random
from traceback import extract_tb
from typing import Any

from msgspec.structs import replace

from consensus.linearizability import KEY_VALUE, Recorder, check, operations_of
from consensus.raft.checkers import InvariantError, Invariants
from consensus.raft.kv import KeyValueStore
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Entry, NodeId
from consensus.raft.replica import Replica
from consensus.raft.sessions import Sessions
from consensus.raft.settings import ReadOnly, Settings
from consensus.raft.state import Role
from walras.agents import Agent
from walras.errors import ScenarioError, WalrasError
from walras.messages import AgentId, Frozen
from walras.protocol import on
from walras.randomness import draw, stream
from walras.simulation.faults import Crash
from walras.simulation.network import Partition
from walras.simulation.simulation import Simulation
from walras.simulation.swarm import log_uniform, random_faults
from walras.study.explore.counting import FAULTS, fired
from walras.study.explore.plan import Plan, Trial
from walras.study.explore.raft_ambush import Ambushes
from walras.study.explore.raft_roles import GIVE_UP_S, PATIENCE_S, Administrator, Client
from walras.study.explore.raft_worlds import WORLDS
from walras.trace.rows import MESSAGE

TICK_S = 0.05
ELECTION_TICK, HEARTBEAT_TICK = 6, 3
SETTLE_S = 30.0
"""Within this time after the end of the work the cluster must have come to rest: some thirty elections."""
BUDGET = 50_000
"""Steps of the search for a linearization; a history that needs more counts as unknown."""
TAIL = 60
"""So many last lines of a transcript are kept."""


class Load(Frozen, frozen=True):
    """What a cluster is and has to do. Rates are mean times between two events, seconds; 0: never."""

    replicas: int = 5
    founders: int = 5
    clients: int = 3
    keys: int = 2
    reads: float = 0.3
    think_s: float = 1.0
    patience_s: float = PATIENCE_S
    """After so long without an answer a client asks another replica, seconds."""
    reconfigure_s: float = 0.0
    transfer_s: float = 0.0
    noise_s: float = 0.0
    ambush_elected: float = 0.0
    ambush_changing: float = 0.0
    """The chance that a leader is cut off in a decisive moment, see `walras.study.explore.raft_ambush`."""
    compact_every: int = 1_000_000
    keep: int = 0
    batch_s: float = 0.0
    pre_vote: bool = True
    check_quorum: bool = True
    lease: bool = False
    max_inflight: int = 256
    max_size: int = 1_000_000

    def __post_init__(self) -> None:
        """Of plans that somebody has edited; raises `ScenarioError` for what the replicas would not notice."""
        for names, least, most in (
            (("replicas", "clients", "keys"), 1, inf),
            (("founders",), 1, self.replicas),
            (("think_s",), 0.001, inf),
            (("patience_s",), 0.001, GIVE_UP_S),
            (("reads", "ambush_elected", "ambush_changing"), 0, 1),
            (("reconfigure_s", "transfer_s", "noise_s"), 0, inf),
        ):
            for name in names:
                if not least <= getattr(self, name) <= most:
                    expected = f"at least {least}" if most == inf else f"from {least} to {most}"
                    raise ScenarioError(name, getattr(self, name), expected)

    def settings(self) -> Settings:
        """The knobs of the replicas' core."""
        return Settings(
            id=1,
            election_tick=ELECTION_TICK,
            heartbeat_tick=HEARTBEAT_TICK,
            pre_vote=self.pre_vote,
            check_quorum=self.check_quorum,
            step_down_on_removal=True,
            commit_by_vote=True,
            read_only=ReadOnly.LEASE if self.lease else ReadOnly.SAFE,
            max_inflight_msgs=self.max_inflight,
            max_size_per_msg=self.max_size,
        )


class RaftTarget:
    """Raft, for the explorer.

    Args:
        replicas: how many; an odd number, 3 or more. None: each seed draws 3 or 5.
        lease: whether reads trust leases; worlds that are "skewed" find what that costs.
        worlds: which kind of worlds is drawn, a name in `raft_worlds.WORLDS`.

    Raises:
        ScenarioError: for another number of replicas, or a kind of worlds that there is not.
    """

    name = "raft"
    plan_type = Plan[Load]

    def __init__(self, replicas: Any = None, lease: bool = False, worlds: str = "any") -> None:
        if replicas is not None and (not isinstance(replicas, int) or replicas < 3 or replicas % 2 == 0):
            raise ScenarioError("replicas", replicas, "an odd number of replicas, 3 or more")
        if worlds not in WORLDS:
            raise ScenarioError("worlds", worlds, f"one of {', '.join(WORLDS)}")
        self.replicas, self.lease, self.worlds = replicas, lease, WORLDS[worlds]

    @property
    def expected(self) -> tuple[str, ...]:
        """All faults, and the branches that a Raft that is always well never enters."""
        return (*FAULTS, *BRANCHES)

    # ------------------------------------------------------------------ drawing
    def draw(self, seed: int, seconds: float) -> Plan[Load]:
        """Faults by the swarm, and a load whose features are each on or off."""
        load = replace(self._load(seed), **self.worlds.load)
        if self.lease:
            load = replace(load, lease=True, check_quorum=True)  # without a check a lease never ends
        names, minority = _names(load.replicas), load.replicas // 2
        few = draw(seed, "explore", "few down") < 0.7
        swarm = replace(self.worlds.swarm, together=minority if few else None)
        network, faults = random_faults(seed, names, seconds, swarm, self.worlds.latency)
        rng = stream(seed, "explore", "sides")
        cuts = [_with_clients(cut, names, load.clients, rng) for cut in network.partitions]
        if draw(seed, "explore", "isolation") < (0.4 if load.reconfigure_s else 0.7):
            cuts += _isolations(rng, names, network.heal_s)
        if draw(seed, "explore", "blackout") < 0.5:
            faults = replace(faults, schedule=(*faults.schedule, *_blackouts(rng, names, network.heal_s)))
        return Plan(seed, seconds, replace(network, partitions=tuple(cuts)), faults, load)

    def _load(self, seed: int) -> Load:
        def has(feature: str, chance: float = 0.5) -> bool:
            return draw(seed, "explore", feature) < chance

        rng = stream(seed, "explore", "load")
        reconfigure_s, transfer_s = log_uniform(rng, (0.1, 1.0)), log_uniform(rng, (0.3, 4.0))
        noise_s = log_uniform(rng, (0.2, 1.5))
        compact_every, keep = rng.randrange(3, 20), rng.randrange(4)
        batch_s, inflight = log_uniform(rng, (0.01, 0.3)), rng.randrange(1, 4)
        size, ambush = rng.choice((1, 1, 1, 100)), rng.choice((0.3, 0.6, 0.9))
        split = rng.choice((0.2, 0.6, 1.0))
        changing = has("reconfigure", 0.4)
        replicas = self.replicas or (3 if has("small", 0.4 if changing else 0.7) else 5)
        return Load(
            replicas=replicas,
            founders=max(3, replicas - 2) if changing and has("founders") else replicas,
            clients=rng.randrange(2, 5),
            think_s=log_uniform(rng, (0.05, 1.0)),
            keys=rng.randrange(1, 3),
            reads=rng.choice((0.3, 0.6, 0.8)),
            reconfigure_s=reconfigure_s if changing else 0.0,
            transfer_s=transfer_s if has("transfer") else 0.0,
            noise_s=noise_s if has("noise", 0.7) else 0.0,
            ambush_elected=ambush if has("ambush_elected", 0.5 if changing else 0.8) else 0.0,
            ambush_changing=split if changing and has("ambush_changing", 0.8) else 0.0,
            compact_every=compact_every if has("compact") else 1_000_000,
            keep=keep,
            batch_s=batch_s if has("batch", 0.2) else 0.0,
            pre_vote=changing or has("pre_vote", 0.4),
            check_quorum=changing or has("check_quorum", 0.3),
            max_inflight=inflight if has("inflight") else 256,
            max_size=size if has("size", 0.7) else 1_000_000,
        )

    # ------------------------------------------------------------------ running
    def run(self, plan: Plan[Load], *, digest: bool = False) -> Trial:
        """One world; see the module."""
        world = RaftWorld(plan)
        trial = Trial()
        try:
            world.play()
            trial.broken, trial.why = world.verdict()
        except InvariantError as error:
            trial.broken, trial.why = error.invariant, error.what
        except (AssertionError, WalrasError) as error:
            trial.broken, trial.why = type(error).__name__, f"{error} ({_where(error)})"
        trial.ended_s = world.simulation.now
        rows = list(world.simulation.world.trace.raw())
        trial.counts = fired(plan.network, plan.faults, rows) + world.branches(rows)
        if trial.broken:
            trial.transcript = world.transcript()
        if digest:
            trial.digest = world.simulation.world.trace.digest
        return trial

    def milder(self, plan: Plan[Load]) -> Iterator[Plan[Load]]:
        """Fewer features, fewer clients, less time."""
        for calmer in _calmer(plan.load):
            yield replace(plan, load=calmer)


BRANCHES = (
    "ambush",
    "election won",
    "split vote",
    "entries truncated",
    "snapshot installed",
    "joint configuration",
    "leadership transferred",
    "append rejected",
    "read by index",
    "leader stepped down",
    "history linearizable",
)
"""Every counter of what is rare in Raft."""


class Watched(Replica):
    """A replica that is looked at after each of its inputs."""

    world: Any = None

    def check(self) -> None:
        super().check()
        self.world.saw(self)

    def apply(self, entry: Entry) -> None:
        if entry.index != self.applied + 1:
            detail = f"{self.me} applies entry {entry.index} after {self.applied}"
            raise InvariantError("StateMachineSafety", detail)
        self.world.invariants.applies(entry.index, entry.data)
        super().apply(entry)

    @on(RaftMessage)
    def hear(self, sender: AgentId, message: RaftMessage) -> None:
        if self.world.cut_off(sender, self.me):
            self.ignore(message, "lost in an ambush")
        else:
            super().hear(sender, message)


class RaftWorld:
    """A plan's world while it runs."""

    def __init__(self, plan: Plan[Load]) -> None:
        load = self.load = plan.load
        self.plan, self.names = plan, _names(load.replicas)
        self.invariants = Invariants(leader_writes_first=False, durable=self.durable)
        self.history = Recorder()
        self.healed_s = plan.network.heal_s
        self.ambushes = Ambushes(
            plan.seed, self.names, load.ambush_elected, load.ambush_changing, self.healed_s
        )
        self.simulation = Simulation(seed=plan.seed, network=plan.network, faults=plan.faults, check=True)
        self.world: Any = self.simulation.world
        for name in self.names:
            self.simulation.add(Agent(name))
            self.simulation.seat(name, self.replica(), "raft")
        seats = self.world.seats_of["raft"]
        self.ports: list[Any] = [seats[name] for name in self.names]
        self.clients = [
            Client(
                replicas=self.names, history=self.history, keys=load.keys, reads=load.reads,
                think_s=load.think_s, patience_s=load.patience_s, until_s=plan.seconds, healed_s=self.healed_s,
            )
            for _ in range(load.clients)
        ]  # fmt: skip
        for number, client in enumerate(self.clients, 1):
            self.seat(_client(number), client)
        admin = Administrator(self.names, load.reconfigure_s, load.transfer_s, load.noise_s, self.healed_s)
        if load.reconfigure_s or load.transfer_s or load.noise_s:
            self.seat("admin", admin)

    def seat(self, name: str, role: Any) -> None:
        self.simulation.add(Agent(name))
        self.simulation.seat(name, role, "raft")

    def replica(self) -> Replica:
        load = self.load
        return Watched(
            self.names, world=self, machine=Sessions(KeyValueStore()), voters=self.names[: load.founders],
            settings=load.settings(), tick_s=TICK_S, batch_s=load.batch_s, compact_every=load.compact_every, keep=load.keep,
        )  # fmt: skip

    def saw(self, replica: Replica) -> None:
        """After every input of a replica: the invariants."""
        self.invariants.look((replica.node.raft,))
        if self.load.ambush_elected or self.load.ambush_changing:
            self.ambushes.watch(self.invariants, replica, self.simulation.now)

    def cut_off(self, sender: AgentId, to: AgentId) -> bool:
        """Whether a message of one replica to another is lost in an ambush."""
        return bool(self.ambushes.sides) and self.ambushes.between(sender, to, self.simulation.now)

    def __deepcopy__(self, memo: Any) -> "RaftWorld":
        """Replicas are copied for their next life; what watches them is not a part of them."""
        return self

    def durable(self, node: NodeId) -> int:
        """Up to where a replica's log is on its disk; what it has persisted and is not there yet may be lost."""
        port = self.ports[node - 1]
        if port.disk is None or not (port.disk.writing or port.host.down):
            role = port.role
            assert isinstance(role, Replica)
            return role.storage.last_index()
        for record in reversed(port.disk.records):
            if record.entries:
                return int(record.entries[-1].index)
            if record.snapshot is not None:
                return int(record.snapshot.index)
        return 0

    def play(self) -> None:
        """The work, and then as long as it takes to come to rest."""
        env = self.simulation.env
        env.run(until=self.plan.seconds)
        while self.simulation.now < self.plan.seconds + SETTLE_S and self.unsettled():
            env.run(until=self.simulation.now + 0.25)

    # ------------------------------------------------------------------ judging
    def unsettled(self) -> str:
        """What is still to come; empty if every client was served and all members agree."""
        for number, client in enumerate(self.clients, 1):
            if client.wanted is not None or not client.done:
                return f"client {number} has had no answer since everything healed"
        replicas: list[Any] = [port.role for port in self.ports]
        leaders = [one for one in replicas if one.node.raft.role is Role.LEADER]
        if not leaders:
            return "nobody leads"
        leader = max(leaders, key=lambda one: one.node.raft.term)
        log = leader.node.raft.log
        if log.applied < log.last_index() or leader.node.raft.configuration.joint:
            return f"the leader has applied {log.applied} of {log.last_index()} entries"
        state = leader.machine.snapshot()
        for member in leader.node.raft.configuration.members():
            one = replicas[member - 1]
            if one.applied != leader.applied:
                return f"{self.names[member - 1]} has applied {one.applied} of {leader.applied} entries"
            if one.machine.snapshot() != state:
                raise InvariantError(
                    "StateMachineSafety", f"states differ at {leader.applied}: {one!r}, {leader!r}"
                )
        return ""

    def verdict(self) -> tuple[str, str]:
        """What is broken at the end, and why; two empty strings if nothing is."""
        if why := self.unsettled():
            return "progress", f"{SETTLE_S:g} s after the end, {why}"
        found = check(operations_of(self.history.events), KEY_VALUE, BUDGET)
        self.invariants.sightings["history linearizable" if found.linearizable else "history unknown"] += 1
        return ("linearizability", str(found)) if found.linearizable is False else ("", "")

    def branches(self, rows: list[Any]) -> Counter[str]:
        """How often something rare has happened."""
        counts = Counter(self.invariants.sightings)
        counts["ambush"] = self.ambushes.sprung
        counts["split vote"] = self.invariants.split_votes()
        for row in rows:
            if row[1] == MESSAGE and row[6]["type"] == RaftMessage.__name__:
                kind = row[6]["kind"]
                counts["append rejected"] += kind == Kind.APP_RESP and "reject" in row[6]
                counts["read by index"] += kind == Kind.READ_INDEX
                counts["leadership transferred"] += kind == Kind.TIMEOUT_NOW
        return counts

    def transcript(self) -> tuple[str, ...]:
        """The last things that happened."""
        lines = str(self.world.trace.conversation("raft")).splitlines()
        return tuple(lines[-TAIL:])


def _names(replicas: int) -> tuple[str, ...]:
    return tuple(f"r{number}" for number in range(1, replicas + 1))


def _client(number: int) -> str:
    return f"client-{number}"


def _with_clients(cut: Partition, names: tuple[str, ...], clients: int, rng: Random) -> Partition:
    """The same cut with clients on both sides, or with all of them on neither: who is cut off is still asked."""
    if rng.random() < 0.5:
        return replace(cut, other=tuple(name for name in names if name not in cut.side))
    beside = tuple(_client(number) for number in range(1, clients + 1) if rng.random() < 0.5)
    return replace(cut, side=(*cut.side, *beside))


def _isolations(rng: Random, names: tuple[str, ...], heal_s: float) -> Iterator[Partition]:
    """One minority after the other is cut off from the other replicas, and clients hear both: two leaders at a time."""
    count = rng.randrange(1, 13)
    starts = sorted(round(rng.uniform(0.05, 1.0) * heal_s, 3) for _ in range(count))
    for start, end in pairwise((*starts, heal_s)):
        side = tuple(rng.sample(names, rng.randrange(1, len(names) // 2 + 1)))
        other = tuple(name for name in names if name not in side)
        if end > start:
            yield Partition(start, end, side, other, one_way=rng.random() < 0.2)


def _blackouts(rng: Random, names: tuple[str, ...], heal_s: float) -> Iterator[Crash]:
    """All machines stop within a moment, once or twice, and come back soon: what was not durable is gone everywhere."""
    for _ in range(rng.randrange(1, 3)):
        at = rng.uniform(0.1, 0.9) * heal_s
        for name in names:
            start = round(at + rng.uniform(0.0, 0.2), 3)
            yield Crash(name, start, round(min(rng.uniform(0.02, 0.4), max(heal_s - start, 0.02)), 3))


def _calmer(load: Load) -> Iterator[Load]:
    usual = Load(replicas=load.replicas, founders=load.replicas)
    for field in load.__struct_fields__:
        if field not in ("think_s", "lease", "replicas") and getattr(load, field) != getattr(usual, field):
            yield replace(load, **{field: getattr(usual, field)})
    if load.clients > 1:
        yield replace(load, clients=load.clients - 1)
    if load.keys > 1:
        yield replace(load, keys=1)
    if load.think_s < 2.0:
        yield replace(load, think_s=round(load.think_s * 2, 3))


def _where(error: BaseException) -> str:
    frame = extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
