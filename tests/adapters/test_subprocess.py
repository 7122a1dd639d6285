"""Minds in processes of their own: JSON lines, no environment, limited resources, killed when they are too slow."""

import asyncio
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.minds import Offer, how_much
from walras.adapters.subprocess import Allowance, SubprocessParticipant
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.answers import Answered, Usage
from walras.live.guard import Guard, GuardRules

HEAD = """
import json, os, sys, time
def say(key, answer, **more):
    print(json.dumps({"key": key, "answer": answer, **more}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
"""

Make = Callable[..., SubprocessParticipant]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def program(body: str, **settings: Any) -> SubprocessParticipant:
        file = tmp_path / "mind.py"
        file.write_text(HEAD + textwrap.indent(textwrap.dedent(body), "    "))
        return SubprocessParticipant([sys.executable, "-S", str(file)], **settings)

    return program


def asked(
    mind: SubprocessParticipant, times: int = 1, *, seconds: float = 20.0, **rules: Any
) -> list[Answered]:
    async def market() -> list[Answered]:
        guard = Guard(GuardRules(**{"backoff_s": 0.0, "failures": 99, **rules}))
        try:
            return [
                await guard.answer(
                    Agent("ada", mind), how_much(f"t{k}", kind="<x>"), conversation="m/1", seconds=seconds
                )
                for k in range(times)
            ]
        finally:
            await mind.close()

    return asyncio.run(market())


def offered(found: list[Answered]) -> list[Any]:
    return [answered.value.price if answered.status == "ok" else answered.status for answered in found]


def test_one_process_answers_question_after_question(make: Make) -> None:
    mind = make("""
        seen = globals().setdefault("seen", []); seen.append(ask["question"]["task"]["id"])
        say(ask["key"], {"type": "Offer", "price": len(seen)}, usage={"input_tokens": 5, "output_tokens": 2, "cost_usd": 0.5})
    """)
    found = asked(mind, 3)
    assert offered(found) == [1.0, 2.0, 3.0]
    assert found[0].usage == Usage(1, 5, 2, 0.5)


def test_it_is_told_what_a_mind_has_to_know(make: Make) -> None:
    mind = make("""
        fields = ("agent", "conversation", "system", "user", "schema", "seconds", "note", "question", "key")
        known = all(field in ask for field in fields) and ask["question"]["task"]["kind"] == "<x>"
        say(ask["key"], {"type": "Offer", "price": 1} if known else {"type": "No"})
    """)
    assert offered(asked(mind)) == [1.0]


def test_it_repairs_declines_and_may_be_wrong(make: Make) -> None:
    mind = make("""
        task = ask["question"]["task"]["id"]
        if task == "t0": say(ask["key"], {"type": "Offer", "price": 4} if ask["note"] else "what?")
        elif task == "t1": say(ask["key"], None)
        elif task == "t2": print("no JSON", flush=True)
        elif task == "t3": say("another key", None)
        else: say(ask["key"], {"type": "Offer", "price": 5})
    """)
    assert offered(asked(mind, 5)) == [4.0, "declined", "error", "error", 5.0]


