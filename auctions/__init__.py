"""Auctions: a format says who speaks when, a clearing rule says who gets what and who pays what.

Every format sells lots and procures tasks, according to the item. Start from `SealedBid`; rules of one's own are plain
functions, see `docs/writing-an-auction.md`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "auction": ("Auction",),
    "bulk": ("Assigned", "Rates", "Rounds", "assign", "clear_rounds"),
    "call_market": ("CallMarket",),
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
    "distributions": ("Distribution", "Exponential", "Power", "Uniform"),
    "double_clearing": (
        "DoubleRule",
        "Exchange",
        "KDouble",
        "k_double",
        "mcafee",
        "trade_reduction",
        "vcg_double",
    ),
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
    "learning": ("Exp3", "Hedge", "Learned", "RegretMatching", "learn_to_bid"),
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
    "multi_unit": (
        "UniformPrice",
        "ausubel",
        "clinches",
        "discriminatory",
        "uniform_price",
        "vickrey_multi_unit",
    ),
    "order_book": ("Order", "OrderBook"),
    "order_messages": ("CancelOrder", "Leave", "OrderWanted"),
    "positions": ("Positions", "gsp", "vcg_positions"),
    "posted": ("PostedPrice",),
    "scoring": ("ScoringAuction", "price_at_full_quality", "score"),
    "sealed": ("AllPay", "FirstPrice", "SealedBid", "Vickrey"),
    "shading": ("Limited", "LoadPriced", "Naive", "Shading", "Tabled"),
    "strategies": ("truthful", "worth"),
    "traders": ("ZeroIntelligence", "Zip", "ZipSettings", "at_any_price", "truthful_trader"),
    "values": ("Affiliated", "Drawn", "Independent", "Risk", "ValueModel", "Wallet", "common_value"),
    "ascending_clock": ("AscendingClock",),
    "clinching": ("Clinching",),
    "dutch": ("Dutch",),
    "english": ("English",),
    "proxy": ("Proxy",),
    "open_messages": (
        "Clinched",
        "Demand",
        "DemandAt",
        "Later",
        "MaximumWanted",
        "NextBid",
        "StandingBid",
        "StillIn",
        "TakeAt",
    ),
    "open_strategies": ("Jumping", "MarginalValues", "Sniping", "straightforward"),
    "outcry": ("OutcryAuctioneer", "OutcryBidder"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from auctions.ascending_clock import AscendingClock
    from auctions.auction import Auction
    from auctions.bulk import Assigned, Rates, Rounds, assign, clear_rounds
    from auctions.call_market import CallMarket
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
    from auctions.clinching import Clinching
    from auctions.commit_reveal import CommitReveal, Disputed, NotRevealed
    from auctions.continuous import ContinuousDouble
    from auctions.distributions import Distribution, Exponential, Power, Uniform
    from auctions.double_clearing import (
        DoubleRule,
        Exchange,
        KDouble,
        k_double,
        mcafee,
        trade_reduction,
        vcg_double,
    )
    from auctions.dutch import Dutch
    from auctions.english import English
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
    from auctions.multi_unit import (
        UniformPrice,
        ausubel,
        clinches,
        discriminatory,
        uniform_price,
        vickrey_multi_unit,
    )
    from auctions.open_messages import (
        Clinched,
        Demand,
        DemandAt,
        Later,
        MaximumWanted,
        NextBid,
        StandingBid,
        StillIn,
        TakeAt,
    )
    from auctions.open_strategies import Jumping, MarginalValues, Sniping, straightforward
    from auctions.order_book import Order, OrderBook
    from auctions.order_messages import CancelOrder, Leave, OrderWanted
    from auctions.outcry import OutcryAuctioneer, OutcryBidder
    from auctions.positions import Positions, gsp, vcg_positions
    from auctions.posted import PostedPrice
    from auctions.proxy import Proxy
    from auctions.scoring import ScoringAuction, price_at_full_quality, score
    from auctions.sealed import AllPay, FirstPrice, SealedBid, Vickrey
    from auctions.shading import Limited, LoadPriced, Naive, Shading, Tabled
    from auctions.strategies import truthful, worth
    from auctions.traders import ZeroIntelligence, Zip, ZipSettings, at_any_price, truthful_trader
    from auctions.values import Affiliated, Drawn, Independent, Risk, ValueModel, Wallet, common_value

__all__ = [
    "Affiliated",
    "AllPay",
    "AscendingClock",
    "Assigned",
    "Auction",
    "Auctioneer",
    "Bid",
    "BidSchedule",
    "BidWanted",
    "Bidder",
    "CallForBids",
    "CallMarket",
    "CancelOrder",
    "Cleared",
    "ClearingRule",
    "Clinched",
    "Clinching",
    "ClockPrice",
    "Closed",
    "CommitReveal",
    "ContinuousDouble",
    "Demand",
    "DemandAt",
    "Disputed",
    "Distribution",
    "DoubleRule",
    "Drawn",
    "Dutch",
    "English",
    "Equilibrium",
    "Exchange",
    "Exp3",
    "Exponential",
    "FirstPrice",
    "Hedge",
    "Independent",
    "InducedMarket",
    "Jumping",
    "KDouble",
    "KthPrice",
    "Later",
    "Learned",
    "Leave",
    "Limited",
    "Limits",
    "LoadPriced",
    "Lots",
    "MarginalValues",
    "MaximumWanted",
    "Naive",
    "NextBid",
    "NotRevealed",
    "Offer",
    "Order",
    "OrderBook",
    "OrderWanted",
    "OutcryAuctioneer",
    "OutcryBidder",
    "Pass",
    "Positions",
    "PostedPrice",
    "Power",
    "PriceOffered",
    "Proxy",
    "Rates",
    "RegretMatching",
    "Rejected",
    "Risk",
    "Rounds",
    "ScoringAuction",
    "SealedBid",
    "Shading",
    "Sniping",
    "StandingBid",
    "StillIn",
    "Tabled",
    "TakeAt",
    "TieDecided",
    "Uniform",
    "UniformPrice",
    "ValueModel",
    "Vickrey",
    "Wallet",
    "WorkEnded",
    "ZeroIntelligence",
    "Zip",
    "ZipSettings",
    "all_pay",
    "assign",
    "at_any_price",
    "ausubel",
    "clear",
    "clear_rounds",
    "clinches",
    "common_value",
    "discriminatory",
    "first_price",
    "flat_supply_market",
    "gode_sunder_market",
    "gsp",
    "k_double",
    "kth_price",
    "learn_to_bid",
    "mcafee",
    "price_at_full_quality",
    "ranked",
    "score",
    "second_price",
    "smith_alpha",
    "smith_market",
    "straightforward",
    "third_price",
    "trade_reduction",
    "truthful",
    "truthful_trader",
    "uniform_price",
    "vcg_double",
    "vcg_positions",
    "vickrey_multi_unit",
    "worth",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"auctions has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"auctions.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
