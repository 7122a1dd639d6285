"""One sealed round among minds of twenty kinds: it ends at its deadline, with the right status for each and the right
winner; and what was recorded of it replays in the simulator, with the same allocation.
"""

import asyncio
import queue
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from auctions import SealedBid, second_price
from auctions.messages import Bid
from tests.live.minds import busy
from walras.adapters.function import InThread
from walras.adapters.human import HumanParticipant
from walras.adapters.openai import OpenAIParticipant
from walras.adapters.subprocess import SubprocessParticipant
from walras.agents import Agent
from walras.items import Lot
from walras.live import Live
from walras.live.budget import Budgets, Limits
from walras.live.cascade import Cascade
from walras.live.guard import Guard, GuardRules
from walras.live.participant import Ask, Participant
from walras.live.recording import Entry, Recording, Replayed, read_entries
from walras.results import Result
from walras.simulation import Simulation
from walras.testing.loopback import Loopback

DEADLINE_S = 8.0  # on a busy machine, two answers of ten megabytes take some seconds
RULES = SealedBid(second_price, reply_within_s=DEADLINE_S)
LOT = Lot("job-1")

BIDS = {
    "model": 8.0, "busy-once": 6.5, "malformed-once": 9.0, "flaky-then-strong": 6.0, "rule": 5.0, "coroutine": 7.0, "thread": 4.0,
    "process": 3.0, "person": 2.0,
}  # fmt: skip
"""What those bid whose bids count; all others would bid more."""

FAILING = {
    "busy": "error", "slow": "timeout", "malformed": "invalid", "prose": "invalid", "oversized": "invalid",
    "refusing": "declined", "declining": "declined", "crashing": "error", "exiting": "error", "broke": "over_budget",
    "spared": "circuit_open", "silent-person": "timeout",
}  # fmt: skip
"""How the questions to the others end."""

MODELS = {
    "model": "m", "busy-once": "m+429:1", "malformed-once": "m+malformed:1", "busy": "m+429", "slow": "m+slow:60",
    "malformed": "m+malformed", "prose": "m+prose", "oversized": "m+oversized", "refusing": "m+refusing", "broke": "m",
    "spared": "m", "flaky": "m+500", "strong": "m",
}  # fmt: skip

PROCESS = """
import json, sys
for line in sys.stdin:
    key = json.loads(line)["key"]
    print(json.dumps({"key": key, "answer": {"type": "Bid", "item": "job-1", "price": 3}}), flush=True)
"""


def bid_of(prompt: str, schema: Any) -> Any:
    """What a model says: its agent's bid, or far too much where it should not be heard."""
    found = re.search(r"as the agent ([\w-]+)\.", prompt)
    price = BIDS.get(found[1], 99.0) if found else 99.0
    return {
        "answer": {
            "type": "Bid",
            "item": LOT.id,
            "price": price,
            "units": None,
            "round": None,
            "quality": None,
        }
    }


async def coroutine(question: Any, agent: Agent) -> Any:
    await asyncio.sleep(0.01)
    return Bid(LOT.id, BIDS["coroutine"])


async def declining(question: Any, agent: Agent) -> Any:
    return None


async def crashing(question: Any, agent: Agent) -> Any:
    raise ZeroDivisionError("a bug of its own")


async def exiting(question: Any, agent: Agent) -> Any:
    sys.exit(1)


class Down(Participant):
    """A provider that nobody reaches."""

    provider = "down"

    async def answer(self, ask: Ask) -> Any:
        raise busy()


class Keyboard:
    """A terminal at which a bid is typed as soon as one is asked for."""

    def __init__(self, line: str | None) -> None:
        self.line = line
        self.lines: queue.Queue[str] = queue.Queue()

    def show(self, text: str) -> None:
        if self.line is not None:
            self.lines.put(self.line)

    def person(self) -> HumanParticipant:
        return HumanParticipant(read=self.lines.get, show=self.show)


def strategies(url: str, folder: Path) -> dict[str, Any]:
    """Minds of twenty-one kinds, by their agents."""
    models = {name: OpenAIParticipant(model, base_url=url, api_key="any") for name, model in MODELS.items()}
    for name, mind in models.items():
        mind.provider = name  # as if each came from somewhere else
    models["spared"].provider = "down"
    program = folder / "bidder.py"
    program.write_text(PROCESS)
    minds: dict[str, Any] = {
        "flaky-then-strong": Cascade(models.pop("flaky"), models.pop("strong")),
        "rule": lambda question, agent: Bid(LOT.id, BIDS["rule"]),
        "coroutine": coroutine,
        "thread": InThread(lambda question, agent: Bid(LOT.id, BIDS["thread"])),
        "process": SubprocessParticipant([sys.executable, "-S", str(program)]),
        "person": Keyboard(f"Bid item={LOT.id} price=2").person(),
        "silent-person": Keyboard(None).person(),
        "declining": declining,
        "crashing": crashing,
        "exiting": exiting,
    }
    return models | minds


