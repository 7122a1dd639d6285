"""`python -m auctions`: every format from a file, exact, with a stated tie rule and errors that teach."""

import io
import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions.__main__ import main
from auctions.files import FORMATS, clear_file
from walras.errors import ScenarioError

ROOT = Path(__file__).resolve().parents[2]

SINGLE = ["first-price", "second-price", "third-price", "all-pay", "english", "dutch"]
SEVERAL = ["uniform", "discriminatory", "vickrey", "ausubel"]
DOUBLE = ["call-market", "mcafee", "trade-reduction", "vcg-double"]
ONE_SIDED = [*SINGLE, *SEVERAL, "gsp"]


def bids(**prices: Any) -> list[dict[str, Any]]:
    """Bids by name; a list is several of one bidder."""
    several = ((name, price if isinstance(price, list) else [price]) for name, price in prices.items())
    return [{"bidder": name, "price": price} for name, mine in several for price in mine]


def orders(buys: list[int], sells: list[int]) -> list[dict[str, Any]]:
    sides = (("buy", "b", buys), ("sell", "s", sells))
    return [
        {"bidder": f"{letter}{k}", "price": price, "side": side}
        for side, letter, prices in sides
        for k, price in enumerate(prices, start=1)
    ]


def paid(format: str, **contents: Any) -> dict[str, tuple[int, float]]:
    return {a["bidder"]: (a["units"], a["price"]) for a in clear_file(format, contents)["awards"]}


THREE = bids(a=10, b=7, c=4)
LICENCES = bids(A=[123, 113, 103], B=[75, 5, 3], C=[125, 125, 49], D=[85, 65, 7], E=[45, 25, 5])


# ------------------------------------------------------------------------------------------------------- single items
def test_the_formats_are_those_of_the_command() -> None:
    assert [*FORMATS] == [*SINGLE, *SEVERAL, "gsp", *DOUBLE]


@pytest.mark.parametrize(
    ("format", "awards"),
    [
        ("first-price", {"a": (1, 10)}),
        ("second-price", {"a": (1, 7)}),
        ("third-price", {"a": (1, 4)}),
        ("all-pay", {"a": (1, 10), "b": (0, 7), "c": (0, 4)}),
        ("english", {"a": (1, 7)}),
        ("dutch", {"a": (1, 10)}),
    ],
)
def test_single_items(format: str, awards: dict[str, tuple[int, int]]) -> None:
    assert paid(format, bids=THREE, reserve=0) == paid(format, bids=THREE) == awards
    assert clear_file(format, {"bids": THREE})["revenue"] == sum(price for _, price in awards.values())


@pytest.mark.parametrize(
    ("format", "price"),
    [("first-price", 10), ("second-price", 8), ("third-price", 8), ("english", 8), ("dutch", 10)],
)
def test_the_reserve_is_the_least_that_is_paid(format: str, price: int) -> None:
    assert paid(format, bids=THREE, reserve=8) == {"a": (1, price)}


def test_who_bids_below_the_reserve_of_an_all_pay_auction_pays_nothing() -> None:
    assert paid("all-pay", bids=THREE, reserve=7) == {"a": (1, 10), "b": (0, 7)}


@pytest.mark.parametrize(
    ("increment", "reserve", "price"),
    [(0.5, 0, 7.5), (2, 0, 9), (3, 0, 10), (50, 0, 10), (1, 7, 8), (5, 9, 9), (1, 10, 10)],
)
def test_english_stops_one_increment_above_the_second_or_at_the_best(
    increment: float, reserve: int, price: float
) -> None:
    assert paid("english", bids=THREE, increment=increment, reserve=reserve) == {"a": (1, price)}


def test_english_without_an_increment_rises_to_the_second_price() -> None:
    assert paid("english", bids=THREE) == {"a": (1, 7)}


def test_english_with_equal_highest_bids_ends_at_them() -> None:
    assert paid("english", bids=bids(b=7, a=7), increment=2) == {"b": (1, 7)}


