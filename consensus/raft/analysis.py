"""What elections cost, in closed form: pure functions for planning timeouts and for checking simulations against.

The model is Ongaro's: the live servers draw their timeouts from a uniform distribution, a candidate's requests reach
everybody after the same latency, and whoever has not timed out by then votes for who asks first. Logs do not matter,
and what is split is repeated from the start. `benchmarks.raft_election` measures the real thing.

References:
    D. Ongaro, Consensus: Bridging Theory and Practice, Stanford 2014, sections 9.1 to 9.3.
    D. Ongaro and J. Ousterhout, In Search of an Understandable Consensus Algorithm, extended version, 2014, section 9.3.
"""

from math import comb, fsum

import msgspec

from walras.errors import ScenarioError


def split_vote_probability(latency: float, servers: int, live: int) -> float:
    """How likely it is that one election elects nobody.

    The first candidate fails if so many others time out before its request reaches them that those who are left, with
    itself, are no majority. With the timeouts scaled to [0, 1] that is ``P(U(c) - U(1) < l)``, where *U(k)* is the k-th
    smallest of *s* and ``c = s - floor(n / 2) + 1``; the difference is distributed as Beta(c - 1, s - c + 2), so

        P = sum_{k = c - 1}^{s} C(s, k) l^k (1 - l)^(s - k).

    Args:
        latency: *l*, one-way, as a fraction of the width of the timeout range; 1 and more count as 1.
        servers: *n*, how many vote, alive or not.
        live: *s*, how many are alive; the leader that has failed is not.

    Returns:
        A probability; 1.0 where fewer than a majority are alive.

    Raises:
        ScenarioError: for a negative latency, no servers, or more live servers than there are.

    Examples:
        >>> round(split_vote_probability(0.1, servers=5, live=4), 4)
        0.0523
        >>> split_vote_probability(1.0, servers=5, live=4)
        1.0
    """
    _check_servers(servers, live)
    if not latency >= 0:
        raise ScenarioError("latency", latency, "a fraction of the timeout range, 0 or more")
    too_many = live - servers // 2 + 1
    if too_many <= 1:
        return 1.0
    if too_many > live:  # a single server asks nobody
        return 0.0
    l = min(float(latency), 1.0)  # noqa: E741 - the thesis' symbol
    return fsum(comb(live, k) * l**k * (1 - l) ** (live - k) for k in range(too_many - 1, live + 1))


def earliest_timeout_s(low_s: float, high_s: float, live: int) -> float:
    """The mean of the earliest of so many timeouts, each uniform on [low_s, high_s]: ``low + (high - low) / (s + 1)``.

    Raises:
        ScenarioError: for a range that is none, or nobody alive.

    Examples:
        >>> earliest_timeout_s(0.15, 0.3, live=4)
        0.18
    """
    if not 0 < low_s <= high_s:
        raise ScenarioError(
            "timeout range", (low_s, high_s), "two numbers of seconds above 0, the smaller one first"
        )
    if live < 1:
        raise ScenarioError("live", live, "1 server or more")
    return low_s + (high_s - low_s) / (live + 1)


class Elections(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that has lost its leader, as the closed form sees it. All times in seconds.

    Attributes:
        low_s, high_s: timeouts are uniform between these.
        latency_s: one way, always the same.
        write_s: mean time until a vote is durable.
        heartbeat_s: interval of the leader's heartbeats; None is half the least timeout. The crash falls anywhere in it.
        servers, live: how many vote, and how many of them are alive.

    Raises:
        ScenarioError: for a cluster or a time that makes no sense.

    Examples:
        >>> thesis = Elections(low_s=1.0, high_s=2.0, latency_s=0.1)
        >>> round(thesis.split_vote, 4), round(thesis.downtime_s, 4)
        (0.0523, 1.2217)
    """

    low_s: float
    high_s: float
    latency_s: float
    write_s: float = 0.0
    heartbeat_s: float | None = None
    servers: int = 5
    live: int = 4

    def __post_init__(self) -> None:
        _check_servers(self.servers, self.live)
        earliest_timeout_s(self.low_s, self.high_s, self.live)
        for field in ("latency_s", "write_s", "heartbeat_s"):
            value = getattr(self, field)
            if value is not None and not value >= 0:
                raise ScenarioError(field, value, "seconds, 0 or more")

    @property
    def split_vote(self) -> float:
        """The probability that one election elects nobody; 1.0 if all timeouts are the same."""
        width = self.high_s - self.low_s
        return split_vote_probability(self.latency_s / width if width else 1.0, self.servers, self.live)

    @property
    def downtime_s(self) -> float:
        """The expected time from the crash until a new leader knows that it is one.

            E = (low + (high - low) / (s + 1) + L) / (1 - P) + L + W - heartbeat / 2

        Each election takes the earliest timeout and the way of a request, and 1 / (1 - P) of them are held; the last one
        takes a vote's write and its way back in addition. The crash comes half a heartbeat after the timers were last set,
        on average. Infinite where no election can succeed.
        """
        split = self.split_vote
        if split >= 1.0:
            return float("inf")
        heartbeat = self.low_s / 2 if self.heartbeat_s is None else self.heartbeat_s
        election = earliest_timeout_s(self.low_s, self.high_s, self.live) + self.latency_s
        return election / (1 - split) + self.latency_s + self.write_s - heartbeat / 2


def _check_servers(servers: int, live: int) -> None:
    if servers < 1:
        raise ScenarioError("servers", servers, "1 or more")
    if not 0 <= live <= servers:
        raise ScenarioError("live", live, f"between 0 and {servers}, the number of servers")