def test_its_environment_is_empty(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in ours are none of its business."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    body = """
        shells = ("LC_CTYPE", "PWD", "SHLVL", "_", "OLDPWD")    # what a shell or Python sets by itself
        say(ask["key"], {"type": "Offer", "price": len([name for name in os.environ if name not in shells])})
    """
    assert offered(asked(make(body))) == [0.0]
    assert offered(asked(make(body, environment={"MODEL": "small"}))) == [1.0]


def test_a_process_that_ends_is_started_again(make: Make) -> None:
    """Three attempts, then the next question has a process of its own."""
    mind = make("""
        if ask["question"]["task"]["id"] == "t0": sys.exit(3)
        say(ask["key"], {"type": "Offer", "price": 1})
    """)
    found = asked(mind, 2)
    assert offered(found) == ["error", 1.0]
    assert found[0].detail == "the process ended with code 3, 3 times"


def test_what_a_failing_program_says_last_is_in_the_note(make: Make) -> None:
    """One line, of a length that can be read, nothing in it that a terminal obeys; and a program that floods goes on."""
    (broken,) = asked(make("raise ValueError('no model\\x1b[31m')"), retries=0)
    assert broken.detail == "the process ended with code 1: ValueError: no model?[31m, 1 times"
    (loud,) = asked(make("sys.stderr.write('x' * 1_000_000); sys.exit(4)"), retries=0)
    assert loud.detail == f"the process ended with code 4: {'x' * 200}, 1 times"
    flooding = make("""
        sys.stderr.write("x" * 1_000_000)
        say(ask["key"], {"type": "Offer", "price": 1})
    """)
    assert offered(asked(flooding, 2)) == [1.0, 1.0]


def test_a_slow_process_is_killed_with_its_children_and_its_late_answer_is_nobodys(
    make: Make, tmp_path: Path
) -> None:
    mind = make(f"""
        if ask["question"]["task"]["id"] == "t0":
            child = os.fork()
            with open({str(tmp_path / "pids")!r}, "a") as file: file.write(str(os.getpid()) + "\\n")
            time.sleep(60)
        say(ask["key"], {{"type": "Offer", "price": 2}})
    """)
    assert offered(asked(mind, 2, seconds=2.0)) == ["timeout", 2.0]
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    until = time.monotonic() + 10.0
    while any(map(is_running, pids)):
        assert time.monotonic() < until, "a child outlived its market"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is at work; one that is dead and not yet reaped is not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_it_gets_no_more_memory_than_it_is_allowed(make: Make) -> None:
    mind = make(
        """
        try: held = bytearray(600_000_000)
        except MemoryError: held = None
        say(ask["key"], {"type": "Offer", "price": 1 if held is None else 9})
        """,
        allowance=Allowance(memory_mb=300),
    )
    assert offered(asked(mind)) == [1.0]


@pytest.mark.parametrize(("of", "limit"), [("CPU", 7), ("NOFILE", 33)])
def test_its_time_and_its_files_are_limited_too(make: Make, of: str, limit: int) -> None:
    mind = make(
        f"""
        import resource
        say(ask["key"], {{"type": "Offer", "price": resource.getrlimit(resource.RLIMIT_{of})[1]}})
        """,
        allowance=Allowance(cpu_s=7, files=33),
    )
    assert offered(asked(mind)) == [limit]


def test_an_answer_that_never_ends_is_an_error_and_the_process_goes(make: Make) -> None:
    mind = make('print("x" * 5_000_000, flush=True)', allowance=Allowance(most_bytes=10_000))
    (found,) = asked(mind)
    assert (found.status, found.detail) == ("error", "RuntimeError: a line of more than 10,000 bytes")


def test_questions_at_the_same_time_take_turns(make: Make) -> None:
    mind = make('say(ask["key"], {"type": "Offer", "price": int(ask["question"]["task"]["id"])})')

    async def market() -> list[Any]:
        guard = Guard()
        found = await asyncio.gather(
            *(
                guard.answer(Agent("ada", mind), how_much(str(k)), conversation="m/1", seconds=20.0)
                for k in range(10)
            )
        )
        await mind.close()
        return [answered.value for answered in found]

    assert asyncio.run(market()) == [Offer(float(k)) for k in range(10)]


@pytest.mark.parametrize("command", [[], ["/no/such/program"], ["no-such-program-anywhere"]])
def test_a_program_that_does_not_exist_is_named_at_once(command: list[str]) -> None:
    with pytest.raises(ScenarioError, match="expected a program that can be run"):
        SubprocessParticipant(command)


@pytest.mark.parametrize("command", ["python3 bidder.py", b"python3", ["python3", 7]])
def test_a_command_is_a_list_of_arguments(command: Any) -> None:
    with pytest.raises(ScenarioError, match=r"command is .*; expected a list of arguments, such as \["):
        SubprocessParticipant(command)


def test_an_allowance_of_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="cpu_s is 0"):
        Allowance(cpu_s=0)


def test_questions_are_json_lines(make: Make) -> None:
    """What any language can read: one object, one line."""
    mind = make('say(ask["key"], {"type": "No", "why": line})')
    (found,) = asked(mind)
    line = found.value.why
    assert line.count("\n") == 1
    assert json.loads(line)["question"]["type"] == "HowMuch"
