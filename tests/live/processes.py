"""Programs as processes of their own, which print lines of JSON and can be killed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def free_ports(count: int) -> list[int]:
    """Ports below those that a system hands out by itself, so that nobody takes one between two lives of a process."""
    return SystemRandom().sample(range(20_000, 32_000), count)


class Program:
    """One process after another with the same arguments."""

    def __init__(self, *command: object) -> None:
        self.command = [str(part) for part in command]
        self.said: list[dict[str, Any]] = []
        """What this life has printed."""
        self.process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin a life."""
        self.said = []
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self.command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self.process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.append(json.loads(line))

    @property
    def state(self) -> dict[str, Any]:
        """What it has printed last."""
        return self.said[-1] if self.said else {}

    async def kill(self) -> None:
        """With SIGKILL, if it still lives."""
        process, self.process = self.process, None
        if process is None or self._reading is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
        await self._reading


@asynccontextmanager
async def running(programs: Sequence[Program]) -> AsyncIterator[None]:
    """While these programs run; whatever happens, none is left over."""
    try:
        await asyncio.gather(*(program.start() for program in programs))
        yield
    finally:
        await asyncio.gather(*(program.kill() for program in programs))
