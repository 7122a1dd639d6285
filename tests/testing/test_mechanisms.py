"""`check_mechanism` lets a good mechanism pass, and says of a bad one what went wrong, in which weather and seed."""

from typing import Any

import pytest

from tests.sketches.clock_auction import LOTS, Clock
from tests.sketches.contract_net import Bid, Boss, Costs, Net
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.errors import ScenarioError
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.protocol import Protocol, on
from walras.tally import Tally
from walras.testing import ContractError, check_mechanism

JOB = Task("job", kind="build", requires=("hammer",))
BOSS = Agent("boss", money=50.0)
HANDS = [Agent(f"hand{k}", costs=Costs(build=4.0 + k), capabilities=("hammer",), money=5.0) for k in range(3)]


def check(mechanism: Mechanism, agents: Any = (BOSS, *HANDS), items: Any = (JOB,), **settings: Any) -> Any:
    return check_mechanism(
        mechanism, agents, items, **{"seeds": range(2), "within_s": 12.0, "kills": 16, **settings}
    )


def test_a_good_mechanism_passes_and_its_endings_are_counted() -> None:
    report = check(Net())
    assert report.endings["calm"] == {"done": 2}
    assert (
        report.endings["silent minds"]
        == report.endings["raising minds"]
        == report.endings["nonsense"]
        == {"unassigned": 2}
    )
    assert report.runs == 9 * 2 + 16
    assert "everything lost" in str(report) and "34 runs" in str(report)


def test_an_auction_passes_too() -> None:
    bidders = [
        Agent(f"b{k}", values={"lot1": 5.0 + k, "lot2": 9.0 - k, "lot3": 4.0}, money=12.0) for k in range(3)
    ]
    report = check(Clock(), [Agent("house"), *bidders], LOTS, within_s=40.0)
    assert report.endings["calm"] == {"done": 2}


class Unpicklable(Net, frozen=True):
    rule: Any = None


class Other(Net, frozen=True):
    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        task = items[0]
        assert isinstance(task, Task)
        return self.boss()(self, task, participants, Tally(needed=len(participants)))

    def boss(self) -> type[Boss]:
        return Boss


class PaysTwiceBoss(Boss):
    def on_start(self) -> None:
        for peer in self.peers[:2]:
            self.award(Award(self.task.id, peer, 1.0))
        self.finish(Outcome("done"))


class PaysTwice(Other, frozen=True):
    def boss(self) -> type[Boss]:
        return PaysTwiceBoss


class ClumsyBoss(Boss):
    def close(self) -> None:
        self.settle(self.task.id, 1.0)


class Clumsy(Other, frozen=True):
    def boss(self) -> type[Boss]:
        return ClumsyBoss


class GivesToAnybodyBoss(Boss):
    def on_start(self) -> None:
        self.award(Award(self.task.id, self.peers[-1], 1.0))
        self.settle(self.task.id, 1.0)
        self.finish(Outcome("done"))


class GivesToAnybody(Other, frozen=True):
    def boss(self) -> type[Boss]:
        return GivesToAnybodyBoss


class EagerBoss(Boss):
    """Awards when a bid comes, and again when its double comes."""

    @on(Bid)
    def note(self, sender: str, message: Bid) -> None:
        self.award(Award(self.task.id, sender, message.price))
        self.settle(self.task.id, message.price)
        if len(self.bids.given) == 0:
            self.bids.add(sender, message.price)


class Eager(Other, frozen=True):
    def boss(self) -> type[Boss]:
        return EagerBoss


class Chancy(Net, frozen=True):
    """Its rules remember, so that no run is like the one before."""

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        COUNT.append(1)
        task = Task("job", kind="build", requires=("hammer",), size=float(len(COUNT)))
        return Boss(self, task, participants, Tally(needed=len(participants)))


COUNT: list[int] = []


@pytest.mark.parametrize(
    ("mechanism", "complaint"),
    [
        (Unpicklable(rule=lambda: 0), r"Unpicklable does not pickle .*module-level"),
        (PaysTwice(), r"PaysTwice, calm, seed 0: in boss/1, job was awarded more often than there is of it"),
        (Clumsy(), r"Clumsy, calm, seed 0: LocalProtocolError: nothing lies in escrow at boss/1 job"),
        (Eager(), r"Eager, calm, seed 0: in boss/1, job was awarded more often"),
        (
            GivesToAnybody(),
            r"GivesToAnybody, calm, seed 0: in boss/1, job was awarded to lout, who lacks hammer",
        ),
        (Chancy(), r"Chancy, seed 0: played again, it leaves another trace"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Mechanism) else "",
)
def test_a_bad_mechanism_is_told_what_is_wrong(mechanism: Mechanism, complaint: str) -> None:
    agents = (BOSS, *HANDS, Agent("lout", costs=Costs(build=1.0)))
    with pytest.raises(ContractError, match=complaint):
        check(mechanism, agents)


def test_nobody_and_nothing_are_no_market() -> None:
    with pytest.raises(
        ScenarioError, match=r"agents is .*; expected at least one, in a list: the first one opens"
    ):
        check_mechanism(Chancy(), [], [Task("t")])
    with pytest.raises(ScenarioError, match=r"items is .*; expected at least one, in a list"):
        check_mechanism(Chancy(), [BOSS], Task("t"))  # type: ignore[arg-type]
