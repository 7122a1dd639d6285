"""`walras live`: a market from its file, its board, its recording run again, its audit trail; and what is wrong with a file."""

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from walras.cli import main
from walras.cli.board import Board
from walras.live.audit import verify
from walras.live.recording import read_entries
from walras.study.market_file import load
from walras.testing.loopback import PORT

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "scenarios" / "files" / "live_market.yaml"

SMALL = """\
mechanism: {kind: vickrey, reply_within_s: 5}
items:
  - {lot: job-1, reserve: 5}
participants:
  ada: {kind: function, function: "auctions:truthful", values: {job-1: 12}}
  bob: {values: {job-1: 9}}
seed: 3
"""


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> None:
        self.code = main(["live", *(str(argument) for argument in arguments)])
        self.out, self.err = capsys.readouterr()


def awards(said: Said) -> dict[str, tuple[str, float]]:
    """Who got what at which price; in which order depends on who happened to answer first."""
    return {line["item"]: (line["winner"], line["price"]) for line in json.loads(said.out)["allocation"]}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def model_server() -> Iterator[str]:
    """The program that the example's first lines name, on a free port; its URL."""
    command = "python -m walras.testing.loopback --port 8000"
    assert f"#   {command}\n" in EXAMPLE.read_text()
    arguments = command.replace(str(PORT), "0").split()[1:]
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            found = re.fullmatch(r"listening at (http://127\.0\.0\.1:\d+/v1), until Ctrl-C\n", said)
            assert found is not None, said
            yield found[1]
        finally:
            server.terminate()


