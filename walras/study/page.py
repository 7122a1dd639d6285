"""The parts of a report's page, and how they become one HTML file that needs no other."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from walras.study.comparison import NOTE, Comparison

PAGE = "report.html"
_DPI = 110


class Picture(msgspec.Struct, frozen=True):
    """A picture in the page: its file's name, what it shows, its PNG bytes."""

    name: str
    shows: str
    png: bytes

    @property
    def address(self) -> str:
        """The picture itself, as an address that needs no file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


class Section(msgspec.Struct, kw_only=True):
    """A part of the page; whatever it has is shown in the order of these fields."""

    title: str
    text: str = ""
    comparison: Comparison | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[Picture] = ()
    folded: Sequence[Picture] = ()
    transcript: str = ""


def render(title: str, sections: Sequence[Section]) -> str:
    """The page."""
    room = Environment(
        loader=PackageLoader("walras.study"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return room.get_template("report.html.j2").render(title=title, sections=sections, note=NOTE)


def picture(name: str, shows: str, draw: Callable[[], object]) -> Picture:
    """What a function draws; it returns its axes, or those of all panels."""
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    drawn: Any = draw()
    figure = (drawn[0] if isinstance(drawn, list) else drawn).figure
    assert isinstance(figure, Figure), "a picture is drawn on a figure of its own"
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    pyplot.close(figure)
    return Picture(file_name(name), shows, content.getvalue())


def file_name(label: str) -> str:
    """A label as the name of a file or folder: letters, digits, dots and hyphens."""
    return re.sub(r"[^\w.=-]+", "-", label).strip("-.") or "unnamed"
