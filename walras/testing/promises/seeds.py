"""Promise 9 and randomness: a run is determined by its seed, and streams belong to who draws."""

from walras.effects import Perform, Send
from walras.items import Task
from walras.testing.errors import demand
from walras.testing.promises.work import Takes
from walras.testing.puppets import After, Ask, Draw, Mind, Note, Offer, OpenChild, PuppetRules
from walras.testing.runtime import Conditions, Make, Stage, promise


def _scene(make: Make, seed: int) -> Stage:
    stage = Stage(make, seed=seed, loss=0.3 if "lose" in make_can(make) else 0.0)
    u = stage.u
    stage.agent("ada", Mind(q=Offer(1.0)), costs=Takes(0.3 * u))
    plan = {
        "start": (
            Draw("bob"),
            Send("bob", Note("hello")),
            Ask("q", u),
            Perform("job", Task("job")),
            After("t", u),
        ),
        "timer t": (Draw("bob"), OpenChild(PuppetRules(), u)),
    }
    stage.seat("ada", plan)
    stage.seat("bob", {"heard hello": (Draw("ada"),)})
    stage.run(4)
    return stage


def make_can(make: Make) -> frozenset[str]:
    """What the runtimes that this makes can do."""
    return make(Conditions()).can


@promise(9, "digest")
def same_seed_same_digest(make: Make) -> None:
    """The same seed gives the same trace digest."""
    digests = [_scene(make, 7).runtime.digest for _ in range(3)]
    demand(len(set(digests)) == 1, f"one seed gave the digests {[digest[:8] for digest in digests]}")


@promise(9, "digest")
def other_seed_other_digest(make: Make) -> None:
    """Different seeds give different runs."""
    digests = {_scene(make, seed).runtime.digest for seed in range(4)}
    demand(len(digests) == 4, f"four seeds gave only {len(digests)} different runs")


def _draws(make: Make, who: tuple[str, ...], seed: int = 3) -> dict[str, list[str]]:
    stage = Stage(make, seed=seed)
    for agent in ("ada", "bob"):
        plan = {"start": (Draw(agent), Draw(agent))} if agent in who else {}
        stage.seat(agent, plan)
    stage.run(1)
    return {agent: [line for line in stage.log(agent) if line.startswith("drew")] for agent in who}


@promise(9)
def streams_are_the_roles_own(make: Make) -> None:
    """A role's random stream is its own: what others draw changes nothing."""
    both, alone = _draws(make, ("ada", "bob")), _draws(make, ("bob",))
    demand(both["bob"] == alone["bob"], "what one role drew depended on another role's draws")
    demand(len({*both["ada"], *both["bob"]}) == 4, f"two roles drew the same numbers: {both}")


@promise(9)
def streams_depend_on_the_seed(make: Make) -> None:
    """A role's random stream depends on the seed."""
    first, second = (_draws(make, ("ada",), seed)["ada"] for seed in (1, 2))
    demand(first != second, f"two seeds gave the same draws: {first}")
