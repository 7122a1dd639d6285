"""Promise 8, second half: work."""

from walras.agents import Estimate
from walras.allocation import Outcome
from walras.effects import Finish, Perform, Send, Stop
from walras.items import Task
from walras.testing.errors import demand
from walras.testing.puppets import After, Note, PuppetRules
from walras.testing.runtime import Make, Stage, promise

DONE = (Finish(Outcome("done")),)


class Takes:
    """Work that takes so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, task: Task) -> Estimate:
        return Estimate(cost=1.0, seconds=self.seconds)


@promise(8)
def one_report_per_perform(make: Make) -> None:
    """Every `perform` gets exactly one report, and its key makes it idempotent."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(0.5 * stage.u), capacity=4)
    again = (Perform("a", Task("a")),)
    stage.seat(
        "ada", {"start": (Perform("a", Task("a")), Perform("b", Task("b")), *again), "performed b": again}
    )
    stage.run(3)
    heard = sorted(line for line in stage.log("ada") if line.startswith("performed"))
    demand(heard == ["performed a done", "performed b done"], f"two pieces of work were reported as {heard}")


@promise(8)
def impossible_work_is_reported(make: Make) -> None:
    """Work that nobody can do is reported, too."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(0.5 * stage.u), capacity=0)
    stage.seat("ada", {"start": (Perform("a", Task("a")),)})
    stage.run(3)
    stage.expect("ada", "start", "performed a failed")


@promise(8)
def stopped_work_is_reported(make: Make) -> None:
    """Work that is asked to stop is reported once, as stopped or as done."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(2 * stage.u), capacity=1)
    plan = {
        "start": (*(Perform(key, Task(key)) for key in "abc"), After("off", stage.u)),
        "timer off": (Stop("c"), Stop("a"), Stop("b"), Stop("never begun")),
    }
    stage.seat("ada", plan)
    stage.run(8)
    ended = sorted(line.rsplit(" ", 1)[0] for line in stage.log("ada") if line.startswith("performed"))
    demand(
        ended == [f"performed {key}" for key in "abc"],
        f"three pieces of work that were stopped were reported as {ended}",
    )


@promise(8)
def work_waits_for_capacity(make: Make) -> None:
    """An agent works on as many tasks at once as it has capacity, first come first served."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(stage.u), capacity=1)
    stage.seat("ada", {"start": tuple(Perform(key, Task(key)) for key in "abc")})
    stage.run(6)
    stage.expect("ada", *(f"performed {key} done" for key in "abc"), about="performed")
    for k, key in enumerate("abc", 1):
        when = stage.at("ada", f"performed {key} done")
        demand(
            when >= k, f"piece {k} was done at {when:g}, though each takes 1 and one is worked on at a time"
        )


@promise(8)
def finish_waits_for_work(make: Make) -> None:
    """A role ends after its work: an earlier `finish` is refused."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(0.5 * stage.u))
    stage.seat("ada", {"start": (Perform("a", Task("a")), *DONE), "performed a": DONE})
    stage.run(3)
    stage.expect("ada", "start", "refused Finish", "performed a done")


@promise(8)
def work_is_awaited_beyond_the_end(make: Make) -> None:
    """A participant's work is awaited, beyond the end of its conversation."""
    stage = Stage(make, lifetime=0.5)
    rules = PuppetRules(
        {"start": (Send("bob", Note("work")),)},
        {"heard work": (Perform("a", Task("a")),), "performed a": DONE},
    )
    stage.agent("ada")
    stage.agent("bob", costs=Takes(4 * stage.u))
    stage.open(rules, "ada", ["bob"], finish_by=1.0)
    stage.run(8)
    log = [line for line, _ in rules.made[1].log]
    demand(log == ["start", "heard work", "performed a done"], f"a worker's role noted {log}")
