"""Models behind an OpenAI-compatible endpoint: through the real client, the guard and a server on this machine."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from contractnet import ProposalWanted
from tests.live.minds import HowMuch, Offer, how_much
from walras.adapters.openai import OpenAIParticipant
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Task
from walras.live.answers import Answered, Usage
from walras.live.budget import Budgets, Limits
from walras.live.extras import MissingExtraError
from walras.live.guard import Guard, GuardRules
from walras.live.prices import Price
from walras.questions import Question
from walras.testing.loopback import Loopback

SENSIBLE = {"answer": {"type": "Offer", "price": 7.5, "eta_s": None, "until": None}}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(mind=lambda prompt, schema: SENSIBLE) as running:
        yield running


def asked(
    server: Loopback | None, model: str, *, guard: Guard | None = None, question: Question | None = None, seconds: float = 10.0,
    **settings: Any,
) -> Answered:  # fmt: skip
    """One question to one model; real time, since a socket knows no other."""

    async def market() -> Answered:
        if server is not None:
            settings.setdefault("base_url", server.url)
        mind = OpenAIParticipant(model, api_key=settings.pop("api_key", "any"), **settings)
        try:
            return await (guard or Guard()).answer(
                Agent("ada", mind), question or how_much(), conversation="m/1", seconds=seconds
            )
        finally:
            await mind.close()

    return asyncio.run(market())


def test_a_model_answers_in_one_strict_request_with_its_idempotency_key(server: Loopback) -> None:
    found = asked(server, "good", options={"temperature": 0, "seed": 7})
    assert (found.status, found.value, found.attempts) == ("ok", Offer(7.5), 1)
    (call,) = server.of("good")
    assert (call.schema_type, call.strict, call.tools) == ("json_schema", True, ())
    assert call.idempotency_key.endswith("-0-0")
    assert "For how much would you do the task?" in call.prompt


def test_any_schema_of_ours_is_filled_and_read() -> None:
    """Without a mind of its own the server fills the schema that we sent; what comes back is a legal form."""
    question = ProposalWanted(task=Task("t"), manager="m", valid_until=9.0, decide_by=2.0)
    with Loopback() as server:
        guard = Guard(GuardRules(repairs=0))
        statuses = {asked(server, f"m{k}", guard=guard, question=question).status for k in range(12)}
    assert "ok" in statuses
    assert statuses <= {"ok", "invalid"}, "a quality of 77 is well-formed, and not accepted"


def test_usage_and_price_are_counted_and_an_unknown_price_is_not_zero(server: Loopback) -> None:
    priced = asked(server, "good", price=Price(1.0, 2.0)).usage
    assert priced.input_tokens is not None
    assert priced.output_tokens is not None
    assert priced.cost_usd == pytest.approx((priced.input_tokens + 2 * priced.output_tokens) / 1e6)
    assert asked(server, "good").usage.cost_usd is None


def test_what_is_reserved_before_the_call_covers_what_it_took(server: Loopback) -> None:
    """A budget that is smaller than the estimate buys nothing; a call never costs more than was set aside."""
    price = Price(1.0, 2.0)
    broke = Guard(budgets=Budgets(Limits(usd=0.001)))
    assert asked(server, "dear", guard=broke, price=price).status == "over_budget"
    assert server.of("dear") == []
    rich = Guard(budgets=Budgets(Limits(usd=1.0)))
    found = asked(server, "dear", guard=rich, price=price)
    ask = Usage(1, 10_000, 1000)
    assert found.usage.cost_usd is not None
    assert found.usage.cost_usd < (price.of(ask).cost_usd or 0)


@pytest.mark.parametrize(
    ("model", "status", "attempts"),
    [
        ("m+429:1", "ok", 2),
        ("m+503:2", "ok", 3),
        ("m+500", "error", 3),
        ("m+malformed:1", "ok", 2),
        ("m+malformed", "invalid", 2),
        ("m+prose", "invalid", 2),
        ("m+refusing", "declined", 1),
        ("m+oversized", "invalid", 2),
    ],
)
def test_faults_of_a_provider_become_the_right_status(
    server: Loopback, model: str, status: str, attempts: int
) -> None:
    """Only the guard tries again: the client makes one request for each attempt."""
    found = asked(server, model, guard=Guard(GuardRules(failures=9)))
    assert (found.status, found.attempts, len(server.of(model))) == (status, attempts, attempts), found.detail


def test_a_slow_model_is_given_up_in_time(server: Loopback) -> None:
    assert asked(server, "m+slow:30", seconds=0.3).status == "timeout"


def test_endpoints_without_structured_output_read_the_schema_in_the_prompt(server: Loopback) -> None:
    assert asked(server, "plain", structured=False).status == "ok"
    (call,) = server.of("plain")
    assert call.schema_type == ""
    assert '"additionalProperties":false' in call.prompt


def test_a_wrong_key_is_an_error_that_does_not_print_it() -> None:
    with Loopback(key="right") as server:
        found = asked(server, "m", api_key="sk-wrong")
    assert (found.status, found.attempts) == ("error", 1)
    assert "401" in found.detail
    assert "incorrect API key" in found.detail
    assert "sk-wrong" not in found.detail


def test_a_wrong_url_is_an_error_that_names_it(server: Loopback) -> None:
    found = asked(server, "m", base_url=server.url + "/nowhere")
    assert (found.status, found.attempts) == ("error", 1)
    assert "404" in found.detail
    assert "/nowhere" in found.detail
    found = asked(server, "m", base_url="http://127.0.0.1:9/v1")
    assert found.status == "error"
    assert "no connection to http://127.0.0.1:9/v1" in found.detail


def nobody(*names: Any, **options: Any) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://models.invalid/v1"])
def test_a_call_that_never_left_costs_nothing(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The port is closed, the name is nobody's: nothing was sent, so nothing is charged; but it was tried."""
    if url.endswith(".invalid/v1"):
        monkeypatch.setattr(socket, "getaddrinfo", nobody)
    guard = Guard(GuardRules(failures=9), budgets=Budgets(Limits(usd=1.0)))
    found = asked(None, "m", guard=guard, base_url=url, price=Price(1.0, 2.0))
    assert (found.status, found.attempts, found.usage) == ("error", 3, Usage(0, 0, 0, 0.0))
    run = guard.budgets.run
    assert (run.usd, run.assumed_usd, run.calls, run.reserved) == (0.0, 0.0, 0, {})


