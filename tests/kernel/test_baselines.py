"""The baselines' rules: whom each picks, what is a legal answer, and which settings are refused."""

import pickle
from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import pytest
from hypothesis import given, strategies as st

from walras.agents import Agent, Estimate, MarketView
from walras.allocation import Report
from walras.baselines import (
    Assign,
    BestSingle,
    Cheapest,
    Choice,
    Choose,
    Claim,
    Dispatch,
    Done,
    FirstComeClaim,
    Greedy,
    LeastLoaded,
    Leave,
    MayClaim,
    Open,
    RandomAssignment,
    Release,
    RoundRobin,
    Take,
    Taken,
    Worker,
)
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId, Envelope, Message
from walras.questions import Commitment
from walras.randomness import stream

JOB = Task("job", kind="job")

DISPATCH: tuple[Dispatch, ...] = (
    RandomAssignment(),
    RoundRobin(),
    Cheapest(),
    Greedy(),
    BestSingle(),
    LeastLoaded(),
)
ALL: tuple[Mechanism, ...] = (*DISPATCH, FirstComeClaim())


def named(mechanism: Mechanism) -> str:
    return type(mechanism).__name__


class Table:
    """A market of fixed numbers: per agent its cost, load and worth."""

    def __init__(self, best: AgentId | None = None, **rows: tuple[float | None, int, float]) -> None:
        self.rows = rows
        self.best_single = best
        self.agents: Mapping[AgentId, Agent] = {id_: Agent(id_) for id_ in rows}

    def estimate(self, agent: AgentId, task: Task) -> Estimate | None:
        cost = self.rows[agent][0]
        return Estimate(cost) if cost is not None else None

    def load(self, agent: AgentId) -> int:
        return self.rows[agent][1]

    def worth(self, agent: AgentId, task: Task) -> float | None:
        return self.rows[agent][2] if self.rows[agent][0] is not None else None


def pick(rule: Dispatch, market: Table, task: Task = JOB, turn: int = 0) -> Choice:
    operator = Agent("op", operator=True)
    view: MarketView = market
    operator.market, operator.rng = view, stream(0, "strategy", "op")
    question = Choose(task, tuple(market.rows), turn, decide_by=1.0)
    answer = rule.default_strategy(question, operator)
    assert question.accepts(answer)
    return answer


def test_cheapest_takes_the_lowest_claimed_cost_and_ties_go_to_the_lowest_id() -> None:
    assert pick(Cheapest(), Table(a=(2.0, 0, 0.0), b=(1.0, 9, 0.0))) == Choice("b", 1.0)
    assert pick(Cheapest(), Table(b=(1.0, 0, 0.0), a=(1.0, 0, 0.0))).agent == "a"


def test_greedy_takes_the_highest_worth_whatever_it_costs() -> None:
    assert pick(Greedy(), Table(a=(9.0, 0, 5.0), b=(1.0, 0, 4.0))) == Choice("a", 9.0)
    assert pick(Greedy(), Table(b=(1.0, 0, 4.0), a=(1.0, 0, 4.0))).agent == "a"


def test_least_loaded_weighs_the_load_by_capacity_then_looks_at_the_worth_then_at_the_id() -> None:
    market = Table(a=(1.0, 2, 0.0), b=(1.0, 3, 0.0))
    assert pick(LeastLoaded(), market).agent == "a"
    market.agents = {"a": Agent("a", capacity=1), "b": Agent("b", capacity=2)}
    assert pick(LeastLoaded(), market).agent == "b"
    assert pick(LeastLoaded(), Table(a=(1.0, 1, 0.0), b=(1.0, 1, 7.0))).agent == "b"
    assert pick(LeastLoaded(), Table(b=(1.0, 1, 7.0), a=(1.0, 1, 7.0))).agent == "a"


def test_best_single_is_that_one_agent_or_nobody() -> None:
    market = Table(best="b", a=(1.0, 0, 9.0), b=(2.0, 5, 1.0), c=(None, 0, 0.0))
    assert pick(BestSingle(), market) == Choice("b", 2.0)
    market.best_single = "c"
    assert pick(BestSingle(), market) == Choice()
    market.best_single = None
    assert pick(BestSingle(), market) == Choice()