@pytest.mark.parametrize(
    ("tick", "reserve", "price"), [(1, 0, 10), (3, 0, 9), (4, 1, 9), (4, 2, 10), (20, 0, 0), (20, 5, 5)]
)
def test_dutch_stops_at_the_highest_tick_that_somebody_takes(tick: int, reserve: int, price: int) -> None:
    assert paid("dutch", bids=bids(a=10, b=2), tick=tick, reserve=reserve) == {"a": (1, price)}


def test_who_takes_the_same_tick_of_a_dutch_clock_is_equal() -> None:
    assert paid("dutch", bids=bids(b=9, a=10), tick=4) == {"b": (1, 8)}
    assert paid("dutch", bids=bids(b=9, a=10)) == {"a": (1, 10)}
    assert paid("dutch", bids=bids(b=3, a=2), tick=4, reserve=5) == {}


# -------------------------------------------------------------------------------------- several units, positions, double
@pytest.mark.parametrize(
    ("format", "a", "c"),
    [("vickrey", 225, 160), ("ausubel", 225, 160), ("uniform", 255, 170), ("discriminatory", 339, 250)],
)
def test_ausubel_2004(format: str, a: int, c: int) -> None:
    result = clear_file(format, {"bids": LICENCES, "units": 5})
    assert {(award["bidder"], award["units"], award["price"]) for award in result["awards"]} == {
        ("A", 3, a),
        ("C", 2, c),
    }
    assert result["revenue"] == a + c


def test_uniform_at_the_lowest_winning_bid() -> None:
    assert paid("uniform", bids=LICENCES, units=5, price="lowest-winning") == {"A": (3, 309), "C": (2, 206)}


@pytest.mark.parametrize("format", SEVERAL)
def test_a_bid_for_several_units_is_as_many_bids(format: str) -> None:
    block = [{"bidder": "a", "price": 9, "units": 2}, {"bidder": "b", "price": 7}]
    for units in (1, 2, 3, 4):
        assert paid(format, bids=block, units=units) == paid(format, bids=bids(a=[9, 9], b=7), units=units)
    assert paid(format, bids=block) == paid(format, bids=block, units=1), "one unit unless the file says more"


def test_the_positions_of_edelman_ostrovsky_and_schwarz() -> None:
    result = clear_file("gsp", {"bids": bids(a=10, b=4, c=2), "clicks": [200, 100]})
    assert result == {
        "format": "gsp",
        "awards": [
            {"bidder": "a", "units": 1, "price": 800, "slot": 1},
            {"bidder": "b", "units": 1, "price": 200, "slot": 2},
        ],
        "revenue": 1000,
    }


def test_positions_without_clicks_are_clicked_once_and_quality_counts() -> None:
    assert paid("gsp", bids=THREE) == {"a": (1, 7)}
    assert paid("gsp", bids=THREE, units=5) == {"a": (1, 7), "b": (1, 4), "c": (1, 0)}
    assert paid("gsp", bids=THREE, clicks=[3, 2, 1], units=1, reserve=8) == {"a": (1, 24)}
    good = [{"bidder": "a", "price": 10, "quality": 0.5}, {"bidder": "b", "price": 7, "quality": 0.8}]
    assert paid("gsp", bids=good, clicks=[10, 1]) == {"b": (1, 50), "a": (1, 0)}
    assert paid("gsp", bids=THREE, units=10**99)["c"] == (1, 0)


