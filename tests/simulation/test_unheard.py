"""Messages that no role hears: the trace says where, for whom and why."""

import pytest

from contractnet import ContractNet
from tests.simulation.worlds import Knows
from walras import Agent, Network, ScenarioError, Simulation, Task
from walras.messages import Message
from walras.protocol import Protocol, on, told


class Hello(Message, frozen=True):
    """Something to be said."""


class Deaf(Protocol):
    """Hears nothing, and stays."""


class Speaker(Protocol):
    """Says hello to somebody at the start."""

    to: str

    def on_start(self) -> None:
        self.send(self.to, Hello())


class Teller(Protocol):
    """Tells a conversation of its own agent's."""

    conversation_told: str

    def on_start(self) -> None:
        self.tell(self.conversation_told, Hello())

    @told(Hello)
    def ignore_it(self, conversation: str, message: Hello) -> None:
        """Nobody answers."""


def simulation() -> Simulation:
    world = Simulation(seed=1)
    for name in ("ada", "bob"):
        world.add(Agent(name, costs=Knows(1.0)))
    return world


def unheard(world: Simulation) -> list[tuple[str, str, str]]:
    """Conversation, agent and reason of every message that was ignored."""
    result = world.run(until=5.0, progress=False)
    return [
        (row.conversation, row.agent, row.details["why"]) for row in result.trace if row.kind == "ignored"
    ]


@pytest.mark.parametrize(("to", "why"), [("cyd", "unknown agent"), ("bob", "not seated")])
def test_a_conversation_of_seats_hears_nobody_else(to: str, why: str) -> None:
    world = simulation()
    world.seat("ada", Speaker(to), "talk")
    assert unheard(world) == [("talk", to, why)]


@pytest.mark.parametrize(("to", "why"), [("bob", "over"), ("cyd", "unknown agent")])
def test_a_conversation_that_is_over_or_never_was_has_no_newcomers(to: str, why: str) -> None:
    world = simulation()
    world.seat("ada", Deaf(), "talk")
    assert world.world.admit((0.0, 1, 0, "gone/1", "ada", to, Hello(), 0.0)) is None
    assert unheard(world) == [("gone/1", to, why)]


def test_a_newcomer_is_turned_away_by_the_mechanism() -> None:
    """Nothing but what a manager says makes a contractor of anybody."""
    world = simulation()
    world.open(ContractNet(), [Task("t")], "ada", [], at=0.0, finish_by=4.0)
    world.run(until=0.0001, progress=False)
    now = world.now
    assert world.world.admit((now, 1, 0, "ada/1", "ada", "bob", Hello(), now)) is None
    assert ("ada/1", "bob", "turned away") in unheard(world)


def test_what_is_told_to_an_empty_seat_is_noted_where_it_was_told() -> None:
    world = simulation()
    world.seat("ada", Teller("elsewhere"), "here")
    assert unheard(world) == [("elsewhere", "ada", "nobody to tell")]


class Heard(Protocol):
    """Keeps who has said hello."""

    by: tuple[str, ...] = ()

    @on(Hello)
    def note(self, sender: str, message: Hello) -> None:
        self.by += (sender,)


def test_a_sender_s_name_is_true_unless_the_network_allows_forging() -> None:
    """Where it does, the one that is named in a message need not have sent it."""
    for forging in (True, False):
        world = Simulation(network=Network(forging=forging), check=True)
        for name in ("ada", "bob"):
            world.add(Agent(name))
        world.seat("bob", Heard(), "talk")
        inject = world.world.inject  # type: ignore[attr-defined]  # of a `GuardedWorld`
        if forging:
            inject("talk", "ada", "bob", Hello())
            world.run(until=1.0)
            assert world.role("talk", "bob") == Heard(("ada",))
        else:
            with pytest.raises(
                ScenarioError, match="forging is False; expected True in this world's network"
            ):
                inject("talk", "ada", "bob", Hello())
