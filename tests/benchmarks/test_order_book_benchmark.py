"""The order book benchmark at quick sizes: both books make the same trades, and ours needs fewer steps for them.

Times are for the benchmark itself, and ``docs/order-book.md`` has them.
"""

import json
from collections.abc import Sequence
from functools import partial

import pytest

from benchmarks import order_book
from benchmarks.bytecodes import bytecodes
from benchmarks.order_book import BOOKS, MIXES, OurBook, Step, compare, make_steps
from benchmarks.rival_book import SortedBook


@pytest.mark.parametrize("name", MIXES)
def test_both_books_agree_on_every_trade_and_on_what_is_left(name: str) -> None:
    assert set(compare(make_steps(MIXES[name], 3000, seed=3), 1, BOOKS)) == {"ours", "sortedcontainers"}


@pytest.mark.parametrize("name", MIXES)
def test_ours_executes_fewer_bytecodes_though_it_checks_every_order(name: str) -> None:
    steps = make_steps(MIXES[name], 3000)
    ours, plain = (bytecodes(partial(kind().run, steps)) for kind in (OurBook, SortedBook))
    assert ours < plain


def test_a_book_that_does_other_work_is_found_out() -> None:
    class Lazy(OurBook):
        def run(self, steps: Sequence[Step]) -> None:
            super().run(steps[:-500])

    with pytest.raises(AssertionError, match="lazy"):
        compare(make_steps(MIXES["busy"], 2000), 1, {"ours": OurBook, "lazy": Lazy})


def test_the_figures_are_printed_as_json_and_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    order_book.main(["--quick", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {
        f"{what}_{name}" for what in ("ratio", "steps_per_second", "trades", "prices") for name in MIXES
    }
    assert "faster" in str(order_book.as_table(found).columns[1].header)
