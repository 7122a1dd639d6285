"""Scenarios: worlds without a mechanism, so that mechanisms can be compared on them."""

from scenarios.llm_router import LLMRouter, llm_router

__all__ = ["LLMRouter", "llm_router"]
