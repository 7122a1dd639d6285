"""What the live runtime and the guard cost: ``python -m benchmarks.live [--json]``.

One round of a Contract Net among many participants whose minds take no time, on a real loop and a real clock: from the
call for proposals to the last reject. What remains is the runtime and the guard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contractnet import ContractNet, truthful
from walras.agents import Agent, Strategy
from walras.items import Task
from walras.live.answers import Usage
from walras.live.live import Live
from walras.live.participant import Ask, Participant, Reply

WITHIN_S = 60.0


def rule(question: Any, agent: Agent) -> Any:
    """A plain function."""
    return truthful(question, agent)


async def coroutine(question: Any, agent: Agent) -> Any:
    """A coroutine, which gets deadline, breaker and budget around it."""
    return truthful(question, agent)


class Model(Participant):
    """As a language model is asked: with a prompt, fences, a schema and a key; its answer is JSON."""

    async def answer(self, ask: Ask) -> Any:
        price = 1.0 + int(ask.agent[1:])
        return Reply(
            {"type": "Propose", "price": price, "eta_s": 0.0, "quality": 1.0, "valid_until": 1e9},
            Usage(1, 9, 9),
        )


async def _round(participants: int, strategy: Strategy, journal: str | None = None) -> tuple[float, float]:
    """Seconds for one whole round; and of the processor's time, seconds until everybody has been asked and has answered.

    By the processor's: in the trace, answers of plain functions take no time, and what else the machine does meanwhile
    is no cost of ours.
    """
    answered: list[float] = []

    def see(row: tuple[Any, ...]) -> None:
        if row[1] == "answer":
            answered.append(time.process_time())

    async with Live(seed=1, journal=journal) as market:
        market.follow(see)
        for k in range(participants):
            market.add(Agent(f"a{k:04}", strategy, costs={"job": 1.0 + k}))
        rules = ContractNet(reply_within_s=WITHIN_S / 4)
        began, bidding = time.perf_counter(), time.process_time()
        result = await market.run(rules, [Task("job")], within_s=WITHIN_S)
        took = time.perf_counter() - began
        assert result.allocation["job"].winner == "a0000"
        answers = [row for row in result.trace if row.kind == "answer"]
        assert len(answers) == participants and all(row.details["status"] == "ok" for row in answers)
        return took, answered[-1] - bidding


def measure(participants: int = 1000, repeats: int = 5) -> dict[str, Any]:
    """The best of some repeats, since whatever else the machine does only adds to it.

    ``..._ms_per_question`` is all that a question costs from the opening of the round to its answer, runtime and guard
    together, in time of the processor: for plain functions, coroutines, and minds that are asked as language models
    are, of which the dearest is ``guard_ms_per_question``. ``round_s`` is one round of plain functions,
    ``journaled_round_s`` one with a journal.
    """

    def best(strategy: Strategy) -> tuple[float, float]:
        rounds = [asyncio.run(_round(participants, strategy)) for _ in range(repeats)]
        return min(took for took, _ in rounds), 1000 * min(bidding for _, bidding in rounds) / participants

    round_s, rule_ms = best(rule)
    coroutine_ms, model_ms = best(coroutine)[1], best(Model())[1]
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{k}.db") for k in range(repeats)]
        journaled_s = min(asyncio.run(_round(participants, rule, file))[0] for file in files)
    return {
        "participants": participants,
        "round_s": round(round_s, 4),
        "journaled_round_s": round(journaled_s, 4),
        "rule_ms_per_question": round(rule_ms, 4),
        "coroutine_ms_per_question": round(coroutine_ms, 4),
        "guard_ms_per_question": round(max(rule_ms, coroutine_ms, model_ms), 4),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    chosen = parser.parse_args(arguments)
    found = measure(chosen.participants, chosen.repeats)
    print(
        json.dumps(found) if chosen.json else "\n".join(f"{name:24} {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
