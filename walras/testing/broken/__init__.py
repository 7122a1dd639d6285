"""Broken runtimes: for every check of `check_runtime`, a simulator with one deliberate bug that this check finds.

They show that each check can fail, and that none fails for another's reason: with one of these bugs exactly the check
of the same name fails. Whoever writes a check of a promise writes a bug beside it.
"""

from contextlib import AbstractContextManager
from importlib import import_module

from walras.testing.patching import Bug, installed

BUGS: dict[str, Bug] = {}
"""By the name of the check that finds it."""

FILES = ("messages", "timing", "minds", "conversations", "recovery")


def bug(install: Bug) -> Bug:
    """Enter a bug under its own name, which is that of the check that finds it; its docstring says what is wrong."""
    BUGS[install.__name__] = install
    return install


def all_bugs() -> dict[str, Bug]:
    """Every bug, by the name of the check that finds it."""
    for name in FILES:
        import_module(f"walras.testing.broken.{name}")
    return BUGS


def broken(name: str) -> AbstractContextManager[None]:
    """Break the simulator in this one way, inside the block."""
    return installed(all_bugs()[name])
