"""Holding a mechanism of one's own to what every mechanism promises, in fair and in foul weather."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from math import fsum, inf
from typing import TYPE_CHECKING, Any

import msgspec

from walras.agents import Agent
from walras.allocation import Allocation, units
from walras.errors import ScenarioError
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.testing.errors import ContractError
from walras.testing.kills import kill_points

if TYPE_CHECKING:
    from walras.simulation.faults import Faults, KillAt
    from walras.simulation.network import Network
    from walras.simulation.simulation import Simulation

Weather = tuple["Network", "Faults", Callable[[Agent], Agent]]
"""A network, faults, and what becomes of every participant."""


class MechanismReport(msgspec.Struct, frozen=True):
    """What `check_mechanism` has seen: how often a conversation ended how, by the weather."""

    endings: Mapping[str, Mapping[str, int]]
    runs: int

    def __str__(self) -> str:
        width = max(map(len, self.endings), default=0)
        lines = [
            f"  {weather:<{width}}  {', '.join(f'{status} {count}' for status, count in statuses.items())}"
            for weather, statuses in self.endings.items()
        ]
        return "\n".join([f"{self.runs} runs", *lines])


def check_mechanism(
    mechanism: Mechanism, agents: Sequence[Agent], items: Sequence[Item], *, seeds: Iterable[int] = range(3),
    within_s: float = 60.0, kills: int = 24, different: bool = True,
) -> MechanismReport:  # fmt: skip
    """Play a mechanism in all weathers: without faults; with messages late, lost, doubled and reordered; with minds that
    are silent, raise or talk nonsense; with crashes, pauses and wrong clocks by chance; and killed between two effects.

    Checked are: it pickles; every conversation ends, in time, and no role is left over; money is conserved and none is
    left in escrow; what is awarded is on offer, to somebody who can do it, and not more often than there is of it; the
    same seed gives the same trace, on both paths of the simulator and after a pickle, and different seeds differ.

    Args:
        mechanism: the rules.
        agents: the first one opens the conversation, all others are invited.
        items: what it is about.
        seeds: each is played in each weather.
        within_s: from the opening to `finish_by`, seconds.
        kills: at how many of the places between two effects the machine is killed; spread evenly.
        different: whether runs with different seeds should differ in fair weather; False for a mechanism without messages.

    Raises:
        ContractError: naming the promise, the weather and the seed, so that the run can be repeated.
        ScenarioError: for agents or items that are none.
    """
    if isinstance(agents, Agent) or not agents:
        raise ScenarioError("agents", agents, "at least one, in a list: the first one opens the conversation")
    if isinstance(items, Item) or not items:
        raise ScenarioError("items", items, "at least one, in a list")
    market = _Market(mechanism, tuple(agents), tuple(items), within_s)
    market.check_pickle()
    endings: dict[str, Counter[str]] = {}
    seeds = list(seeds)
    for weather in _weathers(0, market):
        for seed in seeds:
            simulation = market.play(seed, weather)
            status = market.check(simulation, f"{weather}, seed {seed}")
            endings.setdefault(weather, Counter())[status] += 1
    market.check_digests(seeds, different)
    for point in market.kill_points(seeds[0], kills):
        simulation = market.play_killed(seeds[0], point)
        status = market.check(simulation, f"seed {seeds[0]}, {point}")
        endings.setdefault("killed", Counter())[status] += 1
    return MechanismReport(endings, sum(sum(ended.values()) for ended in endings.values()))


def _weathers(seed: int, market: _Market) -> dict[str, Weather]:
    """By name; the swarm's faults depend on the seed."""
    from walras.simulation.faults import Faults
    from walras.simulation.network import Network, Uniform
    from walras.simulation.swarm import random_faults

    calm, none = Network(), Faults()
    network, faults = random_faults(seed, [agent.id for agent in market.agents], market.within_s)
    return {
        "calm": (calm, none, _as_is),
        "slow": (Network(latency=Uniform(0.0, 2.0)), none, _as_is),
        "lossy": (Network(loss=0.25), none, _as_is),
        "doubling": (Network(duplication=0.5, reordering=0.3), none, _as_is),
        "everything lost": (Network(loss=1.0), none, _as_is),
        "silent minds": (calm, none, _silent),
        "raising minds": (calm, none, _raising),
        "nonsense": (calm, none, _nonsense),
        "swarm of faults": (network, faults, _as_is),
    }


def _as_is(agent: Agent) -> Agent:
    return agent


def _silent(agent: Agent) -> Agent:
    return _with(agent, deliberation_s=1e12)


def _raising(agent: Agent) -> Agent:
    def confused(question: Any, view: Any) -> Any:
        raise RuntimeError("this mind always raises")

    return _with(agent, strategy=confused)


def _nonsense(agent: Agent) -> Agent:
    return _with(agent, strategy=lambda question, view: object())


def _with(agent: Agent, **changes: Any) -> Agent:
    twin = copy(agent)
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin


