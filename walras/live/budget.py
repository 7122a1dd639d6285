"""Budgets that are reserved before a call: of a run, of each conversation, of each agent.

A call is charged what it took; a call that failed, or was given up, is charged what was reserved for it, since
nobody knows what it took. Where a price is unknown the sum that `unknown_usd` assumes counts against the limit, and is
reported apart from what is known.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from walras.errors import ScenarioError
from walras.live.answers import Usage, is_amount
from walras.messages import AgentId, ConversationId

UNITS = ("usd", "tokens", "calls")


class OverBudgetError(Exception):
    """A call would exceed a limit; it has not been made."""


class Limits(msgspec.Struct, frozen=True):
    """The most that may be spent; infinite: as much as it takes; 0: nothing, so only what is known to be free is called.

    Raises:
        ScenarioError: for a limit that is not a number of 0 or more.
    """

    usd: float = math.inf
    tokens: float = math.inf
    calls: float = math.inf

    def __post_init__(self) -> None:
        for unit in UNITS:
            limit = getattr(self, unit)
            if not isinstance(limit, int | float) or not limit >= 0:
                raise ScenarioError(f"limit of {unit}", limit, "a number of 0 or more")


NO_LIMITS = Limits()


class Amounts(msgspec.Struct, frozen=True):
    """So much of each unit, unknowns filled in; `assumed`: the money is a guess."""

    usd: float = 0.0
    tokens: float = 0.0
    calls: float = 0.0
    assumed: bool = False


class Budget(msgspec.Struct):
    """What one account has spent and reserved, in each unit, against its limits."""

    name: str
    limits: Limits = NO_LIMITS
    usd: float = 0.0
    """Known cost."""
    assumed_usd: float = 0.0
    """What was counted for calls of which nobody knows the cost."""
    tokens: float = 0.0
    calls: float = 0.0
    reserved: dict[int, Amounts] = {}
    """What is set aside for calls under way, by their number."""
    held: Amounts = Amounts()
    """All of that together; not counted where nothing is limited."""

    def hold(self, number: int, amounts: Amounts) -> None:
        """Set aside what a call may take."""
        self.reserved[number] = amounts
        if self.limits is NO_LIMITS:
            return
        held = self.held
        self.held = Amounts(held.usd + amounts.usd, held.tokens + amounts.tokens, held.calls + amounts.calls)

    def release(self, number: int) -> bool:
        """A call is over; whether anything was still set aside for it."""
        amounts = self.reserved.pop(number, None)
        if amounts is None:
            return False
        if self.limits is NO_LIMITS:
            return True
        held = self.held
        self.held = Amounts(held.usd - amounts.usd, held.tokens - amounts.tokens, held.calls - amounts.calls)
        if not self.reserved:
            self.held = Amounts()  # and not what sums of floats leave behind
        return True

    def left(self, unit: str) -> float:
        """What is neither spent nor reserved of ``usd``, ``tokens`` or ``calls``."""
        spent: float = getattr(self, unit) + (self.assumed_usd if unit == "usd" else 0.0)
        limit: float = getattr(self.limits, unit)
        held: float = getattr(self.held, unit)
        return limit - spent - held

    def shortage(self, more: Amounts) -> str:
        """Which limit so much more would exceed, in a sentence; empty if none."""
        if self.limits is NO_LIMITS:
            return ""
        for unit in UNITS:
            limit = getattr(self.limits, unit)
            if limit == math.inf:
                continue
            needed, left = getattr(more, unit), self.left(unit)
            if needed > left + 1e-12 * limit:  # sums of cents are not exact
                return f"{self.name} has {left:.6g} of {limit:g} {unit} left, a call may need {needed:.6g}"
        return ""

    def charge(self, spent: Amounts) -> None:
        """Add to what was spent, also beyond the limit: it has happened."""
        self.tokens += spent.tokens
        self.calls += spent.calls
        if spent.assumed:
            self.assumed_usd += spent.usd
        else:
            self.usd += spent.usd


class Reservation:
    """What is set aside for one call, in all its budgets; used up by `settle`, once."""

    __slots__ = ("amounts", "budgets", "number")

    def __init__(self, number: int, budgets: tuple[Budget, ...], amounts: Amounts) -> None:
        self.number, self.budgets, self.amounts = number, budgets, amounts
        for budget in budgets:
            budget.hold(number, amounts)

    def settle(self, usage: Usage | None) -> None:
        """Charge what the call took; what is unknown as it was reserved, all of it if nothing is known (None)."""
        spent = _amounts(usage if usage is not None else Usage(), self.amounts)
        for budget in self.budgets:
            if budget.release(self.number):
                budget.charge(spent)


class Budgets:
    """The hierarchy: every call counts against its run, its conversation and its agent at once.

    Args:
        run: limits of everything together.
        conversation: limits of each conversation.
        agent: limits of each agent; `agents` has those of agents with limits of their own.
        unknown_usd: what a call of unknown cost is assumed to cost; None: such calls are refused where money is limited.

    Raises:
        ScenarioError: for an `unknown_usd` that is not above 0: unknown is not free.
    """

    def __init__(
        self,
        run: Limits = NO_LIMITS,
        conversation: Limits = NO_LIMITS,
        agent: Limits = NO_LIMITS,
        *,
        agents: Mapping[AgentId, Limits] | None = None,
        unknown_usd: float | None = 0.05,
    ) -> None:
        if unknown_usd is not None and not 0 < unknown_usd < math.inf:
            raise ScenarioError(
                "unknown_usd", unknown_usd, "a finite number above 0, since unknown is not free, or None"
            )
        self.run = Budget("the run", run)
        self.unknown_usd = unknown_usd
        self.each_conversation, self.each_agent = conversation, agent
        self.own = agents or {}
        self.conversations: dict[ConversationId, Budget] = {}
        self.agents: dict[AgentId, Budget] = {}
        self.reservations = 0

    def of_conversation(self, conversation: ConversationId) -> Budget:
        """What a conversation has spent."""
        found = self.conversations.get(conversation)
        if found is None:
            found = self.conversations[conversation] = Budget(conversation, self.each_conversation)
        return found

    def of_agent(self, agent: AgentId) -> Budget:
        """What an agent has spent."""
        found = self.agents.get(agent)
        if found is None:
            found = self.agents[agent] = Budget(agent, self.own.get(agent, self.each_agent))
        return found

    def reserve(self, agent: AgentId, conversation: ConversationId, estimate: Usage) -> Reservation:
        """Set aside what a call may take, in all its budgets or in none.

        Raises:
            OverBudgetError: if one of them has too little left.
        """
        budgets = (self.run, self.of_conversation(conversation), self.of_agent(agent))
        if self.unknown_usd is None and not is_amount(estimate.cost_usd):
            _refuse_unpriced(budgets)
        amounts = _amounts(estimate, Amounts(self.unknown_usd or 0.0))
        for budget in budgets:
            if why := budget.shortage(amounts):
                raise OverBudgetError(why)
        self.reservations += 1
        return Reservation(self.reservations, budgets, amounts)

    def resume(self, agent: AgentId, conversation: ConversationId | None, usage: Usage) -> None:
        """Charge what calls in the life before a restart took; None: to no conversation, since that one is over."""
        budgets = [self.run, self.of_agent(agent)]
        if conversation is not None:
            budgets.append(self.of_conversation(conversation))
        spent = _amounts(usage, Amounts((self.unknown_usd or 0.0) * usage.calls))
        for budget in budgets:
            budget.charge(spent)

    def forget(self, conversation: ConversationId) -> None:
        """A conversation is over: its account goes; what it spent stays in those of the run and of the agents."""
        self.conversations.pop(conversation, None)


def _amounts(usage: Usage, unknown: Amounts) -> Amounts:
    """What was used, with what it leaves open taken from `unknown`."""
    return Amounts(
        usage.cost_usd if is_amount(usage.cost_usd) else unknown.usd,
        usage.tokens if is_amount(usage.tokens) else unknown.tokens,
        usage.calls if is_amount(usage.calls) else 1,
        assumed=not is_amount(usage.cost_usd),
    )


def _refuse_unpriced(budgets: Iterable[Budget]) -> None:
    for budget in budgets:
        if budget.limits.usd < math.inf:
            raise OverBudgetError(
                f"{budget.name} has a limit in money, and the price of this call is unknown"
            )
