"""``python -m benchmarks``: the engine's. The others are run by their own names, ``python -m benchmarks.scale``."""

from benchmarks.engine import main

main()
