"""One participant of each framework on a loopback server, made as its users make theirs: with the framework's own client
and default settings, and a tool where its agents have tools, so that the suite can see that a bid goes without.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from walras.adapters.frameworks import headers, json_format
from walras.live.participant import Participant


class Framework(NamedTuple):
    """How the suite meets a framework: its extra, its family, how a participant is made, and what it cannot do."""

    extra: str
    family: str
    make: Callable[..., Participant]
    cannot: Mapping[str, str] = {}
    """Cases of the contract that it does not pass, and why."""


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


ASKED_WITHOUT = dict.fromkeys(
    ("allowed tools, and no others", "a loop of tools"), "it is asked without tools"
)


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


FRAMEWORKS = {
    "pydantic-ai": Framework("pydantic-ai", "A", pydantic_ai),
    "langchain": Framework("langchain", "A", langchain, ASKED_WITHOUT),
    "langgraph": Framework("langgraph", "A", langgraph, ASKED_WITHOUT),
    "openai-agents": Framework("openai-agents", "A", openai_agents),
    "agent-framework": Framework("agent-framework", "A", agent_framework),
    "ag2": Framework("ag2", "A", ag2),
    "autogen": Framework(
        "autogen",
        "A",
        autogen,
        ASKED_WITHOUT | {"idempotency key": "its client takes no headers for one request"},
    ),
    "smolagents": Framework("smolagents", "A", smolagents, ASKED_WITHOUT),
    "adk": Framework("adk", "A", adk),
    "workflows": Framework("workflows", "A", workflows, ASKED_WITHOUT),
    "litellm": Framework("litellm", "B", litellm, ASKED_WITHOUT),
    "llamaindex": Framework("llamaindex", "B", llamaindex, ASKED_WITHOUT),
    "crewai": Framework("crewai", "B", crewai, ASKED_WITHOUT),
    "semantic-kernel": Framework(
        "semantic-kernel",
        "C",
        semantic_kernel,
        ASKED_WITHOUT | {"idempotency key": "its settings take no headers for one request"},
    ),
}
