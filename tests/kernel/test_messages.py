"""Messages cannot change, travel as JSON, and say what they quote."""

import copy
import pickle
from enum import Enum
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import msgspec
import pytest

from walras.messages import Envelope, Fact, Frozen, Message, Signed, can_quote, signatures
from walras.protocol import on

T = TypeVar("T")


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


class Point(Frozen, frozen=True):
    x: float
    label: str | None = None


class Vote(Message, frozen=True):
    round: int
    choice: str


class Everything(Message, frozen=True):
    """One field of every kind that is allowed."""

    points: tuple[Point, ...]
    pair: tuple[int, str]
    side: Side
    kind: Literal["a", "b"] = "a"
    raw: bytes = b""
    short: Annotated[str, msgspec.Meta(max_length=5)] = ""
    maybe: Point | None = None
    version: ClassVar[list[int]] = [1]


class Node(Message, frozen=True):
    """Mentions itself."""

    name: str
    children: tuple["Node", ...] = ()


class Box(Frozen, Generic[T], frozen=True):
    content: T


class Certificate(Message, frozen=True):
    votes: tuple[Signed[Vote], ...]


class Deep(Message, frozen=True):
    """A certificate inside a box, beside one that is perhaps there."""

    box: Box[Certificate]
    other: Certificate | None = None


class Anything(Message, frozen=True):
    inner: Message


class Loop(Message, frozen=True):
    """Mentions itself before what it quotes."""

    next: "Loop | None"
    proof: Signed[Vote] | None = None


EVERYTHING = Everything(
    (Point(1.0), Point(2.0, "b")), (1, "x"), Side.SELL, "b", b"\x00\xff", "abc", Point(3.0)
)
ADA, BOB = Signed("ada", Vote(1, "yes"), b"a"), Signed("bob", Vote(1, "no"), b"b")


def test_a_message_cannot_be_changed() -> None:
    vote = Vote(1, "yes")
    with pytest.raises(AttributeError, match="immutable"):
        vote.round = 2  # type: ignore[misc]


def test_equal_messages_are_one_key() -> None:
    assert {Vote(1, "yes"): "first"}[Vote(1, "yes")] == "first"
    assert len({EVERYTHING, copy.deepcopy(EVERYTHING)}) == 1
    assert len({ADA, Signed("ada", Vote(1, "yes"), b"a"), BOB}) == 2


@pytest.mark.parametrize(
    "hint",
    [
        list[int],
        dict[str, int],
        set[str],
        frozenset[str],
        bytearray,
        object,
        Any,
        tuple,
        tuple[list[int], ...],
        tuple[int, list[int]],
        list[int] | None,
        Annotated[list[int], msgspec.Meta(max_length=1)],
        Signed[list[int]],
        Box[list[int]],
        tuple[Signed[dict[str, int]], ...],
        Box[Signed[list[int]]],
    ],
    ids=str,
)
def test_a_field_that_could_change_is_found_when_the_class_is_made(hint: Any) -> None:
    """Sets are refused too: their order depends on the hash seed."""
    with pytest.raises(TypeError, match=r"Bad\.field is .* which can change after it was sent; use tuples"):
        msgspec.StructMeta("Bad", (Message,), {"__annotations__": {"field": hint}}, frozen=True)


def test_a_message_that_mentions_itself_is_looked_into_all_the_same() -> None:
    with pytest.raises(TypeError, match=r"Bad\.names is list"):

        class Bad(Message, frozen=True):
            parent: "Bad | None"
            names: list[str]


def test_no_role_handles_a_message_that_was_made_changeable() -> None:
    class Bad(Message, frozen=False):  # type: ignore[misc]
        x: int

    with pytest.raises(TypeError, match=r"expected subclasses of walras\.messages\.Message"):
        on(int)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Bad is made with frozen=False"):
        on(Bad)


@pytest.mark.parametrize(
    "message",
    [
        Vote(1, "yes"),
        EVERYTHING,
        Node("a", (Node("b"), Node("c", (Node("d"),)))),
        Certificate((ADA, BOB)),
        Deep(Box(Certificate((ADA,))), Certificate(())),
        Loop(Loop(None, BOB), ADA),
        ADA,
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_survives_json_and_pickle(message: Message) -> None:
    hint: Any = Signed[Vote] if isinstance(message, Signed) else type(message)
    assert msgspec.json.decode(msgspec.json.encode(message), type=hint) == message
    assert pickle.loads(pickle.dumps(message)) == message


def test_the_class_name_travels_so_that_a_vocabulary_can_be_read_back() -> None:
    text = msgspec.json.encode(Vote(1, "yes"))
    assert text == b'{"type":"Vote","round":1,"choice":"yes"}'
    assert msgspec.json.decode(text, type=Vote | Certificate | Node) == Vote(1, "yes")


def test_json_that_is_not_the_message_is_refused_with_a_path() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str` - at `\$\.round`"):
        msgspec.json.decode(b'{"type":"Vote","round":"1","choice":"yes"}', type=Vote)


def test_a_message_has_a_json_schema() -> None:
    schema = msgspec.json.schema(Certificate)
    assert schema["$defs"]["Vote"]["required"] == ["type", "round", "choice"]


@pytest.mark.parametrize("kind", [Certificate, Deep, Anything, Loop, Signed, Envelope])
def test_what_may_carry_a_signature_is_known_from_its_class(kind: Any) -> None:
    assert can_quote(kind)


@pytest.mark.parametrize("kind", [Vote, Everything, Node, Point, int, str])
def test_what_can_carry_none_needs_no_look_inside(kind: Any) -> None:
    assert not can_quote(kind)


def test_a_class_whose_fields_cannot_be_read_is_looked_into() -> None:
    class Later(Message, frozen=True):
        other: "Unknown"  # type: ignore[name-defined]  # noqa: F821

    assert can_quote(Later)


def test_signatures_are_found_however_deep_and_outermost_first() -> None:
    outer: Signed[Certificate] = Signed("cyd", Certificate((ADA, BOB)), b"c")
    assert list(signatures(outer)) == [outer, ADA, BOB]
    assert list(signatures(Deep(Box(Certificate((BOB,))), Certificate((ADA,))))) == [BOB, ADA]
    assert list(signatures(Anything(Anything(Loop(Loop(None, ADA)))))) == [ADA]
    assert list(signatures(EVERYTHING)) == []


def test_a_fact_is_no_message() -> None:
    class Seen(Fact, frozen=True):
        what: str

    assert not issubclass(Seen, Message)
    assert msgspec.json.encode(Seen("x")) == b'{"type":"Seen","what":"x"}'
