"""Agents in time: their minds ponder, their workers have a capacity, and no strategy can stop a run."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from simpy.core import StopSimulation

from contractnet import ContractNet, ProposalWanted, Propose, Refuse
from tests.simulation.worlds import RULES, Ball, Errands, Knows, bare
from walras import Agent, Protocol, Result, ScenarioError, Simulation, Task
from walras.baselines import Cheapest
from walras.errors import ReplayError
from walras.live import Participant
from walras.protocol import on
from walras.simulation import Constant, Faults, Network, Pause

LATENCY_S = 0.1
STEADY = Network(latency=Constant(LATENCY_S))


def at(result: Result, kind: str, agent: str) -> list[float]:
    """When rows of this kind befell an agent, rounded to a millisecond."""
    return [round(row.at, 3) for row in result.trace if row.kind == kind and row.agent == agent]


# ------------------------------------------------------------------------------------------------------------- work


def test_an_agent_works_on_as_many_tasks_as_it_has_slots_first_come_first_served() -> None:
    """Two slots, five tasks of 10 s at once: two begin, the others wait for a slot in the order of their coming."""
    simulation = bare(network=STEADY, agents={"a": {"costs": Knows(1.0, 10.0), "capacity": 2}})
    for k in range(5):
        simulation.open(RULES, [Task(f"t{k}")], "m", at=k * 0.01, finish_by=100.0)
    result = simulation.run()
    begun = [(round(row.at, 2), row.details["key"]) for row in result.trace if row.kind == "began"]
    assert begun == [(0.3, "t0"), (0.31, "t1"), (10.3, "t2"), (10.31, "t3"), (20.3, "t4")]
    assert [record.status for record in result.records] == ["done"] * 5
    assert result.agent("a").busy_s == pytest.approx(50.0)


def test_who_is_busy_knows_it_and_has_no_free_slot() -> None:
    """A strategy sees the slots that are free at the moment; the account counts running and queued work."""
    seen: list[int] = []

    def strategy(question: Any, agent: Agent) -> Propose:
        seen.append(agent.free_slots)
        return Propose(1.0)

    simulation = bare(
        network=STEADY, agents={"a": {"strategy": strategy, "costs": Knows(1.0, 10.0), "capacity": 2}}
    )
    for k in range(4):
        simulation.open(RULES, [Task(f"t{k}")], "m", at=float(k), finish_by=100.0)
    simulation.open(RULES, [Task("late")], "m", at=50.0, finish_by=100.0)
    simulation.run()
    assert seen == [2, 1, 0, -1, 2]


# ------------------------------------------------------------------------------------------------------------ minds


def propose(question: Any, agent: Agent) -> Propose:
    return Propose(1.0)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("attention", "answered"),
    [(None, [0.6, 0.6, 0.6, 0.6]), (1, [0.6, 1.1, 1.6, 2.1]), (2, [0.6, 0.6, 1.1, 1.1])],
)
def test_a_mind_ponders_each_question_and_few_at_once(
    attention: int | None, answered: list[float], check: bool
) -> None:
    """Half a second each; with attention for one, four questions of one instant are answered one after the other."""
    fields = {"strategy": propose, "deliberation_s": 0.5, "attention": attention, "capacity": 4}
    simulation = bare(network=STEADY, check=check, agents={"a": fields})
    for k in range(4):
        simulation.open(ContractNet(reply_within_s=5.0), [Task(f"t{k}")], "m", finish_by=100.0)
    result = simulation.run()
    assert at(result, "answer", "a") == answered
    assert [record.status for record in result.records] == ["done"] * 4


def test_a_mind_that_is_too_slow_is_answered_for_and_its_late_thought_is_accounted_for() -> None:
    """At `decide_by`, before the deadline that it serves, its question is answered by `otherwise`; the run goes on."""
    slow = {"strategy": propose, "deliberation_s": 3.0}
    rules = ContractNet(reply_within_s=2.0, margin_s=0.5, announcements=1)
    simulation = bare(network=STEADY, agents={"a": slow, "b": {"costs": Knows(9.0)}})
    simulation.open(rules, [Task("t")], "m", finish_by=60.0)
    simulation.open(rules, [Task("later")], "m", ["b"], at=5.0, finish_by=60.0)
    result = simulation.run()
    (answer,) = (row for row in result.trace if row.kind == "answer" and row.agent == "a")
    assert (answer.at, answer.details["status"]) == (1.5, "silent")
    assert answer.details["answer"]["reason"] == "no-answer"
    assert result.allocation["t"].winner == "b"
    assert any(row.kind == "note" and "late thought" in row.details["text"] for row in result.trace)


def test_deliberation_is_drawn_from_a_stream_of_the_agents_own() -> None:
    """The same seed ponders as long again, another seed otherwise, and a draw below 0 is no time at all."""

    def pondered(seed: int, drawn: Callable[[Random], float]) -> list[float]:
        simulation = bare(
            seed=seed, network=STEADY, agents={"a": {"strategy": propose, "deliberation_s": drawn}}
        )
        for k in range(5):
            simulation.open(RULES, [Task(f"t{k}")], "m", at=10.0 * k, finish_by=10.0 * k + 9.0)
        return [when % 10.0 for when in at(simulation.run(), "answer", "a")]

    once = pondered(1, lambda rng: rng.uniform(0.1, 1.0))
    assert once == pondered(1, lambda rng: rng.uniform(0.1, 1.0))
    assert once != pondered(2, lambda rng: rng.uniform(0.1, 1.0))
    assert all(0.2 <= when <= 1.1 for when in once)
    assert pondered(1, lambda rng: -5.0) == pytest.approx([LATENCY_S] * 5)


@pytest.mark.parametrize("drawn", [math.nan, math.inf, "a while"])
def test_a_deliberation_that_is_no_time_is_the_settings_fault(drawn: Any) -> None:
    simulation = bare(agents={"a": {"strategy": propose, "deliberation_s": lambda rng: drawn}})
    simulation.open(RULES, [Task("t")], "m", finish_by=9.0)
    with pytest.raises(
        ScenarioError, match=r"deliberation_s of a is .*; expected a finite number of seconds"
    ):
        simulation.run()
    with pytest.raises(ScenarioError, match=r"deliberation_s of a is .*; expected seconds, finite and 0 or"):
        Agent("a", deliberation_s=drawn)


class Thoughtful:
    """Ponders a question for as many seconds as its task is large."""

    def deliberation_s(self, question: Any, agent: Agent) -> float:
        assert agent.free_slots == 4, "it is asked with its agent's view of itself"
        return float(question.task.size)

    def __call__(self, question: Any, agent: Agent) -> Propose:
        return Propose(1.0)


@pytest.mark.parametrize("check", [False, True])
def test_a_strategy_may_say_itself_how_long_it_ponders_each_question(check: bool) -> None:
    """Its own word counts before its agent's, and attention bounds it as usual."""
    fields = {"strategy": Thoughtful(), "deliberation_s": 9.0, "attention": 1, "capacity": 4}
    simulation = bare(network=STEADY, check=check, agents={"a": fields})
    for k, size in enumerate((0.5, 1.0, 0.25)):
        simulation.open(ContractNet(reply_within_s=5.0), [Task(f"t{k}", size=size)], "m", finish_by=100.0)
    assert at(simulation.run(), "answer", "a") == [0.6, 1.6, 1.85]


