"""Walras: markets of agents, simulated and live, with the same protocol code.

The public nouns are handed on lazily: importing a protocol loads neither SimPy nor Mesa nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "accounts": ("Ledger", "Posting"),
    "agents": ("Agent", "CostTable", "Estimate", "MarketView", "Strategy"),
    "allocation": ("Allocation", "Award", "Outcome", "Report"),
    "baselines": (
        "BestSingle",
        "Cheapest",
        "FirstComeClaim",
        "Greedy",
        "LeastLoaded",
        "RandomAssignment",
        "RoundRobin",
    ),
    "errors": ("LocalProtocolError", "RemoteProtocolError", "ScenarioError", "WalrasError"),
    "items": ("Bundle", "Item", "Lot", "Task"),
    "mechanism": ("Mechanism",),
    "messages": ("AgentId", "ConversationId", "Envelope", "Fact", "Message", "Signed"),
    "protocol": ("Protocol", "on", "told"),
    "questions": ("Commitment", "Question"),
    "results": ("Result",),
    "scenario": ("Arrival", "Instance", "Optimum", "Scenario"),
    "simulation": ("Network", "Simulation"),
    "tally": ("Tally",),
    "trace": ("Trace",),
    "valuations": ("Additive", "SingleMinded", "Table", "UnitDemand", "Valuation"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604  # computed, so that it cannot drift from the table

if TYPE_CHECKING:
    from walras.accounts import Ledger as Ledger, Posting as Posting
    from walras.agents import (
        Agent as Agent,
        CostTable as CostTable,
        Estimate as Estimate,
        MarketView as MarketView,
        Strategy as Strategy,
    )
    from walras.allocation import (
        Allocation as Allocation,
        Award as Award,
        Outcome as Outcome,
        Report as Report,
    )
    from walras.baselines import (
        BestSingle as BestSingle,
        Cheapest as Cheapest,
        FirstComeClaim as FirstComeClaim,
        Greedy as Greedy,
        LeastLoaded as LeastLoaded,
        RandomAssignment as RandomAssignment,
        RoundRobin as RoundRobin,
    )
    from walras.errors import (
        LocalProtocolError as LocalProtocolError,
        RemoteProtocolError as RemoteProtocolError,
        ScenarioError as ScenarioError,
        WalrasError as WalrasError,
    )
    from walras.items import Bundle as Bundle, Item as Item, Lot as Lot, Task as Task
    from walras.mechanism import Mechanism as Mechanism
    from walras.messages import (
        AgentId as AgentId,
        ConversationId as ConversationId,
        Envelope as Envelope,
        Fact as Fact,
        Message as Message,
        Signed as Signed,
    )
    from walras.protocol import Protocol as Protocol, on as on, told as told
    from walras.questions import Commitment as Commitment, Question as Question
    from walras.results import Result as Result
    from walras.scenario import (
        Arrival as Arrival,
        Instance as Instance,
        Optimum as Optimum,
        Scenario as Scenario,
    )
    from walras.simulation import Network as Network, Simulation as Simulation
    from walras.tally import Tally as Tally
    from walras.trace import Trace as Trace
    from walras.valuations import (
        Additive as Additive,
        SingleMinded as SingleMinded,
        Table as Table,
        UnitDemand as UnitDemand,
        Valuation as Valuation,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"walras.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
