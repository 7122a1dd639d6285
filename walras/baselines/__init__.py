"""Baselines: the allocators that every table shows beside a mechanism, which has to earn its messages against them.

They are mechanisms like any other, so the same simulation runs them, all their messages included. In the taxonomy of
Gerkey and Matarić [1]_ they solve ST-SR-IA problems (a task at a time, one agent for a task, assigned as it arrives).
The central clairvoyant optimum is no mechanism: it is `Instance.optimum` of the scenario.

References
----------
.. [1] B. P. Gerkey and M. J. Matarić, "A formal analysis and taxonomy of task allocation in multi-robot systems",
   International Journal of Robotics Research 23(9), 2004.
"""

from walras.baselines.giving import Announcer, Dispatcher
from walras.baselines.messages import (
    Assign,
    Choice,
    Choose,
    Claim,
    Done,
    Leave,
    MayClaim,
    Open,
    Release,
    Take,
    Taken,
)
from walras.baselines.rules import (
    BestSingle,
    Cheapest,
    Dispatch,
    FirstComeClaim,
    Greedy,
    LeastLoaded,
    RandomAssignment,
    RoundRobin,
)
from walras.baselines.worker import Worker

__all__ = [
    "RandomAssignment",
    "RoundRobin",
    "FirstComeClaim",
    "Cheapest",
    "Greedy",
    "BestSingle",
    "LeastLoaded",
    "Dispatch",
    "Choose",
    "Choice",
    "MayClaim",
    "Take",
    "Leave",
    "Assign",
    "Done",
    "Release",
    "Open",
    "Claim",
    "Taken",
    "Dispatcher",
    "Announcer",
    "Worker",
]
