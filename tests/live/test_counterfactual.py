"""A market that was recorded live runs again, in the simulator and live: as it was, and with one thing changed."""

import asyncio
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec import field

from auctions import CommitReveal, Dutch, English, FirstPrice, PostedPrice, SealedBid, second_price, truthful
from auctions.messages import Bid, Pass
from contractnet import ContractNet, truthful as contractor
from tests.live.minds import Scripted, how_much
from walras.adapters.function import InThread
from walras.agents import Agent
from walras.allocation import Outcome
from walras.baselines import Greedy, LeastLoaded, RandomAssignment
from walras.errors import ReplayError, ScenarioError
from walras.items import Lot, Task
from walras.live import Guard, Recording
from walras.live.recording import read_entries
from walras.mechanism import Mechanism
from walras.protocol import Protocol
from walras.questions import Question
from walras.results import Result
from walras.study.market import Market, first_changes
from walras.testing.virtual_time import run_virtually

SEALED = SealedBid(second_price, reply_within_s=10.0)
VALUES = {"ada": 7.0, "bob": 9.0, "cyd": 4.0}


def thinking(seconds: float, rule: Any = truthful) -> Any:
    """A mind that takes its time, as models do."""

    async def mind(question: Question, agent: Agent) -> Any:
        await asyncio.sleep(seconds)
        return rule(question, agent)

    return mind


def market(mechanism: Mechanism = SEALED, values: dict[str, float] = VALUES, seed: int = 1) -> Market:
    agents = tuple(
        Agent(name, thinking(1.0 + k), values={"l": value}) for k, (name, value) in enumerate(values.items())
    )
    return Market(mechanism=mechanism, items=(Lot("l"),), agents=agents, seed=seed)


def record(path: Path, one: Market) -> Result:
    async def main() -> Result:
        guard = Guard(recording=Recording(path))
        return await one.lived(guard=guard, wall=asyncio.get_running_loop().time)

    result: Result = run_virtually(main())
    return result


def relive(one: Market) -> Result:
    async def main() -> Result:
        return await one.lived(wall=asyncio.get_running_loop().time)

    result: Result = run_virtually(main())
    return result


@pytest.mark.parametrize(
    "mechanism", [SEALED, FirstPrice(reply_within_s=10.0), English(increment=1.0, idle_s=8.0)]
)
def test_a_market_that_was_recorded_live_replays_with_the_same_allocation(
    tmp_path: Path, mechanism: Any
) -> None:
    path = tmp_path / "answers.jsonl"
    lived = record(path, market(mechanism))
    again = market(mechanism).replayed(path)
    assert lived.allocation["l"].winner == "bob"
    assert again.simulated().allocation == lived.allocation
    assert relive(again).allocation == lived.allocation


def test_recorded_minds_take_the_time_that_they_took(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    lived = record(path, market())
    for result in (market().replayed(path).simulated(), relive(market().replayed(path))):
        answered = {row.agent: round(row.at, 6) for row in result.trace if row.kind == "answer"}
        assert answered == {"ada": 1.0, "bob": 2.0, "cyd": 3.0}
        assert result.ended_s == pytest.approx(lived.ended_s)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(0, 1000))
def test_ties_fall_as_they_fell(tmp_path: Path, prices: list[int], seed: int) -> None:
    path = tmp_path / "answers.jsonl"
    one = market(values={f"a{k}": float(price) for k, price in enumerate(prices)}, seed=seed)
    lived = record(path, one)
    assert one.replayed(path).simulated().allocation == lived.allocation


