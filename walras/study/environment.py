"""What is secret is never in a file: a file, or a command, names the environment variable that holds it."""

import os

from walras.errors import ScenarioError


def from_environment(field: str, variable: str, what: str) -> str:
    """What a variable holds.

    Args:
        field: of the settings, where the variable is named.
        variable: its name.
        what: it is said to hold.

    Raises:
        ScenarioError: for a variable that is not set, or empty.
    """
    found = os.environ.get(variable)
    if not found:
        raise ScenarioError(field, variable, f"an environment variable that holds {what}")
    return found


def secret_from(variable: str, field: str = "secret_env") -> bytes:
    """A market's secret (`walras.live.Rules`): the very bytes of a variable."""
    return os.fsencode(from_environment(field, variable, "the market's secret"))
