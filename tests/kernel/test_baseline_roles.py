"""The baselines' roles, driven by hand: their effects in order, and what they ignore."""

import pickle
from collections.abc import Callable
from math import inf

import pytest

from walras.allocation import Award, Outcome, Report
from walras.baselines import (
    Announcer,
    Assign,
    Choice,
    Choose,
    Claim,
    Dispatcher,
    Done,
    Leave,
    MayClaim,
    Open,
    Release,
    Take,
    Taken,
    Worker,
)
from walras.baselines.giving import last_call
from walras.baselines.worker import MOST_CLAIMS
from walras.effects import (
    Broadcast,
    CancelTimer,
    Decide,
    Finish,
    Ignore,
    MakeAward,
    Perform,
    Recorder,
    Send,
    SetTimer,
    Settle,
    Stop,
    Withdraw,
)
from walras.items import Task
from walras.messages import AgentId
from walras.protocol import Protocol

JOB = Task("job", kind="job")
GOOD = Report("done", cost=3.0, quality=1.0, seconds=2.0)
BAD = Report("failed")


def seated(role: Protocol, me: AgentId, finish_by: float = 10.0) -> Recorder:
    port = Recorder(me, "op/1", finish_by=finish_by)
    port.seat(role)
    return port


def dispatcher(tries: int = 2, silence_s: float = inf) -> tuple[Dispatcher, Recorder]:
    """A dispatcher that has given the job to ada for 4."""
    role = Dispatcher(JOB, ("ada", "bob"), tries, silence_s)
    port = seated(role, "op")
    role.on_start()
    role.on_decision("whom", Choice("ada", 4.0))
    return role, port


def test_a_dispatcher_asks_its_mind_then_awards_and_assigns() -> None:
    role = Dispatcher(JOB, ("ada", "bob"))
    port = seated(role, "op")
    role.on_start()
    assert port.take() == [
        SetTimer("end", 9.9),
        Decide("whom", Choose(JOB, ("ada", "bob"), 1, decide_by=9.8)),
    ]
    role.on_decision("whom", Choice("ada", 4.0))
    assert port.take() == [
        Withdraw("whom"),
        MakeAward(Award("job", "ada", 4.0)),
        Send("ada", Assign(JOB, 9.9)),
    ]
    role.check()


def test_the_price_is_paid_on_delivery() -> None:
    role, port = dispatcher()
    port.take()
    role.on_message("ada", Done(GOOD))
    assert port.take() == [
        Settle("job", 4.0, "ada"),
        Finish(Outcome("done", (Award("job", "ada", 4.0),), (GOOD,))),
    ]


def test_nobody_eligible_is_unassigned() -> None:
    role = Dispatcher(JOB, ())
    port = seated(role, "op")
    role.on_start()
    role.on_decision("whom", Choice())
    assert outcome(port) == "unassigned"


def test_a_report_of_failure_gives_the_task_to_the_next_choice_as_often_as_there_are_tries() -> None:
    role, port = dispatcher(tries=2)
    port.take()
    role.on_message("ada", Done(BAD))
    settled, _, asked = port.take()
    assert settled == Settle("job", 0.0, "ada")
    assert isinstance(asked, Decide)
    assert asked.question == Choose(JOB, ("bob",), 1, decide_by=9.8)
    role.on_decision("whom", Choice("bob", 5.0))
    role.check()
    port.take()
    role.on_message("bob", Done(BAD))
    assert port.take()[0] == Settle("job", 0.0, "bob")
    assert role.candidates == ()


def test_silence_moves_the_task_on_and_releases_who_was_silent() -> None:
    role, port = dispatcher(silence_s=3.0)
    assert port.take()[-1] == SetTimer("silence", 3.0)
    port.now = 3.0
    role.on_timer("silence")
    assert port.take()[:2] == [Send("ada", Release()), Settle("job", 0.0, "ada")]
    role.on_decision("whom", Choice("bob", 5.0))
    port.take()
    role.on_message("ada", Done(GOOD))  # late: it was written off
    assert port.take() == [Ignore(Done(GOOD), "its sender is not, or no longer, assigned")]


