"""What models charge. A model without a price costs an unknown sum, which is not zero."""

import math

from walras.errors import ScenarioError
from walras.live.answers import Usage
from walras.messages import Frozen


class Price(Frozen, frozen=True):
    """Dollars for a million tokens, as providers list them.

    Raises:
        ScenarioError: for a price that is not a finite number of 0 or more.

    Examples:
        >>> Price(0.15, 0.60).of(Usage(1, 1_000_000, 500_000)).cost_usd
        0.45
    """

    input_usd: float
    output_usd: float

    def __post_init__(self) -> None:
        for field in ("input_usd", "output_usd"):
            value = getattr(self, field)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ScenarioError(field, value, "dollars for a million tokens, 0 or more")

    def of(self, usage: Usage) -> Usage:
        """The same usage with its cost, if its tokens are known."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return usage
        cost = (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / 1e6
        return Usage(usage.calls, usage.input_tokens, usage.output_tokens, cost)
