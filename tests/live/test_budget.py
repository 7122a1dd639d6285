"""Budgets: reserved before the call in all accounts or in none, charged also for what failed; unknown is not zero."""

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.live.minds import Offer, Scripted, ask, busy, how_much, run
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.answers import Usage, total
from walras.live.budget import Budgets, Limits, OverBudgetError
from walras.live.guard import Guard, GuardRules
from walras.live.participant import Ask, Participant, Reply, Retryable

CENT = Usage(1, 100, 10, 0.01)


class Priced(Scripted):
    """Knows what a call costs at most."""

    def estimate(self, asked: Ask) -> Usage:
        return Usage(1, 100, 100, 0.02)


# ------------------------------------------------------------------------------------------------------ accounts


def test_a_call_counts_against_run_conversation_and_agent_at_once() -> None:
    budgets = Budgets()
    budgets.reserve("ada", "m/1", CENT).settle(CENT)
    budgets.reserve("ada", "m/2", CENT).settle(CENT)
    budgets.reserve("bob", "m/2", CENT).settle(CENT)
    accounts = (budgets.run, budgets.of_conversation("m/2"), budgets.of_agent("ada"))
    assert [(a.calls, a.tokens, round(a.usd, 9)) for a in accounts] == [
        (3, 330, 0.03), (2, 220, 0.02), (2, 220, 0.02)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "short"),
    [
        ({"run": Limits(usd=0.015)}, "the run has 0.005 of 0.015 usd left, a call may need 0.01"),
        ({"conversation": Limits(tokens=150)}, "m/1 has 40 of 150 tokens left, a call may need 110"),
        ({"agent": Limits(calls=1)}, "ada has 0 of 1 calls left, a call may need 1"),
    ],
)
def test_what_exceeds_any_level_is_refused_and_leaves_no_trace_in_the_others(
    limits: dict[str, Any], short: str
) -> None:
    budgets = Budgets(**limits)
    budgets.reserve("ada", "m/1", CENT).settle(CENT)
    with pytest.raises(OverBudgetError, match=short):
        budgets.reserve("ada", "m/1", CENT)
    assert (
        budgets.run.reserved
        == budgets.of_agent("ada").reserved
        == budgets.of_conversation("m/1").reserved
        == {}
    )
    assert budgets.run.calls == 1


def test_an_agent_may_have_limits_of_its_own() -> None:
    budgets = Budgets(agent=Limits(calls=1), agents={"bob": Limits(calls=2)})
    for _ in range(2):
        budgets.reserve("bob", "m/1", CENT)
    budgets.reserve("ada", "m/1", CENT)
    for name in ("ada", "bob"):
        with pytest.raises(OverBudgetError, match=name):
            budgets.reserve(name, "m/1", CENT)


def test_what_is_reserved_is_not_there_for_others_until_it_is_settled() -> None:
    budgets = Budgets(Limits(usd=0.1))
    first = budgets.reserve("ada", "m/1", Usage(1, 0, 0, 0.08))
    with pytest.raises(OverBudgetError):
        budgets.reserve("bob", "m/1", Usage(1, 0, 0, 0.08))
    first.settle(Usage(1, 0, 0, 0.01))
    first.settle(Usage(1, 0, 0, 0.01))
    assert budgets.run.usd == 0.01, "settled once"
    budgets.reserve("bob", "m/1", Usage(1, 0, 0, 0.08))


def test_a_limit_can_be_used_to_the_last_cent() -> None:
    budgets = Budgets(Limits(usd=1.0))
    for _ in range(100):
        budgets.reserve("ada", "m/1", CENT).settle(CENT)
    with pytest.raises(OverBudgetError):
        budgets.reserve("ada", "m/1", CENT)


