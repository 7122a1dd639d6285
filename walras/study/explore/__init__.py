"""Exploration: many short worlds in which things go wrong, each drawn from its seed, until something breaks.

A `Target` says how to draw a world (a `Plan`), run it and judge it (a `Trial`). Whatever the target, the explorer does the
rest: seeds, counters that show which faults and rare branches really happened, and for a seed that fails the search
for the smallest plan that fails still, with its transcript, as a file that can be replayed. The page is
``docs/exploration.md``; targets are found by name in `walras.study.explore.targets`.
"""
