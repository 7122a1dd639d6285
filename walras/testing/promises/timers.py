"""Promise 3: timers."""

from walras.allocation import Outcome
from walras.effects import CancelTimer, Finish, Send, SetTimer, Tell
from walras.testing.errors import demand
from walras.testing.puppets import After, Note
from walras.testing.runtime import ROOM, Make, Stage, promise


@promise(3)
def timer_never_early(make: Make) -> None:
    """A timer fires once, and never early."""
    stage = Stage(make)
    names = {f"t{k}": 0.1 * k + 0.07 * k * k for k in range(1, 8)}
    stage.seat("ada", {"start": tuple(SetTimer(name, at * stage.u) for name, at in names.items())})
    stage.run(7)
    for name, at in names.items():
        fired = stage.at("ada", f"timer {name}")
        demand(fired * stage.u >= at * stage.u, f"the timer for {at:g} fired early, at {fired:g}")
    stage.expect("ada", *(f"timer {name}" for name in names), about="timer")


@promise(3)
def setting_again_moves_a_timer(make: Make) -> None:
    """Setting a timer again moves it: it fires once per setting that stood."""
    stage = Stage(make)
    stage.seat("ada", {
        "start": (SetTimer("t", stage.u), SetTimer("u", 3 * stage.u), After("nudge", 0.5 * stage.u)),
        "timer nudge": (SetTimer("t", 2 * stage.u), SetTimer("u", stage.u)),
    })  # fmt: skip
    stage.run(5)
    stage.expect("ada", "timer nudge", "timer u", "timer t", about="timer")
    demand(stage.at("ada", "timer t") >= 2.0, "a timer that was moved back fired at its old time")


@promise(3)
def cancelled_timer_is_silent(make: Make) -> None:
    """A timer never fires after it was cancelled; to cancel one that is not set does no harm."""
    stage = Stage(make)
    stage.seat("ada", {
        "start": (SetTimer("t", stage.u), CancelTimer("never set"), After("off", 0.5 * stage.u)),
        "timer off": (CancelTimer("t"),),
    })  # fmt: skip
    stage.run(3)
    stage.expect("ada", "timer off", about="timer")


@promise(3)
def timer_after_local_input_at_equal_instant(make: Make) -> None:
    """At equal instants timers come last: what is local and due at the same time is heard before."""
    stage = Stage(make)
    stage.seat("ada", {"start": (SetTimer("due", 0.0), Send("ada", Note("self")), Tell(ROOM, Note("aside")))})
    stage.run(2)
    log = stage.log("ada")
    demand({"heard self", "told aside"} <= set(log), f"this shows nothing: ada noted {log}")
    demand(log[-1] == "timer due", f"a timer that was due at once came before local messages: {log}")


@promise(3, "exact time")
def timer_after_delivery_at_equal_instant(make: Make) -> None:
    """A message that arrives exactly when the timer is due is in time."""
    stage = Stage(make, latency=0.5)
    stage.seat("ada", {"start": (SetTimer("reply by", 0.5 * stage.u),)})
    stage.seat("bob", {"start": (Send("ada", Note("in time")),)})
    stage.run(2)
    stage.expect("ada", "start", "heard in time", "timer reply by")


@promise(3)
def timer_never_after_finish(make: Make) -> None:
    """A timer never fires after the role's finish."""
    stage = Stage(make)
    stage.seat(
        "ada",
        {
            "start": (SetTimer("t", stage.u), Send("ada", Note("end"))),
            "heard end": (Finish(Outcome("done")),),
        },
    )
    stage.run(3)
    stage.expect("ada", "start", "heard end")


@promise(3, "crash")
def timer_survives_restart(make: Make) -> None:
    """A timer survives a restart: it fires late if it must, once, and never early."""
    stage = Stage(make)
    stage.seat("ada", {"start": tuple(SetTimer(f"t{at}", at * stage.u) for at in (1, 2, 5))})
    stage.crash("ada", at=1.5, down=2.0)
    stage.run(7)
    stage.expect("ada", "start", "timer t1", "timer t2", "timer t5")
    demand(stage.at("ada", "timer t2") >= 2.0, "a timer fired early after a restart")
    demand(stage.at("ada", "timer t5") >= 5.0, "a timer fired early after a restart")


@promise(3, "crash")
def called_off_timer_stays_off_after_restart(make: Make) -> None:
    """A timer that was cancelled or moved stays so through a restart."""
    stage = Stage(make)
    plan = {
        "start": (SetTimer("off", 3 * stage.u), SetTimer("moved", 3 * stage.u), After("now", 0.5 * stage.u)),
        "timer now": (CancelTimer("off"), SetTimer("moved", 4 * stage.u), Send("ada", Note("on"))),
    }
    stage.seat("ada", plan)
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(6)
    stage.expect("ada", "timer now", "timer moved", about="timer")
    demand(stage.at("ada", "timer moved") >= 4.0, "a timer that was moved fired at its old time")


@promise(3, "pause")
def timer_can_be_called_off_in_a_pause(make: Make) -> None:
    """A timer that falls due while the agent hears nothing can still be called off."""
    stage = Stage(make)
    plan = {
        "start": (SetTimer("off", 2 * stage.u), SetTimer("moved", 2 * stage.u)),
        "heard stop": (CancelTimer("off"), SetTimer("moved", 8 * stage.u)),
    }
    stage.seat("ada", plan)
    stage.seat("bob", {"start": (After("say", 1.5 * stage.u),), "timer say": (Send("ada", Note("stop")),)})
    stage.runtime.pause("ada", stage.u, 4 * stage.u)
    stage.run(10)
    stage.expect("ada", "start", "heard stop", "timer moved")
    demand(
        stage.at("ada", "timer moved") >= 8.0, "a timer that was moved during a pause fired at its old time"
    )
