"""Award rules: pure functions of the task and the proposals."""

import pickle
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, strategies as st

from contractnet import BestValue, Propose, Weighted, best_value, cheapest, earliest_finish
from contractnet.awarding import acceptable, best, leaders, rejections
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Task

TASK = Task("t")
RULES = [
    cheapest,
    earliest_finish,
    best_value,
    BestValue(value_of_quality=5.0, price_of_waiting=0.1),
    Weighted(price=1.0, eta=1.0, quality=1.0),
]

proposals = st.builds(
    Propose,
    price=st.floats(0, 100),
    eta_s=st.floats(0, 100),
    quality=st.floats(0, 1),
    valid_until=st.sampled_from([5.0, 50.0, inf]),
)
many = st.dictionaries(st.sampled_from("abcdefgh"), proposals, max_size=8)
scores = st.dictionaries(
    st.sampled_from("abcdefgh"), st.sampled_from([0.0, 1.0, 2.0, -inf, nan, inf]), max_size=8
)


def winner(rule: Any, bids: dict[str, Propose], task: Task = TASK) -> str:
    winners, tied = best(rule, task, bids, 1)
    assert not tied
    return winners[0]


def test_each_rule_prefers_what_it_says() -> None:
    bids = {
        "cheap": Propose(1.0, eta_s=90.0, quality=0.1),
        "soon": Propose(9.0, eta_s=1.0, quality=0.2),
        "good": Propose(5.0, eta_s=50.0, quality=0.9),
    }
    assert winner(cheapest, bids) == "cheap"
    assert winner(earliest_finish, bids) == "soon"
    assert winner(BestValue(value_of_quality=10.0), bids) == "good"
    assert winner(BestValue(value_of_quality=10.0, price_of_waiting=1.0), bids) == "soon"
    assert winner(Weighted(quality=2.0, eta=1.0, price=1.0), bids) == "good"


def test_best_value_takes_what_the_task_says_unless_told_otherwise() -> None:
    """The reserve is what quality 1 is worth, and the task publishes its price of waiting."""
    task = Task("t", reserve=10.0, price_of_waiting=0.5)
    bids = {"a": Propose(2.0, eta_s=4.0, quality=0.5)}
    assert best_value(task, bids) == {"a": pytest.approx(5.0 - 2.0 - 2.0)}
    assert BestValue(value_of_quality=20.0, price_of_waiting=0.0)(task, bids) == {"a": pytest.approx(8.0)}
    assert best_value(TASK, bids) == {"a": -2.0}, "without a reserve the cheapest is best"


def test_weights_are_scaled_and_an_attribute_that_does_not_differ_decides_nothing() -> None:
    bids = {"a": Propose(1.0, eta_s=7.0, quality=0.5), "b": Propose(3.0, eta_s=7.0, quality=1.0)}
    assert Weighted(price=30.0, eta=10.0)(TASK, bids) == {"a": 1.0, "b": 0.25}
    assert Weighted(price=3.0, eta=1.0)(TASK, bids) == Weighted(price=30.0, eta=10.0)(TASK, bids)
    assert Weighted(price=1.0)(TASK, {}) == {}


@pytest.mark.parametrize("rule", RULES)
def test_rules_travel_and_show_their_settings(rule: Any) -> None:
    """Studies send them to other processes, and a result says what it was made with."""
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert " at 0x" not in repr(rule)


@pytest.mark.parametrize("rule", RULES)
@given(bids=many, places=st.integers(0, 9), reserve=st.one_of(st.none(), st.floats(0, 100)))
def test_only_acceptable_proposals_win_and_never_more_than_there_are_places(
    rule: Any, bids: dict[str, Propose], places: int, reserve: float | None
) -> None:
    """R4: at most `places`; still binding; within the reserve; a tie list only where somebody must lose."""
    task = Task("t", reserve=reserve)
    sound = acceptable(task, bids, 10.0)
    winners, tied = best(rule, task, sound, places)
    fit = [a for a, p in bids.items() if p.valid_until >= 10.0 and (reserve is None or p.price <= reserve)]
    assert {*winners, *tied} <= set(fit)
    assert len(set(winners)) == len(winners)
    if tied:
        assert len(winners) < places < len(winners) + len(tied)
    else:
        assert len(winners) == min(places, len(fit))
    told = [agent for agents in rejections(bids, sound, 10.0).values() for agent in agents]
    assert sorted(told) == sorted(bids), "everybody is told, once, and why"


