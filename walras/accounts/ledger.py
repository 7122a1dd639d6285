"""Money and slots: a double-entry ledger that a runtime owns and that outlives every agent.

A lot is paid at its award; the price of work lies in escrow from its award to its settlement. Every transfer
is one posting, on two accounts with the same number, under the id of the effect that caused it, and an effect
is posted once. Sums are kept without rounding, so that money is conserved exactly and not within a tolerance.
"""

import math
from collections.abc import Callable, Mapping

from walras.accounts.books import AccountBook, Exact
from walras.accounts.escrow import Escrow, Stake
from walras.allocation import Award
from walras.errors import LocalProtocolError, ScenarioError
from walras.messages import AgentId, ConversationId, Frozen

__all__ = ["AccountBook", "Ledger", "Posting"]


class Posting(Frozen, frozen=True):
    """One transfer: `amount` > 0, in the run's currency, from account `debit` to account `credit`.

    `at` is in seconds since the run's epoch; `why` is sale, escrow, payment, refund, bond, bond returned or
    penalty; `award` is ``<conversation> <item>``; `effect` is the id under which it was posted. Accounts
    other than agents' are called ``escrow:<conversation> <item> <winner>`` and ``bond:...`` likewise.
    """

    at: float
    debit: str
    credit: str
    amount: float
    why: str
    award: str
    effect: str


