"""Optional packages: imported when they are needed, with an error that says how to get them."""

from importlib import import_module
from types import ModuleType

from walras.errors import WalrasError


class MissingExtraError(WalrasError, ImportError):
    """An optional package is not installed; the message is the command that installs it."""


def needed(module: str, extra: str) -> ModuleType:
    """Import a module that belongs to an extra.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{module} is not installed ({error}); expected it after: pip install "walras[{extra}]"'
        ) from None
