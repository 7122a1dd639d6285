"""Where results lie: a folder per mechanism, and per seed where there are several."""

from collections.abc import Iterator
from os.path import isdir  # unlike that of Path, it is false for what is too long for a name
from pathlib import Path

import msgspec

from walras.errors import WalrasError
from walras.results import Result
from walras.results.file import HEAD
from walras.results.recipe import NOT_BY_NAME
from walras.scenario import Scenario
from walras.study.declared import Declared, understand
from walras.study.page import PAGE, file_name
from walras.study.runs import Conditions
from walras.study.study import HEAD as STUDY


def prepared(folder: str | None) -> Path | None:
    """The folder, made before anything runs: so a run is not lost because there is no place for it."""
    if folder is None:
        return None
    if not folder:
        raise WalrasError("--out is empty; expected a folder")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WalrasError(f"--out {folder} cannot be made: {error.strerror}; expected a folder") from None
    place = Path(folder)
    if (place / PAGE).exists() and not (place / STUDY).exists() and not _within(place):
        wrong = f"--out {folder} has a {PAGE} that no run has made"
        raise WalrasError(f"{wrong}; expected a new folder, or that of an earlier run")
    return place


def for_runs(out: str | None, asked: Declared) -> Path | None:
    """The folder for these runs, in which there are none yet but in the same worlds: all of them come into one table.

    Raises:
        WalrasError: naming a run of another world, or a study.
    """
    folder = prepared(out)
    if folder is None:
        return None
    if (folder / STUDY).exists():
        raise WalrasError(f"--out {out} holds a study; expected a new folder, or that of earlier runs")
    world = _world(asked)
    for place in _within(folder):
        there = Result.load(place)
        where = place_of(there, folder, several_seeds=len(asked.seeds) > 1)
        if _world_of(there, place) != world or there.seed not in asked.seeds or place != where:
            raise WalrasError(
                f"--out {out} holds another run, {there.scenario} with seed {there.seed} in {place}; "
                "expected a new folder, or the same scenario, settings and seeds"
            )
    return folder


def for_study(out: str | None) -> Path | None:
    """The folder for a study, in which there are no runs. Raises `WalrasError` if there are."""
    folder = prepared(out)
    if folder is not None and _within(folder):
        raise WalrasError(f"--out {out} holds runs; expected a new folder, or that of an earlier study")
    return folder


def _world_of(result: Result, place: Path) -> tuple[Scenario, Conditions] | None:
    """What the worlds of a saved run come from, however its program named it; None: nobody knows."""
    if not result.settings or NOT_BY_NAME in result.settings:
        return None
    return _world(understand(result.settings, {}, str(place / HEAD)))


def _world(runs: Declared) -> tuple[Scenario, Conditions]:
    """What the worlds of runs come from, but for the seed."""
    return runs.scenario, msgspec.structs.replace(runs.conditions, check=False)


def place_of(result: Result, folder: Path, *, several_seeds: bool) -> Path:
    """Where this result belongs."""
    place = folder / file_name(result.mechanism)
    return place / f"seed-{result.seed}" if several_seeds else place


def saved(folder: str) -> list[tuple[Path, Result]]:
    """All results in a folder, however deep.

    Raises:
        WalrasError: if there is none, or one is damaged.
    """
    return [(place, Result.load(place)) for place in _places(Path(folder))]


def comparable(folder: str) -> list[Result]:
    """All results in a folder, however deep, for one report, which has one table for each scenario.

    Raises:
        WalrasError: if there is none, or one is damaged; and naming two of one scenario with different settings.
    """
    found = saved(folder)
    first: dict[str, tuple[Path, Result]] = {}
    for place, result in found:
        if result.settings and NOT_BY_NAME not in result.settings:
            other, known = first.setdefault(result.scenario, (place, result))
            if _world_of(result, place) != _world_of(known, other):
                raise WalrasError(
                    f"{folder} holds runs of {result.scenario} with different settings, in {other} and in {place}; "
                    "expected a folder for each"
                )
    return [result for _, result in found]


def the_one(folder: str) -> Result:
    """The result in a folder. Raises `WalrasError` if there is none, or if there are several."""
    places = list(_places(Path(folder)))
    if len(places) > 1:
        raise WalrasError(f"{folder} holds {len(places)} runs; expected one of them, such as {places[0]}")
    return Result.load(places[0])


def _places(folder: Path) -> Iterator[Path]:
    if not isdir(folder):
        raise WalrasError(f"there is no folder {folder}; expected one that `walras run --out` has made")
    found = _within(folder)
    if not found and (folder / STUDY).is_file():
        raise WalrasError(
            f"{folder} holds a study, which keeps no traces; expected a run, or `walras report`"
        )
    if not found:
        raise WalrasError(f"{folder} holds no saved run; expected a folder that `walras run --out` has made")
    yield from found


def _within(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob(HEAD))
