"""One market as a value: it can be run live or in the simulator, and again with other minds or by other rules."""

import asyncio
from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from walras.agents import Agent, Strategy
from walras.errors import ScenarioError
from walras.items import Item
from walras.live.live import Live
from walras.live.participant import Participant
from walras.live.recording import Entry, Replayed, read_entries
from walras.live.settings import Rules
from walras.live.threads import is_async
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.questions import Question
from walras.results import Result
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.trace import Trace


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Items, agents, and the rules that bring them together.

    Args:
        mechanism: the rules.
        items: what is allocated.
        agents: who takes part, with their private types and their minds.
        opener: who announces the items; with unlimited credit, unless it is one of the agents.
        within_s: until when it is over at the latest, seconds.
        seed: of the roles' random streams.
        name: what results call it.

    Examples:
        >>> from contractnet import ContractNet
        >>> from walras.items import Task
        >>> agents = (Agent("ada", costs={"job": 3.0}), Agent("bob", costs={"job": 2.0}))
        >>> Market(mechanism=ContractNet(), items=(Task("job"),), agents=agents).simulated().allocation[
        ...     "job"
        ... ].winner
        'bob'
    """

    mechanism: Mechanism
    items: tuple[Item, ...]
    agents: tuple[Agent, ...]
    opener: AgentId = "house"
    within_s: float = 60.0
    seed: int = 0
    name: str = ""

    def simulated(self, network: Network | None = None) -> Result:
        """Run it in the simulator, where minds are plain functions or recordings; by default messages take no time.

        Raises:
            ScenarioError: for a mind that only answers live.
        """
        for agent in self.agents:
            if _answers_only_live(agent.strategy):
                expected = "a plain function, or its recorded answers: market.replayed(recording).simulated()"
                raise ScenarioError(f"strategy of {agent.id}", agent.strategy, expected)
        simulation = Simulation(seed=self.seed, network=network or Network(latency=Constant(0.0)))
        if all(agent.id != self.opener for agent in self.agents):
            simulation.add(Agent(self.opener, capacity=0, operator=True))
        for agent in self.agents:
            simulation.add(agent)
        simulation.open(self.mechanism, self.items, self.opener, finish_by=self.within_s)
        return msgspec.structs.replace(
            simulation.run(), scenario=self.name, mechanism=self.mechanism.protocol
        )

    async def lived(self, **settings: Any) -> Result:
        """Run it live; settings as of `walras.live.Live`, but its seed. Recorded minds take the time that they took."""
        settings.setdefault("rules", Rules(name=self.name))
        async with Live(seed=self.seed, **settings) as market:
            for agent in self.agents:
                market.add(self._paced(agent))
            return await market.run(self.mechanism, self.items, self.within_s, opener=self.opener)

    @staticmethod
    def _paced(agent: Agent) -> Agent:
        recorded = agent.strategy
        return (
            msgspec.structs.replace(agent, strategy=paced(recorded))
            if isinstance(recorded, Replayed)
            else agent
        )

    # ------------------------------------------------------------------ the same, but
    def replayed(
        self,
        recording: str | Path | Iterable[Entry],
        swap: Mapping[AgentId, Strategy | Agent] | None = None,
        *,
        mechanism: Mechanism | None = None,
        otherwise: Strategy | None = None,
    ) -> "Market":
        """The same market with recorded answers in place of its minds: what would have happened, if?

        Args:
            recording: of the market as it was (`walras.live.Recording`): a file, or its entries.
            swap: other minds for some of the agents, or other agents in their places.
            mechanism: other rules.
            otherwise: answers what nobody was asked then, as other rules or another rival may lead to; None: the run
                stops with `ReplayError`, which shows the nearest recorded question.

        Raises:
            ScenarioError: for a recording that cannot be read, or a swap for somebody who is not there.
        """
        entries = read_entries(Path(recording)) if isinstance(recording, str | Path) else tuple(recording)
        swap = swap or {}
        names = [agent.id for agent in self.agents]
        for name in swap:
            if name not in names:
                raise ScenarioError("swap", name, f"an agent of this market ({', '.join(names)})")
        agents = tuple(
            _swapped(agent, swap[agent.id]) if agent.id in swap else _recalled(agent, entries, otherwise)
            for agent in self.agents
        )
        return msgspec.structs.replace(self, agents=agents, mechanism=mechanism or self.mechanism)


def _answers_only_live(mind: Strategy | None) -> bool:
    return isinstance(mind, Participant) or is_async(mind)


def _swapped(agent: Agent, other: Strategy | Agent) -> Agent:
    if not isinstance(other, Agent):
        return msgspec.structs.replace(agent, strategy=other)
    if other.id != agent.id:
        raise ScenarioError("swap", other.id, f"an agent that is called {agent.id}, whose place it takes")
    return other


def _recalled(agent: Agent, entries: tuple[Entry, ...], otherwise: Strategy | None) -> Agent:
    own = tuple(entry for entry in entries if entry.agent == agent.id)
    return msgspec.structs.replace(agent, strategy=Replayed(own, otherwise))


def paced(recorded: Replayed) -> Strategy:
    """A recording as a coroutine that takes the time that the recorded mind took."""
    fresh = recorded.fresh()

    async def strategy(question: Question, agent: Agent) -> Any:
        await asyncio.sleep(fresh.deliberation_s(question, agent))
        return fresh(question, agent)

    return strategy


def first_changes(trace: Trace, other: Trace) -> dict[AgentId, float]:
    """When the lives of the agents in two runs part: for each whose lives differ, the time of its first difference.

    What an agent does and is told is compared, in order, with its times; not the numbers that a runtime gives to messages.
    """
    lives, others = _lives(trace), _lives(other)
    found: dict[AgentId, float] = {}
    for agent in dict.fromkeys((*lives, *others)):
        mine, theirs = lives.get(agent, []), others.get(agent, [])
        k = next((k for k, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
        if k is None and len(mine) != len(theirs):
            k = min(len(mine), len(theirs))
        if k is not None:
            found[agent] = min(life[k][0] if k < len(life) else inf for life in (mine, theirs))
    return found


def _lives(trace: Trace) -> dict[AgentId, list[tuple[Any, ...]]]:
    found: dict[AgentId, list[tuple[Any, ...]]] = {}
    for row in trace:
        details = {name: value for name, value in row.details.items() if name != "id"}
        found.setdefault(row.agent, []).append((row.at, row.kind, row.conversation, details))
        if row.kind == "message":
            heard = details["arrival"], "heard", row.conversation, details
            found.setdefault(details["to"], []).append(heard)
        elif row.kind == "broadcast":
            for to in details["to"]:
                heard = (
                    row.at,
                    "heard",
                    row.conversation,
                    {"sender": row.agent, "message": details["message"]},
                )
                found.setdefault(to, []).append(heard)
    return found
