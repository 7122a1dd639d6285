"""A journal that somebody has edited, or that other rules were played by: refused, with what differs named."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from contractnet import ContractNet, cheapest
from tests.live.test_journal import Workshop, lives, never, nothing, opened, program, told
from tests.live.worlds import CONTRACT_NET, tasks, workers
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Task
from walras.live.journal import JournalError
from walras.live.live import Live
from walras.live.settings import Rules
from walras.testing.virtual_time import run_virtually


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE inputs SET payload = 'x' WHERE number = 4", "row 4 of the journal was changed: its payload is 'x'"),
        ("UPDATE inputs SET at = 'noon' WHERE number = 4", "row 4 of the journal was changed: its at is 'noon'"),
        ("UPDATE inputs SET at = -1.0 WHERE number = 9", "row 9 of the journal was changed: it is of -1 s; expected"),
        ("UPDATE inputs SET at = 9e999 WHERE number = 9", "row 9 of the journal was changed: it is of inf s"),
        ("UPDATE inputs SET serial = 'x' WHERE number = 4", "row 4 of the journal was changed: its serial is 'x'"),
        ("UPDATE inputs SET serial = 0 WHERE number = 9", "row 9 is 'deliver', which this program knows nothing of"),
        ("UPDATE inputs SET what = x'00' WHERE number = 4", "row 4 of the journal was changed: its what is"),
        ("UPDATE inputs SET what = 'take_agent' WHERE what = 'take_opening'", "row 5 (take_agent) cannot be read (TypeError"),
        ("UPDATE inputs SET what = 'take_up_arms' WHERE number = 4", "row 4 is 'take_up_arms', which"),
        ("UPDATE inputs SET what = 'fire' WHERE number = 9", "was 'fire', but it is deliver: it was written by other code"),
        ("DELETE FROM inputs WHERE number = 3", "row 3 of the journal is missing; the next one is 4"),
        ("UPDATE market SET value = 'long ago' WHERE name = 'epoch'", "its epoch is 'long ago'"),
    ],
)  # fmt: skip
def test_a_journal_that_was_edited_is_refused_and_the_row_is_named(
    tmp_path: Path, change: str, said: str
) -> None:
    path = tmp_path / "m.db"
    assert lives(path, program(path, Workshop()), never())
    with sqlite3.connect(path) as database:
        assert database.execute(change).rowcount > 0
    database.close()
    with pytest.raises(JournalError, match=re.escape(said)):
        run_virtually(opened(path))


def test_a_program_goes_on_with_its_own_journal_only(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    assert lives(path, program(path, Workshop()), never())

    async def other(market: Live) -> Any:
        return await market.run(CONTRACT_NET, [Task("another", kind="job")])

    with pytest.raises(ScenarioError, match="which the journal has at its place"):
        lives(path, other, never())
    with pytest.raises(ScenarioError, match="seed is 3; expected 0"):
        lives(path, nothing, never(), seed=3)
    with pytest.raises(ScenarioError, match=r"lifetime_s is 3\.0; expected 30"):
        lives(path, nothing, never(), rules=Rules(lifetime_s=3.0))
    assert lives(path, nothing, never()) is True


class Whim:
    """A rule of a mechanism that has no equality of its own."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, task: Task, proposals: Any) -> Any:
        return cheapest(task, proposals)


AGENT = Agent("ada", costs={"job": 1.0}, money=50.0)


@pytest.mark.parametrize(
    ("rules", "item", "agent", "said"),
    [
        (ContractNet(award_rule=Whim(1.0)), Task("t", kind="job"), AGENT, ""),
        (ContractNet(reply_within_s=3.0, award_rule=Whim(1.0)), Task("t", kind="job"), AGENT,
         "mechanism.reply_within_s of house/1 is 3.0; expected 2.0, which the journal has"),
        (ContractNet(award_rule=Whim(2.0)), Task("t", kind="job"), AGENT,
         "mechanism.award_rule.factor of house/1 is 2.0; expected 1.0, which"),
        (ContractNet(), Task("t", kind="job"), AGENT, "mechanism.award_rule of house/1 is BestValue("),
        (ContractNet(award_rule=Whim(1.0)), Task("t", kind="job", reserve=4.0), AGENT,
         "items.0.reserve of house/1 is 4.0; expected"),
        (ContractNet(award_rule=Whim(1.0), reply_within_s=3.0), Task("u", kind="job", reserve=4.0), AGENT,
         "at its place; 2 more differ: items.0.id, items.0.reserve"),
        (ContractNet(award_rule=Whim(1.0)), Task("t", kind="job"), Agent("ada", costs={"job": 1.0}, money=9.0),
         "money of ada is 9.0; expected 50.0, which the journal has at its place"),
        (ContractNet(award_rule=Whim(1.0)), Task("t", kind="job"), Agent("ada", money=50.0, capacity=7),
         "capacity of ada is 7; expected 1, which"),
        (ContractNet(award_rule=Whim(1.0)), Task("t", kind="job"), Agent("bob", money=50.0),
         "participants.0 of house/1 is 'bob'; expected 'ada', which"),
    ],
)  # fmt: skip
def test_other_rules_than_those_of_the_journal_are_named(
    tmp_path: Path, rules: ContractNet, item: Task, agent: Agent, said: str
) -> None:
    path = tmp_path / "market.db"

    async def first(market: Live) -> Any:
        market.add(AGENT)
        return await market.run(
            ContractNet(award_rule=Whim(1.0)), [Task("t", kind="job")], participants=["ada"]
        )

    async def again(market: Live) -> Any:
        market.add(agent)
        return await market.run(rules, [item], participants=[agent.id])

    assert lives(path, first, never())
    if said:
        with pytest.raises(ScenarioError, match=re.escape(said)):
            lives(path, again, never())
    else:
        assert lives(path, again, never())


def test_who_has_come_later_is_not_missing_where_whoever_was_there_took_part(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        for agent in workers(2):
            market.add(agent)
        first = await market.run(CONTRACT_NET, tasks(1))
        market.add(Agent("late"))
        return [first, await market.run(CONTRACT_NET, [Task("u", kind="job")])]

    path = tmp_path / "market.db"
    assert told(lives(path, main, never())) == told(lives(path, main, never()))
