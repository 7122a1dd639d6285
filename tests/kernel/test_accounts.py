"""The ledger: what it posts, when, to whom, and that money is conserved to the last bit."""

import math
from fractions import Fraction

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from walras.accounts import Ledger, Posting
from walras.allocation import Award
from walras.errors import LocalProtocolError, ScenarioError

TALK = "router/1"


def ledger(**money: float) -> Ledger:
    return Ledger(money, dict.fromkeys(money, 1), clock=lambda: 7.0)


def shown(book: Ledger) -> list[tuple[str, str, float, str]]:
    return [(p.debit, p.credit, p.amount, p.why) for p in book.postings]


# ------------------------------------------------------------------------------------------------------ awards


def test_a_lot_is_paid_to_who_opened_the_auction_at_its_award() -> None:
    book = ledger(ada=10, bob=5)
    assert book.award("e1", TALK, "ada", Award("lot", "bob", price=3.0), procured=False)
    assert book.postings == [Posting(7.0, "bob", "ada", 3.0, "sale", "router/1 lot", "e1")]
    assert book.balances() == {"ada": 13.0, "bob": 2.0}


def test_in_an_order_book_the_winner_pays_the_seller_and_not_the_announcer() -> None:
    book = ledger(exchange=0, ada=10, bob=5)
    book.award("e1", TALK, "exchange", Award("lot", "bob", price=3.0, seller="ada"), procured=True)
    assert shown(book) == [("bob", "ada", 3.0, "sale")]


def test_a_lot_that_the_opener_wants_is_paid_by_it_at_its_award() -> None:
    """Procured, but a good: the winner has the money at once, and nothing is left to settle."""
    book = ledger(ada=10, bob=5)
    assert book.award("e1", TALK, "ada", Award("lot", "bob", price=3.0), procured=True, at_once=True)
    assert book.postings == [Posting(7.0, "ada", "bob", 3.0, "sale", "router/1 lot", "e1")]
    assert book.balances() == {"ada": 7.0, "bob": 8.0}
    assert book.conserved()
    with pytest.raises(LocalProtocolError, match="nothing lies in escrow at router/1 lot"):
        book.settle("e2", TALK, "lot", paid=3.0)
    with pytest.raises(LocalProtocolError, match=r"bond for router/1 lot is 1\.0; expected 0"):
        book.award("e3", TALK, "ada", Award("lot", "bob", bond=1.0), procured=True, at_once=True)


def test_in_an_order_book_the_buyer_pays_also_where_lots_are_wanted() -> None:
    book = ledger(exchange=0, ada=10, bob=5)
    line = Award("lot", "bob", price=3.0, seller="ada")
    book.award("e1", TALK, "exchange", line, procured=True, at_once=True)
    assert shown(book) == [("bob", "ada", 3.0, "sale")]


def test_the_price_of_work_lies_in_escrow_until_it_is_settled() -> None:
    book = ledger(ada=10, bob=5)
    book.award("e1", TALK, "ada", Award("task", "bob", price=4.0, bond=2.0), procured=True)
    assert book.balances() == {
        "ada": 6.0,
        "bob": 3.0,
        "escrow:router/1 task bob": 4.0,
        "bond:router/1 task bob": 2.0,
    }
    assert book.settle("e2", TALK, "task", paid=3.0, penalty=0.5)
    assert shown(book) == [
        ("ada", "escrow:router/1 task bob", 4.0, "escrow"),
        ("bob", "bond:router/1 task bob", 2.0, "bond"),
        ("escrow:router/1 task bob", "bob", 3.0, "payment"),
        ("escrow:router/1 task bob", "ada", 1.0, "refund"),
        ("bond:router/1 task bob", "ada", 0.5, "penalty"),
        ("bond:router/1 task bob", "bob", 1.5, "bond returned"),
    ]
    assert book.balances() == {"ada": 7.5, "bob": 7.5}


def test_totals_leave_out_what_came_back() -> None:
    book = ledger(ada=10, bob=5)
    book.award("e1", TALK, "ada", Award("task", "bob", price=4.0, bond=2.0), procured=True)
    book.settle("e2", TALK, "task", paid=3.0, penalty=0.5)
    assert (float(book.account("ada").paid), float(book.account("ada").received)) == (3.0, 0.5)
    assert (float(book.account("bob").paid), float(book.account("bob").received)) == (0.5, 3.0)


