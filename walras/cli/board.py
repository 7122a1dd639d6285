"""The board of a live market: who was asked, who bid what, what it has cost so far."""

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from walras.messages import AgentId

if TYPE_CHECKING:
    from walras.study.market_file import MarketFile


_MOST_REASONS, _MOST_TEXT = 3, 200


class Line:
    """What is known of one agent."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.asked = 0
        self.said = ""
        self.status = ""
        self.calls = 0
        self.cost_usd: float | None = 0.0
        """None: of some calls nobody knows what they cost."""
        self.latency_s = 0.0
        self.noted = ""
        self.why: list[str] = []
        """Why it gave no answer, the first few reasons."""
        self.won: list[str] = []

    def as_json(self) -> dict[str, Any]:
        """As one object."""
        return {
            "kind": self.kind, "asked": self.asked, "said": self.said, "status": self.status, "calls": self.calls,
            "cost_usd": self.cost_usd, "latency_s": self.latency_s, "why": self.why, "won": self.won,
        }  # fmt: skip


class Board:
    """Sees the rows of a market's trace (`walras.live.Live.follow`), and shows what they come to.

    Of what participants have written it shows the type and the price of an answer; and in one printable line, as the guard
    reports it, why there was none.
    """

    def __init__(self, file: "MarketFile") -> None:
        self.file = file
        self.lines = {name: Line(kind) for name, kind in file.kinds.items()}
        self.now = 0.0

    def see(self, row: tuple[Any, ...]) -> None:
        """One more row."""
        kind, agent = row[1], row[3]
        line = self.lines.get(agent)
        self.now = max(self.now, row[0])
        if kind == "award":
            self._award(row[4].item, row[4].winner, row[4].price)
        elif line is None:
            return
        elif kind == "ask":
            line.asked += 1
            line.status = "asked"
        elif kind == "answer":
            self._answer(line, row[5], row[6])
        elif kind == "note":
            line.noted = row[4]
            if line.status == "silent":  # of an answer that came too late it comes after the silence
                self._reason(line)
        elif kind == "thought":
            line.calls += row[5].calls
            line.latency_s = row[6]
            cost = row[5].cost_usd
            line.cost_usd = None if cost is None or line.cost_usd is None else line.cost_usd + cost
        elif kind == "began":
            line.status = "working"
        elif kind == "performed":
            line.status = row[5].status

    def _answer(self, line: Line, answer: Any, status: str) -> None:
        line.said, line.status = _said(answer), status
        if status != "ok":
            self._reason(line)
        line.noted = ""

    def _reason(self, line: Line) -> None:
        why, line.noted = _printable(line.noted.partition(": ")[2]), ""  # of "about <question>: <why>"
        if why and why not in line.why and len(line.why) < _MOST_REASONS:
            line.why.append(why)

    def _award(self, item: str, winner: AgentId | None, price: float) -> None:
        if winner in self.lines:
            self.lines[winner].won.append(f"{item} at {price:g}")

    @property
    def reasons(self) -> list[str]:
        """Why some gave no answer, a line each."""
        return [f"{name}: {why}" for name, line in self.lines.items() for why in line.why]

    @property
    def cost_usd(self) -> float:
        """What all of them have cost so far, as far as it is known."""
        return sum(line.cost_usd or 0.0 for line in self.lines.values())

    def table(self) -> Table:
        """The board as it stands."""
        terms = self.file.terms
        of = f" of {terms.budget_usd:g}" if terms.budget_usd < float("inf") else ""
        unknown = " and what nobody knows" if any(x.cost_usd is None for x in self.lines.values()) else ""
        table = Table(
            title=f"{self.file.name}, {self.file.mechanism.protocol}, {self.now:.1f} s",
            caption=f"cost so far: {self.cost_usd:.4f}{of} USD{unknown}",
            title_justify="left",
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for name in ("participant", "kind"):
            table.add_column(name)
        table.add_column("asked", justify="right")
        table.add_column("said")
        table.add_column("status")
        for name in ("calls", "cost, USD", "last, s"):
            table.add_column(name, justify="right")
        table.add_column("won")
        for name, line in self.lines.items():
            cost = "unknown" if line.cost_usd is None else f"{line.cost_usd:.4f}"
            cells = (
                name, line.kind, str(line.asked), line.said or "-", line.status or "-", str(line.calls), cost,
                f"{line.latency_s:.2f}", ", ".join(line.won) or "-",
            )  # fmt: skip
            table.add_row(*(Text(cell) for cell in cells))
        return table


def _printable(text: str) -> str:
    """Without what could steer a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:_MOST_TEXT])


def _said(answer: Any) -> str:
    price = getattr(answer, "price", None)
    name = type(answer).__name__
    return f"{name} {price:g}" if isinstance(price, int | float) else name