SALES: tuple[Mechanism, ...] = (
    SEALED,
    English(increment=1.0, idle_s=2.0, lasts_s=20.0),
    Dutch(start=12.0, tick=1.0, interval_s=3.0),
    CommitReveal(),
    PostedPrice(price=4.0),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from((*SALES, ContractNet(reply_within_s=4.0, enough=2))),
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from((0.0, 0.5, 1.5, 3.0, 1e6))), min_size=2, max_size=5
    ),
    st.integers(1, 2),
    st.integers(0, 99),
)
def test_whatever_minds_take_their_time_or_say_nothing_the_replay_comes_to_the_same(
    tmp_path: Path, mechanism: Mechanism, people: list[tuple[int, float]], lots: int, seed: int
) -> None:
    path = tmp_path / "answers.jsonl"
    works = isinstance(mechanism, ContractNet)
    agents = []
    for k, (worth, seconds) in enumerate(people):
        worths = {f"i{j}": float(worth + j) for j in range(lots)}
        own: dict[str, Any] = {"costs": worths} if works else {"values": worths}
        apart = (
            seconds + 0.0137 * k if seconds else 0.0
        )  # what happens at one instant may happen in any order
        agents.append(Agent(f"a{k}", thinking(apart, contractor if works else truthful), **own))
    items = tuple((Task if works else Lot)(f"i{j}") for j in range(lots))
    one = Market(mechanism=mechanism, items=items, agents=tuple(agents), seed=seed, within_s=200.0)
    lived = dict(record(path, one).allocation)  # lots of one instant may be sold in any order
    assert dict(one.replayed(path).simulated().allocation) == lived
    assert dict(relive(one.replayed(path)).allocation) == lived


