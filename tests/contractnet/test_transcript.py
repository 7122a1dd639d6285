"""Golden transcripts: what a Contract Net looks like, for people to read.

After a change that is meant, run the tests once with ``WALRAS_REGENERATE=1`` and read the difference.
"""

import os
from pathlib import Path

from contractnet import cheapest
from tests.contractnet.rogues import SilentWinner
from tests.contractnet.worlds import Cast, simulate
from walras import Result, Task

GOLDEN = Path(__file__).parent / "golden" / "contract_net.txt"
COSTS: dict[str, float | None] = {"ada": 3.0, "bob": 2.0, "cyd": 2.0, "dan": None}


def scenes() -> dict[str, Result]:
    plain = Cast(award_rule=cheapest)
    silent = Cast(
        award_rule=cheapest,
        contractors=(("bob", SilentWinner),),
        result_within_s=8.0,
        hold_losers=True,
        valid_for_s=30.0,
    )
    parts = Cast(award_rule=cheapest, partners=("ada", "bob"))
    return {
        "one task, four contractors, a tie": simulate(plain, COSTS, seed=7),
        "nobody can do it, and it is announced twice": simulate(plain, {"dan": None}, seed=7),
        "the winner is silent, and a held proposal steps in": simulate(
            silent, {"ada": 3.0, "bob": 2.0}, seed=7
        ),
        "cancelled while at work": simulate(plain, {"ada": 3.0, "bob": 2.0}, cancel_at=1.0, seed=7),
        "a part is passed on": simulate(
            parts, {"ada": 3.0, "bob": 4.0}, tasks=(Task("whole", parts=(Task("part"),)),), seed=7
        ),
    }


def test_transcripts_are_as_they_were_read() -> None:
    """A golden transcript per mechanism: a change of behaviour is seen, in words."""
    told = [
        f"# {title}\n\n{result.trace.conversation('m/1', children=True)}\n\n-> {result.outcomes['m/1']}\n"
        for title, result in scenes().items()
    ]
    text = "\n".join(told)
    if os.environ.get("WALRAS_REGENERATE"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