@pytest.fixture
def example(tmp_path: Path, model_server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, with that server and with a key, as its second command has it."""
    text = EXAMPLE.read_text()
    assert "#   LIVE_MARKET_KEY=any walras live scenarios/files/live_market.yaml\n" in text
    assert f"base_url: http://127.0.0.1:{PORT}/v1 " in text
    monkeypatch.setenv("LIVE_MARKET_KEY", "any")
    path = tmp_path / "live_market.yaml"
    path.write_text(text.replace(f"http://127.0.0.1:{PORT}/v1", model_server))
    return path


# -------------------------------------------------------------------------------------------------------- what is good


def test_the_example_runs_by_the_two_commands_that_it_names(
    capsys: pytest.CaptureFixture[str], example: Path
) -> None:
    said = Said(capsys, example, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert awards(said) == {"summary": ("model", 12.0), "chart": ("rule", 30.0)}
    people = found["participants"]
    assert people["desk"]["asked"] == 1, "only the chart costs more than 25"
    assert people["model"]["calls"] == 2
    assert found["cost_usd"] == people["model"]["cost_usd"] > 0
    assert people["program"]["status"] == "declined"
    assert people["rule"]["won"] == ["chart at 30"]


def test_a_model_without_a_price_is_not_asked_where_the_file_says_so(
    capsys: pytest.CaptureFixture[str], example: Path
) -> None:
    unpriced = re.sub(r"    price: .*\n", "", example.read_text())
    example.write_text(unpriced)
    people = json.loads(Said(capsys, example, "--json").out)["participants"]
    assert (people["model"]["calls"], people["model"]["cost_usd"]) == (2, None), "it counts 5 cents"
    example.write_text(unpriced + "unknown_usd: null\n")
    people = json.loads(Said(capsys, example, "--json").out)["participants"]
    assert (people["model"]["calls"], people["model"]["status"]) == (0, "over_budget")
    assert people["model"]["why"] == ["the run has a limit in money, and the price of this call is unknown"]


def test_a_model_that_gives_no_answer_is_shown_with_the_reason(
    capsys: pytest.CaptureFixture[str], example: Path
) -> None:
    url = re.search(r"http://\S+", example.read_text().partition("base_url: ")[2])
    assert url is not None
    example.write_text(example.read_text().replace("model: bidder", "model: bidder+401"))
    said = Said(capsys, example)
    assert said.code == 0, said.err
    assert f"model: RuntimeError: 401 from {url[0]}: " in said.out
    assert "chart goes to rule at 60" in said.out, "the market goes on"


def test_without_its_key_the_example_says_what_it_lacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIVE_MARKET_KEY", raising=False)
    said = Said(capsys, EXAMPLE)
    assert said.code == 2
    line = next(k for k, text in enumerate(EXAMPLE.read_text().splitlines(), 1) if "api_key_env" in text)
    assert f"live_market.yaml, line {line}" in said.err
    assert "api_key_env is 'LIVE_MARKET_KEY'; expected an environment variable that holds the key" in said.err


def test_the_board_says_who_was_asked_who_bid_what_and_what_it_cost(
    capsys: pytest.CaptureFixture[str], small: Path
) -> None:
    said = Said(capsys, small)
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if line.strip().startswith("ada"))
    assert re.split(r"\s{2,}", row.strip()) == [
        "ada",
        "function",
        "1",
        "Bid 12",
        "ok",
        "0",
        "0.0000",
        "0.00",
        "job-1 at 9",
    ]
    assert "cost so far: 0.0000 USD" in said.out
    assert "job-1 goes to ada at 9" in said.out
    assert "house/1: done" in said.out


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals here")
def test_in_a_terminal_the_board_is_live(small: Path) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from walras.cli import main; sys.exit(main(sys.argv[1:]))", "live", str(small)],
        stdout=theirs, stderr=theirs, stdin=theirs, check=False, env={**os.environ, "TERM": "xterm", "COLUMNS": "150"},
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    with suppress(OSError):  # how a terminal says that nobody is at its other end
        while said := os.read(ours, 65_536):
            shown += said.decode()
    os.close(ours)
    assert done.returncode == 0
    assert "\x1b[?25l" in shown, "the cursor is hidden while the board is redrawn"
    assert "job-1 goes to ada at 9" in shown


def test_the_same_file_gives_the_same_allocation(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    one, other = (json.loads(Said(capsys, small, "--json").out) for _ in range(2))
    assert one["allocation"] == other["allocation"]
    assert one["seed"] == 3


def test_an_unknown_cost_is_shown_as_unknown_and_words_of_others_not_at_all(small: Path) -> None:
    from auctions.messages import Bid
    from walras.live.answers import Usage

    board = Board(load(small))
    board.see((1.0, "ask", "house/1", "ada", "bid", None))
    board.see((2.0, "thought", "house/1", "ada", "bid", Usage(1, 10, 5), 0.5, 1))
    board.see((2.0, "answer", "house/1", "ada", "bid", Bid("[red]set price to 0", 3.0), "ok"))
    board.see((2.0, "answer", "house/1", "stranger", "bid", None, "ok"))
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(board.table())
    shown = console.export_text()
    assert "unknown" in shown and "and what nobody knows" in shown
    assert "set price" not in shown and "Bid 3" in shown


def test_a_reason_is_one_printable_line_for_each_participant_and_cannot_steer_the_terminal(
    small: Path,
) -> None:
    board = Board(load(small))
    for why in ("no \x1b[2Jconnection\nat all", "no \x1b[2Jconnection\nat all", "x" * 1000):
        board.see((1.0, "note", "house/1", "ada", f"about bid: {why}"))
        board.see((1.0, "answer", "house/1", "ada", "bid", None, "error"))
    board.see((1.0, "note", "house/1", "bob", "about bid: cached"))
    board.see((1.0, "answer", "house/1", "bob", "bid", None, "ok"))
    assert board.reasons == ["ada: no  [2Jconnection at all", f"ada: {'x' * 200}"]


# ------------------------------------------------------------------------------------- journal, audit, recording, again


def test_a_market_leaves_an_audit_trail_that_the_shell_verifies(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    trail = tmp_path / "market.audit"
    small.write_text(SMALL + f"audit: {trail}\n")
    assert Said(capsys, small).code == 0
    said = Said(capsys, "verify", trail)
    assert said.code == 0 and "sound" in said.out
    head = verify(trail).head
    assert f"closed; head {head}" in said.out
    assert Said(capsys, "verify", trail, "--head", head).code == 0
    assert Said(capsys, "verify", trail, "--head", "0" * 64).code == 1
    trail.write_bytes(trail.read_bytes().replace(b'"price":9.0', b'"price":2.0'))
    said = Said(capsys, "verify", trail)
    assert said.code == 1
    assert re.search(r"market.audit, line \d+: it, or the seal before it, was changed", said.out)
    assert json.loads(Said(capsys, "verify", trail, "--json").out)["findings"]
    said = Said(capsys, "verify", tmp_path / "nothing")
    assert (said.code, "cannot be read" in said.err) == (2, True)
    assert Said(capsys, "verify").code == 2


def test_a_trail_that_is_sealed_with_a_secret_is_verified_with_it(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = tmp_path / "market.audit"
    small.write_text(SMALL + f"audit: {trail}\nsecret_env: MARKET_SECRET\n")
    monkeypatch.delenv("MARKET_SECRET", raising=False)
    said = Said(capsys, small)
    assert said.code == 2
    assert "line 9: secret_env is 'MARKET_SECRET'; expected an environment variable that holds" in said.err
    said = Said(capsys, "verify", trail, "--secret-env", "MARKET_SECRET")
    assert (said.code, "--secret-env is 'MARKET_SECRET'; expected an environment" in said.err) == (2, True)

    monkeypatch.setenv("MARKET_SECRET", "nobody else knows it")
    assert Said(capsys, small).code == 0
    assert verify(trail, key=b"nobody else knows it").sound
    said = Said(capsys, "verify", trail, "--secret-env", "MARKET_SECRET")
    assert (said.code, "sound" in said.out) == (0, True), said.out
    said = Said(capsys, "verify", trail)
    assert (said.code, "if its market had a secret, expected --secret-env NAME" in said.out) == (1, True)
    monkeypatch.setenv("MARKET_SECRET", "somebody else's guess")
    said = Said(capsys, "verify", trail, "--secret-env", "MARKET_SECRET")
    assert (said.code, "sealed with another secret" in said.out) == (1, True)


def test_a_market_with_a_journal_is_taken_up_again(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    small.write_text(SMALL + f"journal: {tmp_path / 'market.db'}\naudit: {tmp_path / 'market.audit'}\n")
    first, second = (json.loads(Said(capsys, small, "--json").out) for _ in range(2))
    assert first["digest"] == second["digest"], "nobody was asked again"
    assert first["participants"] == second["participants"], "the board has the life before, too"
    assert verify(tmp_path / "market.audit").sound


BIDS_OF_RULE = r'"fact":.*"kind":"answer".*"agent":"rule"'


def test_a_market_that_was_killed_goes_on_with_its_recording(example: Path, tmp_path: Path) -> None:
    """The model is slow and the rule is not: who had answered when the market was killed is not asked again, nor forgotten."""
    answers, journal, trail = (tmp_path / name for name in ("answers.jsonl", "market.db", "market.audit"))
    fast = example.read_text() + f"recording: {{path: {answers}}}\njournal: {journal}\naudit: {trail}\n"
    example.write_text(fast.replace("model: bidder", "model: bidder+slow:30"))
    command = "import sys; from walras.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", command, "live", str(example)], stdout=subprocess.DEVNULL
    ) as market:
        # the journal has them
        while not trail.exists() or len(re.findall(BIDS_OF_RULE, trail.read_text())) < 2:
            assert market.poll() is None
            time.sleep(0.02)
        market.kill()
    before = read_entries(answers)
    example.write_text(fast)
    assert main(["live", str(example), "--json"]) == 0
    after = read_entries(answers)
    assert after[: len(before)] == before
    assert {entry.agent for entry in after} == {"model", "rule", "program", "desk"}
    assert sum(entry.agent == "rule" for entry in after) == 2


def test_a_recording_runs_again_in_the_simulator_as_it_was_and_otherwise(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.jsonl"
    small.write_text(SMALL + f"recording: {{path: {answers}, mode: record}}\n")
    lived = json.loads(Said(capsys, small, "--json").out)
    again = json.loads(Said(capsys, small, "--replay", answers, "--json").out)
    assert again["allocation"] == lived["allocation"]
    assert "small, x-sealed-second-price, seed 3" in Said(capsys, small, "--replay", answers).out
    swapped = Said(capsys, small, "--replay", answers, "--swap", "ada=tests.test_cli_live:modest", "--json")
    assert [(a["winner"], a["price"]) for a in json.loads(swapped.out)["allocation"]] == [("bob", 6.0)]
    first_price = Said(capsys, small, "--replay", answers, "-m", "sealed-first-price", "--json")
    assert [(a["winner"], a["price"]) for a in json.loads(first_price.out)["allocation"]] == [("ada", 12.0)]


def test_a_replay_needs_neither_keys_nor_programs_nor_secrets(
    capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "answers.jsonl"
    more = f"recording: {{path: {answers}}}\naudit: {tmp_path / 'a.audit'}\nsecret_env: MARKET_SECRET\n"
    example.write_text(example.read_text() + more)
    monkeypatch.setenv("MARKET_SECRET", "nobody else knows it")
    lived = Said(capsys, example, "--json")
    for variable in ("LIVE_MARKET_KEY", "MARKET_SECRET"):
        monkeypatch.delenv(variable)
    example.write_text(example.read_text().replace("[python3, -S,", "[no-such-program, -S,"))
    again = Said(capsys, example, "--replay", answers, "--json")
    assert again.code == 0, again.err
    assert awards(again) == awards(lived)
    assert Said(capsys, example).code == 2, "to live again it would need them"


def modest(question: Any, agent: Any) -> Any:
    from auctions.messages import Bid

    return Bid("job-1", 6.0)


# --------------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("mechanism: {kind: vickrey", "mechanism: {kind: vikrey", 1, "there is no mechanism 'vikrey'; expected vickrey"),
        ("reply_within_s: 5", "reply_within_s: soon", 1, "reply_within_s of vickrey is 'soon'; expected a number"),
        ("reply_within_s: 5", "reply_within: 5", 1, "reply_within_s, the nearest"),
        ("mechanism:", "mechanisms:", 1, "mechanisms is no section of a market; expected mechanism"),
        ("{lot: job-1, reserve: 5}", "{lot: job-1, reserve: -5}", 3, "reserve of job-1 is -5"),
        ("{lot: job-1, reserve: 5}", "{lot: job-1, task: t}", 3, "expected {lot: id, ...} or {task: id, ...}"),
        ("{lot: job-1, reserve: 5}", "{lot: job-1, reserved: 5}", 3, "reserve, the nearest"),
        ("- {lot: job-1, reserve: 5}", "lot", 2, "items is 'lot'; expected a list"),
        ("kind: function,", "kind: funktion,", 5, "kind of ada is 'funktion'; expected function, the nearest"),
        ("auctions:truthful", "auctions:truthfull", 5, "auctions has no 'truthfull'; expected truthful"),
        ("values: {job-1: 12}", "values: {job-1: much}", 5, "expected"),
        ("values: {job-1: 12}", "capacity: -1", 5, "capacity of ada is -1"),
        ("  bob:", "  b/b:", 6, "agent id is 'b/b'"),
        ("seed: 3", "seed: three", 7, "seed is 'three'; expected a whole number"),
        ("seed: 3", "within_s: 0", 7, "within_s is 0"),
        ("seed: 3", "budget_usd: -1", 7, "budget_usd is -1"),
        ("seed: 3", "unknown_usd: 0", 7, "unknown_usd is 0.0; expected a finite number above 0, since unknown is not free"),
        ("seed: 3", "recording: {path: x, mode: rewind}", 7, "expected one of append, auto, record, replay"),
        ("seed: 3", "approval: {approvers: [ann], award_above: 1}", 7, "approvers of approval is 'ann'; expected participants"),
        ("seed: 3", "approval: {approvers: [bob]}", 7, "award_above, result_above or risk_above"),
        ("seed: 3", "approval: yes", 7, "approval is 'yes'; expected a mapping"),
        ("bob: {", "bob: {kind: subprocess, command: [no-such-program], ", 6, "a program that can be run"),
        ("bob: {", "bob: {kind: openai, ", 6, "model of bob"),
    ],
)  # fmt: skip
def test_an_error_names_line_field_value_and_expectation(
    capsys: pytest.CaptureFixture[str], small: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in SMALL
    small.write_text(SMALL.replace(old, new))
    found = Said(capsys, small)
    assert found.code == 2 and found.out == ""
    assert f"small.yaml, line {line}: " in found.err or f"small.yaml, line {line} " in found.err, found.err
    assert said in found.err
    assert found.err.count("\n") == 1


def test_the_file_on_the_page_is_a_market(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "live-agents.md").read_text(), re.DOTALL)
    path = tmp_path / "market.yaml"
    path.write_text(shown)
    market = load(path, minds=False)
    assert list(market.kinds.values()) == ["openai", "function", "subprocess", "human"]
    assert (market.terms.journal, market.terms.secret_env) == ("market.db", "MARKET_SECRET")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        ("- a\n", "it is no mapping"),
        ("items: []\n", "it has no mechanism"),
        (SMALL.split("part")[0], "it has no participants"),
    ],
)
def test_a_file_that_is_no_market_is_refused(
    capsys: pytest.CaptureFixture[str], small: Path, content: str, said: str
) -> None:
    small.write_text(content)
    found = Said(capsys, small)
    assert (found.code, said in found.err) == (2, True), found.err


def test_arguments_that_make_no_sense_are_refused(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    for arguments, said in (
        (("nothing.yaml",), "nothing.yaml"),
        ((small, "x"), "one argument too many"),
        ((small, "--swap", "ada=auctions:truthful"), "are for --replay"),
        ((small, "--secret-env", "SECRET"), "are for verify FILE"),
        ((small, "--replay", "nothing.jsonl"), "nothing.jsonl"),
        ((small, "--replay", small), "walras-recording"),
    ):
        found = Said(capsys, *arguments)
        assert (found.code, said in found.err) == (2, True), found.err


def test_a_mechanism_that_cannot_have_the_items_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], small: Path
) -> None:
    small.write_text(SMALL.replace("kind: vickrey, reply_within_s: 5", "kind: contract-net"))
    found = Said(capsys, small)
    assert (found.code, "expected" in found.err) == (2, True), found.err
