"""Contract Net: a manager announces a task, contractors propose, the best proposal is accepted, its result is paid.

The standard protocol (FIPA SC00029H, after Smith 1980) with binding proposals, deadlines for every silence, and the
cancel meta-protocol. Start from `ContractNet`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "announcer": ("Announcer",),
    "awarding": ("AwardRule", "BestValue", "Weighted", "best_value", "cheapest", "earliest_finish"),
    "contractor": ("Contractor",),
    "manager": ("Manager",),
    "mechanism": ("ContractNet",),
    "messages": (
        "AcceptProposal",
        "CallForProposals",
        "Cancel",
        "Failure",
        "Inform",
        "NotUnderstood",
        "ProposalWanted",
        "Propose",
        "Refuse",
        "RejectProposal",
        "TieDecided",
    ),
    "strategies": ("capacity_aware", "markup", "truthful"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from contractnet.announcer import Announcer
    from contractnet.awarding import AwardRule, BestValue, Weighted, best_value, cheapest, earliest_finish
    from contractnet.contractor import Contractor
    from contractnet.manager import Manager
    from contractnet.mechanism import ContractNet
    from contractnet.messages import (
        AcceptProposal,
        CallForProposals,
        Cancel,
        Failure,
        Inform,
        NotUnderstood,
        ProposalWanted,
        Propose,
        Refuse,
        RejectProposal,
        TieDecided,
    )
    from contractnet.strategies import capacity_aware, markup, truthful

__all__ = [
    "AcceptProposal",
    "Announcer",
    "AwardRule",
    "BestValue",
    "CallForProposals",
    "Cancel",
    "ContractNet",
    "Contractor",
    "Failure",
    "Inform",
    "Manager",
    "NotUnderstood",
    "ProposalWanted",
    "Propose",
    "Refuse",
    "RejectProposal",
    "TieDecided",
    "Weighted",
    "best_value",
    "capacity_aware",
    "cheapest",
    "earliest_finish",
    "markup",
    "truthful",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(
            f"contractnet has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}"
        )
    return getattr(import_module(f"contractnet.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
