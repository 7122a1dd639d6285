"""Commit-reveal: bids are fixed before anybody can read them, and everybody checks the result."""

from collections.abc import Callable
from typing import Any

import pytest

from auctions import (
    Bid,
    BidSchedule,
    Closed,
    CommitReveal,
    Disputed,
    NotRevealed,
    Pass,
    Rejected,
    SealedBid,
    WorkEnded,
    first_price,
    second_price,
)
from auctions.commit_reveal import (
    CallForCommitments,
    CommitRevealBidder,
    Committed,
    Opened,
    Revealed,
    RevealNow,
    digest_of,
    outcome_of,
)
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Outcome, Report, ScenarioError, Simulation, Task
from walras.effects import Broadcast, Finish, Ignore, MakeAward, Perform, Publish, Send
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")
TALK = "test/1"


def opening(bidder: str, price: float, nonce: str = "n") -> tuple[Committed, Revealed]:
    """A commitment, and what opens it."""
    revealed = Revealed(Bid("vase", price), nonce)
    return Committed("vase", digest_of(TALK, bidder, revealed)), revealed


def auctioneer(*bidders: str, **settings: Any) -> Script:
    script = Script(CommitReveal(**settings).opener(HOUSE, (VASE,), bidders), me=HOUSE, finish_by=60.0)
    script.start()
    return script


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rule", [first_price, second_price])
def test_the_result_is_that_of_sealed_bids(rule: Any, seed: int) -> None:
    for item in (VASE, Lot("vase", reserve=10), Task("job", reserve=6)):
        open_, sealed = (
            play(kind(rule), [item], VALUES, COSTS, seed=seed) for kind in (CommitReveal, SealedBid)
        )
        assert open_.allocation == sealed.allocation
        assert open_.balances == sealed.balances


def test_no_bid_is_sent_before_all_are_committed_and_digests_tell_nothing() -> None:
    result = play(CommitReveal(), [VASE], VALUES)
    committed = [at for at, _, _ in sent(result, Committed)]
    revealed = [at for at, _, _ in sent(result, Revealed)]
    assert len(committed) == len(revealed) == 3
    assert max(committed) < min(revealed)
    other = play(CommitReveal(), [VASE], VALUES, seed=1)
    assert not {m["digest"] for _, _, m in sent(result, Committed)} & {
        m["digest"] for _, _, m in sent(other, Committed)
    }


def test_it_closes_each_phase_as_soon_as_all_have_answered() -> None:
    script = auctioneer("ada", "bob", "cyd")
    (c_ada, r_ada), (c_bob, r_bob) = opening("ada", 9), opening("bob", 7)
    assert script.hear("bob", c_bob) == script.hear("cyd", Pass("vase")) == []
    effects = script.hear("ada", c_ada)
    commitments = (("ada", c_ada.digest), ("bob", c_bob.digest))
    assert Broadcast(("ada", "bob"), RevealNow("vase", commitments, 4.0)) in effects
    script.hear("bob", r_bob)
    award = Award("vase", "ada", 7)
    effects = script.hear("ada", r_ada)
    assert MakeAward(award) in effects
    opened = Opened(Closed("vase", (award,)), (("ada", r_ada), ("bob", r_bob)))
    assert Broadcast(("ada", "bob", "cyd"), opened) in effects
    assert script.finished == Outcome("done", (award,))


def test_where_time_is_short_both_phases_are() -> None:
    """Of 2.75 seconds until bidding has to be over, as of the 3 and 1 that are wanted, one has three quarters."""
    rules = CommitReveal(reply_within_s=3.0, reveal_within_s=1.0)
    script = Script(rules.opener(HOUSE, (VASE,), ("ada", "bob")), me=HOUSE, finish_by=3.0)
    (call,) = [e.message for e in script.start() if isinstance(e, Broadcast)]
    assert isinstance(call, CallForCommitments)
    assert [call.commit_by, call.reveal_by] == pytest.approx([2.0625, 2.75])
    result = play(CommitReveal(), [VASE], VALUES, finish_by=2.0)
    assert result.allocation["vase"] == Award("vase", "ada", 9)


def test_who_does_not_reveal_loses_and_it_is_published() -> None:
    script = auctioneer("ada", "bob")
    (c_ada, _), (c_bob, r_bob) = opening("ada", 9), opening("bob", 7)
    script.hear("ada", c_ada)
    script.hear("bob", c_bob)
    script.hear("bob", r_bob)
    effects = script.timer("reveal")
    assert Publish(NotRevealed("vase", ("ada",))) in effects
    assert MakeAward(Award("vase", "bob", 0)) in effects