def test_an_item_that_nobody_won_moves_nothing() -> None:
    book = ledger(ada=10)
    assert book.award("e1", TALK, "ada", Award("task", None, price=4.0), procured=True)
    assert book.postings == []


def test_what_is_free_moves_no_money_and_can_be_settled() -> None:
    book = ledger(ada=0, bob=0)
    book.award("e1", TALK, "ada", Award("task", "bob"), procured=True)
    assert book.settle("e2", TALK, "task", paid=0.0)
    assert book.postings == []


def test_an_overcommitted_payer_pays_all_the_same_and_is_counted() -> None:
    book = ledger(ada=10, bob=5)
    book.award("e1", TALK, "ada", Award("lot", "bob", price=8.0), procured=False)
    assert (book.overcommitments, book.balances()) == (1, {"ada": 18.0, "bob": -3.0})


def test_to_spend_all_that_one_has_is_no_overcommitment() -> None:
    book = ledger(ada=0, bob=0.3)
    for k, price in enumerate((0.1, 0.3 - 0.1)):
        book.award(f"e{k}", TALK, "ada", Award("lot", "bob", price=price), procured=False)
    assert (book.overcommitments, book.account("bob").balance) == (0, 0.0)
    book.award("e2", TALK, "ada", Award("lot", "bob", price=1e-17), procured=False)
    assert book.overcommitments == 1


def test_unlimited_credit_is_never_overcommitted_and_its_payments_are_still_counted() -> None:
    book = ledger(ada=math.inf, bob=0)
    book.award("e1", TALK, "ada", Award("task", "bob", price=1e300), procured=True)
    assert (book.overcommitments, float(book.account("ada").paid), book.account("ada").balance) == (
        0,
        1e300,
        math.inf,
    )


# ------------------------------------------------------------------------------------------- once, and not again


def test_an_effect_that_is_carried_out_again_posts_nothing() -> None:
    book = ledger(ada=10, bob=5)
    line = Award("task", "bob", price=4.0)
    assert book.award("e1", TALK, "ada", line, procured=True)
    assert not book.award("e1", TALK, "ada", line, procured=True)
    assert book.settle("e2", TALK, "task", paid=4.0)
    assert not book.settle("e2", TALK, "task", paid=4.0)
    book.abandon("e3", TALK)
    book.abandon("e3", TALK)
    assert [p.why for p in book.postings] == ["escrow", "payment"]


def test_a_conversation_that_was_abandoned_is_not_abandoned_again_by_the_same_effect() -> None:
    book = ledger(ada=10, bob=5)
    book.award("e1", TALK, "ada", Award("task", "bob", price=4.0), procured=True)
    book.abandon("e2", TALK)
    book.award("e3", TALK, "ada", Award("task", "bob", price=4.0), procured=True)
    book.abandon("e2", TALK)
    assert book.balances()["escrow:router/1 task bob"] == 4.0


def test_a_refused_effect_leaves_no_mark_and_may_be_corrected() -> None:
    book = ledger(ada=10, bob=5)
    with pytest.raises(LocalProtocolError):
        book.award("e1", TALK, "ada", Award("task", "bob", price=-1.0), procured=True)
    assert book.award("e1", TALK, "ada", Award("task", "bob", price=1.0), procured=True)


def test_an_abandoned_conversation_returns_escrows_to_payers_and_bonds_to_winners() -> None:
    book = ledger(ada=10, bob=5, cyd=5)
    for k, winner in enumerate(("bob", "cyd")):
        book.award(f"e{k}", TALK, "ada", Award("task", winner, price=4.0, bond=1.0), procured=True)
    book.award("other", "router/2", "ada", Award("task", "bob", price=1.0), procured=True)
    book.abandon("end", TALK)
    assert book.balances() == {"ada": 9.0, "bob": 5.0, "cyd": 5.0, "escrow:router/2 task bob": 1.0}


# --------------------------------------------------------------------------------------------- several winners


def test_with_several_winners_one_must_be_named() -> None:
    book = ledger(ada=10, bob=0, cyd=0)
    for k, winner in enumerate(("bob", "cyd")):
        book.award(f"e{k}", TALK, "ada", Award("task", winner, price=4.0), procured=True)
    with pytest.raises(LocalProtocolError, match="won by bob, cyd; expected the name of one"):
        book.settle("s", TALK, "task", paid=4.0)
    book.settle("s", TALK, "task", paid=4.0, winner="cyd")
    book.settle("t", TALK, "task", paid=1.0)  # one is left, who need not be named
    assert book.balances() == {"ada": 5.0, "bob": 1.0, "cyd": 4.0}


