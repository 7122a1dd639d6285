"""Which worlds the explorer of Raft draws: any, or those in which one thing that is rare in any of them is likely."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from walras.simulation.latency import Constant, Delay, Uniform
from walras.simulation.swarm import Swarm

SWARM = Swarm(
    heal_at=0.85, loss=(0.02, 0.6), reorder_by_s=(0.05, 3.0), partitions=(0.5, 6.0),
    span_s=(0.05, 2.0), crashes=(0.2, 2.0), pauses=(0.2, 2.0), fsync_s=(0.001, 0.1), offset_s=(0.01, 10.0), drift=(1e-5, 0.3),
)  # fmt: skip
"""Messages may be late by some elections; clocks fast and slow by a third, since nothing but a lease may depend on them."""


class Worlds(msgspec.Struct, frozen=True):
    """What the worlds of one kind have in common; the rest is drawn for each."""

    swarm: Swarm = SWARM
    latency: Delay = Uniform(0.01, 0.05)
    """How long a message takes, seconds."""
    load: Mapping[str, Any] = {}
    """Fields of the load that are not drawn."""


ANY = Worlds()

SKEWED = Worlds(
    Swarm(
        heal_at=0.85, loss=(0.001, 0.05), reorder_by_s=(0.05, 1.0), partitions=(0.5, 6.0), span_s=(0.2, 2.0),
        crashes=(0.05, 0.3), pauses=(0.05, 0.3), slow_disks=(0.05, 0.3), fsync_s=(0.001, 0.01),
        offset_s=(0.01, 10.0), drift=(0.05, 0.4),
    ),
    load={
        "clients": 4, "keys": 1, "reads": 0.8, "think_s": 0.02, "patience_s": 0.05,
        "noise_s": 0.0, "reconfigure_s": 0.0, "transfer_s": 0.15, "ambush_elected": 0.0, "ambush_changing": 0.0,
        "pre_vote": False, "batch_s": 0.0, "max_inflight": 256, "max_size": 1_000_000,
    },
)  # fmt: skip
"""A leader that was cut off believes in itself for a while, and clients find its successor before that is over.

Clocks drift by up to 0.4, and the leadership is handed to slow ones, which win no election by themselves; clients are many
and in a hurry, and little else goes wrong, so that a successor can commit something.
"""

LEVEL = replace(SKEWED, swarm=replace(SKEWED.swarm, drift=(1e-9, 1e-8)))
"""As skewed, with clocks that run equally fast: in these, reads by lease are as right as others."""

CRASHING = Worlds(
    Swarm(
        heal_at=0.85, loss=(0.02, 0.6), reorder_by_s=(0.05, 3.0), partitions=(0.5, 6.0), span_s=(0.005, 0.1),
        crashes=(2.0, 20.0), pauses=(0.2, 2.0), fsync_s=(0.001, 0.01), offset_s=(0.01, 10.0), drift=(0.01, 0.3),
    ),
    latency=Uniform(0.03, 0.12),
    load={"reconfigure_s": 0.0, "ambush_changing": 0.0, "pre_vote": False, "check_quorum": False},
)  # fmt: skip
"""Machines crash often and are back before an election is over; messages are slow, so that candidates meet."""

ALIKE = Worlds(
    Swarm(heal_at=0.85, chance=0.1, partitions=(0.5, 2.0), crashes=(0.2, 1.0), pauses=(0.2, 1.0)),
    latency=Constant(0.02),
)
"""Little goes wrong, and every message takes equally long: only the dice of the election timeouts keep candidates apart."""

WORLDS = {"any": ANY, "skewed": SKEWED, "level": LEVEL, "crashing": CRASHING, "alike": ALIKE}
"""By name."""
