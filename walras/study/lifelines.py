"""A conversation as the steps of a sequence diagram: arrows between lifelines, and notes on them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from walras.trace.rows import Row, type_name
from walras.trace.transcript import Transcript, headline

_MESSAGES = {"message", "broadcast", "lost"}
_NOTES = {"award", "performed", "settle", "crash", "ignored"}


class Arrow(msgspec.Struct, frozen=True):
    """A message from one lifeline to another, by their numbers."""

    start: int
    end: int
    label: str
    lost: bool = False


class Fan(msgspec.Struct, frozen=True):
    """A broadcast: the lifelines that it reaches, and those that it misses because all messages to them were lost."""

    start: int
    reached: list[int]
    missed: list[int]
    label: str


class Note(msgspec.Struct, frozen=True):
    """What happened at one lifeline; `align` is where the text stands over it."""

    at: int
    text: str
    align: str


class Step(msgspec.Struct):
    """What is drawn at one height: a note, a message, or several messages of one kind together."""

    at: float
    part: Arrow | Fan | Note
    group: tuple[int, int, str] | None = None
    count: int = 1


class Story(msgspec.Struct):
    """Lifelines from left to right, steps from top to bottom, and how many steps were cut off."""

    names: list[str]
    steps: list[Step]
    cut: int

    def time(self, step: Step) -> str:
        """When a step was, with digits enough to tell the steps apart."""
        return f"{step.at:.{3 if self.steps[-1].at >= 1 else 6}f}"


def tell(transcript: Transcript, participants: int, steps: int) -> Story:
    """The steps of a transcript, with at most so many lifelines and steps."""
    rows = [row for row in transcript.shown() if row.conversation == transcript.conversation]
    names, seats = _seats(rows, participants)
    told: list[Step] = []
    for row in rows:
        step = _step(row, seats, len(names))
        if step is None:
            continue
        if told and step.group is not None and told[-1].group == step.group:
            _join(told[-1], step)
        else:
            told.append(step)
    return Story(names, told[:steps], max(0, len(told) - steps))


def _seats(rows: Sequence[Row], participants: int) -> tuple[list[str], dict[str, int]]:
    """Names of the lifelines, and the lifeline of every agent: the opener's first, the silent together at the right."""
    said = Counter({row.agent: 0 for row in rows if row.agent})
    for row in rows:
        said.update({row.agent: 1} if row.kind not in ("broadcast", "open") else {})
        said.update(dict.fromkeys(_recipients(row), 0))
        if row.kind == "award" and row.details["line"]["winner"] in said:
            said[row.details["line"]["winner"]] += len(rows)
    order = list(said)
    if len(order) > participants:
        first, *others = order
        kept = {first, *sorted(others, key=lambda agent: -said[agent])[: participants - 2]}
        order = [agent for agent in order if agent in kept]
        names = [*order, f"{len(said) - len(order)} others"]
    else:
        names = list(order)
    seats = {agent: len(order) for agent in said} | {agent: x for x, agent in enumerate(order)}
    return names, seats


def _recipients(row: Row) -> list[str]:
    if row.kind not in _MESSAGES:
        return []
    to = row.details["to"]
    return to if isinstance(to, list) else [to]


def _step(row: Row, seats: dict[str, int], lifelines: int) -> Step | None:
    x = seats[row.agent]
    among_themselves = all(seats[to] == x for to in _recipients(row))
    if row.kind in _MESSAGES and not among_themselves:
        return _message(row, seats)
    if row.kind in _MESSAGES | _NOTES or (row.kind == "finish" and x == 0):
        align = "left" if x == 0 else "right" if x >= lifelines - 1 else "center"
        return Step(row.at, Note(x, headline(row), align))
    return None


def _message(row: Row, seats: dict[str, int]) -> Step:
    start, name = seats[row.agent], type_name(row.details["message"])
    recipients = _recipients(row)
    lost = row.kind == "lost"
    if len(recipients) == 1:
        end = seats[recipients[0]]
        return Step(row.at, Arrow(start, end, name, lost), None if lost else (start, end, name))
    arrivals = row.details["arrivals"]
    reached = {seats[to] for to, arrival in zip(recipients, arrivals, strict=True) if arrival is not None}
    missed = {seats[to] for to in recipients} - reached
    return Step(row.at, Fan(start, sorted(reached), sorted(missed), f"{name} to {len(recipients)}"))


def _join(step: Step, more: Step) -> None:
    """Draw a message together with the one before it, of the same kind between the same lifelines."""
    step.count += more.count
    assert isinstance(more.part, Arrow)
    step.part = Arrow(more.part.start, more.part.end, f"{more.part.label} × {step.count}")
