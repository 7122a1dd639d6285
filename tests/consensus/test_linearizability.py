"""The checker against all permutations on small histories, the shared histories, users' models, and bad input."""

import json
from collections.abc import Hashable, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from consensus.linearizability import (
    AWARD_LOG,
    IMPOSSIBLE,
    KEY_VALUE,
    REGISTER,
    Event,
    HistoryError,
    Model,
    Operation,
    Recorder,
    check,
    find_model,
    operations_of,
    parse_history,
    read_history,
    to_json_lines,
)
from consensus.linearizability.__main__ import main
from consensus.linearizability.events import Completion
from walras.errors import ScenarioError

VALUES = st.integers(0, 2)
REGISTER_CALLS = st.one_of(
    st.tuples(st.just("read"), st.none()),
    st.tuples(st.just("write"), VALUES),
    st.tuples(st.just("cas"), st.tuples(VALUES, VALUES)),
)
KEY_VALUE_CALLS = st.one_of(
    st.tuples(st.just("get"), st.none()),
    st.tuples(st.sampled_from(["put", "append"]), st.sampled_from(["a", "b"])),
)
AWARD_CALLS = st.one_of(
    st.tuples(st.just("read"), st.none()), st.tuples(st.just("award"), st.sampled_from("ab"))
)
ENDS: list[Completion] = ["ok", "ok", "ok", "fail", "info"]
RESULTS = {
    "read": st.one_of(st.none(), VALUES),
    "get": st.sampled_from(["", "a", "b", "ab", "ba", "aab"]),
}


@st.composite
def histories(draw: st.DrawFn, calls: st.SearchStrategy[tuple[str, Any]], size: int = 5) -> list[Operation]:
    """Random overlapping operations: mostly wrong where values matter, so that both answers come up."""
    count = draw(st.integers(0, size))
    places = draw(st.permutations(range(1, 2 * count + 1)))
    made = []
    for i in range(count):
        f, argument = draw(calls)
        called, returned = sorted(places[2 * i : 2 * i + 2])
        completion: Completion = draw(st.sampled_from(ENDS))
        result = draw(RESULTS.get(f, st.none())) if completion == "ok" else None
        made.append(
            Operation(i, f, argument, called, None if completion == "info" else returned, completion, result)
        )
    return sorted(made, key=lambda operation: operation.called)


def fits(order: Sequence[Operation], model: Model) -> bool:
    """Whether an order keeps real time and every result is what the model gives."""
    state: Hashable = model.initial
    for place, operation in enumerate(order):
        if any(later.returned is not None and later.returned < operation.called for later in order[place:]):
            return False
        state = model.step(state, operation)
        if state is IMPOSSIBLE:
            return False
    return True


def by_brute_force(history: Sequence[Operation], model: Model) -> bool:
    """Every order of what has returned and of any of what has not."""
    returned = [o for o in history if o.returned is not None]
    pending = [o for o in history if o.returned is None]
    return any(
        fits(order, model)
        for size in range(len(pending) + 1)
        for extra in combinations(pending, size)
        for order in permutations([*returned, *extra])
    )


@pytest.mark.parametrize(
    ("calls", "model"),
    [(REGISTER_CALLS, REGISTER), (KEY_VALUE_CALLS, KEY_VALUE), (AWARD_CALLS, AWARD_LOG)],
    ids=["register", "kv", "award-log"],
)
def test_the_answer_is_that_of_all_permutations(
    calls: st.SearchStrategy[tuple[str, Any]], model: Model
) -> None:
    answers = []

    @given(histories(calls))
    def agree(history: list[Operation]) -> None:
        verdict = check(history, model)
        answers.append(verdict.linearizable)
        assert verdict.linearizable is by_brute_force(history, model)
        if verdict.impasse is not None:
            impasse = verdict.impasse
            assert fits(impasse.order, model)
            before = [cut(o, impasse.until - 1) for o in history if o.called < impasse.until]
            assert by_brute_force(before, model), "what stands before the impasse is linearizable"
            assert not by_brute_force(
                [cut(o, impasse.until) for o in history if o.called < impasse.until], model
            )

    agree()
    assert {True, False} <= set(answers), "both answers came up"


