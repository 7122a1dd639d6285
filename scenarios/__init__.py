"""Scenarios: worlds without a mechanism, so that mechanisms can be compared on them."""

from scenarios.auction_house import AuctionHouse, auction_house
from scenarios.fallen_auctioneer import FallenAuctioneer, fallen_auctioneer
from scenarios.llm_router import LLMRouter, llm_router
from scenarios.trading_floor import TradingFloor, trading_floor

__all__ = [
    "AuctionHouse",
    "FallenAuctioneer",
    "LLMRouter",
    "TradingFloor",
    "auction_house",
    "fallen_auctioneer",
    "llm_router",
    "trading_floor",
]
