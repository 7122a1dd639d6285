"""One participant of each framework on a loopback server, made as its users make theirs: with the framework's own client
and default settings, and a tool where its agents have tools, so that the suite can see that a bid goes without.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from walras.adapters.frameworks import framework, headers, json_format
from walras.live.extras import MissingExtraError
from walras.live.participant import Participant


class Framework(NamedTuple):
    """How the suite meets a framework: its extra, its families, how a participant is made, and what it cannot do."""

    extra: str
    families: str
    make: Callable[..., Participant]
    cannot: Mapping[str, str] = {}
    """Cases of the contract that it does not pass, and why."""


def need(*extras: str) -> None:
    """Skip a test whose frameworks are not here; in the environment of their own family that is a failure."""
    for extra in extras:
        try:
            framework(extra, "walras")
        except MissingExtraError as missing:
            if os.environ.get("WALRAS_FAMILY", "none") in FRAMEWORKS[extra].families:
                raise
            pytest.skip(str(missing))


@contextmanager
def tidied() -> Iterator[None]:
    """Many frameworks make clients of their own and close none: what is left is collected here, without a word."""
    gc.freeze()  # all that was there before need not be looked at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            gc.collect()
            gc.unfreeze()


OPEN: list[Any] = []
"""Clients that somebody has to close: participants leave alone what is not theirs."""


async def close_clients() -> None:
    while OPEN:
        await OPEN.pop().close()


def client(url: str, key: str) -> Any:
    """The openai package's client as it is by default, with its own retries."""
    from openai import AsyncOpenAI

    OPEN.append(AsyncOpenAI(base_url=url, api_key=key))
    return OPEN[-1]


TOOL_CASES = ("allowed tools, and no others", "a loop of tools")
"""What only an agent with tools of its own can be asked."""


def without_tools(why: str) -> dict[str, str]:
    return dict.fromkeys(TOOL_CASES, why)


def bell(times: int) -> str:
    """Ring a bell."""
    return "ding " * times


def whistle(times: int) -> str:
    """Whistle."""
    return "whee " * times


def pydantic_ai(model: str, url: str, key: str, **settings: Any) -> Participant:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from walras.adapters.pydantic_ai import PydanticAIParticipant

    mind = Agent(
        OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client(url, key))),
        instructions="You are thrifty.",
        tools=[whistle, bell],
    )
    return PydanticAIParticipant(mind, **settings)


def openai_agents(model: str, url: str, key: str, **settings: Any) -> Participant:
    from agents import Agent, OpenAIChatCompletionsModel, function_tool

    from walras.adapters.openai_agents import OpenAIAgentsParticipant

    mind = Agent(
        name="ada",
        instructions="You are thrifty.",
        model=OpenAIChatCompletionsModel(model=model, openai_client=client(url, key)),
        tools=[function_tool(whistle), function_tool(bell)],
    )
    return OpenAIAgentsParticipant(mind, **settings)


def langchain(model: str, url: str, key: str, **settings: Any) -> Participant:
    from walras.adapters.langchain import LangChainParticipant

    return LangChainParticipant(chat_openai(model, url, key), "You are thrifty.", **settings)


def chat_openai(model: str, url: str, key: str, **settings: Any) -> Any:
    from langchain_openai import ChatOpenAI
    from langchain_openai.chat_models import _client_utils

    made = ChatOpenAI(model=model, base_url=url, api_key=key, **settings)
    OPEN.append(made.root_async_client)
    _client_utils._cached_async_httpx_client.cache_clear()  # it would hand on what we close
    return made


def langgraph(model: str, url: str, key: str, **settings: Any) -> Participant:
    """A graph of one node, which asks for what the question asks."""
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph import END, START, MessagesState, StateGraph

    from walras.adapters.langgraph import LangGraphParticipant

    chat = chat_openai(model, url, key, max_retries=0, max_tokens=settings["most_output_tokens"])

    async def think(state: Any, config: RunnableConfig) -> Any:
        ask = config["configurable"]["ask"]
        bound = chat.bind(response_format=json_format(ask.schema), extra_headers=headers(ask))
        return {"messages": [await bound.ainvoke(state["messages"], config)]}

    graph = StateGraph(MessagesState).add_node("think", think)
    return LangGraphParticipant(graph.add_edge(START, "think").add_edge("think", END).compile(), **settings)


def agent_framework(model: str, url: str, key: str, **settings: Any) -> Participant:
    from agent_framework import Agent
    from agent_framework.openai import OpenAIChatCompletionClient

    from walras.adapters.agent_framework import AgentFrameworkParticipant

    chat = OpenAIChatCompletionClient(model=model, async_client=client(url, key))
    return AgentFrameworkParticipant(Agent(chat, "You are thrifty.", tools=[whistle, bell]), **settings)


def ag2(model: str, url: str, key: str, **settings: Any) -> Participant:
    from ag2 import Agent
    from ag2.config import OpenAIConfig

    from walras.adapters.ag2 import AG2Participant

    config = OpenAIConfig(model=model, base_url=url, api_key=key)
    return AG2Participant(Agent("ada", "You are thrifty.", config=config, tools=[whistle, bell]), **settings)