def test_at_the_end_a_dispatcher_without_a_report_takes_its_money_back() -> None:
    role, port = dispatcher()
    port.take()
    role.on_timer("end")
    assert port.take()[:2] == [Send("ada", Release()), Settle("job", 0.0, "ada")]
    waiting = Dispatcher(JOB, ("ada",))
    port = seated(waiting, "op")
    waiting.on_start()
    waiting.on_timer("end")
    assert outcome(port) == "failed"


@pytest.mark.parametrize("assigned", [True, False])
def test_a_cancelled_dispatcher_releases_its_worker(assigned: bool) -> None:
    role, port = dispatcher()
    if not assigned:
        role = Dispatcher(JOB, ("ada",))
        port = seated(role, "op")
        role.on_start()
    port.take()
    role.on_cancel()
    effects = port.take()
    assert (Send("ada", Release()) in effects) == assigned
    assert effects[-1] == Finish(Outcome("cancelled"))


def outcome(port: Recorder) -> str:
    last = port.take()[-1]
    assert isinstance(last, Finish)
    return last.outcome.status


def worker() -> tuple[Worker, Recorder]:
    """A worker that is doing the job for op."""
    role = Worker()
    port = seated(role, "ada")
    role.on_message("op", Assign(JOB, 9.0))
    return role, port


def test_a_worker_performs_once_and_reports() -> None:
    role, port = worker()
    assert port.take() == [SetTimer("end", 9.0), Perform("work", JOB)]
    role.on_message("op", Assign(JOB, 9.0))
    assert port.take() == [Ignore(Assign(JOB, 9.0), "double, or not claimed")]
    role.on_performed("work", GOOD)
    assert port.take() == [Send("op", Done(GOOD)), Finish(Outcome("done", results=(GOOD,)))]
    role.on_late("op", Assign(JOB, 9.0))
    assert port.take() == [Ignore(Assign(JOB, 9.0), "after the end")]


def test_an_assignment_that_is_too_late_is_not_begun() -> None:
    role = Worker()
    port = seated(role, "ada")
    port.now = 9.5
    role.on_message("op", Assign(JOB, 9.0))
    assert port.take() == [Ignore(Assign(JOB, 9.0), "too late"), Finish(Outcome("late"))]


@pytest.mark.parametrize("by", ["timer", "message"])
def test_work_that_is_no_longer_wanted_is_stopped_once_and_not_reported(by: str) -> None:
    role, port = worker()
    port.take()
    for _ in range(2):
        if by == "timer":
            role.on_timer("end")
        else:
            role.on_message("op", Release())
    assert [effect for effect in port.take() if isinstance(effect, Stop)] == [Stop("work")]
    role.on_performed("work", Report("stopped"))
    assert port.take() == [Finish(Outcome("stopped", results=(Report("stopped"),)))]


def test_a_stranger_can_neither_release_nor_assign() -> None:
    role, port = worker()
    port.take()
    role.on_message("eve", Release())
    role.on_message("eve", Assign(JOB, 9.0))
    assert [type(effect) for effect in port.take()] == [Ignore, Ignore]
    role.check()


def announcer() -> tuple[Announcer, Recorder]:
    role = Announcer(JOB, ("ada", "bob", "cyd"))
    port = seated(role, "op")
    role.on_start()
    return role, port


def test_the_first_claim_to_arrive_wins_and_the_others_are_told() -> None:
    role, port = announcer()
    assert port.take() == [SetTimer("end", 9.9), Broadcast(("ada", "bob", "cyd"), Open(JOB, 9.9))]
    role.on_message("bob", Claim(3.0, 1))
    assert port.take() == [
        MakeAward(Award("job", "bob", 3.0)),
        Send("bob", Assign(JOB, 9.9)),
        Broadcast(("ada", "cyd"), Taken()),
    ]
    role.on_message("ada", Claim(1.0, 1))
    assert [type(effect) for effect in port.take()] == [Ignore]
    role.on_message("bob", Done(GOOD))
    assert port.take() == [
        Settle("job", 3.0, "bob"),
        Finish(Outcome("done", (Award("job", "bob", 3.0),), (GOOD,))),
    ]
    role.check()


