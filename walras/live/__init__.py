"""Live markets: the same protocols among real participants, on asyncio. Start from `Live`.

Names are handed on lazily, so that what needs one part loads no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "answers": ("Answered", "Usage"),
    "approval": ("Approved",),
    "approval_rules": ("Gate", "No", "Yes"),
    "budget": ("Budget", "Budgets", "Limits"),
    "cache": ("AnswerCache",),
    "cascade": ("Cascade",),
    "desk": ("Desk",),
    "door": ("Door", "LineRules"),
    "feed": ("DeskRules",),
    "guard": ("Guard", "GuardRules"),
    "journal": ("Journal", "JournalError"),
    "live": ("Live",),
    "memory": ("Memory",),
    "participant": ("Ask", "Participant", "Reply", "Retryable"),
    "passes": ("Passes", "RefusedError"),
    "prices": ("Price",),
    "prompts": ("Prompts",),
    "recording": ("Recording", "Replayed", "read_entries"),
    "settings": ("Rules",),
    "telemetry": ("Counted", "FactLog", "Traced"),
    "wire": ("Peer", "Wire"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # computed, so that it cannot drift from the table

if TYPE_CHECKING:
    from walras.live.answers import Answered as Answered, Usage as Usage
    from walras.live.approval import Approved as Approved
    from walras.live.approval_rules import Gate as Gate, No as No, Yes as Yes
    from walras.live.budget import Budget as Budget, Budgets as Budgets, Limits as Limits
    from walras.live.cache import AnswerCache as AnswerCache
    from walras.live.cascade import Cascade as Cascade
    from walras.live.desk import Desk as Desk
    from walras.live.door import Door as Door, LineRules as LineRules
    from walras.live.feed import DeskRules as DeskRules
    from walras.live.guard import Guard as Guard, GuardRules as GuardRules
    from walras.live.journal import Journal as Journal, JournalError as JournalError
    from walras.live.live import Live as Live
    from walras.live.memory import Memory as Memory
    from walras.live.participant import (
        Ask as Ask,
        Participant as Participant,
        Reply as Reply,
        Retryable as Retryable,
    )
    from walras.live.passes import Passes as Passes, RefusedError as RefusedError
    from walras.live.prices import Price as Price
    from walras.live.prompts import Prompts as Prompts
    from walras.live.recording import (
        Recording as Recording,
        Replayed as Replayed,
        read_entries as read_entries,
    )
    from walras.live.settings import Rules as Rules
    from walras.live.telemetry import Counted as Counted, FactLog as FactLog, Traced as Traced
    from walras.live.wire import Peer as Peer, Wire as Wire


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras.live has no {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(f"walras.live.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
