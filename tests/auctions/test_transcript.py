"""Golden transcripts: what auctions look like, for people to read.

After a change that is meant, run the tests once with ``WALRAS_REGENERATE=1`` and read the difference.
"""

import os
from pathlib import Path

import pytest

from auctions import AllPay, CommitReveal, PostedPrice, ScoringAuction, Vickrey
from tests.auctions.worlds import HOUSE, play
from walras import Estimate, Lot, Result, Task

GOLDEN = Path(__file__).parent / "golden"
VALUES = {"ada": {"vase": 12, "urn": 8}, "bob": {"vase": 9, "urn": 9}, "cyd": {"vase": 9}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
SKILLS = {"ada": {"job": Estimate(4, quality=0.9)}, "bob": {"job": Estimate(2, quality=0.5)}}


def scenes() -> dict[str, dict[str, Result]]:
    vase, job = Lot("vase"), Task("job", reserve=10)
    return {
        "sealed_bid": {
            "a lot at the second price": play(Vickrey(), [vase], VALUES, seed=7),
            "a task at the second price": play(Vickrey(), [job], costs=COSTS, seed=7),
            "everybody pays, and a tie": play(AllPay(), [vase], VALUES | {"ada": {"vase": 9}}, seed=7),
            "two lots in sequence": play(
                Vickrey(order="sequential"), [vase, Lot("urn", reserve=8.5)], VALUES, seed=7
            ),
        },
        "commit_reveal": {"a lot at the second price": play(CommitReveal(), [vase], VALUES, seed=7)},
        "scoring": {"a task by price and quality": play(ScoringAuction(), [job], costs=SKILLS, seed=7)},
        "posted_price": {"a lot at 9": play(PostedPrice(9), [vase], VALUES, seed=7)},
    }


@pytest.mark.parametrize(("name", "results"), scenes().items())
def test_transcripts_are_as_they_were_read(name: str, results: dict[str, Result]) -> None:
    """A golden transcript per mechanism: a change of behaviour is seen, in words."""
    talk = f"{HOUSE}/1"
    told = [
        f"# {title}\n\n{result.trace.conversation(talk, children=True)}\n\n-> {result.outcomes[talk]}\n"
        for title, result in results.items()
    ]
    text, path = "\n".join(told), GOLDEN / f"{name}.txt"
    if os.environ.get("WALRAS_REGENERATE"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