def test_who_claims_again_has_missed_our_answer_and_gets_it_again() -> None:
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    port.take()
    role.on_message("bob", Claim(3.0, 2))
    role.on_message("ada", Claim(1.0, 2))
    assert port.take() == [Send("bob", Assign(JOB, 9.9)), Send("ada", Taken())]
    role.on_late("ada", Claim(1.0, 2))
    role.on_late("ada", Claim(1.0, 1))
    assert port.take() == [Send("ada", Taken()), Ignore(Claim(1.0, 1), "after the end")]


@pytest.mark.parametrize(("sender", "price"), [("eve", 1.0), ("ada", -1.0), ("ada", inf)])
def test_a_claim_from_outside_or_at_no_price_is_ignored(sender: str, price: float) -> None:
    role, port = announcer()
    port.take()
    role.on_message(sender, Claim(price, 1))
    assert [type(effect) for effect in port.take()] == [Ignore]


def test_an_announcer_ends_with_and_without_a_winner() -> None:
    role, port = announcer()
    role.on_timer("end")
    assert outcome(port) == "unassigned"
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    port.take()
    role.on_message("ada", Done(GOOD))
    assert [type(effect) for effect in port.take()] == [Ignore]
    role.on_timer("end")
    assert port.take()[:2] == [Send("bob", Release()), Settle("job", 0.0, "bob")]
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    role.on_message("bob", Done(BAD))
    assert outcome(port) == "failed"
    role, port = announcer()
    role.on_cancel()
    assert outcome(port) == "cancelled"
    alone = Announcer(JOB, ())
    port = seated(alone, "op")
    alone.on_start()
    assert outcome(port) == "unassigned"


def claimant() -> tuple[Worker, Recorder]:
    role = Worker(again_s=1.0)
    port = seated(role, "ada")
    role.on_message("op", Open(JOB, 9.0))
    return role, port


def test_an_open_task_is_put_to_the_mind_and_claimed() -> None:
    role, port = claimant()
    assert port.take() == [SetTimer("end", 9.0), Decide("claim", MayClaim(JOB, 2.0, decide_by=1.0))]
    role.on_message("op", Open(JOB, 9.0))
    assert port.take() == [Ignore(Open(JOB, 9.0), "double")]
    role.on_decision("claim", Take(3.0))
    assert port.take() == [Send("op", Claim(3.0, 1)), SetTimer("again", 1.0)]
    role.on_message("op", Assign(JOB, 9.0))
    assert port.take()[-1] == Perform("work", JOB)


def test_an_agent_that_is_busy_asks_itself_again_and_repeats_a_claim_without_an_answer() -> None:
    role, port = claimant()
    role.on_decision("claim", None)
    for attempt in (1, 2):
        port.take()
        port.now += 1.0
        role.on_timer("again")
        role.on_decision("claim", Take(3.0))
        assert Send("op", Claim(3.0, attempt)) in port.take()


def test_a_task_that_is_taken_or_left_or_closed_is_over_for_the_claimant() -> None:
    for end in ("taken", "left", "closed"):
        role, port = claimant()
        if end == "taken":
            role.on_message("op", Taken())
        elif end == "left":
            role.on_decision("claim", Leave())
        else:
            role.on_timer("end")
        assert outcome(port) == {"taken": "released", "left": "passed", "closed": "closed"}[end]


def test_an_assignment_that_was_not_claimed_is_ignored() -> None:
    role, port = claimant()
    port.take()
    role.on_message("op", Assign(JOB, 9.0))
    assert port.take() == [Ignore(Assign(JOB, 9.0), "double, or not claimed")]


@pytest.mark.parametrize(
    "make", [lambda: dispatcher()[0], lambda: worker()[0], lambda: announcer()[0], lambda: claimant()[0]]
)
def test_state_is_data(make: Callable[[], Protocol]) -> None:
    role = make()
    assert pickle.loads(pickle.dumps(role)) == role
    assert repr(role).startswith(type(role).__name__)


def test_a_dispatcher_with_tries_but_nobody_left_has_failed_and_says_who_did() -> None:
    role = Dispatcher(JOB, ("ada",), tries=2)
    port = seated(role, "op")
    role.on_start()
    role.on_decision("whom", Choice("ada", 4.0))
    port.take()
    role.on_message("ada", Done(BAD))
    assert port.take()[-1] == Finish(Outcome("failed", why="ada reported failed"))