def autogen(model: str, url: str, key: str, **settings: Any) -> Participant:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    from walras.adapters.autogen import AutoGenParticipant

    abilities = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True)
    chat = OpenAIChatCompletionClient(
        model=model, base_url=url, api_key=key, model_info={**abilities, "family": "unknown"}
    )
    OPEN.append(chat)
    return AutoGenParticipant(AssistantAgent("ada", chat, tools=[whistle, bell]), **settings)


def smolagents(model: str, url: str, key: str, **settings: Any) -> Participant:
    from smolagents import OpenAIServerModel

    from walras.adapters.smolagents import SmolagentsParticipant

    return SmolagentsParticipant(OpenAIServerModel(model, api_base=url, api_key=key), **settings)


def adk(model: str, url: str, key: str, **settings: Any) -> Participant:
    """Google's models are not to be had here: a model of our own, as the kit lets one write them, asks the server."""
    from google.adk.agents import LlmAgent

    from tests.adapters.adk_model import LoopbackLlm
    from walras.adapters.adk import ADKParticipant

    chat = client(url, key).with_options(max_retries=0)
    mind = LlmAgent(
        name="ada",
        model=LoopbackLlm(model=model, chat=chat),
        instruction="You are thrifty.",
        tools=[whistle, bell],
    )
    return ADKParticipant(mind, **settings)


def workflows(model: str, url: str, key: str, **settings: Any) -> Participant:
    """A workflow of one step, which asks for what the question asks."""
    from tests.adapters.workflow import Bidding
    from walras.adapters.workflows import WorkflowParticipant

    return WorkflowParticipant(
        Bidding(client(url, key).with_options(max_retries=0), model, settings["most_output_tokens"]),
        **settings,
    )


def litellm(model: str, url: str, key: str, **settings: Any) -> Participant:
    from walras.adapters.litellm import LiteLLMParticipant

    return LiteLLMParticipant(f"openai/{model}", {"api_base": url, "api_key": key}, **settings)


def llamaindex(model: str, url: str, key: str, **settings: Any) -> Participant:
    from llama_index.llms.openai_like import OpenAILike

    from walras.adapters.llamaindex import LlamaIndexParticipant

    chat = OpenAILike(model, api_base=url, api_key=key, is_chat_model=True)
    OPEN.append(chat._get_aclient())
    return LlamaIndexParticipant(chat, **settings)


def crewai(model: str, url: str, key: str, **settings: Any) -> Participant:
    from walras.adapters.crewai import CrewAIParticipant  # before crewai, whose telemetry it switches off

    from crewai import LLM, Agent  # isort: skip

    chat = LLM(model=f"openai/{model}", base_url=url, api_key=key)
    OPEN.append(chat._get_async_client())
    mind = Agent(role="a bidder", goal="win", backstory="You are thrifty.", llm=chat)
    return CrewAIParticipant(mind, **settings)


def semantic_kernel(model: str, url: str, key: str, **settings: Any) -> Participant:
    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion

    from walras.adapters.semantic_kernel import SemanticKernelParticipant

    chat = OpenAIChatCompletion(ai_model_id=model, async_client=client(url, key))
    mind = ChatCompletionAgent(service=chat, name="ada", instructions="You are thrifty.")
    return SemanticKernelParticipant(mind, **settings)


def openai(model: str, url: str, key: str, **settings: Any) -> Participant:
    from walras.adapters.openai import OpenAIParticipant

    return OpenAIParticipant(model, base_url=url, api_key=key, **settings)


A_MODEL = without_tools("a model, and no agent, is asked")
NO_HEADERS = {"idempotency key": "its client takes no headers for one request"}

FRAMEWORKS = {
    one.extra: one
    for one in (
        Framework("openai", "ABC", openai, A_MODEL),
        Framework("pydantic-ai", "A", pydantic_ai),
        Framework("langchain", "A", langchain, A_MODEL),
        Framework(
            "langgraph",
            "A",
            langgraph,
            without_tools("its nodes call tools themselves, within the requests that it has"),
        ),
        Framework("openai-agents", "A", openai_agents),
        Framework("agent-framework", "A", agent_framework),
        Framework("ag2", "A", ag2),
        Framework(
            "autogen",
            "A",
            autogen,
            without_tools("its agents remember, so their model is asked") | NO_HEADERS,
        ),
        Framework(
            "smolagents", "A", smolagents, without_tools("its agents write programs, so their model is asked")
        ),
        Framework("adk", "A", adk),
        Framework("workflows", "AB", workflows, without_tools("its steps call tools themselves")),
        Framework("litellm", "B", litellm, A_MODEL),
        Framework("llamaindex", "B", llamaindex, A_MODEL),
        Framework(
            "crewai", "B", crewai, without_tools("its agents ask again and again, so their model is asked")
        ),
        Framework(
            "semantic-kernel",
            "C",
            semantic_kernel,
            without_tools("its service is asked, without plugins") | NO_HEADERS,
        ),
    )
}
