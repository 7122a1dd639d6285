"""Clearing an auction from a file: what `python -m auctions` computes. The schema is in ``docs/clearing-files.md``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from auctions.clearing import (
    Cleared,
    ClearingRule,
    Offer,
    all_pay,
    exact_sum,
    first_price,
    second_price,
    third_price,
)
from auctions.double_clearing import DoubleRule, KDouble, mcafee, trade_reduction, vcg_double
from auctions.multi_unit import (
    UniformPrice,
    ausubel,
    check_marginal_values,
    discriminatory,
    vickrey_multi_unit,
)
from auctions.positions import Positions, gsp
from auctions.sheets import (
    Check,
    Entry,
    Sheet,
    bidder,
    choice,
    nothing,
    number,
    one,
    positive,
    rates,
    read,
    share,
    shown,
    whole,
)
from walras.errors import ScenarioError
from walras.randomness import draw

Clear = Callable[[Sheet], list[dict[str, Any]]]
"""From a checked file to its awards."""


def clear_file(name: str, contents: object) -> dict[str, Any]:
    """The result of an auction whose bids are given as the contents of a file.

    Args:
        name: the format, one of `FORMATS`.
        contents: what the JSON file says, as plain dicts, lists, strings and numbers.

    Returns:
        A dict with the `format`, its `awards` (dicts with `bidder`, `units`, `price` for all units together, and in some
        formats more) and the `revenue`, ready for JSON. Whole amounts are integers.

    Raises:
        ScenarioError: naming the first field that is wrong, its value and what was expected.

    Examples:
        >>> clear_file("second-price", {"bids": [{"bidder": "a", "price": 10}, {"bidder": "b", "price": 7}]})
        {'format': 'second-price', 'awards': [{'bidder': 'a', 'units': 1, 'price': 7}], 'revenue': 7}
    """
    if name not in FORMATS:
        raise ScenarioError("format", name, f"one of {', '.join(FORMATS)}")
    format = FORMATS[name]
    awards = format.clear(read(contents, format.settings, format.of_bid, once=format.once))
    money = [-award["price"] if award.get("side") == "sell" else award["price"] for award in awards]
    for award in awards:
        award["price"] = shown(award["price"])
    return {"format": name, "awards": awards, "revenue": shown(exact_sum(money))}


# ------------------------------------------------------------------------------------------------- how a format clears
def ranking(bids: Sequence[Entry], reserve: float = 0, seed: int | None = None) -> list[Offer]:
    """The bids that meet the reserve, best first; of equals the first in the file, or whom the seed prefers."""

    def place(entry: Entry) -> tuple[float, float]:
        return -entry.price, 0 if seed is None else draw(seed, "tie", entry.bidder)

    return [Offer(e.bidder, e.price, e.units) for e in sorted(bids, key=place) if e.price >= reserve]


def _lines(lines: Sequence[Cleared], **more: Any) -> list[dict[str, Any]]:
    return [{"bidder": line.bidder, "units": line.units, "price": line.price, **more} for line in lines]


def sold(rule: ClearingRule, sheet: Sheet, default_units: int = 1) -> list[dict[str, Any]]:
    """The awards where bidders buy what is on sale."""
    bids = ranking(sheet.bids, sheet.reserve, sheet.seed)
    units = default_units if sheet.units is None else sheet.units
    return _lines(list(rule(bids, sheet.reserve, units))) if bids else []


def _by(rule: ClearingRule) -> Clear:
    return lambda sheet: sold(rule, sheet)


def _by_marginal_values(rule: ClearingRule) -> Clear:
    def clear(sheet: Sheet) -> list[dict[str, Any]]:
        check_marginal_values([Offer(entry.bidder, entry.price) for entry in sheet.bids])
        return sold(rule, sheet)

    return clear


def _english(sheet: Sheet) -> list[dict[str, Any]]:
    """Everybody stays in up to their price: the best has to bid one increment above the second, or all it has."""
    increment = sheet.increment or 0

    def rule(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
        best, *others = bids
        price = min(best.price, others[0].price + increment) if others else reserve
        return [Cleared(best.bidder, 1, price)]

    return sold(rule, sheet)


def _dutch(sheet: Sheet) -> list[dict[str, Any]]:
    """The clock falls from tick to tick towards the reserve: who takes the same tick is equal."""
    if sheet.tick is None:
        return sold(first_price, sheet)
    tick, reserve = sheet.tick, sheet.reserve
    heard = [
        msgspec.structs.replace(entry, price=reserve + (entry.price - reserve) // tick * tick)
        for entry in sheet.bids
    ]
    return sold(first_price, msgspec.structs.replace(sheet, bids=tuple(heard)))


def _uniform(sheet: Sheet) -> list[dict[str, Any]]:
    return sold(UniformPrice(cast(Any, sheet.price)), sheet)


def _gsp(sheet: Sheet) -> list[dict[str, Any]]:
    clicks = sheet.clicks or (1,) * min(sheet.units or 1, len(sheet.bids) + 1)
    rule = Positions(gsp, clicks, {entry.bidder: entry.quality for entry in sheet.bids})
    awards = sold(rule, sheet, default_units=len(clicks))
    return [{**award, "slot": slot} for slot, award in enumerate(awards, start=1)]


def _traded(rule: DoubleRule, sheet: Sheet) -> list[dict[str, Any]]:
    buys, sells = ([entry for entry in sheet.bids if entry.side == side] for side in ("buy", "sell"))
    # From the highest price down for both: equals are in their ranking, which is all that a double rule asks for.
    exchange = rule(ranking(buys, seed=sheet.seed), ranking(sells, seed=sheet.seed))
    return _lines(exchange.bought, side="buy") + _lines(exchange.sold, side="sell")


def _trading(rule: DoubleRule) -> Clear:
    return lambda sheet: _traded(rule, sheet)


def _call_market(sheet: Sheet) -> list[dict[str, Any]]:
    return _traded(KDouble(sheet.k), sheet)


def _vcg_double(sheet: Sheet) -> list[dict[str, Any]]:
    for side in ("buy", "sell"):
        orders = [Offer(entry.bidder, entry.price) for entry in sheet.bids if entry.side == side]
        check_marginal_values(orders, asked=side == "sell")
    return _traded(vcg_double, sheet)


# ---------------------------------------------------------------------------------------------------------- the formats
class Format(msgspec.Struct, frozen=True):
    """How a format clears, and which fields its file and its bids may have, `bids` and `seed` aside."""

    clear: Clear
    settings: Mapping[str, Check]
    of_bid: Mapping[str, Check]
    once: bool = False
    """Whether a bidder bids only once."""


_BID: Mapping[str, Check] = {"bidder": bidder, "price": number}
_PAYER: Mapping[str, Check] = {**_BID, "budget": number}


def _single(clear: Clear, **settings: Check) -> Format:
    return Format(clear, {"reserve": number, "units": one, **settings}, {**_PAYER, "units": one}, once=True)


def _several(clear: Clear, **settings: Check) -> Format:
    return Format(clear, {"units": whole, "reserve": number, **settings}, {**_PAYER, "units": whole})


def _double(clear: Clear, **settings: Check) -> Format:
    of_bid = {"side": choice("buy", "sell"), **_PAYER, "units": whole}
    return Format(clear, {"reserve": nothing, **settings}, of_bid)


FORMATS: Mapping[str, Format] = {
    "first-price": _single(_by(first_price)),
    "second-price": _single(_by(second_price)),
    "third-price": _single(_by(third_price)),
    "all-pay": _single(_by(all_pay)),
    "english": _single(_english, increment=positive),
    "dutch": _single(_dutch, tick=positive),
    "uniform": _several(_uniform, price=choice("highest-losing", "lowest-winning")),
    "discriminatory": _several(_by(discriminatory)),
    "vickrey": _several(_by_marginal_values(vickrey_multi_unit)),
    "ausubel": _several(_by_marginal_values(ausubel)),
    "gsp": Format(
        _gsp,
        {"clicks": rates, "units": whole, "reserve": number},
        {**_BID, "quality": positive, "units": one},
        once=True,
    ),
    "call-market": _double(_call_market, k=share),
    "mcafee": _double(_trading(mcafee)),
    "trade-reduction": _double(_trading(trade_reduction)),
    "vcg-double": _double(_vcg_double),
}
