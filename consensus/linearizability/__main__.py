"""``python -m consensus.linearizability FILE --model MODEL [--json] [--budget STEPS]``.

Exit status 0 with an answer, whatever it is; 2 with one sentence on what is wrong with the question.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from time import perf_counter

from consensus.linearizability.checker import check
from consensus.linearizability.events import operations_of
from consensus.linearizability.formats import read_history
from consensus.linearizability.models import MODELS, find_model
from walras.errors import WalrasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a file; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m consensus.linearizability", description="Is this history linearizable?"
    )
    parser.add_argument("file", help="JSON lines, a Jepsen log or EDN maps")
    parser.add_argument("--model", required=True, help=f"{', '.join(MODELS)}, or package.module:attribute")
    parser.add_argument(
        "--budget", type=int, help="give up after this many steps of the model, for each file"
    )
    parser.add_argument(
        "--json", action="store_true", help="the answer for machines; linearizable is null if unknown"
    )
    options = parser.parse_args(arguments)
    try:
        model = find_model(options.model)
        started = perf_counter()
        verdict = check(operations_of(read_history(options.file)), model, options.budget)
        seconds = perf_counter() - started
    except WalrasError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"linearizable": verdict.linearizable, "seconds": round(seconds, 4)}))
    else:
        print(f"{verdict}\n{seconds:.2f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
