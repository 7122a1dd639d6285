"""Faults drawn by chance, seed by seed, and the search for the fewest of them that still break something.

Swarm testing (Groce, Zhang, Eide, Chen and Regehr, "Swarm testing", ISSTA 2012): each kind of fault is on or
off for a seed as a whole, since kinds that are always on together hide each other's bugs. Everything heals in
the end, so that a test can ask for progress and not only for safety.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from random import Random

from msgspec.structs import replace

from walras.messages import AgentId, Frozen
from walras.randomness import draw, stream
from walras.simulation.checks import check_number, check_probability
from walras.simulation.fault_kinds import shorter
from walras.simulation.faults import Crash, Faults, Pause, Scheduled, Skew, SlowDisk, without_parts
from walras.simulation.latency import Constant, Delay, LogNormal, Matrix, Uniform
from walras.simulation.network import Network, Partition

_LATENCY = Uniform(0.01, 0.05)

Range = tuple[float, float]
"""From the least to the greatest; what is drawn from it is uniform on a logarithmic scale."""


class Swarm(Frozen, frozen=True):
    """How often and how badly things go wrong in a seed that has this kind of fault; each is on by `chance`.

    Of crashes, pauses and slow disks each agent has so many on average before everything heals; of partitions,
    the whole network. Times are in seconds, rates are probabilities.
    """

    chance: float = 0.5
    heal_at: float = 0.7
    """When everything heals, as a share of the horizon."""
    together: int | None = None
    """How many agents may be down or paused at the same time; None: any number."""
    loss: Range = (0.001, 0.3)
    duplication: Range = (0.001, 0.3)
    reordering: Range = (0.001, 0.3)
    reorder_by_s: Range = (0.05, 2.0)
    partitions: Range = (0.5, 5.0)
    crashes: Range = (0.2, 3.0)
    pauses: Range = (0.2, 3.0)
    slow_disks: Range = (0.2, 3.0)
    span_s: Range = (0.05, 10.0)
    """How long one of them lasts; none lasts beyond the healing."""
    between_s: float = 0.1
    """How long an agent is well at least between two crashes, or between two pauses."""
    fsync_s: Range = (0.0001, 0.05)
    write_survives: Range = (0.05, 1.0)
    offset_s: Range = (0.001, 1.0)
    drift: Range = (1e-6, 1e-3)

    def __post_init__(self) -> None:
        check_probability("chance", self.chance)
        check_probability("heal_at", self.heal_at)
        check_number("between_s", self.between_s, 1e-3, 1e9, "at least a millisecond")
        if self.together is not None:
            check_number("together", self.together, 0, inf, "0 or more agents, or None")
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, tuple):
                check_number(f"least {field}", value[0], 1e-12, 1e9, "a number above 0")
                check_number(f"greatest {field}", value[1], value[0], 1e9, f"at least {value[0]}, the least")
        for field in ("loss", "duplication", "reordering", "write_survives"):
            check_probability(f"greatest {field}", getattr(self, field)[1])


_SWARM = Swarm()


def random_faults(
    seed: int,
    agents: Sequence[AgentId],
    horizon_s: float,
    swarm: Swarm = _SWARM,
    latency: Delay | Matrix = _LATENCY,
) -> tuple[Network, Faults]:
    """The network and the faults of this seed, for a run of `horizon_s` seconds.

    After ``swarm.heal_at * horizon_s`` nothing fails any more; clocks stay wrong, and disks as slow as they
    usually are, for these are parameters of the world. Each kind has streams of its own: switching one off
    changes no other.
    """
    check_number("horizon_s", horizon_s, 1e-3, 1e9, "at least a millisecond")
    dice = _Dice(seed, tuple(agents), round(swarm.heal_at * horizon_s, 3), swarm)
    network = Network(
        latency=latency,
        loss=dice.rate("loss", swarm.loss),
        duplication=dice.rate("duplication", swarm.duplication),
        reordering=dice.rate("reordering", swarm.reordering),
        reorder_by=Uniform(0.0, log_uniform(dice.stream("reorder_by"), swarm.reorder_by_s)),
        partitions=tuple(dice.partitions()),
        heal_s=dice.heal_s,
    )
    fsync_s = dice.rate("fsync", swarm.fsync_s)
    faults = Faults(
        schedule=(*dice.skews(), *dice.outages(), *dice.slow_disks()),
        fsync=LogNormal(fsync_s, 0.5) if fsync_s else Constant(0.0),
        write_survives=dice.rate("write_survives", swarm.write_survives),
    )
    return network, faults


def log_uniform(rng: Random, between: Range) -> float:
    """A number that is as likely to lie between 1 and 10 as between 10 and 100; three digits, to be readable."""
    low, high = between
    return min(max(float(f"{low * (high / low) ** rng.random():.3g}"), low), high)


class _Dice:
    """The draws of one seed, each kind of fault from streams of its own."""

    def __init__(self, seed: int, agents: tuple[AgentId, ...], heal_s: float, swarm: Swarm) -> None:
        self.seed, self.agents, self.heal_s, self.swarm = seed, agents, heal_s, swarm

    def stream(self, *names: str) -> Random:
        return stream(self.seed, "swarm", *names)

    def on(self, kind: str) -> bool:
        return draw(self.seed, "swarm", kind, "on") < self.swarm.chance

    def rate(self, kind: str, between: Range) -> float:
        return log_uniform(self.stream(kind), between) if self.on(kind) else 0.0

    def spells(self, kind: str, of: str, mean: float) -> Iterator[tuple[float, float, Random]]:
        """Starts and lengths, seconds, apart from each other; `mean` of them before the healing if short."""
        rng, now = self.stream(kind, of), 0.0
        while True:
            now += rng.expovariate(mean / self.heal_s)
            start = round(now, 3)
            span = round(min(log_uniform(rng, self.swarm.span_s), self.heal_s - start), 3)
            if not span > 0 or start + span > self.heal_s:
                return
            yield start, span, rng
            now = start + span + self.swarm.between_s

    def kind_spells(self, kind: str, between: Range) -> Iterator[tuple[AgentId, float, float, Random]]:
        if self.heal_s > 0 and (mean := self.rate(kind, between)):
            for agent in self.agents:
                for start, span, rng in self.spells(kind, agent, mean):
                    yield agent, start, span, rng

    def outages(self) -> Iterator[Scheduled]:
        """Crashes and pauses, but never more at the same time than `together`."""
        found: list[tuple[float, float, AgentId, Scheduled]] = []
        for agent, start, span, _ in self.kind_spells("crashes", self.swarm.crashes):
            found.append((start, start + span, agent, Crash(agent, start, span)))
        for agent, start, span, _ in self.kind_spells("pauses", self.swarm.pauses):
            found.append((start, start + span, agent, Pause(agent, start, span)))
        taken: list[tuple[float, AgentId]] = []
        for start, end, agent, fault in sorted(found, key=lambda outage: outage[:3]):
            taken = [(until, who) for until, who in taken if until >= start]
            others = {who for _, who in taken if who != agent}
            if self.swarm.together is None or len(others) < self.swarm.together:
                taken.append((end, agent))
                yield fault

    def slow_disks(self) -> Iterator[SlowDisk]:
        for agent, start, span, rng in self.kind_spells("slow_disks", self.swarm.slow_disks):
            yield SlowDisk(agent, Constant(log_uniform(rng, (0.01, 1.0))), start, span)

    def skews(self) -> Iterator[Skew]:
        for agent in self.agents if self.on("skew") else ():
            rng = self.stream("skew", agent)
            offset, drift = log_uniform(rng, self.swarm.offset_s), log_uniform(rng, self.swarm.drift)
            yield Skew(agent, rng.choice((offset, -offset)), rng.choice((drift, -drift, 0.0)))

    def partitions(self) -> Iterator[Partition]:
        if (
            len(self.agents) < 2
            or not self.heal_s > 0
            or not (mean := self.rate("partitions", self.swarm.partitions))
        ):
            return
        for start, span, rng in self.spells("partitions", "", mean):
            side = tuple(rng.sample(self.agents, rng.randrange(1, len(self.agents))))
            yield Partition(start, round(start + span, 3), side, one_way=rng.random() < 0.3)


def shrink(network: Network, faults: Faults) -> Iterator[tuple[Network, Faults]]:
    """The same world with fewer or shorter faults, of the network or of the agents, the boldest first.

    What is left happens as before: no draw depends on another fault being there.
    """
    for calmer in _calmer(network):
        yield calmer, faults
    for fewer in faults.shrink():
        yield network, fewer


def _calmer(network: Network) -> Iterator[Network]:
    calm = replace(network, loss=0.0, duplication=0.0, reordering=0.0, partitions=())
    if calm != network:
        yield calm
    for rate in ("loss", "duplication", "reordering"):
        if getattr(network, rate):
            yield replace(network, **{rate: 0.0})
    parts = network.partitions
    for fewer in without_parts(parts):
        yield replace(network, partitions=fewer)
    for place, part in enumerate(parts):
        span = shorter(part.end_s - part.start_s)
        if span is not None:
            brief = replace(part, end_s=part.start_s + span)
            yield replace(network, partitions=(*parts[:place], brief, *parts[place + 1 :]))


def minimal(
    network: Network, faults: Faults, fails: Callable[[Network, Faults], bool], tries: int = 500
) -> tuple[Network, Faults]:
    """The least that still fails, as far as leaving out and shortening one thing at a time gets in so many runs.

    Args:
        network, faults: a pair that fails.
        fails: runs the simulation with a pair, on the seed that failed, and says whether it fails again.
        tries: how often `fails` is called at most.
    """
    candidates = shrink(network, faults)
    for _ in range(tries):
        candidate = next(candidates, None)
        if candidate is None:
            break
        if fails(*candidate):
            network, faults = candidate
            candidates = shrink(network, faults)
    return network, faults