def cut(operation: Operation, last: int) -> Operation:
    """An operation as it stood after this event."""
    if operation.returned is None or operation.returned <= last:
        return operation
    return msgspec.structs.replace(operation, returned=None, completion="info", result=None)


@given(histories(KEY_VALUE_CALLS, size=4), histories(KEY_VALUE_CALLS, size=4))
def test_keys_are_judged_apart(first: list[Operation], second: list[Operation]) -> None:
    apart = [by_brute_force(first, KEY_VALUE), by_brute_force(second, KEY_VALUE)]
    both = [msgspec.structs.replace(o, key="x") for o in first]
    both += [msgspec.structs.replace(o, key="y") for o in second]
    verdict = check(both, KEY_VALUE)
    assert verdict.linearizable is all(apart)
    if verdict.impasse is not None:
        assert not apart["xy".index(str(verdict.impasse.key))]


def ended(f: str, argument: Hashable, completion: Completion, result: Hashable = None) -> Operation:
    return Operation(1, f, argument, 1, None if completion == "info" else 2, completion, result)


@pytest.mark.parametrize(
    ("model", "state", "operation", "afterwards"),
    [
        (REGISTER, 5, ended("read", None, "ok", 5), 5),
        (REGISTER, 5, ended("read", None, "ok", 6), IMPOSSIBLE),
        (REGISTER, None, ended("read", None, "ok"), None),
        (REGISTER, 5, ended("read", None, "fail"), 5),
        (REGISTER, 5, ended("read", None, "info"), 5),
        (REGISTER, 5, ended("write", 6, "ok"), 6),
        (REGISTER, 5, ended("write", 6, "info"), 6),
        (REGISTER, 5, ended("write", 6, "fail"), 5),
        (REGISTER, 5, ended("cas", (5, 6), "ok"), 6),
        (REGISTER, 5, ended("cas", (4, 6), "ok"), IMPOSSIBLE),
        (REGISTER, 5, ended("cas", (5, 6), "fail"), IMPOSSIBLE),
        (REGISTER, 5, ended("cas", (4, 6), "fail"), 5),
        (REGISTER, 5, ended("cas", (5, 6), "info"), 6),
        (REGISTER, 5, ended("cas", (4, 6), "info"), 5),
        (KEY_VALUE, "ab", ended("get", None, "ok", "ab"), "ab"),
        (KEY_VALUE, "ab", ended("get", None, "ok", ""), IMPOSSIBLE),
        (KEY_VALUE, "", ended("get", None, "ok"), ""),
        (KEY_VALUE, "ab", ended("get", None, "ok"), IMPOSSIBLE),
        (KEY_VALUE, "ab", ended("get", None, "info"), "ab"),
        (KEY_VALUE, "ab", ended("put", "c", "ok"), "c"),
        (KEY_VALUE, "ab", ended("append", "c", "ok"), "abc"),
        (KEY_VALUE, "ab", ended("append", "c", "info"), "abc"),
        (KEY_VALUE, "ab", ended("append", "c", "fail"), "ab"),
        (AWARD_LOG, None, ended("award", "ada", "ok"), "ada"),
        (AWARD_LOG, "ada", ended("award", "ada", "ok"), IMPOSSIBLE),
        (AWARD_LOG, "ada", ended("award", "bob", "fail"), "ada"),
        (AWARD_LOG, None, ended("award", "bob", "fail"), IMPOSSIBLE),
        (AWARD_LOG, None, ended("award", "bob", "info"), "bob"),
        (AWARD_LOG, "ada", ended("award", "bob", "info"), "ada"),
        (AWARD_LOG, "ada", ended("read", None, "ok", "ada"), "ada"),
        (AWARD_LOG, "ada", ended("read", None, "ok"), IMPOSSIBLE),
        (AWARD_LOG, "ada", ended("read", None, "info"), "ada"),
    ],
)
def test_what_the_models_say(
    model: Model, state: Hashable, operation: Operation, afterwards: Hashable
) -> None:
    assert model.step(state, operation) == afterwards


