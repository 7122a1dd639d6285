"""One agent's money and slots, and what its answers hold of them."""

import math
from collections.abc import Callable, Hashable, Iterator
from heapq import heappop, heappush

from walras.errors import LocalProtocolError
from walras.messages import AgentId, ConversationId
from walras.questions import Commitment

_INF = math.inf


class Exact:
    """A sum of floats without rounding, as parts that do not overlap (Shewchuk 1997, and in `math.fsum`).

    >>> total = Exact()
    >>> for x in (0.1, 1e16, -1e16):
    ...     total.add(x)
    >>> float(total)
    0.1
    """

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[float] = []

    def add(self, x: float) -> None:
        """Add a finite number."""
        parts, kept = self.parts, 0
        for y in parts:
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low:
                parts[kept] = low
                kept += 1
            x = high
        parts[kept:] = [x] if x else []

    def __float__(self) -> float:
        return math.fsum(self.parts)

    def drain(self) -> Iterator[float]:
        """Positive floats that add up to this sum, which is then 0: one, where the sum is a float itself."""
        while (amount := math.fsum(self.parts)) > 0:
            if len(self.parts) > 1 and math.fsum((*self.parts, -amount)) < 0:
                amount = math.nextafter(amount, 0.0)  # it was rounded up, and nobody is paid a negative rest
            self.add(-amount)
            yield amount

    def split_off(self, amount: float) -> Iterator[float]:
        """Take an amount out; one that rounding has made larger than this sum takes all of it."""
        if not amount:
            return
        if math.fsum((*self.parts, -amount)) > 0:
            self.add(-amount)
            yield amount
        else:
            yield from self.drain()


class AccountBook:
    """One agent's money and slots, as its strategy sees them (`walras.agents.Account`). A `Ledger` makes it.

    The runtime sets `asking` to the conversation whose question the strategy is about to answer; the worker
    sets `busy` to the number of tasks at work. Expired holds are dropped when somebody looks, without a timer
    for each.
    """

    __slots__ = (
        "_expiring",
        "_held",
        "_held_slots",
        "_pushed",
        "agent_id",
        "asking",
        "busy",
        "clock",
        "holds",
        "money",
        "paid",
        "received",
        "slots",
    )

    def __init__(self, agent_id: AgentId, money: float, slots: int, clock: Callable[[], float]) -> None:
        self.agent_id = agent_id
        self.money = money
        """What it was opened with; inf: unlimited credit."""
        self.slots = slots
        self.busy = 0
        self.asking: ConversationId | None = None
        self.paid, self.received = Exact(), Exact()
        """What left it and did not come back, escrow and stakes included; what it was paid, penalties of others included."""
        self.clock = clock
        self.holds: dict[ConversationId, dict[Hashable, Commitment]] = {}
        self._held, self._held_slots = Exact(), 0
        self._expiring: list[tuple[float, int, ConversationId, Hashable]] = []
        self._pushed = 0  # breaks ties in the heap: names need not be comparable

    @property
    def balance(self) -> float:
        """Money that it has, held or not; below 0 after an overcommitment."""
        return self.left_after()

    @property
    def free(self) -> float:
        """The balance without what live holds bind; inf stays inf."""
        self._expire()
        return self.left_after(*self._held.parts)

    @property
    def free_slots(self) -> int:
        """Slots that are neither at work nor bound by a live hold."""
        if self._expiring:
            self._expire()
        return self.slots - self.busy - self._held_slots

    def held(self, name: Hashable) -> float:
        """Money that is held under this name in the conversation that is `asking`."""
        self._expire()
        holds = self.holds.get(self.asking) if self.asking is not None else None
        hold = holds.get(name) if holds is not None else None
        return hold.money if hold is not None else 0.0

    def left_after(self, *amounts: float) -> float:
        """The balance less these amounts, rounded once at the end, so that its sign is exact."""
        if self.money == _INF:
            return _INF
        spent = [-amount for amount in amounts]
        spent += [-part for part in self.paid.parts]
        return math.fsum((self.money, *self.received.parts, *spent))

    def hold(self, conversation: ConversationId, name: Hashable, wanted: Commitment) -> bool:
        """Hold money and slots under a name, or raise what it holds: each to the larger, until the later.

        False, and nothing changes, if free money or free slots do not suffice. After its `until` a hold
        counts as free without anybody having to say so.
        """
        self._expire()
        money, slots = wanted.money, wanted.slots
        if not (0.0 <= money < _INF and slots >= 0 and wanted.until == wanted.until):
            raise LocalProtocolError(
                f"{conversation} holds {wanted} of {self.agent_id}; expected finite money of 0 or more, "
                "0 or more slots, and a time"
            )
        holds = self.holds.get(conversation)
        old = holds.get(name) if holds is not None else None
        if old is not None:
            money, slots = max(money - old.money, 0.0), max(slots - old.slots, 0)
            wanted = Commitment(
                max(old.money, wanted.money), max(old.slots, wanted.slots), max(old.until, wanted.until)
            )
        if slots and slots > self.slots - self.busy - self._held_slots:
            return False
        if money and not self._hold_money(wanted.money, old.money if old is not None else 0.0):
            return False
        self._held_slots += slots
        if holds is None:
            self.holds[conversation] = {name: wanted}
        else:
            holds[name] = wanted
        if wanted.until < _INF and (old is None or old.until < wanted.until):
            self._pushed += 1
            heappush(self._expiring, (wanted.until, self._pushed, conversation, name))
        return True

    def _hold_money(self, wanted: float, old: float) -> bool:
        if self.left_after(*self._held.parts, -old, wanted) < 0:
            return False
        self._held.add(wanted)
        self._held.add(-old)
        return True

    def release(self, conversation: ConversationId, name: Hashable | None = None) -> None:
        """End one hold of a conversation, or (None) all of them; no harm if there is none."""
        holds = self.holds.get(conversation)
        if holds is None:
            return
        for each in tuple(holds) if name is None else (name,):
            hold = holds.pop(each, None)
            if hold is not None:
                self._held_slots -= hold.slots
                if hold.money:
                    self._held.add(-hold.money)
        if not holds:
            del self.holds[conversation]

    def _expire(self) -> None:
        expiring = self._expiring
        if not expiring:
            return
        now = self.clock()
        while expiring and now > expiring[0][0]:
            until, _, conversation, name = heappop(expiring)
            hold = self.holds.get(conversation, {}).get(name)
            if hold is not None and hold.until == until:  # else it was released or prolonged since
                self.release(conversation, name)
