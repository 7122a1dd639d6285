"""What a live market does, for those who watch over it: OpenTelemetry spans, Prometheus metrics, a log of facts.

`Traced` and `Counted` stand around a guard, ``Live(guard=Traced(Counted(Guard())))``, and change nothing of what it says;
`FactLog` and `Counted.saw` are onlookers, ``market.follow(FactLog())``. None of them is needed, and none can disturb the
market. Attribute names are those of the semantic conventions for generative AI; our own begin with ``market.``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from walras.agents import Agent, Strategy
from walras.live.answers import Answered
from walras.live.extras import needed
from walras.live.settings import Asker
from walras.messages import ConversationId
from walras.questions import Question
from walras.trace.file import to_json
from walras.trace.rows import decode, encode_rows, read_row

INSTRUMENTATION = "walras.live"
OPERATION = "invoke_agent"
_BUCKETS_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Watching:
    """A guard that somebody looks at: everything else is the inner guard's."""

    def __init__(self, guard: Asker) -> None:
        self.guard = guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guard, name)

    async def answer(
        self, agent: Agent, question: Question, *, conversation: ConversationId, seconds: float,
        strategy: Strategy | None = None,
    ) -> Answered:  # fmt: skip
        """As the inner guard."""
        return await self.guard.answer(
            agent, question, conversation=conversation, seconds=seconds, strategy=strategy
        )

    def forget(self, conversation: ConversationId) -> None:
        """A conversation is over."""
        self.guard.forget(conversation)

    def close(self) -> None:
        """Give back what it holds."""
        self.guard.close()


class Traced(Watching):
    """One span per question, and the two metrics of the conventions, through the OpenTelemetry API (extra ``telemetry``).

    Without an SDK the API does nothing. What a mind calls within the span (an instrumented client, say) becomes its child.

    Raises:
        MissingExtraError: if opentelemetry-api is not installed.
    """

    def __init__(self, guard: Asker) -> None:
        super().__init__(guard)
        self._trace = needed("opentelemetry.trace", "telemetry")
        self._tracer = self._trace.get_tracer(INSTRUMENTATION)
        meter = needed("opentelemetry.metrics", "telemetry").get_meter(INSTRUMENTATION)
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
        self._duration = meter.create_histogram("gen_ai.client.operation.duration", unit="s")

    async def answer(
        self, agent: Agent, question: Question, *, conversation: ConversationId, seconds: float,
        strategy: Strategy | None = None,
    ) -> Answered:  # fmt: skip
        """As the inner guard, within a span."""
        who = {"gen_ai.operation.name": OPERATION, **_provider(agent.strategy)}
        about = {
            "gen_ai.agent.id": agent.id, "gen_ai.agent.name": agent.id, "gen_ai.conversation.id": conversation,
            "market.question": type(question).__name__,
        }  # fmt: skip
        kind = self._trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(
            f"{OPERATION} {agent.id}", kind=kind, attributes=who | about
        ) as span:
            answered = await super().answer(
                agent, question, conversation=conversation, seconds=seconds, strategy=strategy
            )
            self._note(span, answered, who)
        return answered

    def _note(self, span: Any, answered: Answered, who: dict[str, str]) -> None:
        usage = answered.usage
        span.set_attribute("market.status", answered.status)
        span.set_attribute("market.attempts", answered.attempts)
        for name, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:  # unknown is not zero
                span.set_attribute(f"gen_ai.usage.{name}_tokens", tokens)
                self._tokens.record(tokens, who | {"gen_ai.token.type": name})
        if usage.cost_usd is not None:
            span.set_attribute("market.cost_usd", usage.cost_usd)
        fault = {} if answered.status in ("ok", "declined") else {"error.type": answered.status}
        self._duration.record(answered.latency_s, who | fault)
        if fault:
            span.set_attributes(fault)
            span.set_status(self._trace.StatusCode.ERROR, answered.detail)


class Counted(Watching):
    """Prometheus metrics (extra ``prometheus``). Labels are kinds and statuses, never ids: their number is bounded.

    Args:
        guard: the inner one.
        registry: where the metrics are registered; None: the package's own.

    Raises:
        MissingExtraError: if prometheus-client is not installed.
    """

    def __init__(self, guard: Asker, registry: Any = None) -> None:
        super().__init__(guard)
        sdk = needed("prometheus_client", "prometheus")
        where = {"registry": registry if registry is not None else sdk.REGISTRY}
        self.questions = sdk.Counter(
            "walras_questions", "Questions that were answered.", ["question", "status"], **where
        )
        self.seconds = sdk.Histogram(
            "walras_answer_seconds",
            "From a question to its answer.",
            ["question"],
            buckets=_BUCKETS_S,
            **where,
        )
        self.calls = sdk.Counter(
            "walras_calls", "Calls to minds, by whether their cost is known.", ["priced"], **where
        )
        self.tokens = sdk.Counter(
            "walras_tokens", "Tokens, as far as they are known.", ["direction"], **where
        )
        self.cost = sdk.Counter("walras_cost_usd", "Cost, as far as it is known.", **where)
        self.facts = sdk.Counter("walras_facts", "Rows of the trace.", ["kind"], **where)
        self.pondering = sdk.Gauge("walras_pondering", "Questions that minds ponder now.", **where)

    async def answer(
        self, agent: Agent, question: Question, *, conversation: ConversationId, seconds: float,
        strategy: Strategy | None = None,
    ) -> Answered:  # fmt: skip
        """As the inner guard, counted."""
        self.pondering.inc()
        try:
            answered = await super().answer(
                agent, question, conversation=conversation, seconds=seconds, strategy=strategy
            )
        except asyncio.CancelledError:
            self.questions.labels(type(question).__name__, "withdrawn").inc()
            raise
        finally:
            self.pondering.dec()
        kind, usage = type(question).__name__, answered.usage
        self.questions.labels(kind, answered.status).inc()
        self.seconds.labels(kind).observe(answered.latency_s)
        self.calls.labels("no" if usage.cost_usd is None else "yes").inc(usage.calls)
        self.tokens.labels("input").inc(usage.input_tokens or 0)
        self.tokens.labels("output").inc(usage.output_tokens or 0)
        self.cost.inc(usage.cost_usd or 0.0)
        return answered

    def saw(self, row: tuple[Any, ...]) -> None:
        """An onlooker: counts facts by kind."""
        self.facts.labels(row[1] if isinstance(row[1], str) else "message").inc()


class FactLog:
    """An onlooker that logs every fact as a line of JSON, and as a dict for structured handlers (`record.fact`).

    Args:
        logger: None: ``walras.facts``.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self.logger = logger if logger is not None else logging.getLogger("walras.facts")

    def __call__(self, row: tuple[Any, ...]) -> None:
        if self.logger.isEnabledFor(logging.INFO):
            read = read_row(decode(encode_rows([row]))[0])
            fact = {
                "at": read.at, "kind": read.kind, "conversation": read.conversation, "agent": read.agent,
                "details": to_json(read.details),
            }  # fmt: skip
            self.logger.info("%s", json.dumps(fact), extra={"fact": fact})


def _provider(strategy: Any) -> dict[str, str]:
    """What is known of who is behind a mind."""
    named = (("gen_ai.provider.name", "provider"), ("gen_ai.request.model", "model"))
    found = {attribute: getattr(strategy, field, None) for attribute, field in named}
    return {attribute: value for attribute, value in found.items() if isinstance(value, str) and value}