# -------------------------------------------------------------------------------------------------- shared histories


def test_all_shared_histories_are_judged_right(shared_data: Path) -> None:
    """52 Jepsen logs of an etcd register and three key-value histories, verdicts from porcupine's own tests."""
    folder = shared_data / "consensus" / "histories"
    expected = json.loads((folder / "verdicts.json").read_text())
    models = {"jepsen": REGISTER, "kv": KEY_VALUE}
    found = {
        kind: {
            name: check(operations_of(read_history(folder / kind / name)), models[kind]).linearizable
            for name in names
        }
        for kind, names in expected.items()
    }
    assert found == expected
    assert len(found["jepsen"]) == 52 and len(found["kv"]) == 3


def test_a_shared_history_with_one_wrong_result_is_found_out(shared_data: Path) -> None:
    """In the history of 50 clients, a late get that shows two of 50 clients' appends in the wrong order."""
    history = operations_of(read_history(shared_data / "consensus" / "histories" / "kv" / "c50-ok.txt"))
    place, late = next(
        (i, o)
        for i, o in reversed(list(enumerate(history)))
        if o.f == "get" and str(o.result).count("yx") > 3
    )
    one, two, *rest = str(late.result).replace("yx", "y|x").split("|")
    history[place] = msgspec.structs.replace(late, result="".join([two, one, *rest]))
    verdict = check(history, KEY_VALUE)
    assert verdict.linearizable is False
    assert verdict.impasse is not None and verdict.impasse.key == late.key


