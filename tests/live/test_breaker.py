"""The circuit breaker: opens after failures in a row, and admits one probe at a time when it is half open."""

import asyncio
from typing import Any

import pytest

from tests.live.minds import Offer, Scripted, ask, busy, how_much, run
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.breaker import Breaker
from walras.live.budget import Budgets, Limits
from walras.live.guard import Guard, GuardRules
from walras.questions import Question


def fail(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        leave = breaker.admit(now)
        assert leave is not None
        leave.failed(now)


def test_it_opens_after_failures_in_a_row_and_not_after_scattered_ones() -> None:
    breaker = Breaker(failures=3, open_s=30.0)
    fail(breaker, 0.0, 2)
    good = breaker.admit(0.0)
    assert good is not None
    good.succeeded()
    fail(breaker, 0.0, 2)
    assert breaker.admit(0.0) is not None
    fail(breaker, 1.0)
    assert breaker.admit(1.0) is None
    assert breaker.admit(30.9) is None


def test_half_open_it_admits_one_probe_only() -> None:
    """The prototype let everyone in."""
    breaker = Breaker(failures=1, open_s=30.0)
    fail(breaker, 0.0)
    probe = breaker.admit(30.0)
    assert probe is not None
    assert [breaker.admit(30.0) for _ in range(5)] == [None] * 5
    probe.succeeded()
    assert breaker.admit(30.0) is not None
    assert breaker.admit(30.0) is not None


def test_a_failed_probe_opens_it_again_for_as_long() -> None:
    breaker = Breaker(failures=3, open_s=30.0)
    fail(breaker, 0.0, 3)
    fail(breaker, 40.0)
    assert breaker.admit(69.9) is None
    assert breaker.admit(70.0) is not None


def test_a_probe_that_is_given_up_makes_room_for_the_next() -> None:
    """Else a cancelled probe would leave the provider locked for ever."""
    breaker = Breaker(failures=1, open_s=30.0)
    fail(breaker, 0.0)
    probe = breaker.admit(30.0)
    assert probe is not None
    probe.given_up()
    assert breaker.admit(30.0) is not None


def test_calls_from_before_it_opened_neither_close_nor_prolong_it() -> None:
    breaker = Breaker(failures=2, open_s=30.0)
    early = [breaker.admit(0.0) for _ in range(4)]
    assert all(early)
    fail(breaker, 1.0, 2)
    for leave, outcome in zip(early, ("succeeded", "failed", "given_up", "succeeded"), strict=True):
        getattr(leave, outcome)(*([20.0] if outcome == "failed" else []))
    assert breaker.admit(30.9) is None
    probe = breaker.admit(31.0)
    assert probe is not None
    assert breaker.admit(31.0) is None, "still one probe"


@pytest.mark.parametrize("bad", [{"failures": 0}, {"open_s": -1.0}, {"open_s": float("nan")}])
def test_settings_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError):
        Breaker(**bad)


# ---------------------------------------------------------------------------------------------- within the guard


def test_it_belongs_to_the_provider_not_to_the_participant() -> None:
    """Three agents of one provider fail once each; the fourth is spared, another provider's agent is asked."""
    guard = Guard(GuardRules(retries=0, failures=3))
    for name in ("a", "b", "c"):
        assert ask(guard, Scripted(busy(), provider="acme"), agent=name).status == "error"
    spared = Scripted(Offer(1.0), provider="acme")
    found = ask(guard, spared, agent="d")
    assert (found.status, found.attempts, spared.asks) == ("circuit_open", 0, [])
    assert "acme" in found.detail
    assert ask(guard, Scripted(Offer(1.0), provider="other"), agent="e").status == "ok"
    assert ask(guard, Scripted(Offer(1.0)), agent="f").status == "ok"


def test_participants_without_a_provider_stand_alone() -> None:
    """Each for each agent: else one agent's trouble would silence all that share a function."""
    guard = Guard(GuardRules(retries=0, failures=1))
    moody = Scripted(KeyError("x"), Offer(1.0))
    assert ask(guard, moody, agent="a").status == "error"
    assert ask(guard, moody, agent="a").status == "circuit_open"
    assert ask(guard, moody, agent="b").status == "ok"
    assert ask(guard, Scripted(Offer(1.0)), agent="a").status == "ok"


def test_coroutine_functions_have_a_breaker_too() -> None:
    async def failing(question: Question, agent: Agent) -> Any:
        raise KeyError("x")

    guard = Guard(GuardRules(failures=2))
    assert [ask(guard, failing).status for _ in range(3)] == ["error", "error", "circuit_open"]
    assert ask(guard, failing, agent="bob").status == "error"


def test_after_a_while_one_of_many_askers_probes_and_all_are_served_again() -> None:
    guard = Guard(GuardRules(retries=0, failures=1, open_s=30.0))
    mind = Scripted(busy(), Offer(1.0), provider="acme", takes_s=1.0)

    async def market() -> list[list[str]]:
        seen: list[list[str]] = []
        for wait in (0.0, 1.0, 30.0, 1.0):
            await asyncio.sleep(wait)
            answers = await asyncio.gather(
                *(
                    guard.answer(Agent(f"a{k}", mind), how_much(), conversation="m/1", seconds=5.0)
                    for k in range(1 if wait == 0.0 else 3)
                )
            )
            seen.append([answered.status for answered in answers])
        return seen

    assert run(market()) == [
        ["error"],
        ["circuit_open"] * 3,
        ["ok", "circuit_open", "circuit_open"],
        ["ok"] * 3,
    ]


def test_timeouts_count_as_failures_and_illegal_answers_do_not() -> None:
    """A provider that answers nonsense is there."""
    guard = Guard(GuardRules(retries=0, repairs=0, failures=2))
    nonsense = Scripted("what?", provider="acme")
    assert [ask(guard, nonsense).status for _ in range(4)] == ["invalid"] * 4
    slow = Scripted(Offer(1.0), provider="acme", takes_s=60.0)
    assert [ask(guard, slow).status for _ in range(3)] == ["timeout", "timeout", "circuit_open"]


def test_it_opens_in_the_midst_of_retries() -> None:
    guard = Guard(GuardRules(retries=5, failures=2))
    mind = Scripted(busy(), provider="acme")
    found = ask(guard, mind)
    assert (found.status, len(mind.asks)) == ("circuit_open", 2)


def test_a_probe_that_nobody_could_pay_for_does_not_lock_the_provider_for_ever() -> None:
    budgets = Budgets(agents={"poor": Limits(calls=0)})
    guard = Guard(GuardRules(retries=0, failures=1, open_s=0.0), budgets=budgets)
    mind = Scripted(busy(), Offer(1.0), provider="acme")
    statuses = [ask(guard, mind, agent=name).status for name in ("rich", "poor", "rich")]
    assert statuses == ["error", "over_budget", "ok"]


def test_a_probe_that_is_cancelled_from_outside_does_not_lock_the_provider_for_ever() -> None:
    guard = Guard(GuardRules(retries=0, failures=1, open_s=1.0))
    mind = Scripted(busy(), Offer(1.0), provider="acme", takes_s=5.0)

    async def market() -> str:
        one = Agent("a", mind)
        assert (await guard.answer(one, how_much(), conversation="m/1", seconds=9.0)).status == "error"
        await asyncio.sleep(2.0)
        probe = asyncio.ensure_future(guard.answer(one, how_much(), conversation="m/1", seconds=9.0))
        await asyncio.sleep(1.0)
        probe.cancel()
        await asyncio.sleep(0.0)
        return (await guard.answer(one, how_much(), conversation="m/1", seconds=9.0)).status

    assert run(market()) == "ok"
