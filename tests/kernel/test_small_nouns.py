"""Items, questions, tallies, random streams and errors."""

import copy
import pickle
from collections.abc import Callable
from math import inf, nan
from typing import ClassVar

import pytest
from hypothesis import given, strategies as st

from walras.errors import LocalProtocolError, RemoteProtocolError, ScenarioError, WalrasError
from walras.items import Bundle, Item, Lot, Task
from walras.questions import Commitment, Question
from walras.randomness import draw, stream, uniforms
from walras.tally import Tally

# -------------------------------------------------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("item", "procured"),
    [
        (Task("t"), True),
        (Lot("l"), False),
        (Lot("l", wanted=True), True),
        (Bundle("b"), False),
        (Item("i"), False),
    ],
)
def test_an_item_says_who_pays_for_it(item: Item, procured: bool) -> None:
    assert item.procured is procured


def test_tasks_have_parts_and_are_keys() -> None:
    task = Task("t", parts=(Task("t.1"), Task("t.2", parts=(Task("t.2.1"),))))
    assert {task: 1}[copy.deepcopy(task)] == 1
    assert pickle.loads(pickle.dumps(task)) == task


def test_an_item_shows_only_what_is_not_usual() -> None:
    assert repr(Task("t", size=2.0)) == "Task(id='t', size=2.0)"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Task("t", copies=0), "copies of t is 0"),
        (lambda: Task("t", copies=1.0), "copies of t is 1.0"),  # type: ignore[arg-type]
        (lambda: Task("t", copies=True), "copies of t is True"),
        (lambda: Task("t", copies=10**9), "copies of t"),
        (lambda: Task("t", reserve=nan), "reserve of t is nan"),
        (lambda: Task("t", reserve=-1.0), "reserve of t is -1.0"),
        (lambda: Task("t", reserve="3"), "reserve of t is '3'"),  # type: ignore[arg-type]
        (lambda: Task("t", price_of_waiting=inf), "price_of_waiting of t is inf"),
        (lambda: Task("t", size=-1.0), "size of t is -1.0"),
        (lambda: Task("t", size=nan), "size of t is nan"),
        (lambda: Lot("l", quantity=0), "quantity of l is 0"),
        (lambda: Lot("l", reserve=nan), "reserve of l is nan"),
        (lambda: Lot(""), "id of a Lot is ''"),
        (lambda: Task(3), "id of a Task is 3"),  # type: ignore[arg-type]
        (lambda: Task("t", requires="gpu"), "requires of t is 'gpu'"),  # type: ignore[arg-type]
    ],
)
def test_an_item_that_makes_no_sense_is_refused(make: Callable[[], Item], field: str) -> None:
    with pytest.raises(ScenarioError, match=field):
        make()


def test_an_item_may_be_free_small_and_without_a_limit() -> None:
    assert Task("t", size=0, reserve=inf).reserve == inf
    assert Lot("l", quantity=10**6, reserve=0).reserve == 0


# ---------------------------------------------------------------------------------------------------- questions


class HowMuch(Question, frozen=True, kw_only=True):
    """Name a price, or None."""

    limit: float
    answers: ClassVar[tuple[type, ...]] = (float, type(None))

    def commits(self, answer: float | None) -> Commitment | None:
        return None if answer is None else Commitment(money=answer, until=self.decide_by)


def test_a_question_accepts_its_answers_and_nothing_else() -> None:
    question = HowMuch(decide_by=1.0, limit=5.0)
    assert question.accepts(2.0)
    assert not question.accepts("two")


def test_the_answer_that_stands_is_legal_and_binds_nothing() -> None:
    question = HowMuch(decide_by=1.0, limit=5.0)
    assert question.accepts(question.otherwise)
    assert question.commits(question.otherwise) is None


def test_an_answer_binds_what_the_question_says() -> None:
    assert HowMuch(decide_by=1.0, limit=5.0).commits(3.0) == Commitment(money=3.0, slots=0, until=1.0)


def test_a_question_without_answers_accepts_none_of_them() -> None:
    assert not Question(decide_by=0.0).accepts("anything")
    assert Question(decide_by=0.0).commits("anything") is None