def test_the_command_line_answers_for_machines(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "consensus" / "histories"
    for file, model, linearizable in (
        ("jepsen/etcd_002.log", "register", True),
        ("kv/c01-bad.txt", "kv", False),
    ):
        assert main([str(folder / file), "--model", model, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert set(said) == {"linearizable", "seconds"}
        assert said["linearizable"] is linearizable and said["seconds"] >= 0


# ------------------------------------------------------------------------------------------------ what an answer says


def test_the_failing_part_is_shown() -> None:
    history = Recorder()
    history.invoke("ada", "write", 1, time=0.0)
    history.ok("ada", time=0.1)
    history.invoke("bob", "write", 2, time=0.2)
    history.invoke("ada", "read", time=0.3)
    history.ok("ada", 2, time=0.4)
    history.invoke("cyd", "read", time=0.5)
    history.ok("cyd", 1, time=0.6)
    history.ok("bob", time=0.7)
    history.invoke("bob", "write", 3, time=0.8)
    verdict = check(operations_of(history.events), REGISTER)
    assert str(verdict).splitlines() == [
        "not linearizable",
        "the history before event 7 can be ordered, for example so:",
        "    process ada: write 1, called at 1, returned at 2",
        "    process bob: write 2, called at 3, returned at 8",
        "    process ada: read gave 2, called at 4, returned at 5",
        "which leaves the state 2",
        "but no order explains what returned in event 7:",
        "    process cyd: read gave 1, called at 6, returned at 7",
    ]


def test_what_was_open_and_does_not_help_is_shown_too() -> None:
    history = Recorder()
    history.invoke(1, "cas", [5, 6], key="k")
    history.info(1)
    history.invoke(2, "read", key="k")
    history.ok(2, 6)
    text = str(check(operations_of(history.events), REGISTER))
    assert text.splitlines() == [
        "not linearizable: key 'k'",
        "the history before event 4 can be ordered, for example so:",
        "    (nothing has happened yet)",
        "which leaves the state None",
        "but no order explains what returned in event 4:",
        "    process 2: read gave 6, called at 3, returned at 4",
        "whatever is made of these, which were open too:",
        "    process 1: cas (5, 6), called at 1, end unknown",
    ]


def test_long_histories_and_values_are_shown_in_part() -> None:
    history = Recorder()
    for i in range(40):
        history.invoke(1, "append", f"<{i}>")
        history.ok(1)
    history.invoke(1, "get")
    history.ok(1, "nonsense")
    text = str(check(operations_of(history.events), KEY_VALUE))
    assert "... 28 earlier operations" in text
    assert all(len(line) < 180 for line in text.splitlines())


def test_an_operation_of_unknown_end_may_happen_late_or_never() -> None:
    def reads(*seen: int | None) -> bool | None:
        history = Recorder()
        history.invoke(1, "write", 7)
        history.info(1)
        for value in seen:
            history.invoke(2, "read")
            history.ok(2, value)
        return check(operations_of(history.events), REGISTER).linearizable

    assert reads(None, None) and reads(None, 7, 7) and reads(7)
    assert reads(7, None) is False and reads(None, 7, None) is False


def test_a_call_that_nobody_saw_return_counts_as_unknown() -> None:
    events = parse_history('{"process":1,"type":"invoke","f":"write","value":7}\n')
    assert operations_of(events) == [Operation(1, "write", 7, 1)]
    assert check(operations_of(events), REGISTER).linearizable is True


def test_nothing_is_awarded_twice() -> None:
    """Two managers that both believe in their award; then one that is told that the item is gone."""
    history = Recorder()
    for manager in ("ada", "bob"):
        history.invoke(manager, "award", manager, key="task-1")
    for manager in ("ada", "bob"):
        history.ok(manager)
    assert check(operations_of(history.events), AWARD_LOG).linearizable is False

    history = Recorder()
    for manager in ("ada", "bob"):
        history.invoke(manager, "award", manager, key="task-1")
    history.ok("ada")
    history.fail("bob")
    history.invoke("bob", "read", key="task-1")
    history.ok("bob", "ada")
    assert check(operations_of(history.events), AWARD_LOG).linearizable is True


def test_a_refusal_of_an_item_that_was_never_awarded_is_found_out() -> None:
    history = Recorder()
    history.invoke("ada", "award", "ada", key="task-1")
    history.fail("ada")
    assert check(operations_of(history.events), AWARD_LOG).linearizable is False


def test_a_budget_ends_in_unknown_or_in_a_bad_key() -> None:
    def many_appends(key: str) -> list[Event]:
        history = Recorder()
        for i in range(9):
            history.invoke(f"{key}{i}", "append", str(i), key=key)
        history.invoke(f"{key} reader", "get", key=key)
        for i in range(9):
            history.ok(f"{key}{i}")
        history.ok(f"{key} reader", "impossible")
        return history.events

    hard = many_appends("hard")
    verdict = check(operations_of(hard), KEY_VALUE, budget=1_000)
    assert verdict.linearizable is None and verdict.steps == 1_000
    assert "unknown" in str(verdict)

    bad = [Event(1, "invoke", "get", "bad"), Event(1, "ok", "get", "bad", "impossible")]
    assert check(operations_of(hard + bad), KEY_VALUE, budget=1_000).linearizable is False
    good = [Event(1, "invoke", "get", "good"), Event(1, "ok", "get", "good", "")]
    assert check(operations_of(hard + good), KEY_VALUE, budget=1_000).linearizable is None
    long_and_good = [event for _ in range(20) for event in good]
    verdict = check(operations_of(hard + long_and_good), KEY_VALUE, budget=1_000)
    assert verdict.linearizable is None, "what is known of one key does not make another known"
    long_and_bad = long_and_good + [msgspec.structs.replace(event, key="good") for event in bad]
    verdict = check(operations_of(hard + long_and_bad), KEY_VALUE, budget=1_000)
    assert verdict.linearizable is False, "a hard key leaves its share to those after it"


def test_a_history_of_thousands_of_operations_needs_no_recursion() -> None:
    history = Recorder()
    for i in range(5_000):
        history.invoke(i % 2, "write", i)
        history.ok(i % 2)
    assert check(operations_of(history.events), REGISTER).linearizable is True


# ------------------------------------------------------------------------------------------------------- users' models


def step_queue(state: tuple[Hashable, ...], operation: Operation) -> Hashable:
    if operation.f == "enqueue":
        return (*state, operation.argument)
    if operation.completion == "ok":
        return state[1:] if state and state[0] == operation.result else IMPOSSIBLE
    return state[1:]


QUEUE = Model(initial=(), step=step_queue)


@pytest.mark.parametrize("first", ["x", "y"])
def test_a_users_model_is_a_first_state_and_a_step(first: str) -> None:
    history = Recorder()
    for process, value in ((1, "x"), (2, "y")):
        history.invoke(process, "enqueue", value)
    history.ok(2)
    history.ok(1)
    history.invoke(1, "dequeue")
    history.ok(1, first)
    history.invoke(1, "dequeue")
    history.ok(1, {"x": "y", "y": "x"}[first])
    assert check(operations_of(history.events), QUEUE).linearizable is True
    history.invoke(1, "dequeue")
    history.ok(1, "x")
    assert check(operations_of(history.events), QUEUE).linearizable is False


def test_a_model_over_all_keys_is_given_the_whole_history() -> None:
    """One unit of money, and two items that are each bought: only together is that impossible."""

    def step(money: int, operation: Operation) -> Hashable:
        return money - 1 if money else IMPOSSIBLE

    history = Recorder()
    for item in ("a", "b"):
        history.invoke(item, "buy", key=item)
        history.ok(item)
    assert check(operations_of(history.events), Model(1, step)).linearizable is True
    assert check(operations_of(history.events), Model(1, step, by_key=False)).linearizable is False


def test_a_users_model_is_found_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_models.py").write_text(
        "def step(state, operation):\n    return operation.argument\n\nPAIR = (None, step)\nNO_MODEL = 3\n"
        "from consensus.linearizability import Model\nMODEL = Model(*PAIR, by_key=False)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_model("my_models:MODEL").by_key is False
    assert find_model("my_models:PAIR") == find_model("my_models:MODEL")._replace(by_key=True)
    for wrong in ("quue", "no.such.module:MODEL", "my_models:NOBODY", "my_models:NO_MODEL", ":", "my_models"):
        with pytest.raises(ScenarioError, match="model is"):
            find_model(wrong)


# --------------------------------------------------------------------------------------------------------------- formats

JSON_VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
EVENTS = st.builds(
    Event,
    process=st.integers(0, 3) | st.text(max_size=2),
    type=st.sampled_from(["invoke", "ok", "fail", "info"]),
    f=st.sampled_from(["get", "put"]),
    key=st.none() | st.text(max_size=2) | st.integers(0, 9),
    value=JSON_VALUES,
    time=st.none() | st.floats(0, 9),
)


@given(st.lists(EVENTS, max_size=4))
def test_json_lines_are_read_back_as_they_were_written(events: list[Event]) -> None:
    assert parse_history(to_json_lines(events)) == events


def test_the_three_forms_say_the_same() -> None:
    log = (
        "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.core - elsewhere\n"
        "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n"
        "INFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n"
    )
    edn = """
        {:process 0, :type :invoke, :f :cas, :value [1 2]}
        {:process :nemesis, :type :info, :f :start, :value nil, :index 1}
        {:type :fail, :f :cas, :value [1 2] :process 0}
        {:process 1 :type :invoke :f :read :value nil}

        {:process 1 :type :fail :f :read :value :timed-out}
    """
    lines = to_json_lines(
        [
            Event(0, "invoke", "cas", value=[1, 2]),
            Event(0, "fail", "cas"),
            Event(1, "invoke", "read"),
            Event(1, "fail", "read"),
        ]
    )
    first, second, third = (operations_of(parse_history(text)) for text in (log, edn, lines))
    assert first == second == third
    assert first == [Operation(0, "cas", (1, 2), 1, 2, "fail"), Operation(1, "read", None, 3, 4, "fail")]


def test_an_empty_file_is_an_empty_history() -> None:
    assert check(operations_of(parse_history("\n \n")), REGISTER).linearizable is True


# ------------------------------------------------------------------------------------------------------------- bad input

CALL = '{"process":1,"type":"invoke","f":"read"}\n'
READ = '{"process":1,"type":"ok","f":"read"}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n", "line 1 is neither"),
        (CALL + "hello\n", "line 2 is no event"),
        (CALL + '{"process":1,"type":"done","f":"read"}\n', "line 2 is no event: Invalid enum value 'done'"),
        ('{"process":1,"type":"invoke"}\n', "missing required field `f`"),
        (CALL + CALL, "event 2: process 1 calls read before its last call has returned"),
        (READ, "event 1: process 1 returns from read, which it has not called"),
        (CALL + READ.replace("read", "write"), "another operation than it called"),
        (CALL[:-2] + ',"key":"a"}\n' + READ[:-2] + ',"key":"b"}\n', "another operation than it called"),
        (CALL[:-2] + ',"time":2}\n' + READ[:-2] + ',"time":1}\n', "event 2 is at 1.0 s, before"),
        (CALL.replace("read", "fly"), "event 1 calls 'fly', where the model knows read, write or cas"),
        (CALL.replace('"read"', '"cas","value":3'), "a cas has two values"),
        (CALL.replace('"read"', '"write","value":' + "[" * 60 + "]" * 60), "nested more than 50 deep"),
        (CALL.replace('"read"', '"write","value":' + "[" * 90_000 + "]" * 90_000), "line 1 is no event"),
        ("INFO jepsen.util - 1 :invoke\n", "line 1 is no event: expected 'jepsen.util"),
        ("{:process 0, :type :invoke, :f :get", "expected one complete EDN value"),
        ("{:process 0, :type :invoke, :f}", "a map has a value for every key"),
        ('{:process 0, :type "x}', "unreadable from character"),
        ("{:process 0]", "']' closes nothing"),
        ("{:process 0}}", "'}' closes nothing"),
        ("{:process zero, :type :ok, :f :get}", "line 1 is no event"),
    ],
)
def test_what_is_no_history_is_said_in_one_sentence(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history"
    file.write_text(text)
    assert main([str(file), "--model", "register", "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and says in said.err and len(said.err.splitlines()) == 1


def test_a_file_that_cannot_be_read_or_judged_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "good").write_text(CALL)
    for arguments, says in (
        ([str(tmp_path / "none"), "--model", "kv"], "cannot be read: No such file"),
        ([str(tmp_path), "--model", "kv"], "cannot be read: Is a directory"),
        ([str(tmp_path / "bytes"), "--model", "kv"], "is not text in UTF-8"),
        ([str(tmp_path / "good"), "--model", "tree"], "expected one of register"),
        ([str(tmp_path / "good"), "--model", "register", "--budget", "0"], "expected 1 or more"),
        ([str(tmp_path / "good"), "--model", "kv"], "knows get, put or append"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr()
        assert said.out == "" and says in said.err and len(said.err.splitlines()) == 1


def test_values_and_states_that_cannot_be_compared_are_said() -> None:
    with pytest.raises(HistoryError, match="put takes a string"):
        check([Operation(1, "put", 3, 1)], KEY_VALUE)
    with pytest.raises(HistoryError, match="names its winner"):
        check([Operation(1, "award", None, 1)], AWARD_LOG)
    with pytest.raises(HistoryError, match="cannot be hashed"):
        check([Operation(1, "go", None, 1, 2, "ok")], Model(None, lambda state, operation: []))
    with pytest.raises(HistoryError, match="cannot be hashed"):
        check([Operation(1, "go", None, 1, 2, "ok")], Model([], lambda state, operation: None))  # type: ignore[arg-type]
    with pytest.raises(HistoryError, match="type bytearray"):
        operations_of([Event(1, "invoke", "write", value=bytearray(b"x"))])


def test_a_recorder_takes_down_no_nonsense() -> None:
    history = Recorder()
    with pytest.raises(HistoryError, match="has not called"):
        history.ok(1)
    history.invoke(1, "read")
    with pytest.raises(HistoryError, match="before its last call"):
        history.invoke(1, "read")
    assert len(history.events) == 1


def test_without_json_the_answer_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").write_text(CALL + READ)
    assert main([str(tmp_path / "good"), "--model", "cas-register"]) == 0
    assert capsys.readouterr().out.startswith("linearizable (1 operations, 1 keys, 1 steps)\n")
