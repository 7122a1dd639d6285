"""Recordings of answers, keyed by what the question means: not by when it was asked, nor how it travelled.

One JSON line per answer, of functions, people and models alike. A replay takes the answers back in the order in which
they were given, live or in a simulation. A question that nobody was asked has no answer: the replay stops with
`ReplayError`, and shows the recorded question that comes nearest.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, get_args

import msgspec

from walras.agents import Agent, Strategy
from walras.errors import ReplayError, ScenarioError
from walras.live.answers import Answered, Status, Usage
from walras.live.meanings import anchored, differences, key_of, meaning, restored
from walras.live.schemas import form_of
from walras.messages import AgentId, ConversationId
from walras.questions import Question

FORMAT = "walras-recording/1"

_FOR_EVER_S = 1e9
"""JSON has no infinity."""

Mode = Literal["record", "append", "replay", "auto"]
"""``record`` asks and writes a new file; ``append`` asks and writes after what there is, as a market does that goes on from its
journal; ``replay`` only reads; ``auto`` reads what there is, and asks and appends what there is not."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One recorded answer. `number` counts equal questions to one agent, from 0; times in `value` are relative."""

    key: str
    agent: AgentId
    conversation: ConversationId
    number: int
    kind: str
    question: Any
    status: Status
    value: Any = None
    latency_s: float = 0.0
    attempts: int = 0
    usage: Usage = Usage(0, 0, 0, 0.0)

    def answered(self, question: Question) -> Answered:
        """This answer to a question of the same meaning, asked now."""
        value = None
        if self.status == "ok":
            value = msgspec.convert(restored(self.value, question), form_of(type(question)).type)
        return Answered(self.status, value, self.usage, self.latency_s, self.attempts, "recorded")


