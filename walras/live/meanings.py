"""What a question means, apart from when it is asked: the key of recordings, caches and loops.

By the house's convention absolute times are numbers in fields that are called ``by``, ``until`` or ``at``, or end so
(``decide_by``, ``valid_until``). They differ from run to run, so they are left out of what a question means, and
those of an answer are kept relative to the question's.
"""

import math
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from hashlib import sha256
from itertools import zip_longest
from typing import Any

import msgspec

from walras.live.schemas import form_of
from walras.messages import AgentId
from walras.questions import Question
from walras.trace.file import from_json, to_json

_TIME = re.compile(r"(.*_)?(by|until|at)")


def meaning(question: Question) -> Any:
    """A question as plain data, without its times."""
    return _timeless(msgspec.to_builtins(question))


def key_of(agent: AgentId, question: Question) -> str:
    """The same for equal questions to one agent, whenever they are asked."""
    digest = sha256(_prefix(type(question)))
    digest.update(msgspec.json.encode((agent, meaning(question))))
    return digest.hexdigest()[:32]


@cache
def _prefix(question_type: type[Question]) -> bytes:
    """The schema of the answers is part of what is asked; hashed once per class."""
    return sha256(f"{question_type.__name__}\n{form_of(question_type).text}".encode()).digest()


def anchored(answer: Any, question: Question) -> Any:
    """An answer as plain JSON data, each of its times as seconds after the nearest one of the question."""
    anchors = _times_of(question)

    def relative(at: float) -> Any:
        if not anchors or not math.isfinite(at):
            return at
        path = min(anchors, key=lambda path: abs(anchors[path] - at))
        return {"after": path, "s": at - anchors[path]}

    return to_json(_with_times(msgspec.to_builtins(answer), relative))


def restored(value: Any, question: Question) -> Any:
    """The plain data of an answer, its times those of the question that is asked now."""
    anchors = _times_of(question)

    def absolute(plain: Any) -> Any:
        if isinstance(plain, dict):
            return {
                name: anchors[part["after"]] + part["s"]
                if _TIME.fullmatch(name) and isinstance(part, dict) and part.keys() == {"after", "s"}
                else absolute(part)
                for name, part in plain.items()
            }
        return [absolute(part) for part in plain] if isinstance(plain, list) else plain

    return from_json(absolute(value))


def differences(recorded: Any, asked: Any, path: str = "") -> list[str]:
    """Where two meanings differ, one line for each field or entry."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        names = [*recorded, *(name for name in asked if name not in recorded)]
        parts = [(f"{path}.{name}".strip("."), recorded.get(name), asked.get(name)) for name in names]
    elif isinstance(recorded, list) and isinstance(asked, list):
        parts = [(f"{path}[{k}]", one, other) for k, (one, other) in enumerate(zip_longest(recorded, asked))]
    else:
        return [] if recorded == asked else [f"{path}: {recorded!r} recorded, {asked!r} asked"]
    return [line for where, one, other in parts for line in differences(one, other, where)]


def _is_time(name: str, value: Any) -> bool:
    return type(value) in (float, int) and _names_a_time(name)


@lru_cache(4096)
def _names_a_time(name: str) -> bool:
    return _TIME.fullmatch(name) is not None


def _timeless(plain: Any) -> Any:
    if type(plain) is dict:
        return {
            name: part if type(part) is str else _timeless(part)
            for name, part in plain.items()
            if type(part) is str or not _is_time(name, part)
        }
    return [_timeless(part) for part in plain] if type(plain) in (list, tuple) else plain


def _with_times(plain: Any, changed: Callable[[float], Any]) -> Any:
    """A copy in which every time is changed."""
    if isinstance(plain, dict):
        return {
            name: changed(part) if _is_time(name, part) else _with_times(part, changed)
            for name, part in plain.items()
        }
    return [_with_times(part, changed) for part in plain] if isinstance(plain, list | tuple) else plain


def _times_of(question: Question) -> dict[str, float]:
    """The finite times of a question, by their path."""
    return {path: at for path, at in _times(msgspec.to_builtins(question), "") if math.isfinite(at)}


def _times(plain: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(plain, dict):
        for name, part in plain.items():
            if _is_time(name, part):
                yield f"{path}.{name}".strip("."), part
            else:
                yield from _times(part, f"{path}.{name}")
    elif isinstance(plain, list | tuple):
        for k, part in enumerate(plain):
            yield from _times(part, f"{path}[{k}]")