def test_an_unknown_price_is_assumed_and_reported_apart() -> None:
    budgets = Budgets(Limits(usd=0.12), unknown_usd=0.05)
    for _ in range(2):
        budgets.reserve("ada", "m/1", Usage()).settle(Usage(1, 70, 7))
    assert (budgets.run.usd, budgets.run.assumed_usd, budgets.run.tokens) == (0.0, 0.1, 154)
    with pytest.raises(OverBudgetError):
        budgets.reserve("ada", "m/1", Usage())
    assert total([CENT, Usage(1, 70, 7)]).cost_usd is None, "a sum with an unknown part is unknown"


def test_an_unknown_price_may_be_refused_where_money_is_limited() -> None:
    strict = Budgets(agent=Limits(usd=1.0), unknown_usd=None)
    with pytest.raises(
        OverBudgetError, match="ada has a limit in money, and the price of this call is unknown"
    ):
        strict.reserve("ada", "m/1", Usage())
    Budgets(Limits(calls=3), unknown_usd=None).reserve("ada", "m/1", Usage())


@pytest.mark.parametrize(
    "nonsense", [math.nan, math.inf, -1.0, "free", pytest.param(10**400, id="fantastic"), None]
)
def test_a_nonsensical_report_is_an_unknown_one(nonsense: Any) -> None:
    budgets = Budgets(Limits(usd=1.0))
    budgets.reserve("ada", "m/1", CENT).settle(Usage(1, 5, 5, nonsense))
    assert (budgets.run.usd, budgets.run.assumed_usd) == (0.0, 0.01)


def test_a_conversation_that_is_forgotten_stays_in_the_other_accounts() -> None:
    budgets = Budgets()
    budgets.reserve("ada", "m/1", CENT).settle(CENT)
    budgets.forget("m/1")
    assert budgets.conversations == {}
    assert budgets.run.usd == budgets.of_agent("ada").usd == 0.01


