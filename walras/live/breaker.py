"""A circuit breaker: a provider that keeps failing is left alone for a while, then tried with one call."""

from walras.errors import ScenarioError


class Breaker:
    """Of one provider. After `failures` calls in a row that failed it is open for `open_s`, and admits nobody.

    Then it is half open: it admits one call, the probe. If that succeeds it closes, if it fails it is open again. Calls
    that were under way when it opened change nothing any more.

    Args:
        failures: in a row, 1 or more.
        open_s: seconds.

    Raises:
        ScenarioError: for settings out of range.
    """

    __slots__ = ("failed", "failures", "open_s", "opened", "probing", "until")

    def __init__(self, failures: int = 3, open_s: float = 30.0) -> None:
        if failures < 1:
            raise ScenarioError("failures", failures, "1 or more")
        if not open_s >= 0:
            raise ScenarioError("open_s", open_s, "seconds, 0 or more")
        self.failures, self.open_s = failures, open_s
        self.failed = 0
        self.until: float | None = None
        """When the probe may go; None: closed."""
        self.probing = False
        self.opened = 0
        """How often it has opened: a call is of one such era."""

    def admit(self, now: float) -> "Pass | None":
        """Leave to make one call; None: the circuit is open. Every pass must be used up by one of its methods."""
        if self.until is None:
            return Pass(self, self.opened)
        if now < self.until or self.probing:
            return None
        self.probing = True
        return Pass(self, self.opened)

    def __repr__(self) -> str:
        state = (
            "closed" if self.until is None else "half open" if self.probing else f"open until {self.until:g}"
        )
        return f"<Breaker {state}, {self.failed} failures in a row>"


class Pass:
    """Leave to make one call through a breaker."""

    __slots__ = ("breaker", "era")

    def __init__(self, breaker: Breaker, era: int) -> None:
        self.breaker, self.era = breaker, era

    def succeeded(self) -> None:
        """The provider has answered, well or badly."""
        breaker = self.breaker
        if self.era == breaker.opened:
            breaker.failed, breaker.until, breaker.probing = 0, None, False

    def failed(self, now: float) -> None:
        """The provider did not answer."""
        breaker = self.breaker
        if self.era != breaker.opened:
            return
        breaker.failed += 1
        if breaker.probing or breaker.failed >= breaker.failures:
            breaker.until, breaker.probing = now + breaker.open_s, False
            breaker.opened += 1

    def given_up(self) -> None:
        """Nobody will know: the call was not made, or was cancelled from outside."""
        if self.era == self.breaker.opened:
            self.breaker.probing = False
