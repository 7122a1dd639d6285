"""Models of an object: what each operation does to its state, and which results a state can give.

A model is a first state and a function; three come with the room, and a user's own is as easily made::

    def step(state, operation):
        if operation.f == "dequeue" and operation.completion == "ok":
            return state[1:] if state and state[0] == operation.result else IMPOSSIBLE
        ...


    QUEUE = Model(initial=(), step=step)
"""

from collections.abc import Callable, Hashable
from enum import Enum
from importlib import import_module
from typing import Any, Literal, NamedTuple

from consensus.linearizability.events import HistoryError, Operation
from walras.errors import ScenarioError


class Impossible(Enum):
    """What `Model.step` gives for an operation whose result this state cannot give."""

    IMPOSSIBLE = "impossible"

    def __repr__(self) -> str:
        return self.name


IMPOSSIBLE: Literal[Impossible.IMPOSSIBLE] = Impossible.IMPOSSIBLE


class Model(NamedTuple):
    """An object as a state machine.

    Attributes:
        initial: the state of an object that nobody has touched.
        step: ``step(state, operation)``, the state afterwards, or `IMPOSSIBLE` if the operation could not have ended as it
            did in this state. A pure function to hashable states. It meets operations whose result is unknown too
            (``info``: those took effect), and ``fail``: those did not, and may have seen why.
        by_key: whether objects of different keys are independent; False gives the whole history to one object.
    """

    initial: Hashable
    step: Callable[[Any, Operation], Any]
    by_key: bool = True


def _step_register(state: Hashable, operation: Operation) -> Hashable:
    f, completion = operation.f, operation.completion
    if f == "read":
        return state if completion != "ok" or operation.result == state else IMPOSSIBLE
    if f == "write":
        return state if completion == "fail" else operation.argument
    if f != "cas":
        raise _unknown(operation, "read, write or cas")
    if not isinstance(operation.argument, tuple) or len(operation.argument) != 2:
        raise HistoryError(f"event {operation.called}: a cas has two values, the expected and the new one")
    expected, new = operation.argument
    if completion == "ok":
        return new if state == expected else IMPOSSIBLE
    if completion == "fail":
        return state if state != expected else IMPOSSIBLE
    return new if state == expected else state


def _step_key_value(state: str, operation: Operation) -> Hashable:
    f, value = operation.f, operation.argument
    if f == "get":
        result = "" if operation.result is None else operation.result
        fits = operation.completion != "ok" or result == state
        return state if fits else IMPOSSIBLE
    if f not in ("put", "append"):
        raise _unknown(operation, "get, put or append")
    if not isinstance(value, str):
        raise HistoryError(f"event {operation.called}: {f} takes a string, and {value!r} is none")
    if operation.completion == "fail":
        return state
    return value if f == "put" else state + value


def _step_award_log(winner: Hashable, operation: Operation) -> Hashable:
    f, completion = operation.f, operation.completion
    if f == "read":
        return winner if completion != "ok" or operation.result == winner else IMPOSSIBLE
    if f != "award":
        raise _unknown(operation, "award or read")
    if operation.argument is None:
        raise HistoryError(f"event {operation.called}: an award names its winner")
    if completion == "ok":
        return operation.argument if winner is None else IMPOSSIBLE
    if completion == "fail":
        return winner if winner is not None else IMPOSSIBLE
    return operation.argument if winner is None else winner


def _unknown(operation: Operation, known: str) -> HistoryError:
    return HistoryError(f"event {operation.called} calls {operation.f!r}, where the model knows {known}")


REGISTER = Model(None, _step_register)
"""A register that is read, written, and compared and set; empty (None) at first. A ``cas`` that failed saw another value."""

KEY_VALUE = Model("", _step_key_value)
"""A string for each key, to ``get``, ``put`` and ``append`` to; a missing key is the empty string."""

AWARD_LOG = Model(None, _step_award_log)
"""Items (keys) that are awarded to a winner each, once: an ``award`` that failed saw that the item was gone."""

MODELS = {
    "register": REGISTER,
    "cas-register": REGISTER,
    "kv": KEY_VALUE,
    "key-value": KEY_VALUE,
    "award-log": AWARD_LOG,
}
"""The models by the names that the command line knows."""


def find_model(name: str) -> Model:
    """A model by its name, or a user's own as ``package.module:attribute``: a `Model`, or a pair (initial, step).

    Raises:
        ScenarioError: if there is none of that name.
    """
    if name in MODELS:
        return MODELS[name]
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ScenarioError(
            "model", name, f"one of {', '.join(MODELS)}, or your own as package.module:attribute"
        )
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ScenarioError("model", name, f"something that can be imported ({error})") from None
    if isinstance(found, Model):
        return found
    if isinstance(found, tuple) and len(found) == 2 and callable(found[1]):
        return Model(*found)
    raise ScenarioError("model", name, "a Model, or a pair of first state and step function")
