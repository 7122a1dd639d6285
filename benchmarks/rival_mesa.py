"""The same market on Mesa's own event scheduling, whichever of its two interfaces is installed."""

from collections.abc import Callable
from typing import Any

import mesa

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


class Delivery:
    """A message on its way, for Mesa 3.4 and later, whose events take no arguments and hold their target weakly."""

    __slots__ = ("__weakref__", "market", "message", "receive")

    def __init__(self, market: "MesaEvents", receive: Callable[[Message], None], message: Message) -> None:
        self.market, self.receive, self.message = market, receive, message

    def arrive(self) -> None:
        self.market.under_way.discard(self)
        self.receive(self.message)


class MesaContractor(mesa.Agent):  # type: ignore[misc]
    """An agent whose handler is called by Mesa's event scheduling."""

    def __init__(self, model: "MesaEvents", me: int) -> None:
        super().__init__(model)
        self.me = me
        self.link = model.market.link(model.market.contractors[me], MANAGER)

    def receive(self, message: Message) -> None:
        kind, r, _, _ = message
        model = self.model
        if kind == CFP:
            model.send(model.receive, self.link(), (PROPOSE, r, self.me, model.market.costs[r][self.me]))
        elif kind == ACCEPT:
            model.send(model.receive, self.link(), (INFORM, r, self.me, 0.0))


class MesaEvents(mesa.Model):  # type: ignore[misc]
    """Mesa's own event list: `model.schedule_event` where there is one (3.4 and later), else its DEVSimulator."""

    def __init__(self, market: Market) -> None:
        super().__init__(rng=market.seed)
        self.market = market
        self.devs: Any = None
        self.under_way: set[Delivery] = set()
        if hasattr(self, "schedule_event"):
            self.send = self.send_by_model
        else:
            from mesa.experimental.devs import DEVSimulator

            self.devs = DEVSimulator()
            self.devs.setup(self)
            self.send = self.send_by_devs
        self.contractors = [MesaContractor(self, me) for me in range(len(market.contractors))]
        self.links = [market.link(MANAGER, c) for c in market.contractors]
        self.winners: list[int] = []
        self.ended_at = 0.0
        self.bids: list[tuple[float, int]] | None = None
        self.round = 0
        self.receive((START, 0, 0, 0.0))
        self.run_to(GAP_S)

    def send_by_devs(self, receive: Callable[[Message], None], delay: float, message: Message) -> None:
        self.devs.schedule_event_relative(receive, delay, function_args=[message])

    def send_by_model(self, receive: Callable[[Message], None], delay: float, message: Message) -> None:
        delivery = Delivery(self, receive, message)
        self.under_way.add(delivery)
        self.schedule_event(delivery.arrive, after=delay)

    def run_to(self, time: float) -> None:
        (self.devs or self).run_until(time)

    def run(self) -> None:
        for r in range(1, self.market.rounds + 1):
            self.send(self.receive, (r - 1) * GAP_S, (START, r, 0, 0.0))
        self.run_to((self.market.rounds + 1) * GAP_S)

    def shown(self) -> Shown:
        return Shown(tuple(self.market.contractors[i] for i in self.winners), self.ended_at)

    def receive(self, message: Message) -> None:
        kind, r, sender, price = message
        if kind == PROPOSE and self.bids is not None and r == self.round:
            self.bids.append((price, sender))
            if len(self.bids) == len(self.contractors):
                self.award()
        elif kind == INFORM:
            self.winners.append(sender)
            self.ended_at = (self.devs or self).time
        elif kind == START:
            self.start(r)
        elif kind == DEADLINE and r == self.round and self.bids is not None:
            self.award()

    def start(self, r: int) -> None:
        self.round, self.bids = r, []
        call = (CFP, r, 0, 0.0)
        for contractor, link in zip(self.contractors, self.links, strict=True):
            self.send(contractor.receive, link(), call)
        self.send(self.receive, REPLY_S, (DEADLINE, r, 0, 0.0))

    def award(self) -> None:
        bids, r = self.bids or [], self.round
        self.bids = None
        winner = min(bids)[1]
        for _, bidder in bids:
            verdict = ACCEPT if bidder == winner else REJECT
            self.send(self.contractors[bidder].receive, self.links[bidder](), (verdict, r, 0, 0.0))
