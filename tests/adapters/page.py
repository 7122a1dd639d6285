"""The how-to and the lines of code that it shows for each framework, as they stand there."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "plug-your-agent-in.md"

_TEXT = PAGE.read_text("utf-8")
_SECTION = re.compile(
    r'### (?P<title>[^\n]+)\n\n`pip install "walras\[(?P<extra>[\w-]+)\]"`\n\n```py\n(?P<code>.*?)```\n',
    re.DOTALL,
)
_TOOL = re.compile(r"### The tool in (?P<title>[^\n]+)\n\n```py\n(?P<code>.*?)```\n", re.DOTALL)
_EXTRAS = {found["title"]: found["extra"] for found in _SECTION.finditer(_TEXT)}

PARTICIPANTS = {found["extra"]: found["code"] for found in _SECTION.finditer(_TEXT)}
"""By extra, how an agent of a framework takes part."""

BOSSES = {_EXTRAS[found["title"]]: found["code"] for found in _TOOL.finditer(_TEXT)}
"""By extra, how an agent of a framework holds an auction."""


async def run_lines(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run some lines, which may await, and say what they have named."""
    found = {**names, "__name__": "__main__"}
    made = eval(compile(code, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), found)
    if inspect.isawaitable(made):
        await made
    return found
