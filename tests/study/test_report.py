"""A report needs no other file, shows the same to everybody, and marks as best only what is."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import msgspec
import pytest

from auctions import CallMarket, FirstPrice, Vickrey
from scenarios import auction_house, trading_floor
from tests.study.worlds import BobFirst, Errands
from walras.baselines import Greedy, RandomAssignment
from walras.errors import WalrasError
from walras.mechanism import Mechanism
from walras.results import Result
from walras.study import Row, Study, compare, write_report
from walras.study.comparison import Comparison, side_by_side
from walras.study.runs import Run, execute

MECHANISMS: dict[str, Mechanism] = {"greedy": Greedy(), "random <b>": RandomAssignment(), "bob": BobFirst()}


def run(label: str, seed: int = 1) -> Result:
    return execute(Run(scenario=Errands(), mechanism=MECHANISMS[label], label=label, seed=seed))


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [run(label) for label in MECHANISMS]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    assert not plt.get_fignums(), "a report left a figure open"


class Page(HTMLParser):
    """What a page refers to, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_page_needs_no_other_file(results: list[Result], tmp_path: Path) -> None:
    """Pictures are in it; it refers to nothing outside, and runs no script."""
    page = Page(write_report(results, tmp_path).read_text("utf-8"))

    # two of metrics, three of work, one of a conversation
    assert len(page.addresses) == page.tags.count("img") == 6
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "script" not in page.tags


def test_pictures_lie_beside_the_page(results: list[Result], tmp_path: Path) -> None:
    """As PNG files whose names are safe."""
    write_report(results, tmp_path)

    found = sorted(path.name for path in tmp_path.glob("*.png"))
    assert found == [
        "errands-gantt-bob.png", "errands-gantt-greedy.png", "errands-gantt-random-b.png",
        "errands-metrics-1.png", "errands-metrics-2.png", "sequence.png",
    ]  # fmt: skip


def test_the_page_says_what_is_needed_to_run_again(results: list[Result], tmp_path: Path) -> None:
    """Digests and settings, the transcript, the bound by its name; labels are text, not markup."""
    page = Page(write_report(results, tmp_path).read_text("utf-8"))

    assert results[0].digest in page.said
    assert "optimum (bound)" in page.said
    assert "conversation boss/1" in page.said
    assert "random <b>" in page.said


def test_the_same_results_give_the_same_page(results: list[Result], tmp_path: Path) -> None:
    """To the byte: no dates, no paths."""
    first, second = (write_report(results, tmp_path / name).read_bytes() for name in ("a", "b"))

    assert first == second


def test_where_nobody_works_prices_are_shown_in_place_of_work(tmp_path: Path) -> None:
    floor = trading_floor(periods=1, traders="truthful")
    sale = execute(Run(scenario=floor, mechanism=CallMarket(), label="call market", seed=1))
    page = Page(write_report(sale, tmp_path).read_text("utf-8"))
    assert "What a unit cost, when" in page.said and "Who worked when" not in page.said
    assert [path.name for path in tmp_path.glob("*-prices-*.png")] == ["trading-floor-prices-call-market.png"]


def test_runs_of_several_scenarios_keep_their_pictures_apart(results: list[Result], tmp_path: Path) -> None:
    """Each picture in the page lies beside it, though a mechanism ran on both."""
    elsewhere = msgspec.structs.replace(results[0], scenario="elsewhere")
    page = Page(write_report([results[0], elsewhere], tmp_path).read_text("utf-8"))

    assert len(page.addresses) == len(list(tmp_path.glob("*.png")))


def test_several_seeds_are_means(tmp_path: Path) -> None:
    """And the page says of how many."""
    page = Page(write_report([run("greedy", 1), run("greedy", 2)], tmp_path).read_text("utf-8"))

    assert "Means over 2 seeds" in page.said


def test_a_run_whose_trace_was_not_kept_has_a_report_without_pictures_of_it(tmp_path: Path) -> None:
    """Metrics are known, who worked when is not."""
    light = execute(Run(scenario=Errands(), mechanism=Greedy(), label="greedy"), keep_trace=False)
    page = Page(write_report(light, tmp_path).read_text("utf-8"))

    assert page.tags.count("img") == 2


