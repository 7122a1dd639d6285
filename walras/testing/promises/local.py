"""Promise 6: tells, and messages to oneself, are local."""

from walras.allocation import Outcome
from walras.effects import Broadcast, Effect, Finish, Persist, Send, Tell
from walras.testing.errors import demand
from walras.testing.puppets import After, Note
from walras.testing.runtime import GRACE, ROOM, Make, Stage, promise

OTHER = "test/2"


@promise(6)
def tell_is_local_and_ordered(make: Make) -> None:
    """Tells arrive once and in order, at our own agent's role in that conversation and nowhere else."""
    stage = Stage(make)
    stage.seat("ada", {"start": tuple(Tell(OTHER, Note(str(n))) for n in range(5))})
    stage.seat("ada", {}, OTHER)
    stage.seat("bob", {}, OTHER)
    stage.run(1)
    stage.expect("ada", *(f"told {n}" for n in range(5)), about="told", room=OTHER)
    stage.expect("bob", "start", room=OTHER)


@promise(6, "lose")
def tell_is_never_lost(make: Make) -> None:
    """Tells are not lost where messages are."""
    stage = Stage(make, loss=1.0)
    stage.seat("ada", {"start": (Tell(OTHER, Note("aside")), Send("bob", Note("lost")))})
    stage.seat("ada", {}, OTHER)
    stage.seat("bob", {})
    stage.run(1)
    stage.expect("ada", "told aside", about="told", room=OTHER)
    stage.expect("bob", "start")


@promise(6, "lose")
def self_message_is_never_lost(make: Make) -> None:
    """Messages to oneself arrive in order, and are not lost where messages are."""
    stage = Stage(make, loss=1.0)
    stage.seat(
        "ada",
        {"start": (Send("ada", Note("1")), Broadcast(("bob", "ada"), Note("2")), Send("ada", Note("3")))},
    )
    stage.seat("bob", {})
    stage.run(1)
    stage.expect("ada", "start", "heard 1", "heard 2", "heard 3")


@promise(6, "double")
def self_message_is_never_doubled(make: Make) -> None:
    """Messages to oneself are not doubled where messages are."""
    stage = Stage(make, duplication=1.0)
    stage.seat("ada", {"start": (Send("ada", Note("self")), Send("bob", Note("other")))})
    stage.seat("bob", {})
    stage.run(1)
    stage.expect("ada", "start", "heard self")
    stage.expect("bob", "start", "heard other", "heard other")


def _killed_after(make: Make, effects: tuple[Effect, ...]) -> Stage:
    """Ada's machine is killed in the handler of `go`, after these effects and before its last one."""
    stage = Stage(make)
    stage.seat("ada", {
        "start": (After("go", stage.u),),
        "timer go": (*effects, Send("bob", Note("last"))),
    })  # fmt: skip
    stage.seat("ada", {}, OTHER)
    stage.seat("bob", {})
    stage.runtime.kill(ROOM, "ada", 2, len(effects) + 1, stage.u)
    stage.run(5)
    stage.expect("bob", "start", "heard last")
    return stage


@promise(6, "kill")
def local_messages_survive_a_crash(make: Make) -> None:
    """What was local and under way when the machine stopped is heard after the restart."""
    stage = _killed_after(make, (Tell(OTHER, Note("aside")), Send("ada", Note("self"))))
    demand("heard self" in stage.log("ada"), "a message to oneself was lost in a crash")
    demand("told aside" in stage.log("ada", OTHER), "a tell between roles that replay was lost in a crash")


@promise(6, "kill")
def local_messages_are_not_doubled_by_a_crash(make: Make) -> None:
    """What was local and under way when the machine stopped is not heard twice."""
    stage = _killed_after(
        make, (Tell(OTHER, Note("aside")), Send("ada", Note("self")), Broadcast(("ada",), Note("all")))
    )
    heard = stage.log("ada") + stage.log("ada", OTHER)
    doubled = {line for line in heard if line != "start" and heard.count(line) > 1}
    demand(not doubled, f"heard twice after a crash: {sorted(doubled)}")


@promise(6, "kill")
def tell_to_a_records_role_dies_with_it(make: Make) -> None:
    """A tell to a records role dies with the agent, as its memory does."""
    stage = Stage(make)
    stage.seat("bob", {})
    stage.seat(
        "ada",
        {"start": (After("go", stage.u),), "timer go": (Tell(OTHER, Note("aside")), Send("bob", Note("x")))},
    )
    plan = {"told aside": (Send("bob", Note("told")),), "recovered": (Send("bob", Note("recovered")),)}
    stage.seat("ada", plan, OTHER, records=True)
    stage.seat("bob", {}, OTHER)
    stage.runtime.kill(ROOM, "ada", 2, 2, stage.u)
    stage.run(5)
    # a runtime may lose the whole input, and then has it after the restart
    anew = stage.at("ada", "timer go") > 1 + GRACE
    stage.expect("bob", "start", "heard recovered", *(["heard told"] if anew else []), room=OTHER)


@promise(6, "kill")
def tell_from_a_records_role_dies_with_it(make: Make) -> None:
    """A tell from a records role does not outlive its agent's crash."""
    stage = Stage(make)
    stage.seat("ada", {}, OTHER)
    plan = {
        "start": (After("go", stage.u),),
        "timer go": (Tell(OTHER, Note("aside")), Send("bob", Note("x"))),
    }
    stage.seat("ada", plan, records=True)
    stage.seat("bob", {})
    stage.runtime.kill(ROOM, "ada", 2, 2, stage.u)
    stage.run(5)
    stage.expect("ada", "start", room=OTHER)


@promise(6, "slow disk")
def local_messages_wait_for_writes(make: Make) -> None:
    """Local messages wait for the writes before them, and so tell a role that they are durable."""
    stage = Stage(make, fsync=1.0)
    stage.seat("ada", {"start": (Persist(Note("r")), Tell(OTHER, Note("aside")))}, records=True)
    stage.seat("ada", {"told aside": (Finish(Outcome("done")),)}, OTHER)
    stage.run(3)
    came = stage.at("ada", "told aside", OTHER)
    demand(came >= 1.0, f"a tell came at {came:g}, before the write that precedes it was durable")
