"""Complaints about a file, each with the line that it is about."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from walras.errors import ScenarioError, WalrasError
from walras.study import settings, yaml_file


class Located:
    """Who reads the sections of a file: `at` gives every complaint its line.

    Args:
        lines: the line of every value, as `yaml_file.read` returns them.
        source: the file, for errors.
    """

    def __init__(self, lines: Mapping[yaml_file.Place, int], source: str) -> None:
        self.lines, self.source = lines, source
        self.spelling: dict[str, str] = {}
        """How the file spells a section that has several names."""

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Give a complaint from inside the block the line that it is about."""
        try:
            yield
        except yaml_file.BadFileError:
            raise
        except WalrasError as error:
            spelled = tuple(
                self.spelling.get(str(step), step) if k == 0 else step for k, step in enumerate(place)
            )
            raise yaml_file.BadFileError(self.source, self._line(error, spelled), str(error)) from None

    def _line(self, error: WalrasError, place: yaml_file.Place) -> int | None:
        if isinstance(error, settings.BadSettingError):
            place = (*place, *error.path)
        elif isinstance(error, ScenarioError):
            # From a class itself: its field is a path, as `schedule[0].agent`, or its first word is the key.
            path = tuple(int(step) if step.isdecimal() else step for step in re.findall(r"\w+", error.field))
            inside = [
                known for known in self.lines if known[: len(place)] == place and known[-1:] == path[:1]
            ]
            if (*place, *path) in self.lines:
                place = (*place, *path)
            elif inside:
                place = inside[0]
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)
