"""The table in the docs that shows which framework passes which case of the contract: read, and made, by the tests."""

from pathlib import Path

from tests.adapters.contract import CASES
from tests.adapters.minds_of_frameworks import ASKED_WITHOUT, FRAMEWORKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "plug-your-agent-in.md"
BEGIN, END = "<!-- made by tests/adapters: begin -->\n", "<!-- made by tests/adapters: end -->\n"
WITHOUT_TOOLS = "it is asked without tools, whatever the guard allows; those inside of a graph or a workflow are its own affair"
YES, NO, NOT_ASKED, UNKNOWN = "yes", "no", "–", "?"


def cell(name: str, case: str, passed: bool) -> str:
    """What the table shows for a case; a framework that is asked without tools cannot go wrong with them."""
    if passed:
        return YES
    return NOT_ASKED if case in ASKED_WITHOUT and case in FRAMEWORKS[name].cannot else NO


def read() -> dict[tuple[str, str], str]:
    """What the page shows, by case and framework."""
    lines = [line.strip("| \n").split(" | ") for line in _parts()[1].splitlines() if line.startswith("|")]
    names = [name.strip(" `") for name in lines[0][1:]] if lines else []
    return {
        (row[0].strip(), name): cell.strip()
        for row in lines[2:]
        for name, cell in zip(names, row[1:], strict=True)
    }


def write(seen: dict[str, dict[str, bool]]) -> None:
    """Put what was seen into the page; what was not seen stays."""
    shown = read()
    for name, found in seen.items():
        shown |= {(case, name): cell(name, case, passed) for case, passed in found.items()}
    cases = [*CASES, *sorted({case for case, _ in shown} - set(CASES))]
    rows = [["case", *(f"`{name}`" for name in FRAMEWORKS)]]
    rows.append(["---", *("---" for _ in FRAMEWORKS)])
    rows += [[case, *(shown.get((case, name), UNKNOWN) for name in FRAMEWORKS)] for case in cases]
    before, _, after = _parts()
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    whys = "".join(
        f"- `{name}`, {case}: {why}.\n"
        for name, one in FRAMEWORKS.items()
        for case, why in one.cannot.items()
        if case not in ASKED_WITHOUT
    )
    whys += f"- {NOT_ASKED}: {WITHOUT_TOOLS}.\n"
    PAGE.write_text(f"{before}{BEGIN}{lines}\n{whys}{END}{after}", "utf-8")


def _parts() -> tuple[str, str, str]:
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    table, after = rest.split(END)
    return before, table, after
