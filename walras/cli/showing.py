"""What the terminal shows: tables of what there is, of mechanisms side by side, of conversations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from walras.cli.table import Cells, Head, show_table
from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.results import Result
from walras.scenario import Scenario
from walras.study import catalogue
from walras.study.comparison import NOTE, Cell, Comparison, side_by_side
from walras.study.explained import Setting, prose_of, settings_of
from walras.study.study import Row, Study

_PIPE_WIDTH = 400
_PROSE_WIDTH = 120


def console() -> Console:
    """Where to print: what is not a terminal has no width, so that tables are not folded for nobody."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def as_line(run: Result | Row) -> str:
    """A run as one JSON object in one line."""
    stopped = run.stopped_because or (run.error if isinstance(run, Row) else "")
    found = {
        "scenario": run.scenario, "mechanism": run.mechanism, "seed": run.seed, "digest": run.digest,
        "metrics": run.metrics, "stopped_because": stopped,
    }  # fmt: skip
    return msgspec.json.encode(found).decode()


# ------------------------------------------------------------------------------------------------------- what there is


def show_catalogue() -> None:
    """All scenarios and mechanisms, with their settings."""
    to = console()
    _show_classes(to, "scenarios", Scenario)
    _show_classes(to, "mechanisms", Mechanism)


def _show_classes(to: Console, title: str, base: Any) -> None:
    to.print(Text(title, style="bold underline"))
    for name in catalogue.declared(base):
        try:
            cls = catalogue.find(base, name)
        except WalrasError as error:  # another package's: the rest can still be shown
            to.print(Text(f"  {name}: {error}", style="red"))
            continue
        first = (cls.__doc__ or "").strip().split("\n")[0]
        to.print(Text.assemble("  ", (name, "bold"), f"  {first}"))
        shown = Text(", ".join(map(_in_short, settings_of(cls))), style="dim")
        for line in shown.wrap(to, min(to.width, _PROSE_WIDTH) - 6):
            to.print(Text("      ") + line)
    to.print()


def _in_short(setting: Setting) -> str:
    return setting.name if setting.default is None else f"{setting.name}={setting.default}"


def show_class(cls: type[Scenario] | type[Mechanism]) -> None:
    """One scenario or mechanism: what it is, where it is written, and what its settings mean."""
    to = console()
    if issubclass(cls, Scenario):
        what, name = "scenario", catalogue.name_of(Scenario, cls)
    else:
        what, name = "mechanism", catalogue.name_of(Mechanism, cls)
    to.print(Text.assemble((name, "bold"), f"  a {what}, {cls.__module__}:{cls.__qualname__}\n"))
    to.print(Text(_plain(prose_of(cls)) + "\n"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column("default", overflow="fold")
    table.add_column("meaning", overflow="fold")
    for setting in settings_of(cls):
        default = "(to be given)" if setting.default is None else setting.default
        table.add_row(setting.name, Text(default), Text(_plain(setting.meaning)))
    to.print(table, width=min(to.width, _PROSE_WIDTH))
    given = f"walras run {name} --set KEY=VALUE" if what == "scenario" else f"-m {name}:KEY=VALUE,KEY=VALUE"
    to.print(Text(f"Set them by {given}, or in a settings file; None is written null.\n", style="dim"))


def _plain(prose: str) -> str:
    return prose.replace("`", "")


# ---------------------------------------------------------------------------------------------------------- side by side


def show_results(results: Sequence[Result]) -> None:
    """One result as its summary, several side by side."""
    if len(results) == 1:
        console().print(str(results[0]))
        return
    _show_side_by_side(results[0].scenario, side_by_side(results))


def _show_side_by_side(scenario: str, found: Comparison) -> None:
    """A row per mechanism, the best values marked, the optimum last."""
    rows: list[Cells] = [(label, *map(_marked, cells)) for label, cells in found.rows]
    last: Cells = (found.optimum[0], *map(_marked, found.optimum[1])) if found.optimum else ()
    heads: list[Head] = [("mechanism", "left"), *((name, "right") for name in found.titles)]
    to = console()
    show_table(to, f"{scenario}, {found.over}", heads, rows, last)
    if len(found.rows) > 1:
        to.print(Text(NOTE, style="dim"))
    for note in found.notes:
        to.print(Text(note, style="dim"))


def _marked(cell: Cell) -> Text:
    return Text(f"{cell.text}*", style="bold green") if cell.best else Text(f"{cell.text} ")


def show_study(study: Study) -> None:
    """Means of all metrics for each scenario, and how sure the differences of the main one are."""
    for scenario in study.scenarios:
        found = side_by_side(row for row in study.rows if row.scenario == scenario)
        if found.rows:
            _show_side_by_side(scenario, found)
    if len(study.mechanisms) > 1 and len(study.errors) < len(study.rows):
        _show_differences(study)


def _show_differences(study: Study) -> None:
    known = {name for row in study.rows for name, value in row.metrics.items() if value is not None}
    metric = "efficiency" if "efficiency" in known else "welfare"
    reference = study.mechanisms[0]
    heads: list[Head] = [
        ("scenario", "left"), ("mechanism", "left"), ("mean", "right"), ("95 % interval", "right"),
        ("difference", "right"), ("its 95 % interval", "right"), ("p (Holm)", "right"), ("real", "left"),
    ]  # fmt: skip
    rows: list[Cells] = []
    for line in study.lines(metric):
        others = ("", "", "", "") if line.mechanism == reference else (
            f"{line.difference:+.3g}", _interval(line.difference_low, line.difference_high), f"{line.p:.2g}",
            "-" if line.real is None else "yes" if line.real else "no",
        )  # fmt: skip
        rows.append(
            (line.scenario, line.mechanism, f"{line.mean:.3g}", _interval(line.low, line.high), *others)
        )
    title = f"{metric}, and its difference to that of {reference}"
    show_table(console(), title, heads, rows, labels=2)


def _interval(low: float, high: float) -> str:
    return "-" if low != low else f"{low:.3g} to {high:.3g}"


# --------------------------------------------------------------------------------------------------------- conversations


def show_conversations(result: Result) -> None:
    """Which conversations a run had, and what they were about."""
    records = {record.conversation: record for record in result.records}
    heads: list[Head] = [
        ("conversation", "left"), ("item", "left"), ("status", "left"), ("winner", "left"), ("price", "right"),
        ("announced, s", "right"), ("finished, s", "right"),
    ]  # fmt: skip
    rows: list[Cells] = []
    for conversation in _top(result.trace.conversations(), records):
        record = records.get(conversation)
        if record is None:
            rows.append((conversation, *[""] * (len(heads) - 1)))
            continue
        finished = "-" if record.finished_s is None else f"{record.finished_s:.3f}"
        rows.append((
            conversation, record.item, record.status, record.winner or "-", f"{record.price:.4g}",
            f"{record.announced_s:.3f}", finished,
        ))  # fmt: skip
    show_table(console(), str(result).split("\n")[0], heads, rows)


def _top(conversations: Iterable[str], records: Mapping[str, Any]) -> list[str]:
    """Those about items, and all others that are nobody's children."""
    return [
        c for c in conversations if c in records or not any(c.startswith(f"{known}/") for known in records)
    ]