def test_a_contract_net_with_its_work_replays_too(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    agents = tuple(Agent(name, costs={"job": cost}) for name, cost in {"ada": 3.0, "bob": 2.0}.items())
    net = Market(
        mechanism=ContractNet(reply_within_s=2.0),
        items=tuple(Task(f"t{k}", kind="job") for k in range(3)),
        agents=agents,
    )
    lived = record(path, net)
    assert len(lived.allocation) == 3
    assert net.replayed(path).simulated().allocation == lived.allocation


def test_a_mind_whose_silence_ended_the_round_is_silent_again(tmp_path: Path) -> None:
    """The market closes at once; that nobody answered is part of what happened."""
    path = tmp_path / "answers.jsonl"
    one = market()
    one = msgspec.structs.replace(one, agents=(*one.agents, Agent("dan", thinking(1e6), values={"l": 99.0})))
    lived = record(path, one)
    assert [entry.status for entry in read_entries(path) if entry.agent == "dan"] == ["timeout"]
    for again in (one.replayed(path).simulated(), relive(one.replayed(path))):
        assert again.allocation == lived.allocation
        assert again.ended_s == pytest.approx(lived.ended_s)


def test_a_mind_that_nobody_waited_for_is_not_waited_for_again(tmp_path: Path) -> None:
    """It still ponders when the market closes; what it would have said could change nothing any more."""
    path = tmp_path / "answers.jsonl"
    agents = tuple(
        Agent(name, thinking(s, contractor), costs={"job": c})
        for name, s, c in (("ada", 1.0, 3.0), ("bob", 2.0, 2.0), ("cyd", 50.0, 1.0))
    )
    rules = ContractNet(reply_within_s=90.0, enough=2)
    net = Market(mechanism=rules, items=(Task("t", kind="job"),), agents=agents, within_s=100.0)
    lived = record(path, net)
    assert lived.allocation["t"].winner == "bob" and lived.ended_s < 10.0
    assert [entry.status for entry in read_entries(path) if entry.agent == "cyd"] == ["timeout"]
    for again in (net.replayed(path).simulated(), relive(net.replayed(path))):
        assert again.allocation == lived.allocation


class Fickle(Protocol):
    """Asks, and thinks better of it."""

    heard: list[Any] = field(default_factory=list)

    def on_start(self) -> None:
        self.decide("q", how_much(decide_by=self.now + 9.0))
        self.set_timer("enough", self.now + 2.0)

    def on_decision(self, name: Any, answer: Any) -> None:
        self.heard.append(answer)

    def on_timer(self, name: Any) -> None:
        self.withdraw("q")
        self.finish(Outcome("done", why=str(len(self.heard))))


class Fickleness(Mechanism, frozen=True):
    protocol = "x-fickle"

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        return Fickle()


def test_a_question_that_was_called_off_is_called_off_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    house = Agent("house", thinking(5.0))
    one = Market(mechanism=Fickleness(), items=(Task("t"),), agents=(house,))
    lived = record(path, one)
    (entry,) = read_entries(path)
    assert (entry.status, entry.latency_s) == ("timeout", 9.0)
    for again in (one.replayed(path).simulated(), relive(one.replayed(path))):
        assert again.outcomes == lived.outcomes == {"house/1": Outcome("done", why="0")}


# --------------------------------------------------------------------------------------------------- what if


def test_swapping_one_agent_changes_only_what_follows_from_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    fact = market().replayed(path).simulated()
    other = market().replayed(path, {"bob": passing}).simulated()
    assert (fact.allocation["l"].winner, fact.allocation["l"].price) == ("bob", 7.0)
    assert (other.allocation["l"].winner, other.allocation["l"].price) == ("ada", 4.0)
    answers = [
        {row.agent: (row.at, row.details["answer"]) for row in result.trace if row.kind == "answer"}
        for result in (fact, other)
    ]
    assert answers[0].pop("bob") != answers[1].pop("bob")
    assert answers[0] == answers[1], "the others say what they said, when they said it"
    changed = first_changes(fact.trace, other.trace)
    assert changed.pop("bob") == 0.0, "here it says something else"
    assert changed == {"house": 0.0, "ada": 3.0, "cyd": 3.0}, "the house hears of it, the others at the end"


def passing(question: Question, agent: Agent) -> Any:
    return Pass("l")


def test_a_swap_that_changes_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    fact = market().replayed(path).simulated()
    same = [entry for entry in read_entries(path) if entry.agent == "cyd"]
    again = market().replayed(path, {"cyd": market().replayed(same).agents[2]}).simulated()
    assert first_changes(fact.trace, again.trace) == {}
    assert fact.digest == again.digest


def test_an_agent_can_be_swapped_for_another_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    rich = Agent("cyd", truthful, values={"l": 50.0})
    result = market().replayed(path, {"cyd": rich}).simulated()
    assert (result.allocation["l"].winner, result.allocation["l"].price) == ("cyd", 9.0)


def test_the_mechanism_can_be_swapped(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    other = market().replayed(path, mechanism=FirstPrice(reply_within_s=10.0), otherwise=truthful).simulated()
    assert (other.allocation["l"].winner, other.allocation["l"].price) == ("bob", 9.0)


@pytest.mark.parametrize("baseline", [Greedy(), LeastLoaded(), RandomAssignment()])
def test_a_central_baseline_sees_the_market_that_it_is_compared_in(baseline: Mechanism) -> None:
    """The house is there of itself, and a dispatcher sees what an operator sees: public estimates and loads."""
    agents = tuple(Agent(name, costs={"job": cost}) for name, cost in (("ada", 3.0), ("bob", 2.0)))
    one = Market(mechanism=baseline, items=(Task("job"),), agents=agents, seed=3)
    simulated, lived = one.simulated(), run_virtually(one.lived())
    assert [line.winner for line in simulated.allocation.lines] != []
    assert lived.allocation == simulated.allocation


def test_a_question_that_nobody_was_asked_stops_the_run_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    one = market().replayed(path, mechanism=English(increment=1.0))
    with pytest.raises(ReplayError):
        one.simulated()
    elsewhere = msgspec.structs.replace(market().replayed(path), items=(Lot("m"),))
    with pytest.raises(ReplayError, match="'l' recorded, 'm' asked"):
        elsewhere.simulated()
    with pytest.raises(ReplayError, match="'l' recorded, 'm' asked"):
        relive(elsewhere)


def test_a_mind_that_only_answers_live_is_no_mind_for_the_simulator() -> None:
    for mind in (thinking(1.0), InThread(truthful), Scripted(Pass("l"))):
        one = msgspec.structs.replace(market(), agents=(Agent("ada", mind),))
        with pytest.raises(
            ScenarioError, match=r"strategy of ada is .*; expected a plain function, or its recorded"
        ):
            one.simulated()


def test_a_swap_for_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    record(path, market())
    with pytest.raises(ScenarioError, match="swap is 'eve'"):
        market().replayed(path, {"eve": truthful})
    with pytest.raises(ScenarioError, match="called ada"):
        market().replayed(path, {"ada": Agent("eve")})
    with pytest.raises(ScenarioError, match="recording"):
        market().replayed(tmp_path / "none.jsonl")


def test_traces_that_differ_in_length_differ_where_one_ends() -> None:
    long = Market(
        mechanism=SEALED, items=(Lot("l"),), agents=(Agent("ada", lambda q, a: Bid("l", 1.0)),)
    ).simulated()
    assert first_changes(long.trace, long.trace) == {}
    assert inf not in first_changes(long.trace, type(long.trace)()).values()