def test_a_cancelled_dispatcher_takes_its_money_back() -> None:
    role, port = dispatcher()
    port.take()
    role.on_cancel()
    assert port.take()[:2] == [Send("ada", Release()), Settle("job", 0.0, "ada")]


@pytest.mark.parametrize(
    ("deadline", "now", "margin_s", "last"),
    [(10.0, 0.0, 0.1, 9.9), (0.5, 0.0, 0.1, 0.45), (1.0, 2.0, 0.1, 2.0), (inf, 2.0, 0.1, inf)],
)
def test_the_last_call_is_a_margin_before_the_deadline_or_a_tenth_of_what_is_left(
    deadline: float, now: float, margin_s: float, last: float
) -> None:
    assert last_call(deadline, now, margin_s) == last


def test_a_cancelled_announcer_releases_everybody_and_takes_its_money_back() -> None:
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    port.take()
    role.on_cancel()
    assert port.take() == [
        Broadcast(("ada", "bob", "cyd"), Release()),
        Settle("job", 0.0, "bob"),
        Finish(Outcome("cancelled")),
    ]


def test_a_winner_that_claims_again_after_the_end_is_not_told_that_somebody_else_has_the_task() -> None:
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    port.take()
    role.on_late("bob", Claim(3.0, 2))
    assert port.take() == [Ignore(Claim(3.0, 2), "after the end")]


def test_a_claim_above_the_reserve_is_ignored() -> None:
    role = Announcer(Task("job", reserve=3.0), ("ada",))
    port = seated(role, "op")
    role.on_start()
    port.take()
    role.on_message("ada", Claim(3.5, 1))
    assert [type(effect) for effect in port.take()] == [Ignore]
    role.on_message("ada", Claim(3.0, 1))
    assert MakeAward(Award("job", "ada", 3.0)) in port.take()


def test_a_double_of_the_claim_that_won_is_ignored() -> None:
    role, port = announcer()
    role.on_message("bob", Claim(3.0, 1))
    port.take()
    role.on_message("bob", Claim(3.0, 1))
    assert [type(effect) for effect in port.take()] == [Ignore]


def test_an_assigned_claimant_claims_no_more_and_gives_back_what_its_claim_held() -> None:
    role, port = claimant()
    role.on_decision("claim", Take(3.0))
    port.take()
    role.on_message("op", Assign(JOB, 9.0))
    assert port.take() == [
        SetTimer("end", 9.0),
        CancelTimer("again"),
        Withdraw("claim"),
        Perform("work", JOB),
    ]


def test_a_claimant_that_asks_again_first_gives_back_what_its_last_claim_held() -> None:
    role, port = claimant()
    role.on_decision("claim", Take(3.0))
    port.take()
    port.now = 1.0
    role.on_timer("again")
    assert port.take() == [Withdraw("claim"), Decide("claim", MayClaim(JOB, 3.0, decide_by=2.0))]


def test_an_assignment_at_the_last_instant_is_begun() -> None:
    role = Worker()
    port = seated(role, "ada")
    port.now = 9.0
    role.on_message("op", Assign(JOB, 9.0))
    assert Perform("work", JOB) in port.take()


def test_a_mind_is_not_asked_beyond_the_close_of_the_task() -> None:
    role = Worker(again_s=1.0)
    port = seated(role, "ada")
    role.on_message("op", Open(JOB, 0.5))
    assert Decide("claim", MayClaim(JOB, 1.5, decide_by=0.5)) in port.take()


@pytest.mark.parametrize(
    ("close_by", "claims", "over"),
    [(inf, MOST_CLAIMS, True), (inf, MOST_CLAIMS - 1, False), (1e9, MOST_CLAIMS, False)],
)
def test_only_without_a_deadline_claims_are_counted(close_by: float, claims: int, over: bool) -> None:
    role = Worker()
    port = seated(role, "ada")
    role.on_message("op", Open(JOB, close_by))
    role.claims = claims
    port.take()
    role.on_timer("again")
    assert (port.take()[-1] == Finish(Outcome("closed"))) == over
