"""Market files: a live market, declared in YAML.

.. code-block:: yaml

    mechanism: {kind: vickrey, reply_within_s: 20}
    items:
      - {lot: job-1, reserve: 5}
    participants:
      ada: {kind: openai, model: gpt-4o-mini, values: {job-1: 12}}
      bob: {kind: function, function: "auctions:truthful", values: {job-1: 9}}
    approval: {approvers: [ann], award_above: 100}
    budget_usd: 2.0
    journal: market.db

Paths are those of the shell that runs it. The mechanism is written as in settings files (`walras.study.declared`).
"""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from walras.errors import ScenarioError
from walras.items import Item, Lot, Task
from walras.live.approval import Approved
from walras.live.approval_rules import Gate
from walras.live.budget import Budgets, Limits
from walras.live.guard import Guard
from walras.live.live import Live
from walras.live.recording import Mode, Recording
from walras.live.settings import Onlooker, Rules
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.results import Result
from walras.study import catalogue, settings, yaml_file
from walras.study.declared import named
from walras.study.environment import secret_from
from walras.study.located import Located
from walras.study.market import Market
from walras.study.minds import KINDS, Entrant

ITEMS: dict[str, type[Item]] = {"lot": Lot, "task": Task}


class RecordingAt(msgspec.Struct, frozen=True):
    """Where answers are recorded or replayed, see `walras.live.Recording`."""

    path: str
    mode: Mode = "record"
    pace: float = 1.0

    def opened(self, journal: str | None) -> Recording:
        """The recording; that of a market which goes on from its journal is added to."""
        goes_on = self.mode == "record" and journal is not None and Path(journal).exists()
        return Recording(self.path, "append" if goes_on else self.mode, pace=self.pace)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a market beside its rules, items and participants.

    Args:
        within_s: until when it is over at the latest, seconds.
        opener: who announces the items.
        seed: of the roles' random streams.
        budget_usd: what all minds together may cost, dollars.
        unknown_usd: what a call counts whose cost nobody knows, dollars; None: where there is a budget, it is not made.
        journal: the file with which it survives its process.
        audit: the file of its audit trail.
        secret_env: the environment variable that holds the secret with which the trail is sealed; None: it is only hashed.
        recording: the file of its answers.

    Raises:
        ScenarioError: for a time or a budget out of range.
    """

    within_s: float = 60.0
    opener: str = "house"
    seed: int = 0
    budget_usd: float = inf
    unknown_usd: float | None = 0.05
    journal: str | None = None
    audit: str | None = None
    secret_env: str | None = None
    recording: RecordingAt | None = None

    def __post_init__(self) -> None:
        if not self.within_s > 0:
            raise ScenarioError("within_s", self.within_s, "a number of seconds above 0")
        if not self.budget_usd >= 0:
            raise ScenarioError("budget_usd", self.budget_usd, "dollars, 0 or more")
        Budgets(unknown_usd=self.unknown_usd)  # it says what is wrong with it

    def secret(self) -> bytes:
        """What the variable holds.

        Raises:
            ScenarioError: if it is not set.
        """
        return secret_from(self.secret_env) if self.secret_env is not None else b""


KEYS = ("mechanism", "items", "participants", "approval", *Terms.__struct_fields__)


class MarketFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a market file says."""

    name: str
    mechanism: Mechanism
    items: tuple[Item, ...]
    participants: dict[AgentId, Entrant]
    kinds: dict[AgentId, str]
    terms: Terms

    def market(self, *, minds: bool = True) -> Market:
        """The market as a value, with new minds; or with none, to be replayed."""
        agents = tuple(entrant.agent(name, minds=minds) for name, entrant in self.participants.items())
        terms = self.terms
        return Market(
            mechanism=self.mechanism, items=self.items, agents=agents, opener=terms.opener,
            within_s=terms.within_s, seed=terms.seed, name=self.name,
        )  # fmt: skip

    async def run(self, onlooker: Onlooker | None = None) -> Result:
        """Run it live, and show an onlooker what happens, and what had happened where a journal brings the market back."""
        terms, market, guard = self.terms, self.market(), self.guard()
        rules = Rules(name=self.name, audit=terms.audit, secret=terms.secret())
        async with Live(guard=guard, seed=terms.seed, journal=terms.journal, rules=rules) as live:
            if onlooker is not None:
                for row in live.runtime.trace.rows:  # of the life before, if a journal brought it back
                    onlooker(row)
                live.follow(onlooker)
            for agent in market.agents:
                entrant = self.participants[agent.id]
                live.add(agent)
                live.directory.describe(agent.id, entrant.about, entrant.quality)
            return await live.run(market.mechanism, market.items, terms.within_s, opener=terms.opener)

    def guard(self) -> Guard:
        """A guard with the file's budgets and its recording."""
        terms, recording = self.terms, self.terms.recording
        limits = {
            name: Limits(usd=e.budget_usd) for name, e in self.participants.items() if e.budget_usd < inf
        }
        return Guard(
            budgets=Budgets(Limits(usd=terms.budget_usd), agents=limits, unknown_usd=terms.unknown_usd),
            recording=recording.opened(terms.journal) if recording is not None else None,
        )


