"""Everything shown runs: pytest executes the Python blocks of README.md and docs/*.md through sybil.

The blocks of one document share one namespace, run from top to bottom in a temporary folder, and may use
`await` at the top level, as in a notebook. `<!--- skip: next -->` before a block leaves it out.

An ```` ```output ```` block shows what the Python block before it has printed, and is compared with it; `...` stands for
anything, such as a digest. After a change that is meant, run the pages once with ``WALRAS_REGENERATE=1`` and read the difference.
"""

import ast
import asyncio
import doctest
import inspect
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack, chdir, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator, pad
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens in a test

ROOT = Path(__file__).resolve().parent
PLACE, PRINTED = "_sybil_place", "_sybil_printed"


class AwaitingEvaluator(PythonEvaluator):
    """Run a block; one that awaits at its top level gets an event loop of its own."""

    def __call__(self, example: Example) -> None:
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        flags = self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, example.path, "exec", flags=flags, dont_inherit=True)
        with redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, example.namespace))
            else:
                exec(code, example.namespace)
        example.namespace[PRINTED] = printed.getvalue()
        sys.stdout.write(example.namespace[PRINTED])
        example.namespace.pop("__builtins__", None)


def compare_output(example: Example) -> None:
    """What is shown is what was printed; trailing blanks are nobody's business."""
    printed = "\n".join(line.rstrip() for line in example.namespace[PRINTED].rstrip().splitlines()) + "\n"
    shown = str(example.parsed)
    if doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS):
        return
    if os.environ.get("WALRAS_REGENERATE"):
        page, new = Path(example.path), re.sub(r"digest [0-9a-f]{12}\b", "digest ...", printed)
        old = f"```output\n{shown}"
        page.write_text(page.read_text("utf-8").replace(old, f"```output\n{new}", 1), "utf-8")
        return
    raise AssertionError(f"{example.path}, line {example.line}: what is printed is now\n{printed}")


class Page(ModuleType):
    """A document as the module that its classes come from, so that they pickle as those of a script do."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        super().__init__("__main__")
        self.namespace = namespace

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["namespace"][name]
        except KeyError:
            raise AttributeError(name) from None


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
    place.callback(sys.modules.__setitem__, "__main__", sys.modules["__main__"])
    sys.modules["__main__"] = Page(namespace)
    namespace["__name__"] = "__main__"


def leave_document(namespace: dict[str, Any]) -> None:
    """Close its figures and remove its folder."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    namespace[PLACE].close()


collect_blocks = Sybil(
    parsers=[PythonBlocks(), CodeBlockParser("output", compare_output), SkipParser()],
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
