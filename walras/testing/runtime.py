"""One suite for every runtime: `check_runtime` plays small scenes with puppets and looks at what becomes of them.

A runtime takes part through a small harness, `RuntimeUnderTest`. Nothing in the suite assumes a simulator: durations
are in the harness's own unit, order and lower bounds are asserted and never exact instants, and a scene that needs an
ability which a runtime does not have (to kill a machine, to lose messages) is left out and reported as left out.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from walras.accounts import Ledger
from walras.agents import Agent, Strategy
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol
from walras.testing.errors import ContractError, demand
from walras.testing.puppets import INF, Plan, Puppet, RecordsPuppet

if typing.TYPE_CHECKING:
    from walras.testing.kills import Point

ROOM = "test/1"
"""The conversation in which puppets are seated."""

GRACE = 0.5
"""How much later than asked for something may happen, in units, where it must not be late."""


class Conditions(msgspec.Struct, frozen=True):
    """The world of one scene. Times are in the harness's unit; messages arrive in order unless they are disturbed."""

    seed: int = 0
    latency: float = 0.01
    loss: float = 0.0
    """Probability that a message to another agent is lost."""
    duplication: float = 0.0
    lifetime: float = 30.0
    """How old a message may be on arrival, and how long a finished role hears late ones."""
    fsync: float = 0.0
    """How long a write takes until it is durable."""
    skew: Mapping[AgentId, float] = {}
    """How far ahead agents' clocks are."""


class RuntimeUnderTest(typing.Protocol):
    """What a runtime has to offer so that the suite can examine it. Times here are in seconds since the epoch.

    Everything before `run` is preparation; after it, the rest is read. Abilities, in `can`: ``crash``, ``kill``, ``pause``,
    ``skew``, ``lose``, ``double``, ``delay`` (messages that take longer than `GRACE`), ``slow disk``, ``exact time``
    (things happen at the very instant that was asked for) and ``digest`` (a trace that its seed determines).
    """

    @property
    def unit_s(self) -> float:
        """What the suite takes as one unit of time: large against the delays that the runtime itself causes."""

    @property
    def can(self) -> frozenset[str]: ...

    def add(self, agent: Agent) -> None: ...

    def mind(self, strategy: Strategy, takes_s: float) -> Mapping[str, Any]:
        """Arguments that give an `Agent` this strategy and let it ponder each question so long (inf: for ever)."""

    def seat(
        self, agent: AgentId, role: Protocol, conversation: ConversationId, finish_by: float
    ) -> None: ...

    def open(
        self, mechanism: Mechanism, items: Iterable[Item], opener: AgentId, participants: Iterable[AgentId],
        at: float, finish_by: float,
    ) -> None: ...  # fmt: skip

    def crash(self, agent: AgentId, at: float, down_s: float) -> None: ...

    def pause(self, agent: AgentId, at: float, for_s: float) -> None:
        """The agent hears nothing for a while, and forgets nothing."""

    def kill(
        self, conversation: ConversationId, agent: AgentId, input: int, effect: int, down_s: float
    ) -> None:
        """Stop the agent's machine before this effect of this input of its role, both counted from 1.

        One that never comes makes the runtime count the `points`.
        """

    def run(self, until: float) -> None: ...

    def role(self, conversation: ConversationId, agent: AgentId) -> Protocol | None:
        """The role as it is now; None if its memory has been given back."""

    def points(self) -> list[Point]:
        """Every input of every role, with the number of its effects, in order."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def outcomes(self) -> Mapping[ConversationId, str]:
        """How each conversation opened by `open` has ended: the status."""

    @property
    def awards(self) -> list[tuple[ConversationId, str]]:
        """Every award that was carried out: its conversation and its item."""

    def remembered(self) -> list[ConversationId]:
        """The conversations that still take memory."""

    def unfinished(self) -> list[tuple[ConversationId, AgentId]]:
        """The roles that have not ended."""

    @property
    def digest(self) -> str: ...


Make = Callable[[Conditions], RuntimeUnderTest]
"""Makes a fresh runtime for one scene."""

Check = Callable[[Make], None]


class Promise(typing.NamedTuple):
    """One named check: which promise of the contract it examines, what it says, what a runtime needs for it."""

    number: str
    says: str
    needs: frozenset[str]
    check: Check


CHECKS: dict[str, Promise] = {}


def promise(number: int | str, *needs: str) -> Callable[[Check], Check]:
    """Enter a check into the suite, under its own name; its docstring's first line says what it demands."""

    def enter(check: Check) -> Check:
        says = (check.__doc__ or "").partition("\n")[0]
        CHECKS[check.__name__] = Promise(str(number), says, frozenset(needs), check)
        return check

    return enter


