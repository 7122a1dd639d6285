"""``python -m benchmarks``: all benchmarks; there is one so far."""

from benchmarks.engine import main

main()
