"""Studies: mechanisms compared on the same worlds, with their statistics, pictures and reports.

What draws, tabulates or reads files is handed on lazily, so that a worker process loads none of it. `compare` is not:
module and function share their name, and the function is meant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from walras.study.compare import InterruptedStudyError, compare
from walras.study.runs import Conditions
from walras.study.study import Row, Study

_HOMES = {
    "declared": ("Declared", "load"),
    "plots": ("bars", "gantt", "prices", "sequence"),
    "report": ("write_report",),
    "statistics": ("bootstrap_quantile_interval", "mean_interval", "paired_difference"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["compare", "Study", "Row", "Conditions", "InterruptedStudyError", *_HOME_OF]  # noqa: PLE0604  # computed

if TYPE_CHECKING:
    from walras.study.declared import Declared as Declared, load as load
    from walras.study.plots import bars as bars, gantt as gantt, prices as prices, sequence as sequence
    from walras.study.report import write_report as write_report
    from walras.study.statistics import (
        bootstrap_quantile_interval as bootstrap_quantile_interval,
        mean_interval as mean_interval,
        paired_difference as paired_difference,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"walras.study has no {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(f"walras.study.{_HOME_OF[name]}"), name)
