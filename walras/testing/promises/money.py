"""Accounts: awards bind at once, money is conserved."""

from walras.allocation import Award, Outcome
from walras.effects import Effect, Finish, MakeAward, Settle
from walras.items import Item, Lot, Task
from walras.testing.errors import demand
from walras.testing.puppets import PuppetRules
from walras.testing.runtime import Make, Stage, promise

DONE = Finish(Outcome("done"))


def _market(make: Make, item: Item, *effects: Effect) -> Stage:
    """Ada opens a conversation on one item and does these effects; bob is the other side. Both begin with 10."""
    stage = Stage(make)
    plan = {"start": effects}
    stage.agent("ada", money=10.0)
    stage.agent("bob", money=10.0, costs={item.id: 0.0})
    stage.open(PuppetRules(plan), "ada", ["bob"], items=[item], finish_by=2.0)
    stage.run(6)
    return stage


def _expect(stage: Stage, ada: float, bob: float) -> None:
    found = {name: amount for name, amount in stage.runtime.ledger.balances().items() if amount}
    demand(found == {"ada": ada, "bob": bob}, f"expected ada to have {ada:g} and bob {bob:g}, found {found}")


@promise("accounts")
def lot_is_paid_at_its_award(make: Make) -> None:
    """A lot is paid at its award, by the winner."""
    _expect(_market(make, Lot("lot"), MakeAward(Award("lot", "bob", 4.0))), ada=14.0, bob=6.0)


@promise("accounts")
def settlement_pays_what_is_settled(make: Make) -> None:
    """The winner of a task is paid what is settled, the rest goes back."""
    _expect(
        _market(make, Task("job"), MakeAward(Award("job", "bob", 5.0)), Settle("job", 2.0), DONE),
        ada=8.0,
        bob=12.0,
    )


@promise("accounts")
def task_price_lies_in_escrow(make: Make) -> None:
    """A task's price lies in escrow until it is settled."""
    stage = Stage(make)
    stage.agent("ada", money=10.0)
    stage.agent("bob", money=10.0)
    stage.open(
        PuppetRules({"start": (MakeAward(Award("job", "bob", 4.0)),)}),
        "ada",
        ["bob"],
        items=[Task("job")],
        finish_by=9.0,
    )
    stage.run(3)
    found = [stage.runtime.ledger.account(name).balance for name in ("ada", "bob")]
    demand(found == [6.0, 10.0], f"between award and settlement ada has {found[0]:g} of 10, bob {found[1]:g}")


@promise("accounts")
def unsettled_money_goes_back(make: Make) -> None:
    """What is not settled when the conversation ends goes back, bonds too."""
    _expect(
        _market(make, Task("job"), MakeAward(Award("job", "bob", 4.0, bond=1.0)), DONE), ada=10.0, bob=10.0
    )


@promise("accounts")
def money_is_conserved(make: Make) -> None:
    """Every transfer is posted twice with the same number: money is conserved, exactly."""
    stage = _market(
        make, Task("job"), MakeAward(Award("job", "bob", 0.7, bond=0.1)), Settle("job", 0.3, None, 0.1), DONE
    )
    demand(stage.runtime.ledger.conserved(), "the postings do not explain the balances")
    demand(len(stage.runtime.ledger.postings) >= 4, "this shows nothing: too little was posted")


@promise("accounts")
def only_what_is_on_offer_is_awarded(make: Make) -> None:
    """An award takes place only of what is on offer."""
    stage = _market(make, Lot("lot"), MakeAward(Award("other", "bob", 4.0)), DONE)
    demand(stage.runtime.awards == [], f"something that was not on offer was awarded: {stage.runtime.awards}")
