"""The targets there are, by name; each is loaded when it is asked for."""

from importlib import import_module

from walras.errors import ScenarioError
from walras.study.explore.plan import Target

TARGETS = {"raft": "walras.study.explore.raft:RaftTarget"}


def find_target(name: str, **settings: object) -> Target:
    """A target with its settings; raises `ScenarioError` for a name that there is not, or settings that make no sense."""
    if name not in TARGETS:
        raise ScenarioError("target", name, f"one of {', '.join(TARGETS)}")
    module, _, attribute = TARGETS[name].partition(":")
    made: Target = getattr(import_module(module), attribute)(**settings)
    return made
