"""What a participant remembers: this conversation, and its own record of past awards. Both bounded, both explicit."""

import sqlite3
import weakref
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from walras.allocation import Award, Report
from walras.errors import ScenarioError
from walras.live.answers import Answered
from walras.live.meanings import meaning
from walras.messages import AgentId, ConversationId
from walras.questions import Question

_TABLE = """
create table if not exists deals (
    number integer primary key, agent text, conversation text, item text, price real, status text, cost real, quality real,
    unique (agent, conversation, item))
"""


class Memory:
    """Remembers for agents. An agent recalls only what it has itself been asked, said and won.

    Args:
        path: of an SQLite file for the awards, which outlive a run; by default they end with it.
        turns: questions and answers of one conversation that are kept, the last ones.
        deals: awards of one agent that are kept, the last ones.

    Raises:
        ScenarioError: for a path that cannot be opened, or a bound below 0.
    """

    def __init__(self, path: str | Path = ":memory:", *, turns: int = 10, deals: int = 20) -> None:
        if turns < 0 or deals < 0:
            raise ScenarioError("memory", (turns, deals), "bounds of 0 or more")
        self.turns, self.deals = turns, deals
        self._talks: dict[ConversationId, dict[AgentId, deque[Any]]] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            weakref.finalize(self, self._db.close)  # who is not closed takes the connection with it
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")  # a market does not wait for the disk to remember
            self._db.execute(_TABLE)
        except sqlite3.Error as error:
            raise ScenarioError("memory", str(path), f"an SQLite file ({error})") from None

    def note(
        self, agent: AgentId, conversation: ConversationId, question: Question, answered: Answered
    ) -> None:
        """A question has been answered, well or badly."""
        talk = self._talks.setdefault(conversation, {})
        turns = talk.setdefault(agent, deque(maxlen=self.turns))
        said = msgspec.to_builtins(answered.value) if answered.status == "ok" else answered.status
        turns.append({"asked": meaning(question), "said": said})

    def won(self, agent: AgentId, conversation: ConversationId, line: Award) -> None:
        """The agent was awarded an item; told twice, it is one award. No two conversations have one name, in any run."""
        self._db.execute(
            "insert or ignore into deals (agent, conversation, item, price, status) values (?, ?, ?, ?, 'won')",
            (agent, conversation, line.item, line.price),
        )
        self._prune(agent)

    def worked(self, agent: AgentId, conversation: ConversationId, item: str, report: Report) -> None:
        """The work on an item that it won has ended; where it was won in another process, its price is not known here."""
        self._db.execute(
            "insert into deals (status, cost, quality, agent, conversation, item) values (?, ?, ?, ?, ?, ?) "
            "on conflict (agent, conversation, item) do update "
            "set status = excluded.status, cost = excluded.cost, quality = excluded.quality",
            (report.status, report.cost, report.quality, agent, conversation, item),
        )
        self._prune(agent)

    def _prune(self, agent: AgentId) -> None:
        self._db.execute(
            "delete from deals where agent = ? and number not in "
            "(select number from deals where agent = ? order by number desc limit ?)",
            (agent, agent, self.deals),
        )

    def recall(self, agent: AgentId, conversation: ConversationId) -> dict[str, Any]:
        """What the agent remembers here, oldest first, as plain data; empty if nothing."""
        columns = ("item", "price", "status", "cost", "quality")
        rows = self._db.execute(
            f"select {', '.join(columns)} from deals where agent = ? order by number", (agent,)
        )
        found = {
            "earlier in this conversation": list(self._talks.get(conversation, {}).get(agent, ())),
            "your past awards": [dict(zip(columns, row, strict=True)) for row in rows],
        }
        return {name: part for name, part in found.items() if part}

    def forget(self, conversation: ConversationId) -> None:
        """A conversation is over: only its awards are remembered."""
        self._talks.pop(conversation, None)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
