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
    "house": ("Auctioneer", "Bidder"),
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
    "posted": ("PostedPrice",),
    "scoring": ("ScoringAuction", "price_at_full_quality", "score"),
    "sealed": ("AllPay", "FirstPrice", "SealedBid", "Vickrey"),
    "strategies": ("truthful", "worth"),
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
    from auctions.house import Auctioneer, Bidder
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
    from auctions.posted import PostedPrice
    from auctions.scoring import ScoringAuction, price_at_full_quality, score
    from auctions.sealed import AllPay, FirstPrice, SealedBid, Vickrey
    from auctions.strategies import truthful, worth

__all__ = [
    "AllPay",
    "Auction",
    "Auctioneer",
    "Bid",
    "BidSchedule",
    "BidWanted",
    "Bidder",
    "CallForBids",
    "Cleared",
    "ClearingRule",
    "ClockPrice",
    "Closed",
    "CommitReveal",
    "Disputed",
    "FirstPrice",
    "KthPrice",
    "Lots",
    "NotRevealed",
    "Offer",
    "Pass",
    "PostedPrice",
    "PriceOffered",
    "Rejected",
    "ScoringAuction",
    "SealedBid",
    "TieDecided",
    "Vickrey",
    "WorkEnded",
    "all_pay",
    "clear",
    "first_price",
    "kth_price",
    "price_at_full_quality",
    "ranked",
    "score",
    "second_price",
    "third_price",
    "truthful",
    "worth",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"auctions has no {name!r}; its public names are {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"auctions.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