def test_a_study_has_intervals_differences_and_failures(tmp_path: Path) -> None:
    """The differences say which are real, the runs that failed why."""
    study = compare(Errands(trouble="raise", troubled=(0,)), MECHANISMS, range(4))
    page = Page(write_report(study, tmp_path).read_text("utf-8"))

    assert "Differences to greedy" in page.said
    assert "the third errand is too much" in page.said
    assert page.tags.count("img") == 9
    assert re.search(r"\(.* to .*\)", page.said)


def test_a_study_above_its_optimum_has_a_report_that_says_so(tmp_path: Path) -> None:
    """All that was run is there."""
    study = compare(Errands(), {"greedy": Greedy()}, range(2))
    beaten = [msgspec.structs.replace(row, metrics=row.metrics | {"optimum": 1.0}) for row in study.rows]
    page = Page(write_report(Study(beaten), tmp_path).read_text("utf-8"))

    assert "greedy: welfare above the optimum on 2 of 2 seeds, first on seed 0" in page.said
    assert page.tags.count("img") == 9


def test_a_study_of_sales_is_about_what_was_paid_and_not_about_work(tmp_path: Path) -> None:
    rules: dict[str, Mechanism] = {"first price": FirstPrice(), "vickrey": Vickrey()}
    study = compare(auction_house(lots=2, bidders=2), rules, seeds=range(2))
    assert "paid" in study.headline and not {"cost", "quality", "jain"} & {*study.headline}
    assert {*study.summary()["metric"]} == {*study.headline}
    write_report(study, tmp_path)
    assert (tmp_path / "paid.png").is_file() and not (tmp_path / "quality.png").exists()


def test_nothing_and_nowhere_are_errors(results: list[Result], tmp_path: Path) -> None:
    """No results; a folder that is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WalrasError, match="nothing to report"):
        write_report([], tmp_path)
    with pytest.raises(WalrasError, match="cannot be written"):
        write_report(results[0], tmp_path / "file")


# ---------------------------------------------------------------------------------------------------------- the table


def metrics(**changes: float | bool | None) -> dict[str, float | int | None]:
    usual = {
        "completion_rate": 1.0, "efficiency": 0.5, "welfare": 5.0, "cost": 2.0, "quality": 0.5, "latency_p50_s": 1.0,
        "latency_p95_s": 2.0, "messages_per_task": 2.0, "jain": 0.5, "optimum": 10.0, "optimum_exact": True,
    }  # fmt: skip
    return usual | changes


def table(**runs: list[dict[str, float | int | None]]) -> Comparison:
    """The runs of each mechanism, on seeds 0, 1, ...; one without metrics has failed."""
    return side_by_side(
        Row(scenario="s", mechanism=label, seed=seed, version=1, metrics=m)
        for label, found in runs.items()
        for seed, m in enumerate(found)
    )


def best(column: str, **rows: dict[str, float | int | None]) -> list[str]:
    found = table(**{label: [m] for label, m in rows.items()})
    place = found.titles.index(column)
    return [label for label, cells in found.rows if cells[place].best]


def test_questions_without_a_legal_answer_are_noted_beside_the_table() -> None:
    """A strategy that fails is no mechanism's merit; studies of earlier versions have not counted it."""
    found = table(a=[metrics(defaults=1200), metrics(defaults=34)], b=[metrics(), metrics(defaults=0)])
    assert found.notes == ("a: 1,234 questions without a legal answer; a run of it alone says why",)


def test_the_best_of_a_column_is_marked() -> None:
    """The highest welfare, the lowest cost; both, where they are equal."""
    assert best("welfare", a=metrics(welfare=4.0), b=metrics(welfare=6.0)) == ["b"]
    assert best("cost", a=metrics(cost=4.0), b=metrics(cost=6.0)) == ["a"]
    assert best("Jain", a=metrics(), b=metrics()) == ["a", "b"]


def test_who_does_nothing_is_not_cheapest() -> None:
    """Cost, latency and messages are compared among those that completed most."""
    idle = metrics(completion_rate=0.0, cost=0.0, latency_p50_s=None, jain=1.0)

    for column in ("cost", "latency p50, s", "messages / task", "Jain"):
        assert best(column, idle=idle, busy=metrics()) == ["busy"]


