"""Promise 4, second half: what an answer binds is held before it is delivered, until it binds no longer."""

from walras.allocation import Outcome
from walras.effects import Finish, Send, Withdraw
from walras.testing.puppets import After, Ask, Look, Mind, Note, Offer, Skip
from walras.testing.runtime import Make, Stage, promise


@promise(4)
def unfunded_answer_is_otherwise(make: Make) -> None:
    """An answer that cannot be held is replaced by `otherwise`, and holds nothing."""
    stage = Stage(make)
    mind = Mind(much=Offer(7.0), more=Offer(7.0), rest=Offer(3.0))
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": (Ask("much", 2 * stage.u, "a"),),
        "decided a": (Ask("more", 2 * stage.u, "b"),),
        "decided b": (Ask("rest", 2 * stage.u, "c"),),
        "decided c": (After("look", 0.1 * stage.u),),
        "timer look": (Look(mind),),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "decided a 7", "decided b pass", "decided c 3", about="decided")
    stage.expect("ada", "free 0", about="free")


@promise(4)
def slots_are_held(make: Make) -> None:
    """Slots are held as money is."""
    stage = Stage(make)
    stage.agent("ada", Mind(one=Offer(1.0, slots=1), two=Offer(1.0, slots=2)), capacity=2)
    plan = {
        "start": (Ask("one", 2 * stage.u, "a"),),
        "decided a": (Ask("two", 2 * stage.u, "b"),),
        "decided b": (Ask("one", 2 * stage.u, "c"),),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "decided a 1", "decided b pass", "decided c 1", about="decided")


@promise(4)
def nonsensical_commitment_is_otherwise(make: Make) -> None:
    """An answer that would bind a nonsensical amount is replaced by `otherwise`."""
    stage = Stage(make)
    mind = Mind(nan=Offer(float("nan")), less=Offer(-5.0), all=Offer(float("inf")))
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": tuple(Ask(label, 2 * stage.u, label) for label in ("nan", "less", "all")),
        "decided all": (Look(mind),),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "decided nan pass", "decided less pass", "decided all pass", about="decided")
    stage.expect("ada", "free 10", about="free")


@promise(4)
def answer_is_held_before_delivery(make: Make) -> None:
    """What an answer binds is held before the answer is delivered."""
    stage = Stage(make)
    mind = Mind(q=Offer(4.0))
    stage.agent("ada", mind, money=10.0)
    stage.seat("ada", {"start": (Ask("q", 2 * stage.u),), "decided q": (Look(mind),)})
    stage.run(3)
    stage.expect("ada", "free 6", about="free")


@promise(4)
def pass_does_not_free_a_hold(make: Make) -> None:
    """An answer that binds nothing does not free what an earlier one holds."""
    stage = Stage(make)
    mind = Mind(bid=Offer(4.0), no=Skip())
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": (Ask("bid", 2 * stage.u),),
        "decided q 4": (Ask("no", 2 * stage.u),),
        "decided q pass": (Look(mind),),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "free 6", about="free")


@promise(4)
def answers_only_raise_a_hold(make: Make) -> None:
    """Answers only raise a hold."""
    stage = Stage(make)
    mind = Mind(five=Offer(5.0), three=Offer(3.0), seven=Offer(7.0))
    stage.agent("ada", mind, money=10.0)
    steps = ("look 5", "three", "look 3", "seven", "look 7")
    plan = {
        "start": (Ask("five", stage.u), *(After(step, 0.1 * k * stage.u) for k, step in enumerate(steps, 1))),
        **{f"timer {step}": (Look(mind),) for step in steps},
        **{f"timer {label}": (Ask(label, stage.u),) for label in ("three", "seven")},
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "decided q 5", "decided q 3", "decided q 7", about="decided")
    stage.expect("ada", "free 5", "free 5", "free 3", about="free")


@promise(4)
def withdraw_ends_the_hold(make: Make) -> None:
    """`withdraw` ends the hold of this name, and no other."""
    stage = Stage(make)
    mind = Mind(a=Offer(4.0), b=Offer(1.0))
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": (Ask("a", 2 * stage.u, "a"),),
        "decided a": (Ask("b", 2 * stage.u, "b"),),
        "decided b": (After("look", 0.1 * stage.u),),
        "timer look": (Look(mind), Withdraw("a"), Look(mind)),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "free 5", "free 9", about="free")


@promise(4)
def hold_ends_at_its_until(make: Make) -> None:
    """After its `until` a hold counts as free without anybody having to say so."""
    stage = Stage(make)
    mind = Mind(q=Offer(4.0, until=stage.u))
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": (Ask("q", 0.5 * stage.u), After("soon", 0.6 * stage.u), After("later", 2 * stage.u)),
        "timer soon": (Look(mind),),
        "timer later": (Look(mind),),
    }
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "free 6", "free 10", about="free")


@promise(4)
def finish_releases_holds(make: Make) -> None:
    """`finish` releases the role's holds, and only the role's."""
    stage = Stage(make)
    mind = Mind(a=Offer(4.0), b=Offer(1.0))
    stage.agent("ada", mind, money=10.0)
    plan = {
        "start": (Ask("a", 2 * stage.u, "a"),),
        "decided a": (Send("ada", Note("end")),),
        "heard end": (Finish(Outcome("done")),),
    }
    stage.seat("ada", plan)
    stage.seat(
        "ada",
        {"start": (Ask("b", 2 * stage.u, "b"), After("look", stage.u)), "timer look": (Look(mind),)},
        "test/2",
    )
    stage.run(3)
    stage.expect("ada", "free 9", about="free", room="test/2")
