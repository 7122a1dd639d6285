"""Was this history of operations one that a single, undivided object could have given?

A history says who called what when, and what came back. It is *linearizable* (Herlihy and Wing, 1990) if every operation
can be given one instant between its call and its return such that, taken in the order of these instants, each result is
the one that the model of the object gives. `check` decides it, and shows what cannot be ordered where it is not::

    events = read_history("history.jsonl")
    print(check(operations_of(events), KEY_VALUE))

``python -m consensus.linearizability FILE --model kv`` does the same from a shell. `Recorder` takes the events down and
`to_json_lines` writes them.
"""

from consensus.linearizability.checker import Impasse, Verdict, check
from consensus.linearizability.events import Event, HistoryError, Operation, Recorder, operations_of
from consensus.linearizability.formats import parse_history, read_history, to_json_lines
from consensus.linearizability.models import (
    AWARD_LOG,
    IMPOSSIBLE,
    KEY_VALUE,
    MODELS,
    REGISTER,
    Model,
    find_model,
)

__all__ = [
    "check",
    "Verdict",
    "Impasse",
    "Event",
    "Operation",
    "operations_of",
    "Recorder",
    "HistoryError",
    "read_history",
    "parse_history",
    "to_json_lines",
    "Model",
    "IMPOSSIBLE",
    "REGISTER",
    "KEY_VALUE",
    "AWARD_LOG",
    "MODELS",
    "find_model",
]
