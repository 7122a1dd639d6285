"""Spans, metrics and logs of live markets: they say what happened, and change nothing."""

import asyncio
import json
import logging
import sys
from typing import Any

import pytest

from auctions import FirstPrice, truthful
from contractnet import ContractNet
from tests.live.minds import Offer, Scripted, how_much
from walras.agents import Agent
from walras.items import Lot, Task
from walras.live.answers import Usage
from walras.live.extras import MissingExtraError
from walras.live.guard import Guard, GuardRules
from walras.live.live import Live
from walras.live.telemetry import Counted, FactLog, Traced
from walras.testing.virtual_time import run_virtually as run


async def asked(guard: Any, mind: Any, seconds: float = 1.0) -> Any:
    return await guard.answer(Agent("ada", mind), how_much(), conversation="m/1", seconds=seconds)


class TestSpans:
    @pytest.fixture
    def exported(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The spans of an SDK of our own, in memory; the API's global provider is left alone."""
        sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
        export = pytest.importorskip(
            "opentelemetry.sdk.trace.export.in_memory_span_exporter"
        ).InMemorySpanExporter()
        simple = pytest.importorskip("opentelemetry.sdk.trace.export").SimpleSpanProcessor(export)
        provider = sdk.TracerProvider()
        provider.add_span_processor(simple)
        monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
        return export

    def test_a_question_is_a_span_with_the_names_of_the_conventions(self, exported: Any) -> None:
        mind = Scripted(Offer(3), provider="acme", usage=Usage(1, 900, 40, 0.002))
        mind.model = "acme-1"  # type: ignore[attr-defined]
        assert run(asked(Traced(Guard()), mind)).value == Offer(3)
        (span,) = exported.get_finished_spans()
        assert span.name == "invoke_agent ada"
        assert dict(span.attributes) == {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "acme",
            "gen_ai.request.model": "acme-1",
            "gen_ai.agent.id": "ada",
            "gen_ai.agent.name": "ada",
            "gen_ai.conversation.id": "m/1",
            "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 40,
            "market.question": "HowMuch",
            "market.status": "ok",
            "market.attempts": 1,
            "market.cost_usd": 0.002,
        }

    def test_a_failure_is_an_error_and_what_is_unknown_is_left_out(self, exported: Any) -> None:
        assert run(asked(Traced(Guard()), Scripted(ValueError("oh")))).status == "error"
        (span,) = exported.get_finished_spans()
        assert not span.status.is_ok and "oh" in span.status.description
        assert span.attributes["error.type"] == "error"
        assert not {"gen_ai.usage.input_tokens", "market.cost_usd"} & set(span.attributes)

    def test_tokens_and_seconds_are_metrics_with_the_names_of_the_conventions(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")
        reader = pytest.importorskip("opentelemetry.sdk.metrics.export").InMemoryMetricReader()
        meters = sdk.MeterProvider([reader])
        monkeypatch.setattr("opentelemetry.metrics.get_meter", meters.get_meter)
        traced = Traced(Guard())
        run(asked(traced, Scripted(Offer(3), provider="acme", usage=Usage(1, 900, 40, 0.002))))
        run(asked(traced, Scripted(ValueError("oh"))))
        (resource,) = reader.get_metrics_data().resource_metrics
        points = {
            metric.name: [
                (dict(point.attributes), point.sum, point.count) for point in metric.data.data_points
            ]
            for metric in resource.scope_metrics[0].metrics
        }
        meters.shutdown()
        who = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "acme"}
        assert points["gen_ai.client.token.usage"] == [
            ({**who, "gen_ai.token.type": "input"}, 900, 1),
            ({**who, "gen_ai.token.type": "output"}, 40, 1),
        ]
        right, wrong = points["gen_ai.client.operation.duration"]
        assert (right[0], right[2]) == (who, 1) and wrong[0]["error.type"] == "error"

    def test_what_a_mind_calls_is_within_its_span(self, exported: Any) -> None:
        from opentelemetry import trace

        async def mind(question: Any, agent: Any) -> Offer:
            with trace.get_tracer("client").start_as_current_span("chat"):
                return Offer(3)

        run(asked(Traced(Guard()), mind))
        inner, outer = exported.get_finished_spans()
        assert inner.name == "chat" and inner.parent.span_id == outer.context.span_id


def test_without_an_sdk_a_traced_market_runs_as_any_other() -> None:
    pytest.importorskip("opentelemetry.trace", reason="opentelemetry-api is not installed")

    async def market(guard: Any) -> Any:
        async with Live(seed=7, guard=guard, wall=asyncio.get_running_loop().time) as live:
            live.add(Agent("ada", truthful, values={"vase": 12}))
            return (await live.run(FirstPrice(), [Lot("vase")], 10)).trace.digest

    assert run(market(Traced(Guard()))) == run(market(Guard()))


def test_metrics_count_kinds_and_never_ids() -> None:
    sdk = pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
    registry = sdk.CollectorRegistry()

    async def market() -> None:
        guard = Counted(Guard(), registry)
        async with Live(seed=7, guard=guard) as live:
            live.follow(guard.saw)
            live.add(Agent("ada", truthful, values={"vase": 12, "urn": 3}))
            for item in ("vase", "urn"):
                await live.run(FirstPrice(), [Lot(item)], 10)
        await asked(guard, Scripted(Offer(3), usage=Usage(1, 900, 40, 0.25)))
        await asked(guard, Scripted(Offer(3), usage=Usage(1, 100, None, None)))
        await asked(guard, Scripted(ValueError("oh")))

    run(market())

    def value(name: str, **labels: str) -> float:
        return float(registry.get_sample_value(name, labels) or 0.0)

    assert value("walras_questions_total", question="BidWanted", status="ok") == 2
    assert value("walras_questions_total", question="HowMuch", status="error") == 1
    assert value("walras_answer_seconds_count", question="BidWanted") == 2
    assert value("walras_tokens_total", direction="input") == 1000
    assert value("walras_tokens_total", direction="output") == 40
    assert value("walras_cost_usd_total") == 0.25
    assert value("walras_calls_total", priced="no") >= 2 and value("walras_pondering") == 0
    assert value("walras_facts_total", kind="award") == 2
    text = sdk.generate_latest(registry).decode()
    assert not any(id_ in text for id_ in ("vase", "ada", "house", "urn"))


def test_who_looks_at_a_guard_hides_nothing_of_it() -> None:
    sdk = pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")

    async def market() -> Any:
        guard = Counted(Guard(GuardRules(failures=1)), sdk.CollectorRegistry())
        async with Live(guard=guard) as live:
            live.add(Agent("ada", Scripted(ValueError("oh"))))
            await live.run(FirstPrice(), [Lot("vase")], 10)
            return await live.directory.health()

    assert "left alone" in run(market())["ada"]


def test_facts_are_logged_as_json_and_as_dicts(caplog: pytest.LogCaptureFixture) -> None:
    async def market() -> None:
        async with Live(seed=7) as live:
            live.follow(FactLog())
            live.add(Agent("ada", costs={"job": 2.0}))
            await live.run(ContractNet(), [Task("job-1", kind="job")], 10)

    with caplog.at_level(logging.INFO, "walras.facts"):
        run(market())
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert {"open", "ask", "message", "timer", "settle", "finish"} <= {line["kind"] for line in lines}
    (timer,) = [line for line in lines if line["kind"] == "timer" and line["details"]["name"] == "reply"]
    assert (timer["at"], timer["details"]["at"]) == (0.0, 2.0)
    (award,) = [line for line in lines if line["kind"] == "award"]
    assert award["details"]["line"]["winner"] == "ada" and award["conversation"] == "house/1"
    assert [vars(record)["fact"] for record in caplog.records] == lines


def test_an_onlooker_that_breaks_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def broken(row: Any) -> None:
        raise OSError("the disk is full")

    async def market() -> Any:
        async with Live(seed=7) as live:
            live.follow(broken)
            live.follow(seen.append)
            live.add(Agent("ada", costs={"job": 2.0}))
            return await live.run(ContractNet(), [Task("job-1", kind="job")], 10)

    with caplog.at_level(logging.ERROR, "walras.live"):
        assert run(market()).allocation["job-1"].winner == "ada"
    assert len(seen) > 5 and "an onlooker broke" in caplog.text


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [("opentelemetry.trace", Traced, "telemetry"), ("prometheus_client", Counted, "prometheus")],
)
def test_without_the_extra_the_error_names_the_command(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Any, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "walras\[{extra}\]"'):
        make(Guard())