class Round(NamedTuple):
    """What there is to look at afterwards."""

    result: Result
    entries: dict[str, Entry]
    guard: Guard
    path: Path


async def play(url: str, folder: Path) -> Round:
    path = folder / "round.jsonl"
    guard = Guard(
        GuardRules(), budgets=Budgets(agents={"broke": Limits(tokens=10)}), recording=Recording(path)
    )
    minds = strategies(url, folder)
    leave = guard.breaker(Down(), "anybody")
    for _ in range(guard.rules.failures):
        one = leave.admit(asyncio.get_running_loop().time())
        assert one is not None
        one.failed(asyncio.get_running_loop().time())
    async with Live(guard=guard) as market:
        for name, mind in minds.items():
            market.add(Agent(name, mind))
        result = await market.run(RULES, [LOT], within_s=30.0)
        for mind in minds.values():
            if isinstance(mind, Participant):
                await mind.close()
    return Round(result, {entry.agent: entry for entry in read_entries(path)}, guard, path)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    folder = tmp_path_factory.mktemp("round")
    with Loopback(mind=bid_of) as server:
        yield asyncio.run(play(server.url, folder))


def test_every_mind_has_the_status_that_it_deserves(played: Round) -> None:
    assert {name: entry.status for name, entry in played.entries.items()} == dict.fromkeys(
        BIDS, "ok"
    ) | FAILING


def test_the_right_winner_pays_the_right_price(played: Round) -> None:
    award = played.result.allocation[LOT.id]
    assert (award.winner, award.price) == ("malformed-once", BIDS["model"])


def test_the_round_ends_at_its_deadline_and_not_with_the_slowest(played: Round) -> None:
    """Minds have until a margin before the call's deadline; when the last of them is given up, the lot is sold."""
    (awarded,) = (row.at for row in played.result.trace if row.kind == "award")
    opened = next(row.at for row in played.result.trace if row.kind == "open")
    assert awarded - opened >= DEADLINE_S - RULES.margin_s, "silent people were waited for"
    assert awarded - opened < 30.0, "and a model that takes a minute was not"


def test_all_calls_are_accounted_for_and_nothing_stays_reserved(played: Round) -> None:
    budgets = played.guard.budgets
    assert budgets.run.reserved == {}
    assert budgets.of_agent("broke").calls == budgets.of_agent("spared").calls == 0
    assert budgets.of_agent("busy").calls == 3
    assert budgets.of_agent("malformed-once").calls == 2
    assert budgets.of_agent("slow").tokens > 0, "a call that was given up is charged as it was estimated"
    assert budgets.run.calls == sum(account.calls for account in budgets.agents.values())


def test_the_recorded_round_replays_in_the_simulator_with_the_same_allocation(played: Round) -> None:
    simulation = Simulation(seed=1)
    simulation.add(Agent("house", capacity=0))
    for name in played.entries:
        simulation.add(Agent(name, Replayed(played.path)))
    simulation.open(RULES, [LOT], "house", finish_by=30.0)
    assert simulation.run().allocation == played.result.allocation


def test_with_the_winner_swapped_the_others_say_what_they_said(played: Round) -> None:
    simulation = Simulation(seed=1)
    simulation.add(Agent("house", capacity=0))
    for name in played.entries:
        swapped = name == "malformed-once"
        simulation.add(
            Agent(name, (lambda question, agent: question.otherwise) if swapped else Replayed(played.path))
        )
    simulation.open(RULES, [LOT], "house", finish_by=30.0)
    award = simulation.run().allocation[LOT.id]
    assert (award.winner, award.price) == ("model", BIDS["coroutine"])


def test_the_recorded_round_replays_live_without_a_single_call(played: Round) -> None:
    async def again() -> tuple[Result, Guard]:
        guard = Guard(recording=Recording(played.path, "replay", pace=0.0))
        async with Live(guard=guard) as market:
            for name in played.entries:
                market.add(Agent(name, crashing))
            return await market.run(RULES, [LOT], within_s=30.0), guard

    result, guard = asyncio.run(again())
    assert result.allocation == played.result.allocation
    assert guard.budgets.run.calls == 0
