"""Tables in the terminal: one that is wider than it is shown in blocks of columns, each behind the labels of its rows."""

import textwrap
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

Head = tuple[str, JustifyMethod]
Cells = Sequence[str | Text]

_ENDLESS = 1_000_000


def show_table(
    to: Console,
    title: str,
    heads: Sequence[Head],
    rows: Sequence[Cells],
    last: Cells = (),
    *,
    labels: int = 1,
) -> None:
    """Show a table in as many blocks as it takes, so that no number and no name is cut.

    Args:
        to: where.
        title: above the first block.
        heads: the title of each column, and on which side its cells stand: numbers at the right.
        rows: their cells.
        last: one more row, set apart.
        labels: how many of the first columns say what a row is; every block has them.
    """
    shown = [*range(len(heads))]
    if not _fits(to, _block(title, heads, rows, last, shown)):
        heads = [_folded(head, [cells[k] for cells in rows]) for k, head in enumerate(heads)]
    while len(shown) > labels:
        count = len(shown)
        while count > labels + 1 and not _fits(to, _block(title, heads, rows, last, shown[:count])):
            count -= 1
        to.print(_block(title, heads, rows, last, shown[:count]))
        shown, title = shown[:labels] + shown[count:], ""


def _fits(to: Console, table: Table) -> bool:
    return to.measure(table, options=to.options.update_width(_ENDLESS)).maximum <= to.width


def _folded(head: Head, cells: Cells) -> Head:
    """The title of a column in lines that are no longer than its cells, as far as its words allow."""
    name, side = head
    width = max(cell_len(text) for text in (*map(str, cells), *name.split()))
    return "\n".join(textwrap.wrap(name, width)), side


def _block(
    title: str, heads: Sequence[Head], rows: Sequence[Cells], last: Cells, columns: Sequence[int]
) -> Table:
    above = Text(title, style="italic") if title else None
    table = Table(title=above, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in (heads[k] for k in columns):
        # where even one column is too much, text is folded and a number stays whole
        table.add_column(Text(name), justify=side, no_wrap=side == "right", overflow="fold")
    for number, cells in enumerate(rows, 1):
        table.add_row(*_texts(cells, columns), end_section=number == len(rows))
    apart = _texts(last, columns) if last else []
    if any(cell.plain.strip() for cell in apart[1:]):
        table.add_row(*apart, style="italic")
    return table


def _texts(cells: Cells, columns: Sequence[int]) -> list[Text]:
    """As they are: a name in brackets is no markup."""
    return [cell if isinstance(cell, Text) else Text(cell) for cell in (cells[k] for k in columns)]
