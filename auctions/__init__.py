"""Auctions: a format says who speaks when, a clearing rule says who gets what and who pays what.

Every format sells lots and procures tasks, according to the item. Start from `SealedBid`; rules of one's own are plain
functions, see `docs/writing-an-auction.md`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "auction": ("Auction",),
    "clearing": (
        "Cleared",
        "ClearingRule",
        "KthPrice",
        "Offer",
        "all_pay",
        "clear",
        "first_price",
        "kth_price",
        "ranked",
        "second_price",
        "third_price",
    ),
    "commit_reveal": ("CommitReveal", "Disputed", "NotRevealed"),
    "continuous": ("ContinuousDouble",),
    "house": ("Auctioneer", "Bidder"),
    "induced": (
        "Equilibrium",
        "InducedMarket",
        "Limits",
        "flat_supply_market",
        "gode_sunder_market",
        "smith_alpha",
        "smith_market",
    ),
    "lots": ("Lots",),
    "messages": (
        "Bid",
        "BidSchedule",
        "BidWanted",
        "CallForBids",
        "ClockPrice",
        "Closed",
        "Pass",
        "PriceOffered",
        "Rejected",
        "TieDecided",
        "WorkEnded",
    ),
    "order_book": ("Order", "OrderBook"),
    "order_messages": ("CancelOrder", "Leave", "OrderWanted"),
    "posted": ("PostedPrice",),
    "scoring": ("ScoringAuction", "price_at_full_quality", "score"),
    "sealed": ("AllPay", "FirstPrice", "SealedBid", "Vickrey"),
    "strategies": ("truthful", "worth"),
    "traders": ("ZeroIntelligence", "Zip", "ZipSettings", "truthful_trader"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from auctions.auction import Auction
    from auctions.clearing import (
        Cleared,
        ClearingRule,
        KthPrice,
        Offer,
        all_pay,
        clear,
        first_price,
        kth_price,
        ranked,
        second_price,
        third_price,
    )
    from auctions.commit_reveal import CommitReveal, Disputed, NotRevealed
    from auctions.continuous import ContinuousDouble
    from auctions.house import Auctioneer, Bidder
    from auctions.induced import (
        Equilibrium,
        InducedMarket,
        Limits,
        flat_supply_market,
        gode_sunder_market,
        smith_alpha,
        smith_market,
    )
    from auctions.lots import Lots
    from auctions.messages import (
        Bid,
        BidSchedule,
        BidWanted,
        CallForBids,
        ClockPrice,
        Closed,
        Pass,
        PriceOffered,
        Rejected,
        TieDecided,
        WorkEnded,
    )
    from auctions.order_book import Order, OrderBook
    from auctions.order_messages import CancelOrder, Leave, OrderWanted
    from auctions.posted import PostedPrice
    from auctions.scoring import ScoringAuction, price_at_full_quality, score
    from auctions.sealed import AllPay, FirstPrice, SealedBid, Vickrey
    from auctions.strategies import truthful, worth
    from auctions.traders import ZeroIntelligence, Zip, ZipSettings, truthful_trader

__all__ = [
    "AllPay",
    "Auction",
    "Auctioneer",
    "Bid",
    "BidSchedule",
    "BidWanted",
    "Bidder",
    "CallForBids",
    "CancelOrder",
    "Cleared",
    "ClearingRule",
    "ClockPrice",
    "Closed",
    "CommitReveal",
    "ContinuousDouble",
    "Disputed",
    "Equilibrium",
    "FirstPrice",
    "InducedMarket",
    "KthPrice",
    "Leave",
    "Limits",
    "Lots",
    "NotRevealed",
    "Offer",
    "Order",
    "OrderBook",
    "OrderWanted",
    "Pass",
    "PostedPrice",
    "PriceOffered",
    "Rejected",
    "ScoringAuction",
    "SealedBid",
    "TieDecided",
    "Vickrey",
    "WorkEnded",
    "ZeroIntelligence",
    "Zip",
    "ZipSettings",
    "all_pay",
    "clear",
    "first_price",
    "flat_supply_market",
    "gode_sunder_market",
    "kth_price",
    "price_at_full_quality",
    "ranked",
    "score",
    "second_price",
    "smith_alpha",
    "smith_market",
    "third_price",
    "truthful",
    "truthful_trader",
    "worth",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"auctions has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"auctions.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