@pytest.mark.parametrize(
    "make", [lambda: Limits(usd=-1), lambda: Limits(calls=math.nan), lambda: Budgets(unknown_usd=0.0)]
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(ScenarioError):
        make()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(("x", "y")),
            st.integers(0, 50),
            st.one_of(st.none(), st.integers(0, 50)),
        ),
        max_size=30,
    ),
    st.integers(0, 200),
)
def test_no_account_exceeds_its_limit_as_long_as_calls_keep_to_their_estimates(
    calls: list[tuple[str, str, int, int | None]], limit: int
) -> None:
    """And the agents' accounts and the conversations' each add up to the run's."""
    budgets = Budgets(Limits(usd=limit), agent=Limits(usd=limit // 2))
    for agent, conversation, estimate, real in calls:
        try:
            reservation = budgets.reserve(agent, conversation, Usage(1, 0, 0, float(estimate)))
        except OverBudgetError:
            continue
        reservation.settle(None if real is None else Usage(1, 0, 0, float(min(real, estimate))))
    spent = [
        [a.usd + a.assumed_usd for a in them.values()] for them in (budgets.agents, budgets.conversations)
    ]
    assert budgets.run.left("usd") >= 0
    assert all(share <= limit // 2 for share in spent[0])
    assert sum(spent[0]) == sum(spent[1]) == budgets.run.usd + budgets.run.assumed_usd


# ---------------------------------------------------------------------------------------------- within the guard


@pytest.mark.parametrize(
    ("mind", "status", "charged"),
    [
        (Priced(Offer(1.0), usage=CENT), "ok", 0.01),
        (Priced(Offer(1.0)), "ok", 0.02),
        (Priced(None, usage=CENT), "declined", 0.01),
        (Priced("prose", usage=CENT), "invalid", 0.02),
        (Priced(KeyError("x")), "error", 0.02),
        (Priced(Offer(1.0), takes_s=60.0), "timeout", 0.02),
        (Priced(busy()), "error", 0.06),
        (Priced(Retryable("429", usage=Usage(1, 0, 0, 0.0))), "error", 0.0),
    ],
)
def test_calls_that_fail_are_late_or_were_in_vain_are_charged(mind: Any, status: str, charged: float) -> None:
    """What is not known is charged as it was reserved; the prototype counted it as free."""
    guard = Guard(GuardRules(failures=99))
    assert ask(guard, mind).status == status
    run_account = guard.budgets.run
    assert run_account.usd + run_account.assumed_usd == pytest.approx(charged)
    assert run_account.reserved == {}
    assert run_account.calls == len(mind.asks)


def test_who_is_over_budget_is_not_called() -> None:
    guard = Guard(budgets=Budgets(agents={"ada": Limits(usd=0.01)}))
    broke = Priced(Offer(1.0))
    found = ask(guard, broke)
    assert (found.status, found.attempts, broke.asks) == ("over_budget", 0, [])
    assert found.detail == "ada has 0.01 of 0.01 usd left, a call may need 0.02"
    assert ask(guard, Priced(Offer(1.0)), agent="bob").status == "ok"


def test_calls_at_the_same_time_cannot_overspend_together() -> None:
    """Fifty at once, a budget for five: what the first have reserved is not there for the others."""
    guard = Guard(budgets=Budgets(Limits(usd=0.1)))
    mind = Priced(Offer(1.0), takes_s=1.0, usage=Usage(1, 100, 100, 0.02))

    async def market() -> list[str]:
        answers = await asyncio.gather(
            *(
                guard.answer(Agent(f"a{k}", mind), how_much(), conversation="m/1", seconds=5.0)
                for k in range(50)
            )
        )
        return [answered.status for answered in answers]

    statuses = run(market())
    assert (statuses.count("ok"), statuses.count("over_budget"), len(mind.asks)) == (5, 45, 5)
    assert guard.budgets.run.usd == pytest.approx(0.1)


def test_retries_and_repairs_are_paid_one_by_one_until_the_money_ends() -> None:
    guard = Guard(budgets=Budgets(Limits(usd=0.05)))
    mind = Priced(busy(), "prose", Offer(1.0))
    assert (ask(guard, mind).status, len(mind.asks)) == ("over_budget", 2)


def test_a_call_that_is_cancelled_from_outside_is_charged_and_leaves_nothing_reserved() -> None:
    guard = Guard()
    mind = Priced(Offer(1.0), takes_s=60.0)

    async def market() -> None:
        asking = asyncio.ensure_future(
            guard.answer(Agent("ada", mind), how_much(), conversation="m/1", seconds=90.0)
        )
        await asyncio.sleep(1.0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    run(market())
    assert guard.budgets.run.reserved == {}
    assert guard.budgets.run.assumed_usd == 0.02


class Nonsense(Participant):
    """Reports what no account can use."""

    async def answer(self, asked: Ask) -> Any:
        return Reply(Offer(1.0), usage="cheap")  # type: ignore[arg-type]


@pytest.mark.parametrize("nonsense", [math.nan, -5, "many", pytest.param(10**400, id="fantastic")])
def test_nonsense_in_a_report_gets_no_further_than_the_guard(nonsense: Any) -> None:
    guard = Guard(budgets=Budgets(Limits(usd=1.0, tokens=1e6)))
    found = ask(guard, Scripted(Offer(1.0), usage=Usage(nonsense, nonsense, 10, nonsense)))
    assert (found.status, found.usage) == ("ok", Usage(1, None, 10, None))
    failing = Scripted(Retryable("busy", usage=Usage(1, 5, nonsense, 0.01)))
    assert ask(guard, failing).usage == Usage(3, 15, None, 0.03)
    run: Any = guard.budgets.run
    assert (run.usd, run.assumed_usd, run.calls, run.reserved) == (pytest.approx(0.03), 0.05, 4, {})


def test_a_report_that_is_none_is_unknown() -> None:
    guard = Guard(budgets=Budgets(unknown_usd=0.07))
    found = ask(guard, Nonsense())
    assert (found.status, found.usage.cost_usd, guard.budgets.run.assumed_usd) == ("ok", None, 0.07)
