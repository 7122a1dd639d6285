"""Promise 2: effects take place in the order of the calls, and wait for what was persisted before them."""

from walras.effects import Broadcast, Persist, Send, Withdraw
from walras.testing.errors import demand
from walras.testing.puppets import After, Ask, Mind, Note, Offer, Plan
from walras.testing.runtime import GRACE, Make, Stage, promise


@promise(2)
def effects_in_order(make: Make) -> None:
    """Effects take place in the order of the calls, within a handler and across handlers."""
    stage = Stage(make)
    stage.seat("ada", {
        "start": (Send("bob", Note("1")), Broadcast(("bob",), Note("2")), Send("bob", Note("3")), After("on", 0.0)),
        "timer on": (Send("bob", Note("4")), Send("bob", Note("5"))),
    })  # fmt: skip
    stage.seat("bob", {})
    stage.run(2)
    stage.expect("bob", *(f"heard {n}" for n in range(1, 6)), about="heard")


@promise(2, "slow disk")
def effects_wait_for_persist(make: Make) -> None:
    """After persist, every outward effect of the handler waits until the write is durable."""
    stage = Stage(make, fsync=1.0)
    stage.seat(
        "ada",
        {"start": (Persist(Note("r")), Send("bob", Note("after")), Send("ada", Note("durable")))},
        records=True,
    )
    stage.seat("bob", {})
    stage.run(3)
    for who, line in (("bob", "heard after"), ("ada", "heard durable")):
        demand(
            stage.at(who, line) >= 1.0, f"{line!r} came at {stage.at(who, line):g}, the write took until 1"
        )


@promise(2, "slow disk")
def effects_of_later_handlers_wait(make: Make) -> None:
    """After persist, every outward effect of later handlers waits, too."""
    stage = Stage(make, fsync=1.0)
    plan = {
        "start": (Persist(Note("r")), After("soon", 0.2 * stage.u)),
        "timer soon": (Send("bob", Note("later")),),
    }
    stage.seat("ada", plan, records=True)
    stage.seat("bob", {})
    stage.run(3)
    came = stage.at("bob", "heard later")
    demand(came >= 1.0, f"a later handler's message came at {came:g}, the write took until 1")


@promise(2, "slow disk")
def effects_before_persist_leave(make: Make) -> None:
    """What was done before persist leaves at once: the order of the calls is the durability rule."""
    stage = Stage(make, fsync=2.0)
    stage.seat("ada", {"start": (Send("bob", Note("before")), Persist(Note("r")))}, records=True)
    stage.seat("bob", {})
    stage.run(3)
    came = stage.at("bob", "heard before")
    demand(
        came < 2.0 - GRACE, f"a message from before the write came at {came:g}, as if it had waited for it"
    )


@promise(2, "slow disk")
def timers_do_not_wait(make: Make) -> None:
    """Timers do not wait for writes."""
    stage = Stage(make, fsync=2.0)
    stage.seat("ada", {"start": (Persist(Note("r")), After("soon", 0.5 * stage.u))}, records=True)
    stage.run(4)
    fired = stage.at("ada", "timer soon")
    demand(fired < 2.0 - GRACE, f"a timer for 0.5 fired at {fired:g}: it waited for a write")


@promise(2, "slow disk")
def withdrawals_do_not_wait(make: Make) -> None:
    """Withdrawals do not wait for writes."""
    stage = Stage(make, fsync=2.0)
    stage.agent("ada", Mind(slow=Offer(1.0)), thinks=1.0)
    plan = {
        "start": (Ask("slow", 5 * stage.u), Persist(Note("r")), Withdraw("q"), After("soon", 0.2 * stage.u)),
        "timer soon": (Ask("slow", 5 * stage.u, "p"), Withdraw("p")),
    }
    stage.seat("ada", plan, records=True)
    stage.run(8)
    answers = [line for line in stage.log("ada") if line.startswith("decided")]
    demand(
        not answers, f"questions that were withdrawn before the write was durable were answered: {answers}"
    )


@promise(2)
def persist_needs_no_faults(make: Make) -> None:
    """A role may persist where no disk is slow and nobody crashes: its effects take place as always."""
    stage = Stage(make)
    plan: Plan = {"start": (Persist(Note("r")), Send("bob", Note("after")), Send("ada", Note("durable")))}
    stage.seat("ada", plan, records=True)
    stage.seat("bob", {})
    stage.run(1)
    stage.expect("ada", "start", "heard durable")
    stage.expect("bob", "start", "heard after")
