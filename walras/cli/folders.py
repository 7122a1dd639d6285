"""Where results lie: a folder per mechanism, and per seed where there are several."""

from collections.abc import Iterator
from os.path import isdir  # unlike that of Path, it is false for what is too long for a name
from pathlib import Path

from walras.errors import WalrasError
from walras.results import Result
from walras.results.file import HEAD
from walras.study.page import PAGE, file_name
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
    if (place / PAGE).exists() and not (place / STUDY).exists() and not any(place.rglob(HEAD)):
        wrong = f"--out {folder} has a {PAGE} that no run has made"
        raise WalrasError(f"{wrong}; expected a new folder, or that of an earlier run")
    return place


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


def the_one(folder: str) -> Result:
    """The result in a folder. Raises `WalrasError` if there is none, or if there are several."""
    places = list(_places(Path(folder)))
    if len(places) > 1:
        raise WalrasError(f"{folder} holds {len(places)} runs; expected one of them, such as {places[0]}")
    return Result.load(places[0])


def _places(folder: Path) -> Iterator[Path]:
    if not isdir(folder):
        raise WalrasError(f"there is no folder {folder}; expected one that `walras run --out` has made")
    found = sorted(path.parent for path in folder.rglob(HEAD))
    if not found and (folder / STUDY).is_file():
        raise WalrasError(
            f"{folder} holds a study, which keeps no traces; expected a run, or `walras report`"
        )
    if not found:
        raise WalrasError(f"{folder} holds no saved run; expected a folder that `walras run --out` has made")
    yield from found
