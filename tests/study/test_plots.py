"""Pictures: what is drawn, where and how it is called; the eye is asked elsewhere."""

import math
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from contractnet import ContractNet
from walras.agents import Agent, CostTable, Estimate
from walras.allocation import Award, Outcome, Report
from walras.errors import WalrasError
from walras.items import Task
from walras.messages import Message
from walras.results import AgentRecord, Result, TaskRecord
from walras.scenario import Optimum
from walras.simulation import Crash, Faults, Simulation
from walras.study.intervals import Absence, Work, absences_of, lanes, work_of
from walras.study.lifelines import Arrow, Fan, Note, Story, tell
from walras.study.plots import bars, gantt, prices, sequence
from walras.trace import Trace, UnknownConversationError


class Call(Message, frozen=True):
    task: str


class Offer(Message, frozen=True):
    price: float


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def trace_of(*rows: tuple[Any, ...]) -> Trace:
    trace = Trace()
    trace.rows.extend(rows)
    return trace


def worked(
    agent: str, key: str, *times: float | None, status: str = "done", task: str = ""
) -> list[tuple[Any, ...]]:
    """Rows of one piece of work: handed over, begun, ended; None: it has not come to that."""
    asked, began, ended = times
    rows: list[tuple[Any, ...]] = [(asked, "perform", "c/1", agent, key, task or key)]
    if began is not None:
        rows.append((began, "began", "c/1", agent, key))
    if ended is not None:
        rows.append((ended, "performed", "c/1", agent, key, Report(status)))
    return rows