class _Market:
    """What is played, and what must be true of every run."""

    def __init__(
        self, mechanism: Mechanism, agents: tuple[Agent, ...], items: tuple[Item, ...], within_s: float
    ) -> None:
        self.mechanism, self.agents, self.items, self.within_s = mechanism, agents, items, within_s
        self.name = type(mechanism).__name__
        self.opener: AgentId = agents[0].id
        self.capabilities = {agent.id: agent.capabilities for agent in agents}

    def blame(self, where: str, what: str) -> None:
        raise ContractError(f"{self.name}, {where}: {what}")

    # ------------------------------------------------------------------ playing
    def simulation(
        self, seed: int, change: Callable[[Agent], Agent] = _as_is, mechanism: Mechanism | None = None, **settings: Any
    ) -> Simulation:  # fmt: skip
        from walras.simulation.simulation import Simulation

        simulation = Simulation(seed=seed, **settings)
        for number, agent in enumerate(self.agents):
            simulation.add(change(agent) if number else agent)
        others = [agent.id for agent in self.agents[1:]]
        simulation.open(mechanism or self.mechanism, self.items, self.opener, others, finish_by=self.within_s)
        return simulation

    def play(self, seed: int, weather: str) -> Simulation:
        network, faults, change = _weathers(seed, self)[weather]
        simulation = self.simulation(seed, change, network=network, faults=faults)
        return self._run(simulation, f"{weather}, seed {seed}")

    def kill_points(self, seed: int, most: int) -> list[KillAt]:
        return kill_points(lambda **settings: self.simulation(seed, **settings), most=most)

    def play_killed(self, seed: int, point: KillAt) -> Simulation:
        from walras.simulation.faults import Faults

        return self._run(self.simulation(seed, faults=Faults(kill_at=(point,))), f"seed {seed}, {point}")

    def _run(self, simulation: Simulation, where: str) -> Simulation:
        try:
            simulation.run()
        except Exception as error:  # of the mechanism's roles: a strategy's does not get so far
            raise ContractError(f"{self.name}, {where}: {type(error).__name__}: {error}") from error
        return simulation

    # ------------------------------------------------------------------ checking
    def check_pickle(self) -> None:
        try:
            twin = pickle.loads(pickle.dumps(self.mechanism))
        except Exception as error:
            raise ContractError(
                f"{self.name} does not pickle ({error}); functions in its fields are module-level"
            ) from error
        if twin != self.mechanism:
            self.blame("pickled", f"{twin!r} is not equal to {self.mechanism!r}")

    def check(self, simulation: Simulation, where: str) -> str:
        """All that must be true of a run that has come to rest; how it ended."""
        world = simulation.world
        conversation = f"{self.opener}/1"
        outcome = world.outcomes.get(conversation)
        if outcome is None:
            self.blame(
                where, "its conversation has no outcome; every conversation ends, at finish_by at the latest"
            )
        elif world.ended_at[conversation] > self.within_s:
            self.blame(
                where,
                f"it ended at {world.ended_at[conversation]:g} s, after its finish_by of {self.within_s:g} s",
            )
        left = [
            f"{me} in {talk}"
            for talk, seats in world.seats_of.items()
            if world.book[talk].mechanism is not None  # the roles that it leans on stay
            for me, port in seats.items()
            if not port.ended
        ]
        if left:
            self.blame(where, f"these roles never end: {', '.join(left)}")
        self._check_money(world, where)
        self._check_awards(world, where)
        return outcome.status if outcome is not None else "none"

    def _check_money(self, world: Any, where: str) -> None:
        ledger = world.ledger
        if not ledger.conserved():
            self.blame(where, "money was not conserved: the postings do not explain the balances")
        balances = ledger.balances()
        stuck = {name: amount for name, amount in balances.items() if name not in world.hosts}
        if stuck:
            self.blame(where, f"money is left in escrow: {stuck}")
        before = fsum(agent.money for agent in self.agents)
        if before < inf and abs(fsum(balances.values()) - before) > 1e-9 * max(1.0, before):
            self.blame(where, f"there were {before:g} in all, there are {fsum(balances.values()):g}")

    def _check_awards(self, world: Any, where: str) -> None:
        offered = {item.id for item in self.items}
        for conversation, line in world.awards:
            # children are about what they like
            if line.item in offered or conversation == f"{self.opener}/1":
                wrong = Allocation([line]).violations(self.items, self.capabilities)
                if wrong:
                    self.blame(where, f"in {conversation}, {wrong[0]}")
        known = {item.id: units(item) for item in self.items}
        standing: Counter[tuple[str, str]] = Counter()
        for row in world.trace:
            if row.kind == "award" and row.details["line"].get("winner") is not None:
                line = row.details["line"]
                standing[row.conversation, line["item"]] += line.get("quantity", 1)
                if standing[row.conversation, line["item"]] > known.get(line["item"], inf):
                    self.blame(
                        where,
                        f"in {row.conversation}, {line['item']} was awarded more often than there is of it",
                    )
            elif row.kind == "settle" and not row.details["paid"]:
                standing[row.conversation, row.details["item"]] -= 1

    def check_digests(self, seeds: Sequence[int], different: bool) -> None:
        """The same seed, the same trace; another seed, another."""
        digests = {}
        for seed in seeds:
            plain = digests[seed] = self._digest(seed)
            others = {
                "played again": self._digest(seed),
                "on the simulator's guarded path, with its roles' own checks": self._digest(seed, check=True),
                "from a pickle": self._digest(seed, mechanism=pickle.loads(pickle.dumps(self.mechanism))),
            }
            for how, digest in others.items():
                if digest != plain:
                    self.blame(
                        f"seed {seed}", f"{how}, it leaves another trace: {digest[:12]}, not {plain[:12]}"
                    )
        if different and len(digests) > 1 and len(set(digests.values())) == 1:
            self.blame(
                f"seeds {', '.join(map(str, seeds))}",
                "all leave the same trace; is anything drawn from the seed?",
            )

    def _digest(self, seed: int, **settings: Any) -> str:
        simulation = self.simulation(seed, **settings)
        simulation.run()
        return simulation.world.trace.digest
