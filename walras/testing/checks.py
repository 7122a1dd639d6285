"""Holding a role of one's own to what every role promises: state is data, and the same inputs give the same effects."""

from __future__ import annotations

import copy
import enum
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from walras.effects import (
    Broadcast,
    Checkpoint,
    Decide,
    Effect,
    Finish,
    MakeAward,
    Persist,
    Publish,
    Send,
    Settle,
    Tell,
)
from walras.errors import LocalProtocolError, ScenarioError
from walras.messages import Frozen
from walras.protocol import Protocol
from walras.testing.errors import ContractError
from walras.testing.hermetic import hermetic
from walras.testing.script import Script

Input = tuple[Any, ...]
"""One input of a script: the name of a method of `Script`, and its arguments, as in ``("hear", "bob", Propose(3.0))``."""

Factory = Callable[[], Protocol]

MOST_FORKS = 24
"""From how many situations a role is restored and played on, at most; evenly spread over its life."""

_LONGEST_REPR = 4_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def check_protocol(
    factory: Factory, inputs: Iterable[Input], *, me: str = "me", conversation: str = "test/1", finish_by: float = 1e9,
    seed: int = 0, ends: bool = True,
) -> list[Effect]:  # fmt: skip
    """Play a role through these inputs and check that it is a role as every runtime needs it.

    Checked are: its state is data (a pickle and a deep copy of it are equal to it, in every situation; its repr is
    bounded and shows no addresses); it is deterministic; restored from a pickle in any situation it goes on as if
    nothing had happened; what it sends, asks, publishes and persists cannot change afterwards; it reads no clock and
    throws no dice; doubled messages change neither its awards nor its payments; it keeps the rules of `Script`; and
    it finishes, once.

    Args:
        factory: makes a fresh role, equal to every other that it makes.
        inputs: what it is told, see `Input`; the first is ``("start",)``.
        me, conversation, finish_by, seed: see `Script`.
        ends: whether it is to have finished after the last input.

    Returns:
        All effects, in order.

    Raises:
        ContractError: naming the role, the input, the promise and what was seen.
        LocalProtocolError: for inputs that no runtime would give.
        ScenarioError: for a factory that makes nothing, or an input that `Script` does not know.
    """
    if not callable(factory):
        raise ScenarioError("factory", factory, "what makes a fresh role, such as its class")
    settings = {"me": me, "conversation": conversation, "finish_by": finish_by, "seed": seed}
    life = _Life(factory, tuple(inputs), settings)
    first = life.play_watched()
    if ends and first.finished is None:
        life.blame(len(life.inputs), "has not finished; every role ends, by itself or at its last deadline")
    life.play_again(first)
    life.play_restored()
    life.play_doubled(first)
    return first.effects


