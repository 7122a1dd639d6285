"""A graph of LangGraph, or an agent of LangChain, which is one (extra ``langgraph``).

In a live market::

    from langchain.agents import create_agent
    from walras import Agent
    from walras.adapters.langgraph import LangGraphParticipant

    market.add(Agent("ada", LangGraphParticipant(create_agent("openai:gpt-4o-mini", tools=[]))))
"""

from typing import Any

from walras.adapters.frameworks import NO_ANSWER, FrameworkParticipant, Said, chat, framework, part
from walras.live.extras import needed
from walras.live.participant import Ask


class LangGraphParticipant(FrameworkParticipant):
    """Runs a compiled graph on a state with `messages`, a thread for each question.

    The answer is the state's `structured_response`, else its last message. Nodes find the question and the schema of
    its answers under ``config["configurable"]["ask"]``. How often the graph may ask models is capped here, at once for
    a bid; its tools and its models' own retries are its own affair: make models with ``max_retries=0``.

    Args:
        graph: compiled.
        steps: of the graph, at most; without such a limit LangChain's agents take 9,999.
        requests: to models, at most; None: 1, or 6 where the guard allows tools.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no compiled graph.
    """

    takes_tools = True

    def __init__(self, graph: Any, *, steps: int = 12, requests: int | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("langgraph", "langgraph.errors")
        self.callbacks = needed("langchain_core.callbacks", "langgraph")
        part(graph, "ainvoke", "a compiled graph")
        self.graph, self.steps, self.requests = graph, steps, requests

    def most_requests(self, ask: Ask) -> int:
        return self.requests or super().most_requests(ask)

    async def said(self, ask: Ask) -> Said:
        meter = _meter(self.callbacks.AsyncCallbackHandler, self.most_requests(ask))
        config = {
            "configurable": {"thread_id": ask.key, "ask": ask},
            "recursion_limit": self.steps,
            "callbacks": [meter],
        }
        try:
            state = await self.graph.ainvoke({"messages": chat(ask)}, config)
        except (_EnoughError, self.sdk.GraphRecursionError):
            return Said(NO_ANSWER, *meter.used())
        found = state.get("structured_response")
        if found is None:
            last = state["messages"][-1]
            refused = getattr(last, "additional_kwargs", {}).get("refusal")
            found = None if refused else last.text or NO_ANSWER
        elif hasattr(found, "model_dump"):
            found = found.model_dump()
        return Said(found, *meter.used())


class _EnoughError(Exception):
    """The graph wants more requests than it has."""


def _meter(base: Any, most: int) -> Any:
    """A callback handler that counts what models take, whichever node asks them, and stops the graph at its cap."""

    class Meter(base):  # type: ignore[misc]  # the framework is imported when it is needed
        raise_error = run_inline = True

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.tokens: list[tuple[int | None, int | None]] = []

        async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
            if self.calls >= most:
                raise _EnoughError
            self.calls += 1

        async def on_llm_end(self, response: Any, **_: Any) -> None:
            message = getattr(response.generations[0][0], "message", None)
            used = getattr(message, "usage_metadata", None) or {}
            self.tokens.append((used.get("input_tokens"), used.get("output_tokens")))

        def used(self) -> tuple[int | None, int | None, int]:
            """Tokens in and out, and calls; what is unknown of one call is unknown."""
            if len(self.tokens) < self.calls or any(None in pair for pair in self.tokens):
                return None, None, self.calls
            return sum(i or 0 for i, _ in self.tokens), sum(o or 0 for _, o in self.tokens), self.calls

    return Meter()
