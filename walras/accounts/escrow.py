"""What lies between an award and its settlement: the price that was paid in, and the bond that was staked."""

from collections.abc import Iterator

from walras.accounts.books import AccountBook, Exact
from walras.errors import LocalProtocolError
from walras.messages import AgentId, ConversationId


class Stake:
    """One winner of one item: the price that its payer has laid in escrow, and the bond on its delivery."""

    __slots__ = ("bond", "conversation", "item", "payer", "price", "what", "winner")

    def __init__(
        self, conversation: ConversationId, item: str, payer: AccountBook, winner: AccountBook
    ) -> None:
        self.conversation = conversation
        self.item = item
        self.what = f"{conversation} {item}"
        self.payer = payer
        self.winner = winner
        self.price, self.bond = Exact(), Exact()

    @property
    def escrow(self) -> str:
        """Name of the account in which the price lies."""
        return f"escrow:{self.what} {self.winner.agent_id}"

    @property
    def bonded(self) -> str:
        """Name of the account in which the bond lies."""
        return f"bond:{self.what} {self.winner.agent_id}"


class Escrow:
    """All stakes of one run that are neither settled nor abandoned, by conversation, item and winner."""

    def __init__(self) -> None:
        self._stakes: dict[ConversationId, dict[str, dict[AgentId, Stake]]] = {}

    def enter(
        self, conversation: ConversationId, item: str, payer: AccountBook, winner: AccountBook
    ) -> Stake:
        """The stake of this winner: a new one, or what an earlier award of the same item to it began."""
        stakes = self._stakes.setdefault(conversation, {}).setdefault(item, {})
        stake = stakes.get(winner.agent_id)
        if stake is None:
            stake = stakes[winner.agent_id] = Stake(conversation, item, payer, winner)
        assert stake.payer is payer, (
            f"{stake.what} has two payers, {stake.payer.agent_id} and {payer.agent_id}"
        )
        return stake

    def find(self, conversation: ConversationId, item: str, winner: AgentId | None) -> Stake:
        """The stake of this winner, or (None) of the only one; `LocalProtocolError` if there is no such stake."""
        stakes = self._stakes.get(conversation, {}).get(item, {})
        what = f"{conversation} {item}"
        if winner is None and len(stakes) > 1:
            raise LocalProtocolError(
                f"{what} was won by {', '.join(stakes)}; expected the name of one of them"
            )
        found = stakes.get(winner) if winner is not None else next(iter(stakes.values()), None)
        if found is None:
            of = f"{what} for {winner}" if winner is not None else what
            raise LocalProtocolError(
                f"nothing lies in escrow at {of}; expected an award that is not yet settled"
            )
        return found

    def remove(self, stake: Stake) -> None:
        """Forget a stake that was settled."""
        items = self._stakes[stake.conversation]
        stakes = items[stake.item]
        del stakes[stake.winner.agent_id]
        if not stakes:
            del items[stake.item]
            if not items:
                del self._stakes[stake.conversation]

    def clear(self, conversation: ConversationId) -> list[Stake]:
        """Forget all stakes of a conversation and return them, in the order of their awards."""
        items = self._stakes.pop(conversation, {})
        return [stake for stakes in items.values() for stake in stakes.values()]

    def __contains__(self, conversation: ConversationId) -> bool:
        return conversation in self._stakes

    def amounts(self) -> Iterator[tuple[str, Exact]]:
        """Every account of these stakes, by name, with what lies in it."""
        for items in self._stakes.values():
            for stakes in items.values():
                for stake in stakes.values():
                    yield stake.escrow, stake.price
                    yield stake.bonded, stake.bond