def draw(axes: Axes) -> None:
    """Render; a warning on the way is an error."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def rectangles(axes: Axes) -> list[tuple[float, float]]:
    """Left edge and width of every bar."""
    return [(p.get_x(), p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]


# -------------------------------------------------------------------------------------------------------- intervals


def test_work_is_read_with_its_wait_its_end_and_its_status() -> None:
    trace = trace_of(
        *worked("ada", "t-1", 0.0, 1.0, 4.0),
        *worked("ada", "t-2", 0.5, 4.0, 6.0, status="failed"),
        *worked("bob", "t-3", 2.0, 2.0, None),
        *worked("bob", "t-4", 2.0, None, None),
        *worked("bob", "t-5", 2.0, None, 3.0, status="stopped"),
    )
    assert work_of(trace, ended_s=9.0) == {
        "ada": [Work("t-1", 0.0, 1.0, 4.0, "done"), Work("t-2", 0.5, 4.0, 6.0, "failed")],
        "bob": [Work("t-3", 2.0, 2.0, 9.0, "unfinished")],
    }


def test_one_key_in_two_conversations_is_two_pieces_of_work() -> None:
    rows = worked("ada", "work", 0.0, 1.0, 4.0, task="t-1")
    others = worked("ada", "work", 0.0, 1.0, 4.0, task="t-2")
    elsewhere = [(at, kind, "c/2", *rest) for at, kind, _, *rest in others]
    pieces = work_of(trace_of(*rows, *elsewhere), 9.0)["ada"]
    assert [piece.task for piece in pieces] == ["t-1", "t-2"], "told by their tasks, not by their keys"


def test_a_crash_ends_what_was_at_work_and_what_is_done_again_is_another_piece() -> None:
    """What waited in the queue is handed over again as well; other agents go on."""
    trace = trace_of(
        *worked("ada", "t-1", 0.0, 0.0, 1.0),
        *worked("ada", "t-2", 0.0, 1.0, None),
        *worked("ada", "t-3", 0.5, None, None),
        *worked("bob", "t-4", 0.0, 0.0, None),
        (2.0, "crash", "", "ada"),
        (5.0, "restart", "", "ada"),
        (5.0, "began", "c/1", "ada", "t-2"),
        (7.0, "performed", "c/1", "ada", "t-2", Report("done")),
        (7.0, "began", "c/1", "ada", "t-3"),
    )
    assert work_of(trace, ended_s=9.0) == {
        "ada": [
            Work("t-1", 0.0, 0.0, 1.0, "done"),
            Work("t-2", 0.0, 1.0, 2.0, "lost"),
            Work("t-2", 5.0, 5.0, 7.0, "done"),
            Work("t-3", 5.0, 7.0, 9.0, "unfinished"),
        ],
        "bob": [Work("t-4", 0.0, 0.0, 9.0, "unfinished")],
    }


def test_work_that_is_only_known_to_have_ended_is_no_second_piece() -> None:
    """A role that comes back from its records is told that a crash hid the end."""
    trace = trace_of(
        *worked("ada", "t-1", 0.0, 0.0, None),
        (2.0, "crash", "", "ada"),
        (5.0, "restart", "", "ada"),
        (5.0, "performed", "c/1", "ada", "t-1", Report("unknown")),
    )
    assert work_of(trace, ended_s=9.0) == {"ada": [Work("t-1", 0.0, 0.0, 2.0, "lost")]}


def test_absences_are_crashes_and_pauses_without_overlap() -> None:
    trace = trace_of(
        (1.0, "pause", "", "ada", 3.0),
        (2.0, "pause", "", "ada", 4.0),
        (3.5, "crash", "", "ada"),
        (5.0, "restart", "", "ada"),
        (6.0, "pause", "", "bob", 20.0),
        (7.0, "crash", "", "ada"),
        (8.0, "crash", "", "cyd"),
        (8.0, "restart", "", "cyd"),
    )
    assert absences_of(trace, ended_s=9.0) == {
        "ada": [
            Absence(1.0, 2.0, "paused"), Absence(2.0, 3.5, "paused"),
            Absence(3.5, 5.0, "down"), Absence(7.0, 9.0, "down"),
        ],
        "bob": [Absence(6.0, 9.0, "paused")],
        "cyd": [],
    }  # fmt: skip


def test_nobody_works_while_it_is_down() -> None:
    """In a run: what a crash interrupts is lost at that moment, and done after the restart."""
    faults = Faults((Crash("ada", at_s=3.0, down_s=10.0),))
    market = Simulation(seed=1, faults=faults)
    market.add(Agent("shop"))
    market.add(Agent("ada", costs=CostTable({"draft": Estimate(cost=1.0, quality=1.0, seconds=5.0)})))
    for k in range(2):
        market.open(ContractNet(), [Task(f"t-{k}", "draft")], opener="shop", finish_by=60.0)
    result = market.run(progress=False)
    pieces = work_of(result.trace, result.ended_s)["ada"]
    assert [piece.status for piece in pieces] == ["lost", "done", "done"]
    assert {piece.task for piece in pieces[1:]} == {"t-0", "t-1"}
    assert absences_of(result.trace, result.ended_s) == {"ada": [Absence(3.0, 13.0, "down")]}
    assert [piece.end <= 3.0 or piece.asked >= 13.0 for piece in pieces] == [True, True, True]


def test_lanes_are_as_few_as_overlap_demands() -> None:
    """Three at once need three lanes; one that begins as another ends follows it."""
    pieces = [
        Work(f"t-{k}", 0, a, b, "done") for k, (a, b) in enumerate([(0, 5), (1, 2), (1, 3), (2, 4), (3, 9)])
    ]
    rows = lanes(pieces)
    assert [[piece.task for piece in row] for row in rows] == [["t-0"], ["t-1", "t-3"], ["t-2", "t-4"]]
    assert lanes([]) == []


# ------------------------------------------------------------------------------------------------------------ Gantt


def test_a_gantt_chart_has_a_bar_per_piece_of_work_and_the_busiest_agent_first() -> None:
    trace = trace_of(*worked("ada", "t-1", 0.0, 1.0, 4.0), *worked("bob", "t-2", 0.0, 0.0, 9.0))
    agents = tuple(
        AgentRecord(name, capacity, busy, 0.0, 0.0, 1)
        for name, capacity, busy in (("ada", 1, 3.0), ("bob", 1, 9.0), ("cyd", 1, 0.0), ("shop", 0, 0.0))
    )
    axes = gantt(
        Result(scenario="drafts", mechanism="x-net", seed=7, trace=trace, ended_s=100.0, agents=agents)
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bob", "ada"]
    assert rectangles(axes) == [(0.0, 9.0), (1.0, 3.0)]
    assert texts(axes) == ["t-2", "t-1"]
    assert axes.get_xlabel() == "time since the start of the run, s"
    assert axes.get_title("left") == "drafts, x-net, seed 7 (1 of 3 agents did no work)", (
        "the shop could not have"
    )
    assert 9.0 < axes.get_xlim()[1] < 10.0, "the idle time after the last work is left out"


def test_a_gantt_chart_says_how_many_agents_it_leaves_out() -> None:
    rows = [row for k in range(5) for row in worked(f"agent-{k}", "t", 0.0, 0.0, 1.0 + k)]
    axes = gantt(Result(trace=trace_of(*rows), ended_s=9.0), most=2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["agent-4", "agent-3"]
    assert "3 more agents worked" in axes.get_title("left")


def test_the_legend_of_a_gantt_chart_names_what_occurs() -> None:
    """Failures are told by hatching too, never by colour alone."""
    axes = gantt(Result(trace=trace_of(*worked("ada", "t-1", 0.0, 1.0, 4.0, status="failed")), ended_s=4.0))
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["failed", "waiting in the queue"]
    assert [patch.get_hatch() for patch in axes.patches] == ["xx"]


def test_a_gantt_chart_is_grey_behind_all_lanes_of_who_was_away() -> None:
    trace = trace_of(
        *worked("ada", "t-1", 0.0, 0.0, 8.0),
        *worked("ada", "t-2", 0.0, 0.0, 3.0),
        *worked("bob", "t-3", 0.0, 0.0, 1.0),
        (2.0, "pause", "", "ada", 4.0),
        (5.0, "crash", "", "bob"),
        (6.0, "restart", "", "bob"),
        (6.0, "crash", "", "who never worked"),
    )
    axes = gantt(Result(trace=trace, ended_s=9.0))
    grey = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_zorder() == 0]
    assert [(p.get_x(), p.get_width(), p.get_y(), p.get_height()) for p in grey] == [
        (2.0, 2.0, -0.5, 2), (5.0, 1.0, 1.5, 1),
    ]  # fmt: skip
    legend = axes.get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["done", "down", "paused", "waiting in the queue"]


def test_a_gantt_chart_of_no_work_is_empty_and_can_be_drawn() -> None:
    axes = gantt(Result())
    draw(axes)
    assert not axes.patches


def test_a_gantt_chart_needs_a_trace_that_was_kept() -> None:
    counted = Trace(keep=False)
    counted.rows.append((0.0, "join", "c", "ada"))
    with pytest.raises(WalrasError, match="keep=False"):
        gantt(Result(trace=counted))


def test_pictures_can_be_drawn_on_given_axes() -> None:
    _, axes = pyplot.subplots()
    assert gantt(Result(), ax=axes) is axes
    assert sequence(talk(), "shop/1", ax=axes) is axes


# --------------------------------------------------------------------------------------------------------- sequence


def talk(peers: int = 3) -> Trace:
    """A call to so many, of whom the last loses it, an offer from each of the others, an award to the first."""
    names = [f"agent-{k}" for k in range(1, peers + 1)]
    call = Call("t-1")
    arrivals: list[float | None] = [0.1] * (peers - 1)
    return trace_of(
        (0.0, "open", "shop/1", "shop", "x-net", ["t-1"], names, math.inf),
        (0.0, "lost", "shop/1", "shop", names[-1], call, "on the way"),
        (0.0, "broadcast", "shop/1", "shop", names, call, [*arrivals, None]),
        *((0.3, 1, k, "shop/1", name, "shop", Offer(1.0), 0.2) for k, name in enumerate(names[:-1])),
        (1.0, "award", "shop/1", "shop", Award("t-1", names[0], 1.0)),
        (1.5, "performed", "shop/1/agent-1/1", "agent-1", "t-1", Report("done")),
        (2.0, "finish", "shop/1", "shop", Outcome("done")),
    )


def story(trace: Trace, participants: int = 12, steps: int = 60) -> Story:
    return tell(trace.conversation("shop/1", children=True), participants, steps)


def test_a_conversation_becomes_steps_from_top_to_bottom() -> None:
    """The loss is a part of the broadcast; what happened in child conversations is not shown."""
    told = story(talk())
    assert told.names == ["shop", "agent-1", "agent-2", "agent-3"]
    assert [step.part for step in told.steps] == [
        Fan(0, [1, 2], [3], "Call to 3"),
        Arrow(1, 0, "Offer"),
        Arrow(2, 0, "Offer"),
        Note(0, "awards t-1 to agent-1 at 1", "left"),
        Note(0, "finishes: done", "left"),
    ]
    assert [told.time(step) for step in told.steps] == ["0.000", "0.200", "0.200", "1.000", "2.000"]


def test_many_participants_share_a_lifeline_but_the_opener_and_the_winner_do_not() -> None:
    told = story(talk(peers=40), participants=4)
    assert told.names[0] == "shop"
    assert "agent-1" in told.names
    assert told.names[-1] == "38 others"
    assert len(told.names) == 4
    assert Arrow(3, 0, "Offer × 37") in [step.part for step in told.steps]


def test_lost_messages_do_not_reach_a_lifeline_and_are_not_added_up() -> None:
    lost = [(0.5, "lost", "shop/1", "ada", "shop", Offer(1.0), "on the way")] * 2
    told = story(trace_of((0.0, "join", "shop/1", "shop"), *lost))
    assert [step.part for step in told.steps] == [Arrow(1, 0, "Offer", lost=True)] * 2


def test_what_stays_on_one_lifeline_is_a_note() -> None:
    """A message to oneself, and one that was lost because its recipient was down."""
    told = story(
        trace_of(
            (0.0, 1, 1, "shop/1", "shop", "shop", Offer(1.0), 0.0),
            (0.5, "lost", "shop/1", "ada", "ada", Offer(2.0), "down"),
        )
    )
    assert [step.part for step in told.steps] == [Note(0, "Offer", "left"), Note(1, "Offer", "right")]


def test_a_long_conversation_is_cut_and_says_so() -> None:
    told = story(talk(peers=10), steps=3)
    assert (len(told.steps), told.cut) == (3, 9)
    axes = sequence(talk(peers=10), "shop/1", steps=3)
    assert axes.get_title("left") == "conversation shop/1 (cut: 9 more steps)"


def test_a_sequence_diagram_names_lifelines_messages_and_times() -> None:
    axes = sequence(talk(), "shop/1")
    draw(axes)
    assert {"shop", "agent-1", "Call to 3", "Offer", "finishes: done"} <= set(texts(axes))
    assert axes.get_ylabel() == "time since the start of the run, s (not to scale)"
    top, bottom = axes.get_ylim()[1], axes.get_ylim()[0]
    assert top < bottom, "time runs downwards"


def test_a_sequence_diagram_of_an_unknown_conversation_names_the_nearest() -> None:
    with pytest.raises(UnknownConversationError, match="shop/1"):
        sequence(talk(), "shop/2")


def test_long_names_fold_at_their_hyphens() -> None:
    trace = trace_of((0.0, 1, 1, "c/1", "claude-3-5-sonnet-20240620", "shop", Offer(1.0), 0.0))
    assert "claude-3-5-\nsonnet-\n20240620" in texts(sequence(trace, "c/1"))


# ----------------------------------------------------------------------------------------------------------- prices


def test_prices_are_those_of_a_unit_and_charges_are_left_out() -> None:
    trace = trace_of(
        (1.0, "award", "venue/1", "venue", Award("wheat", "ada", 12.0, 3, "bob")),
        (2.0, "award", "venue/1", "venue", Award("wheat", "cyd", 5.0, seller="bob")),
        (2.0, "award", "venue/1", "venue", Award("wheat", "cyd", 1.0, 0)),
    )
    axes = prices(Result(scenario="floor", mechanism="x-call", seed=7, trace=trace), level=4.5)
    dots, level = axes.lines
    assert np.array_equal(dots.get_xydata(), [(1.0, 4.0), (2.0, 5.0)])
    assert np.array_equal(level.get_ydata(), [4.5, 4.5])
    assert axes.get_ylabel() == "price per unit, currency of the scenario"
    assert axes.get_title(loc="left") == "floor, x-call, seed 7 (2 awards)"


# ------------------------------------------------------------------------------------------------------------- bars


def result(mechanism: str, done: int, seed: int = 0, scenario: str = "drafts", exact: bool = True) -> Result:
    """Four tasks worth 1 each, of which so many were done."""
    plain = TaskRecord("t", "", "done", 0.0, "ada", 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1, "shop/1")
    failed = msgspec.structs.replace(plain, status="failed", value=0.0, finished_s=None)
    return Result(
        scenario=scenario, mechanism=mechanism, seed=seed, records=(plain,) * done + (failed,) * (4 - done),
        optimum=Optimum(4.0, exact, ""),
    )  # fmt: skip


def test_bars_have_a_panel_per_metric_and_a_bar_per_mechanism() -> None:
    panels = bars([result("x-net", 4), result("x-random", 1)], ["efficiency", "completion_rate"])
    assert [axes.get_xlabel() for axes in panels] == [
        "efficiency, share of the optimum",
        "completion, share of tasks",
    ]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["x-net", "x-random"]
    assert [rectangles(axes) for axes in panels] == [[(0.0, 1.0), (0.0, 0.25)]] * 2
    assert texts(panels[0]) == ["1", "0.25"]


def test_bars_of_several_seeds_are_means_with_a_dot_per_seed() -> None:
    (axes,) = bars({"net": [result("x-net", done, seed) for seed, done in enumerate((1, 2, 3))]})
    assert rectangles(axes) == [(0.0, 0.5)]
    dots = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]  # type: ignore[arg-type]
    assert dots == [[0.25, 0.5, 0.75]]
    assert "dots: single seeds" in axes.get_title("left")


def test_plain_results_of_one_mechanism_are_seeds_and_scenarios_are_told_apart() -> None:
    (axes,) = bars([result("x-net", 1, 0), result("x-net", 3, 1)])
    assert rectangles(axes) == [(0.0, 0.5)]
    (axes,) = bars([result("x-net", 1), result("x-net", 3, scenario="essays")])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["drafts\nx-net", "essays\nx-net"]


def test_bars_say_when_the_yardstick_is_a_bound_and_when_a_metric_is_not_defined() -> None:
    (axes,) = bars(result("x-net", 1, exact=False) for _ in range(1))
    assert axes.get_xlabel() == "efficiency, share of a bound on the optimum"
    (axes,) = bars([Result(mechanism="x-net")], "latency_p50_s")
    assert texts(axes) == ["not defined"]


def test_a_metric_by_the_name_of_a_message_is_zero_where_none_was_sent() -> None:
    """One mechanism sends offers, the other none: that is 0 messages, not an undefined number of them."""
    busy = msgspec.structs.replace(result("x-net", 4), trace=talk())
    (axes,) = bars([busy, result("x-random", 1)], "messages_Offer")
    assert texts(axes) == ["2", "0"]


def test_the_ticks_of_small_costs_do_not_run_into_each_other() -> None:
    (done, *_) = result("x-net", 1).records
    cheap = msgspec.structs.replace(
        result("x-net", 1), records=(msgspec.structs.replace(done, cost=0.00336),)
    )
    _, _, costs, _ = bars([cheap], ["completion_rate", "efficiency", "cost", "quality"])
    costs.figure.canvas.draw()
    ticks = [label.get_window_extent() for label in costs.get_xticklabels()]
    assert len(ticks) > 1
    assert all(right.x0 - left.x1 > left.height for left, right in pairwise(ticks))


def test_nothing_to_draw_and_unknown_metrics_are_said() -> None:
    with pytest.raises(WalrasError, match="at least one result"):
        bars([])
    with pytest.raises(
        WalrasError, match="no result has a metric 'speed'; expected one of budget_balance, bytes"
    ):
        bars([result("x-net", 1)], "speed")


def test_importing_the_plots_does_not_import_matplotlib() -> None:
    code = "import walras.study.plots, sys; sys.exit('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=False)
    assert done.returncode == 0
