"""Asks one question through a framework, and prints to whom else a connection was wanted.

``python -m tests.adapters.watched NAME``

From the first import to the last word at exit, every attempt to reach anything but this machine is noted, and fails.
"""

import atexit
import json
import os
import sys
from typing import Any

WANTED: list[str] = []
LOCAL = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "")


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name not in LOCAL:
        WANTED.append(name)
        raise PermissionError(f"{name} is not on this machine")


def main(name: str) -> None:
    # registered first, it runs last
    atexit.register(lambda: print("wanted:", json.dumps(sorted(set(WANTED)))))
    sys.addaudithook(watch)
    os.environ["OPENAI_API_KEY"] = "sk-nobody"  # with it, some begin to talk
    from tests.adapters.contract import CASES, keeps
    from tests.adapters.minds_of_frameworks import FRAMEWORKS

    passed, why = keeps(FRAMEWORKS[name], CASES["valid"])
    print("answered:", passed, why or "")


if __name__ == "__main__":
    main(sys.argv[1])
