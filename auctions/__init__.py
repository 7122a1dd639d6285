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
    "bulk": (
        "Assigned",
        "Rates",
        "Rounds",
        "assign",
        "clear_rounds",
    ),
    "distributions": (
        "Distribution",
        "Exponential",
        "Power",
        "Uniform",
    ),
    "learning": (
        "Exp3",
        "Hedge",
        "Learned",
        "RegretMatching",
        "learn_to_bid",
    ),
    "shading": (
        "Limited",
        "LoadPriced",
        "Naive",
        "Shading",
        "Tabled",
    ),
    "values": (
        "Affiliated",
        "Drawn",
        "Independent",
        "Risk",
        "ValueModel",
        "Wallet",
        "common_value",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from auctions.auction import Auction
    from auctions.bulk import Assigned, Rates, Rounds, assign, clear_rounds
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
    from auctions.distributions import Distribution, Exponential, Power, Uniform
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
    from auctions.learning import Exp3, Hedge, Learned, RegretMatching, learn_to_bid
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
    from auctions.shading import Limited, LoadPriced, Naive, Shading, Tabled
    from auctions.strategies import truthful, worth
    from auctions.traders import ZeroIntelligence, Zip, ZipSettings, truthful_trader
    from auctions.values import Affiliated, Drawn, Independent, Risk, ValueModel, Wallet, common_value

__all__ = [
    "Affiliated",
    "AllPay",
    "Assigned",
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
    "Distribution",
    "Drawn",
    "Equilibrium",
    "Exp3",
    "Exponential",
    "FirstPrice",
    "Hedge",
    "Independent",
    "InducedMarket",
    "KthPrice",
    "Learned",
    "Leave",
    "Limited",
    "Limits",
    "LoadPriced",
    "Lots",
    "Naive",
    "NotRevealed",
    "Offer",
    "Order",
    "OrderBook",
    "OrderWanted",
    "Pass",
    "PostedPrice",
    "Power",
    "PriceOffered",
    "Rates",
    "RegretMatching",
    "Rejected",
    "Risk",
    "Rounds",
    "ScoringAuction",
    "SealedBid",
    "Shading",
    "Tabled",
    "TieDecided",
    "Uniform",
    "ValueModel",
    "Vickrey",
    "Wallet",
    "WorkEnded",
    "ZeroIntelligence",
    "Zip",
    "ZipSettings",
    "all_pay",
    "assign",
    "clear",
    "clear_rounds",
    "common_value",
    "first_price",
    "flat_supply_market",
    "gode_sunder_market",
    "kth_price",
    "learn_to_bid",
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
