"""What a run has come to: one record per item and agent, metrics, a printed table, a folder on disk."""

from walras.results.records import AgentRecord, TaskRecord
from walras.results.result import Result

__all__ = ["AgentRecord", "Result", "TaskRecord"]
