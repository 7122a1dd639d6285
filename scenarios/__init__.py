"""Scenarios: worlds without a mechanism, so that mechanisms can be compared on them."""

from scenarios.auction_house import AuctionHouse, auction_house
from scenarios.llm_router import LLMRouter, llm_router

__all__ = ["AuctionHouse", "LLMRouter", "auction_house", "llm_router"]