class Counting:
    """Asks for one more each time."""

    def __init__(self) -> None:
        self.asked = 0

    def fresh(self) -> "Counting":
        return Counting()

    def __call__(self, question: Any, agent: Agent) -> Propose:
        self.asked += 1
        return Propose(float(self.asked))


def test_a_strategy_that_keeps_something_is_fresh_in_every_run() -> None:
    counting = Counting()

    def prices() -> list[float]:
        simulation = bare(network=STEADY, agents={"a": {"strategy": counting}})
        for k in range(3):
            simulation.open(RULES, [Task(f"t{k}")], "m", at=10.0 * k, finish_by=10.0 * k + 9.0)
        return [line.price for line in simulation.run().allocation.lines]

    assert prices() == prices() == [1.0, 2.0, 3.0]
    assert counting.asked == 0


class Muddled(Thoughtful):
    """Does not know how long it will ponder."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def deliberation_s(self, question: Any, agent: Agent) -> float:
        raise self.error


def test_a_strategy_that_fails_to_say_how_long_it_ponders_does_so_at_once() -> None:
    simulation = bare(network=STEADY, agents={"a": {"strategy": Muddled(KeyError("size"))}})
    simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    result = simulation.run()
    assert result.allocation["t"].winner == "a"
    assert [row.details["text"] for row in result.trace if row.kind == "note"] == [
        "KeyError in deliberation_s: 'size'"
    ]


def missing(question: Any, agent: Agent) -> Any:
    raise ReplayError("not recorded")


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("strategy", [missing, Muddled(ReplayError("not recorded"))])
def test_a_replay_without_an_answer_stops_the_run(strategy: Any, check: bool) -> None:
    """Any other exception of a strategy is its agent's own; here nobody knows what it would have said."""
    simulation = bare(check=check, agents={"a": {"strategy": strategy}})
    simulation.open(RULES, [Task("t")], "m", finish_by=60.0)
    with pytest.raises(ReplayError, match="not recorded"):
        simulation.run()


