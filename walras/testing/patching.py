"""Bugs that are put into code for a while: what the checks are tested with that find them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Patch = Callable[[Any, str, Any], None]
"""``patch(owner, name, replacement)``: put something else in the place of a class's or a module's attribute, or of a
table's entry."""

Bug = Callable[[Patch], None]
"""Makes its patches; its docstring says what is wrong."""


@contextmanager
def installed(bug: Bug) -> Iterator[None]:
    """Have a bug inside the block, and no longer."""
    with ExitStack() as repairs:

        def patch(owner: Any, name: str, replacement: Any) -> None:
            if isinstance(owner, dict):
                repairs.enter_context(mock.patch.dict(owner, {name: replacement}))
            else:
                repairs.enter_context(mock.patch.object(owner, name, replacement))

        bug(patch)
        yield
