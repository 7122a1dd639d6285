"""What users need is a name of `walras.live`, and naming it loads its own part, and no package that is an extra."""

import subprocess
import sys
from pathlib import Path

import pytest

import walras.live

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "a2a", "ag2", "mcp", "openai", "opentelemetry", "prometheus_client", "pydantic_ai", "starlette", "uvicorn", "websockets",
}  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_every_name_is_found_where_it_lives() -> None:
    for name in walras.live.__all__:
        found = getattr(walras.live, name)
        assert found.__name__ == name and found.__module__.startswith("walras.live."), name
    assert dir(walras.live) == walras.live.__all__


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(AttributeError, match="has no 'Lives'; its names are AnswerCache, Answered"):
        walras.live.Lives  # noqa: B018  # it is looked up, which is what fails


def test_importing_the_package_loads_none_of_its_parts_and_all_its_names_no_extra() -> None:
    assert not {name for name in loaded_by("import walras.live") if name.startswith("walras.live.")}
    everything = {name.partition(".")[0] for name in loaded_by("from walras.live import *")}
    assert not everything & (EXTRAS | {"pandas", "simpy", "matplotlib"})