def test_a_question_has_a_deadline() -> None:
    with pytest.raises(TypeError, match="decide_by"):
        Question()  # type: ignore[call-arg]


# ---------------------------------------------------------------------------------------------------------- tally


@given(st.integers(-1, 6), st.lists(st.tuples(st.sampled_from("abcde"), st.integers())))
def test_a_tally_is_true_exactly_once_and_counts_each_sender_once(
    needed: int, votes: list[tuple[str, int]]
) -> None:
    tally: Tally[int] = Tally(needed)
    firsts: dict[str, int] = {}
    signals = []
    for sender, value in votes:
        signals.append(tally.add(sender, value))
        firsts.setdefault(sender, value)
    assert tally.given == firsts
    assert sum(signals) == (1 if 1 <= needed <= len(firsts) else 0)
    assert tally.reached is (len(firsts) >= needed)
    assert not any(signal for k, signal in enumerate(signals) if votes[k][0] in dict(votes[:k]))


def test_tallies_do_not_share_what_they_count() -> None:
    one: Tally[int] = Tally(1)
    two: Tally[int] = Tally(1)
    one.add("ada", 1)
    assert two.given == {}
    assert pickle.loads(pickle.dumps(one)) == one != two


# ----------------------------------------------------------------------------------------------------- randomness

NAMES = st.lists(st.one_of(st.integers(), st.text("abc/", max_size=4)), max_size=3)


@given(st.integers(), NAMES)
def test_a_stream_depends_on_its_seed_and_name_only(seed: int, names: list[object]) -> None:
    assert stream(seed, *names).getstate() == stream(seed, *names).getstate()
    assert draw(seed, *names) == draw(seed, *names)
    assert 0.0 <= draw(seed, *names) < 1.0
    assert uniforms(seed, *names, size=3).tolist() == uniforms(seed, *names, size=9)[:3].tolist()


def test_streams_of_other_seeds_and_names_differ() -> None:
    seen = [stream(*key).random() for key in ((1, "a"), (2, "a"), (1, "b"), (1, "a", "b"), (1, "ab"), (1,))]
    seen += [draw(*key) for key in ((1, "a"), (2, "a"), (1, "b"), (1, "a", "b"), (1, "ab"), (1,))]
    seen += [x for key in ((1, "a"), (2, "a"), (1, "b"), (1, "ab"), (1,)) for x in uniforms(*key, size=2)]
    assert len(set(seen)) == len(seen)


def test_streams_are_the_same_on_every_machine_and_python() -> None:
    """Published results stand on these numbers: a change to them is a new version of every scenario."""
    assert stream(7, "work", "task-1", "ada").random() == 0.6105987552396454
    assert draw(7, "tie", "router/17", "ada") == 0.3726110917355645
    assert uniforms(7, "values", "ada", size=2).tolist() == [0.08621807308478502, 0.9214540312632681]


def test_draws_are_uniform() -> None:
    many = uniforms(0, "u", size=4000)
    assert (many >= 0.0).all() and (many < 1.0).all()
    for draws in ([draw(0, "u", k) for k in range(4000)], many.tolist()):
        for k in range(10):
            assert 330 < sum(k / 10 <= x < (k + 1) / 10 for x in draws) < 470, "400 expected, 19 is one sigma"


# --------------------------------------------------------------------------------------------------------- errors


def test_a_scenario_error_names_field_value_and_expectation() -> None:
    error = ScenarioError("load", -1, "a number above 0")
    assert str(error) == "load is -1; expected a number above 0"
    assert (error.field, error.value, error.expected) == ("load", -1, "a number above 0")


def test_a_long_value_is_cut() -> None:
    assert len(str(ScenarioError("x", "y" * 1000, "less"))) < 150


def test_a_scenario_error_comes_back_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(ScenarioError("load", -1, "a number above 0")))
    assert str(error) == "load is -1; expected a number above 0"


@pytest.mark.parametrize("kind", [ScenarioError, LocalProtocolError, RemoteProtocolError])
def test_one_root_catches_all(kind: type[Exception]) -> None:
    assert issubclass(kind, WalrasError)
