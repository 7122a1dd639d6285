"""Everything shown runs: the `>>>` examples in docstrings."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("contractnet", "auctions", "consensus", "scenarios", "walras")


def modules_with_examples() -> list[str]:
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    shown = [path for path in paths if ">>> " in path.read_text("utf-8")]
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in shown]
    return [name.removesuffix(".__init__") for name in dotted]


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_show_what_happens(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0, f"{module} shows `>>>` where doctest finds no example"
    assert results.failed == 0, (
        f"{results.failed} of {results.attempted} examples in {module} show something else"
    )
