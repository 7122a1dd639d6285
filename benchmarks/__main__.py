"""``python -m benchmarks``: the engine's. ``python -m benchmarks.scale`` is the other one."""

from benchmarks.engine import main

main()
