"""The cache of answers: what is kept for whom, where and for how long."""

from typing import Any

import pytest

from tests.live.minds import HowMuch, Offer, Scripted, ask, how_much
from tests.live.test_guard import MayPass
from walras.errors import ScenarioError
from walras.live.answers import Usage
from walras.live.cache import AnswerCache
from walras.live.guard import Guard, GuardRules
from walras.questions import Question


def test_a_cached_answer_costs_nothing_and_its_times_are_those_of_today() -> None:
    cache = AnswerCache("run", [HowMuch])
    guard = Guard(cache=cache)
    mind = Scripted(lambda asked: Offer(3.0, until=asked.question.until), usage=Usage(1, 90, 10, 0.25))
    first = ask(guard, mind, how_much(until=100.0))
    again = ask(guard, mind, how_much(decide_by=510.0, until=600.0), conversation="m/2")
    assert (first.value.until, again.value.until) == (100.0, 600.0)
    assert (again.status, again.usage.cost_usd, again.detail) == ("ok", 0.0, "cached")
    assert (cache.hits, cache.saved, len(mind.asks)) == (1, Usage(1, 90, 10, 0.25), 1)


@pytest.mark.parametrize(
    ("scope", "question", "agent", "conversation", "hit"),
    [
        ("conversation", how_much(), "ada", "m/1", True),
        ("conversation", how_much(), "ada", "m/2", False),
        ("run", how_much(), "ada", "m/2", True),
        ("run", how_much(), "bob", "m/1", False),
        ("run", how_much("t2"), "ada", "m/1", False),
        ("run", MayPass(task=how_much().task, decide_by=10.0), "ada", "m/1", True),
    ],
)
def test_the_scope_of_a_cache(
    scope: Any, question: Question, agent: str, conversation: str, hit: bool
) -> None:
    guard = Guard(cache=AnswerCache(scope, [HowMuch]))
    mind = Scripted(Offer(3.0))
    ask(guard, mind)
    ask(guard, mind, MayPass(task=how_much().task, decide_by=10.0), conversation="m/9")
    mind.asks.clear()
    found = ask(guard, mind, question, agent=agent, conversation=conversation)
    assert (found.status, found.value, len(mind.asks)) == ("ok", Offer(3.0), 0 if hit else 1)


def test_only_legal_answers_are_cached_and_not_for_ever() -> None:
    guard = Guard(GuardRules(repairs=0), cache=AnswerCache("run", [HowMuch], most=2))
    mind = Scripted("prose", Offer(1.0))
    assert [ask(guard, mind).status for _ in range(2)] == ["invalid", "ok"]
    for task in ("t2", "t3", "t1"):
        ask(guard, mind, how_much(task))
    assert len(mind.asks) == 5, "t1 had to make room"
    for task in ("t3", "t2", "t3"):
        ask(guard, mind, how_much(task))
    assert len(mind.asks) == 6, "and then t1 again, which was used longest ago"
    with pytest.raises(ScenarioError):
        AnswerCache("world", [HowMuch])  # type: ignore[arg-type]
    with pytest.raises(ScenarioError):
        AnswerCache("run", [])
