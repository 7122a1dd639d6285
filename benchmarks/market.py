"""The one market that every side of the engine benchmark runs, and what a side has to show for it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from walras.randomness import draw, stream
from walras.simulation.latency import Uniform

GAP_S = 0.5
"""Seconds from the start of one round to that of the next: a round takes 4 latencies, 0.2 s at most."""
REPLY_S = 0.2
"""Seconds that the manager waits for proposals; all arrive within 0.1."""
LATENCY = Uniform(0.01, 0.05)
MANAGER = "m"

START, CFP, PROPOSE, ACCEPT, REJECT, INFORM, DEADLINE = range(7)
"""Kinds of the rivals' messages, and two tokens by which some of them wake themselves."""

Message = tuple[int, int, int, float]
"""Kind, round, sender, price."""


class Market(NamedTuple):
    """Contract Net rounds: a manager, contractors, and what each contractor asks in each round (work takes 0 s).

    A round is N calls, N proposals, 1 acceptance, N - 1 rejections and 1 report: 3N + 1 messages. Round 0 warms up.
    """

    contractors: tuple[str, ...]
    costs: Sequence[Sequence[float]]
    seed: int

    @property
    def rounds(self) -> int:
        """Timed rounds, after round 0."""
        return len(self.costs) - 1

    @property
    def messages(self) -> int:
        """Messages in the timed rounds."""
        return self.rounds * (3 * len(self.contractors) + 1)

    def link(self, sender: str, to: str) -> Callable[[], float]:
        """The delays of a link: the same keyed stream on every side, as the simulator's own network has it."""
        return LATENCY.sampler(stream(self.seed, "link", sender, to))


class Shown(NamedTuple):
    """What must be the same on all sides: who won each round, and the instant of the last outcome, to the last bit."""

    winners: tuple[str, ...]
    ended_at: float


class Side(Protocol):
    """One way to write the market. Building it includes round 0; `run` is what is timed."""

    def __init__(self, market: Market) -> None: ...
    def run(self) -> None: ...
    def shown(self) -> Shown: ...


def make_market(size: int, rounds: int, seed: int = 7) -> Market:
    """A market of so many contractors, with costs drawn by round and contractor."""
    contractors = tuple(f"c{i}" for i in range(size))
    costs = [[draw(seed, "cost", r, c) for c in contractors] for r in range(rounds + 1)]
    return Market(contractors, costs, seed)
