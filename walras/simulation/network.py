"""What the network may do to messages: delay, lose, double and reorder them, and cut agents off.

Every link between two agents draws from streams of its own, one for each purpose, keyed by the seed and the
two names. So two mechanisms on the same seed meet the same network, and switching one fault on, or turning
its rate up, changes nothing else: the messages that still arrive take as long as before.
"""

from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import Generic, TypeVar

from walras.errors import ScenarioError
from walras.items import are_names
from walras.messages import AgentId, Frozen
from walras.randomness import stream
from walras.simulation.checks import (
    check_agents,
    check_kind,
    check_number,
    check_probability,
    check_seconds,
    check_several,
)
from walras.simulation.latency import Constant, Delay, Empirical, Latency, LogNormal, Matrix, Uniform

__all__ = [
    "Constant",
    "Delay",
    "Empirical",
    "FaultyLink",
    "FaultyRoutes",
    "Latency",
    "Link",
    "LogNormal",
    "Matrix",
    "Network",
    "Partition",
    "Routes",
    "Uniform",
]

Link = Callable[[], float]
"""The delay of the next message on a link, seconds."""

FaultyLink = Callable[[float], tuple[float, ...]]
"""Given the time of sending: seconds after which copies of the next message arrive; none if it is lost."""

_DELAYS = "a distribution of delays, such as Constant(0.02) or Uniform(0.01, 0.05)"
_OURS = (Constant, Uniform, LogNormal, Empirical)
R = TypeVar("R")


class LazyRoutes(dict[AgentId, R], Generic[R]):
    """A sender's links by recipient, each made on first use; afterwards a plain dict look-up."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[AgentId], R]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, to: AgentId) -> R:
        link = self[to] = self._make(to)
        return link


class Routes(LazyRoutes[Link]):
    """The links of a sender in a network without faults: ``routes[to]()`` is the next message's delay."""

    __slots__ = ()


class FaultyRoutes(LazyRoutes[FaultyLink]):
    """The links of a sender in any network: ``routes[to](now)`` are the delays of the copies that arrive."""

    __slots__ = ()


class Partition(Frozen, frozen=True):
    """From `start_s` until before `end_s`, nothing that `side` and the others send to each other arrives.

    It cuts what is sent meanwhile; what was under way before still arrives. `other` None: everybody who is
    not on `side`. With `one_way` only what `side` sends is lost, so that `side` hears and is not heard. An
    `end_s` of infinity never heals.
    """

    start_s: float
    end_s: float
    side: tuple[AgentId, ...]
    other: tuple[AgentId, ...] | None = None
    one_way: bool = False

    def __post_init__(self) -> None:
        check_seconds("start_s", self.start_s)
        check_number("end_s", self.end_s, -inf, inf, "a time in seconds, or infinity")
        if not self.end_s > self.start_s:
            raise ScenarioError("end_s", self.end_s, f"a time after start_s, which is {self.start_s}")
        if not self.side or not are_names(self.side):
            raise ScenarioError("side", self.side, "at least one agent, in a tuple")
        if self.other is not None:
            if not self.other or not are_names(self.other):
                raise ScenarioError(
                    "other", self.other, "at least one agent, in a tuple, or None for everybody else"
                )
            if both := sorted(set(self.side) & set(self.other)):
                raise ScenarioError("other", self.other, f"no agent of side; {', '.join(both)} is on both")

    def cuts(self, sender: AgentId, to: AgentId) -> bool:
        """Whether it is this sender's messages to this recipient that are lost while it lasts."""
        return self._crosses(sender, to) or (not self.one_way and self._crosses(to, sender))

    def __str__(self) -> str:
        other = "everybody else" if self.other is None else ", ".join(self.other)
        way = ("from", "to") if self.one_way else ("between", "and")
        return f"nothing passes {way[0]} {', '.join(self.side)} {way[1]} {other} until {self.end_s:g} s"

    def _crosses(self, sender: AgentId, to: AgentId) -> bool:
        return sender in self.side and (to not in self.side if self.other is None else to in self.other)