@pytest.mark.parametrize(
    ("format", "buys", "sells", "prices", "revenue"),
    [
        ("mcafee", [9, 8, 7, 4], [2, 3, 4, 5], [4.5] * 6, 0),
        ("mcafee", [9, 8, 7, 4], [2, 3, 4, 12], [7, 7, 4, 4], 6),
        ("mcafee", [10, 6], [5, 8], [7, 7], 0),
        ("trade-reduction", [9, 8, 7, 4], [2, 3, 4, 5], [7, 7, 4, 4], 6),
        ("call-market", [9, 8, 7, 4], [2, 3, 4, 5], [5.5] * 6, 0),
        ("vcg-double", [9, 8, 7, 4], [2, 3, 4, 5], [4, 4, 4, 5, 5, 5], -3),
    ],
)
def test_double_auctions(
    format: str, buys: list[int], sells: list[int], prices: list[float], revenue: float
) -> None:
    result = clear_file(format, {"bids": orders(buys, sells)})
    assert [award["price"] for award in result["awards"]] == prices
    sides = [award["side"] for award in result["awards"]]
    assert sides == ["buy"] * (len(prices) // 2) + ["sell"] * (len(prices) // 2)
    assert result["revenue"] == revenue


def test_the_share_of_a_call_market() -> None:
    file = {"bids": orders([10], [0]), "k": 0.3}
    assert [award["price"] for award in clear_file("call-market", file)["awards"]] == [3, 3]


# ------------------------------------------------------------------------------------------------------- exact numbers
def test_whole_results_are_integers_however_large() -> None:
    large = 10**30
    result = clear_file("discriminatory", {"bids": bids(a=large + 1, b=large), "units": 2})
    assert json.loads(json.dumps(result))["revenue"] == 2 * large + 1
    assert repr(clear_file("first-price", {"bids": bids(a=10.0)})["revenue"]) == "10"


def test_decimals_are_added_as_they_are_written() -> None:
    assert clear_file("discriminatory", {"bids": bids(a=[0.1, 0.1, 0.1]), "units": 3})["revenue"] == 0.3
    assert clear_file("all-pay", {"bids": bids(a=0.1, b=0.2)})["revenue"] == 0.3
    assert paid("dutch", bids=bids(a=0.3), tick=0.1) == {"a": (1, 0.3)}
    assert paid("english", bids=bids(a=1, b=0.2), increment=0.1) == {"a": (1, 0.3)}


@pytest.mark.parametrize("format", [*ONE_SIDED, *DOUBLE])
@given(prices=st.lists(st.integers(0, 9), max_size=6), reserve=st.integers(0, 4))
def test_with_integer_prices_all_is_exact(format: str, prices: list[int], reserve: int) -> None:
    """Double auctions may have a price half-way between two integers."""
    double = format in DOUBLE
    contents = {"bids": orders(prices[::2], prices[1::2])} if double else {
        "bids": bids(**{f"b{k}": price for k, price in enumerate(prices)}), "reserve": reserve}  # fmt: skip
    result = json.loads(json.dumps(clear_file(format, contents)))
    signs = {None: 1, "buy": 1, "sell": -1}
    assert result["revenue"] == sum(signs[a.get("side")] * a["price"] for a in result["awards"])
    for amount in (result["revenue"], *(award["price"] for award in result["awards"])):
        assert type(amount) is int or (double and (2 * amount).is_integer())


# ---------------------------------------------------------------------------------------------------------------- ties
@pytest.mark.parametrize("format", ["first-price", "second-price", "english", "dutch", *SEVERAL, "gsp"])
def test_equal_bids_rank_by_their_position_in_the_file(format: str) -> None:
    assert [*paid(format, bids=bids(cyd=5, ada=5, bob=5))] == ["cyd"]


def test_equal_orders_rank_by_their_position_in_the_file() -> None:
    equal = [
        {"bidder": "y", "price": 3, "side": "sell"},
        {"bidder": "b", "price": 5, "side": "buy"},
        {"bidder": "x", "price": 3, "side": "sell"},
    ]
    assert paid("call-market", bids=equal) == {"b": (1, 4), "y": (1, 4)}


def test_a_seed_decides_ties_whatever_the_order_of_the_file() -> None:
    def winner(names: Any, seed: int) -> str:
        (name,) = paid("first-price", bids=bids(**dict.fromkeys(names, 5)), seed=seed)
        return name

    first = [winner("abcd", seed) for seed in range(40)]
    assert {*first} == {*"abcd"}, "every one of them wins under some seed"
    for names in permutations("abcd"):
        assert [winner(names, seed) for seed in range(40)] == first


@pytest.mark.parametrize("format", [*ONE_SIDED])
@given(prices=st.lists(st.integers(0, 50), max_size=6, unique=True), data=st.data())
def test_without_ties_the_order_of_the_file_does_not_matter(
    format: str, prices: list[int], data: st.DataObject
) -> None:
    given_ = bids(**{f"b{k}": price for k, price in enumerate(prices)})
    shuffled = data.draw(st.permutations(given_))
    assert clear_file(format, {"bids": shuffled}) == clear_file(format, {"bids": given_})


# ----------------------------------------------------------------------------------------------------------- degenerate
@pytest.mark.parametrize("format", [*FORMATS])
def test_nobody_bids(format: str) -> None:
    assert clear_file(format, {"bids": []}) == {"format": format, "awards": [], "revenue": 0}


@pytest.mark.parametrize("format", ONE_SIDED)
def test_one_bid_and_a_reserve_above_it(format: str) -> None:
    own = format in ("first-price", "all-pay", "dutch", "discriminatory")
    assert paid(format, bids=bids(a=5), reserve=3) == {"a": (1, 5 if own else 3)}
    assert paid(format, bids=bids(a=5), reserve=6) == {}
    assert paid(format, bids=bids(a=0)) == {"a": (1, 0)}


@pytest.mark.parametrize("format", DOUBLE)
def test_orders_that_do_not_cross(format: str) -> None:
    assert paid(format, bids=orders([3], [4])) == {}
    assert paid(format, bids=orders([], [4])) == {}


# -------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("format", "contents", "said"),
    [
        ("vickry", {}, "format is 'vickry'; expected one of first-price, second-price"),
        ("uniform", [1], "the file is [1]; expected an object with a list of bids"),
        ("uniform", {}, "the file is {}; expected an object with a list of bids"),
        ("uniform", {"bids": {}}, "the file is {'bids': {}}; expected an object with a list of bids"),
        ("uniform", {"bids": [7]}, "bids[0] is 7; expected an object with bidder, price"),
        ("uniform", {"bids": [{"bidder": "a"}]}, "bids[0] is {'bidder': 'a'}; expected an object with bidder, price"),
        ("mcafee", {"bids": bids(a=1)}, "bids[0] is {'bidder': 'a', 'price': 1}; expected an object with bidder, price, side"),
        ("mcafee", {"bids": [], "units": 2}, "units is 2; expected no field of this name: there are reserve, seed"),
        ("mcafee", {"bids": [], "reserve": 2}, "reserve is 2; expected 0, or nothing: a double auction has no reserve"),
        ("uniform", {"bids": [], "reserv": 2}, "reserv is 2; expected no field of this name: there are units, reserve"),
        ("dutch", {"bids": [], "increment": 2}, "increment is 2; expected no field of this name"),
        ("uniform", {"bids": [{**THREE[0], "unit": 1}]}, "bids[0].unit is 1; expected no field of this name"),
        ("english", {"bids": bids(a=1, b=-3)}, "bids[1].price is -3; expected a number of 0 or more"),
        ("english", {"bids": bids(a=float("nan"))}, "bids[0].price is nan; expected a number of 0 or more"),
        ("english", {"bids": bids(a=float("inf"))}, "bids[0].price is inf; expected a number of 0 or more"),
        ("english", {"bids": bids(a="10")}, "bids[0].price is '10'; expected a number of 0 or more"),
        ("english", {"bids": bids(a=True)}, "bids[0].price is True; expected a number of 0 or more"),
        ("english", {"bids": bids(a=None)}, "bids[0].price is None; expected a number of 0 or more"),
        ("english", {"bids": bids(a=10**101)}, "expected a number of 0 or more, at most 1e100"),
        ("english", {"bids": [{"bidder": 7, "price": 1}]}, "bids[0].bidder is 7; expected a name"),
        ("english", {"bids": [{"bidder": "", "price": 1}]}, "bids[0].bidder is ''; expected a name"),
        ("english", {"bids": bids(a=[1, 2])}, "bids[1].bidder is 'a'; expected one bid for each bidder"),
        ("gsp", {"bids": bids(a=[1, 2])}, "bids[1].bidder is 'a'; expected one bid for each bidder"),
        ("english", {"bids": THREE, "units": 2}, "units is 2; expected 1, or nothing"),
        ("english", {"bids": THREE, "reserve": -1}, "reserve is -1; expected a number of 0 or more"),
        ("dutch", {"bids": THREE, "tick": 0}, "tick is 0; expected a number above 0"),
        ("english", {"bids": THREE, "increment": 0}, "increment is 0; expected a number above 0"),
        ("english", {"bids": THREE, "increment": -1}, "increment is -1; expected a number of 0 or more"),
        ("english", {"bids": [{**THREE[0], "lot": "urn"}]}, "bids[0].lot is 'urn'; expected no field of this name"),
        ("english", {"bids": [{**THREE[0], "budget": -1}]}, "bids[0].budget is -1; expected a number of 0 or more"),
        ("gsp", {"bids": [{**THREE[0], "budget": 20}]}, "bids[0].budget is 20; expected no field of this name"),
        ("uniform", {"bids": THREE, "units": 0}, "units is 0; expected a whole number of 1 or more"),
        ("uniform", {"bids": THREE, "units": 1.5}, "units is 1.5; expected a whole number of 1 or more"),
        ("uniform", {"bids": THREE, "price": "mean"}, "price is 'mean'; expected 'highest-losing' or 'lowest-winning'"),
        ("uniform", {"bids": THREE, "seed": 0.5}, "seed is 0.5; expected a whole number"),
        ("vickrey", {"bids": bids(b=9, a=[3, 8])}, "price of a is 8; expected at most the 3 of its unit before"),
        ("ausubel", {"bids": bids(b=9, a=[3, 8])}, "price of a is 8; expected at most the 3 of its unit before"),
        ("gsp", {"bids": THREE, "clicks": [1, 2]}, "clicks[1] is 2; expected at most the 1 of the slot above"),
        ("gsp", {"bids": THREE, "clicks": []}, "clicks is []; expected a list of numbers"),
        ("gsp", {"bids": [{**THREE[0], "quality": 0}]}, "bids[0].quality is 0; expected a number above 0"),
        ("mcafee", {"bids": [{**THREE[0], "side": "ask"}]}, "bids[0].side is 'ask'; expected 'buy' or 'sell'"),
        ("call-market", {"bids": [], "k": 1.5}, "k is 1.5; expected a number from 0 to 1"),
    ],
)  # fmt: skip
def test_errors_name_the_field_its_value_and_what_was_expected(format: str, contents: Any, said: str) -> None:
    with pytest.raises(ScenarioError) as error:
        clear_file(format, contents)
    assert said in str(error.value)