def test_round_robin_goes_on_where_the_number_of_the_conversation_says_and_skips_who_cannot() -> None:
    market = Table(a=(1.0, 0, 0.0), b=(None, 0, 0.0), c=(1.0, 0, 0.0))
    assert [pick(RoundRobin(), market, turn=turn).agent for turn in (0, 1, 2)] == ["a", "c", "c"]


def test_random_draws_from_the_operators_stream_and_reaches_every_feasible_agent() -> None:
    market = Table(a=(1.0, 0, 0.0), b=(None, 0, 0.0), c=(1.0, 0, 0.0))
    operator = Agent("op", operator=True)
    operator.market, operator.rng = market, stream(3, "strategy", "op")
    question = Choose(JOB, ("a", "b", "c"), decide_by=1.0)
    counts = Counter(RandomAssignment().default_strategy(question, operator).agent for _ in range(400))
    assert set(counts) == {"a", "c"}
    assert 140 < counts["a"] < 260


@pytest.mark.parametrize("rule", DISPATCH, ids=named)
def test_nobody_feasible_is_nobody_chosen(rule: Dispatch) -> None:
    assert pick(rule, Table(best="a", a=(None, 0, 0.0))) == Choice()
    assert pick(rule, Table(best="a", a=(5.0, 0, 0.0)), Task("job", reserve=4.0)) == Choice()
    nobody_home = Table(best="a", a=(1.0, 0, 0.0))
    nobody_home.agents = {"a": Agent("a", capacity=0)}
    assert pick(rule, nobody_home) == Choice()


@given(
    rows=st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.none() | st.floats(0, 9), st.integers(0, 4), st.floats(-9, 9)),
        min_size=1,
    ),
    rule=st.sampled_from(DISPATCH),
    reserve=st.none() | st.floats(0, 9),
)
def test_whoever_is_picked_is_feasible_and_paid_its_claim(
    rows: dict[str, tuple[float | None, int, float]], rule: Dispatch, reserve: float | None
) -> None:
    answer = pick(rule, Table(min(rows), **rows), Task("job", reserve=reserve))
    if answer.agent is not None:
        assert answer.price == rows[answer.agent][0]
        assert reserve is None or answer.price <= reserve
    elif not isinstance(rule, BestSingle):
        assert all(cost is None or (reserve is not None and cost > reserve) for cost, _, _ in rows.values())


def test_an_opener_that_does_not_see_the_market_is_a_bad_configuration() -> None:
    with pytest.raises(ScenarioError, match="operator of op"):
        Cheapest().default_strategy(Choose(JOB, ("a",), decide_by=1.0), Agent("op"))


def test_claims_are_made_by_who_can_do_it_when_a_slot_is_free() -> None:
    rule = FirstComeClaim()
    question = MayClaim(JOB, 2.0, decide_by=1.0)
    able = Agent("a", costs={"job": 3.0}, claims=lambda task: Estimate(4.0))
    assert rule.default_strategy(question, able) == Take(4.0)
    assert rule.default_strategy(question, Agent("b")) == Leave()
    assert rule.default_strategy(question, Agent("c", costs={"job": 3.0}, capacity=0)) == Leave()
    assert rule.default_strategy(MayClaim(Task("job", reserve=3.5), 2.0, decide_by=1.0), able) == Leave()

    class Full:
        free, free_slots = 0.0, 0

        def held(self, name: object) -> float:
            return 0.0

    able.account = Full()
    assert rule.default_strategy(question, able) is None


def test_only_a_candidate_at_a_price_within_the_reserve_is_a_legal_choice() -> None:
    question = Choose(Task("job", reserve=5.0), ("a", "b"), decide_by=1.0)
    assert question.accepts(question.otherwise)
    assert question.accepts(Choice("a", 5.0))
    for illegal in (Choice("x", 1.0), Choice("a", 5.1), Choice("a", -1.0), Choice("a", inf), "a", None):
        assert not question.accepts(illegal)
    assert question.commits(Choice("a", 5.0)) == Commitment(money=5.0)
    assert question.commits(Choice()) is None


