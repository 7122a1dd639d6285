"""A script gives a role what a runtime would give it, and refuses what none would."""

import pytest

from tests.testing.roles import Choice, Good, Ping
from walras.allocation import Award, Outcome, Report
from walras.effects import Decide, Finish, MakeAward, Open, Perform, Persist, Send, SetTimer
from walras.errors import LocalProtocolError
from walras.items import Task
from walras.mechanism import Mechanism
from walras.protocol import Protocol, on, told
from walras.testing import ContractError, Script


class Rules(Mechanism, frozen=True):
    protocol = "x-test"


class Busy(Protocol):
    """Does whatever a message names."""

    log: tuple[str, ...] = ()

    @on(Ping)
    def act(self, sender: str, message: Ping) -> None:
        match message.n:
            case 1:
                self.perform("job", Task("job"))
            case 2:
                self.open(Rules(), [], [], self.now + 5.0)
            case 3:
                self.cancel("test/1/me/9")
            case 4:
                self.finish(Outcome("done"))
            case 5:
                self.set_timer("x", float("nan"))
            case 6:
                self.send("ann", "hello")  # type: ignore[arg-type]

    @told(Ping)
    def hear_aside(self, conversation: str, message: Ping) -> None:
        self.log += (f"told by {conversation}",)

    def on_timer(self, name: str) -> None:
        self.log += (f"{name} at {self.now:g}",)

    def on_performed(self, key: str, report: Report) -> None:
        self.log += (f"{key} {report.status}",)

    def on_outcome(self, conversation: str, outcome: Outcome) -> None:
        self.log += (f"{conversation} {outcome.status}",)


class Diary(Protocol):
    """Recovers from records."""

    recovery = "records"
    pages: tuple[int, ...] = ()

    @on(Ping)
    def write(self, sender: str, message: Ping) -> None:
        self.pages += (message.n,)
        if message.n % 2:
            self.persist(message)
        else:
            self.checkpoint(message)

    def on_recover(self, records: tuple[Ping, ...]) -> None:
        self.pages = tuple(record.n for record in records)
        self.send("ann", Ping(self.incarnation))


@pytest.fixture
def busy() -> Script:
    script = Script(Busy(), finish_by=50.0)
    script.start()
    return script


def test_every_input_returns_its_effects_in_order() -> None:
    script = Script(Good(), "me", "room/1")
    question = Choice(decide_by=1.0)
    assert script.start() == [SetTimer("end", 5.0), Decide("q", question)]
    assert script.hear("ann", Ping(1)) == [Send("ann", Ping(1))]
    assert script.decided("q", 3) == [MakeAward(Award("lot", "ann", 3.0))]
    assert script.at(4.0) == []
    assert script.at(6.0) == [Finish(Outcome("done"))]
    assert script.finished == Outcome("done")
    assert len(script.effects) == 5
    assert script.state()["seen"] == {1: "ann"}


def test_timers_fire_in_the_order_of_their_times_and_set_the_clock() -> None:
    script = Script(Busy())
    script.timers.update(late=3.0, early=1.0, never=99.0)
    script.at(5.0)
    assert script.state()["log"] == ("early at 1", "late at 3")
    assert script.now == 5.0
    assert script.timer("never") == []
    assert script.now == 99.0


def test_work_and_children_are_awaited(busy: Script) -> None:
    assert [type(effect) for effect in busy.hear("ann", Ping(1)) + busy.hear("ann", Ping(2))] == [
        Perform,
        Open,
    ]
    with pytest.raises(ContractError, match=r"Busy\.on_message, input 4: Finish.*job, test/1/me/1 go on"):
        busy.hear("ann", Ping(4))


def test_reports_and_outcomes_come_once(busy: Script) -> None:
    busy.hear("ann", Ping(1))
    busy.hear("ann", Ping(2))
    busy.performed("job", Report("done"))
    busy.outcome("test/1/me/1", Outcome("failed"))
    assert busy.state()["log"] == ("job done", "test/1/me/1 failed")
    with pytest.raises(LocalProtocolError, match="no work 'job' is going on"):
        busy.performed("job", Report("done"))
    with pytest.raises(LocalProtocolError, match="has not opened"):
        busy.outcome("test/1/me/1", Outcome("done"))


def test_asides_and_cancellations_reach_a_role_that_is_alive(busy: Script) -> None:
    busy.told("other/1", Ping(7))
    assert busy.state()["log"] == ("told by other/1",)
    assert busy.cancel() == [Finish(Outcome("cancelled"))]
    for late in (busy.cancel, lambda: busy.told("other/1", Ping(8))):
        with pytest.raises(LocalProtocolError, match="after its finish"):
            late()


@pytest.mark.parametrize(
    ("n", "rule"), [(3, "only what it has opened"), (5, "set to a time"), (6, r"a walras\.messages\.Message")]
)
def test_a_role_that_breaks_a_rule_is_blamed(busy: Script, n: int, rule: str) -> None:
    with pytest.raises(ContractError, match=rf"Busy\.on_message, input 2: .*{rule}"):
        busy.hear("ann", Ping(n))


def test_what_no_runtime_would_do_is_refused() -> None:
    script = Script(Good())
    with pytest.raises(LocalProtocolError, match="late only after the finish"):
        script.late("ann", Ping(1))
    script.start()
    for wrong, why in (
        (script.start, "start comes first"),
        (lambda: script.decided("q", "three"), "no legal answer"),
        (lambda: script.timer("x"), "no timer 'x' is set"),
        (lambda: script.at(-1.0), "time does not go back"),
        (script.recover, "recovers by replay"),
    ):
        with pytest.raises(LocalProtocolError, match=why):
            wrong()


def test_otherwise_is_always_an_answer() -> None:
    script = Script(Good())
    script.start()
    assert script.decided("q", None) == [MakeAward(Award("lot", "ann", 0.0))]


def test_records_are_kept_and_given_back() -> None:
    script = Script(Diary())
    script.start()
    assert script.hear("ann", Ping(1)) == [Persist(Ping(1))]
    script.hear("ann", Ping(2))
    script.hear("ann", Ping(3))
    assert script.recover() == [Send("ann", Ping(1))]
    assert script.state() == {"pages": (2, 3)}
    assert script.recover([]) == [Send("ann", Ping(2))]
    assert script.state() == {"pages": ()}


def test_a_fork_goes_its_own_way() -> None:
    script = Script(Good(), seed=4)
    script.start()
    twin = script.fork()
    twin.hear("ann", Ping(5))
    twin.decided("q", 1)
    assert script.state()["seen"] == {} and "q" in script.questions
    script.decided("q", 1)
    assert script.state()["drawn"] == twin.state()["drawn"] != 0.0


def test_a_message_after_the_finish_is_late() -> None:
    script = Script(Good())
    script.start()
    script.timer("end")
    (ignored,) = script.hear("ann", Ping(1))
    assert ignored == script.late("ann", Ping(1))[0]
