"""Results: what a run has come to, as tables, metrics and files.

A runtime makes a `Result` from plain parts. It prints as a short table, goes to pandas a row per task, and is saved to a
folder from which it comes back equal (``docs/results.md`` has the schema and the definition of every metric).
"""

from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from walras.allocation import Allocation, Outcome
from walras.messages import AgentId, ConversationId
from walras.results.file import load_fields, save_result
from walras.results.metrics import Metrics, measure
from walras.results.records import AgentRecord, TaskRecord
from walras.results.summary import summary
from walras.scenario import Optimum
from walras.trace import Trace

if TYPE_CHECKING:
    import pandas

__all__ = ["AgentRecord", "Result", "TaskRecord"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has come to. Two results are equal if all parts are, traces by their digests.

    Examples:
        >>> from walras.trace import Trace
        >>> result = Result(seed=7, trace=Trace())
        >>> result.metrics["tasks"], result.metrics["latency_p50_s"]
        (0, None)
    """

    scenario: str = ""
    """The scenario's name; empty for a bare run."""
    mechanism: str = ""
    """The mechanism's protocol, or the label that a study gave it."""
    seed: int = 0
    stopped_because: str = ""
    ended_s: float = 0.0
    """Seconds from the run's epoch to its end."""
    records: tuple[TaskRecord, ...] = ()
    """One for each announced item, in the order of the announcements."""
    allocation: Allocation = msgspec.field(default_factory=Allocation)
    outcomes: dict[ConversationId, Outcome] = {}
    trace: Trace = msgspec.field(default_factory=Trace)
    balances: dict[str, float] = {}
    """Money by agent at the end; what still lies in escrow under ``escrow:...``."""
    agents: tuple[AgentRecord, ...] = ()
    optimum: Optimum | None = None
    """The yardstick for `efficiency`; None where it is not known."""
    overcommitments: int = 0
    """How often somebody was bound to pay what it did not have."""
    settings: dict[str, Any] = {}
    """What is needed to run it again, as JSON has it."""

    @property
    def digest(self) -> str:
        """The digest of the trace: equal where everything that happened was equal."""
        return self.trace.digest

    @property
    def metrics(self) -> Metrics:
        """All metrics by name; None where one is not defined."""
        return measure(self)

    def __str__(self) -> str:
        heading, rows = summary(self)
        widths = [max(len(row[k]) for row in rows) for k in (0, 1)]
        lines = [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        return "\n".join([heading, *lines])

    def __repr__(self) -> str:
        done = sum(record.done for record in self.records)
        return (
            f"<Result of {self.scenario or 'a bare run'} with {self.mechanism or 'no mechanism'}, seed {self.seed}: "
            f"{done} of {len(self.records)} tasks done, digest {self.digest[:12]}>"
        )

    def _repr_html_(self) -> str:
        heading, rows = summary(self)
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(a)}</th><td style='text-align:right'>{escape(b)}</td>"
            f"<td style='text-align:left'>{escape(c)}</td></tr>"
            for a, b, c in rows
        )
        return f"<table><caption style='text-align:left'>{escape(heading)}</caption>{cells}</table>"

    def agent(self, agent: AgentId) -> AgentRecord:
        """The record of one agent; KeyError if it was not there, with the nearest that was."""
        for record in self.agents:
            if record.id == agent:
                return record
        near = get_close_matches(agent, [record.id for record in self.agents], cutoff=0.0)
        raise KeyError(f"{agent!r} was not in this run; the nearest are {', '.join(near) or 'none'}")

    def to_pandas(self) -> "pandas.DataFrame":
        """One row per task: scenario, mechanism and seed, the fields of `TaskRecord`, and `latency_s`."""
        import pandas

        run = {"scenario": self.scenario, "mechanism": self.mechanism, "seed": self.seed}
        fields = TaskRecord.__struct_fields__
        rows = [run | {f: getattr(r, f) for f in fields} | {"latency_s": r.latency_s} for r in self.records]
        frame = pandas.DataFrame(rows, columns=[*run, *fields, "latency_s"])
        return frame.astype({"quality": float, "finished_s": float, "latency_s": float})

    def save(self, folder: str | Path, *, parquet: bool = False) -> None:
        """Save to a folder: ``result.json``, ``tasks.json`` (or ``tasks.parquet``) and ``trace.jsonl``.

        Raises:
            WalrasError: if the folder cannot be written, or if Parquet is wanted and pyarrow is not installed.
        """
        save_result(self, folder, parquet=parquet)

    @classmethod
    def load(cls, folder: str | Path) -> "Result":
        """A result equal to the one that was saved.

        Raises:
            WalrasError: naming the file and what was expected, if one is missing, damaged or of a newer version.
        """
        return cls(**load_fields(folder))
