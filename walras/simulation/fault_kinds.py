"""The kinds of faults that agents and their disks may have, each a value that a settings file can hold.

Times are seconds since the run's epoch, on the world's clock.
"""

from collections.abc import Iterator
from math import inf, nextafter
from typing import ClassVar

from msgspec.structs import replace

from walras.amounts import is_whole
from walras.errors import ScenarioError
from walras.messages import AgentId, ConversationId, Frozen
from walras.simulation.checks import check_number, check_seconds, kind
from walras.simulation.latency import Delay


def shorter(span_s: float) -> float | None:
    """About half of a time span, in whole milliseconds; a minute in place of forever; None below 20 ms."""
    if span_s == inf:
        return 60.0
    return round(span_s / 2, 3) if span_s > 0.02 else None


class Fault(Frozen, frozen=True, tag_field="kind", tag=kind):
    """Something that goes wrong with an agent, from `at_s` on and for a while."""

    lasts: ClassVar[str] = "for_s"
    """The field that says how long, in seconds; infinity: for good."""

    def __post_init__(self) -> None:
        check_seconds("at_s", getattr(self, "at_s", 0.0))
        check_number(self.lasts, self.span_s, 0.0, inf, "a time span of 0 seconds or more, or infinity")

    @property
    def span_s(self) -> float:
        """How long it lasts, seconds."""
        return float(getattr(self, self.lasts))

    @property
    def over(self) -> str:
        """How long it lasts, in words."""
        return "for good" if self.span_s == inf else f"for {self.span_s:g} s"

    def milder(self) -> Iterator["Fault"]:
        """The same fault, but less of it."""
        span = shorter(self.span_s)
        if span is not None:
            yield replace(self, **{self.lasts: span})


class Crash(Fault, frozen=True):
    """An agent's machine stops: what is not durable is gone. It starts again after `down_s`.

    Crashes may overlap: the machine then stays down until the later end.
    """

    agent: AgentId
    at_s: float
    down_s: float
    lasts = "down_s"

    def __str__(self) -> str:
        return f"{self.agent} crashes and is down {self.over}"


class Pause(Fault, frozen=True):
    """An agent does nothing for a while and forgets nothing: what arrives or falls due waits for it.

    A message that is older than the network's `lifetime_s` by then is dropped all the same. A crash ends a pause.
    """

    agent: AgentId
    at_s: float
    for_s: float

    def __str__(self) -> str:
        return f"{self.agent} pauses {self.over}"


class SlowDisk(Fault, frozen=True):
    """Writes of one agent (None: of all) take `fsync_s` to become durable; of several, the last one counts."""

    agent: AgentId | None
    fsync_s: Delay
    at_s: float = 0.0
    for_s: float = inf

    def __str__(self) -> str:
        whose = "all disks are" if self.agent is None else f"the disk of {self.agent} is"
        return f"{whose} slow {self.over}: {self.fsync_s}"


class Skew(Fault, frozen=True):
    """An agent's clock reads ``offset_s + (1 + drift) * world time``, from the start and through every crash.

    An agent whose `offset_s` is negative starts at a `now` below 0. `drift` is in seconds per second, from
    -0.5 (half as fast) to 1 (twice as fast), so that `now` never goes back; quartz clocks drift by some 1e-5.
    """

    agent: AgentId
    offset_s: float
    drift: float = 0.0
    at_s: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number("offset_s", self.offset_s, -1e9, 1e9, "a number of seconds in [-1e9, 1e9]")
        check_number("drift", self.drift, -0.5, 1.0, "seconds per second in [-0.5, 1]")

    @property
    def span_s(self) -> float:
        """None: a skewed clock is a parameter of the world, not trouble that passes."""
        return 0.0

    def local(self, world_s: float) -> float:
        """What the agent's clock reads at a time of the world."""
        return self.offset_s + (1.0 + self.drift) * world_s

    def world(self, local_s: float) -> float:
        """When the agent's clock reads this or just more, never less: a timer may be late, but not early."""
        rate = 1.0 + self.drift
        at = (local_s - self.offset_s) / rate
        while self.local(at) < local_s:
            at = nextafter(at + (local_s - self.local(at)) / rate, inf)
        return at

    def milder(self) -> Iterator["Skew"]:
        """The same skew without its drift, or with half the offset."""
        if self.drift:
            yield replace(self, drift=0.0)
        offset = shorter(abs(self.offset_s))
        if offset is not None:
            yield replace(self, offset_s=offset if self.offset_s > 0 else -offset)

    def __str__(self) -> str:
        side = "ahead" if self.offset_s >= 0 else "behind"
        drift = f", drifting by {self.drift:+g} s/s" if self.drift else ""
        return f"the clock of {self.agent} is {abs(self.offset_s):g} s {side}{drift}"


class KillAt(Fault, frozen=True):
    """An agent's machine stops between two effects of a role: before effect `effect` of input `input`.

    Both count from 1: input 1 is `on_start`, and effect 1 of an input is the first verb that its handler
    calls. One effect more than there are: after the last one and before the next input. More still: never. It
    kills once, and inputs that a restart replays are not counted again.
    """

    conversation: ConversationId
    agent: AgentId
    input: int
    effect: int
    down_s: float
    lasts = "down_s"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("input", "effect"):
            value = getattr(self, field)
            if not is_whole(value, 1):
                raise ScenarioError(field, value, "a whole number of 1 or more")

    def __str__(self) -> str:
        where = f"before effect {self.effect} of input {self.input} of {self.conversation}"
        return f"{self.agent} is killed {where} and is down {self.over}"


Scheduled = Crash | Pause | Skew | SlowDisk
"""The faults that have a time; settings files know them by their `kind`: crash, pause, skew, slow-disk."""
