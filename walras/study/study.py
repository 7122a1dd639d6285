"""A study: what every mechanism came to in every world, as a table, with its statistics, as a picture and as files."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from walras.errors import WalrasError
from walras.study import catalogue
from walras.study.comparison import columns_for
from walras.study.summary import Line, counts_a_type, draw, summarise
from walras.trace.file import from_json, to_json

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

HEAD, TABLE = "study.json", "table.csv"
VERSION = 1


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One run: of which scenario (of which version), mechanism and seed, and what it came to.

    `error` says why there are no metrics; it is empty where there are.
    """

    scenario: str
    mechanism: str
    seed: int
    version: int
    digest: str = ""
    stopped_because: str = ""
    error: str = ""
    metrics: dict[str, float | int | bool | None] = {}


class _File(msgspec.Struct, frozen=True):
    walras_study: int
    settings: dict[str, Any]
    rows: list[Row]


class Study:
    """Runs of several mechanisms in the same worlds; `walras.study.compare` makes one.

    Args:
        rows: the runs.
        settings: for each scenario, all that is needed to run it again, in the layout of a settings file.
    """

    def __init__(self, rows: Iterable[Row], settings: Mapping[str, Any] | None = None) -> None:
        self.rows = tuple(rows)
        self.settings = dict(settings or {})

    @property
    def scenarios(self) -> list[str]:
        """Labels of the scenarios, in the order of the rows."""
        return list(dict.fromkeys(row.scenario for row in self.rows))

    @property
    def mechanisms(self) -> list[str]:
        """Labels of the mechanisms, in the order of the rows."""
        return list(dict.fromkeys(row.mechanism for row in self.rows))

    @property
    def errors(self) -> list[Row]:
        """The runs that failed."""
        return [row for row in self.rows if row.error]

    @property
    def headline(self) -> list[str]:
        """The metrics that a summary shows if it is not asked for others: those of the table, if any run has them."""
        runs = [row.metrics for row in self.rows if not row.error]
        columns = (column.metric for column in columns_for(runs))
        return [name for name in columns if any(metrics.get(name) is not None for metrics in runs)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Study) and (self.rows, self.settings) == (other.rows, other.settings)

    __hash__ = None  # type: ignore[assignment]  # it holds dicts

    def __repr__(self) -> str:
        failed = f", {len(self.errors)} failed" if self.errors else ""
        return (
            f"<Study of {len(self.scenarios)} scenarios x {len(self.mechanisms)} mechanisms, "
            f"{len(self.rows)} runs{failed}>"
        )

    # ------------------------------------------------------------------ as tables
    @cached_property
    def table(self) -> "pandas.DataFrame":
        """One row per run: scenario, mechanism, seed, version, digest, stopped_because, error, and every metric.

        What is not defined in a run is NaN; of messages of a type that a mechanism does not use, it has sent 0.
        """
        import pandas

        names = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        by_type = [name for name in names if counts_a_type(name)]
        names = [name for name in names if name not in by_type] + by_type
        fields = ("scenario", "mechanism", "seed", "version", "digest", "stopped_because", "error")
        plain = [{field: getattr(row, field) for field in fields} for row in self.rows]
        full = [
            start | {n: row.metrics.get(n, 0 if counts_a_type(n) and not row.error else None) for n in names}
            for start, row in zip(plain, self.rows, strict=True)
        ]
        frame = pandas.DataFrame(full, columns=[*fields, *names])
        return frame.astype({name: float for name in names if name != "optimum_exact"})

    def summary(
        self, metric: str | Sequence[str] | None = None, *, reference: str | None = None, level: float = 0.95
    ) -> "pandas.DataFrame":
        """What can be said of the mechanisms beyond these seeds: one row per scenario, metric and mechanism.

        Columns: `n` seeds on which it ended well with the metric defined, and over these `mean` with `low` and `high`
        (Student's t); `difference` to the reference mechanism, over the seeds of both and so in the same worlds, with
        `difference_low` and `difference_high` (paired t); `p`, adjusted by Holm's method for all differences in this
        table together; and `real`, whether p is below 1 - level. So the chance that the table calls any difference real
        that is none is at most 1 - level. Ask for one metric if only one matters.

        Args:
            metric: one or several; None: the most important ones.
            reference: the label to compare with; None: the first mechanism.
            level: of the intervals, a share.

        Raises:
            WalrasError: for a metric or mechanism that is not here; names the nearest.
        """
        import pandas

        lines = self.lines(metric, reference=reference, level=level)
        frame = pandas.DataFrame(msgspec.to_builtins(lines), columns=Line.__struct_fields__)
        return frame.astype({"real": "boolean"})

    def lines(
        self, metric: str | Sequence[str] | None = None, *, reference: str | None = None, level: float = 0.95
    ) -> list[Line]:
        """The rows of `summary`, as typed values."""
        return summarise(self, self._metrics(metric), self._reference(reference), level)

    def _metrics(self, metric: str | Sequence[str] | None) -> list[str]:
        known = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        if not known:
            why = f": {self.rows[0].error}" if self.rows else ""
            raise WalrasError(f"no run of this study has ended well{why}; expected one at least")
        if metric is None:
            return self.headline
        wanted = [metric] if isinstance(metric, str) else list(metric)
        for name in wanted:
            if name not in known:
                raise WalrasError(f"no run has a metric {name!r}; expected {catalogue.one_of(name, known)}")
        return wanted

    def _reference(self, reference: str | None) -> str:
        labels = self.mechanisms
        if reference is None and labels:
            return labels[0]
        if reference not in labels:
            raise WalrasError(
                f"there is no mechanism {reference!r}; expected {catalogue.one_of(str(reference), labels)}"
            )
        return reference

    def plot(self, metric: str = "efficiency") -> "list[Axes]":
        """A panel per scenario: the mean of each mechanism with its 95 % interval, and each seed as a dot.

        Means are those of `summary`: where one is over fewer seeds than there are, their number stands beside it.
        """
        return draw(self, self._metrics(metric)[0])

    # ------------------------------------------------------------------ as files
    def save(self, folder: str | Path) -> None:
        """Save to a folder: ``study.json``, from which it comes back equal, and ``table.csv`` for other tools.

        Raises:
            WalrasError: if the folder cannot be written.
        """
        place = Path(folder)
        content = to_json(msgspec.to_builtins(_File(VERSION, self.settings, list(self.rows))))
        try:
            place.mkdir(parents=True, exist_ok=True)
            self.table.to_csv(place / TABLE, index=False)
            (place / HEAD).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
        except OSError as error:
            raise WalrasError(f"{place} cannot be written: {error.strerror}; expected a folder") from None

    @classmethod
    def load(cls, folder: str | Path) -> "Study":
        """The study that was saved in a folder.

        Raises:
            WalrasError: naming the file, if it is missing, damaged or of a newer version.
        """
        path = Path(folder) / HEAD
        try:
            found = msgspec.convert(from_json(msgspec.json.decode(path.read_bytes())), _File)
        except OSError as error:
            raise WalrasError(f"{path} cannot be read: {error.strerror}; expected a saved study") from None
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise WalrasError(f"{path} is damaged: {error}; expected a study as Walras saves it") from None
        if found.walras_study > VERSION:
            raise WalrasError(f"{path} is of version {found.walras_study}; expected {VERSION} or less")
        return cls(found.rows, found.settings)
