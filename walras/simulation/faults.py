"""What goes wrong with agents and their disks in a run: a schedule of faults, and how to make it smaller.

What the network may do to messages is a `Network`; `walras.simulation.swarm` draws both by chance. Times are
seconds since the run's epoch, on the world's clock.
"""

from collections.abc import Callable, Collection, Iterator
from math import isfinite
from typing import Any

from msgspec.structs import replace

from walras.errors import ScenarioError
from walras.messages import AgentId, Frozen
from walras.randomness import stream
from walras.simulation.checks import check_agents, check_kind, check_probability, check_several
from walras.simulation.fault_kinds import Crash, KillAt, Pause, Scheduled, Skew, SlowDisk
from walras.simulation.latency import Constant, Delay, Latency
from walras.simulation.network import Network

__all__ = ["Crash", "Faults", "KillAt", "Pause", "Scheduled", "Skew", "SlowDisk", "without_parts"]

Size = tuple[int, int, float]
"""How much goes wrong: the number of faults, how many of them never end, and the seconds of the others."""


class Faults(Frozen, frozen=True):
    """A schedule of faults, and how disks behave; true if anything goes wrong at all.

    Raises:
        ScenarioError: for a second skew of one agent, or a probability outside [0, 1].
    """

    schedule: tuple[Scheduled, ...] = ()
    fsync: Delay = Constant(0.0)
    """How long a write takes to become durable where no `SlowDisk` says otherwise, seconds."""
    write_survives: float = 0.0
    """Probability that a write in flight at a crash is durable after all, whole; else it is torn: dropped."""
    kill_at: tuple[KillAt, ...] = ()

    def __post_init__(self) -> None:
        check_several(
            "schedule", self.schedule, Scheduled, "faults with a time: Crash, Pause, Skew, SlowDisk"
        )
        check_several("kill_at", self.kill_at, KillAt, "several KillAt(...)")
        check_kind("fsync", self.fsync, Latency, "a distribution of delays, such as Constant(0.005)")
        check_probability("write_survives", self.write_survives)
        skewed = [fault.agent for fault in self.schedule if isinstance(fault, Skew)]
        for agent in skewed:
            if skewed.count(agent) > 1:
                raise ScenarioError(
                    "schedule", self.schedule, f"one skew for {agent}, not {skewed.count(agent)}"
                )

    def __bool__(self) -> bool:
        return bool(self.schedule or self.kill_at or self.fsync.bound)

    def check(self, agents: Collection[AgentId]) -> None:
        """Raise `ScenarioError` before time 0 for an agent that is not in the world."""
        faults: dict[str, tuple[Scheduled | KillAt, ...]] = {
            "schedule": self.schedule,
            "kill_at": self.kill_at,
        }
        for name, several in faults.items():
            for place, fault in enumerate(several):
                if fault.agent is not None:
                    check_agents(f"{name}[{place}].agent", (fault.agent,), agents)

    @property
    def end_s(self) -> float:
        """When the last crash, pause or slow disk is over, seconds; kills have no time and are left out."""
        return max((fault.at_s + fault.span_s for fault in self.schedule), default=0.0)

    def skew(self, agent: AgentId) -> Skew | None:
        """How this agent's clock is wrong; None: it is right."""
        return next((f for f in self.schedule if isinstance(f, Skew) and f.agent == agent), None)

    def disk(self, seed: int, agent: AgentId) -> Callable[[float], float] | None:
        """Given the time of a write: the seconds until it is durable. None: every write is durable at once."""
        slow = [f for f in reversed(self.schedule) if isinstance(f, SlowDisk) and f.agent in (None, agent)]
        if not slow and not self.fsync.bound:
            return None
        # All take their numbers from streams of one key: a disk that is slower is slower write by write.
        usual = self.fsync.sampler(stream(seed, "fsync", agent))
        spells = [(f.at_s, f.at_s + f.for_s, f.fsync_s.sampler(stream(seed, "fsync", agent))) for f in slow]

        def fsync_s(now: float) -> float:
            delay, slower = usual(), [(start <= now < end, draw()) for start, end, draw in spells]
            return next((took for lasting, took in slower if lasting), delay)

        return fsync_s

    def describe(self, network: Network | None = None) -> str:
        """One line for each fault, in the order of their times; with those of the network, if it is given."""
        lines = [f"a write is durable after {self.fsync}"] if self.fsync.bound else []
        if self.write_survives:
            lines.append(f"a write in flight survives a crash with probability {self.write_survives:g}")
        timed = [(fault.at_s, str(fault)) for fault in self.schedule]
        if network is not None:
            rates = {rate: getattr(network, rate) for rate in ("loss", "duplication", "reordering")}
            lines += [f"{rate} of messages with probability {p:g}" for rate, p in rates.items() if p]
            timed += [(partition.start_s, str(partition)) for partition in network.partitions]
            if isfinite(network.heal_s) and network.faulty:
                timed.append((network.heal_s, "the network heals"))
        timed.sort(key=lambda fault: fault[0])
        lines += [f"at {at:g} s {fault}" for at, fault in timed]
        return "\n".join([*lines, *map(str, self.kill_at)]) or "no faults"

    @property
    def size(self) -> Size:
        """What `shrink` makes less of; a clock's offset counts with its seconds, a drift as one more fault."""
        every = (*self.schedule, *self.kill_at)
        skews = [fault for fault in self.schedule if isinstance(fault, Skew)]
        count = len(every) + bool(self.write_survives) + (self.fsync != Constant(0.0))
        spans = [fault.span_s for fault in every] + [abs(skew.offset_s) for skew in skews]
        finite = [span for span in spans if isfinite(span)]
        return count + sum(1 for skew in skews if skew.drift), len(spans) - len(finite), sum(finite)

    def shrink(self) -> Iterator["Faults"]:
        """Smaller schedules, the boldest first: without all faults, half of them, one; with milder ones.

        Each has a lesser `size`, and no chain of them is endless: a search that goes on from any one ends.
        """
        if self.write_survives:
            yield replace(self, write_survives=0.0)
        if self.fsync != Constant(0.0):
            yield replace(self, fsync=Constant(0.0))
        for field in ("schedule", "kill_at"):
            for fewer in without_parts(getattr(self, field)):
                yield replace(self, **{field: fewer})
        for field in ("schedule", "kill_at"):
            faults = getattr(self, field)
            for place, fault in enumerate(faults):
                for milder in fault.milder():
                    yield replace(self, **{field: (*faults[:place], milder, *faults[place + 1 :])})


def without_parts(things: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The tuple without all of it, each half, each quarter and so on down to each single element."""
    part = len(things)
    while part:
        for start in range(0, len(things), part):
            yield things[:start] + things[start + part :]
        part = -(-part // 2) if part > 1 else 0
