"""Promise 8, first half: children, their outcomes and their ends."""

from walras.allocation import Award, Outcome
from walras.effects import Decide, Finish, MakeAward, Send, SetTimer, Stop, Tell
from walras.items import Lot
from walras.testing.errors import demand
from walras.testing.puppets import INF, After, CancelLatest, Choose, Note, OpenChild, PuppetRules
from walras.testing.runtime import GRACE, ROOM, Make, Stage, promise

DONE = (Finish(Outcome("done")),)


@promise(8)
def one_outcome_per_open(make: Make) -> None:
    """Every open gets exactly one outcome: that with which the child's opener finished."""
    stage = Stage(make)
    quick = PuppetRules({"start": DONE})
    slow = PuppetRules({"start": (After("end", stage.u),), "timer end": (Finish(Outcome("failed")),)})
    stage.seat("ada", {"start": (OpenChild(quick, 3 * stage.u), OpenChild(slow, 3 * stage.u))})
    stage.run(6)
    stage.expect("ada", "start", f"outcome {ROOM}/ada/1 done", f"outcome {ROOM}/ada/2 failed")


@promise(8)
def overdue(make: Make) -> None:
    """A child that does not end is overdue at its `finish_by`."""
    stage = Stage(make)
    stage.seat("ada", {"start": (OpenChild(PuppetRules(), 2 * stage.u),)})
    stage.run(6)
    line = f"outcome {ROOM}/ada/1 overdue"
    stage.expect("ada", line, about="outcome")
    took = stage.at("ada", line) - stage.at("ada", "start")
    demand(2.0 - 1e-9 <= took <= 2.0 + GRACE, f"a child with 2 to live was overdue after {took:g}")


@promise(8)
def top_level_overdue(make: Make) -> None:
    """A conversation that the world opens is overdue at its `finish_by`, too."""
    stage = Stage(make)
    stage.agent("ada")
    stage.open(PuppetRules(), "ada", finish_by=2.0)
    stage.run(5)
    demand(stage.runtime.outcomes.get("ada/1") == "overdue", f"it ended as {stage.runtime.outcomes}")


@promise(8)
def cancel_reaches_the_child(make: Make) -> None:
    """`cancel` calls the child's `on_cancel`, and its outcome still comes, once."""
    stage = Stage(make)
    rules = PuppetRules()
    stage.seat(
        "ada",
        {"start": (OpenChild(rules, 4 * stage.u), After("off", stage.u)), "timer off": (CancelLatest(),)},
    )
    stage.run(7)
    stage.expect("ada", f"outcome {ROOM}/ada/1 cancelled", about="outcome")
    demand(
        [line for line, _ in rules.made[0].log] == ["start", "cancelled"],
        f"the child noted {rules.made[0].log}",
    )


@promise(8)
def overdue_cancels_children(make: Make) -> None:
    """An opener that is overdue takes its children with it: they are cancelled."""
    stage = Stage(make)
    inner = PuppetRules()
    outer = PuppetRules({"start": (OpenChild(inner, 9 * stage.u),)})
    stage.seat("ada", {"start": (OpenChild(outer, stage.u),)})
    stage.run(4)
    demand("cancelled" in [line for line, _ in inner.made[0].log], "a child outlived its overdue opener")


@promise(8)
def child_ids_are_deterministic(make: Make) -> None:
    """A child's id is its parent's id plus /initiator/k, k counting that role's own opens."""
    stage = Stage(make)
    inner = PuppetRules({"start": DONE})
    outer = PuppetRules({"start": (OpenChild(inner, stage.u),), "outcome": DONE})
    plan = {"start": (OpenChild(inner, stage.u),), "outcome": ()}
    stage.seat("ada", {**plan, f"outcome {ROOM}/ada/1 done": (OpenChild(outer, stage.u),)})
    stage.seat("bob", plan)
    stage.run(4)
    ids = [stage.puppet(agent).children for agent in ("ada", "bob")]
    demand(ids == [[f"{ROOM}/ada/1", f"{ROOM}/ada/2"], [f"{ROOM}/bob/1"]], f"the children were called {ids}")
    demand(
        outer.made[0].children == [f"{ROOM}/ada/2/ada/1"],
        f"a child's child was called {outer.made[0].children}",
    )


@promise(8)
def finish_waits_for_children(make: Make) -> None:
    """A role ends after its children: an earlier `finish` is refused."""
    stage = Stage(make)
    plan = {"start": (OpenChild(PuppetRules(), stage.u), *DONE), "outcome": DONE}
    stage.seat("ada", plan)
    stage.run(4)
    stage.expect("ada", "start", "refused Finish", f"outcome {ROOM}/ada/1 overdue")


@promise(8)
def second_finish_is_refused(make: Make) -> None:
    """A role finishes once; a second `finish` is refused."""
    stage = Stage(make)
    stage.seat("ada", {"start": (*DONE, *DONE)})
    stage.run(1)
    stage.expect("ada", "start", "refused Finish")


@promise(8)
def nothing_binds_after_finish(make: Make) -> None:
    """After `finish` a role may talk, but neither bind nor wait for anything."""
    stage = Stage(make)
    stage.agent("bob")
    line = Award("lot", "bob", 1.0)
    waits = (
        SetTimer("t", stage.u),
        Decide("q", Choose(decide_by=stage.u, label="late")),
        Tell(ROOM, Note("psst")),
        Stop("job"),
    )
    after = (MakeAward(line), OpenChild(PuppetRules(), stage.u), *waits)
    rules = PuppetRules({"start": (*DONE, *after, Send("bob", Note("bye")))})
    stage.agent("ada")
    stage.open(rules, "ada", ["bob"], items=[Lot("lot")], finish_by=3.0)
    stage.run(5)
    log = [line for line, _ in rules.made[0].log]
    refused = [f"refused {type(effect).__name__}" for effect in after]
    demand(log == ["start", *refused], f"after its finish a role did more than talk: {log}")
    demand([line for line, _ in rules.made[1].log] == ["start", "heard bye"], "its last message was lost")


@promise(8)
def waiting_roles_are_expired(make: Make) -> None:
    """Roles that still wait after `finish_by` are ended, when nothing can reach them any more."""
    stage = Stage(make, lifetime=1.0)
    rules = PuppetRules({"start": (Send("bob", Note("come")),), "timer never": ()})
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=1.0)
    stage.run(8)
    left = [who for who in stage.runtime.unfinished() if who[0] == "ada/1"]
    demand(not left, f"long after the end these roles still wait: {left}")


@promise(8, "delay")
def latecomers_are_expired(make: Make) -> None:
    """Who joins a conversation after its end is ended, too, when nothing can reach it any more."""
    stage = Stage(make, latency=2.0, lifetime=4.0)
    rules = PuppetRules({"start": (Send("bob", Note("come")), *DONE)})
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=INF)
    stage.run(20)
    left = [who for who in stage.runtime.unfinished() if who[0] == "ada/1"]
    demand(not left, f"long after the end these roles still wait: {left}")
