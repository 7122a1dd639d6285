"""A person at a terminal."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.live.answers import ONE_CALL, Usage
from walras.live.participant import Ask, Participant
from walras.live.prompts import escaped
from walras.live.schemas import instruction
from walras.messages import AgentId

_HELP = (
    "Answer as: {forms}\n"
    "(the name of an answer and its fields, or JSON; an empty line declines; {seconds:.0f} seconds are left)"
)


class HumanParticipant(Participant):
    """Shows a question, and takes the line that is typed as its answer; one question at a time.

    A line that is typed while nothing is asked, or after its question's time, is dropped: no earlier or later decision is
    ever used for another question.

    Args:
        silence: when nothing is typed, ``timeout`` lets the time pass; ``decline`` declines `margin_s` before its end.
            (To ask somebody else instead, put the person into a `Cascade`.)
        margin_s: see `silence`.
        read: returns the next line, blocking; raises EOFError when there will be none.
        show: shows text.

    Raises:
        ScenarioError: for a policy or a margin that is none.
    """

    person = True

    def __init__(
        self,
        silence: Literal["timeout", "decline"] = "timeout",
        *,
        margin_s: float = 1.0,
        read: Callable[[], str] = input,
        show: Callable[[str], Any] = print,  # the terminal is this file's purpose
    ) -> None:
        if silence not in ("timeout", "decline"):
            raise ScenarioError("silence", silence, "timeout or decline")
        if not is_amount(margin_s):
            raise ScenarioError("margin_s", margin_s, "a number of seconds of 0 or more")
        self.silence, self.margin_s = silence, margin_s
        self.read, self.show = read, show
        self.gone = False
        """Whether nothing more can be typed."""
        self._turn = asyncio.Lock()
        self._awaited: tuple[asyncio.AbstractEventLoop, asyncio.Future[str]] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    async def health(self, agent: AgentId) -> str:
        return "nobody is at the terminal" if self.gone else ""

    async def answer(self, ask: Ask) -> Any:
        began = asyncio.get_running_loop().time()
        async with self._turn:
            left = ask.seconds - (asyncio.get_running_loop().time() - began)
            self.show(in_words(ask, left))
            patience = max(0.0, left - self.margin_s) if self.silence == "decline" else None
            try:
                line = await asyncio.wait_for(self._line(), patience)
            except TimeoutError:
                self.show("No answer: declined.")
                return None
        return read_line(line)

    async def _line(self) -> str:
        """The next line that is typed from now on."""
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()
        with self._lock:
            if self.gone:
                return ""
            self._awaited = loop, line
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()
        try:
            return await line
        finally:
            with self._lock:
                self._awaited = None

    def _read(self) -> None:
        """The reading thread: a blocking read cannot be stopped, so it lasts as long as the process."""
        while not self.gone:
            try:
                typed = self.read()
            except (EOFError, OSError, ValueError):
                typed, self.gone = "", True
            with self._lock:
                awaited, self._awaited = self._awaited, None
            if awaited is None:
                continue
            loop, line = awaited
            try:
                loop.call_soon_threadsafe(_hand_over, line, typed)
            except RuntimeError:  # the loop has been closed meanwhile
                continue


def _hand_over(line: asyncio.Future[str], typed: str) -> None:
    if not line.done():  # else its time is over
        line.set_result(typed)


def in_words(ask: Ask, seconds: float) -> str:
    """The question for a person: what is asked, the data, how to answer. No text of others can steer the terminal."""
    data = escaped(json.dumps(msgspec.to_builtins(ask.question), indent=2, ensure_ascii=False))
    forms = " | ".join(
        " ".join([answer.__name__, *(f"{field}=..." for field in getattr(answer, "__struct_fields__", ()))])
        for answer in type(ask.question).answers
    )
    lines = [
        f"\n{ask.agent}: {instruction(type(ask.question))}",
        data,
        _HELP.format(forms=forms, seconds=seconds),
    ]
    if ask.note:
        lines.insert(0, f"Not accepted: {ask.note}.")
    return "\n".join(lines)


def read_line(line: str) -> Any:
    """What was typed as plain data: JSON as it stands, ``Offer price=5 note=soon`` as an object; nothing declines."""
    words = line.split()
    if not words:
        return None
    if line.lstrip()[0] in '{["' or not all("=" in word for word in words[1:]):
        return line
    named = {} if "=" in words[0] else {"type": words.pop(0)}
    return named | {name: _value(text) for name, text in (word.split("=", 1) for word in words)}


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