def test_several_awards_of_one_item_to_one_winner_are_settled_together() -> None:
    book = ledger(ada=10, bob=0)
    for effect, price in (("e1", 0.1), ("e2", 0.2)):
        book.award(effect, TALK, "ada", Award("task", "bob", price=price), procured=True)
    book.settle("s", TALK, "task", paid=0.1 + 0.2)  # a float that is a little more than lies there
    assert book.balances() == {"ada": 9.7, "bob": 0.1 + 0.2}
    assert book.conserved()


def test_a_rest_that_is_no_float_comes_back_whole_in_two_postings() -> None:
    book = ledger(ada=1, bob=0)
    book.award("e", TALK, "ada", Award("task", "bob", price=0.7), procured=True)
    book.settle("s", TALK, "task", paid=0.1)
    refunds = [Fraction(p.amount) for p in book.postings if p.why == "refund"]
    assert len(refunds) == 2
    assert sum(refunds) == Fraction(0.7) - Fraction(0.1)


# ------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("price", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("procured", [True, False])
def test_a_price_that_is_none_is_named(price: float, procured: bool) -> None:
    with pytest.raises(
        LocalProtocolError, match=rf"price for router/1 x is {price}; expected a finite number"
    ):
        ledger(ada=1, bob=1).award("e", TALK, "ada", Award("x", "bob", price=price), procured)


def test_a_sale_has_no_bond() -> None:
    with pytest.raises(LocalProtocolError, match=r"bond for router/1 x is 1\.0; expected 0"):
        ledger(ada=1, bob=1).award("e", TALK, "ada", Award("x", "bob", bond=1.0), procured=False)


def test_who_has_no_account_is_named() -> None:
    with pytest.raises(LocalProtocolError, match="'eve' has no account"):
        ledger(ada=1).award("e", TALK, "ada", Award("x", "eve"), procured=True)


@pytest.mark.parametrize("winner", [None, "bob"])
def test_nothing_to_settle_is_an_error(winner: str | None) -> None:
    with pytest.raises(LocalProtocolError, match="nothing lies in escrow at router/1 x"):
        ledger(ada=1, bob=1).settle("e", TALK, "x", paid=0.0, winner=winner)


@pytest.mark.parametrize(
    ("paid", "penalty", "message"),
    [
        (4.5, 0.0, "payment for router/1 x is 4.5; expected between 0 and 4.0"),
        (-1.0, 0.0, "payment for router/1 x is -1.0; expected between 0 and 4.0"),
        (math.nan, 0.0, "payment for router/1 x is nan"),
        (4.0, 1.5, "penalty for router/1 x is 1.5; expected between 0 and 1.0"),
    ],
)
def test_a_settlement_out_of_range_names_its_values_and_changes_nothing(
    paid: float, penalty: float, message: str
) -> None:
    book = ledger(ada=10, bob=5)
    book.award("e", TALK, "ada", Award("x", "bob", price=4.0, bond=1.0), procured=True)
    before = list(book.postings)
    with pytest.raises(LocalProtocolError, match=message):
        book.settle("s", TALK, "x", paid=paid, penalty=penalty)
    assert book.postings == before
    assert book.settle("s", TALK, "x", paid=4.0)


@pytest.mark.parametrize(
    ("name", "money", "slots"), [("x", -1, 0), ("x", math.nan, 0), ("x", 0, -1), ("bond:x", 0, 0)]
)
def test_a_bad_account_is_refused(name: str, money: float, slots: int) -> None:
    with pytest.raises(ScenarioError):
        ledger().open_account(name, money, slots)


def test_a_second_account_would_mint_money() -> None:
    book = ledger(ada=1)
    with pytest.raises(LocalProtocolError, match="ada has an account already"):
        book.open_account("ada", 1.0, 1)


def test_conservation_is_a_check_that_can_fail() -> None:
    book = ledger(ada=10, bob=5)
    book.award("e1", TALK, "ada", Award("lot", "bob", price=0.1), procured=False)
    assert book.conserved()
    book.account("ada").received.add(1e-300)
    assert not book.conserved()
    forged = ledger(ada=10, bob=5)
    forged.postings.append(Posting(0.0, "ada", "bob", 1.0, "sale", "x", "e"))
    assert not forged.conserved()


# --------------------------------------------------------------------------------------------------------- laws

AGENTS = ("ada", "bob", "cyd")
AMOUNTS = st.one_of(
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 1e16, 5e-324]), st.floats(0, 1e6), st.integers(0, 50).map(float)
)


