"""What users install: the wheel holds the five packages and nothing else, and runs away from the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"contractnet", "auctions", "consensus", "scenarios", "walras"}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without this interpreter's paths in its environment; return what it prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV_"))}
    environment |= {"MPLBACKEND": "Agg", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it, and no network needed.

    Dependencies come from the environment that runs the tests: a `.pth` file puts its folders behind the new
    one's own. A `.pth` file inside those folders is not read, so the checkout's editable install stays out,
    and metadata (entry points) is taken from the first folder that has it: the wheel's.
    """
    folder = tmp_path_factory.mktemp("bare") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder.parent)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    borrowed = [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    (site_packages / "dependencies.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    return folder


def test_the_wheel_holds_the_five_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {entry.split("/")[0] for entry in names if ".dist-info/" not in entry} == PACKAGES
    assert all(f"{package}/py.typed" in names for package in PACKAGES), "a package lost its py.typed"


def test_the_wheel_carries_every_data_file(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    kept = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert kept - shipped == set()


def test_the_installed_command_runs_away_from_the_checkout(bare: Path, tmp_path: Path) -> None:
    where = "import contractnet as c, scenarios as s, walras as w; print(c.__file__, s.__file__, w.__file__)"
    for file in run(bare / "bin" / "python", "-c", where, cwd=tmp_path).split():
        assert Path(file).is_relative_to(bare), f"{file} is not the wheel's"

    printed = run(
        bare / "bin" / "walras",
        "run",
        "llm-router",
        "--seed",
        "7",
        "--set",
        "tasks=20",
        "--json",
        cwd=tmp_path,
    )
    assert json.loads(printed), "the result is empty"
