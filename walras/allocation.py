"""Results: awards, outcomes, and allocations with their feasibility checks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from walras.errors import LocalProtocolError
from walras.items import Item, Lot, Task
from walras.messages import AgentId, Frozen


class Award(Frozen, frozen=True, tag=True):
    """One line of an allocation: who gets which item at which price (for all its units together).

    `seller` is set where the announcer is not the other side of the trade (an order book); `bond` is what the winner
    stakes on its delivery. With a `quantity` of 0 it is a charge: `winner` pays (procured: is paid) `price` and gets
    nothing, as the losers of an all-pay auction do. Nobody has won by it, and it uses up none of the item.
    """

    item: str
    winner: AgentId | None
    price: float = 0.0
    quantity: int = 1
    seller: AgentId | None = None
    bond: float = 0.0

    @property
    def won(self) -> bool:
        """Whether somebody gets something by it."""
        return self.winner is not None and self.quantity > 0


ENDINGS = ("done", "failed", "stopped", "unknown")
"""How work ends, see `Report`."""


class Report(Frozen, frozen=True, tag=True):
    """How work ended: exactly one per `perform`.

    `status` is done, failed, stopped or unknown (a crash hid the end); `cost` is what it truly cost the worker,
    `quality` in [0, 1], `seconds` of service (waiting in the worker's queue not counted).
    """

    status: str
    cost: float = 0.0
    quality: float = 0.0
    seconds: float = 0.0
    result: str = ""


class Outcome(Frozen, frozen=True, tag=True):
    """How a role ended. `status` is one word (done, failed, unassigned, cancelled, overdue ...), `why` a sentence."""

    status: str
    awards: tuple[Award, ...] = ()
    results: tuple[Report, ...] = ()
    why: str = ""


class Allocation(Mapping[str, Award]):
    """Awards by item. An item with several winners shows its first award under its id and all of them in `lines`."""

    def __init__(self, lines: Iterable[Award] = ()) -> None:
        self.lines: tuple[Award, ...] = tuple(lines)
        self._first: dict[str, Award] = {}
        for line in self.lines:
            if line.won:
                self._first.setdefault(line.item, line)

    def __getitem__(self, item: str) -> Award:
        try:
            return self._first[item]
        except KeyError:
            raise KeyError(
                f"{item!r} was not awarded; `lines`, outcomes and records say what became of it"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{a.item} -> {a.winner} at {a.price:g}"
            if a.won or a.winner is None
            else f"{a.winner} is charged {a.price:g} for {a.item}"
            for a in self.lines[:5]
        )
        more = f", ... {len(self.lines) - 5} more" if len(self.lines) > 5 else ""
        return f"<Allocation of {len(self)} items{': ' if shown else ''}{shown}{more}>"

    def winners_of(self, item: str) -> tuple[AgentId, ...]:
        """All winners of an item, in the order of the awards."""
        return tuple(line.winner for line in self.lines if line.item == item and line.winner and line.won)

    def violations(
        self, items: Iterable[Item], capabilities: Mapping[AgentId, Iterable[str]] | None = None
    ) -> list[str]:
        """What makes this allocation infeasible, one sentence each; empty if nothing does.

        Checks that every item and winner exists, that no item is awarded more often than it has units or copies, that
        prices are finite, and that winners have the capabilities that tasks require.
        """
        known = {item.id: item for item in items}
        taken: dict[str, int] = {}
        found = []
        for line in self.lines:
            item = known.get(line.item)
            if item is None:
                found.append(f"{line.item} was awarded, but is not on offer")
                continue
            if line.winner is None:
                continue
            if line.quantity < 0:
                found.append(f"{line.item} was awarded with a quantity of {line.quantity}")
            taken[line.item] = taken.get(line.item, 0) + line.quantity
            if line.price != line.price or abs(line.price) == float("inf"):
                found.append(f"{line.item} was awarded at {line.price}, which is no price")
            found.extend(_unfit(line, item, capabilities))
        for id_, count in taken.items():
            if count > units(known[id_]):
                found.append(f"{id_} was awarded {count} times, there are {units(known[id_])}")
        return found

    def check(
        self, items: Iterable[Item], capabilities: Mapping[AgentId, Iterable[str]] | None = None
    ) -> None:
        """Raise `LocalProtocolError` with the first violations, if there are any."""
        found = self.violations(items, capabilities)
        if found:
            raise LocalProtocolError("; ".join(found[:3]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Allocation) and self.lines == other.lines

    __hash__ = None  # type: ignore[assignment]  # a mapping, as dict has it

    def rows(self) -> list[dict[str, Any]]:
        """One plain dict per award, for tables."""
        return [{f: getattr(line, f) for f in line.__struct_fields__} for line in self.lines]


def _unfit(line: Award, item: Item, capabilities: Mapping[AgentId, Iterable[str]] | None) -> Iterator[str]:
    if capabilities is None or line.winner is None:
        return
    if line.winner not in capabilities:
        yield f"{line.item} was awarded to {line.winner}, who is unknown"
    elif isinstance(item, Task) and not set(item.requires) <= set(capabilities[line.winner]):
        missing = sorted(set(item.requires) - set(capabilities[line.winner]))
        yield f"{line.item} was awarded to {line.winner}, who lacks {', '.join(missing)}"


def units(item: Item) -> int:
    """How often an item can be awarded: the units of a lot, the copies of a task, once for anything else."""
    if isinstance(item, Lot):
        return item.quantity
    return item.copies if isinstance(item, Task) else 1
