"""Minds in turn: cheap ones first, then strong ones, a backup; each with its own breaker, account and repair."""

from typing import Any

import pytest

from tests.live.minds import No, Offer, Scripted, ask, busy, took
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.answers import Usage
from walras.live.budget import Budgets, Limits
from walras.live.cascade import Cascade
from walras.live.guard import Guard, GuardRules


def rule(question: Any, agent: Agent) -> Offer:
    return Offer(9.0)


def test_the_second_is_asked_only_if_the_first_has_no_legal_answer() -> None:
    strong = Scripted(Offer(2.0))
    assert ask(Guard(), Cascade(Scripted(Offer(1.0)), strong)).value == Offer(1.0)
    assert strong.asks == []


@pytest.mark.parametrize(
    "cheap",
    [Scripted("prose"), Scripted(KeyError("x")), Scripted(busy()), Scripted(Offer(1.0), takes_s=99.0)],
)
def test_whatever_befalls_one_the_next_is_asked(cheap: Scripted) -> None:
    found = ask(Guard(), Cascade(cheap, Scripted(Offer(2.0))))
    assert (found.status, found.value) == ("ok", Offer(2.0))
    assert found.attempts == len(cheap.asks) + 1
    assert "Scripted: ok" in found.detail


def test_an_answer_that_is_not_good_enough_is_improved_or_stands() -> None:
    """A third opinion that never comes leaves the best that there is."""

    def enough(question: Any, answer: Any) -> bool:
        return isinstance(answer, Offer)

    assert ask(Guard(), Cascade(Scripted(No("unsure")), Scripted(Offer(2.0)), enough=enough)).value == Offer(
        2.0
    )
    stands = ask(Guard(), Cascade(Scripted(No("unsure")), Scripted(KeyError("x")), enough=enough))
    assert (stands.status, stands.value) == ("ok", No("unsure"))
    assert ask(Guard(), Cascade(Scripted(No("a")), rule, enough=lambda q, a: 1 / 0)).value == Offer(9.0)  # type: ignore[arg-type, return-value]


def test_who_declines_has_decided() -> None:
    backup = Scripted(Offer(2.0))
    assert ask(Guard(), Cascade(Scripted(None), backup)).status == "declined"
    assert backup.asks == []


def test_each_has_its_share_of_the_time_and_the_last_has_the_rest() -> None:
    minds = [Scripted(Offer(1.0), takes_s=99.0) for _ in range(3)]
    found = ask(Guard(), Cascade(*minds), seconds=8.0)
    assert [round(mind.asks[0].seconds, 6) for mind in minds] == [4.0, 2.0, 2.0]
    assert (found.status, took(found)) == ("timeout", 8.0)


def test_each_has_its_own_breaker_and_all_have_one_account() -> None:
    guard = Guard(GuardRules(retries=0, failures=1), budgets=Budgets(agent=Limits(calls=4)))
    cheap = Scripted(busy(), provider="flaky")
    strong = Scripted(Offer(2.0), provider="solid", usage=Usage(1, 9, 9, 0.25))
    cascade = Cascade(cheap, strong)
    found = [ask(guard, cascade) for _ in range(4)]
    assert [answered.status for answered in found] == ["ok", "ok", "ok", "over_budget"]
    assert (len(cheap.asks), len(strong.asks)) == (1, 3), "the flaky one is left alone after its failure"
    assert found[1].detail == "Scripted: circuit_open (flaky keeps failing and is left alone); Scripted: ok"


def test_rules_and_coroutines_may_stand_in_for_models() -> None:
    async def thinking(question: Any, agent: Agent) -> Any:
        raise KeyError("no idea")

    found = ask(Guard(), Cascade(thinking, rule))
    assert (found.value, found.detail) == (Offer(9.0), "thinking: error (KeyError: 'no idea'); rule: ok")


NOT_CALLABLE: Any = "b"


@pytest.mark.parametrize(
    "make",
    [lambda: Cascade(rule), lambda: Cascade(rule, rule, share=1.0), lambda: Cascade(rule, NOT_CALLABLE)],
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(ScenarioError):
        make()
