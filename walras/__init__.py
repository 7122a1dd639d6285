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
    from walras.accounts import Ledger as Ledger
    from walras.accounts import Posting as Posting
    from walras.agents import (
        Agent as Agent,
    )
    from walras.agents import (
        CostTable as CostTable,
    )
    from walras.agents import (
        Estimate as Estimate,
    )
    from walras.agents import (
        MarketView as MarketView,
    )
    from walras.agents import (
        Strategy as Strategy,
    )
    from walras.allocation import (
        Allocation as Allocation,
    )
    from walras.allocation import (
        Award as Award,
    )
    from walras.allocation import (
        Outcome as Outcome,
    )
    from walras.allocation import (
        Report as Report,
    )
    from walras.baselines import (
        BestSingle as BestSingle,
    )
    from walras.baselines import (
        Cheapest as Cheapest,
    )
    from walras.baselines import (
        FirstComeClaim as FirstComeClaim,
    )
    from walras.baselines import (
        Greedy as Greedy,
    )
    from walras.baselines import (
        LeastLoaded as LeastLoaded,
    )
    from walras.baselines import (
        RandomAssignment as RandomAssignment,
    )
    from walras.baselines import (
        RoundRobin as RoundRobin,
    )
    from walras.errors import (
        LocalProtocolError as LocalProtocolError,
    )
    from walras.errors import (
        RemoteProtocolError as RemoteProtocolError,
    )
    from walras.errors import (
        ScenarioError as ScenarioError,
    )
    from walras.errors import (
        WalrasError as WalrasError,
    )
    from walras.items import Bundle as Bundle
    from walras.items import Item as Item
    from walras.items import Lot as Lot
    from walras.items import Task as Task
    from walras.mechanism import Mechanism as Mechanism
    from walras.messages import (
        AgentId as AgentId,
    )
    from walras.messages import (
        ConversationId as ConversationId,
    )
    from walras.messages import (
        Envelope as Envelope,
    )
    from walras.messages import (
        Fact as Fact,
    )
    from walras.messages import (
        Message as Message,
    )
    from walras.messages import (
        Signed as Signed,
    )
    from walras.protocol import Protocol as Protocol
    from walras.protocol import on as on
    from walras.protocol import told as told
    from walras.questions import Commitment as Commitment
    from walras.questions import Question as Question
    from walras.results import Result as Result
    from walras.scenario import (
        Arrival as Arrival,
    )
    from walras.scenario import (
        Instance as Instance,
    )
    from walras.scenario import (
        Optimum as Optimum,
    )
    from walras.scenario import (
        Scenario as Scenario,
    )
    from walras.simulation import Network as Network
    from walras.simulation import Simulation as Simulation
    from walras.tally import Tally as Tally
    from walras.trace import Trace as Trace
    from walras.valuations import (
        Additive as Additive,
    )
    from walras.valuations import (
        SingleMinded as SingleMinded,
    )
    from walras.valuations import (
        Table as Table,
    )
    from walras.valuations import (
        UnitDemand as UnitDemand,
    )
    from walras.valuations import (
        Valuation as Valuation,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"walras.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
