"""Reading a trace: the Contract Net conversations of a run, with their messages as structs again."""

from math import inf, isnan
from typing import Any, NamedTuple

import msgspec

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from walras.results import Result
from walras.trace.rows import Row, each_message

ACTS = (
    AcceptProposal
    | CallForProposals
    | Cancel
    | Failure
    | Inform
    | NotUnderstood
    | Propose
    | Refuse
    | RejectProposal
)


class Said(NamedTuple):
    """One message of the trace; the arrival of a lost one is never, infinity."""

    sent: float
    arrival: float
    sender: str
    to: str
    message: Any


class Talk:
    """One conversation of a trace: who opened it with whom, what was said, and all its rows."""

    def __init__(self, id_: str, copies: int = 1) -> None:
        self.id = id_
        self.copies = copies
        self.manager = ""
        self.participants: list[str] = []
        self.finish_by = inf
        self.said: list[Said] = []
        self.rows: list[Row] = []
        self.unheard: set[str] = set()

    def hear(self, said: Said, perfect: bool) -> None:
        for k, s in enumerate(() if perfect else self.said):
            if (s.sender, s.to, s.message) == said[2:]:
                self.said[k] = s._replace(arrival=min(s.arrival, said.arrival))
                return
        self.said.append(said)

    def lose(self, at: float, to: str, message: Any) -> None:
        for k, s in enumerate(self.said):
            if (s.arrival, s.to, s.message) == (at, to, message):
                self.said[k] = s._replace(arrival=inf)
                return

    def of(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row.kind == kind]

    def acts(self, *types: type, sender: str = "", to: str = "") -> list[Said]:
        return [
            s
            for s in self.said
            if isinstance(s.message, types) and sender in ("", s.sender) and to in ("", s.to)
        ]

    @property
    def reply_by(self) -> float:
        calls = self.acts(CallForProposals, sender=self.manager)
        return float(calls[0].message.reply_by) if calls else -inf


def read(result: Result, copies: int = 1, perfect: bool = True) -> dict[str, Talk]:
    """The Contract Net conversations of a run; messages are structs again.

    In an imperfect world, what a restart or the network sends once more, word by word, counts once; and what reached
    a machine that was down counts as lost.
    """
    talks: dict[str, Talk] = {}
    rows = iter(result.trace)
    for raw in result.trace.raw():
        row = next(rows)
        if row.kind == "open" and "contract-net" in row.details["protocol"]:
            talk = talks[row.conversation] = Talk(row.conversation, copies)
            talk.manager, talk.participants = row.agent, row.details["participants"]
            talk.finish_by = row.details["finish_by"]
        talk_of = talks.get(row.conversation)
        if talk_of is not None:
            talk_of.rows.append(row)
            for sent, arrival, _, sender, to, message in each_message(raw):
                talk_of.hear(
                    Said(sent, inf if isnan(arrival) else arrival, sender, to, _struct(message)), perfect
                )
            if row.kind == "lost" and row.details["to"] == row.agent:
                talk_of.lose(row.at, row.agent, _struct(row.details["message"]))
            elif row.kind == "ignored" and row.details.get("why") in ("over", "too old"):
                talk_of.unheard.add(str(row.details.get("sender")))
    return talks


def _struct(message: Any) -> Any:
    try:
        return msgspec.convert(message, ACTS)
    except msgspec.ValidationError:
        return message
