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

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # computed, so that it cannot drift from the table

if TYPE_CHECKING:
    from contractnet.announcer import Announcer as Announcer
    from contractnet.awarding import (
        AwardRule as AwardRule,
        BestValue as BestValue,
        Weighted as Weighted,
        best_value as best_value,
        cheapest as cheapest,
        earliest_finish as earliest_finish,
    )
    from contractnet.contractor import Contractor as Contractor
    from contractnet.manager import Manager as Manager
    from contractnet.mechanism import ContractNet as ContractNet
    from contractnet.messages import (
        AcceptProposal as AcceptProposal,
        CallForProposals as CallForProposals,
        Cancel as Cancel,
        Failure as Failure,
        Inform as Inform,
        NotUnderstood as NotUnderstood,
        ProposalWanted as ProposalWanted,
        Propose as Propose,
        Refuse as Refuse,
        RejectProposal as RejectProposal,
        TieDecided as TieDecided,
    )
    from contractnet.strategies import (
        capacity_aware as capacity_aware,
        markup as markup,
        truthful as truthful,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(
            f"contractnet has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}"
        )
    return getattr(import_module(f"contractnet.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