def load(path: str | Path, *, minds: bool = True) -> MarketFile:
    """Read a market file.

    Args:
        path: of the file.
        minds: whether to look at once for all that its minds need (keys, programs, packages); a replay needs none of it.

    Raises:
        BadFileError: naming the file, the line, the field, its value and what was expected.
    """
    found, lines = yaml_file.read(path)
    file = _File(lines, str(path))
    read = file.market(found, Path(path).stem)
    if minds:
        file.look_for_needs(read)
    return read


class _File(Located):
    """Reads the sections of a market file."""

    def market(self, found: Any, name: str) -> MarketFile:
        given = self.sections(found)
        with self.at("mechanism"):
            mechanism = named(Mechanism, given["mechanism"])
        participants = self.participants(given["participants"])
        if given.get("approval") is not None:
            with self.at("approval"):
                _check_mapping("approval", given["approval"])
                mechanism = Approved(mechanism, settings.build(Gate, given["approval"], "approval"))
                _check_approvers(mechanism.gate, participants)
        with self.at():
            terms = settings.build(
                Terms, {key: given[key] for key in Terms.__struct_fields__ if key in given}
            )
        return MarketFile(
            name=name,
            mechanism=mechanism,
            items=self.items(given["items"]),
            participants=participants,
            kinds={agent: _kind(one) for agent, one in given["participants"].items()},
            terms=terms,
        )

    def sections(self, found: Any) -> dict[str, Any]:
        """The top of the file."""
        if not isinstance(found, Mapping):
            raise yaml_file.BadFileError(
                self.source, self.lines.get(()), "it is no mapping; expected mechanism: ..."
            )
        for key in found:
            if key not in KEYS:
                wrong = f"{key} is no section of a market; expected {catalogue.one_of(str(key), KEYS)}"
                raise yaml_file.BadFileError(self.source, self.lines.get((key,)), wrong)
        for key in ("mechanism", "items", "participants"):
            if not found.get(key):
                raise yaml_file.BadFileError(
                    self.source, self.lines.get((key,)), f"it has no {key}; expected {key}: ..."
                )
        return dict(found)

    def participants(self, given: Any) -> dict[AgentId, Entrant]:
        """By name."""
        found: dict[AgentId, Entrant] = {}
        with self.at("participants"):
            _check_mapping("participants", given)
        for name, one in given.items():
            with self.at("participants", name):
                _check_mapping(f"participant {name}", one if one is not None else {})
                rest, kind = dict(one or {}), _kind(one)
                rest.pop("kind", None)
                if kind not in KINDS:
                    expected = catalogue.one_of(str(kind), KINDS)
                    raise settings.BadSettingError(("kind",), name, kind, expected)
                found[name] = settings.build(KINDS[kind], rest, name)
                found[name].agent(name, minds=False)  # what its private type lacks is said in any case
        return found

    def look_for_needs(self, read: MarketFile) -> None:
        """What minds and the trail need from the machine; what is missing is said before anything begins."""
        for name, entrant in read.participants.items():
            with self.at("participants", name):
                entrant.agent(name)
        with self.at():
            read.terms.secret()

    def items(self, given: Any) -> tuple[Item, ...]:
        """Lots and tasks: ``{lot: its id, ...}``, ``{task: its id, ...}``."""
        with self.at("items"):
            if not isinstance(given, list):
                raise settings.BadSettingError(
                    (), "items", given, "a list, each {lot: id, ...} or {task: id, ...}"
                )
        return tuple(self.item(k, one) for k, one in enumerate(given))

    def item(self, number: int, one: Any) -> Item:
        """One of them."""
        with self.at("items", number):
            kinds = [kind for kind in ITEMS if isinstance(one, Mapping) and kind in one]
            if len(kinds) != 1:
                raise settings.BadSettingError(
                    (), f"item {number + 1}", one, "{lot: id, ...} or {task: id, ...}"
                )
            rest = {("id" if key == kinds[0] else key): value for key, value in one.items()}
            return settings.build(ITEMS[kinds[0]], rest, f"item {number + 1}")


def _kind(one: Any) -> str:
    kind = one.get("kind", "default") if isinstance(one, Mapping) else "default"
    return kind if isinstance(kind, str) else str(kind)


def _check_mapping(what: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise settings.BadSettingError((), what, given, "a mapping")


def _check_approvers(gate: Gate, participants: Mapping[AgentId, Entrant]) -> None:
    for name in gate.approvers:
        if name not in participants:
            raise settings.BadSettingError(
                ("approvers",), "approval", name, f"participants of this market: {', '.join(participants)}"
            )
