"""The directory of a live market: who is there, what each says it can do and how well, and whether it is in good health.

What stands here are claims. The free text is the agents' own: a listing that becomes part of a question stands inside
the fence of its prompt like everything that others wrote, and what is chosen by rule is chosen by the numbers alone.
"""

import asyncio
from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from walras.errors import ScenarioError
from walras.items import Capability
from walras.live.answers import in_words
from walras.live.cascade import Cascade
from walras.live.participant import Participant
from walras.messages import AgentId, Frozen

if TYPE_CHECKING:
    from walras.agents import Strategy
    from walras.live.runtime import Runtime

MOST_TEXT = 1_000
"""Characters of what an agent says about itself."""

HEALTH_WITHIN_S = 2.0
"""How long a participant may take to say how it is."""


class Claim(Frozen, frozen=True):
    """A capability, and at what quality in [0, 1] the agent says it has it; None: it does not say."""

    capability: Capability
    quality: float | None = None


class Listing(Frozen, frozen=True):
    """An agent as the directory shows it. `about` is in its own words: never an instruction to anybody."""

    agent: AgentId
    claims: tuple[Claim, ...] = ()
    about: str = ""
    status: str = "here"
    """here, draining (it finishes what it is in), away (its roles live in another process) or gone."""
    busy: int = 0
    """How many tasks it is working on or has queued, right now."""
    capacity: int = 0

    def quality(self, capability: Capability) -> float | None:
        """What it claims for a capability; None where it says nothing, or lacks it."""
        return next((claim.quality for claim in self.claims if claim.capability == capability), None)


class Directory:
    """Who can do what; made by a market, see `walras.live.Live.directory`. It holds what is true now."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._about: dict[AgentId, tuple[str, dict[Capability, float]]] = {}

    def describe(
        self, agent: AgentId, about: str = "", quality: Mapping[Capability, float] | None = None
    ) -> None:
        """Enter what an agent says about itself; a second time replaces the first.

        Args:
            agent: who; it may come later.
            about: in its own words; what is longer than `MOST_TEXT` is cut.
            quality: what it claims for each capability, in [0, 1]; those of ``Agent(capabilities=...)`` are known anyway.

        Raises:
            ScenarioError: for a quality outside of [0, 1].
        """
        claimed: dict[Capability, Any] = dict(quality or {})
        for capability, value in claimed.items():
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise ScenarioError(f"quality of {agent} for {capability}", value, "a number from 0 to 1")
        self._about[agent] = about[:MOST_TEXT], claimed

    def __getitem__(self, agent: AgentId) -> Listing:
        """The listing of an agent. Raises `ScenarioError` if the market has never seen it."""
        host = self._runtime.host(agent)
        about, claimed = self._about.get(agent, ("", {}))
        known = dict.fromkeys((*(host.agent.capabilities if host.agent is not None else ()), *claimed))
        status = (
            "away" if host.away else "gone" if host.agent is None else "draining" if host.draining else "here"
        )
        return Listing(
            agent=agent,
            claims=tuple(Claim(capability, claimed.get(capability)) for capability in sorted(known)),
            about=about,
            status=status,
            busy=len(host.worker.running) + len(host.worker.queue),
            capacity=host.account.slots,
        )

    def __iter__(self) -> Iterator[Listing]:
        return (self[agent] for agent in self._runtime.hosts)

    def who_can(self, *capabilities: Capability, at_least: float = 0.0) -> tuple[AgentId, ...]:
        """Who takes part in new conversations and has all of these, best claims first, equals by name.

        Args:
            capabilities: all are needed.
            at_least: the least quality that is claimed for each; above 0, who claims nothing does not count.
        """
        found = []
        for listing in self:
            claims = {claim.capability: claim.quality or 0.0 for claim in listing.claims}
            if listing.status in ("here", "away") and all(
                claims.get(c, -inf) >= at_least for c in capabilities
            ):
                found.append((-min((claims[c] for c in capabilities), default=0.0), listing.agent))
        return tuple(agent for _, agent in sorted(found))

    # ------------------------------------------------------------------ health
    async def health(self) -> dict[AgentId, str]:
        """Why each agent of this process could not answer now, in a sentence; empty: it could. Asking costs nothing."""
        names = [agent for agent, host in self._runtime.hosts.items() if not host.away]
        found = await asyncio.gather(*(self._health_of(agent) for agent in names))
        return dict(zip(names, found, strict=True))

    async def healthy(self) -> tuple[AgentId, ...]:
        """Who is here, takes part in new conversations, and is in good health: whom to invite."""
        found = await self.health()
        return tuple(
            agent for agent, why in found.items() if not why and not self._runtime.hosts[agent].draining
        )

    async def _health_of(self, agent: AgentId) -> str:
        present = self._runtime.hosts[agent].agent
        if present is None:
            return "it is not here"
        return "" if present.strategy is None else await self._of_mind(present.strategy, agent)

    async def _of_mind(self, mind: "Strategy", agent: AgentId) -> str:
        """A participant is asked; a cascade is as well as the best of its minds; a rule is always well."""
        if isinstance(mind, Cascade):
            found = [await self._of_mind(part, agent) for part in mind.minds]
            return "" if "" in found else "; ".join(found)
        if not isinstance(mind, Participant):
            return ""
        breaker = getattr(self._runtime.guard, "breaker", None)
        if breaker is not None:
            until = breaker(mind, agent).until
            if until is not None and asyncio.get_running_loop().time() < until:
                return f"{mind.provider or agent} keeps failing and is left alone"
        try:
            return await asyncio.wait_for(mind.health(agent), HEALTH_WITHIN_S)
        except TimeoutError:
            return f"it did not say within {HEALTH_WITHIN_S:g} s"
        except Exception as error:  # a participant is not ours
            return in_words(error)
