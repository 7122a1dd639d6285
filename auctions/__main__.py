"""``python -m auctions FORMAT bids.json --json``: clear an auction from a file. See ``docs/clearing-files.md``."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auctions.files import FORMATS, clear_file
from walras.errors import WalrasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (None: those of the process) and return its exit code."""
    parser = ArgumentParser(
        "python -m auctions", description="Clear an auction whose bids are in a JSON file."
    )
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("bids", help="the file with the bids; - reads them from standard input")
    parser.add_argument("--json", action="store_true", help="write the result as JSON instead of a table")
    chosen = parser.parse_args(arguments)
    try:
        result = clear_file(chosen.format, contents_of(chosen.bids))
    except WalrasError as error:
        sys.stderr.write(f"auctions: {' '.join(str(error).split())}\n")
        return 2
    sys.stdout.write((json.dumps(result) if chosen.json else table(result)) + "\n")
    return 0


def contents_of(path: str) -> object:
    """What a JSON file says; ``-`` is standard input.

    Raises:
        WalrasError: if there is no such file, or it holds no JSON.
    """
    name = "standard input" if path == "-" else path
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return json.loads(data, object_pairs_hook=_each_once)
    except OSError as error:
        raise WalrasError(f"{name} cannot be read: {error.strerror}; expected a file with bids") from None
    except (ValueError, RecursionError) as error:
        raise WalrasError(f"{name} is not JSON: {error}; see docs/clearing-files.md for an example") from None


def _each_once(fields: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; of a field that is there twice nobody knows which was meant."""
    found = dict(fields)
    if len(found) < len(fields):
        names = [name for name, _ in fields]
        raise ValueError(f"the field {max(names, key=names.count)!r} is twice in one object")
    return found


def table(result: dict[str, Any]) -> str:
    """The awards as a table, prices for all units together."""
    columns = [
        key for key in ("slot", "side", "bidder", "units", "price") if any(key in a for a in result["awards"])
    ]
    rows = [[str(award[key]) for key in columns] for award in result["awards"]]
    total = f"revenue {result['revenue']}"
    if not rows:
        return f"{result['format']}: nobody trades\n{total}"
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    shown = [
        "  ".join(
            cell.rjust(w) if key in ("units", "price") else cell.ljust(w)
            for key, cell, w in zip(columns, row, widths, strict=True)
        )
        for row in (columns, *rows)
    ]
    return "\n".join([result["format"], *shown, total])


if __name__ == "__main__":
    sys.exit(main())
