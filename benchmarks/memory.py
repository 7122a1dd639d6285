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


def bytes_per_message(count: int) -> float:
    """Bytes for each of so many messages in flight, beside the message itself; the trace is hashed and not kept."""
    simulation = Simulation(network=Network(latency=Constant(20.0)))
    simulation.add(Agent("source"))
    simulation.add(Agent("sink"))
    simulation.seat("source", Flood(count))
    tracemalloc.start()
    try:
        simulation.run(until=0.5, progress=False, keep_trace=False)
        before = _traced()
        simulation.run(until=2.0, progress=False, keep_trace=False)
        return (_traced() - before) / count - sys.getsizeof(Ping())
    finally:
        tracemalloc.stop()


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