@pytest.mark.parametrize("format", [*SINGLE, *SEVERAL])
def test_a_bid_above_a_declared_budget_is_refused_and_one_of_all_of_it_is_not(format: str) -> None:
    within, above = ({"bids": [{**THREE[0], "budget": budget}, THREE[1]]} for budget in (10, 9.5))
    assert clear_file(format, within) == clear_file(format, {"bids": THREE[:2]})
    said = r"bids\[0\].price is 10; expected no more than the budget of a, which is 9.5 for all it bids for"
    with pytest.raises(ScenarioError, match=said):
        clear_file(format, above)


@pytest.mark.parametrize("format", ["discriminatory", "call-market"])
def test_a_budget_is_for_all_units_of_all_bids_together(format: str) -> None:
    def contents(budget: float) -> dict[str, Any]:
        mine = [{"bidder": "a", "price": 9, "units": 2, "budget": budget}, {"bidder": "a", "price": 7}]
        return {"bids": [{**bid, "side": "buy"} if format in DOUBLE else bid for bid in mine]}

    clear_file(format, contents(25))
    with pytest.raises(
        ScenarioError, match=r"bids\[1\].price is 7; expected no more than the budget of a, which is 24"
    ):
        clear_file(format, contents(24))
    with pytest.raises(
        ScenarioError, match=r"bids\[0\].price is 9; expected no more than the budget of a, which is 17"
    ):
        clear_file(format, contents(17))


