"""The checks of `check_runtime`, a file for each part of the contract, in its order."""

from importlib import import_module

FILES = ("calls", "effects", "timers", "minds", "holds", "messages", "local", "clocks", "conversations", "work",
         "money", "replay", "records", "seeds")  # fmt: skip


def load() -> None:
    """Enter all checks into `walras.testing.runtime.CHECKS`."""
    for name in FILES:
        import_module(f"walras.testing.promises.{name}")
