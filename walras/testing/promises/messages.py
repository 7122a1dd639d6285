"""Promise 5: messages between agents; names, quotations, old ones, and those that come after the end."""

from walras.allocation import Outcome
from walras.effects import Broadcast, Finish, Send
from walras.testing.errors import demand
from walras.testing.puppets import After, Note, PuppetRules, Testify
from walras.testing.runtime import Make, Stage, promise

END = (Finish(Outcome("done")),)


@promise(5)
def true_names(make: Make) -> None:
    """The sender's name is true."""
    stage = Stage(make)
    stage.seat("ada", {})
    stage.seat("bob", {"start": (Send("ada", Note("from bob")),)})
    stage.seat("cyd", {"start": (Broadcast(("ada",), Note("from cyd")),)})
    stage.run(1)
    named = {f"heard from {sender}" for sender in stage.puppet("ada").senders}
    heard = set(stage.log("ada")) - {"start"}
    demand(
        named == heard == {"heard from bob", "heard from cyd"},
        f"heard {sorted(heard)} under the names {sorted(named)}",
    )


@promise(5)
def quoted_signatures_verified(make: Make) -> None:
    """Every signature is verified before delivery, however deep; true ones pass."""
    stage = Stage(make)
    stage.seat("ada", {})
    stage.seat("bob", {
        "start": (
            Testify("ada", "true"), Testify("ada", "true deep", deep=True),
            Testify("ada", "false", by="cyd"), Testify("ada", "false deep", by="cyd", deep=True),
        )
    })  # fmt: skip
    stage.seat("cyd", {})
    stage.run(1)
    heard = {line for line in stage.log("ada") if line.startswith("heard")}
    demand(
        heard == {"heard true", "heard true deep"},
        f"of two true quotations and two false ones ada noted {heard}",
    )


@promise(5)
def signatures_verified_for_late_messages(make: Make) -> None:
    """Signatures are verified for roles that have finished, too."""
    stage = Stage(make)
    stage.seat("ada", {"start": END})
    say = (Testify("ada", "true"), Testify("ada", "false", by="cyd"))
    stage.seat("bob", {"start": (After("say", stage.u),), "timer say": say})
    stage.seat("cyd", {})
    stage.run(3)
    stage.expect("ada", "start", "late true")


@promise(5)
def late_messages_are_heard_in_on_late(make: Make) -> None:
    """A finished role lingers: what comes late it hears in `on_late`, and may still answer."""
    stage = Stage(make, latency=0.1)
    stage.seat("ada", {"start": END, "late hello": (Send("bob", Note("gone")),)})
    stage.seat("bob", {"start": (Send("ada", Note("hello")),)})
    stage.run(2)
    stage.expect("ada", "start", "late hello")
    stage.expect("bob", "start", "heard gone")


@promise(5)
def finished_role_is_never_reborn(make: Make) -> None:
    """A finished role is never reborn."""
    stage = Stage(make)
    rules = PuppetRules(
        opening={
            "start": (Send("bob", Note("come")), After("again", 3 * stage.u), After("end", 4 * stage.u)),
            "timer again": (Send("bob", Note("again")),),
            "timer end": END,
        },
        joining={"heard come": END},
    )
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=6.0)
    stage.run(9)
    joined = [[line for line, _ in role.log] for role in rules.made[1:]]
    demand(len(joined) == 1, f"{len(joined)} roles were made for one agent in one conversation: {joined}")
    demand("late again" in joined[0], f"the finished role did not hear what came late: {joined[0]}")


@promise(5)
def memory_is_given_back(make: Make) -> None:
    """The memory of a conversation is given back, once all have finished and nothing can still arrive."""
    stage = Stage(make, lifetime=1.0)
    rules = PuppetRules(
        opening={"start": (Send("bob", Note("come")), After("end", stage.u)), "timer end": END},
        joining={"heard come": END},
    )
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=2.0)
    stage.run(8)
    left = [room for room in stage.runtime.remembered() if room == "ada/1"]
    demand(not left, "a conversation that has ended still takes memory")


@promise(5, "delay")
def old_messages_are_dropped(make: Make) -> None:
    """A message that is older than its lifetime is dropped on arrival."""
    stage = Stage(make, latency=3.0, lifetime=1.0)
    stage.seat("ada", {})
    stage.seat("bob", {"start": (Send("ada", Note("old")),)})
    stage.run(6)
    stage.expect("ada", "start")


@promise(5)
def one_role_per_agent_and_conversation(make: Make) -> None:
    """One role per agent and conversation, however many messages invite it."""
    stage = Stage(make)
    rules = PuppetRules(
        opening={
            "start": (Send("bob", Note("1")), Send("bob", Note("2")), After("end", stage.u)),
            "timer end": END,
        }
    )
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=2.0)
    stage.run(4)
    logs = [sorted(line for line, _ in role.log) for role in rules.made[1:]]
    demand(logs == [["heard 1", "heard 2", "start"]], f"two messages to one newcomer made the roles {logs}")


@promise(5, "double")
def doubles_reach_the_same_role(make: Make) -> None:
    """Doubled messages arrive at the same role."""
    stage = Stage(make, duplication=1.0)
    rules = PuppetRules(
        opening={"start": (Send("bob", Note("come")), After("end", stage.u)), "timer end": END}
    )
    stage.agent("ada")
    stage.agent("bob")
    stage.open(rules, "ada", ["bob"], finish_by=2.0)
    stage.run(4)
    logs = [[line for line, _ in role.log] for role in rules.made[1:]]
    demand(logs == [["start", "heard come", "heard come"]], f"a doubled message made the roles {logs}")
