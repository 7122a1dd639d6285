"""Transcripts: one conversation of a trace, line by line, as a dialogue that people can read."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import inf
from typing import Any

from walras.trace.rows import DETAILS, LEFT_OUT, Row

_BACKSTAGE = {"timer", "untimer", "ask", "told", "persist", "durable", "checkpoint"}
_SHOWN_ITEMS = 4
_SHOWN_TEXT = 60
_WIDEST = 40


class Transcript(Sequence[Row]):
    """One conversation, in causal order: a message is shown once, when it was sent. `print` it, or go through its rows."""

    def __init__(self, conversation: str, rows: tuple[Row, ...], everything: bool = False) -> None:
        self.conversation = conversation
        self.rows = rows
        self.everything = everything

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def lines(self) -> list[str]:
        """A heading, then a line per row: time in seconds, who (to whom), what."""
        shown = self.shown()
        decimals = 3 if max((row.at for row in self.rows), default=0.0) >= 1.0 else 6
        times = [f"{row.at:.{decimals}f}" for row in shown]
        whos = [_who(row) for row in shown]
        time_width = max(map(len, times), default=0)
        who_width = min(max(map(len, whos), default=0), _WIDEST)
        several = len({row.conversation for row in shown}) > 1
        body = [
            f"{time:>{time_width}} s  {who:<{who_width}}  {self._place(row, several)}{_what(row)}".rstrip()
            for time, who, row in zip(times, whos, shown, strict=True)
        ]
        return [f"conversation {self.conversation}", *body]

    def _place(self, row: Row, several: bool) -> str:
        return f"[{row.conversation.removeprefix(self.conversation) or '.'}] " if several else ""

    def shown(self) -> list[Row]:
        """The rows to show: a broadcast's losses, noted just before it, are a part of it; an answer is the message it became."""
        if self.everything:
            return list(self.rows)
        merged: list[Row] = []
        for row in self.rows:
            if row.kind in _BACKSTAGE:
                continue
            while merged and (_lost_from(merged[-1], row) or _became(merged[-1], row)):
                merged.pop()
            merged.append(row)
        return merged

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _became(answer: Row, message: Row) -> bool:
    return (
        answer.kind == "answer"
        and message.kind in ("message", "broadcast", "lost")
        and (answer.at, answer.agent) == (message.at, message.agent)
        and (answer.details["answer"], answer.details["status"]) == (message.details["message"], "ok")
    )


def _lost_from(lost: Row, broadcast: Row) -> bool:
    return (
        lost.kind == "lost"
        and broadcast.kind == "broadcast"
        and (lost.at, lost.conversation, lost.agent)
        == (broadcast.at, broadcast.conversation, broadcast.agent)
        and lost.details["message"] == broadcast.details["message"]
        and (lost.details["to"], None)
        in zip(broadcast.details["to"], broadcast.details["arrivals"], strict=True)
    )


def headline(row: Row) -> str:
    """What a row says in a few words, for a picture: without the numbers in brackets."""
    return _what(row).split(" (")[0].split("(")[0].strip()


def one_line(row: Row) -> str:
    """A row on its own, in one line: time, conversation, who, what."""
    place = f"{row.conversation}: " if row.conversation else ""
    return f"{row.at:g} s  {place}{_who(row)}  {_what(row)}".rstrip()


# ------------------------------------------------------------------------------------------------------- who, what


def _who(row: Row) -> str:
    details = row.details
    if row.kind == "broadcast":
        to = details["to"]
        return f"{row.agent} -> {to[0] if len(to) == 1 else f'{len(to)} agents'}"
    to = details.get("to", row.agent) if row.kind in ("message", "doubled", "lost") else row.agent
    return row.agent if to == row.agent and row.kind != "message" else f"{row.agent} -> {to}"


def _what(row: Row) -> str:
    phrase = _PHRASES.get(row.kind)
    if phrase is not None and LEFT_OUT.issuperset(set(DETAILS.get(row.kind, ())) - row.details.keys()):
        return phrase(row.details)
    told = ", ".join(f"{name}={show(value)}" for name, value in row.details.items())
    return f"{row.kind}({told})"


def _broadcast(d: dict[str, Any]) -> str:
    lost = [to for to, arrival in zip(d["to"], d["arrivals"], strict=True) if arrival is None]
    marks = f"  (lost on the way to {_some(lost)})" if lost else ""
    to = f"  to {_some(d['to'])}" if len(d["to"]) > 1 else ""
    return f"{show(d['message'])}{to}{marks}"


def _answer(d: dict[str, Any]) -> str:
    status = "" if d["status"] == "ok" else f"  ({d['status']}: the answer that stands otherwise)"
    return f"decides {_name(d['name'])}: {show(d['answer'])}{status}"


