"""A market that is killed at any point and started again on its journal goes on: nothing lost, nothing twice."""

import asyncio
import logging
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import field

from contractnet import ContractNet, truthful
from tests.live.minds import Offer, how_much
from tests.live.worlds import CONTRACT_NET, in_market, tasks, workers
from walras.agents import Agent
from walras.allocation import Outcome
from walras.errors import ScenarioError
from walras.items import Task
from walras.live.journal import Journal, JournalError
from walras.live.live import Live
from walras.live.settings import Rules
from walras.mechanism import Mechanism
from walras.protocol import Protocol
from walras.results import Result
from walras.testing.live import KilledHere, Observer
from walras.testing.virtual_time import run_virtually


class Workshop:
    """Workers that remember, in truth, what they have done: a receiver that drops doubles by their keys."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.calls: list[str] = []
        self.asked: list[str] = []

    async def work(self, task: Task, key: str) -> str:
        self.calls.append(key)
        await asyncio.sleep(2.0)
        if key not in self.done:
            self.done.append(key)
        return "done"

    def strategy(self, question: Any, agent: Agent) -> Any:
        self.asked.append(f"{agent.id} {question.task.id}")
        return truthful(question, agent)


def program(path: Path, shop: Workshop, **settings: Any) -> Callable[[Live], Any]:
    """The user's program: the same every time that it is started."""

    async def main(market: Live) -> list[Result]:
        for agent in workers(3):
            agent.strategy = shop.strategy
            market.add(agent, shop.work)
        first = await market.run(CONTRACT_NET, tasks(1), within_s=40.0)
        both = [
            market.run(CONTRACT_NET, [Task(f"u{k}", kind="job", reserve=40.0)], within_s=40.0)
            for k in range(2)
        ]
        return [first, *await asyncio.gather(*both)]

    return main


def lives(
    path: Path, main: Callable[[Live], Any], watches: Iterator[Observer], commit: bool = False, down_s: float = 0.5,
    **settings: Any,
) -> Any:  # fmt: skip
    """Start a program again and again on one journal, with a killer in each life, until it comes to its end."""

    async def one(observer: Observer) -> Any:
        loop = asyncio.get_running_loop()
        market = Live(journal=path, wall=loop.time, **settings)
        await market.__aenter__()
        market.runtime.watch = observer
        killed = loop.create_future()
        market.runtime.agenda.on_failure = killed.set_result
        running = asyncio.ensure_future(main(market))
        await asyncio.wait((running, killed), return_when=asyncio.FIRST_COMPLETED)
        journal = market.runtime.agenda.journal
        assert journal is not None
        if not running.done():
            running.cancel()
            if commit:
                journal.commit()
            market.runtime.agenda.failed = KilledHere()
        await asyncio.gather(running, return_exceptions=True)
        await market.close()
        return running.result() if not running.cancelled() else None

    async def whole() -> Any:
        for observer in watches:
            found = await one(observer)
            if found is not None:
                return found
            await asyncio.sleep(down_s)
        raise AssertionError("it never came to its end")

    return run_virtually(whole())


def never() -> Iterator[Observer]:
    yield Observer()


def killed_at(*points: tuple[str, str, int, int]) -> Iterator[Observer]:
    for point in points:
        observer = Observer()
        observer.kill = point
        yield observer
    yield Observer()


def all_points(folder: Path) -> list[tuple[str, str, int, int]]:
    observer = Observer()
    lives(folder / "whole.db", program(folder, Workshop()), iter([observer]))
    return [(p.conversation, p.agent, p.input, k) for p in observer.points for k in range(1, p.effects + 2)]


def check(results: list[Result], shop: Workshop) -> None:
    assert [list(result.allocation) for result in results] == [["t0"], ["u0"], ["u1"]]
    assert all(result.records[0].status == "done" and result.records[0].awards == 1 for result in results)
    assert len(shop.done) == 3
    last = results[-1]
    assert sum(last.balances[id_] for id_ in last.balances if id_ != "house") == float("inf")
    paid = [result.records[0].paid for result in results]
    assert [sum(agent.earned for agent in result.agents) for result in results] == paid
    assert [sum(agent.spent or 0.0 for agent in result.agents) for result in results] == paid
    assert all(name in ("house", "w0", "w1", "w2") for name in last.balances), "nothing lies in escrow"


def told(results: list[Result]) -> list[Any]:
    """All that a result says of its own run; balances are the market's, as it is now."""
    return [(r.digest, r.allocation, r.outcomes, r.records, r.agents) for r in results]


@pytest.mark.parametrize("commit", [False, True])
def test_killed_between_any_two_effects_a_market_goes_on(tmp_path: Path, commit: bool) -> None:
    points = all_points(tmp_path)
    assert len(points) > 60
    for number, point in enumerate(points[:: 1 if not commit else 3]):
        shop = Workshop()
        path = tmp_path / f"{number}.db"
        check(lives(path, program(path, shop), killed_at(point), commit), shop)