# ------------------------------------------------------------------------------------------- strategies gone wrong


class Unspeakable:
    """Raises whenever somebody looks at it."""

    def __repr__(self) -> str:
        raise RuntimeError("do not look")


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("do not look")


def raises(error: BaseException) -> Callable[[Any, Agent], Any]:
    def strategy(question: Any, agent: Agent) -> Any:
        raise error

    return strategy


async def coroutine(question: Any, agent: Agent) -> Propose:
    return Propose(0.5)


def unawaited(question: Any, agent: Agent) -> Any:
    return coroutine(question, agent)


class AsynchronousMind:
    async def __call__(self, question: Any, agent: Agent) -> Propose:
        return Propose(0.5)


class LiveMind(Participant):
    async def answer(self, ask: Any) -> Propose:
        return Propose(0.5)


NONSENSE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a number": lambda: 3,
    "a text": lambda: "I propose 5",
    "a class": lambda: Propose,
    "a price that is none": lambda: Propose(math.nan),
    "a negative price": lambda: Propose(-1.0),
    "a price in words": lambda: Propose("five"),  # type: ignore[arg-type]
    "a price beyond all floats": lambda: Propose(10**400),
    "a price that is no plain number": lambda: Propose(Decimal("0.5")),  # type: ignore[arg-type]
    "a price that cannot be paid exactly": lambda: Propose(Fraction(1, 3)),  # type: ignore[arg-type]
    "a price in an array": lambda: Propose(np.array([0.5])),  # type: ignore[arg-type]
    "prices": lambda: Propose(np.array([0.5, 1.0])),  # type: ignore[arg-type]
    "endless work": lambda: Propose(0.5, eta_s=math.inf),
    "more than perfect": lambda: Propose(0.5, quality=1.5),
    "quality in words": lambda: Propose(0.5, quality="good"),  # type: ignore[arg-type]
    "expired before time began": lambda: Propose(0.5, valid_until=-1.0),
    "valid until somebody comes": lambda: Propose(0.5, valid_until=None),  # type: ignore[arg-type]
    "a reason that cannot be shown": lambda: Refuse(why=Unspeakable()),  # type: ignore[arg-type]
    "what cannot be shown": Unspeakable,
}


