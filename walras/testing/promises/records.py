"""Recovery of roles from records: what they persisted is what they know."""

from walras.effects import Broadcast, Checkpoint, Perform, Persist, Send
from walras.items import Task
from walras.testing.errors import demand
from walras.testing.promises.work import Takes
from walras.testing.puppets import After, Ask, Mind, Note, Offer, Plan
from walras.testing.runtime import ROOM, Make, Stage, promise


def _recovered(stage: Stage) -> list[str]:
    return [line for line in stage.log("ada") if line.startswith("recovered")]


@promise("records", "crash")
def records_are_recovered(make: Make) -> None:
    """After a restart `on_recover` gets what was durable, all of it, in order."""
    stage = Stage(make)
    plan: Plan = {
        "start": (Persist(Note("a")), Persist(Note("b")), After("more", 0.3 * stage.u)),
        "timer more": (Persist(Note("c")), Persist(Note("d"))),
    }
    stage.seat("ada", plan, records=True)
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(4)
    demand(
        _recovered(stage) == ["recovered a b c d"],
        f"a b c d were durable, on_recover was told {_recovered(stage)}",
    )


@promise("records", "kill")
def records_are_atomic(make: Make) -> None:
    """A handler's records are one atomic batch: all of them or none."""
    stage = Stage(make)
    plan: Plan = {"start": (After("go", stage.u),), "timer go": (Persist(Note("a")), Persist(Note("b")))}
    stage.seat("ada", plan, records=True)
    stage.runtime.kill(ROOM, "ada", 2, 2, stage.u)
    stage.run(5)
    demand(
        _recovered(stage) in (["recovered"], ["recovered a b"]),
        f"half of a batch was durable: {_recovered(stage)}",
    )


@promise("records", "crash", "slow disk")
def unfinished_writes_do_not_count(make: Make) -> None:
    """What was not durable when the machine stopped is lost, and so is what waited for it."""
    stage = Stage(make, fsync=2.0)
    plan: Plan = {
        "start": (After("t", 0.1 * stage.u), Persist(Note("a")), Broadcast(("bob",), Note("durable"))),
    }
    stage.seat("ada", plan, records=True)
    stage.seat("bob", {})
    stage.crash("ada", at=1.0, down=0.5)
    stage.run(6)
    heard, known = "heard durable" in stage.log("bob"), "a" in _recovered(stage)[0].split()
    demand(heard <= known, "a message that had to wait for a write left, but the write was lost")


@promise("records", "crash")
def checkpoint_replaces_records(make: Make) -> None:
    """A checkpoint replaces everything before it, once it is durable."""
    stage = Stage(make)
    plan: Plan = {
        "start": (Persist(Note("a")), After("check", 0.3 * stage.u)),
        "timer check": (Checkpoint(Note("all")), After("more", 0.3 * stage.u)),
        "timer more": (Persist(Note("b")),),
    }
    stage.seat("ada", plan, records=True)
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(4)
    demand(_recovered(stage) == ["recovered all b"], f"on_recover was told {_recovered(stage)}, not all b")


@promise("records", "crash")
def on_recover_replaces_on_start(make: Make) -> None:
    """`on_recover` comes in place of `on_start`, even if nothing was durable."""
    stage = Stage(make)
    stage.seat("ada", {"start": (Send("bob", Note("started")),)}, records=True)
    stage.seat("bob", {})
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(4)
    stage.expect("bob", "start", "heard started")
    demand(stage.log("ada")[0] == "recovered", f"a new life began with {stage.log('ada')}")


@promise("records", "crash")
def incarnation_counts_lives(make: Make) -> None:
    """Each life has an incarnation of its own, counted from 0."""
    stage = Stage(make)
    stage.seat("ada", {f"life {n}": (Send("bob", Note(str(n))),) for n in (1, 2)}, records=True)
    stage.seat("bob", {})
    stage.crash("ada", at=1.0, down=0.5)
    stage.crash("ada", at=3.0, down=0.5)
    stage.run(6)
    stage.expect("bob", "start", "heard 1", "heard 2")


@promise("records", "crash")
def amnesia_is_complete(make: Make) -> None:
    """Timers, questions and work die with a records role."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(4.0)), thinks=1.5, money=10.0, costs=Takes(1.5 * stage.u))
    start = (After("now", 0.0), After("t", 1.5 * stage.u), Ask("q", 9 * stage.u), Perform("job", Task("job")))
    stage.seat("ada", {"start": start, "timer t": (Send("bob", Note("t")),)}, records=True)
    stage.seat("bob", {})
    stage.crash("ada", at=1.0, down=0.2)
    stage.run(6)
    stage.expect("ada", "recovered", "life 1")
    stage.expect("bob", "start")