class _Life:
    """One role, its inputs, and the ways to play them."""

    def __init__(self, factory: Factory, inputs: Sequence[Input], settings: dict[str, Any]) -> None:
        self.factory, self.inputs, self.settings = factory, inputs, settings
        self.name = type(factory()).__name__
        self.states: list[Any] = []
        self.outputs: list[list[Effect]] = []

    def blame(self, number: int, what: str) -> None:
        shown = repr(self.inputs[number])[:200] if number < len(self.inputs) else "the end"
        raise ContractError(f"{self.name}, at input {number} ({shown}): it {what}")

    def script(self) -> Script:
        return Script(self.factory(), **self.settings)

    def give(self, script: Script, number: int) -> list[Effect]:
        name, *arguments = self.inputs[number]
        if not callable(getattr(script, name, None)):
            raise ScenarioError(f"inputs[{number}]", name, "the name of a method of walras.testing.Script")
        effects: list[Effect] = getattr(script, name)(*arguments)
        return effects

    def play_watched(self) -> Script:
        """The first time: look at everything."""
        script, frozen = self.script(), _Freezer()
        for number in range(len(self.inputs)):
            touched: list[str] = []
            with hermetic(touched):
                effects = self.give(script, number)
            if touched:
                self.blame(number, f"uses {touched[0]}; a role has self.now and self.rng")
            self.outputs.append(effects)
            for effect in effects:
                complaint = frozen.add(effect)
                if complaint is not None:
                    self.blame(number, complaint)
            self._check_state(script.role, number)
            self.states.append(script.state())
        changed = frozen.changed()
        if changed is not None:
            self.blame(len(self.inputs), f"has changed {changed!r} after handing it over")
        return script

    def _check_state(self, role: Any, number: int) -> None:
        for how, copied in (("pickle", _pickled), ("deep copy", copy.deepcopy)):
            try:
                twin = copied(role)
            except Exception as error:
                field = next(
                    (f for f in role.__struct_fields__ if not _copies(getattr(role, f), copied)), "?"
                )
                self.blame(number, f"cannot be copied by {how}, for its {field} ({error}); state is data")
            if twin != role:
                fields = [f for f in role.__struct_fields__ if getattr(twin, f) != getattr(role, f)]
                self.blame(
                    number, f"is not equal to its own {how}: {', '.join(fields)} differ; state is data"
                )
        shown = repr(role)
        if len(shown) > _LONGEST_REPR:
            self.blame(
                number, f"has a repr of {len(shown)} characters; it is bounded by default, leave it so"
            )
        if _ADDRESS.search(shown):
            self.blame(number, f"shows an address in its repr, so its state is not data: {shown[:200]}")

    def play_again(self, first: Script) -> None:
        """Another role with the same inputs: the same effects, the same state."""
        script = self.script()
        for number in range(len(self.inputs)):
            self._compare(self.give(script, number), script, number, "plays differently with the same inputs")

    def _compare(self, effects: list[Effect], script: Script, number: int, what: str) -> None:
        if effects != self.outputs[number]:
            self.blame(number, f"{what}: first {self.outputs[number]}, then {effects}")
        if script.state() != self.states[number]:
            then, now = self.states[number], script.state()
            fields = [f"{f} was {then[f]!r}, is {now[f]!r}" for f in then if then[f] != now[f]]
            self.blame(number, f"{what}: {'; '.join(fields)[:300]}")

    def play_restored(self) -> None:
        """From the pickle of every situation: as if nothing had happened."""
        script = self.script()
        step = -(-len(self.inputs) // MOST_FORKS)
        for number in range(len(self.inputs)):
            if number % step == 0:
                twin = script.fork()
                for later in range(number, len(self.inputs)):
                    what = f"restored before input {number}, goes on differently"
                    self._compare(self.give(twin, later), twin, later, what)
            self.give(script, number)

    def play_doubled(self, first: Script) -> None:
        """Every message three times, at once and long after: the same awards and payments, and one finish."""
        script = self.script()
        messages = [number for number, (name, *_) in enumerate(self.inputs) if name in ("hear", "late")]
        for number in range(len(self.inputs)):
            try:
                self.give(script, number)
            except LocalProtocolError as error:
                self.blame(number, f"no longer takes this if messages are doubled: {error}")
            if number in messages:
                self.give(script, number)
        for number in messages:
            self.give(script, number)
        for verb in (MakeAward, Settle, Finish):
            once, doubled = _count(first.effects, verb), _count(script.effects, verb)
            if once != doubled:
                more, less = doubled - once, once - doubled
                self.blame(
                    len(self.inputs),
                    f"does something else when messages are doubled: {list(more) or 'nothing'} more, "
                    f"{list(less) or 'nothing'} less; what makes a message idempotent is in the message",
                )


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _copies(value: Any, how: Callable[[Any], Any]) -> bool:
    try:
        how(value)
    except Exception:
        return False
    return True


def _count(effects: list[Effect], verb: type) -> Counter[str]:
    return Counter(repr(effect) for effect in effects if isinstance(effect, verb))


class _Freezer:
    """Keeps what a role has handed over, to see whether it changes."""

    def __init__(self) -> None:
        self.kept: list[tuple[Any, bytes]] = []

    def add(self, effect: Effect) -> str | None:
        """Keep what an effect carries; what is wrong with it, if it could change."""
        match effect:
            case Send(message=value) | Broadcast(message=value) | Tell(message=value):
                must_be_frozen = True
            case Decide(question=value) | Publish(fact=value) | MakeAward(line=value) | Finish(outcome=value):
                must_be_frozen = True
            case Persist(record=value) | Checkpoint(record=value):
                must_be_frozen = False
            case _:
                return None
        if must_be_frozen and (place := _mutable(value, type(value).__name__)):
            return f"hands over what can change: {place}"
        self.kept.append((value, pickle.dumps(value)))
        return None

    def changed(self) -> Any:
        """Something that is no longer what it was when it was handed over; None if there is nothing."""
        return next((value for value, before in self.kept if pickle.loads(before) != value), None)


def _mutable(value: Any, place: str) -> str | None:
    """Where in a value something can change; None if nowhere."""
    if value is None or isinstance(value, str | int | float | bytes | bool | enum.Enum):
        return None
    if isinstance(value, tuple):
        return next((found for k, v in enumerate(value) if (found := _mutable(v, f"{place}[{k}]"))), None)
    if isinstance(value, msgspec.Struct) and value.__struct_config__.frozen:
        if not isinstance(value, Frozen):
            return None  # a mechanism or the like: settings, which have rules of their own
        fields = ((field, getattr(value, field)) for field in value.__struct_fields__)
        return next((found for field, v in fields if (found := _mutable(v, f"{place}.{field}"))), None)
    return f"{place} is a {type(value).__name__}"
