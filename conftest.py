"""Everything shown runs: pytest executes the Python blocks of README.md and docs/*.md through sybil.

The blocks of one document share one namespace, run from top to bottom in a temporary folder, and may use
`await` at the top level, as in a notebook. `<!--- skip: next -->` before a block leaves it out.
"""

import ast
import asyncio
import inspect
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator, pad
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens in a test

ROOT = Path(__file__).resolve().parent
PLACE = "_sybil_place"


class AwaitingEvaluator(PythonEvaluator):
    """Run a block; one that awaits at its top level gets an event loop of its own."""

    def __call__(self, example: Example) -> None:
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        flags = self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, example.path, "exec", flags=flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, example.namespace))
        else:
            exec(code, example.namespace)
        example.namespace.pop("__builtins__", None)


class PythonBlocks(PythonCodeBlockParser):
    """Python blocks as sybil finds them, `>>>` sessions included, run by `AwaitingEvaluator`."""

    def __init__(self) -> None:
        super().__init__()
        self.codeblock_parser = CodeBlockParser("python", AwaitingEvaluator())

    def __call__(self, document: Document) -> Iterable[Region]:
        return super().__call__(document)


def enter_document(namespace: dict[str, Any]) -> None:
    """Give a document a temporary folder to work in."""
    place = ExitStack()
    place.enter_context(chdir(place.enter_context(tempfile.TemporaryDirectory())))
    namespace[PLACE] = place
    namespace["__name__"] = "__main__"


def leave_document(namespace: dict[str, Any]) -> None:
    """Close its figures and remove its folder."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    namespace[PLACE].close()


collect_blocks = Sybil(
    parsers=[PythonBlocks(), SkipParser()],
    patterns=["*.md"],
    setup=enter_document,
    teardown=leave_document,
).pytest()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Only README.md and the pages of docs/ are documents; other Markdown is data."""
    if file_path == ROOT / "README.md" or file_path.parent == ROOT / "docs":
        collector: pytest.Collector | None = collect_blocks(file_path, parent)
        return collector
    return None