class Ledger:
    """All accounts of one run. Money and slots are by agent; `clock` tells the seconds since the run's epoch.

    Raises:
        ScenarioError: for money below 0 or not a number, or slots below 0.

    Examples:
        >>> ledger = Ledger({"ada": 10.0, "bob": 5.0}, {"ada": 1, "bob": 1}, clock=lambda: 0.0)
        >>> ledger.award("1", "job/1", "ada", Award("task-1", "bob", price=4.0, bond=1.0), procured=True)
        True
        >>> ledger.settle("2", "job/1", "task-1", paid=3.0)
        True
        >>> ledger.balances(), ledger.conserved()
        ({'ada': 7.0, 'bob': 8.0}, True)
    """

    def __init__(
        self, endowments: Mapping[AgentId, float], slots: Mapping[AgentId, int], clock: Callable[[], float]
    ) -> None:
        self.postings: list[Posting] = []
        self.overcommitments = 0
        """How often a payer had less than it had to pay. An award binds: it was posted all the same."""
        self._clock = clock
        self._books: dict[AgentId, AccountBook] = {}
        self._posted: set[str] = set()
        self._escrow = Escrow()
        for agent_id, money in endowments.items():
            self.open_account(agent_id, money, slots[agent_id])

    def open_account(self, agent_id: AgentId, money: float, slots: int) -> None:
        """Open an account for an agent who comes later. One who comes back finds the account that it had."""
        if agent_id in self._books:
            raise LocalProtocolError(f"{agent_id} has an account already; expected an agent without one")
        if agent_id.startswith(("escrow:", "bond:")):
            raise ScenarioError("agent id", agent_id, "a name that is not an escrow's or a bond's")
        if not money >= 0:
            raise ScenarioError(
                f"money of {agent_id}", money, "a number of 0 or more (inf: unlimited credit)"
            )
        if not slots >= 0:
            raise ScenarioError(f"slots of {agent_id}", slots, "a whole number of 0 or more")
        self._books[agent_id] = AccountBook(agent_id, money, slots, self._clock)

    def account(self, agent_id: AgentId) -> AccountBook:
        """The account of an agent; `LocalProtocolError` if it has none."""
        book = self._books.get(agent_id)
        if book is None:
            raise LocalProtocolError(f"{agent_id!r} has no account; expected an agent of this run")
        return book

    def award(
        self,
        effect: str,
        conversation: ConversationId,
        opener: AgentId,
        line: Award,
        procured: bool,
        at_once: bool = False,
    ) -> bool:
        """Carry out an award once for each effect id: false, and nothing is posted, if it was posted before.

        A sale (not procured, or with a seller): the winner pays the seller, or the opener, at once. Procured:
        the opener pays into an escrow for the winner, and the winner stakes its bond, until `settle` or
        `abandon`. Procured `at_once`, as a lot is that the opener wants: it pays the winner at once.

        Raises:
            LocalProtocolError: for a price or bond that is not a finite number of 0 or more, for a bond on a
                sale, or for somebody without an account.
        """
        if effect in self._posted:
            return False
        if line.winner is not None:
            winner, other = self.account(line.winner), self.account(line.seller or opener)
            price = _check("price", line.price, conversation, line.item)
            bond = _check("bond", line.bond, conversation, line.item)
            bought = procured and line.seller is None
            if bought and not at_once:
                stake = self._escrow.enter(conversation, line.item, other, winner)
                self._lay_in_escrow(effect, stake, price, bond)
            elif bond:
                raise LocalProtocolError(
                    f"bond for {conversation} {line.item} is {line.bond}; expected 0, since a sale is paid at once"
                )
            else:
                payer, payee = (other, winner) if bought else (winner, other)
                self._charge(payer, price)
                payee.received.add(price)
                what = f"{conversation} {line.item}"
                self._post(payer.agent_id, payee.agent_id, price, "sale", what, effect)
        self._posted.add(effect)
        return True

    def settle(
        self,
        effect: str,
        conversation: ConversationId,
        item: str,
        paid: float,
        winner: AgentId | None = None,
        penalty: float = 0.0,
    ) -> bool:
        """Pay `paid` of an item's escrow to its winner, the rest back; its bond back, less `penalty` to the payer.

        Once for each effect id: false, and nothing is posted, if it was posted before. What several awards of
        one item to one winner laid in escrow is settled together.

        Raises:
            LocalProtocolError: if there is nothing to settle, if the item has several winners and none is
                named, or for amounts that are not between 0 and what lies in escrow, or is staked.
        """
        if effect in self._posted:
            return False
        stake = self._escrow.find(conversation, item, winner)
        paid = _check("payment", paid, conversation, item, float(stake.price))
        penalty = _check("penalty", penalty, conversation, item, float(stake.bond))
        self._escrow.remove(stake)
        self._close(effect, stake, paid, penalty)
        self._posted.add(effect)
        return True

    def abandon(self, effect: str, conversation: ConversationId) -> None:
        """A conversation is over: unsettled escrows go back to their payers, bonds to the winners."""
        if conversation not in self._escrow or effect in self._posted:
            return
        for stake in self._escrow.clear(conversation):
            self._close(effect, stake, 0.0, 0.0)
        self._posted.add(effect)

    def balances(self) -> dict[str, float]:
        """The money of every agent, then that in every escrow and bond which is not empty."""
        found = {agent_id: book.balance for agent_id, book in self._books.items()}
        found.update((name, float(amount)) for name, amount in self._escrow.amounts() if amount.parts)
        return found

    def conserved(self) -> bool:
        """Whether the postings, read from first to last, explain every balance exactly, to the last bit."""
        unexplained = {name: Exact() for posting in self.postings for name in (posting.debit, posting.credit)}
        for posting in self.postings:
            unexplained[posting.debit].add(-posting.amount)
            unexplained[posting.credit].add(posting.amount)
        kept = [(agent_id, book.received, -1.0) for agent_id, book in self._books.items()]
        kept += [(agent_id, book.paid, 1.0) for agent_id, book in self._books.items()]
        kept += [(name, amount, -1.0) for name, amount in self._escrow.amounts()]
        for name, amount, sign in kept:
            for part in amount.parts:
                unexplained.setdefault(name, Exact()).add(sign * part)
        return not any(rest.parts for rest in unexplained.values())

    def _lay_in_escrow(self, effect: str, stake: Stake, price: float, bond: float) -> None:
        self._charge(stake.payer, price)
        stake.price.add(price)
        self._post(stake.payer.agent_id, stake.escrow, price, "escrow", stake.what, effect)
        if bond:
            self._charge(stake.winner, bond)
            stake.bond.add(bond)
            self._post(stake.winner.agent_id, stake.bonded, bond, "bond", stake.what, effect)

    def _close(self, effect: str, stake: Stake, paid: float, penalty: float) -> None:
        payer, winner, what = stake.payer, stake.winner, stake.what
        for amount in stake.price.split_off(paid):
            winner.received.add(amount)
            self._post(stake.escrow, winner.agent_id, amount, "payment", what, effect)
        for amount in stake.price.drain():
            payer.paid.add(-amount)
            self._post(stake.escrow, payer.agent_id, amount, "refund", what, effect)
        for amount in stake.bond.split_off(penalty):
            payer.received.add(amount)
            self._post(stake.bonded, payer.agent_id, amount, "penalty", what, effect)
        for amount in stake.bond.drain():
            winner.paid.add(-amount)
            self._post(stake.bonded, winner.agent_id, amount, "bond returned", what, effect)

    def _charge(self, payer: AccountBook, amount: float) -> None:
        if payer.left_after(amount) < 0:
            self.overcommitments += 1
        payer.paid.add(amount)

    def _post(self, debit: str, credit: str, amount: float, why: str, award: str, effect: str) -> None:
        if amount:  # what is free moves no money
            self.postings.append(Posting(self._clock(), debit, credit, amount, why, award, effect))


def _check(kind: str, amount: float, conversation: str, item: str, limit: float = math.inf) -> float:
    try:
        exact = amount + 0.0  # a whole number may have more digits: both sides are posted the same
    except (OverflowError, TypeError):
        exact = math.nan
    if not (0.0 <= exact <= limit and exact < math.inf):
        expected = "a finite number of 0 or more"
        if limit < math.inf:
            expected = f"between 0 and {limit!r}, which lies there for it"
        raise LocalProtocolError(f"{kind} for {conversation} {item} is {amount}; expected {expected}")
    return exact
