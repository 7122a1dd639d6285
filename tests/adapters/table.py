"""The tables in the docs that show which framework passes which case of the contract: read, and made, by the tests."""

import os
from importlib.metadata import version

from tests.adapters.contract import CASES
from tests.adapters.minds_of_frameworks import FRAMEWORKS, TOOL_CASES
from tests.adapters.page import PAGE
from walras.adapters.frameworks import floors

BEGIN, END = "<!-- made by tests/adapters: begin -->\n", "<!-- made by tests/adapters: end -->\n"
YES, NO, NOT_ASKED, UNKNOWN = "yes", "no", "–", "?"


def cell(name: str, case: str, passed: bool) -> str:
    """What the table shows for a case; a framework that is asked without tools cannot go wrong with them."""
    if passed:
        return YES
    return NOT_ASKED if case in TOOL_CASES and case in FRAMEWORKS[name].cannot else NO


def read() -> dict[tuple[str, str], str]:
    """What the page shows, by case and framework."""
    names, *rows = _rows(0)
    return {(row[0], name): found for row in rows for name, found in zip(names[1:], row[1:], strict=True)}


def read_versions() -> dict[str, tuple[str, str]]:
    """The families of each framework, and the versions that it was tested with."""
    return {name: (families, versions) for name, families, versions in _rows(2)[1:]}


def write(name: str, seen: dict[str, bool]) -> None:
    """Put what was seen of a framework into the page; what was not seen stays."""
    shown = read() | {(case, name): cell(name, case, passed) for case, passed in seen.items()}
    cases = [*CASES, *sorted({case for case, _ in shown} - set(CASES))]
    versions = {name: versions for name, (_, versions) in read_versions().items()}
    if os.environ.get("WALRAS_FAMILY") == FRAMEWORKS[name].families[0]:
        versions[name] = ", ".join(f"{one.name} {version(one.name)}" for one in floors(name))
    before, _, after = _parts()
    results = [
        ["case", *(f"`{name}`" for name in FRAMEWORKS)],
        *([case, *(shown.get((case, name), UNKNOWN) for name in FRAMEWORKS)] for case in cases),
    ]
    tested = [
        ["extra", "family", "tested with"],
        *(
            [f"`{name}`", " ".join(one.families), versions.get(name, UNKNOWN)]
            for name, one in FRAMEWORKS.items()
        ),
    ]
    parts = "\n".join((_table(results), _reasons(), _table(tested)))
    PAGE.write_text(f"{before}{BEGIN}{parts}{END}{after}", "utf-8")


def _reasons() -> str:
    """Why there is no `yes`, for each case and framework."""
    reasons: dict[str, list[str]] = {}
    for name, one in FRAMEWORKS.items():
        for case, why in one.cannot.items():
            kind = f"{NOT_ASKED} in the cases of tools" if case in TOOL_CASES else f"{NO} in “{case}”"
            reasons.setdefault(f"{kind}: {why}", []).append(f"`{name}`")
    return "".join(f"- {', '.join(dict.fromkeys(names))}: {reason}.\n" for reason, names in reasons.items())


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rows(block: int) -> list[list[str]]:
    """The rows of a table between the two marks, without the line below its head."""
    blocks = [*_parts()[1].split("\n\n"), "", ""]
    rows = [
        [one.strip(" `") for one in line.strip("| \n").split(" | ")] for line in blocks[block].splitlines()
    ]
    return rows[:1] + rows[2:] if rows else [[]]


def _parts() -> tuple[str, str, str]:
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    table, after = rest.split(END)
    return before, table, after