def _award(d: dict[str, Any]) -> str:
    line = d["line"]
    if line.get("winner") is None:
        return f"awards {line['item']} to nobody"
    if not line.get("quantity", 1):
        return f"charges {line['winner']} {show(line.get('price', 0.0))} for {line['item']}"
    quantity = f"{line['quantity']} of " if line.get("quantity", 1) != 1 else ""
    bond = f", bond {show(line['bond'])}" if line.get("bond") else ""
    return f"awards {quantity}{line['item']} to {line['winner']} at {show(line.get('price', 0.0))}{bond}"


def _report(d: dict[str, Any]) -> str:
    r = d["report"]
    numbers = ", ".join(f"{f} {show(r[f])}" for f in ("cost", "quality", "seconds") if f in r)
    return f"performed {d['key']}: {r.get('status', 'ended')}{f' ({numbers})' if numbers else ''}"


def _open(d: dict[str, Any]) -> str:
    return f"opens {d['protocol']} on {_some(d['items'])} with {_some(d['participants'])}, {_until(d['finish_by'])}"


def _until(at: float) -> str:
    return "without a deadline" if at == inf else f"until {show(at)} s"


def _ask(d: dict[str, Any]) -> str:
    question = f": {show(d['question'])}" if "question" in d else ""
    return f"is asked {_name(d['name'])}, {_until(d['decide_by'])}{question}"


def _settle(d: dict[str, Any]) -> str:
    penalty = f", penalty {show(d['penalty'])}" if d["penalty"] else ""
    winner = f" to {d['winner']}" if d["winner"] else ""
    return f"settles {d['item']}: pays {show(d['paid'])}{winner}{penalty}"


def _finish(d: dict[str, Any]) -> str:
    outcome = d["outcome"]
    why = f": {outcome['why']}" if outcome.get("why") else ""
    return f"finishes: {outcome.get('status', '?')}{why}"


_PHRASES: dict[str, Callable[[dict[str, Any]], str]] = {
    "message": lambda d: show(d["message"]),
    "broadcast": _broadcast,
    "open": _open,
    "ignored": lambda d: f"ignores {show(d['message'])}: {d['why']}",
    "ask": _ask,
    "answer": _answer,
    "withdraw": lambda d: f"withdraws {_name(d['name'])}",
    "perform": lambda d: f"hands {d['task']} to its worker",
    "began": lambda d: f"began {d['key']}",
    "stop": lambda d: f"asks to stop {d['key']}",
    "performed": _report,
    "award": _award,
    "settle": _settle,
    "fact": lambda d: f"publishes {show(d['fact'])}",
    "told": lambda d: f"tells its role in {d['to']}: {show(d['message'])}",
    "cancel": lambda d: f"cancels {d['child']}",
    "finish": _finish,
    "lost": lambda d: f"{show(d['message'])}  (lost: {d['why']})",
    "doubled": lambda d: f"{show(d['message'])}  (a copy made by the network)",
    "note": lambda d: str(d["text"]),
}


# ----------------------------------------------------------------------------------------------------------- values


def show(value: Any, depth: int = 3) -> str:
    """A decoded value as code would write it, short: structs as ``Type(field=value)``, long ones abbreviated."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        text = repr(value)
        return text if len(text) <= _SHOWN_TEXT else text[: _SHOWN_TEXT - 4] + "...'"
    if isinstance(value, dict):
        return _struct(value, depth)
    if isinstance(value, list):
        if depth == 0 and value:
            return "(...)"
        inside = [show(v, depth - 1) for v in value[:_SHOWN_ITEMS]]
        more = [f"... {len(value) - _SHOWN_ITEMS} more"] if len(value) > _SHOWN_ITEMS else []
        return f"({', '.join(inside + more)})"
    text = repr(value)
    return text if len(text) <= _SHOWN_TEXT else text[: _SHOWN_TEXT - 3] + "..."


def _struct(value: dict[str, Any], depth: int) -> str:
    fields = {k: v for k, v in value.items() if k != "type"}
    name = value.get("type", "")
    if depth == 0 and fields:
        return f"{name}(...)"
    inside = ", ".join(f"{k}={show(v, depth - 1)}" for k, v in fields.items() if v not in ("", None, []))
    return f"{name}({inside})"


def _name(name: Any) -> str:
    return name if isinstance(name, str) else show(name)


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    if len(names) <= _SHOWN_ITEMS:
        return ", ".join(map(str, names)) or "nothing"
    return f"{', '.join(map(str, names[: _SHOWN_ITEMS - 1]))} and {len(names) - _SHOWN_ITEMS + 1} more"