class RuntimeReport(msgspec.Struct, frozen=True):
    """What the suite has found: names of checks that passed, and of those that the runtime has no ability for."""

    passed: tuple[str, ...]
    left_out: tuple[str, ...]
    failed: Mapping[str, Exception] = {}

    def __str__(self) -> str:
        lines = [
            f"{len(self.passed)} checks passed, {len(self.left_out)} left out, {len(self.failed)} failed"
        ]
        for name, error in self.failed.items():
            said = all_checks()[name]
            why = str(error) if isinstance(error, ContractError) else f"{type(error).__name__}: {error}"
            lines.append(f"  {name} (promise {said.number}: {said.says})\n    {why}")
        return "\n".join(lines)


def all_checks() -> dict[str, Promise]:
    """The whole suite, by name, in the order of the contract."""
    from walras.testing import promises

    promises.load()
    return CHECKS


def examine(make: Make, only: Iterable[str] | None = None) -> RuntimeReport:
    """Run the suite, or the checks that are named, and report; raises nothing for a broken promise."""
    suite = all_checks()
    names = list(suite) if only is None else list(only)
    unknown = [name for name in names if name not in suite]
    if unknown:
        raise ValueError(f"no check is called {', '.join(unknown)}; the names are {', '.join(suite)}")
    can = make(Conditions()).can
    passed, left_out, failed = [], [], {}
    for name in names:
        if not suite[name].needs <= can:
            left_out.append(name)
            continue
        try:
            suite[name].check(make)
            passed.append(name)
        except Exception as error:
            failed[name] = error
    return RuntimeReport(tuple(passed), tuple(left_out), failed)


def check_runtime(make: Make, only: Iterable[str] | None = None) -> RuntimeReport:
    """Hold a runtime to the contract: every promise of ``docs/contract.md`` that it has the abilities for.

    Args:
        make: makes a fresh runtime for the given conditions, once or more for each check.
        only: names of checks; None: all.

    Raises:
        ContractError: naming every check that failed, the promise that it examines, and what was seen.
    """
    report = examine(make, only)
    if report.failed:
        raise ContractError(str(report))
    return report


class Stage:
    """One scene: a fresh runtime, puppets in it, and afterwards their logs. Times here are in units."""

    def __init__(self, make: Make, **conditions: Any) -> None:
        self.runtime = make(Conditions(**conditions))
        self.u = self.runtime.unit_s
        self._known: set[AgentId] = set()
        self._seated: dict[tuple[ConversationId, AgentId], Puppet] = {}

    def agent(self, id: AgentId, mind: Strategy | None = None, thinks: float = 0.0, **type_: Any) -> None:
        """Bring an agent in; `thinks` is how long its mind ponders each question, in units."""
        self._known.add(id)
        strategy = self.runtime.mind(mind, thinks * self.u) if mind is not None else {}
        self.runtime.add(Agent(id, **{**strategy, **type_}))

    def seat(
        self, agent: AgentId, plan: Plan, room: ConversationId = ROOM, finish_by: float = INF, records: bool = False
    ) -> None:  # fmt: skip
        """Seat a puppet with a plan; an agent that is not there yet comes in."""
        if agent not in self._known:
            self.agent(agent)
        puppet = self._seated[room, agent] = (RecordsPuppet if records else Puppet)(plan)
        self.runtime.seat(agent, puppet, room, finish_by * self.u)

    def open(self, rules: Mechanism, opener: AgentId, others: Iterable[AgentId] = (), *, finish_by: float,
             items: Iterable[Item] = (), at: float = 0.0) -> None:  # fmt: skip
        """Open a conversation; it is called ``opener/1``."""
        self.runtime.open(rules, items, opener, others, at * self.u, finish_by * self.u)

    def crash(self, agent: AgentId, at: float, down: float) -> None:
        self.runtime.crash(agent, at * self.u, down * self.u)

    def run(self, until: float) -> None:
        self.runtime.run(until * self.u)

    def puppet(self, agent: AgentId, room: ConversationId = ROOM) -> Puppet:
        """The role as it is now, or as it was before its memory was given back."""
        role = self.runtime.role(room, agent)
        return typing.cast(Puppet, role) if role is not None else self._seated[room, agent]

    def log(self, agent: AgentId, room: ConversationId = ROOM) -> list[str]:
        """What a puppet has heard, line by line."""
        return [line for line, _ in self.puppet(agent, room).log]

    def at(self, agent: AgentId, line: str, room: ConversationId = ROOM) -> float:
        """When a puppet first heard this, in units on its own clock; `ContractError` if it never did."""
        for heard, now in self.puppet(agent, room).log:
            if heard == line:
                return now / self.u
        raise ContractError(f"{agent} never noted {line!r}; its log is {self.log(agent, room)}")

    def expect(self, agent: AgentId, *lines: str, about: str = "", room: ConversationId = ROOM) -> None:
        """Demand that the lines of a log that begin with `about` are these, in this order."""
        found = [line for line in self.log(agent, room) if line.startswith(about)]
        demand(found == list(lines), f"{agent} should have noted {list(lines)}, but it noted {found}")
