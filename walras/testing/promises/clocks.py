"""Promise 7: time."""

from walras.allocation import Outcome
from walras.effects import Finish, Send, SetTimer
from walras.testing.errors import demand
from walras.testing.puppets import After, Ask, Mind, Note, Offer, OpenChild, PuppetRules
from walras.testing.runtime import GRACE, ROOM, Make, Stage, promise


def _nondecreasing(stage: Stage, agent: str) -> None:
    times = [now for _, now in stage.puppet(agent).log]
    demand(times == sorted(times), f"the clock of {agent} went back: {[t / stage.u for t in times]}")


@promise(7)
def now_begins_at_the_epoch(make: Make) -> None:
    """`now` is seconds since the run's own epoch."""
    stage = Stage(make)
    stage.seat("ada", {"start": (After("t", stage.u),)})
    stage.run(2)
    demand(0.0 <= stage.at("ada", "start") <= GRACE, f"the run began at {stage.at('ada', 'start'):g}")
    took = stage.at("ada", "timer t") - stage.at("ada", "start")
    demand(1.0 - 1e-9 <= took <= 1.0 + GRACE, f"a timer for 1 took {took:g}")


@promise(7)
def now_never_goes_back(make: Make) -> None:
    """`now` never goes back."""
    stage = Stage(make)
    timers = tuple(After(k, (0.37 * k % 2) * stage.u) for k in range(12))
    stage.seat("ada", {"start": (Send("ada", Note("self")), *timers)})
    stage.run(4)
    _nondecreasing(stage, "ada")
    demand(len(stage.log("ada")) == 14, f"this shows nothing: ada heard {stage.log('ada')}")


@promise(7, "crash")
def now_never_goes_back_across_restarts(make: Make) -> None:
    """`now` never goes back across restarts, either."""
    stage = Stage(make)
    stage.seat("ada", {"start": tuple(SetTimer(k, 0.5 * k * stage.u) for k in range(1, 9))})
    stage.crash("ada", at=1.2, down=1.0)
    stage.crash("ada", at=2.7, down=1.0)
    stage.run(6)
    _nondecreasing(stage, "ada")
    demand(len(stage.log("ada")) >= 3, f"this shows nothing: ada heard {stage.log('ada')}")


@promise(7, "skew")
def timers_are_on_ones_own_clock(make: Make) -> None:
    """A deadline is on the clock of who set it: timers."""
    stage = Stage(make, skew={"ada": 5.0, "bob": -5.0})
    for agent in ("ada", "bob"):
        stage.seat(agent, {"start": (After("t", stage.u),)})
    stage.run(3)
    for agent in ("ada", "bob"):
        took = stage.at(agent, "timer t") - stage.at(agent, "start")
        demand(1.0 - 1e-9 <= took <= 1.0 + GRACE, f"a timer for 1 took {took:g} on a clock that is wrong")
    ahead = stage.at("ada", "start") - stage.at("bob", "start")
    demand(abs(ahead - 10.0) <= GRACE, f"two clocks that are 10 apart read {ahead:g} apart")


@promise(7, "skew")
def questions_are_on_ones_own_clock(make: Make) -> None:
    """A deadline is on the clock of who set it: questions."""
    stage = Stage(make, skew={"ada": 5.0, "bob": -5.0})
    for agent in ("ada", "bob"):
        stage.agent(agent, Mind(q=Offer(1.0)))
        stage.seat(agent, {"start": (Ask("q", stage.u),)})
    stage.run(3)
    for agent in ("ada", "bob"):
        stage.expect(agent, "decided q 1", about="decided")


@promise(7, "skew")
def children_are_on_ones_own_clock(make: Make) -> None:
    """A deadline is on the clock of who set it: children."""
    stage = Stage(make, skew={"ada": 5.0, "bob": -5.0})
    for agent in ("ada", "bob"):
        stage.seat(agent, {"start": (OpenChild(PuppetRules(), stage.u),)})
    stage.run(5)
    for agent in ("ada", "bob"):
        took = stage.at(agent, f"outcome {ROOM}/{agent}/1 overdue") - stage.at(agent, "start")
        demand(1.0 - 1e-9 <= took <= 1.0 + GRACE, f"a child with 1 to live was overdue after {took:g}")


@promise(7, "skew")
def skew_does_not_age_messages(make: Make) -> None:
    """Skew does not make messages old."""
    stage = Stage(make, skew={"ada": -50.0, "bob": 50.0}, lifetime=1.0)
    stage.seat("ada", {"start": (Send("bob", Note("hello")),)})
    stage.seat("bob", {"heard hello": (Finish(Outcome("done")),)})
    stage.run(2)
    stage.expect("bob", "start", "heard hello")
