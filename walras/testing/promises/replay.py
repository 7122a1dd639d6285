"""Recovery of roles that replay: the runtime journals their inputs, and a crash costs them nothing but time."""

from walras.allocation import Award, Outcome
from walras.effects import Finish, MakeAward, Perform, Persist, Send, Settle, Stop, Tell
from walras.items import Lot, Task
from walras.testing.errors import ContractError, demand
from walras.testing.kills import Point
from walras.testing.promises.work import Takes
from walras.testing.puppets import After, Ask, Draw, Mind, Note, Offer, OpenChild, PuppetRules
from walras.testing.runtime import ROOM, Make, Stage, promise

DONE = (Finish(Outcome("done")),)


@promise("recovery", "crash")
def inputs_are_replayed(make: Make) -> None:
    """After a crash a role is what its inputs made it: none is lost, none is there twice."""
    stage = Stage(make)
    stage.seat("ada", {"start": (After("t", 0.5 * stage.u), Send("ada", Note("self")))})
    stage.seat(
        "bob",
        {
            "start": (Send("ada", Note("before")), After("say", 4 * stage.u)),
            "timer say": (Send("ada", Note("after")),),
        },
    )
    stage.crash("ada", at=1.0, down=1.0)
    stage.crash("ada", at=3.0, down=0.5)
    stage.run(6)
    stage.expect("ada", "start", "heard self", "heard before", "timer t", "heard after")


@promise("recovery", "crash")
def endless_roles_recover(make: Make) -> None:
    """A role that never ends recovers from a copy and what came after: its whole past need not be fed again."""
    stage = Stage(make)
    stage.seat("ada", {"timer late": (Send("bob", Note("on")),)})
    said = tuple(Send("ada", Note(str(n))) for n in range(150))
    stage.seat(
        "bob", {"start": (*said, After("more", 3 * stage.u)), "timer more": (Send("ada", Note("more")),)}
    )
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(5)
    stage.expect("ada", "start", *(f"heard {n}" for n in range(150)), "heard more")


@promise("recovery", "kill")
def last_effects_are_issued_again(make: Make) -> None:
    """The last input's effects are issued again: the machine may have stopped before them."""
    stage = Stage(make)
    say = (Send("bob", Note("1")), Send("bob", Note("2")))
    stage.seat("ada", {"start": (After("go", stage.u),), "timer go": say})
    stage.seat("bob", {})
    stage.runtime.kill(ROOM, "ada", 2, 2, stage.u)
    stage.run(5)
    demand("heard 2" in stage.log("bob"), "what the machine had no time for was not done after the restart")


@promise("recovery", "crash")
def earlier_effects_are_not_issued_again(make: Make) -> None:
    """The effects of earlier inputs are not issued again."""
    stage = Stage(make)
    plan = {
        "start": (Send("bob", Note("1")), After("on", 0.3 * stage.u)),
        "timer on": (After("idle", 0.3 * stage.u),),
    }
    stage.seat("ada", plan)
    stage.seat("bob", {})
    stage.crash("ada", at=1.0, down=1.0)
    stage.run(4)
    stage.expect("bob", "start", "heard 1")


@promise("recovery", "crash")
def draws_survive_a_replay(make: Make) -> None:
    """Nothing that happens while a replay runs makes the same handler do something else: its draws are the same."""
    logs = []
    for crash in (False, True):
        stage = Stage(make, seed=5)
        stage.seat("ada", {"start": (Draw("ada"), After("t", 3 * stage.u)), "timer t": (Draw("ada"),)})
        if crash:
            stage.crash("ada", at=1.0, down=1.0)
        stage.run(5)
        logs.append(sorted(line for line in stage.log("ada") if line.startswith("drew")))
    demand(logs[0] == logs[1] and len(set(logs[0])) == 2, f"a crash changed what a role drew: {logs}")


@promise("recovery", "crash")
def open_questions_are_asked_again(make: Make) -> None:
    """Questions that were open are asked again, and answered once."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=1.0)
    stage.seat("ada", {"start": (Ask("q", 9 * stage.u),)})
    stage.crash("ada", at=0.5, down=1.0)
    stage.run(6)
    stage.expect("ada", "start", "decided q 1")


@promise("recovery", "crash")
def questions_do_not_wait_for_ever(make: Make) -> None:
    """A question whose deadline passes while the machine is down is answered after the restart."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=1.0)
    stage.seat("ada", {"start": (Ask("q", 1.5 * stage.u),)})
    stage.crash("ada", at=0.5, down=2.0)
    stage.run(6)
    stage.expect("ada", "start", "decided q pass")