def test_killed_again_and_again_it_still_comes_to_its_end(tmp_path: Path) -> None:
    points, shop = all_points(tmp_path), Workshop()
    path = tmp_path / "market.db"
    check(lives(path, program(path, shop), killed_at(*points[5::9]), down_s=0.1), shop)


def test_what_was_answered_and_what_was_done_is_not_asked_and_done_again(tmp_path: Path) -> None:
    path, shop = tmp_path / "market.db", Workshop()
    results = lives(path, program(path, shop), never())
    asked, calls = list(shop.asked), list(shop.calls)
    assert len(asked) == 9 and len(calls) == 3

    again = lives(path, program(path, shop), never())

    assert (shop.asked, shop.calls) == (asked, calls)
    assert told(again) == told(results)


def test_work_that_was_under_way_is_taken_up_again_under_its_key(tmp_path: Path) -> None:
    path, shop = tmp_path / "market.db", Workshop()

    async def killed_while_working(market: Live) -> Any:
        asyncio.get_running_loop().call_later(1.0, market.runtime.agenda.on_failure, KilledHere())
        return await program(path, shop)(market)

    first = [True]

    async def main(market: Live) -> Any:
        return await (killed_while_working if first.pop(0) else program(path, shop))(market)

    first.append(False)
    check(lives(path, main, iter([Observer(), Observer()])), shop)
    assert shop.calls[:2] == ["house/1/w1#t0"] * 2


@pytest.mark.parametrize("every", [1, 7, 40])
def test_a_copy_of_the_market_stands_for_the_rows_before_it(tmp_path: Path, every: int) -> None:
    whole, shop = tmp_path / "whole.db", Workshop()
    expected = lives(whole, program(whole, shop), never())
    (tmp_path / "points").mkdir()
    points = all_points(tmp_path / "points")
    for number, point in enumerate(points[:: 11 if every > 1 else 29]):
        path, shop = tmp_path / f"{number}.db", Workshop()
        results = lives(path, program(path, shop), killed_at(point), rules=Rules(compact_every=every))
        check(results, shop)
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT COUNT(*) FROM inputs").fetchone()[0]
        assert rows <= every + 30
    path = tmp_path / "calm.db"
    results = lives(path, program(path, Workshop()), never(), rules=Rules(compact_every=every))
    assert told(results) == told(expected), "a copy has changed what happened"
    assert told(lives(path, program(path, Workshop()), never())) == told(expected)


@pytest.mark.parametrize(
    "task", [Task("t"), Task("t", size=float("1")), Task("t", size=2.0, parts=(Task("u"),))]
)
def test_what_is_read_back_is_shown_as_it_was(task: Task) -> None:
    twin = pickle.loads(Journal.encode((task,)))[0]
    assert twin == task
    assert msgspec.msgpack.encode(twin) == msgspec.msgpack.encode(task)


class Musing(Protocol):
    """An opener that asks its own mind."""

    def on_start(self) -> None:
        self.decide("q", how_much(decide_by=self.now + 3.0))

    def on_decision(self, name: Any, answer: Any) -> None:
        self.finish(Outcome("done", why=repr(answer)))


class Muse(Mechanism, frozen=True):
    protocol = "x-muse"

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        return Musing()

    def default_strategy(self, question: Any, agent: Agent) -> Any:
        return Offer(4.0)


def test_an_opener_whom_nobody_added_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        return await market.run(Muse(), tasks(1))

    result = lives(tmp_path / "m.db", main, killed_at(("house/1", "house", 1, 1)), commit=True)
    assert result.outcomes["house/1"].why == "Offer(price=4.0)"


class Curious(Protocol):
    """Asks its mind, and waits for long."""

    heard: list[str] = field(default_factory=list)

    def on_start(self) -> None:
        self.decide("q", how_much(decide_by=self.now + 50.0))

    def on_decision(self, name: Any, answer: Any) -> None:
        self.heard.append(f"{answer}")


def test_what_was_asked_before_a_copy_was_made_is_asked_again(tmp_path: Path) -> None:
    async def mind(question: Any, agent: Agent) -> Any:
        asked.append(question)
        if len(asked) == 1:
            await asyncio.sleep(1e6)
        return Offer(2.0)

    async def main(market: Live) -> list[str]:
        market.add(Agent("ada", mind))
        market.seat("ada", Curious(), "c/1")
        await asyncio.sleep(5.0)
        role = market.role("c/1", "ada")
        assert isinstance(role, Curious)
        return role.heard

    asked: list[Any] = []
    path = tmp_path / "market.db"
    found = [lives(path, main, never(), rules=Rules(compact_every=1)) for _ in range(2)]
    assert found == [[], [f"{Offer(2.0)}"]]


# --------------------------------------------------------------------------------------------------------- bad input


async def nothing(market: Live) -> bool:
    return market.recovered


