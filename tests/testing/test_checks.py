"""`check_protocol` lets a good role pass, and says of a bad one which rule it broke, at which input."""

import pytest

from tests.testing import roles
from tests.testing.roles import LIFE, Good, Ping
from walras.effects import Finish, MakeAward
from walras.errors import LocalProtocolError, ScenarioError
from walras.protocol import Protocol
from walras.testing import ContractError, check_protocol

FAULTS = {
    roles.HoldsAFunction: r"input 2 .*cannot be copied by pickle, for its thing .*state is data",
    roles.HoldsItsMethod: r"input 2 .*state is data",
    roles.HoldsAStranger: r"input 2 .*not equal to its own pickle: thing",
    roles.ReadsTheClock: r"input 4 .*uses time\.time; a role has self\.now",
    roles.ReadsTheDate: r"uses datetime\.now",
    roles.ThrowsSharedDice: r"uses random\.choice",
    roles.ThrowsItsOwnDice: r"uses an unseeded random\.Random",
    roles.NamesByChance: r"uses .*uuid\.uuid4",
    roles.Prints: r"uses print",
    roles.CountsItself: r"input 0 .*plays differently with the same inputs",
    roles.SendsAList: r"input 1 .*can change: Pair\.both is a list",
    roles.PersistsItsState: r"has changed \[1, 2\] after handing it over",
    roles.AwardsEveryDouble: r"when messages are doubled: .*MakeAward.* more",
    roles.FinishesTwice: r"on_timer, input 5: Finish.*may only send, broadcast, ignore and publish",
    roles.NeverEnds: r"has not finished",
    roles.AwardsLate: r"on_late, input 6: MakeAward.*after its finish",
    roles.LeavesItsWork: r"a role ends after its work and its children: job",
    roles.PersistsThoughReplayed: r"only roles with recovery = 'records' persist",
    roles.Boundless: r"input 1 .*repr of \d+ characters",
}


def test_a_good_role_passes_and_its_effects_are_returned() -> None:
    effects = check_protocol(Good, LIFE)
    assert [type(effect) for effect in effects if isinstance(effect, MakeAward | Finish)] == [
        MakeAward,
        Finish,
    ]


@pytest.mark.parametrize("role", FAULTS, ids=lambda role: role.__name__)
def test_a_bad_role_is_told_what_is_wrong(role: type[Protocol]) -> None:
    life = LIFE[:-1] if role is roles.NeverEnds else LIFE
    with pytest.raises(ContractError, match=rf"(?s){role.__name__}.*{FAULTS[role]}"):
        check_protocol(role, life)


def test_a_role_that_never_ends_may_be_one_on_purpose() -> None:
    check_protocol(roles.NeverEnds, LIFE[:-1], ends=False)


def test_long_lives_are_restored_at_some_of_their_inputs_only() -> None:
    pings = [("hear", "ann", Ping(n)) for n in range(200)]
    effects = check_protocol(Good, [("start",), *pings, ("timer", "end")])
    assert len(effects) == 203


def test_inputs_that_no_runtime_gives_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="no question 'p' is open"):
        check_protocol(Good, [("start",), ("decided", "p", 1)])


def test_what_is_no_factory_or_no_input_is_named() -> None:
    with pytest.raises(ScenarioError, match="expected what makes a fresh role, such as its class"):
        check_protocol(Good(), [("start",)])  # type: ignore[arg-type]
    with pytest.raises(
        ScenarioError, match=r"inputs\[1\] is 'begin'; expected the name of a method of walras"
    ):
        check_protocol(Good, [("start",), ("begin",)])