def test_nobody_can_change_a_bid_or_copy_one_or_reveal_early_or_twice() -> None:
    script = auctioneer("ada", "bob", "cyd")
    (c_ada, r_ada), (c_bob, r_bob) = opening("ada", 9), opening("bob", 7)
    script.hear("ada", c_ada)
    assert script.hear("ada", r_ada) == [Ignore(r_ada, "not asked, or a double, or too late")]
    assert script.hear("ada", c_bob) == [Ignore(c_bob, "a second answer")]
    script.hear("bob", c_bob)
    script.hear("cyd", c_ada)  # copied from ada
    higher = Revealed(Bid("vase", 99), r_bob.nonce)
    assert script.hear("bob", higher) == [Ignore(higher, "not what was committed to")]
    assert script.hear("cyd", r_ada) == [Ignore(r_ada, "not what was committed to")]
    script.hear("ada", r_ada)
    assert script.hear("ada", r_ada) == [Ignore(r_ada, "not asked, or a double, or too late")]
    assert Publish(NotRevealed("vase", ("bob", "cyd"))) in script.timer("reveal")


def test_what_is_late_or_from_a_stranger_or_senseless_does_not_count() -> None:
    script = auctioneer("ada", "bob", "cyd")
    commitment, _ = opening("eve", 9)
    assert script.hear("eve", commitment) == [Ignore(commitment, "from a stranger")]
    urn = Committed("urn", "0")
    assert script.hear("ada", urn)[1] == Send("ada", Rejected("vase", "unknown-item"))
    senseless = Revealed(Bid("vase", -4), "n")
    script.hear("ada", Committed("vase", digest_of(TALK, "ada", senseless)))
    script.timer("commit")
    script.port.now = 2.5
    late, _ = opening("bob", 9)
    assert script.hear("bob", late)[1] == Send("bob", Rejected("vase", "late"))
    assert script.hear("ada", senseless) == [Ignore(senseless, "a sealed bid that makes no sense")]
    script.timer("reveal")
    assert script.finished is not None
    assert script.finished.status == "unassigned"


def test_nobody_commits_and_nothing_is_sold() -> None:
    script = auctioneer("ada")
    script.hear("ada", Pass("vase"))
    assert script.finished is not None
    assert script.finished.status == "unassigned"


def test_ties_are_decided_by_all_nonces_together_so_that_everybody_can_check_it() -> None:
    def tied(nonce: str) -> str:
        revealed = {name: Revealed(Bid("vase", 9), nonce + name) for name in ("ada", "bob")}
        (line,) = outcome_of(second_price, VASE, revealed)
        assert line == outcome_of(second_price, VASE, dict(reversed(revealed.items())))[0]
        return line.bidder

    winners = [tied(str(k)) for k in range(100)]
    assert 30 < winners.count("ada") < 70


# -------------------------------------------------------------------------------------------------------------- bidders
def bidder(item: Any = VASE) -> tuple[Script, Committed]:
    """One that has committed to a bid of 9."""
    script = Script(CommitRevealBidder(CommitReveal(), HOUSE), me="ada", conversation=TALK)
    script.hear(HOUSE, CallForCommitments(item, 2.0, 4.0))
    assert script.questions["bid"].binds_until == 4.25  # type: ignore[attr-defined]
    (send,) = script.decided("bid", Bid(item.id, 9))
    assert isinstance(send, Send)
    assert isinstance(send.message, Committed)
    return script, send.message


def test_a_bidder_reveals_once_and_only_if_its_commitment_is_among_them() -> None:
    script, committed = bidder()
    missing = RevealNow("vase", (("bob", "0"),), 4.0)
    assert script.hear(HOUSE, missing) == [Ignore(missing, "our commitment is missing")]
    now = RevealNow("vase", (("ada", committed.digest), ("bob", "0")), 4.0)
    assert script.hear("eve", now) == [Ignore(now, "not our auctioneer's, or a double")]
    (send,) = script.hear(HOUSE, now)
    assert isinstance(send, Send)
    assert isinstance(send.message, Revealed)
    assert send.message.bid == Bid("vase", 9)
    assert digest_of(TALK, "ada", send.message) == committed.digest
    assert script.hear(HOUSE, now) == [Ignore(now, "not our auctioneer's, or a double")]