def test_a_call_that_was_cut_off_may_have_been_billed_and_is_charged() -> None:
    """The server has taken it, and hangs up."""

    async def market() -> Guard:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        url = "http://127.0.0.1:{}/v1".format(*server.sockets[0].getsockname()[1:2])
        mind, guard = (
            OpenAIParticipant("m", base_url=url, price=Price(1.0, 2.0)),
            Guard(GuardRules(retries=0)),
        )
        async with server:
            found = await guard.answer(Agent("a", mind), how_much(), conversation="m/1", seconds=10.0)
            await mind.close()
        assert (found.status, "no connection" in found.detail) == ("error", True)
        return guard

    run = asyncio.run(market()).budgets.run
    assert run.calls == 1
    assert run.usd + run.assumed_usd > 0


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9/v1", "api.example.com", "ftp://example.com", "http://", "http://[::1", "http://a:b/", "http://a b/",
            "http://example.com/v1\n", "", 7],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, url: Any) -> None:
    with pytest.raises(ScenarioError, match=r"base_url is .*; expected an address such as https://"):
        OpenAIParticipant("m", base_url=url, api_key="any")
    if isinstance(url, str) and url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(ScenarioError, match="OPENAI_BASE_URL is"):
            OpenAIParticipant("m", api_key="any")


@pytest.mark.parametrize("key", ["sk-secret\n", " sk-secret", "sk-\nsecret", "sk-sécret", "\x00sk"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    with pytest.raises(ScenarioError, match=r"api_key is '\(not shown\)'; expected") as refused:
        OpenAIParticipant("m", api_key=key)
    assert key.strip() not in str(refused.value)
    if "\x00" not in key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(ScenarioError, match=r"OPENAI_API_KEY is '\(not shown\)'; expected"):
            OpenAIParticipant("m")


def test_a_missing_key_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for url in (None, "https://models.example.com/v1"):
        with pytest.raises(ScenarioError, match=r"api_key is None; expected .* variable OPENAI_API_KEY"):
            OpenAIParticipant("m", base_url=url)
        OpenAIParticipant("m", base_url=url, api_key="")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-there")
    OpenAIParticipant("m")


@pytest.mark.parametrize("key", [None, ""])
def test_an_endpoint_on_this_machine_needs_no_key(
    monkeypatch: pytest.MonkeyPatch, server: Loopback, key: str | None
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    mind = OpenAIParticipant("good", base_url=server.url, api_key=key)

    async def market() -> Answered:
        found = await Guard().answer(Agent("ada", mind), how_much(), conversation="m/1", seconds=10.0)
        await mind.close()
        return found

    assert asyncio.run(market()).status == "ok"


def test_models_of_one_endpoint_share_its_breaker(server: Loopback) -> None:
    guard = Guard(GuardRules(retries=0, failures=2))
    statuses = [asked(server, model, guard=guard).status for model in ("a+500", "b+500", "good")]
    assert statuses == ["error", "error", "circuit_open"]


def test_many_questions_at_once_and_one_participant_in_two_loops(server: Loopback) -> None:
    mind = OpenAIParticipant("good", base_url=server.url, api_key="any")
    guard = Guard()

    async def market(round_: int) -> list[str]:
        questions: list[HowMuch] = [how_much(f"t{round_}-{k}") for k in range(20)]
        found = await asyncio.gather(
            *(guard.answer(Agent("ada", mind), q, conversation="m/1", seconds=20.0) for q in questions)
        )
        await mind.close()
        return [answered.status + answered.detail for answered in found]

    assert [asyncio.run(market(k)) for k in range(2)] == [["ok"] * 20] * 2


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r'pip install "walras\[openai\]"'):
        OpenAIParticipant("m")


@pytest.mark.parametrize("bad", [(-1.0, 0.0), (0.0, float("nan")), (float("inf"), 1.0), ("1", 1.0)])
def test_a_price_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(ScenarioError):
        Price(*bad)
