"""Results as folders: a head, the tasks and the trace, versioned and checked. The layout is in ``docs/results.md``."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from io import BytesIO
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from walras.allocation import Allocation, Award, Outcome
from walras.errors import WalrasError
from walras.results.records import AgentRecord, TaskRecord
from walras.scenario import Optimum
from walras.trace import Trace
from walras.trace.file import from_json, to_json
from walras.trace.rows import Counts, decode, tamed

if TYPE_CHECKING:
    from walras.results import Result

T = TypeVar("T")

VERSION = 1
"""The version of the folder's layout; readers read all versions up to theirs."""

HEAD, TASKS, TABLE, TRACE = "result.json", "tasks.json", "tasks.parquet", "trace.jsonl"


class TraceHead(msgspec.Struct, frozen=True):
    """What ``result.json`` says of the trace; `kept` is false where its rows were only counted and hashed."""

    digest: str
    rows: int
    kept: bool
    messages: dict[str, int]
    bytes: int
    defaults: dict[str, int] = {}
    first_default: str = ""

    def counts(self) -> Counts:
        """As the trace counts them."""
        counts = Counts()
        counts.by_type.update(self.messages)
        counts.defaults.update(self.defaults)
        counts.bytes, counts.first_default = self.bytes, self.first_default
        return counts


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What ``result.json`` holds; earlier versions of Walras did not write the SHA-256 of the table's file."""

    walras_result: int
    scenario: str
    mechanism: str
    seed: int
    stopped_because: str
    ended_s: float
    tasks: int
    table: str
    table_sha256: str = ""
    allocation: tuple[Award, ...]
    outcomes: dict[str, Outcome]
    balances: dict[str, float]
    agents: tuple[AgentRecord, ...]
    optimum: Optimum | None
    overcommitments: int
    settings: dict[str, Any]
    trace: TraceHead


