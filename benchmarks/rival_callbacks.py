"""The same market on SimPy without processes: every message is a `Timeout` whose callback is its receiver's handler."""

from typing import Any

from simpy import Environment, Timeout

from benchmarks.market import ACCEPT, CFP, GAP_S, INFORM, MANAGER, PROPOSE, REJECT, REPLY_S, Market, Shown


class CallbackContractor:
    """A handler object; what it is sent arrives as the value of a `Timeout`."""

    __slots__ = ("costs", "env", "link", "manager", "me")

    def __init__(self, env: Environment, market: Market, me: int, manager: "SimpyCallbacks") -> None:
        self.env, self.me, self.manager, self.costs = env, me, manager, market.costs
        self.link = market.link(market.contractors[me], MANAGER)

    def receive(self, event: Any) -> None:
        kind, r, _, _ = event._value
        if kind == CFP:
            arrival = Timeout(self.env, self.link(), (PROPOSE, r, self.me, self.costs[r][self.me]))
        elif kind == ACCEPT:
            arrival = Timeout(self.env, self.link(), (INFORM, r, self.me, 0.0))
        else:
            return
        arrival.callbacks.append(self.manager.receive)


class SimpyCallbacks:
    """Handlers instead of processes: each message is a `Timeout` whose callback is the receiver's handler."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.env = Environment()
        self.contractors = [
            CallbackContractor(self.env, market, i, self) for i in range(len(market.contractors))
        ]
        self.links = [market.link(MANAGER, c) for c in market.contractors]
        self.winners: list[int] = []
        self.ended_at = 0.0
        self.bids: list[tuple[float, int]] | None = None
        self.round = 0
        self.schedule(range(1))
        self.env.run(until=GAP_S)

    def schedule(self, rounds: range) -> None:
        for r in rounds:
            Timeout(self.env, r * GAP_S - self.env.now, r).callbacks.append(self.start)

    def run(self) -> None:
        self.schedule(range(1, self.market.rounds + 1))
        self.env.run()

    def shown(self) -> Shown:
        return Shown(tuple(self.market.contractors[i] for i in self.winners), self.ended_at)

    def start(self, event: Any) -> None:
        env, call = self.env, (CFP, event._value, 0, 0.0)
        self.round, self.bids = event._value, []
        for contractor, link in zip(self.contractors, self.links, strict=True):
            Timeout(env, link(), call).callbacks.append(contractor.receive)
        Timeout(env, REPLY_S, self.round).callbacks.append(self.deadline)

    def deadline(self, event: Any) -> None:
        if event._value == self.round and self.bids is not None:
            self.award()

    def receive(self, event: Any) -> None:
        kind, r, sender, price = event._value
        if kind == INFORM:
            self.winners.append(sender)
            self.ended_at = self.env._now
        elif self.bids is not None and r == self.round:
            self.bids.append((price, sender))
            if len(self.bids) == len(self.contractors):
                self.award()

    def award(self) -> None:
        env, bids, r = self.env, self.bids or [], self.round
        self.bids = None
        winner = min(bids)[1]
        accept, reject = (ACCEPT, r, 0, 0.0), (REJECT, r, 0, 0.0)
        for _, bidder in bids:
            arrival = Timeout(env, self.links[bidder](), accept if bidder == winner else reject)
            arrival.callbacks.append(self.contractors[bidder].receive)