class Network(Frozen, frozen=True):
    """The rules of the network between agents. What an agent sends to itself is local: at once, never lost.

    Raises:
        ScenarioError: for a negative time, a probability outside [0, 1] and the like; it names the field.
    """

    latency: Delay | Matrix = Uniform(0.01, 0.05)
    loss: float = 0.0
    """Probability that a message is lost, all copies of it."""
    duplication: float = 0.0
    """Probability that a message arrives twice; the second copy has a delay of its own."""
    reordering: float = 0.0
    """Probability that a copy is held up, and so overtaken by later ones."""
    reorder_by: Delay = Uniform(0.0, 1.0)
    """How much longer a copy takes that is held up."""
    partitions: tuple[Partition, ...] = ()
    lifetime_s: float = 30.0
    """A message that is older is dropped on arrival; a finished role hears late ones for at most so long."""
    heal_s: float = inf
    """From then on nothing is cut, lost, doubled or held up, so that tests can ask for progress."""
    forging: bool = False
    """Whether senders may claim others' names, see `GuardedWorld.inject`; otherwise the sender's name is true."""

    def __post_init__(self) -> None:
        check_kind("latency", self.latency, Latency | Matrix, f"{_DELAYS}, or a Matrix between places")
        check_kind("reorder_by", self.reorder_by, Latency, _DELAYS)
        check_several("partitions", self.partitions, Partition, "several Partition(...)")
        for field in ("loss", "duplication", "reordering"):
            check_probability(field, getattr(self, field))
        check_kind("forging", self.forging, bool, "True or False")
        check_seconds("lifetime_s", self.lifetime_s)
        check_number("heal_s", self.heal_s, 0.0, inf, "a time of 0 seconds or more, or infinity")
        if self.lifetime_s == 0:
            raise ScenarioError("lifetime_s", self.lifetime_s, "more than 0 seconds")

    @property
    def faulty(self) -> bool:
        """Whether some message could fail to arrive exactly once; if not, `link` says all there is to say."""
        rates = self.loss or self.duplication or self.reordering
        return bool(rates or self.partitions) or self.latency.bound > self.lifetime_s

    @property
    def linger_s(self) -> float:
        """How long after a conversation's last sending a message of it can still arrive, seconds."""
        return self.lifetime_s if self.faulty else min(self.lifetime_s, self.latency.bound)

    def check(self, places: Mapping[AgentId, str]) -> None:
        """Raise `ScenarioError` before time 0, not at some first message: for an unknown place or agent.

        `places` says of every agent of the world where it is.
        """
        for agent, place in places.items():
            self.check_place(agent, place)
        for k, partition in enumerate(self.partitions):
            check_agents(f"partitions[{k}].side", partition.side, places)
            check_agents(f"partitions[{k}].other", partition.other or (), places)

    def check_place(self, agent: AgentId, place: str) -> None:
        """Raise `ScenarioError` where the latency knows places, but not this one."""
        if isinstance(self.latency, Matrix) and place not in self.latency.places:
            raise ScenarioError(f"place of {agent}", place, f"one of {', '.join(self.latency.places)}")

    def link(self, seed: int, sender: AgentId, to: AgentId, places: Mapping[AgentId, str]) -> Link:
        """The delays of a link on which every message arrives exactly once."""
        return self._delays(seed, "link", sender, to, places)

    def faulty_link(
        self, seed: int, sender: AgentId, to: AgentId, places: Mapping[AgentId, str]
    ) -> FaultyLink:
        """The copies that arrive on a link with this network's faults; their delays are those of `link`.

        Every message takes one number from each stream, whatever becomes of it: a stream that is read only
        now and then would make one fault shift the draws of another.
        """
        if sender == to:
            return lambda now: (0.0,)
        heal = self.heal_s
        cuts = tuple((p.start_s, p.end_s) for p in self.partitions if p.cuts(sender, to))
        lost = _chance(self.loss, seed, "loss", sender, to)
        doubled = _chance(self.duplication, seed, "duplication", sender, to)
        delay = self.link(seed, sender, to, places)
        second = self._delays(seed, "second", sender, to, places) if self.duplication else _no_delay
        hold_up, hold_up_second = (self._hold_up(seed, copy, sender, to) for copy in ("link", "second"))

        def arriving(now: float) -> tuple[float, ...]:
            gone, twice, plain, again = lost(), doubled(), delay(), second()
            held, held_again = hold_up(), hold_up_second()
            if now >= heal:
                return (plain,)
            if gone or any(start <= now < end for start, end in cuts):
                return ()
            return (plain + held, again + held_again) if twice else (plain + held,)

        return arriving

    def routes(self, seed: int, sender: AgentId, places: Mapping[AgentId, str]) -> Routes:
        """All of a sender's links (`link`), each made on first use."""
        return Routes(lambda to: self.link(seed, sender, to, places))

    def faulty_routes(self, seed: int, sender: AgentId, places: Mapping[AgentId, str]) -> FaultyRoutes:
        """All of a sender's links (`faulty_link`), each made on first use."""
        return FaultyRoutes(lambda to: self.faulty_link(seed, sender, to, places))

    def _delays(
        self, seed: int, purpose: str, sender: AgentId, to: AgentId, places: Mapping[AgentId, str]
    ) -> Link:
        if sender == to:
            return _no_delay
        latency: Latency
        if isinstance(self.latency, Matrix):
            if to not in places:
                return _late(places, to, lambda: self._delays(seed, purpose, sender, to, places))
            latency = self.latency.between(places[sender], places[to])
        else:
            latency = self.latency
        if isinstance(latency, Constant):
            return latency.sampler(_UNUSED)  # a stream takes 2.5 kB, and there may be a million links
        return _draws(latency, stream(seed, purpose, sender, to))

    def _hold_up(self, seed: int, copy: str, sender: AgentId, to: AgentId) -> Link:
        """How much longer the next copy takes: 0 unless it is held up."""
        if not self.reordering:
            return _no_delay
        held_up = _chance(self.reordering, seed, f"reordering/{copy}", sender, to)
        longer = _draws(self.reorder_by, stream(seed, f"reorder_by/{copy}", sender, to))

        def draw() -> float:
            extra = longer()
            return extra if held_up() else 0.0

        return draw


_UNUSED = Random(0)


def _draws(latency: Latency, rng: Random) -> Link:
    """A stream of delays; those of a distribution of a user's own are looked at."""
    sampler = latency.sampler(rng)
    if type(latency) in _OURS:
        return sampler

    def delay() -> float:
        seconds = sampler()
        check_seconds(f"a delay of {latency}", seconds)
        return seconds

    return delay


def _no_delay() -> float:
    return 0.0


def _late(places: Mapping[AgentId, str], to: AgentId, make: Callable[[], Link]) -> Link:
    """The link to nobody, on which messages take no time and are ignored, until an agent of this name is added."""
    link: Link | None = None

    def delay() -> float:
        nonlocal link
        if link is None and to in places:
            link = make()
        return link() if link is not None else 0.0

    return delay


def _chance(probability: float, seed: int, purpose: str, sender: AgentId, to: AgentId) -> Callable[[], bool]:
    """A stream of yes and no; at a higher probability every yes stays a yes."""
    if not probability:
        return lambda: False
    random = stream(seed, purpose, sender, to).random
    return lambda: random() < probability
