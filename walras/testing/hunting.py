"""How many seeds the explorer needs for each mutant of Raft: ``python -m walras.testing.hunting [--json] [MUTANT ...]``.

A hunt begins at a seed and goes on until something breaks. The table gives the median over several hunts, which begin at
different seeds, and what broke first. Mutants that hardly any world finds are hunted in worlds of a kind of their own.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from statistics import median_low

import msgspec

from walras.study.explore.raft import RaftTarget
from walras.testing.raft_mutants import MUTANTS, mutated

SECONDS = 10.0
APART = 100_000
"""Between the first seeds of two hunts of the same mutant."""
IN = {
    "timer_not_redrawn": "alike",
    "term_and_vote_in_two_writes": "crashing",
    "lease_read_with_skew": "skewed",
    "lease_by_quorum_check": "level",
}
"""The kinds of worlds in which mutants are hunted, where it is not just any; names in `raft_worlds.WORLDS`."""


class Hunt(msgspec.Struct, frozen=True):
    """One search for one mutant."""

    mutant: str
    seeds: int
    """How many were run, the one that broke something included."""
    broken: str
    """What broke; empty if nothing did."""


def hunt(name: str, first: int = 0, limit: int = 1_000) -> Hunt:
    """Run seeds with a mutant until something breaks."""
    target = RaftTarget(worlds=IN.get(name, "any"))
    with mutated(name):
        for number in range(1, limit + 1):
            trial = target.run(target.draw(first + number - 1, SECONDS))
            if trial.broken:
                return Hunt(name, number, trial.broken)
    return Hunt(name, limit, "")


def table(hunts: dict[str, list[Hunt]]) -> str:
    """Markdown: a row for each mutant."""
    lines = ["| mutant | what is wrong | worlds | seeds, median (all hunts) | found by |", f"|{' --- |' * 5}"]
    for name, found in hunts.items():
        what = (MUTANTS[name].__doc__ or "").strip()
        numbers = [str(one.seeds) if one.broken else f">{one.seeds}" for one in found]
        middle = median_low([one.seeds for one in found])
        ways = dict.fromkeys(one.broken or "nothing" for one in found)
        lines.append(
            f"| `{name}` | {what} | {IN.get(name, 'any')} | {middle} ({', '.join(numbers)}) | {', '.join(ways)} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt; exit code 1 if a mutant survives all its hunts."""
    parser = argparse.ArgumentParser(prog="python -m walras.testing.hunting", description=__doc__)
    parser.add_argument("mutants", nargs="*", metavar="MUTANT", help="which; none: all")
    parser.add_argument("--hunts", type=int, default=3, help="how many for each")
    parser.add_argument("--limit", type=int, default=1_000, help="seeds after which a hunt is given up")
    parser.add_argument("--json", action="store_true", help="one JSON object per hunt")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.mutants if name not in MUTANTS]
    if unknown or given.hunts < 1 or given.limit < 1:
        parser.error(f"expected mutants among {', '.join(MUTANTS)}, and one hunt and one seed at least")
    hunts: dict[str, list[Hunt]] = {}
    for name in given.mutants or MUTANTS:
        hunts[name] = [hunt(name, APART * place, given.limit) for place in range(given.hunts)]
        if given.json:
            for one in hunts[name]:
                sys.stdout.write(json.dumps(msgspec.to_builtins(one)) + "\n")
        else:
            sys.stderr.write(f"{name}: {', '.join(str(one.seeds) for one in hunts[name])}\n")
    if not given.json:
        sys.stdout.write(table(hunts) + "\n")
    return int(any(not any(one.broken for one in found) for found in hunts.values()))


if __name__ == "__main__":
    sys.exit(main())
