"""A mind in a process of its own, which speaks JSON lines: one line for each question, one line for each answer.

A question is ``{"key", "agent", "conversation", "question", "system", "user", "schema", "seconds", "note"}``; the
answer ``{"key": the same, "answer": ...}``, with null to decline and, if it likes, ``"usage": {"input_tokens": ...}``.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from walras.amounts import check_count
from walras.errors import ScenarioError
from walras.live.answers import ONE_CALL, Usage
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.messages import Frozen

_LIMITED = 'ulimit -v "$1" && ulimit -t "$2" && ulimit -n "$3" && shift 3 && exec "$@"'

_FAREWELL_S = 2.0
"""For the pipes of a killed process to end; a child that left its group may hold them open."""

_COMPLAINT = 4096
"""Bytes of its standard error that are kept."""


class Allowance(Frozen, frozen=True):
    """What the process may use; beyond it the system ends it, or refuses it more.

    Raises:
        ScenarioError: for what is no whole number of 1 or more.
    """

    memory_mb: int = 1024
    cpu_s: int = 60
    files: int = 64
    most_bytes: int = 1_048_576
    """Of one answer."""

    def __post_init__(self) -> None:
        check_count(self, *self.__struct_fields__)


class _Answer(msgspec.Struct):
    key: str
    answer: Any = None
    usage: Usage = Usage()


class SubprocessParticipant(Participant):
    """``Agent("ada", SubprocessParticipant(["python3", "bidder.py"]))``. Linux and other POSIX systems.

    It is started at the first question, with an empty environment and limited resources, in a group of its own. It
    answers one question at a time. If it is too slow it is killed with all its children; it is started anew for the
    next question, as when it ended by itself. The last line of its standard error says why it did.

    Args:
        command: the program, looked up on our own path, and its arguments.
        allowance: of resources.
        environment: its environment variables; by default there are none.

    Raises:
        ScenarioError: for a command that is no list of arguments, or a program that does not exist.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        allowance: Allowance = Allowance(),  # noqa: B008  # it is frozen
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(command, str | bytes) or not all(isinstance(word, str) for word in command):
            raise ScenarioError("command", command, 'a list of arguments, such as ["python3", "bidder.py"]')
        program = shutil.which(command[0]) if command else None
        if program is None:
            raise ScenarioError("command", list(command), "a program that can be run, and its arguments")
        self.command = (program, *command[1:])
        self.allowance, self.environment = allowance, dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._complaining: asyncio.Task[None] | None = None
        self._complaints = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._ending: set[asyncio.Future[Any]] = set()

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    async def answer(self, ask: Ask) -> Any:
        line = msgspec.json.encode(
            {
                "key": ask.key,
                "agent": ask.agent,
                "conversation": ask.conversation,
                "question": ask.question,
                "system": ask.prompt.system,
                "user": ask.prompt.user,
                "schema": ask.schema,
                "seconds": ask.seconds,
                "note": ask.note,
            }
        )
        async with self._turn:
            try:
                return await self._said(line, ask.key)
            except BaseException:  # also when it is given up: what it says next would be about the past
                self._kill()
                raise

    async def _said(self, line: bytes, key: str) -> Reply:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(line + b"\n")
            await process.stdin.drain()
        try:
            raw = await process.stdout.readline()
        except ValueError:
            raise RuntimeError(f"a line of more than {self.allowance.most_bytes:,} bytes") from None
        if not raw.endswith(b"\n"):
            raise Retryable(f"the process ended with code {await process.wait()}{await self._last_words()}")
        try:
            said = msgspec.json.decode(raw, type=_Answer)
        except msgspec.DecodeError as error:
            raise RuntimeError(f"a line that is no answer: {error}") from None
        if said.key != key:
            raise RuntimeError("an answer to another question")
        return Reply(said.answer, said.usage)

    async def _running(self) -> asyncio.subprocess.Process:
        loop = asyncio.get_running_loop()
        if self._process is None or self._process.returncode is not None or self._loop is not loop:
            allowed = self.allowance
            limits = (str(allowed.memory_mb * 1024), str(allowed.cpu_s), str(allowed.files))
            self._process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", _LIMITED, "sh", *limits, *self.command,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=self.environment, start_new_session=True, limit=allowed.most_bytes,
            )  # fmt: skip
            self._loop, self._complaints = loop, b""
            self._complaining = asyncio.create_task(self._listen(self._process.stderr))
        return self._process

    async def _listen(self, stderr: asyncio.StreamReader | None) -> None:
        """Keep the last that the process says on its standard error, and let it go on."""
        assert stderr is not None
        while said := await stderr.read(_COMPLAINT):
            self._complaints = (self._complaints + said)[-_COMPLAINT:]

    async def _last_words(self) -> str:
        """Why a process has ended, as far as it said so."""
        assert self._complaining is not None
        await asyncio.wait([self._complaining], timeout=_FAREWELL_S)
        said = self._complaints.decode(errors="replace").strip().rpartition("\n")[2][:200]
        return ": " + "".join(letter if letter.isprintable() else "?" for letter in said) if said else ""

    def _kill(self) -> None:
        """End the process with its children, without waiting for their end."""
        process, self._process = self._process, None
        if process is None or self._loop is not asyncio.get_running_loop():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        ending = asyncio.ensure_future(_farewell(process, self._complaining))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        self._kill()
        if self._ending:
            await asyncio.wait(self._ending, timeout=_FAREWELL_S)


async def _farewell(process: asyncio.subprocess.Process, complaining: "asyncio.Task[None] | None") -> None:
    """Read what is left in the pipes: `wait` would wait for what nobody reads."""
    if complaining is not None:
        complaining.cancel()
        await asyncio.gather(complaining, return_exceptions=True)
    await process.communicate()
