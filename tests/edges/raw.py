"""Callers that keep to no protocol: bytes over sockets of this machine."""

import asyncio
import contextlib
import os
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    """A connection to whoever listens there."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def request(method: str, path: str, token: str, body: bytes = b"", *headers: str) -> bytes:
    """A request as it stands on the wire; the body may be less than it says, or more."""
    said = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *headers]
    if not any(header.startswith(("Content-Length", "Transfer-Encoding", "Upgrade")) for header in headers):
        said.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*said, "", ""]).encode("latin-1", "replace") + body


async def answered(url: str, sent: bytes) -> tuple[int, bytes]:
    """The status and all that comes after it; 0: the line was cut without a word."""
    async with line(url) as (reader, writer):
        writer.write(sent)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
            rest = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        return int(head.split()[1]), rest


HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
    "Sec-WebSocket-Version: 13",
)


async def upgraded(to: Line, token: str) -> None:
    """Make the line a WebSocket."""
    to[1].write(request("GET", "/v1/live", token, b"", *HANDSHAKE))
    head = await asyncio.wait_for(to[0].readuntil(b"\r\n\r\n"), 20)
    assert b" 101 " in head.split(b"\r\n")[0], head


def frame(
    opcode: int, payload: bytes = b"", *, bits: int = 0x80, masked: bool = True, claims: int | None = None
) -> bytes:
    """A frame of a WebSocket, right or wrong: the bits FIN and RSV, and the length that it claims to have."""
    size = len(payload) if claims is None else claims
    mask = 0x80 if masked else 0
    if size < 126:
        length = bytes([mask | size])
    elif size < 65_536:
        length = bytes([mask | 126]) + struct.pack("!H", size)
    else:
        length = bytes([mask | 127]) + struct.pack("!Q", size)
    return bytes([bits | opcode]) + length + (b"\0\0\0\0" if masked else b"") + payload
