"""Golden transcripts of the open formats, for people to read.

After a change that is meant, run the tests once with ``WALRAS_REGENERATE=1`` and read the difference.
"""

import os
from pathlib import Path

from auctions import AscendingClock, Clinching, Dutch, English, Jumping, MarginalValues, Proxy, Sniping
from tests.auctions.worlds import HOUSE, play
from walras import Lot, Result, Task

GOLDEN = Path(__file__).parent / "golden" / "open_auctions.txt"
VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
MARGINAL = {"ada": MarginalValues((9, 7, 3)), "bob": MarginalValues((8, 4))}


def scenes() -> dict[str, Result]:
    vase, job = Lot("vase"), Task("job", reserve=10)
    return {
        "english: open outcry": play(English(increment=3), [vase], VALUES),
        "english: a jump, procured": play(
            English(increment=1), [job], costs=COSTS, strategies={"ada": Jumping(0.8)}
        ),
        "english: a sniper against a soft close": play(
            English(increment=4, close="soft", lasts_s=10.0, extend_s=5.0, idle_s=None),
            [vase],
            VALUES,
            strategies={"ada": Sniping(1.0)},
        ),
        "proxy bidding": play(Proxy(increment=1), [vase], VALUES),
        "japanese": play(AscendingClock(increment=4), [vase], VALUES),
        "dutch": play(Dutch(start=15, tick=2), [vase], VALUES),
        "dutch, procured: a tie, and two copies": play(
            Dutch(tick=4), [Task("job", copies=2, reserve=10)], costs=COSTS
        ),
        "clinching: three units": play(
            Clinching(increment=2),
            [Lot("wine", quantity=3)],
            {"ada": {"wine": 9}, "bob": {"wine": 8}},
            strategies=MARGINAL,
        ),
    }


def test_transcripts_are_as_they_were_read() -> None:
    told = [
        f"# {title}\n\n{result.trace.conversation(f'{HOUSE}/1', children=True)}\n\n-> {result.outcomes[f'{HOUSE}/1']}\n"
        for title, result in scenes().items()
    ]
    text = "\n".join(told)
    if os.environ.get("WALRAS_REGENERATE"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