def test_a_bidder_has_one_budget_and_a_seller_none() -> None:
    two = [{**THREE[0], "budget": 30}, {**THREE[0], "budget": 40}]
    with pytest.raises(ScenarioError, match=r"bids\[1\].budget is 40; expected 30, as a said before"):
        clear_file("uniform", {"bids": two})
    seller = {"bidder": "s", "price": 3, "side": "sell", "budget": 9}
    with pytest.raises(
        ScenarioError, match=r"bids\[0\].budget is 9; expected nothing: who sells does not pay"
    ):
        clear_file("mcafee", {"bids": [seller]})


def test_who_sells_does_not_buy() -> None:
    both = [{"bidder": "a", "price": 5, "side": "buy"}, {"bidder": "a", "price": 3, "side": "sell"}]
    with pytest.raises(
        ScenarioError, match=r"bids\[1\].side is 'sell'; expected 'buy', the side that a is on"
    ):
        clear_file("call-market", {"bids": both})


@pytest.mark.parametrize(
    ("side", "prices", "limit"), [("buy", [3, 8], "at most the 3"), ("sell", [8, 3], "at least the 8")]
)
def test_vcg_wants_values_that_fall_and_costs_that_rise(side: str, prices: list[int], limit: str) -> None:
    given_ = [{**bid, "side": side} for bid in bids(a=prices)]
    with pytest.raises(
        ScenarioError, match=f"price of a is {prices[1]}; expected {limit} of its unit before"
    ):
        clear_file("vcg-double", {"bids": given_})
    assert clear_file("call-market", {"bids": given_})["awards"] == []


