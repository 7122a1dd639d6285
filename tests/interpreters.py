"""Other Pythons on this machine, for what has to be the same on all of them."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MINE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHERS = tuple(version for version in ("3.11", "3.12", "3.13") if version != MINE)
NEEDED = ("simpy", "mesa", "numpy", "pandas", "scipy", "msgspec", "networkx", "rich", "pytest")
PROBE = f"""
import importlib.util, sys
found = all(importlib.util.find_spec(name) for name in {NEEDED!r})
print("%d.%d" % sys.version_info[:2] if found else "", end="")
"""


def candidates() -> Iterator[Path]:
    """Those named in WALRAS_PYTHONS (a list like PATH), those on the PATH, those of pyenv."""
    for path in os.environ.get("WALRAS_PYTHONS", "").split(os.pathsep):
        if path:
            yield Path(path)
    for version in OTHERS:
        if found := shutil.which(f"python{version}"):
            yield Path(found)
    yield from sorted(Path.home().glob(".pyenv/versions/*/bin/python"))


@functools.cache
def other_pythons() -> dict[str, Path]:
    """By version, a supported Python other than this one that has the runtime dependencies."""
    found: dict[str, Path] = {}
    for python in candidates():
        try:
            probe = subprocess.run(
                [python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False
            )
        except OSError:
            continue
        version = probe.stdout.strip()
        if probe.returncode == 0 and version in OTHERS:
            found.setdefault(version, python)
    return found


def run_python(code: str, python: Path | str = sys.executable, *, hash_seed: str = "random") -> str:
    """What a program prints in a process of its own; fails with what it complains about."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [python, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