def test_a_claim_holds_a_slot_and_nothing_else_does() -> None:
    question = MayClaim(JOB, 2.0, decide_by=1.0)
    assert question.accepts(question.otherwise)
    assert question.accepts(Leave())
    assert question.accepts(Take(1.0))
    assert not question.accepts(Take(-1.0))
    assert not question.accepts(True)
    assert question.commits(Take(1.0)) == Commitment(slots=1, until=2.0)
    assert question.commits(Leave()) is None
    assert question.commits(None) is None


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Cheapest(tries=0), "tries of Cheapest"),
        (lambda: Cheapest(tries=-1), "tries of Cheapest"),
        (lambda: Cheapest(tries=2.0), "tries of Cheapest"),  # type: ignore[arg-type]
        (lambda: Cheapest(tries="2"), "tries of Cheapest"),  # type: ignore[arg-type]
        (lambda: Greedy(silence_s="3"), "silence_s of Greedy"),  # type: ignore[arg-type]
        (lambda: Greedy(silence_s=0.0), "silence_s of Greedy"),
        (lambda: RoundRobin(margin_s=-1.0), "margin_s of RoundRobin"),
        (lambda: FirstComeClaim(again_s=0.0), "again_s of FirstComeClaim"),
        (lambda: FirstComeClaim(again_s=0.0009), "again_s of FirstComeClaim"),
        (lambda: FirstComeClaim(margin_s=inf), "margin_s of FirstComeClaim"),
        (lambda: Cheapest().opener("op", (Lot("vase"),), ("a",)), "items for Cheapest"),
        (lambda: FirstComeClaim().opener("op", (JOB, Task("2")), ("a",)), "items for FirstComeClaim"),
        (lambda: Cheapest().opener("op", (Task("job", copies=2),), ("a",)), "items for Cheapest"),
    ],
)
def test_bad_settings_name_their_field(make: Callable[[], object], field: str) -> None:
    with pytest.raises(ScenarioError, match=field):
        make()


@pytest.mark.parametrize("mechanism", ALL, ids=named)
def test_a_baseline_pickles_and_turns_away_who_has_no_role(mechanism: Mechanism) -> None:
    assert pickle.loads(pickle.dumps(mechanism)) == mechanism
    assert mechanism.join("a", None) is None
    late: tuple[Message, ...] = (Done(Report("done")), Release(), Taken(), Claim(1.0, 1))
    assert all(mechanism.join("a", invitation(message)) is None for message in late)
    first = Open(JOB, 9.0) if isinstance(mechanism, FirstComeClaim) else Assign(JOB, 9.0)
    assert isinstance(mechanism.join("a", invitation(first)), Worker)


def invitation(message: Message) -> Envelope:
    return Envelope("op/1", "x-test", "op", "a", message, 0.0)


def test_who_would_pay_for_the_work_gets_it_for_nothing() -> None:
    assert pick(Cheapest(), Table(a=(-1.0, 0, 0.0), b=(0.0, 0, 0.0))) == Choice("a", 0.0)
    eager = Agent("a", costs=lambda task: Estimate(-1.0))
    assert FirstComeClaim().default_strategy(MayClaim(JOB, 2.0, decide_by=1.0), eager) == Take(0.0)


def test_nobody_gives_a_task_to_itself() -> None:
    assert Cheapest().opener("op", (JOB,), ("op", "a")).candidates == ("a",)  # type: ignore[attr-defined]
    assert FirstComeClaim().opener("op", (JOB,), ("op", "a")).audience == ("a",)  # type: ignore[attr-defined]


@pytest.mark.parametrize("rules", [Cheapest(margin_s=0.5), FirstComeClaim(margin_s=0.5)], ids=named)
def test_the_margin_is_the_opener_s(rules: Cheapest | FirstComeClaim) -> None:
    """What is set in the rules is what its role goes by."""
    role: Any = rules.opener("op", (JOB,), ("a",))
    assert role.margin_s == 0.5
