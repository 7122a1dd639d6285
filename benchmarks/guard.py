"""What the guard alone costs for each question, without a runtime: ``python -m benchmarks.guard [--json]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.live import Model, coroutine, rule
from contractnet import ProposalWanted
from walras.agents import Agent, Strategy
from walras.items import Task
from walras.live.guard import Guard, GuardRules
from walras.live.meanings import key_of
from walras.live.prompts import Prompts
from walras.live.recording import Recording
from walras.live.schemas import form_of


def wanted(k: int) -> ProposalWanted:
    """A question as a Contract Net asks it, each about a task of its own."""
    task = Task(f"task-{k}", "job", reserve=50.0, description="Summarise the report in three sentences.")
    return ProposalWanted(task=task, manager="m", valid_until=90.0, decide_by=60.0)


async def _asked(guard: Guard, mind: Strategy, questions: int) -> float:
    """Milliseconds for one question, one after the other."""
    agent = Agent("a1", mind, costs={"job": 3.0})
    asked = [wanted(k) for k in range(questions)]
    began = time.perf_counter()
    for question in asked:
        answered = await guard.answer(agent, question, conversation="m/1", seconds=60.0)
        assert answered.status == "ok", answered
    return 1000 * (time.perf_counter() - began) / questions


def measure(questions: int = 2000, repeats: int = 5) -> dict[str, float]:
    """Milliseconds for one question, the best of some repeats.

    For a plain function, a coroutine, a mind that is asked as language models are (``model_ms``), and that mind with a
    recording; and of that, what its prompt and its key take.
    """

    def best(mind: Strategy, recording: Path | None = None) -> float:
        found = []
        for _ in range(repeats):
            guard = Guard(GuardRules(), recording=Recording(recording) if recording is not None else None)
            found.append(asyncio.run(_asked(guard, mind, questions)))
            guard.close()
        return min(found)

    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "rule_ms": best(rule),
            "coroutine_ms": best(coroutine),
            "model_ms": best(Model()),
            "recorded_model_ms": best(Model(), Path(folder) / "answers.jsonl"),
        }
    agent, prompts, form = Agent("a1", costs={"job": 3.0}), Prompts(), form_of(ProposalWanted)
    asked = [wanted(k) for k in range(questions)]
    parts: dict[str, Any] = {
        "prompt_ms": lambda question: prompts.prompt(agent, question, form, seconds=60.0),
        "key_ms": lambda question: key_of("a1", question),
    }
    for name, make in parts.items():
        began = time.perf_counter()
        for question in asked:
            make(question)
        figures[name] = 1000 * (time.perf_counter() - began) / questions
    return {name: round(figure, 4) for name, figure in figures.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    found = measure()
    if parser.parse_args().json:
        print(json.dumps(found))
    else:
        for name, figure in found.items():
            print(f"{name:<20} {figure:8.4f}")


if __name__ == "__main__":
    main()