# --------------------------------------------------------------------------------------------------------- the command
@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bids.json"
    path.write_text(json.dumps({"bids": THREE, "reserve": 0}), "utf-8")
    return path


def test_the_command_as_it_is_typed(file: Path) -> None:
    """In a process of its own: it starts without the simulator, warns of nothing, and reads standard input."""
    command = [sys.executable, "-W", "error", "-m", "auctions", "second-price"]
    for source, given_ in ((str(file), None), ("-", file.read_text("utf-8"))):
        done = subprocess.run(
            [*command, source, "--json"], cwd=ROOT, input=given_, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == {
            "format": "second-price",
            "awards": [{"bidder": "a", "units": 1, "price": 7}],
            "revenue": 7,
        }


def test_a_table_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["all-pay", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "all-pay",
        "bidder  units  price",
        "a           1     10",
        "b           0      7",
        "c           0      4",
        "revenue 21",
    ]


def test_a_table_without_awards_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"bids": []}')))
    assert main(["mcafee", "-"]) == 0
    assert capsys.readouterr().out == "mcafee: nobody trades\nrevenue 0\n"
    assert main(["mcafee", "-"]) == 2  # it has been read to its end
    assert "standard input is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is not JSON"),
        (b"{bids}", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (
            b'{"bids": [{"bidder": "a", "price": NaN}]}',
            "bids[0].price is nan; expected a number of 0 or more",
        ),
        (
            b'{"bids": [{"bidder": "a", "price": 1e999}]}',
            "bids[0].price is inf; expected a number of 0 or more",
        ),
        (b'{"bids": [{"bidder": "a", "price": -1}]}', "bids[0].price is -1; expected a number of 0 or more"),
    ],
)
def test_bad_files_are_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, said: str
) -> None:
    path = tmp_path / "bids.json"
    path.write_bytes(text)
    assert main(["first-price", str(path), "--json"]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and not shown.out


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first-price", str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_an_unknown_format_is_exit_code_2_and_names_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["vickry", "bids.json"])
    assert end.value.code == 2
    assert "vcg-double" in capsys.readouterr().err


def test_a_field_that_is_there_twice_and_a_price_at_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bids.json"
    file.write_text('{"bids": [{"bidder": "a", "price": 1, "price": 9}]}')
    assert main(["first-price", str(file)]) == 2
    assert "the field 'price' is twice in one object" in capsys.readouterr().err
    file.write_text('{"bids": [{"bidder": "a", "price": 1e100}]}')
    assert main(["first-price", str(file), "--json"]) == 0