@given(table=scores, places=st.integers(0, 9))
def test_leaders_are_the_top_scores_and_the_order_of_the_table_is_irrelevant(
    table: dict[str, float], places: int
) -> None:
    """Against the definition: sort by score, cut, and see whether the cut goes through equals."""
    able = sorted((a for a in table if table[a] > -inf), key=lambda a: (-table[a], a))
    winners, tied = leaders(table, places)
    backwards = dict(reversed(list(table.items())))
    assert leaders(backwards, places) == (winners, tied)
    if tied:
        assert len({table[a] for a in tied}) == 1
        assert tied == sorted(tied)
        assert winners == able[: len(winners)]
        assert able[len(winners) : len(winners) + len(tied)] == tied
    else:
        assert winners == able[:places]


def test_a_rule_cannot_invent_bids() -> None:
    """I12."""
    with pytest.raises(LocalProtocolError, match="ghost"):
        best(lambda task, bids: {"ghost": 1.0}, TASK, {"a": Propose(1.0)}, 1)


def test_a_rule_that_returns_no_scores_is_named() -> None:
    with pytest.raises(LocalProtocolError, match="returns 'a'; expected a mapping from agent to score"):
        best(lambda task, bids: "a", TASK, {"a": Propose(1.0)}, 1)  # type: ignore[arg-type,return-value]


def test_a_score_that_is_no_number_is_shown() -> None:
    with pytest.raises(
        LocalProtocolError, match=r"returns {'a': 'high', 'b': 1.0}; expected a number for each agent"
    ):
        best(lambda task, bids: {"a": "high", "b": 1.0}, TASK, {"a": Propose(1.0), "b": Propose(1.0)}, 1)  # type: ignore[dict-item]


def test_losers_are_told_why() -> None:
    bids = {
        "lost": Propose(1.0),
        "dear": Propose(9.0),
        "old": Propose(1.0, valid_until=1.0),
        "old and dear": Propose(9.0, valid_until=1.0),
        "just": Propose(5.0, valid_until=2.0),
        "dear and just": Propose(9.0, valid_until=2.0),
    }
    assert rejections(bids, acceptable(Task("t", reserve=5.0), bids, 2.0), 2.0) == {
        "lost": ["lost", "just"],
        "over-budget": ["dear", "dear and just"],
        "expired": ["old", "old and dear"],
    }


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: BestValue(value_of_quality=-1.0), "value_of_quality"),
        (lambda: BestValue(value_of_quality=nan), "value_of_quality"),
        (lambda: BestValue(price_of_waiting=inf), "price_of_waiting"),
        (Weighted, "weights"),
        (lambda: Weighted(price=1e308, quality=1e308), "weights"),
        (lambda: Weighted(price=10**308, quality=10**308), "weights"),
        (lambda: Weighted(price=10**400), "weight of price"),
        (lambda: BestValue(value_of_quality=10**400), "value_of_quality"),
        (lambda: Weighted(price=-1.0, eta=2.0), "weight of price"),
        (lambda: Weighted(price=True), "weight of price"),
        (lambda: Weighted(quality=inf), "weight of quality"),
    ],
)
def test_settings_are_checked_before_time_0(make: Any, field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        make()
    assert caught.value.field == field


def test_a_rule_cannot_invent_bids_that_tie_either() -> None:
    with pytest.raises(LocalProtocolError, match="awards to ghost"):
        best(lambda task, bids: {"ghost": 1.0, "phantom": 1.0}, TASK, {"a": Propose(1.0)}, 1)
