"""What crosses a line is read back as it was, and nothing else is ever made of what strangers send."""

from math import inf, nan
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import Command, Configuration, Entry, Snapshot
from contractnet import ContractNet
from contractnet.messages import CallForProposals, Failure, Inform, Propose, Refuse, RejectProposal
from walras.allocation import Report
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Task
from walras.live.runtime import Runtime
from walras.live.vocabulary import Vocabulary, plain
from walras.messages import Frozen, Message, Signed


class Put(Command, frozen=True):
    key: str
    value: int | None = None


class Quoting(Message, frozen=True):
    one: Signed[Propose]
    any_: Signed  # type: ignore[type-arg]
    raw: bytes = b""
    pair: tuple[int, str] = (0, "")


CONTRACT_NET = Vocabulary(ContractNet.messages)
RAFT = Vocabulary((RaftMessage, Put))

names = st.text(min_size=1, max_size=9)
numbers = st.floats(min_value=0, max_value=1e300) | st.integers(min_value=0, max_value=10**15)
reports = st.builds(Report, st.sampled_from(["done", "failed"]), cost=numbers, result=st.text(max_size=20))
said = st.one_of(
    st.builds(
        CallForProposals,
        st.builds(Task, names, requires=st.lists(names, max_size=3).map(tuple)),
        numbers,
    ),
    st.builds(Propose, numbers, numbers, st.floats(0, 1), st.just(inf) | numbers),
    st.builds(Refuse, st.sampled_from(["late", "lost", "expired"]), st.text(max_size=20)),
    st.builds(RejectProposal),
    st.builds(Inform, st.sampled_from(["done", "result"]), st.none() | reports),
    st.builds(Failure, report=reports),
)
commands = st.text(max_size=9) | st.builds(Put, st.text(max_size=9), st.none() | st.integers(-(2**53), 2**53))
entries = st.builds(Entry, st.integers(0, 99), st.integers(0, 99), commands)
raft = st.builds(
    RaftMessage,
    st.sampled_from(Kind),
    entries=st.lists(entries, max_size=4).map(tuple),
    snapshot=st.none() | st.builds(Snapshot, data=commands, configuration=st.just(Configuration((1, 2)))),
)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "task", "price", "kind", "$float"]), inside)
    ),
    max_leaves=12,
)


def there_and_back(vocabulary: Vocabulary, message: Message) -> Any:
    return vocabulary.read(msgspec.json.decode(msgspec.json.encode(plain(message))), Message)


@given(said)
def test_contract_nets_messages_come_back_as_they_were(message: Message) -> None:
    back = there_and_back(CONTRACT_NET, message)
    assert back == message
    assert msgspec.msgpack.encode(back) == msgspec.msgpack.encode(message), "a signature would not hold"


@given(raft)
def test_raft_messages_with_any_command_come_back_as_they_were(message: Message) -> None:
    assert there_and_back(RAFT, message) == message


@given(json_data)
def test_what_is_no_message_is_refused_and_nothing_else_happens(data: Any) -> None:
    try:
        found = CONTRACT_NET.read(data, Message)
    except RemoteProtocolError:
        return
    assert type(found) in ContractNet.messages


@given(said, json_data, st.sampled_from(["price", "task", "report", "kind", "reason", "eta_s"]))
def test_a_field_that_is_wrong_never_gets_in(message: Message, data: Any, field: str) -> None:
    changed = {**plain(message), field: data}
    try:
        found = CONTRACT_NET.read(changed, Message)
    except RemoteProtocolError:
        return
    assert there_and_back(CONTRACT_NET, found) == found
    msgspec.convert(msgspec.to_builtins(found), type(found))  # every field is of its type


def test_quotes_keep_their_signatures() -> None:
    runtime = Runtime(guard=None)  # type: ignore[arg-type]  # nobody is asked
    offers = [Propose(3), Propose(2.5, valid_until=float("inf")), Propose(1.0, eta_s=0.0)]
    for offer in offers:
        quote = Signed("ada", offer, runtime.proof("ada", offer))
        message = Quoting(quote, quote, raw=b"\x00\xff", pair=(1, "x"))
        back = there_and_back(Vocabulary((Quoting,)), message)
        assert back == message and runtime.verified(back)
        forged = {**plain(message), "one": {**plain(quote), "by": "bob"}}
        assert not runtime.verified(Vocabulary((Quoting,)).read(forged, Message))


def test_numbers_that_are_none_keep_what_they_are() -> None:
    class Odd(Message, frozen=True):
        number: float

    odd = Vocabulary((Odd,))
    assert there_and_back(odd, Odd(-inf)).number == -inf
    assert str(there_and_back(odd, Odd(nan)).number) == "nan"
    wrong: list[Any] = [{"$float": "12"}, {"$float": []}, {"$bytes": "AA=="}, True, "1", None, 10**400]
    for data in wrong:
        with pytest.raises(RemoteProtocolError):
            odd.read({"type": "Odd", "number": data}, Message)


def test_deep_data_is_refused() -> None:
    data: Any = {"type": "Task", "id": "t"}
    for _ in range(5000):
        data = {"type": "Task", "id": "t", "parts": [data]}
    with pytest.raises(RemoteProtocolError, match="deep"):
        CONTRACT_NET.read({"type": "CallForProposals", "task": data, "reply_by": 1.0}, Message)


def test_two_classes_of_one_name_cannot_be_told_apart() -> None:
    class Task(Frozen, frozen=True):
        id: str

    with pytest.raises(ScenarioError, match="a name of its own"):
        Vocabulary((Task,))


def test_what_has_no_json_form_is_not_sent() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain((1, object()))