_SHARED = (
    "scenario", "mechanism", "seed", "stopped_because", "ended_s", "outcomes", "balances", "agents", "optimum",
    "overcommitments", "settings",
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------- saving


def save_result(result: "Result", folder: str | Path, *, parquet: bool) -> None:
    """Write a result's files; ``result.json`` comes last, so that a folder with it is complete."""
    place = Path(folder)
    table = TABLE if parquet else TASKS
    tasks = (_table if parquet else _tasks)(result.records)
    head = _pretty(_fields(_head(result, table, tasks)))
    try:  # only now, with everything encoded, is an earlier result deleted
        place.mkdir(parents=True, exist_ok=True)
        for name in (HEAD, TASKS, TABLE, TRACE):
            (place / name).unlink(missing_ok=True)
        if result.trace.kept:
            result.trace.to_jsonl(place / TRACE)
        (place / table).write_bytes(tasks)
        (place / HEAD).write_bytes(head)
    except OSError as error:
        raise WalrasError(
            f"{place} cannot be written: {error.strerror}; expected a folder of one's own"
        ) from None


def _head(result: "Result", table: str, content: bytes) -> Head:
    trace = result.trace
    kept = TraceHead(
        trace.digest, len(trace), trace.kept, trace.message_counts(), trace.bytes, trace.default_counts(),
        trace.first_default,
    )  # fmt: skip
    return Head(
        walras_result=VERSION,
        tasks=len(result.records),
        table=table,
        table_sha256=sha256(content).hexdigest(),
        allocation=result.allocation.lines,
        trace=kept,
        **{name: getattr(result, name) for name in _SHARED},
    )


def _tasks(records: Sequence[TaskRecord]) -> bytes:
    return _pretty(_rows(records))


def _table(records: Sequence[TaskRecord]) -> bytes:
    arrow, tables = _pyarrow()
    buffer = BytesIO()
    tables.write_table(arrow.Table.from_pylist(_rows(records), _schema(arrow)), buffer)
    return buffer.getvalue()


def _rows(records: Sequence[TaskRecord]) -> Any:
    with _complaining("records"):
        sound = map(_sound, records)
        return _plain([{f: getattr(record, f) for f in TaskRecord.__struct_fields__} for record in sound])


def _fields(head: Head) -> dict[str, Any]:
    found = {}
    for name in Head.__struct_fields__:
        with _complaining(name):
            found[name] = _plain(_sound(getattr(head, name)))
    return found


@contextmanager
def _complaining(name: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise WalrasError(
            f"{name} of the result cannot be saved: {_first_line(error)}; expected plain values"
        ) from None


def _plain(value: Any) -> Any:
    """Structs as dicts, tuples as lists and numbers of numpy as Python's; NaN and infinities as they are."""
    try:
        return decode(_encode(value))
    except UnicodeError:  # half a character, as what minds say may have: it is written as in the trace
        return decode(_encode(tamed(value)))


def _sound(value: Any) -> Any:
    """As `value`, with plain numbers where structs declare numbers: JSON keeps True apart from 1.0."""
    if isinstance(value, msgspec.Struct):
        changed = {}
        for name, cast in _casts(type(value)):
            old = getattr(value, name)
            new = _sound(old) if cast is None or old is None else cast(old)
            if new is not old:
                changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, tuple):
        return tuple(map(_sound, value))
    if isinstance(value, list):
        return list(map(_sound, value))
    if isinstance(value, dict):
        return {key: _sound(inner) for key, inner in value.items()}
    return value


@cache
def _casts(cls: type[msgspec.Struct]) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    casts: dict[Any, Callable[[Any], Any]] = {float: float, float | None: float, int: index}
    return tuple((field.name, casts.get(field.type)) for field in msgspec.structs.fields(cls))


def _numpy(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=_numpy).encode


def _pretty(plain: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(to_json(plain)), indent=1) + b"\n"


def _schema(arrow: Any) -> Any:
    columns = {float: arrow.float64(), int: arrow.int64(), float | None: arrow.float64()}
    return arrow.schema(
        [(f.name, columns.get(f.type, arrow.string())) for f in msgspec.structs.fields(TaskRecord)]
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise WalrasError(f"{TABLE} needs pyarrow; install it with: pip install 'walras[parquet]'") from None


# -------------------------------------------------------------------------------------------------------- loading


def load_fields(folder: str | Path) -> dict[str, Any]:
    """The fields of the result that was saved in a folder."""
    place = Path(folder)
    head = _read_head(place / HEAD)
    records = _read_tasks(place, head)
    shared = {name: getattr(head, name) for name in _SHARED}
    return {
        **shared, "records": records, "allocation": Allocation(head.allocation), "trace": _read_trace(place, head.trace),
    }  # fmt: skip


def _read_head(path: Path) -> Head:
    found = _read_json(path)
    version = found.get("walras_result") if isinstance(found, dict) else None
    if not isinstance(version, int) or version < 1:
        raise WalrasError(
            f"{path} is not the head of a saved result; expected a JSON object with walras_result in it"
        )
    if version > VERSION:
        raise WalrasError(
            f"{path} is of version {version}; expected {VERSION} or less: a newer Walras wrote it"
        )
    return _convert(path, found, Head)


def _read_tasks(place: Path, head: Head) -> tuple[TaskRecord, ...]:
    table = head.table
    if table not in (TASKS, TABLE):
        raise WalrasError(f"{place / HEAD} names {table!r} for its tasks; expected {TASKS} or {TABLE}")
    path = place / table
    found = _read_table(path) if table == TABLE else _read_json(path)
    records = _convert(path, found, tuple[TaskRecord, ...])
    if len(records) != head.tasks:
        raise WalrasError(f"{path} has {len(records)} tasks; expected {head.tasks}, as {HEAD} says")
    digest = sha256(path.read_bytes()).hexdigest()
    if head.table_sha256 and digest != head.table_sha256:
        raise WalrasError(
            f"{path} has the SHA-256 {digest[:12]}...; expected {head.table_sha256[:12]}..., as {HEAD} says: "
            "it was changed, or belongs to another run"
        )
    return records


def _read_table(path: Path) -> Any:
    arrow, tables = _pyarrow()
    try:
        return tables.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise WalrasError(f"{path} cannot be read: {_first_line(error)}; expected tasks as Parquet") from None


def _read_trace(place: Path, head: TraceHead) -> Trace:
    if not head.kept:
        return Trace.counted(head.digest, head.rows, head.counts())
    trace = Trace.from_jsonl(place / TRACE)
    if trace.digest != head.digest:
        raise WalrasError(
            f"{place / TRACE} has the digest {trace.digest[:12]}...; expected {head.digest[:12]}..., as {HEAD} says: "
            "it belongs to another run"
        )
    return trace


def _read_json(path: Path) -> Any:
    try:
        return from_json(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise WalrasError(
            f"{path} cannot be read: {error.strerror}; expected a file of a saved result"
        ) from None
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise WalrasError(
            f"{path} is damaged: {_first_line(error)}; expected JSON as Walras writes it"
        ) from None


def _convert(path: Path, found: Any, type_: type[T]) -> T:
    try:
        return msgspec.convert(found, type_)
    except msgspec.ValidationError as error:
        raise WalrasError(f"{path} is damaged: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
