"""The pictures of the page on theory can be made again, and the page shows all of them."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_picture_of_the_page_is_made_by_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    script = import_module("auction_pictures")
    few = {"PICTURES": tmp_path, "ROUNDS": 500, "LESSONS": 50, "MARKETS": 3}
    for name, value in few.items():
        monkeypatch.setattr(script, name, value)
    script.all_of_them()
    made = {path.name for path in tmp_path.iterdir()}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())
    page = (DOCS / "auction-theory.md").read_text("utf-8")
    assert made == set(re.findall(r"\]\(pictures/(.+?\.png)\)", page))
    assert all((DOCS / "pictures" / name).exists() for name in made)
