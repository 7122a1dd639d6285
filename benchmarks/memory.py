"""What a message in flight and an agent take, by `tracemalloc`: differences, so that what is there anyway is left out."""

import gc
import sys
import tracemalloc

from walras.agents import Agent
from walras.messages import Message
from walras.protocol import Protocol
from walras.simulation import Constant, Network, Simulation


class Ping(Message, frozen=True):
    """A message with one field, whose value takes no memory of its own."""

    number: int = 0


class Flood(Protocol):
    """Sends so many messages at once, a second after the start."""

    count: int

    def on_start(self) -> None:
        self.set_timer("go", 1.0)

    def on_timer(self, name: str) -> None:
        for _ in range(self.count):
            self.send("sink", Ping())


def bytes_per_message(count: int, *, keep_trace: bool = False, loss: float = 0.0) -> float:
    """Bytes for each of so many messages that were sent and have not arrived, beside the message itself.

    The trace is hashed in any case; where it is kept, its row of the sending counts, too. Of a lossy network's messages,
    those that are lost count among the many, so let them be few.
    """
    simulation = Simulation(network=Network(latency=Constant(20.0), loss=loss))
    simulation.add(Agent("source"))
    simulation.add(Agent("sink"))
    simulation.seat("source", Flood(count))
    tracemalloc.start()
    try:
        simulation.run(until=0.5, progress=False, keep_trace=keep_trace)
        before = _traced()
        simulation.run(until=2.0, progress=False, keep_trace=keep_trace)
        return (_traced() - before) / count - sys.getsizeof(Ping())
    finally:
        tracemalloc.stop()


def bytes_in_flight(count: int) -> dict[str, float]:
    """`bytes_per_message` by name: with the trace kept or not, on a network that loses nothing or one in a thousand."""
    return {
        f"bytes_per_message{lossy}{kept}": round(bytes_per_message(count, keep_trace=bool(kept), loss=loss))
        for lossy, loss in (("", 0.0), ("_lossy", 0.001))
        for kept in ("", "_kept")
    }


def bytes_per_agent(count: int) -> float:
    """Bytes for each of so many agents at home in a world, with account, worker and mind, before they talk."""
    ids = [f"agent-{i}" for i in range(count)]
    simulation = Simulation()
    tracemalloc.start()
    try:
        before = _traced()
        for id_ in ids:
            simulation.add(Agent(id_))
        return (_traced() - before) / count
    finally:
        tracemalloc.stop()


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