def against_bob(strategy: Any, check: bool, **fields: Any) -> Result:
    """A world in which ann has this strategy and would win with any proposal, and bob proposes 5."""
    simulation = bare(
        check=check, agents={"ann": {"strategy": strategy, **fields}, "bob": {"costs": Knows(5.0)}}
    )
    for rules in (ContractNet(announcements=1), ContractNet(announcements=1, reserve="eager")):
        simulation.open(rules, [Task("t")], "m", finish_by=60.0)
    return simulation.run()


def recorded(result: Result) -> tuple[list[str], list[str]]:
    """How ann's answers are marked in the trace, and what is noted about her."""
    rows = [row for row in result.trace if row.agent == "ann"]
    marks = [row.details["status"] for row in rows if row.kind == "answer"]
    return marks, [row.details["text"] for row in rows if row.kind == "note"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("name", NONSENSE)
def test_a_strategy_that_answers_nonsense_is_recorded_and_the_run_goes_on(name: str, check: bool) -> None:
    """Its question is answered by `otherwise`, the trace says why, and the task goes to somebody else."""
    result = against_bob(lambda question, agent: NONSENSE[name](), check)
    assert [outcome.awards[0].winner for outcome in result.outcomes.values()] == ["bob", "bob"]
    marks, notes = recorded(result)
    assert marks in (["illegal"] * 2, ["error"] * 2)
    assert len(notes) == 2
    assert all(("is not legal here" in note) == (marks[0] == "illegal") for note in notes)
    assert result.trace.conversation("m/1", everything=True)
    assert len(result.digest) == 64


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("error", "noted"),
    [
        (ValueError("no idea"), "ValueError in the strategy: no idea"),
        (KeyError(object()), "KeyError in the strategy: <object object>"),
        (ScenarioError("mood", "bad", "good"), "ScenarioError in the strategy: mood is 'bad'; expected good"),
        (StopSimulation("enough"), "StopSimulation in the strategy: enough"),
        (RecursionError(), "RecursionError in the strategy: "),
        (UnspeakableError(), "UnspeakableError in the strategy: <UnspeakableError that cannot be shown>"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_a_strategy_that_raises_is_recorded_and_the_run_goes_on(
    error: Exception, noted: str, check: bool
) -> None:
    """Whatever it raises; the note has no address in it, so the digest is the same in every process."""
    result = against_bob(raises(error), check)
    assert [outcome.awards[0].winner for outcome in result.outcomes.values()] == ["bob", "bob"]
    assert recorded(result) == (["error"] * 2, [noted] * 2)


@pytest.mark.parametrize(
    "mind", [coroutine, AsynchronousMind(), LiveMind()], ids=["function", "callable", "participant"]
)
def test_a_mind_that_has_to_be_awaited_is_refused_before_time_0(mind: Any) -> None:
    """It would decline everything, and the result would look like that of a market."""
    with pytest.raises(
        ScenarioError, match=r"strategy of ann is .*; expected a plain function: live minds answer in"
    ):
        bare(agents={"ann": {"strategy": mind}})


@pytest.mark.parametrize("check", [False, True])
def test_a_coroutine_is_recorded_as_what_only_live_minds_are(check: bool) -> None:
    """It is closed, so Python does not warn that it was never awaited."""
    result = against_bob(unawaited, check)
    assert result.allocation["t"].winner == "bob"
    note = "the strategy is a coroutine, which only live minds are"
    assert recorded(result) == (["illegal"] * 2, [note] * 2)


@pytest.mark.parametrize("check", [False, True])
def test_an_answer_that_the_account_cannot_hold_is_unfunded(check: bool) -> None:
    """An eager proposal holds a slot: with one slot there is one, and the account says so, not the strategy."""
    simulation = bare(network=STEADY, check=check, agents={"ann": {"strategy": propose}})
    for k in range(2):
        simulation.open(ContractNet(announcements=1, reserve="eager"), [Task(f"t{k}")], "m", finish_by=60.0)
    result = simulation.run()
    assert recorded(result) == (["ok", "unfunded"], [])
    assert [outcome.status for outcome in result.outcomes.values()] == ["unassigned", "done"]
    assert [row.details["answer"]["type"] for row in result.trace if row.kind == "answer"] == [
        "Propose",
        "Refuse",
    ]


def test_a_world_that_is_set_up_wrongly_is_not_hidden_as_a_strategys_fault() -> None:
    """The mechanism's own default strategy misses an operator: that is the scenario's fault, and said at once."""
    simulation = bare()
    simulation.open(Cheapest(), [Task("t")], "m", finish_by=60.0)
    with pytest.raises(ScenarioError, match="operator of m is False; expected True, for Cheapest to see all"):
        simulation.run()


def test_a_strategy_has_to_be_callable() -> None:
    with pytest.raises(
        ScenarioError, match="strategy of a is 5; expected a function of a question and an agent"
    ):
        Agent("a", 5)  # type: ignore[arg-type]


def test_every_strategy_may_fail_and_the_run_still_ends() -> None:
    """Nobody proposes anything sensible: every task ends, unassigned, and nothing is paid."""
    agent = {"strategy": raises(ValueError("no"))}
    result = Simulation(Errands(agent=agent), RULES).run()
    assert {outcome.status for outcome in result.outcomes.values()} == {"unassigned"}
    assert result.stopped_because == "every conversation has ended"
    assert all(name == "desk" or money == 0 for name, money in result.balances.items())


# -------------------------------------------------------------------------------------------- questions called off


class Fickle(Protocol):
    """Asks, and calls off or asks again before anybody can answer."""

    asks: tuple[str, ...]
    withdraws: tuple[str, ...]
    heard: list[tuple[str, Any]]

    def on_start(self) -> None:
        for name in self.asks:
            self.decide(name, ProposalWanted(task=Task("t"), manager="m", valid_until=9.0, decide_by=5.0))
        for name in self.withdraws:
            self.withdraw(name)

    def on_decision(self, name: str, answer: Any) -> None:
        self.heard.append((name, type(answer)))


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("deliberation_s", [0.0, 1.0])
@pytest.mark.parametrize(
    ("asks", "withdraws", "heard"),
    [
        ("a", "a", ""),
        ("aa", "", "a"),
        ("ab", "a", "b"),
        ("ab", "ab", ""),
        ("aba", "b", "a"),
        ("ab", "", "ab"),
    ],
)
def test_only_questions_that_are_still_open_are_answered(
    asks: str, withdraws: str, heard: str, deliberation_s: float, check: bool
) -> None:
    """Each once, though it was called off or asked again in the handler that asked it."""
    simulation = bare(
        agents={"a": {"strategy": lambda question, agent: Propose(1.0), "deliberation_s": deliberation_s}},
        check=check,
    )
    role = Fickle(tuple(asks), tuple(withdraws), [])
    simulation.seat("a", role)
    simulation.run(20.0)
    assert role.heard == [(name, Propose) for name in heard]


class Thrower(Protocol):
    """Throws two balls at once."""

    def on_start(self) -> None:
        for number in (1, 2):
            self.send("a", Ball(number))


class Careful(Protocol):
    """Asks about each ball that it hears of."""

    heard: list[str]

    @on(Ball)
    def catch(self, sender: str, ball: Ball) -> None:
        self.heard.append(f"ball {ball.number}")
        self.decide(ball.number, ProposalWanted(task=Task("t"), manager="m", valid_until=9.0, decide_by=5.0))

    def on_decision(self, name: int, answer: Any) -> None:
        self.heard.append(f"answer {name}")


def test_what_a_pause_has_held_is_heard_one_by_one_each_with_the_answers_that_it_asks_for() -> None:
    strategy = {"strategy": lambda question, agent: Propose(1.0)}
    simulation = bare(agents={"a": strategy, "b": {}}, network=STEADY, faults=Faults((Pause("a", 0.0, 1.0),)))
    role = Careful([])
    simulation.seat("a", role)
    simulation.seat("b", Thrower())
    simulation.run(20.0)
    assert role.heard == ["ball 1", "answer 1", "ball 2", "answer 2"]
