"""A network that does one thing to chosen messages, and nothing to the others."""

from collections.abc import Mapping
from typing import NamedTuple

from walras import Network, Result
from walras.messages import AgentId
from walras.simulation.network import FaultyLink
from walras.trace.rows import each_message


class Which(NamedTuple):
    """The `number`-th message, from 1, on the link between two agents."""

    sender: AgentId
    to: AgentId
    number: int


class Tampering(Network, frozen=True):
    """After how many seconds more than usual copies of the chosen messages arrive: (0.0,) as ever, () never, (0.0, 9.0)
    twice. `which` None: all messages.
    """

    copies_s: tuple[float, ...] = (0.0,)
    which: tuple[str, str, int] | None = None

    @property
    def faulty(self) -> bool:
        return True

    def faulty_link(
        self, seed: int, sender: AgentId, to: AgentId, places: Mapping[AgentId, str]
    ) -> FaultyLink:
        delay = self.link(seed, sender, to, places)
        sent = 0

        def arriving(now: float) -> tuple[float, ...]:
            nonlocal sent
            sent += 1
            usual = delay()
            if self.which in (None, (sender, to, sent)) and sender != to:
                return tuple(usual + later for later in self.copies_s)
            return (usual,)

        return arriving


def messages_of(result: Result) -> list[Which]:
    """Every message of a run, by its link."""
    sent: dict[tuple[str, str], int] = {}
    found = []
    for raw in result.trace.raw():
        for _, _, _, sender, to, _ in each_message(raw):
            number = sent[sender, to] = sent.get((sender, to), 0) + 1
            found.append(Which(sender, to, number))
    return found
