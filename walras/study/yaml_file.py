"""YAML as plain values that remember their lines, without the traps of YAML 1.1.

``12:30`` stays text and is not 750, ``no`` stays text and is not false, ``1e9`` is a number, ``012`` is text: the core
schema of YAML 1.2. A key that is given twice is an error, and so is the merge key ``<<``.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from walras.errors import WalrasError

Place = tuple[str | int, ...]
Lines = dict[Place, int]
"""The line, from 1, of every value by its path from the top."""

_MOST_VALUES = 100_000
_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": (r"~|null|", ["~", "n", ""]),
    "bool": (r"true|false", list("tf")),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (
        r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.?inf|\.nan",
        list("-+.0123456789i"),
    ),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # as PyYAML has it


for _name, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)
_Loader.add_constructor(
    _TAG + "float", lambda _, node: float(node.value.replace(".inf", "inf").replace(".nan", "nan"))
)


class BadFileError(WalrasError):
    """A settings file that cannot be used; names the file and the line."""

    def __init__(self, source: str, line: int | None, problem: str) -> None:
        super().__init__(source, line, problem)
        self.source, self.line, self.problem = source, line, problem

    def __str__(self) -> str:
        return (
            f"{self.source}, line {self.line}: {self.problem}"
            if self.line
            else f"{self.source}: {self.problem}"
        )


def read(path: str | Path) -> tuple[Any, Lines]:
    """The content of a file as plain values, and the line of each.

    Raises:
        BadFileError: if there is no such file, or it is not YAML; names the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadFileError(
            str(path), None, f"cannot be read: {why}; expected a settings file as YAML"
        ) from None
    return parse(text, str(path))


def parse(text: str, source: str = "settings") -> tuple[Any, Lines]:
    """YAML text as plain values, and the line of each. Raises `BadFileError` for what is not YAML."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:  # a character that no YAML may hold
        raise BadFileError(source, None, f"{str(error).splitlines()[0]}; expected YAML") from None
    try:
        node = loader.get_single_node()
        if node is None:
            raise BadFileError(source, None, "it is empty; expected settings as YAML")
        lines: Lines = {}
        return _Builder(loader, source, lines).value(node, ()), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadFileError(
            source, mark.line + 1 if mark else None, f"{error.problem}; expected YAML"
        ) from None
    except yaml.YAMLError as error:
        raise BadFileError(source, None, f"{str(error).splitlines()[0]}; expected YAML") from None
    except RecursionError:
        raise BadFileError(source, None, "it contains itself; expected YAML without loops") from None
    finally:
        loader.dispose()


def scalar(text: str) -> Any:
    """One value as a settings file would read it: ``3`` is a number, ``[a, b]`` a list, ``cheapest`` text."""
    return parse(text, f"the value {text!r}")[0] if text.strip() else None


class _Builder:
    def __init__(self, loader: _Loader, source: str, lines: Lines) -> None:
        self.loader, self.source, self.lines = loader, source, lines

    def value(self, node: yaml.Node, path: Place) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > _MOST_VALUES:  # aliases of aliases grow without bounds
            raise BadFileError(self.source, None, f"it has more than {_MOST_VALUES:,} values; expected fewer")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(inner, (*path, k)) for k, inner in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_object(node)
        except (ValueError, LookupError, AttributeError):  # so PyYAML fails where text does not fit its tag
            tag, shown = node.tag.removeprefix(_TAG), repr(node.value)
            if len(shown) > 40:
                shown = shown[:37] + "..."
            problem = f"{shown} cannot be read as {tag}; expected a value that fits"
            raise BadFileError(self.source, node.start_mark.line + 1, problem) from None

    def _mapping(self, node: yaml.MappingNode, path: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BadFileError(self.source, line, "a key is a list or a mapping; expected a name")
            if key.value == "<<":
                raise BadFileError(
                    self.source,
                    line,
                    "<< is not known here, as YAML 1.2 has no merge keys; expected each key itself",
                )
            if key.value in found:
                raise BadFileError(self.source, line, f"{key.value} is given twice; expected it once")
            self.lines[(*path, key.value)] = line
            found[key.value] = self.value(inner, (*path, key.value))
        return found
