"""What every agent has received and spent in each top-level conversation: read off the postings."""

from math import fsum

from walras.accounts import Ledger, Posting
from walras.messages import AgentId, ConversationId
from walras.results.facts import top_of


class Turnover:
    """Reads on where it has stopped, when it is asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read = 0
        self._received: dict[tuple[ConversationId, AgentId], list[float]] = {}
        self._spent: dict[tuple[ConversationId, AgentId], list[float]] = {}

    def of(self, top: ConversationId, agent: AgentId) -> tuple[float, float]:
        """What an agent has received, and what it has spent for good."""
        for posting in self._ledger.postings[self._read :]:
            self._add(posting)
        self._read = len(self._ledger.postings)
        return fsum(self._received.get((top, agent), ())), fsum(self._spent.get((top, agent), ()))

    def _add(self, posting: Posting) -> None:
        top = top_of(posting.award.rsplit(" ", 1)[0])
        self._spent.setdefault((top, posting.debit), []).append(posting.amount)
        if posting.why in ("refund", "bond returned"):
            self._spent.setdefault((top, posting.credit), []).append(-posting.amount)
        else:
            self._received.setdefault((top, posting.credit), []).append(posting.amount)
