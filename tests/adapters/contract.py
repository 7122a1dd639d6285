"""The contract of all participants that stand on a framework: one suite, the same for each.

A case asks a participant through the real guard, with a loopback server behind the framework's own client; it says what
has to come of it, and how many requests the server may have seen. No key, no network.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tests.adapters.minds_of_frameworks import Framework, close_clients, tidied
from tests.live.minds import HowMuch, Offer, how_much
from walras.adapters.frameworks import WITH_TOOLS
from walras.agents import Agent
from walras.live.answers import NOTHING, Answered, Usage
from walras.live.budget import Budgets, Limits
from walras.live.guard import Guard, GuardRules
from walras.live.participant import Participant
from walras.live.prices import Price
from walras.testing.loopback import HUNG_UP, Call, Loopback

PRICE = Price(1.0, 2.0)
CAP = 321
"""Of the tokens of an answer."""

Make = Callable[..., Participant]
"""A participant of a framework: ``make(model, url, key, **settings)``. Its client is as the framework makes it."""


def offering(prompt: str, schema: Any) -> Any:
    """What the model says: a price that tells for which task; where it calls the bell, twice."""
    if schema is not None and "times" in schema.get("properties", {}):
        return {"times": 2}
    found = re.findall(r'"id":"task-(\d+)"', prompt)
    return {"answer": {"type": "Offer", "price": float(found[-1]), "eta_s": None, "until": None}}


class Bench:
    """One participant on one server, and all that a case looks at."""

    def __init__(self, make: Make, *, key: str | None = None) -> None:
        self.make = make
        self.server = Loopback(mind=offering, key=key)
        self.guard = Guard(GuardRules(backoff_s=0.001, failures=99))

    async def asked(
        self, model: str, *, tasks: int, at_once: int = 1, key: str = "any-key", url: str = "", seconds: float = 120.0
    ) -> list[Answered]:  # fmt: skip
        """Ask one participant about tasks; so long as no case is about time, there is enough of it on a busy machine too."""
        mind = self.make(model, url or self.server.url, key, price=PRICE, most_output_tokens=CAP)
        agent, turn = Agent("ada", mind), asyncio.Semaphore(at_once)

        async def answer(question: HowMuch) -> Answered:
            async with turn:
                return await self.guard.answer(agent, question, conversation="m/1", seconds=seconds)

        try:
            return await asyncio.gather(*(answer(question_about(number)) for number in range(1, tasks + 1)))
        finally:
            await mind.close()

    async def one(self, model: str, **settings: Any) -> Answered:
        """Ask about one task."""
        (answered,) = await self.asked(model, tasks=1, **settings)
        return answered

    def calls(self, model: str) -> list[Call]:
        """What the server has seen of a model."""
        return self.server.of(model)


def question_about(number: int) -> HowMuch:
    return how_much(f"task-{number}", decide_by=60.0)


class Case(NamedTuple):
    """One line of the contract: what it is called in the table, and what is done and checked."""

    name: str
    check: Callable[[Bench], Awaitable[None]]
    key: str | None = None
    """What the server wants as its key."""


CASES: dict[str, Case] = {}


def case(name: str, key: str | None = None) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    """Add a case to the contract."""

    def add(check: Callable[[Bench], Awaitable[None]]) -> None:
        CASES[name] = Case(name, check, key)

    return add


def expect(answered: Answered, status: str, attempts: int, calls: list[Call]) -> None:
    """The right status, after so many attempts, each of them one request."""
    seen = (answered.status, answered.attempts, len(calls))
    assert seen == (status, attempts, attempts), f"{answered}, {[call.status for call in calls]}"


@case("valid")
async def valid(bench: Bench) -> None:
    answered = await bench.one("good")
    expect(answered, "ok", 1, bench.calls("good"))
    assert answered.value == Offer(1.0)
    (call,) = bench.calls("good")
    assert "For how much would you do the task?" in call.prompt, "our instructions arrive"
    assert '"id":"task-1"' in call.prompt, "and so does the question"


@case("no tools, and a cap")
async def bare(bench: Bench) -> None:
    """A bid is one request: nothing to call is offered, and the answer cannot be longer than we allow."""
    await bench.one("good")
    (call,) = bench.calls("good")
    assert call.tools == ()
    assert call.most_tokens == CAP


@case("allowed tools, and no others")
async def tooled(bench: Bench) -> None:
    """Where the guard allows a tool for a kind of question, it is offered, called, and counted as what it is: two requests."""
    bench.guard = Guard(GuardRules(tools={HowMuch: ("bell",)}))
    answered = await bench.one("good")
    calls = bench.calls("good")
    assert [call.tools for call in calls] == [("bell",), ("bell",)]
    assert "ding" in calls[1].prompt, "the tool was not called"
    assert (answered.status, answered.usage.calls) == ("ok", 2), answered
    assert answered.usage.input_tokens == sum(len(call.prompt) // 4 for call in calls)


@case("a loop of tools")
async def looping(bench: Bench) -> None:
    """A model that calls tools without end is stopped."""
    bench.guard = Guard(GuardRules(tools={HowMuch: ("bell",)}, repairs=0))
    answered = await bench.one("m+ringing")
    assert answered.status == "invalid", answered
    assert 1 < len(bench.calls("m+ringing")) <= WITH_TOOLS
    assert answered.usage.calls == len(bench.calls("m+ringing")), "all of them are counted"


@case("our schema on the wire")
async def structured(bench: Bench) -> None:
    await bench.one("good")
    (call,) = bench.calls("good")
    assert (call.schema_type, call.strict) == ("json_schema", True)


@case("idempotency key")
async def keyed(bench: Bench) -> None:
    """The same for every retry of one call."""
    await bench.one("busy+503:1")
    first, second = bench.calls("busy+503:1")
    assert first.idempotency_key.endswith("-0-0")
    assert first.idempotency_key == second.idempotency_key


@case("invalid once")
async def invalid_once(bench: Bench) -> None:
    answered = await bench.one("m+malformed:1")
    expect(answered, "ok", 2, bench.calls("m+malformed:1"))
    assert "Your last answer was not accepted" in bench.calls("m+malformed:1")[1].prompt


@case("invalid always")
async def invalid_always(bench: Bench) -> None:
    expect(await bench.one("m+malformed"), "invalid", 2, bench.calls("m+malformed"))


@case("prose")
async def prose(bench: Bench) -> None:
    expect(await bench.one("m+prose"), "invalid", 2, bench.calls("m+prose"))


@case("refusal")
async def refusal(bench: Bench) -> None:
    expect(await bench.one("m+refusing"), "declined", 1, bench.calls("m+refusing"))


@case("slow, in time")
async def slow(bench: Bench) -> None:
    expect(await bench.one("m+slow:0.3"), "ok", 1, bench.calls("m+slow:0.3"))


@case("given up, and stopped")
async def stopped(bench: Bench) -> None:
    """At the deadline the answer is a time-out, and soon after the provider sees that nobody waits for it."""
    answered = await bench.one("m+slow:60", seconds=0.5)
    assert answered.status == "timeout", answered
    assert answered.attempts == 1
    for _ in range(200):
        if bench.calls("m+slow:60"):
            break
        await asyncio.sleep(0.02)
    assert [call.status for call in bench.calls("m+slow:60")] == [HUNG_UP], "the call still runs"


@case("429 once")
async def busy_once(bench: Bench) -> None:
    expect(await bench.one("m+429:1"), "ok", 2, bench.calls("m+429:1"))


@case("429 always")
async def busy_always(bench: Bench) -> None:
    answered = await bench.one("m+429")
    expect(answered, "error", 3, bench.calls("m+429"))
    assert "429" in answered.detail


@case("500 once")
async def broken_once(bench: Bench) -> None:
    expect(await bench.one("m+500:1"), "ok", 2, bench.calls("m+500:1"))


@case("500 always")
async def broken_always(bench: Bench) -> None:
    expect(await bench.one("m+500"), "error", 3, bench.calls("m+500"))


@case("oversized")
async def oversized(bench: Bench) -> None:
    expect(await bench.one("m+oversized"), "invalid", 2, bench.calls("m+oversized"))


@case("a tool call instead")
async def calling(bench: Bench) -> None:
    """A model that calls a tool nobody offered is told so once, and no loop begins."""
    expect(await bench.one("m+calling"), "invalid", 2, bench.calls("m+calling"))


@case("wrong key", key="right-key")
async def wrong_key(bench: Bench) -> None:
    answered = await bench.one("m", key="wrong-key-7331")
    assert (answered.status, answered.attempts) == ("error", 1), answered
    assert "401" in answered.detail
    assert "7331" not in answered.detail


@case("no connection")
async def unreachable(bench: Bench) -> None:
    answered = await bench.one("m", url="http://127.0.0.1:9/v1")
    assert (answered.status, answered.attempts) == ("error", 3), answered
    assert "no connection" in answered.detail


@case("a call that never left is free")
async def free(bench: Bench) -> None:
    """Where nobody answers at the address, nothing was sent, and nothing is charged."""
    answered = await bench.one("m", url="http://127.0.0.1:9/v1")
    assert answered.usage == NOTHING


@case("tokens and cost")
async def tokens(bench: Bench) -> None:
    """What the provider says it took, under our names; of a call that failed, nothing is known, which is not zero."""
    answered = await bench.one("good")
    (call,) = bench.calls("good")
    used = answered.usage
    assert used.calls == 1
    assert used.input_tokens == max(1, len(call.prompt) // 4)
    assert used.output_tokens == len(json.dumps(offering(call.prompt, None))) // 4
    assert used == PRICE.of(used)
    assert used.cost_usd is not None
    assert used.cost_usd > 0
    failed = await bench.one("m+500:1")
    assert failed.usage == Usage(2, None, None, None)


@case("over budget")
async def over_budget(bench: Bench) -> None:
    """Nothing is asked that could cost more than there is."""
    bench.guard.budgets = Budgets(Limits(usd=1e-6))
    answered = await bench.one("good")
    assert (answered.status, bench.calls("good")) == ("over_budget", [])


@case("twenty at once")
async def concurrent(bench: Bench) -> None:
    """Questions to one participant do not get into each other."""
    answered = await bench.asked("good", tasks=20, at_once=20)
    assert [one.status for one in answered] == ["ok"] * 20, answered
    assert [one.value.price for one in answered] == [float(k) for k in range(1, 21)]
    assert len(bench.calls("good")) == 20


@case("connections are kept")
async def kept(bench: Bench) -> None:
    """Questions one after another share a connection: a market that runs for days does not pile them up."""
    answered = await bench.asked("good", tasks=5)
    assert [one.status for one in answered] == ["ok"] * 5, answered
    assert len({call.connection for call in bench.calls("good")}) == 1


def keeps(one: Framework, line: Case) -> tuple[bool, BaseException | None]:
    """Whether a framework passes a case, and what came in between if not."""

    async def run() -> None:
        bench = Bench(one.make, key=line.key)
        with bench.server:
            try:
                await line.check(bench)
            finally:
                await close_clients()

    with tidied():
        try:
            asyncio.run(run())
        except Exception as error:
            return False, error
    return True, None
