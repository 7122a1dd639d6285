"""The trace of a run: rows in order of occurrence, a digest, transcripts, tables, files."""

from walras.trace.rows import Row
from walras.trace.trace import Difference, Trace, UnknownConversationError
from walras.trace.transcript import Transcript

__all__ = ["Difference", "Row", "Trace", "Transcript", "UnknownConversationError"]