def test_a_journal_serves_one_process_at_a_time(tmp_path: Path) -> None:
    first = Journal(tmp_path / "market.db")
    with pytest.raises(ScenarioError, match="no other process uses"):
        Journal(tmp_path / "market.db")
    first.close()
    Journal(tmp_path / "market.db").close()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    path.write_text("a shopping list, which is longer than the header of a file of SQLite, and is none " * 9)
    with pytest.raises(JournalError, match="is no journal"):
        Journal(path)
    with pytest.raises(ScenarioError, match="journal is"):
        Journal(tmp_path / "nowhere" / "market.db")
    with pytest.raises(ScenarioError, match="journal is 5; expected the path of a file"):
        Journal(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["inputs", "customers"])
def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path, table: str) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute(f"CREATE TABLE {table} (name)")
    theirs.close()
    with pytest.raises(JournalError, match=f"another program keeps '{table}' in it"):
        Journal(path)
    again = sqlite3.connect(path)
    assert again.execute("SELECT name FROM sqlite_master").fetchall() == [(table,)]
    again.close()


@pytest.mark.parametrize("payload", [b"", b"\x80\x05", b"nonsense"])
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, payload: bytes) -> None:
    path = tmp_path / "m.db"
    journal = Journal(path)
    journal.write(0.0, 0, "take_cancel", payload)
    journal.commit()
    journal.close()
    with pytest.raises(JournalError, match=r"row 1 \(take_cancel\) cannot be read"):
        run_virtually(opened(path))


def test_a_copy_of_a_market_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    journal = Journal(path)
    journal.replace(b"half a cop")
    journal.close()
    with pytest.raises(JournalError, match="its copy of the market cannot be read"):
        run_virtually(opened(path))


async def opened(path: Path) -> None:
    async with Live(journal=path):
        pass


def test_a_journal_that_other_code_has_written_is_not_followed_blindly(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    assert lives(path, program(path, Workshop()), never())
    database = sqlite3.connect(path)
    database.execute("UPDATE inputs SET serial = serial + 1 WHERE what = 'deliver'")
    database.commit()
    database.close()
    with pytest.raises(JournalError, match="the journal says that number"):
        lives(path, nothing, never())


def test_what_cannot_be_journaled_is_refused_with_a_reason(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada"))
        rules = ContractNet(award_rule=lambda task, proposals: {})
        with pytest.raises(ScenarioError, match="something that pickles"):
            await market.run(rules, tasks(1))
        return True

    assert lives(tmp_path / "market.db", main, never())


class Unkept(Curious):
    """Recovers from records, and holds what does not pickle."""

    recovery = "records"
    rule: Any = None

    def on_start(self) -> None:
        self.finish(Outcome("done"))


class Unkeepable(Mechanism, frozen=True):
    protocol = "x-unkeepable"

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        role = Unkept()
        role.rule = lambda: None
        return role


def test_an_opener_that_cannot_be_kept_is_refused_with_a_journal_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async def main(market: Live) -> Any:
        with pytest.raises(ScenarioError, match="something that pickles"):
            await market.run(Unkeepable(), tasks(1))
        market.add(workers(1)[0])
        return await market.run(CONTRACT_NET, tasks(1))

    assert lives(tmp_path / "market.db", main, never()).outcomes["house/1"].status == "done"


def test_without_a_journal_nothing_has_to_pickle() -> None:
    result = in_market(lambda market: market.run(Unkeepable(), tasks(1)))
    assert result.outcomes == {"house/1": Outcome("done")}


def test_what_was_refused_is_not_in_the_journal(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        with pytest.raises(ScenarioError, match="not an escrow's"):
            market.add(Agent("escrow:ada"))
        return await program(tmp_path, Workshop())(market)

    path = tmp_path / "market.db"
    assert told(lives(path, main, never())) == told(lives(path, main, never()))


class Odd(Protocol):
    """Its state is not data."""

    held: Any = None

    def on_start(self) -> None:
        self.held = lambda: None
        self.set_timer("end", self.now + 1.0)

    def on_timer(self, name: Any) -> None:
        self.finish(Outcome("done"))


def test_a_market_that_cannot_be_copied_keeps_its_whole_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada"))
        market.seat("ada", Odd())
        await asyncio.sleep(2.0)
        return market.role("bare/1", "ada")._port.ended  # type: ignore[attr-defined]

    with caplog.at_level(logging.ERROR, "walras.live"):
        assert lives(tmp_path / "market.db", main, never(), rules=Rules(compact_every=1))
    assert "cannot be copied" in caplog.text


def test_the_payloads_of_a_journal_are_rows_that_anybody_can_count(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    assert lives(path, program(path, Workshop()), never())
    with closing(sqlite3.connect(path)) as database:
        found = dict(database.execute("SELECT what, COUNT(*) FROM inputs GROUP BY what").fetchall())
    assert (found["take_agent"], found["take_opening"], found["take_answer"], found["take_report"]) == (
        4,
        3,
        9,
        3,
    )