class Playback:
    """The entries of a recording, each to be taken once."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self.lanes: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self.lanes.setdefault(entry.key, []).append(entry)

    def take(self, agent: AgentId, question: Question, conversation: ConversationId = "") -> Entry | None:
        """The first answer to this question that is left, of this conversation if there is one; None: there is none."""
        lane = self.lanes.get(key_of(agent, question))
        if not lane:
            return None
        entry = next((entry for entry in lane if entry.conversation == conversation), lane[0])
        lane.remove(entry)
        return entry

    def miss(self, agent: AgentId, question: Question) -> ReplayError:
        """What to raise where `take` found nothing: says how the nearest recorded question differs."""
        asked = f"{agent} was asked {type(question).__name__}"
        times = sum(entry.key == key_of(agent, question) for entry in self.entries)
        if times:
            return ReplayError(f"{asked} once more than it was recorded ({times} times): {question}")
        found = self._nearest(agent, question)
        if found is None:
            return ReplayError(f"{asked}, but the recording has no question of that kind: {question}")
        lines = differences(found.question, meaning(question))
        if found.agent != agent:
            lines.insert(0, f"agent: {found.agent!r} recorded, {agent!r} asked")
        shown = "; ".join(lines[:6]) + (f"; {len(lines) - 6} more" if len(lines) > 6 else "")
        return ReplayError(
            f"{asked}, which is not recorded; the nearest is in {found.conversation}, and differs in {shown}"
        )

    def _nearest(self, agent: AgentId, question: Question) -> Entry | None:
        asked = meaning(question)
        same_kind = [entry for entry in self.entries if entry.kind == type(question).__name__]
        return min(
            same_kind,
            key=lambda entry: (entry.agent != agent, len(differences(entry.question, asked))),
            default=None,
        )


class Recording:
    """A file of answers.

    Args:
        path: of the file, ending in ``.jsonl`` by custom.
        mode: see `Mode`. In mode ``record`` a file that exists is replaced, at its first answer.
        pace: a live replay takes this share of the recorded latencies; 0 answers at once.

    Raises:
        ScenarioError: for a missing or damaged file, naming the line. A last line that was broken off is left out.
    """

    def __init__(self, path: str | Path, mode: Mode = "record", *, pace: float = 1.0) -> None:
        if mode not in get_args(Mode):
            raise ScenarioError("mode", mode, f"one of {', '.join(get_args(Mode))}")
        if not 0 <= pace < math.inf:
            raise ScenarioError("pace", pace, "a finite number of 0 or more")
        self.path, self.mode, self.pace = Path(path), mode, pace
        if mode == "replay" and not self.path.exists():
            raise ScenarioError("recording", str(path), "a file that exists")
        there = mode != "record" and self.path.exists()
        self.playback = Playback(read_entries(self.path) if there else ())
        self.numbers: dict[str, int] = {key: len(lane) for key, lane in self.playback.lanes.items()}
        self._file: IO[bytes] | None = None
        self._begun = False

    def find(self, agent: AgentId, conversation: ConversationId, question: Question) -> Answered | None:
        """The recorded answer; None where the question has to be asked.

        Raises:
            ReplayError: in mode ``replay``, if there is none.
        """
        if self.mode in ("record", "append"):
            return None
        entry = self.playback.take(agent, question, conversation)
        if entry is not None:
            return entry.answered(question)
        if self.mode == "replay":
            raise self.playback.miss(agent, question)
        return None

    def write(
        self, agent: AgentId, conversation: ConversationId, question: Question, answered: Answered
    ) -> None:
        """Append an answer. Nothing of how it was obtained is written, so no key or address either.

        Raises:
            ReplayError: if the file cannot be written, since a recording with a gap replays something else.
        """
        key = key_of(agent, question)
        number = self.numbers.get(key, 0)
        self.numbers[key] = number + 1
        value = anchored(answered.value, question) if answered.status == "ok" else None
        entry = Entry(
            key, agent, conversation, number, type(question).__name__, meaning(question), answered.status, value,
            answered.latency_s, answered.attempts, answered.usage,
        )  # fmt: skip
        try:
            file = self._opened()
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
        except OSError as error:
            raise ReplayError(f"{self.path} cannot be written: {error.strerror}") from None

    def called_off(
        self, agent: AgentId, conversation: ConversationId, question: Question, seconds: float, usage: Usage
    ) -> None:
        """A question was called off before anybody had answered it: for a replay, nobody answers it in time."""
        replaying = self.mode in ("replay", "auto")
        if replaying and self.playback.take(agent, question, conversation) is not None:
            return
        if self.mode != "replay":
            silence = Answered("timeout", None, usage, min(seconds, _FOR_EVER_S))
            self.write(agent, conversation, question, silence)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            if (self.mode == "record" and not self._begun) or not self.path.exists():
                self.path.write_bytes(msgspec.json.encode({"format": FORMAT}) + b"\n")
            elif not (whole := self.path.read_bytes()).endswith(b"\n"):
                self.path.write_bytes(whole[: whole.rfind(b"\n") + 1])  # the last line was broken off
            self._file, self._begun = self.path.open("ab"), True
        return self._file

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Replayed:
    """A strategy that answers as recorded, in a simulation or live: ``Agent("ada", Replayed("market.jsonl"))``.

    In a simulation it ponders as long as the recorded mind did. Every run begins at the beginning.

    Args:
        recording: path of the file, or its entries.
        otherwise: answers what was not recorded, as in a counterfactual run; None: raise `ReplayError`.
    """

    def __init__(self, recording: str | Path | Iterable[Entry], otherwise: Strategy | None = None) -> None:
        self.entries = read_entries(recording) if isinstance(recording, str | Path) else tuple(recording)
        self.otherwise = otherwise
        self._playback = Playback(self.entries)
        self._pondered: dict[int, tuple[Question, Entry | None]] = {}

    def fresh(self) -> "Replayed":
        """The same answers from the beginning: what an agent is given when a run begins."""
        return Replayed(self.entries, self.otherwise)

    def deliberation_s(self, question: Question, agent: Agent) -> float:
        """How long the recorded mind took; a simulation asks before it asks the question.

        What is not recorded is missed when it is asked: what is called off at once was never put to a live mind, either.
        """
        entry = self._playback.take(agent.id, question)
        self._pondered[id(question)] = question, entry
        return entry.latency_s if entry is not None else 0.0

    def __call__(self, question: Question, agent: Agent) -> Any:
        pondered = self._pondered.pop(id(question), None)
        entry = pondered[1] if pondered is not None else self._playback.take(agent.id, question)
        if entry is not None:
            answered = entry.answered(question)
            return answered.value if answered.status == "ok" else question.otherwise
        if self.otherwise is None:
            raise self._playback.miss(agent.id, question)
        return self.otherwise(question, agent)


def read_entries(path: str | Path) -> tuple[Entry, ...]:
    """All answers of a recording, in the order in which they were given.

    Raises:
        ScenarioError: for a file that cannot be read, or is damaged, naming the line.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ScenarioError("recording", str(path), f"a file that can be read ({error.strerror})") from None
    lines = raw.split(b"\n")[:-1]  # what follows the last line's end was broken off
    if not lines or _format(lines[0]) != FORMAT:
        raise ScenarioError("recording", str(path), f"a file whose first line names the format {FORMAT}")
    return tuple(_entries(path, lines))


def _entries(path: Path, lines: list[bytes]) -> Iterator[Entry]:
    for number, line in enumerate(lines[1:], start=2):
        try:
            yield msgspec.json.decode(line, type=Entry)
        except msgspec.DecodeError as error:
            raise ScenarioError(
                f"line {number} of {path}", line[:80], f"a recorded answer ({error})"
            ) from None


def _format(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line, type=dict[str, Any]).get("format")
    except msgspec.DecodeError:
        return None
