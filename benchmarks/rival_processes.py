"""The same market as SimPy processes: as SimPy's documentation has its users write it, in two ways, and tuned for speed.

All have a process and a `Store` for each agent and a latency process for each message, as in the documentation's example
"Event Latency". Delays come from the same keyed streams as the simulator's, one per link; none keeps a trace.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from simpy import Environment, Store

from benchmarks.market import (
    ACCEPT,
    CFP,
    DEADLINE,
    GAP_S,
    INFORM,
    MANAGER,
    PROPOSE,
    REJECT,
    REPLY_S,
    START,
    Market,
    Message,
    Shown,
)

Steps = Generator[Any, Any, None]


# --------------------------------------------------------------------------------------------------- as documented
class Letter(NamedTuple):
    """A message."""

    kind: int
    round: int
    sender: str
    price: float = 0.0


class Link:
    """The way from one agent to another's inbox; the documentation's `Cable`."""

    def __init__(self, env: Environment, delay: Callable[[], float], inbox: Store) -> None:
        self.env, self.delay, self.inbox = env, delay, inbox

    def latency(self, letter: Letter, delay: float) -> Steps:
        yield self.env.timeout(delay)
        self.inbox.put(letter)

    def send(self, letter: Letter) -> None:
        self.env.process(self.latency(letter, self.delay()))


class SimpyProcesses:
    """Each message is waited for no longer than until the deadline, ``yield get | deadline``, as in the example "Bank Renege"."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.env = Environment()
        self.inbox = Store(self.env)
        self.links: dict[str, Link] = {}
        self.winners: list[str] = []
        self.ended_at = 0.0
        for place, name in enumerate(market.contractors):
            inbox = Store(self.env)
            self.links[name] = Link(self.env, market.link(MANAGER, name), inbox)
            back = Link(self.env, market.link(name, MANAGER), self.inbox)
            prices = [costs[place] for costs in market.costs]
            self.env.process(self.contractor(name, prices, inbox, back))
        self.env.process(self.manager(range(1)))
        self.env.run(until=GAP_S)

    def run(self) -> None:
        self.env.process(self.manager(range(1, self.market.rounds + 1)))
        self.env.run()

    def shown(self) -> Shown:
        return Shown(tuple(self.winners), self.ended_at)

    def contractor(self, name: str, prices: list[float], inbox: Store, manager: Link) -> Steps:
        while True:
            letter = yield inbox.get()
            if letter.kind == CFP:
                manager.send(Letter(PROPOSE, letter.round, name, prices[letter.round]))
            elif letter.kind == ACCEPT:
                manager.send(Letter(INFORM, letter.round, name))

    def manager(self, rounds: range) -> Steps:
        for r in rounds:
            next_round = self.env.timeout(GAP_S)
            call, accept, reject = (Letter(kind, r, MANAGER) for kind in (CFP, ACCEPT, REJECT))
            for link in self.links.values():
                link.send(call)
            proposals = yield from self.collect(r)
            winner = min(proposals, key=proposals.__getitem__)
            for name in proposals:
                self.links[name].send(accept if name == winner else reject)
            while True:
                letter = yield self.inbox.get()
                if letter.kind == INFORM and letter.round == r:
                    break
            self.winners.append(winner)
            self.ended_at = self.env.now
            yield next_round

    def collect(self, r: int) -> Generator[Any, Any, dict[str, float]]:
        """Prices by contractor, until all are there or the deadline comes."""
        proposals: dict[str, float] = {}
        deadline = self.env.timeout(REPLY_S)
        while len(proposals) < len(self.links):
            get = self.inbox.get()
            yield get | deadline
            if not get.triggered:
                get.cancel()  # or it would swallow the next message
                break
            letter: Any = get.value
            if letter.kind == PROPOSE and letter.round == r:
                proposals[letter.sender] = letter.price
        return proposals


class GatheringProcesses(SimpyProcesses):
    """All replies are waited for at once, ``yield all_of(gets) | deadline``, as the guide to events has it."""

    def collect(self, r: int) -> Generator[Any, Any, dict[str, float]]:
        self.inbox.items.clear()  # what came too late for the last round would be taken for a reply
        gets = [self.inbox.get() for _ in self.links]
        yield self.env.all_of(gets) | self.env.timeout(REPLY_S)
        for get in gets:
            if not get.triggered:
                get.cancel()
        letters: list[Any] = [get.value for get in gets if get.triggered]
        return {
            letter.sender: letter.price for letter in letters if letter.kind == PROPOSE and letter.round == r
        }


# ---------------------------------------------------------------------------------------------------------- tuned
class TunedProcesses:
    """With plain tuples as messages and without conditions: the manager's deadline is a process that puts a token into its
    store, so that it waits for one event at a time.
    """

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
