"""What comes back from a live mind: always an answer with a status, never an exception."""

from collections.abc import Iterable
from typing import Any, Literal, TypeGuard

import msgspec

_NUMBER = (int, float)
_FANTASTIC = 1e15

Status = Literal["ok", "declined", "timeout", "invalid", "error", "over_budget", "circuit_open"]
"""How a question to a live mind ended; only an `ok` answer is used, after everything else stands `otherwise`."""


class Usage(msgspec.Struct, frozen=True):
    """What calls to a mind took. None is unknown, which is not zero: a sum with an unknown part is unknown.

    >>> Usage(1, 900, 40, cost_usd=0.002) + Usage(1, 900, 35)
    Usage(calls=2, input_tokens=1800, output_tokens=75, cost_usd=None)
    """

    calls: int = 1
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def tokens(self) -> int | None:
        """Input and output together."""
        total: int | None = _plus(self.input_tokens, self.output_tokens)
        return total

    def checked(self) -> "Usage":
        """The same as far as it makes sense: a participant may report anything, and what is no amount is unknown."""
        tokens = is_amount(self.input_tokens), is_amount(self.output_tokens)
        if all(tokens) and is_amount(self.calls) and is_amount(self.cost_usd):
            return self
        return Usage(
            self.calls if is_amount(self.calls) else 1,
            self.input_tokens if tokens[0] else None,
            self.output_tokens if tokens[1] else None,
            self.cost_usd if is_amount(self.cost_usd) else None,
        )

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            _plus(self.input_tokens, other.input_tokens),
            _plus(self.output_tokens, other.output_tokens),
            _plus(self.cost_usd, other.cost_usd),
        )


NOTHING = Usage(0, 0, 0, 0.0)
"""What a rule takes, and whoever was not asked."""

ONE_CALL = Usage(1, 0, 0, 0.0)
"""What a call takes as far as we know of it: what the mind spends is its own affair, unless it says so."""

CALLED_OFF = "called off"
"""How a call is cancelled whose question is over: recorded as silence. One that is merely broken off is asked again."""


class Answered(msgspec.Struct, frozen=True):
    """The end of one question. `latency_s` runs from asking to the answer, repairs and retries included.

    `value` means something only where `status` is ok. `detail` says for people why the status is what it is.
    """

    status: Status
    value: Any = None
    usage: Usage = NOTHING
    latency_s: float = 0.0
    attempts: int = 0
    detail: str = ""


def total(usages: Iterable[Usage]) -> Usage:
    """All of them together."""
    return sum(usages, NOTHING)


def is_amount(amount: object) -> TypeGuard[int | float]:
    """Whether so much can be counted: a number of 0 or more, and no fantastic one."""
    return isinstance(amount, _NUMBER) and 0 <= amount < _FANTASTIC


def in_words(error: BaseException) -> str:
    """What an exception says, in one line; some cannot even say that."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:
        return type(error).__name__


def _plus(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