def test_where_only_lots_are_sold_the_price_is_shown_and_nobody_is_best_at_it() -> None:
    """A seller likes it high and a buyer low; there is no work whose cost, quality or load could be compared."""
    sales = {
        label: [metrics(tasks=2, quality_all=None, paid=paid)] for label, paid in (("a", 3.0), ("b", 4.0))
    }
    found = table(**sales)
    assert "paid" in found.titles and not {"cost", "quality", "Jain"} & {*found.titles}
    place = found.titles.index("paid")
    assert [(cells[place].text, cells[place].best) for _, cells in found.rows] == [("3", False), ("4", False)]
    mixed = table(**sales, c=[metrics(tasks=2, quality_all=0.5, paid=1.0)])
    assert "cost" in mixed.titles and "paid" not in mixed.titles


def test_one_alone_is_not_best() -> None:
    """There is nothing to compare it with."""
    assert best("welfare", a=metrics()) == []


def test_the_optimum_is_last_and_says_whether_it_is_a_bound() -> None:
    """An upper bound is called one, in its row and in the title of efficiency; without one there is no row."""
    exact, bound = (table(a=[metrics(optimum_exact=is_exact)]) for is_exact in (True, False))
    unknown = table(a=[metrics(optimum=None, optimum_exact=None, efficiency=None)])

    assert exact.optimum is not None
    assert bound.optimum is not None
    assert (exact.optimum[0], exact.titles[1]) == ("optimum", "efficiency")
    assert (bound.optimum[0], bound.titles[1]) == ("optimum (bound)", "efficiency of bound")
    assert unknown.optimum is None


def test_who_is_above_the_optimum_shows_that_it_is_none() -> None:
    """The fault is the scenario's: a note names the run, and the table is there. Rounding is no fault."""
    found = table(
        a=[metrics(), metrics(welfare=11.0), metrics(welfare=12.0)], b=[metrics(welfare=10.0 + 1e-9)] * 3
    )

    assert found.notes == (
        "a: welfare above the optimum on 2 of 3 seeds, first on seed 1: 11 against 10; "
        "what the scenario gives as its optimum is none",
    )
    assert [label for label, _ in found.rows] == ["a", "b"]


def test_overcommitments_are_counted_beside_the_table() -> None:
    """Who buys what it cannot pay for looks like one that buys well."""
    found = table(
        a=[metrics(overcommitments=1), metrics(overcommitments=2)], b=[metrics(), metrics(overcommitments=0)]
    )

    assert found.notes == ("a: 3 overcommitments; somebody was bound to pay what it did not have",)


def test_who_fails_on_some_seeds_is_not_best_on_the_others() -> None:
    """Its means are of other worlds, easier ones perhaps; the optimum is that of all worlds, each once."""
    easy, hard = metrics(welfare=9.0, optimum=10.0), metrics(welfare=1.0, optimum=2.0)
    found = table(
        flaky=[easy | {"welfare": 9.5}, {}],
        steady=[easy, hard],
        idle=[easy, hard | {"welfare": 0.5}],
        dead=[{}, {}],
    )
    welfare = found.titles.index("welfare")

    assert {label: (cells[welfare].text, cells[welfare].best) for label, cells in found.rows} == {
        "flaky": ("9.5", False), "steady": ("5", True), "idle": ("4.75", False),
    }  # fmt: skip
    assert found.optimum is not None and found.optimum[1][welfare].text == "6"
    assert found.over == "means over 2 seeds"
    assert found.notes == (
        "flaky: its means are over 1 of 2 seeds, so it is never best",
        "dead: no run ended well",
    )


def test_means_are_over_seeds_where_a_metric_is_defined() -> None:
    """A run without latency does not count as one of 0 seconds."""
    found = table(a=[metrics(latency_p50_s=3.0), metrics(latency_p50_s=None)])

    assert found.rows[0][1][found.titles.index("latency p50, s")].text == "3"
    assert msgspec.to_builtins(found)
