"""Promise 1: one call at a time, and none from inside a verb."""

from walras.allocation import Outcome
from walras.effects import Finish, Perform, Send, SetTimer, Tell
from walras.items import Task
from walras.testing.errors import demand
from walras.testing.puppets import Ask, CancelLatest, Mind, Note, Offer, OpenChild, PuppetRules
from walras.testing.runtime import ROOM, Make, Stage, promise

OTHER = "test/2"


@promise(1)
def one_call_at_a_time(make: Make) -> None:
    """No handler is entered from inside a verb, nor while another handler of the agent runs.

    A handler calls every verb that comes back at once; none may come back before it has ended.
    """
    stage = Stage(make)
    stage.agent("ada", Mind(now=Offer(1.0)), costs={"job": 0.0})
    child = PuppetRules({"start": (Finish(Outcome("done")),)})
    stage.seat("ada", {
        "start": (
            Send("ada", Note("self")), Tell(OTHER, Note("aside")), Tell(ROOM, Note("to myself")), Ask("now", 10 * stage.u),
            SetTimer("due", 0.0), Perform("job", Task("job")), OpenChild(child, 10 * stage.u), CancelLatest(),
        )
    })  # fmt: skip
    stage.seat("ada", {}, OTHER)
    stage.run(3)
    heard = stage.log("ada") + stage.log("ada", OTHER)
    nested = stage.puppet("ada").nested + stage.puppet("ada", OTHER).nested
    demand(not nested, f"entered from inside a verb of another handler: {nested}")
    expected = {
        "heard self", "told aside", "told to myself", "decided q 1", "timer due", "performed job done",
        f"outcome {ROOM}/ada/1 done",
    }  # fmt: skip
    demand(expected <= set(heard), f"never heard {sorted(expected - set(heard))}")