class Books(RuleBasedStateMachine):
    """The ledger beside the same accounts in fractions, under any order of operations, each perhaps repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger({"ada": 100.0, "bob": 0.1, "cyd": 3.0}, dict.fromkeys(AGENTS, 1), lambda: 0.0)
        self.money = {"ada": Fraction(100), "bob": Fraction(0.1), "cyd": Fraction(3)}
        self.stakes: dict[tuple[str, str, str], list[Fraction]] = {}
        self.effects = 0

    def effect(self) -> str:
        self.effects += 1
        return f"e{self.effects}"

    @rule(seller=st.sampled_from(AGENTS), buyer=st.sampled_from(AGENTS), price=AMOUNTS)
    def sale(self, seller: str, buyer: str, price: float) -> None:
        effect = self.effect()
        for first in (True, False):
            assert self.ledger.award(effect, "c", seller, Award("lot", buyer, price), False) is first
        self.money[buyer] -= Fraction(price)
        self.money[seller] += Fraction(price)

    @rule(
        talk=st.sampled_from(["c1", "c2"]),
        item=st.sampled_from(["x", "y"]),
        winner=st.sampled_from(AGENTS),
        price=AMOUNTS,
        bond=AMOUNTS,
    )
    def task(self, talk: str, item: str, winner: str, price: float, bond: float) -> None:
        effect = self.effect()
        for first in (True, False):
            assert (
                self.ledger.award(effect, talk, "ada", Award(item, winner, price, bond=bond), True) is first
            )
        stake = self.stakes.setdefault((talk, item, winner), [Fraction(0), Fraction(0)])
        stake[0] += Fraction(price)
        stake[1] += Fraction(bond)
        self.money["ada"] -= Fraction(price)
        self.money[winner] -= Fraction(bond)

    @precondition(lambda self: bool(self.stakes))
    @rule(data=st.data(), share=st.floats(0, 1), forfeit=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float, forfeit: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.stakes)))
        price, bond = self.stakes.pop(key)
        paid, penalty = float(price) * share, float(bond) * forfeit
        effect = self.effect()
        for first in (True, False):
            assert self.ledger.settle(effect, key[0], key[1], paid, key[2], penalty) is first
        paid_out, forfeited = min(Fraction(paid), price), min(Fraction(penalty), bond)
        self.money[key[2]] += paid_out + bond - forfeited
        self.money["ada"] += price - paid_out + forfeited

    @rule(talk=st.sampled_from(["c1", "c2", "never opened"]))
    def abandon(self, talk: str) -> None:
        effect = self.effect()
        for _ in range(2):
            self.ledger.abandon(effect, talk)
        for key in [key for key in self.stakes if key[0] == talk]:
            price, bond = self.stakes.pop(key)
            self.money["ada"] += price
            self.money[key[2]] += bond

    @invariant()
    def money_is_where_the_fractions_say(self) -> None:
        expected = {name: float(amount) for name, amount in self.money.items()}
        for (talk, item, winner), (price, bond) in self.stakes.items():
            if price:
                expected[f"escrow:{talk} {item} {winner}"] = float(price)
            if bond:
                expected[f"bond:{talk} {item} {winner}"] = float(bond)
        assert self.ledger.balances() == expected

    @invariant()
    def money_is_conserved(self) -> None:
        assert self.ledger.conserved()
        assert all(0 < p.amount < math.inf for p in self.ledger.postings)
        in_play = sum(self.money.values()) + sum((a + b for a, b in self.stakes.values()), Fraction(0))
        assert in_play == 103 + Fraction(0.1)


TestBooks = Books.TestCase
TestBooks.settings = settings(stateful_step_count=25)


def test_a_winner_who_stakes_more_than_it_has_is_counted_too() -> None:
    book = ledger(ada=10, bob=1)
    book.award("e1", TALK, "ada", Award("task", "bob", price=1.0, bond=2.0), procured=True)
    assert (book.overcommitments, book.account("bob").balance) == (1, -1.0)


def test_stakes_are_given_back_in_the_order_of_their_awards() -> None:
    book = ledger(ada=10, bob=5)
    for k, item in enumerate(("x", "y")):
        book.award(f"e{k}", TALK, "ada", Award(item, "bob", price=1.0), procured=True)
    book.abandon("end", TALK)
    assert [p.award for p in book.postings if p.why == "refund"] == ["router/1 x", "router/1 y"]
