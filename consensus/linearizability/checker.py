"""The search for a linearization.

Wing and Gong's algorithm: of the operations that could come first (none has returned before they were called) take one
whose result the state can give, go on with the others, and come back if that leads nowhere. Lowe's memo: do not enter
again what has been entered, the same set of operations done in the same state.

References:
    J. M. Wing and C. Gong, Testing and Verifying Concurrent Objects, J. Parallel Distrib. Comput. 17, 1993, section 4.
    G. Lowe, Testing for Linearizability, Concurrency and Computation: Practice and Experience 29(4), 2017, section 3.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from consensus.linearizability.events import HistoryError, Operation, shown
from consensus.linearizability.models import IMPOSSIBLE, Model

SHOWN = 12
"""How many of the ordered operations the text of an impasse shows: the last ones."""


class Impasse(NamedTuple):
    """Where a history stops being linearizable.

    Attributes:
        key: the object it is about.
        order: an order of the operations of the longest linearizable prefix, the events before `until`.
        state: the state after them.
        blocked: the operation whose return, event `until`, no order accounts for.
        open: the other operations that were called by then and are not in `order`.
    """

    key: str | int | None
    order: tuple[Operation, ...]
    state: Hashable
    blocked: Operation
    open: tuple[Operation, ...]

    @property
    def until(self) -> int:
        """The event that no order accounts for."""
        assert self.blocked.returned is not None, "only a return can block"
        return self.blocked.returned

    def __str__(self) -> str:
        """The failing sub-history, a line for each operation."""
        left_out = len(self.order) - SHOWN
        lines = ["not linearizable" if self.key is None else f"not linearizable: key {self.key!r}"]
        lines += [f"the history before event {self.until} can be ordered, for example so:"]
        lines += [f"    ... {left_out} earlier operations"] if left_out > 0 else []
        lines += [f"    {operation}" for operation in self.order[-SHOWN:]] or [
            "    (nothing has happened yet)"
        ]
        lines += [f"which leaves the state {shown(self.state)}"]
        lines += [f"but no order explains what returned in event {self.until}:", f"    {self.blocked}"]
        if self.open:
            lines += ["whatever is made of these, which were open too:", *(f"    {o}" for o in self.open)]
        return "\n".join(lines)


class Verdict(NamedTuple):
    """The answer of `check`.

    Attributes:
        linearizable: True or False; None if the budget ran out before it was known.
        operations: how many operations the history has.
        keys: how many independent objects.
        steps: how many steps of the model were tried.
        impasse: where a history that is not linearizable stops being so.
    """

    linearizable: bool | None
    operations: int
    keys: int
    steps: int
    impasse: Impasse | None = None

    def __str__(self) -> str:
        if self.impasse is not None:
            return str(self.impasse)
        answer = "linearizable" if self.linearizable else "unknown: the budget ran out"
        return f"{answer} ({self.operations} operations, {self.keys} keys, {self.steps} steps)"


def check(history: Sequence[Operation], model: Model, budget: int | None = None) -> Verdict:
    """Whether a history is linearizable.

    Keys are taken one by one, those with the fewest operations first, up to the first that is not linearizable.

    Args:
        history: the operations, from `operations_of`.
        model: what the object is; see `Model`.
        budget: how many steps of the model may be tried in all, 1 or more; each key gets its share of what the keys
            before it have left over. None: as many as it takes, which is exponential at worst.

    Raises:
        HistoryError: if the model does not know an operation, or gives a state that cannot be hashed.
    """
    if budget is not None and budget < 1:
        raise HistoryError(f"the budget is {budget} steps; expected 1 or more")
    objects: dict[str | int | None, list[Operation]] = {}
    for operation in history:
        model.step(model.initial, operation)  # so that what the model does not know is said in any case
        objects.setdefault(operation.key if model.by_key else None, []).append(operation)
    steps, answer = 0, True
    for left, (key, operations) in zip(
        range(len(objects), 0, -1), sorted(objects.items(), key=lambda item: len(item[1])), strict=True
    ):
        share = None if budget is None else (budget - steps) // left
        search = _Search(operations, model)
        found = search.run(share)
        steps += search.steps
        if found is False:
            return Verdict(False, len(history), len(objects), steps, search.impasse(key))
        answer = answer and found is True
    return Verdict(answer or None, len(history), len(objects), steps)


class _Search:
    """The operations of one object as a linked list of calls and returns, and the way through it so far.

    Nodes are the events in their order, from 1; node 0 closes the ring. What is put in order is lifted out, so that the
    calls before the first return are those which may come next.
    """

    def __init__(self, operations: Sequence[Operation], model: Model) -> None:
        self.operations = operations
        self.model = model
        events = [(o.called, False, i) for i, o in enumerate(operations)]
        events += [(o.returned, True, i) for i, o in enumerate(operations) if o.returned is not None]
        events.sort()
        self.owner = [-1, *(i for _, _, i in events)]
        self.is_call = [False, *(not returns for _, returns, _ in events)]
        self.after = [*range(1, len(events) + 1), 0]
        self.before = [len(events), *range(len(events))]
        self.call_of = [0] * len(operations)
        self.return_of = [0] * len(operations)
        for node in range(1, len(events) + 1):
            (self.call_of if self.is_call[node] else self.return_of)[self.owner[node]] = node
        self.steps = 0
        self.way: list[tuple[int, Hashable]] = []
        self.state = model.initial
        self.furthest = (0, -1)
        self.furthest_order: list[int] = []
        self.furthest_state: Hashable = model.initial

    def run(self, budget: int | None) -> bool | None:
        """Search; None if the budget ran out. What never returned may be put in order and need not."""
        step, operations, owner, is_call = self.model.step, self.operations, self.owner, self.is_call
        ends = [operation.returned is not None for operation in operations]
        waiting, done = sum(ends), 0
        entered: dict[Hashable, set[int]] = {}
        _masks(entered, self.state).add(0)
        node = self.after[0]
        while waiting:
            i = owner[node]
            if is_call[node]:
                if self.steps == budget:
                    return None
                self.steps += 1
                state = step(self.state, operations[i])
                # What never returned is put in order only where it makes a difference.
                if state is not IMPOSSIBLE and (ends[i] or state != self.state):
                    masks, mask = _masks(entered, state), done | 1 << i
                    if mask not in masks:
                        masks.add(mask)
                        self.way.append((i, self.state))
                        self.lift(i)
                        done, self.state, waiting = mask, state, waiting - ends[i]
                        node = 0  # the first call once more
            else:
                self.remember(node)
                if not self.way:
                    return False
                i, self.state = self.way.pop()
                self.put_back(i)
                done, waiting = done ^ 1 << i, waiting + ends[i]
                node = self.call_of[i]
            node = self.after[node]
        return True

    def lift(self, i: int) -> None:
        after, before = self.after, self.before
        for node in (self.call_of[i], self.return_of[i]):
            if node:
                after[before[node]], before[after[node]] = after[node], before[node]

    def put_back(self, i: int) -> None:
        after, before = self.after, self.before
        for node in (self.return_of[i], self.call_of[i]):
            if node:
                after[before[node]] = before[after[node]] = node

    def remember(self, node: int) -> None:
        """Keep the way that has come furthest: the latest return reached, with the most operations in order."""
        reached = (node, len(self.way))
        if reached > self.furthest:
            self.furthest = reached
            self.furthest_order = [i for i, _ in self.way]
            self.furthest_state = self.state

    def impasse(self, key: str | int | None) -> Impasse:
        """Where it ended for good."""
        node = self.furthest[0]
        blocked = self.operations[self.owner[node]]
        ordered = set(self.furthest_order)
        others = [
            o
            for i, o in enumerate(self.operations)
            if i not in ordered and self.call_of[i] < node and o is not blocked
        ]
        order = tuple(self.operations[i] for i in self.furthest_order)
        return Impasse(key, order, self.furthest_state, blocked, tuple(others))


def _masks(entered: dict[Hashable, set[int]], state: Hashable) -> set[int]:
    try:
        return entered.setdefault(state, set())
    except TypeError:
        raise HistoryError(f"the model gives a state that cannot be hashed: {state!r}") from None
