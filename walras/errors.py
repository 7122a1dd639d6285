"""Errors say whose fault it is; a bug of ours is an assertion, not one of these.

A strategy's nonsense and a peer's misbehaviour do not raise out of a run: they become facts in its trace.
These classes are for what a caller can act on.
"""


class WalrasError(Exception):
    """The root of everything that this framework raises on purpose."""


class ScenarioError(WalrasError):
    """A bad configuration, raised before time 0: names the field, the value that it had and what was expected."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(field, value, expected)
        self.field = field
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        return f"{self.field} is {shown}; expected {self.expected}"


class LocalProtocolError(WalrasError):
    """Our own role, strategy or caller broke a rule (finished twice, awarded what is not on offer ...)."""


class RemoteProtocolError(WalrasError):
    """A peer broke a rule; a runtime turns it into an `ignored` row of the trace."""


class ReplayError(WalrasError):
    """A recording has no answer to a question, or lost one: no other may stand for it, so this raises out of the run."""