def revealed_bidder(item: Any) -> tuple[Script, Revealed, Revealed]:
    """A bidder of 9 that has revealed, with its opening and that of bob, who bid 7."""
    script, committed = bidder(item)
    other = Revealed(Bid(item.id, 7), "m")
    commitments = (("ada", committed.digest), ("bob", digest_of(TALK, "bob", other)))
    (send,) = script.hear(HOUSE, RevealNow(item.id, commitments, 4.0))
    assert isinstance(send, Send)
    assert isinstance(send.message, Revealed)
    return script, send.message, other


def test_a_bidder_disputes_a_result_that_does_not_follow_from_the_bids() -> None:
    wrong: dict[str, Callable[[Revealed, Revealed], Opened]] = {
        "the awards do not follow from the bids": lambda mine, bobs: Opened(
            Closed("vase", (Award("vase", "ada", 8),)), (("ada", mine), ("bob", bobs))
        ),
        "bob had not committed to that bid": lambda mine, bobs: Opened(
            Closed("vase", (Award("vase", "bob", 9),)),
            (("ada", mine), ("bob", Revealed(Bid("vase", 10), bobs.nonce))),
        ),
        "our bid is missing": lambda mine, bobs: Opened(
            Closed("vase", (Award("vase", "bob", 0),)), (("bob", bobs),)
        ),
        "eve had not committed to that bid": lambda mine, bobs: Opened(
            Closed("vase"), (("ada", mine), ("eve", Revealed(BidSchedule("vase", ((10, 1),)), "x")))
        ),
    }
    for why, make in wrong.items():
        script, mine, bobs = revealed_bidder(VASE)
        effects = script.hear(HOUSE, make(mine, bobs))
        assert effects == [Publish(Disputed("vase", why)), Finish(Outcome("disputed", why=why))]


def test_a_bidder_accepts_what_follows_from_the_bids_and_works() -> None:
    job = Task("job")
    script, mine, bobs = revealed_bidder(job)
    lost = Opened(Closed("job", (Award("job", "bob", 9),)), (("ada", mine), ("bob", bobs)))
    (finish,) = script.hear(HOUSE, lost)
    assert finish == Finish(Outcome("released"))
    script, mine, _ = revealed_bidder(job)
    won = Opened(Closed("job", (Award("job", "ada", 9),)), (("ada", mine),))
    assert script.hear(HOUSE, won) == [Perform("job", job)]
    assert script.hear(HOUSE, won) == [Ignore(won, "not our auctioneer's, or a double")]
    script.performed("job", Report("done"))
    assert script.hear(HOUSE, Closed("job", reason="cancelled")) == [
        Send(HOUSE, WorkEnded("job", Report("done")))
    ]


def test_no_honest_result_is_disputed() -> None:
    for seed in range(5):
        result = play(CommitReveal(), [VASE], {name: {"vase": 9} for name in VALUES}, seed=seed)
        assert not [row for row in result.trace if row.kind == "fact"]


@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(CommitReveal(), people, [item], kills=12)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}
    assert report.endings["silent minds"] == {"unassigned": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=10), CommitReveal(), seed=7, check=True).run()
    assert result.metrics["completed"] == 10
    assert not [row for row in result.trace if row.kind == "fact"]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"rule": None}, "rule"),
        ({"reveal_within_s": 0}, "reveal_within_s"),
        ({"reply_within_s": 0.1}, "margin_s"),
        ({"hidden_reserve": True}, "hidden_reserve"),
        ({"disclose": "own"}, "disclose"),
    ],
)
def test_what_would_keep_bidders_from_checking_is_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=rf"^{field} is .*; expected "):
        CommitReveal(**settings)


def test_one_that_stood_still_over_its_deadlines_takes_nothing_that_it_hears_after_them() -> None:
    script = auctioneer("ada", "bob", "cyd")
    (c_ada, r_ada), (c_bob, r_bob), (c_cyd, _) = (opening(name, 9) for name in ("ada", "bob", "cyd"))
    script.hear("ada", c_ada)
    script.hear("bob", c_bob)
    script.port.now = 2.01
    assert script.hear("cyd", c_cyd) == [Ignore(c_cyd, "too late"), Send("cyd", Rejected("vase", "late"))]
    script.timer("commit")
    script.hear("ada", r_ada)
    script.port.now = 4.01
    assert script.hear("bob", r_bob) == [Ignore(r_bob, "not asked, or a double, or too late")]
    told = [effect for effect in script.timer("reveal") if isinstance(effect, Broadcast)]
    again = script.late("ada", r_ada)
    assert again[1:] == [Send("ada", told[0].message)], "it may not have heard that it has won"
