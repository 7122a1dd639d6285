"""The same market on SimPy, in its two idioms: processes with stores, and callbacks. `benchmarks.rival_mesa` has Mesa.

All draw their delays from the same keyed streams as the simulator, one per link. Messages are plain tuples
``(kind, round, sender, price)``: the cheapest there are, and none of the sides keeps a trace.
"""

from collections.abc import Callable, Generator
from typing import Any

from simpy import Environment, Store, Timeout

from benchmarks.market import GAP_S, MANAGER, REPLY_S, Market, Shown

START, CFP, PROPOSE, ACCEPT, REJECT, INFORM, DEADLINE = range(7)

Message = tuple[int, int, int, float]
Steps = Generator[Any, Any, None]


# ------------------------------------------------------------------------------------------- (a) SimPy processes
class SimpyProcesses:
    """As SimPy's documentation writes it: a process and a `Store` per agent, and a latency process per message."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.env = Environment()
        self.inbox = Store(self.env)
        self.stores = [Store(self.env) for _ in market.contractors]
        self.links = [market.link(MANAGER, c) for c in market.contractors]
        self.winners: list[int] = []
        self.ended_at = 0.0
        self.env.process(self.manager())
        for me, (name, store) in enumerate(zip(market.contractors, self.stores, strict=True)):
            self.env.process(self.contractor(me, store, market.link(name, MANAGER)))
        self.env.process(self.ticker(range(1)))
        self.env.run(until=GAP_S)

    def run(self) -> None:
        self.env.process(self.ticker(range(1, self.market.rounds + 1)))
        self.env.run()

    def shown(self) -> Shown:
        return Shown(tuple(self.market.contractors[i] for i in self.winners), self.ended_at)

    def latency(self, store: Store, delay: float, message: Message) -> Steps:
        """The documentation's latency process ("Event Latency")."""
        yield self.env.timeout(delay)
        store.put(message)

    def ticker(self, rounds: range) -> Steps:
        for r in rounds:
            yield self.env.timeout(r * GAP_S - self.env.now)
            self.inbox.put((START, r, 0, 0.0))

    def alarm(self, r: int) -> Steps:
        yield self.env.timeout(REPLY_S)
        self.inbox.put((DEADLINE, r, 0, 0.0))

    def contractor(self, me: int, store: Store, link: Callable[[], float]) -> Steps:
        env, inbox, costs = self.env, self.inbox, self.market.costs
        while True:
            kind, r, _, _ = yield store.get()
            if kind == CFP:
                env.process(self.latency(inbox, link(), (PROPOSE, r, me, costs[r][me])))
            elif kind == ACCEPT:
                env.process(self.latency(inbox, link(), (INFORM, r, me, 0.0)))

    def manager(self) -> Steps:
        env, inbox = self.env, self.inbox
        everybody = list(zip(self.stores, self.links, strict=True))
        while True:
            kind, r, _, _ = yield inbox.get()
            if kind != START:
                continue  # the alarm of a round that is over
            for store, link in everybody:
                env.process(self.latency(store, link(), (CFP, r, 0, 0.0)))
            env.process(self.alarm(r))
            bids = yield from self.collect(r, len(everybody))
            winner = min(bids)[1]
            for _, bidder in bids:
                verdict = ACCEPT if bidder == winner else REJECT
                store, link = everybody[bidder]
                env.process(self.latency(store, link(), (verdict, r, 0, 0.0)))
            while kind != INFORM:
                kind, _, _, _ = yield inbox.get()
            self.winners.append(winner)
            self.ended_at = env.now

    def collect(self, r: int, size: int) -> Generator[Any, Any, list[tuple[float, int]]]:
        """Proposals, until all are there or the deadline comes."""
        bids: list[tuple[float, int]] = []
        while len(bids) < size:
            kind, of_round, sender, price = yield self.inbox.get()
            if of_round != r:
                continue
            if kind == DEADLINE:
                break
            bids.append((price, sender))
        return bids


# ------------------------------------------------------------------------------------------- (b) SimPy callbacks
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
