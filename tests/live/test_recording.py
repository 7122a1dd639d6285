"""Recordings: keyed by what was asked, replayed live and in a simulation, loud about what is missing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contractnet import ContractNet, ProposalWanted, Propose, Refuse
from tests.live.minds import HowMuch, No, Offer, Scripted, ask, how_much, run, took
from walras.agents import Agent
from walras.errors import ReplayError, ScenarioError
from walras.items import Task
from walras.live.answers import Answered, Usage
from walras.live.guard import Guard
from walras.live.meanings import anchored, key_of, meaning, restored
from walras.live.recording import Recording, Replayed, read_entries
from walras.protocol import Protocol
from walras.questions import Question
from walras.simulation import Constant, Network, Simulation

FILE = "market.jsonl"


def record(path: Path, *asked: tuple[Any, Question], **settings: Any) -> list[Answered]:
    guard = Guard(recording=Recording(path / FILE))
    found = [ask(guard, mind, question, **settings) for mind, question in asked]
    guard.close()
    return found


def replaying(path: Path, mode: Any = "replay", **settings: Any) -> Guard:
    return Guard(recording=Recording(path / FILE, mode, **settings))


def unasked(question: Question, agent: Agent) -> Any:
    raise AssertionError("a replay asks nobody")


# ------------------------------------------------------------------------------------------------------------ keys


def test_a_question_means_the_same_whenever_it_is_asked_and_to_one_agent_only() -> None:
    assert key_of("ada", how_much()) == key_of("ada", how_much(decide_by=99.0, until=500.0))
    others = [
        ("bob", how_much()),
        ("ada", how_much("t2")),
        ("ada", how_much(size=2.0)),
        ("ada", how_much(reserve=5)),
    ]
    keys = {key_of("ada", how_much()), *(key_of(agent, question) for agent, question in others)}
    assert len(keys) == 5


class HowMuchAgain(HowMuch, frozen=True, kw_only=True):
    """The same fields, another question."""


def test_the_kind_of_a_question_and_the_form_of_its_answers_are_part_of_what_it_means() -> None:
    assert key_of("ada", how_much()) != key_of("ada", HowMuchAgain(task=Task("t1"), decide_by=10.0))


def test_another_form_of_the_answers_makes_it_another_question() -> None:
    """A recording of last year's answers does not fit this year's question, though it is called the same."""

    def asked(answers: tuple[type, ...]) -> Any:
        return type("Asked", (Question,), {"answers": answers}, frozen=True, kw_only=True)(decide_by=1.0)

    assert key_of("ada", asked((Offer, No))) == key_of("ada", asked((Offer, No)))
    assert key_of("ada", asked((Offer, No))) != key_of("ada", asked((Offer,)))


def test_times_are_left_out_by_their_names_and_nothing_else_is() -> None:
    question = ProposalWanted(task=Task("t", size=3.0), manager="m", valid_until=9.0, decide_by=2.0)
    assert meaning(question) == {
        "type": "ProposalWanted", "task": {"type": "Task", "id": "t", "size": 3.0}, "manager": "m"
    }  # fmt: skip


@pytest.mark.parametrize("until", [100.0, 10.0, 0.1 + 0.2, float("inf"), 1e300])
def test_times_of_an_answer_move_with_the_question_exactly_where_they_are_its_own(until: float) -> None:
    asked, later = how_much(decide_by=10.0, until=100.0), how_much(decide_by=10.1, until=100.3)
    value = json.loads(json.dumps(anchored(Offer(1.0, until=until), asked)))
    assert restored(value, asked)["until"] == pytest.approx(until)
    expected = {100.0: 100.3, 10.0: 10.1}.get(until)
    if expected is not None:
        assert restored(value, later)["until"] == expected


# ------------------------------------------------------------------------------------------------------ live replay


def test_a_replay_gives_status_value_usage_and_latency_again_and_asks_nobody(tmp_path: Path) -> None:
    minds: list[Any] = [
        Scripted(Offer(3.0), usage=Usage(1, 70, 7, 0.25), takes_s=2.0), Scripted(No("busy")), Scripted(None), Scripted("prose"),
        Scripted(KeyError("sk-secret")), Scripted(Offer(1.0), takes_s=99.0), lambda q, a: Offer(4.0),
    ]  # fmt: skip
    recorded = record(tmp_path, *((mind, how_much(f"t{k}")) for k, mind in enumerate(minds)))
    guard = replaying(tmp_path)
    again = [ask(guard, unasked, how_much(f"t{k}")) for k in range(len(minds))]
    assert [a.status for a in again] == ["ok", "ok", "declined", "invalid", "error", "timeout", "ok"]
    for one, other in zip(recorded, again, strict=True):
        assert (one.status, one.value, one.usage, took(one)) == (
            other.status,
            other.value,
            other.usage,
            took(other),
        )
    assert guard.budgets.run.calls == 0


def test_nothing_of_how_an_answer_was_obtained_is_written(tmp_path: Path) -> None:
    record(tmp_path, (Scripted(KeyError("Bearer sk-secret"), provider="https://x"), how_much()))
    text = (tmp_path / FILE).read_text()
    assert "sk-secret" not in text
    assert "https" not in text


def test_a_replay_takes_the_recorded_time_or_a_share_of_it(tmp_path: Path) -> None:
    record(tmp_path, (Scripted(Offer(3.0), takes_s=4.0), how_much()))

    async def market(pace: float, seconds: float) -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        found = await replaying(tmp_path, pace=pace).answer(
            Agent("ada", unasked), how_much(), conversation="m/1", seconds=seconds
        )
        return found.status, loop.time()

    assert run(market(1.0, 10.0)) == ("ok", 4.0)
    assert run(market(0.5, 10.0)) == ("ok", 2.0)
    assert run(market(0.0, 10.0)) == ("ok", 0.0)
    assert run(market(1.0, 3.0)) == ("timeout", 3.0), "it would have come too late here"


def test_equal_questions_have_a_sequence_and_conversations_come_first(tmp_path: Path) -> None:
    guard = Guard(recording=Recording(tmp_path / FILE))
    mind = Scripted(*(Offer(float(k)) for k in range(4)))
    for conversation in ("m/1", "m/2", "m/1", "m/2"):
        ask(guard, mind, conversation=conversation)
    guard.close()
    assert [entry.number for entry in read_entries(tmp_path / FILE)] == [0, 1, 2, 3]
    guard = replaying(tmp_path)
    order = ("m/2", "m/7", "m/2", "m/1")
    prices = [ask(guard, unasked, conversation=conversation).value.price for conversation in order]
    assert prices == [1.0, 0.0, 3.0, 2.0], "m/7 is new, and takes the first that is left"
    with pytest.raises(
        ReplayError, match=r"ada was asked HowMuch once more than it was recorded \(4 times\)"
    ):
        ask(guard, unasked)


# ----------------------------------------------------------------------------------------------------------- misses


def test_a_miss_is_loud_and_shows_the_nearest_recorded_question(tmp_path: Path) -> None:
    """In the prototype it came out as status `error`, and the market went on as if nothing were."""
    asked = [how_much("t1", reserve=10.0), how_much("t1", size=5.0, kind="x"), how_much("t1", size=7.0)]
    record(tmp_path, *((Scripted(Offer(1.0)), question) for question in asked))
    with pytest.raises(ReplayError) as missed:
        ask(replaying(tmp_path), unasked, how_much("t1", reserve=12.0))
    assert str(missed.value) == (
        "ada was asked HowMuch, which is not recorded; the nearest is in m/1, and differs in "
        "task.reserve: 10.0 recorded, 12.0 asked"
    )


def test_a_miss_names_another_agent_or_that_nothing_is_like_it(tmp_path: Path) -> None:
    record(tmp_path, (Scripted(Offer(1.0)), how_much()))
    with pytest.raises(ReplayError, match="agent: 'ada' recorded, 'bob' asked"):
        ask(replaying(tmp_path), unasked, agent="bob")
    with pytest.raises(ReplayError, match="no question of that kind"):
        ask(replaying(tmp_path), unasked, HowMuchAgain(task=Task("t1"), decide_by=1.0))


def test_auto_replays_what_there_is_and_appends_the_rest(tmp_path: Path) -> None:
    record(tmp_path, (Scripted(Offer(1.0)), how_much("t1")))
    guard, mind = replaying(tmp_path, "auto"), Scripted(Offer(2.0))
    assert [ask(guard, mind, how_much(task)).value.price for task in ("t1", "t2", "t1")] == [1.0, 2.0, 2.0]
    guard.close()
    assert [(e.question["task"]["id"], e.number) for e in read_entries(tmp_path / FILE)] == [
        ("t1", 0), ("t2", 0), ("t1", 1)
    ]  # fmt: skip
    fresh = Guard(recording=Recording(tmp_path / "new.jsonl", "auto"))
    assert ask(fresh, mind).value == Offer(2.0)
    fresh.close()


# ------------------------------------------------------------------------------------------------------------ files


def test_an_answer_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    """A recording with a gap would replay another market."""
    guard = Guard(recording=Recording(tmp_path / "no such folder" / FILE))
    with pytest.raises(ReplayError, match=r"market.jsonl cannot be written: No such file or directory"):
        ask(guard, Scripted(Offer(1.0)))


def test_a_line_that_was_broken_off_is_left_out_and_overwritten(tmp_path: Path) -> None:
    record(tmp_path, (Scripted(Offer(1.0)), how_much("t1")), (Scripted(Offer(2.0)), how_much("t2")))
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-20])
    assert len(read_entries(file)) == 1
    guard = replaying(tmp_path, "auto")
    assert ask(guard, Scripted(Offer(9.0)), how_much("t2")).value == Offer(9.0)
    guard.close()
    assert [entry.value["price"] for entry in read_entries(file)] == [1.0, 9.0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a file that exists"),
        (b"", "names the format walras-recording/1"),
        (b'{"price": 3}\n', "names the format"),
        (b"\x00\x01\n", "names the format"),
        (b'{"format":"walras-recording/1"}\n{"key": 3}\n', "line 2 of"),
    ],
)
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ScenarioError, match=said):
        Recording(tmp_path / FILE, "replay")


def test_append_asks_again_and_keeps_what_there_is(tmp_path: Path) -> None:
    """As a market needs that goes on from its journal: equal questions are new ones, and none is lost."""
    record(tmp_path, (Scripted(Offer(3.0)), how_much()), (Scripted(Offer(4.0)), how_much()))
    guard = replaying(tmp_path, "append")
    assert ask(guard, Scripted(Offer(5.0)), how_much()).value == Offer(5.0)
    guard.close()
    kept = read_entries(tmp_path / FILE)
    assert [(entry.number, entry.value["price"]) for entry in kept] == [(0, 3.0), (1, 4.0), (2, 5.0)]
    again = replaying(tmp_path)
    assert [ask(again, unasked, how_much()).value for _ in range(3)] == [Offer(3.0), Offer(4.0), Offer(5.0)]


def test_a_guard_that_serves_one_market_after_another_records_both(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"an older recording\n")
    guard = Guard(recording=Recording(tmp_path / FILE))
    for price in (1.0, 2.0):
        ask(guard, Scripted(Offer(price)), how_much())
        guard.close()
    found = read_entries(tmp_path / FILE)
    assert [(entry.number, entry.value["price"]) for entry in found] == [(0, 1.0), (1, 2.0)]


@pytest.mark.parametrize("bad", [{"mode": "rewind"}, {"pace": -1.0}, {"pace": float("nan")}])
def test_settings_out_of_range_are_refused(tmp_path: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError):
        Recording(tmp_path / FILE, **bad)


# ---------------------------------------------------------------------------------------------- in the simulator


RULES = ContractNet(reply_within_s=5.0, announcements=1)
NETWORK = Network(latency=Constant(0.1))


def wanted(task: str = "job") -> ProposalWanted:
    """The question that the Contract Net asks, with other times."""
    return ProposalWanted(task=Task(task), manager="m", valid_until=500.0, decide_by=300.0)


def simulate(strategies: dict[str, Any], tasks: tuple[str, ...] = ("job",)) -> Any:
    simulation = Simulation(seed=3, network=NETWORK)
    simulation.add(Agent("m", capacity=0))
    for name, strategy in strategies.items():
        simulation.add(Agent(name, strategy))
    for k, task in enumerate(tasks):
        simulation.open(RULES, [Task(task)], "m", at=60.0 * k, finish_by=60.0 * k + 50.0)
    return simulation.run()


def bids(path: Path, **prices_and_seconds: tuple[float, float]) -> dict[str, Replayed]:
    """Minds that were recorded live, as strategies for a simulation."""
    guard = Guard(recording=Recording(path / FILE))
    for agent, (price, takes_s) in prices_and_seconds.items():
        mind = Scripted(
            lambda asked, price=price: Propose(price, valid_until=asked.question.valid_until), takes_s=takes_s
        )
        ask(guard, mind, wanted(), agent=agent, seconds=20.0)
    guard.close()
    return {agent: Replayed(path / FILE) for agent in prices_and_seconds}


def test_a_recording_is_a_strategy_and_its_latency_is_spent_as_deliberation(tmp_path: Path) -> None:
    strategies = bids(tmp_path, ada=(3.0, 2.0), bob=(2.0, 1.0), cyd=(1.0, 9.0))
    result = simulate(strategies)
    answered = {row.agent: round(row.at, 3) for row in result.trace if row.kind == "answer"}
    assert (answered["ada"], answered["bob"]) == (2.1, 1.1)
    assert result.allocation["job"].winner == "bob", "cyd was cheaper, and too late for this deadline"
    assert result.allocation["job"].price == 2.0


def test_the_same_strategies_serve_one_run_after_another_alike(tmp_path: Path) -> None:
    strategies = bids(tmp_path, ada=(3.0, 2.0), bob=(2.0, 1.0))
    assert simulate(strategies).digest == simulate(strategies).digest


def test_a_question_that_is_called_off_at_once_is_not_missed(tmp_path: Path) -> None:
    """A live mind is never put such a question, and so no recording has it."""

    class Hasty(Protocol):
        def on_start(self) -> None:
            for task in ("not-this-one", "t1"):
                self.decide("q", how_much(task, decide_by=9.0))

        def on_decision(self, name: Any, answer: Any) -> None:
            heard.append(answer)

    record(tmp_path, (Scripted(Offer(3.0)), how_much("t1", decide_by=9.0)))
    heard: list[Any] = []
    simulation = Simulation(seed=1)
    simulation.add(Agent("ada", Replayed(tmp_path / FILE)))
    simulation.seat("ada", Hasty())
    simulation.run()
    assert heard == [Offer(3.0)]


def test_a_miss_in_a_simulation_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"task.id: 'job' recorded, 'other' asked"):
        simulate(bids(tmp_path, ada=(3.0, 2.0)), ("job", "other"))


def test_swapping_one_agent_changes_only_what_follows_from_it(tmp_path: Path) -> None:
    strategies: dict[str, Any] = {**bids(tmp_path, ada=(3.0, 2.0), bob=(2.0, 1.0))}
    changed = simulate({**strategies, "bob": lambda question, agent: Refuse()})
    assert changed.allocation["job"].winner == "ada"
    answers = [
        {row.agent: (row.at, row.details["answer"]) for row in result.trace if row.kind == "answer"}
        for result in (simulate(strategies), changed)
    ]
    assert answers[0]["ada"] == answers[1]["ada"]
    assert answers[0]["bob"] != answers[1]["bob"]


def test_who_answers_what_was_not_recorded_can_be_said(tmp_path: Path) -> None:
    """A counterfactual asks questions that nobody was asked."""
    recorded = bids(tmp_path, ada=(3.0, 2.0))
    live = Replayed(recorded["ada"].entries, otherwise=lambda question, agent: Propose(7.0))
    result = simulate({"ada": live}, ("job", "other"))
    assert [line.price for line in result.allocation.lines] == [3.0, 7.0]


def test_who_failed_or_was_silent_live_does_so_in_the_simulation(tmp_path: Path) -> None:
    guard = Guard(recording=Recording(tmp_path / FILE))
    for agent, mind in {"ada": Scripted(KeyError("x")), "bob": Scripted(Propose(1.0), takes_s=99.0)}.items():
        ask(guard, mind, wanted(), agent=agent, seconds=4.0)
    guard.close()
    result = simulate({name: Replayed(tmp_path / FILE) for name in ("ada", "bob")})
    assert result.records[0].status == "unassigned"


def test_a_recorded_strategy_answers_live_too(tmp_path: Path) -> None:
    strategies = bids(tmp_path, ada=(3.0, 2.0))
    found = ask(Guard(), strategies["ada"], wanted())
    assert (found.status, found.value) == ("ok", Propose(3.0, valid_until=500.0))
    with pytest.raises(ReplayError):
        ask(Guard(), strategies["ada"], wanted("other"))