@promise("recovery", "crash")
def work_is_taken_up_again(make: Make) -> None:
    """Work is taken up again by its key, and reported once."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(stage.u), capacity=1)
    stage.seat("ada", {"start": (Perform("a", Task("a")), Perform("b", Task("b")))})
    stage.crash("ada", at=0.5, down=1.0)
    stage.run(8)
    stage.expect("ada", "performed a done", "performed b done", about="performed")
    for k, key in enumerate("ab", 1):
        when = stage.at("ada", f"performed {key} done")
        demand(when >= 1.5 + k, f"work that a crash broke off at 0.5 and that takes 1 was done at {when:g}")


@promise("recovery", "kill")
def stopped_work_stays_stopped(make: Make) -> None:
    """Work that was asked to stop is not taken up again in full."""
    stage = Stage(make)
    stage.agent("ada", costs=Takes(4 * stage.u))
    plan = {
        "start": (Perform("a", Task("a")), After("off", 0.5 * stage.u)),
        "timer off": (Stop("a"), Send("bob", Note("x"))),
    }
    stage.seat("ada", plan)
    stage.seat("bob", {})
    stage.runtime.kill(ROOM, "ada", 2, 2, stage.u)
    stage.run(8)
    when = stage.at("ada", "performed a stopped")
    demand(when < 4.0, f"stopped work was reported at {when:g}, as if it had been done")


@promise("recovery", "crash")
def outcomes_wait_for_a_restart(make: Make) -> None:
    """A child's outcome that comes while the machine is down is told after the restart."""
    stage = Stage(make)
    stage.seat("ada", {"start": (OpenChild(PuppetRules(), stage.u),)})
    stage.crash("ada", at=0.5, down=2.0)
    stage.run(6)
    stage.expect("ada", "start", f"outcome {ROOM}/ada/1 overdue")


@promise("recovery", "kill")
def overdue_is_final(make: Make) -> None:
    """A conversation that was overdue while its opener was down is over: a restart does not revive it."""
    stage = Stage(make)
    rules = PuppetRules({
        "start": (After("go", 0.5 * stage.u), After("then", stage.u)),
        "timer go": (Send("bob", Note("x")), MakeAward(Award("lot", "bob", 4.0))),
        "timer then": (Send("bob", Note("still here")),),
    })  # fmt: skip
    stage.agent("ada")
    stage.agent("bob", money=10.0)
    stage.open(rules, "ada", ["bob"], items=[Lot("lot")], finish_by=2.0)
    stage.runtime.kill("ada/1", "ada", 2, 2, 2 * stage.u)
    stage.run(8)
    demand(stage.runtime.outcomes == {"ada/1": "overdue"}, f"it ended as {stage.runtime.outcomes}")
    demand(stage.runtime.awards == [], "an award was made after the end of its conversation")


# ------------------------------------------------------------------------------ a small market, killed everywhere

AWARD = Award("job", "bob", 4.0)


NOWHERE = Point("ada/1", "ada", 10**6, 0)


def _market(make: Make, point: Point = NOWHERE, effect: int = 1) -> Stage:
    """Ada announces a job, bob offers, is awarded it, sub-contracts a part, works, reports and is paid."""
    stage = Stage(make, lifetime=3.0)
    u = stage.u
    child = PuppetRules({"start": (After("end", 0.2 * u),), "timer end": DONE})
    opening = {
        "start": (Send("bob", Note("call")), After("give up", 9 * u)),
        "first heard offer": (MakeAward(AWARD), Send("bob", Note("accept"))),
        "first heard result": (Settle("job", 3.0), *DONE),
        "timer give up": (Finish(Outcome("failed")),),
    }
    joining = {
        "first heard call": (Ask("q", 2 * u),),
        "decided q 2": (Send("ada", Note("offer")),),
        "first heard accept": (Perform("job", Task("job")), OpenChild(child, 4 * u)),
        "outcome": (Tell("aside", Note("part done")), After("report", 2 * u)),
        "timer report": (Send("ada", Note("result")), *DONE),
    }
    stage.agent("ada", money=10.0)
    stage.agent("bob", Mind(q=Offer(2.0)), money=10.0, costs=Takes(0.3 * u))
    stage.open(PuppetRules(opening, joining), "ada", ["bob"], items=[Task("job")], finish_by=12.0)
    stage.runtime.kill(point.conversation, point.agent, point.input, effect, u)
    stage.run(20)
    return stage


def _complaint(stage: Stage) -> str | None:
    runtime = stage.runtime
    outcome = runtime.outcomes.get("ada/1")
    balances = {name: amount for name, amount in runtime.ledger.balances().items() if amount}
    if outcome not in ("done", "failed"):
        return f"the conversation ended as {outcome}"
    if runtime.awards != [("ada/1", "job")] and (outcome == "done" or runtime.awards):
        return f"the awards were {runtime.awards}"
    if balances != ({"ada": 7.0, "bob": 13.0} if outcome == "done" else {"ada": 10.0, "bob": 10.0}):
        return f"it ended as {outcome}, and the money lies with {balances}"
    if runtime.unfinished():
        return f"these roles never ended: {runtime.unfinished()}"
    return None


@promise("recovery", "kill")
def award_once_after_crash_anywhere(make: Make) -> None:
    """Killed between any two effects, a market has one outcome, awards nothing twice and conserves money."""
    undisturbed = _market(make)
    demand(
        undisturbed.runtime.outcomes == {"ada/1": "done"},
        f"undisturbed, it ended as {undisturbed.runtime.outcomes}",
    )
    points = undisturbed.runtime.points()
    demand(len(points) >= 10, f"this shows nothing: only {len(points)} inputs were counted")
    for point in points:
        for effect in range(1, point.effects + 2):
            complaint = _complaint(_market(make, point, effect))
            if complaint is not None:
                raise ContractError(
                    f"{point.agent} was killed before effect {effect} of input {point.input}: {complaint}"
                )


@promise("recovery")
def replayed_roles_do_not_persist(make: Make) -> None:
    """A role that replays persists nothing: no role has two owners of its durability."""
    stage = Stage(make)
    stage.seat("ada", {"start": (Persist(Note("r")),)})
    stage.run(1)
    stage.expect("ada", "start", "refused Persist")
