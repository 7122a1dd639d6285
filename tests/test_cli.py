"""The command: what it prints where, its exit codes, and one sentence in place of every traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from contractnet import ContractNet
from tests.study.worlds import Errands
from walras.cli import main
from walras.cli.asking import pairs
from walras.results import Result
from walras.simulation import Crash, Faults, Network, Simulation
from walras.study import Study

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "scenarios" / "files" / "llm_router_small.yaml"
SMALL = ("--set", "tasks=5")
ERRANDS = f"{Errands.__module__}:Errands"

pytestmark = pytest.mark.skipif(
    not entry_points(group="walras.scenarios"),
    reason="Walras is not installed here, so it declares no entry points",
)


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> None:
        self.code = main([str(argument) for argument in arguments])
        self.out, self.err = capsys.readouterr()


# -------------------------------------------------------------------------------------------------------- what is good


def test_list_shows_every_entry_point_and_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, one line each, settings with their defaults."""
    said = Said(capsys, "list")

    assert said.code == 0
    for group in ("walras.scenarios", "walras.mechanisms"):
        for point in entry_points(group=group):
            assert f"  {point.name}  " in said.out
    assert "reply_within_s=2.0" in said.out
    assert "award_rule=best_value" in said.out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("llm-router", ("a scenario, scenarios.llm_router:LLMRouter", "how many arrive.", "--set KEY=VALUE")),
        (
            "english",
            ("a mechanism, auctions.english:English", "5%", "by how much a bid has to better", "-m "),
        ),
        (
            "walras.baselines.rules:Greedy",
            ("a mechanism, walras.baselines.rules:Greedy", "how many agents get"),
        ),
        ("scenarios.llm_router:LLMRouter", ("llm-router  a scenario, ", "value_of_quality")),
        ("greedy:tries=3", ("greedy  a mechanism, ", "how many agents get")),
    ],
)
def test_list_with_a_name_says_what_its_settings_mean(
    name: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "list", name)

    assert (said.code, said.err) == (0, "")
    assert [word for word in words if word not in said.out] == []


def test_json_is_one_object_per_run_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly six keys; metrics are flat; the same command prints the same bytes."""
    arguments = ("run", "llm-router", "--seed", "7", *SMALL, "-m", "greedy", "-m", "random", "--json")
    said = Said(capsys, *arguments)
    found = [json.loads(line) for line in said.out.splitlines()]

    assert [list(one) for one in found] == [
        ["scenario", "mechanism", "seed", "digest", "metrics", "stopped_because"]
    ] * 2
    assert [one["mechanism"] for one in found] == ["greedy", "random"]
    assert not any(isinstance(value, dict | list) for value in found[0]["metrics"].values())
    assert said.err == ""
    assert Said(capsys, *arguments).out == said.out


def test_without_a_mechanism_it_is_contract_net(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer need not know a name."""
    said = Said(capsys, "run", "llm-router", *SMALL)

    assert "llm-router, contract-net, seed 0" in said.out


def test_several_mechanisms_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """A row each, the best values marked, the optimum last."""
    said = Said(
        capsys, "run", "llm-router", *SMALL, "-m", "contract-net", "-m", "contract-net:award_rule=cheapest"
    )
    rows = [line.split()[0] for line in said.out.splitlines() if line.strip()]

    assert rows.index("contract-net") < rows.index("contract-net:award_rule=cheapest") < rows.index("optimum")
    assert "100.0%*" in said.out
    assert "efficiency" in said.out


def test_settings_reach_scenario_and_mechanism(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """From both ways of writing them, lists and functions with settings of their own included."""
    mechanism = "contract-net:reply_within_s=1.5,award_rule={kind: BestValue, price_of_waiting: 0.5}"
    scenario = "llm-router:models=[gpt-4o-mini-2024-07-18, mistral-small]"
    said = Said(
        capsys, "run", scenario, *SMALL, "-m", mechanism, "--until", "9", "--check", "--out", tmp_path
    )
    settings = Result.load(tmp_path / "contract-net").settings

    assert said.code == 0
    assert settings["scenario"]["tasks"] == 5
    assert settings["scenario"]["models"] == ["gpt-4o-mini-2024-07-18", "mistral-small"]
    assert settings["mechanisms"]["contract-net"]["reply_within_s"] == 1.5
    assert settings["mechanisms"]["contract-net"]["award_rule"]["price_of_waiting"] == 0.5
    assert settings["until_s"] == 9.0


def test_a_saved_run_can_be_repeated_shown_and_reported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`--out` saves a folder per mechanism and a report; replay, show and report read it."""
    assert (
        Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "-m", "random", "--out", tmp_path).code == 0
    )
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")

    replayed = Said(capsys, "replay", tmp_path)
    digest = Result.load(tmp_path / "greedy").digest
    assert replayed.code == 0
    assert replayed.out.count("the same ") == 2
    assert f"rows, digest {digest}" in replayed.out

    assert "router/3" in Said(capsys, "show", tmp_path / "greedy").out
    transcript = Said(capsys, "show", tmp_path / "greedy", "router/3").out
    assert transcript.startswith("conversation router/3")
    assert "settles task-3" in transcript

    (tmp_path / "report.html").unlink()
    assert Said(capsys, "report", tmp_path).code == 0
    assert (tmp_path / "report.html").exists()


def test_replay_shows_the_first_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A run whose settings were changed afterwards is not the same: exit code 1, and where it differs."""
    Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "--out", tmp_path)
    head = tmp_path / "greedy" / "result.json"
    found = json.loads(head.read_text())
    found["settings"]["scenario"]["load"] = 2.0
    head.write_text(json.dumps(found))

    said = Said(capsys, "replay", tmp_path / "greedy")

    assert said.code == 1
    assert "the traces part at row" in said.out


def test_a_settings_file_runs_and_options_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Its mechanisms and seeds, unless others are given."""
    all_of_it = Said(capsys, "run", SAMPLE, *SMALL, "--json")
    one = Said(capsys, "run", SAMPLE, *SMALL, "--seed", "9", "-m", "greedy", "--json")

    assert len(all_of_it.out.splitlines()) == 15
    assert [(line["mechanism"], line["seed"]) for line in map(json.loads, one.out.splitlines())] == [
        ("greedy", 9)
    ]


def test_several_seeds_have_a_folder_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """None is overwritten by another, and the table says that it shows means."""
    said = Said(capsys, "run", SAMPLE, *SMALL, "-m", "greedy", "-m", "random", "--out", tmp_path)

    assert "means over 3 seeds" in said.out
    assert sorted(path.name for path in (tmp_path / "greedy").iterdir()) == ["seed-0", "seed-1", "seed-2"]


def test_compare_says_which_differences_are_real(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two loads, two mechanisms, paired seeds: a table each, the differences, a study that is saved."""
    said = Said(
        capsys, "compare", "llm-router:tasks=6", "llm-router:tasks=6,load=3", "-m", "greedy", "-m", "random",
        "--seeds", "0:4", "--out", tmp_path,
    )  # fmt: skip

    assert said.code == 0
    assert "llm-router (load=3.0), means over 4 seeds" in said.out
    assert "difference to that of greedy" in said.out
    assert len(Study.load(tmp_path).rows) == 16
    assert Said(capsys, "report", tmp_path).code == 0


def test_compare_prints_json_and_reports_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed run is a line as any other, and makes the exit code 1."""
    said = Said(
        capsys, "compare", f"{ERRANDS}:trouble=raise,troubled=[1]", "-m", "greedy", "--seeds", "0:3", "--json"
    )
    found = [json.loads(line) for line in said.out.splitlines()]

    assert said.code == 1
    assert [one["stopped_because"][:12] for one in found] == ["every conver", "RuntimeError", "every conver"]
    assert "seed 1 failed: RuntimeError" in said.err


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For editors."""
    assert "properties" in json.loads(Said(capsys, "schema").out)


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """So does the command alone."""
    for arguments in ((), ("--help",), ("run", "--help")):
        said = Said(capsys, *arguments)
        assert (said.code, said.err) == (0, "")
        assert "Usage" in said.out
        assert "list[str]" not in said.out, "types of Python help nobody at a shell"


def test_values_are_read_as_in_a_settings_file() -> None:
    """Commas in brackets and quotes do not part settings."""
    assert pairs("a=1,b=[x, y],c={kind: K, z: 2},d='p,q',e=1e3,f=") == [
        ("a", 1), ("b", ["x", "y"]), ("c", {"kind": "K", "z": 2}), ("d", "p,q"), ("e", 1000.0), ("f", None),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------------- what is bad

BAD = [
    (("list", "llm-rooter"), "no scenario or mechanism 'llm-rooter'; expected llm-router, the nearest"),
    (("list", "contractnet"), "no scenario or mechanism 'contractnet'; expected contract-net, the nearest"),
    (("list", "walras.items:Task"), "walras.items:Task is no scenario and no mechanism"),
    (("list", "no.such:Thing"), "'no.such:Thing' cannot be imported"),
    (("run", "llm-rooter"), "there is no scenario 'llm-rooter'; expected llm-router"),
    (("run", "llm-router", "-m", "contractnet"), "expected contract-net, the nearest"),
    (("run", "llm-router", "--set", "task=5"), "expected a setting that exists: tasks, the nearest"),
    (("run", "llm-router", "--set", "tasks=many"), "tasks of llm-router is 'many'; expected a whole number"),
    (("run", "llm-router", "--set", "tasks=-5"), "tasks is -5; expected a whole number from 1 to"),
    (
        ("run", "llm-router", "--set", "reply_within_s=1", "-m", "greedy", "-m", "contract-net:pause_s=1"),
        "no setting of llm-router, but one of contract-net; expected -m contract-net:reply_within_s=1",
    ),
    (("run", "llm-router", "--set", "reply_within_s=1"), "expected -m contract-net:reply_within_s=1"),
    (("run", "llm-router", "--set", "load=2", "--set", "tasks=2,load=3"), "--set load is given twice"),
    (("run", "llm-router", "--set", "tasks"), "'tasks' is no setting; expected key=value"),
    (
        ("run", "llm-router", "--set", "models=a,b"),
        "'b' is no setting; expected key=value (a list in brackets",
    ),
    (("run", "llm-router", "--set", "models=[nobody]"), "models is 'nobody'"),
    (("run", "llm-router", "--set", "models=[a"), "expected YAML"),
    (("run", "llm-router:tasks"), "'tasks' after llm-router: is no setting"),
    (("run", "llm-router", "-m", "contract-net:fast"), "'fast' after contract-net: is no setting"),
    (("run", "llm-router", "-m", "contract-net:reply_withn_s=3"), "reply_within_s, the nearest"),
    (("run", "llm-router", "-m", "contract-net:award_rule=chepest"), "cheapest, the nearest"),
    (("run", "llm-router", "-m", "contract-net:pause_s=-1"), "pause_s is -1.0"),
    (("run", "llm-router", "-m", "greedy", "-m", "greedy"), "--mechanism greedy is given twice"),
    (("run", "llm-router", "--until", "-3"), "until_s is -3.0"),
    (("run", "llm-router", "--until", "noon"), "until_s is 'noon'; expected a number"),
    (("run", "llm-router", "--seed", "x"), "seeds is 'x'; expected a whole number"),
    (("run", "llm-router", "--sed", "1"), "--sed"),
    (
        ("run", "auction-house"),
        "lots are for auctions; choose a mechanism with -m, as `walras list` has them",
    ),
    (("run", "auction-house", "-m", "english:increment=0"), "increment is 0.0; expected a number above 0"),
    (("run", "auction-house", "-m", "dutch:start=1,tick=0"), "tick is 0.0; expected a number above 0"),
    (("run", "auction-house:reserve=2", "-m", "dutch:start=1"), "no tick ever reaches the reserve of lot-1"),
    (("run", "auction-house:bidders=0", "-m", "vickrey"), "bidders is 0; expected a whole number from 1"),
    (("run", "no_such.yaml"), "no_such.yaml: cannot be read: No such file"),
    (("run", "no.such:Scenario"), "'no.such:Scenario' cannot be imported"),
    (("run", "walras.items:Task"), "walras.items:Task is no scenario"),
    (("run", "walras.scenario:Scenario"), "only the base of a scenario, without name and draw"),
    (("run", "llm-router", "-m", "walras.mechanism:Mechanism"), "without protocol and opener"),
    (("run", "llm-router", "-m", "walras.baselines.rules:Dispatch"), "without protocol;"),
    (("run", "x" * 5_000), "there is no scenario 'xxx"),
    (("run", "llm-router", "--set", "tasks=!!int x"), "'x' cannot be read as int"),
    (("run", "llm-router", "--set", f"tasks={'9' * 5_000}"), "cannot be read as int"),
    (("run", "llm-router", "--set", "tasks=10000001"), "tasks is 10000001; expected a whole number"),
    (("run",), "Missing argument"),
    (("rum",), "rum"),
    (("compare", "llm-router", "-m", "greedy", "--seeds", "0-3"), "seeds is '0-3'"),
    (("compare", "llm-router", "-m", "greedy", "--seeds", "3:3"), "seeds is '3:3'"),
    (("compare", "llm-router", "-m", "greedy", "--workers", "0"), "workers is 0"),
    (("compare", "llm-router"), "nothing to compare"),
    (("compare", str(SAMPLE), "llm-router"), "differ in more than the scenario"),
    (("compare", f"{ERRANDS}:trouble=raise,troubled=[0]", "-m", "greedy"), "all 1 runs failed"),
    (("replay", "no-such-folder"), "there is no folder no-such-folder"),
    (("show", str(ROOT / "docs")), "holds no saved run"),
    (("report", "no-such-folder"), "there is no folder"),
    (("report", "x" * 5_000), "there is no folder xxx"),
    (("show", "x" * 5_000), "there is no folder xxx"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[" ".join(arguments)[-60:] for arguments, _ in BAD])
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, in one line, with exit code 2; nothing on stdout."""
    said = Said(capsys, *arguments)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("walras: ")
    assert said.err.count("\n") == 1
    assert words in said.err


def test_a_study_is_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Who wants to look into the runs of a study is told what a study is."""
    Said(capsys, "compare", "llm-router", *SMALL, "-m", "greedy", "--seeds", "0:2", "--out", tmp_path)
    assert "holds a study, which keeps no traces" in Said(capsys, "show", tmp_path).err


def test_without_its_script_the_package_is_the_command() -> None:
    """As `python -m auctions` is: the same sentence, the same exit code."""
    said = subprocess.run(
        [sys.executable, "-m", "walras", "run", "nothing"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("walras: there is no scenario 'nothing'")


def test_damaged_results_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file, and that it is damaged; a conversation that is not there; a folder with several runs."""
    Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "-m", "random", "--out", tmp_path)
    assert "holds 2 runs; expected one of them" in Said(capsys, "show", tmp_path).err
    assert "no conversation 'router/99'" in Said(capsys, "show", tmp_path / "greedy", "router/99").err

    for file in ("result.json", "tasks.json", "trace.jsonl"):
        path = tmp_path / "greedy" / file
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        said = Said(capsys, "replay", tmp_path / "greedy")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert file in said.err
        path.write_bytes(content)

    table = tmp_path / "greedy" / "tasks.json"
    table.write_bytes(table.read_bytes().replace(b'"copies": 1', b'"copies": 2', 1))
    said = Said(capsys, "replay", tmp_path / "greedy")
    assert said.code == 2
    assert "it was changed, or belongs to another run" in said.err


def test_a_place_that_cannot_be_written_is_found_before_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Not after an hour of work."""
    (tmp_path / "file").write_text("")
    said = Said(capsys, "run", "llm-router", "--set", "tasks=100000", "--out", tmp_path / "file")

    assert said.code == 2
    assert "--out" in said.err


def test_a_run_in_python_can_be_repeated_from_the_shell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With its settings, its network, its faults and its horizon; also where classes have no declared names."""
    network, faults = Network(loss=0.1), Faults((Crash("ada", 1.0, 2.0),))
    first = Simulation(Errands(worth=20.0), ContractNet(pause_s=2.0), 3, network=network, faults=faults).run(
        4.0
    )
    first.save(tmp_path / "first")
    said = Said(capsys, "replay", tmp_path / "first")
    assert (said.code, said.err) == (0, "")
    assert f"the same {len(first.trace)} rows, digest {first.digest}" in said.out

    lonely = type("Lonely", (Errands,), {"__module__": "__main__"}, frozen=True, kw_only=True)
    Simulation(lonely(), ContractNet()).run().save(tmp_path / "lonely")
    said = Said(capsys, "replay", tmp_path / "lonely")
    assert said.code == 2
    assert "Lonely'> cannot be saved by name; expected a class of a module" in said.err


def test_a_result_without_settings_cannot_be_replayed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """And says why; so does one of other rules."""
    Result(scenario="bare").save(tmp_path / "bare")
    assert "no settings to run it again" in Said(capsys, "replay", tmp_path / "bare").err

    Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "--out", tmp_path / "routed")
    head = tmp_path / "routed" / "greedy" / "result.json"
    found = json.loads(head.read_text())
    found["settings"]["version"] = 99
    head.write_text(json.dumps(found))
    assert "version is 99; expected 1" in Said(capsys, "replay", tmp_path / "routed").err


# ------------------------------------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_saves_what_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The run that it hit is saved as far as it got, and its replay agrees with that much; exit code 130."""
    said = Said(
        capsys,
        "run",
        f"{ERRANDS}:trouble=ctrl-c,troubled=[0]",
        "-m",
        "greedy",
        "-m",
        "random",
        "--out",
        tmp_path,
    )
    found = Result.load(tmp_path / "greedy")

    assert said.code == 130
    assert "interrupted, 0 of 2 runs had ended" in said.err
    assert found.stopped_because == "it was interrupted"
    assert 0 < len(found.trace) < 75

    head = tmp_path / "greedy" / "result.json"
    head.write_text(head.read_text().replace('"ctrl-c"', '""'))
    replayed = Said(capsys, "replay", tmp_path / "greedy")
    assert (replayed.code, replayed.err) == (0, "")
    assert f"the same {len(found.trace)} rows" in replayed.out


def test_agents_of_a_file_are_looked_for_after_what_the_command_line_changes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A fault of a deputy, in a file without mechanisms: it is there with the one that brings it, and else has a line."""
    file = tmp_path / "run.yaml"
    file.write_text(
        "scenario: {kind: llm-router, tasks: 3}\n"
        "faults: {schedule: [{kind: crash, agent: replica-1, at_s: 1, down_s: 1}]}\n"
    )
    replicated = "consensus.replicated:Replicated:mechanism=contract-net"
    assert Said(capsys, "run", file, "-m", replicated).code == 0
    said = Said(capsys, "run", file, "-m", "greedy")
    assert (said.code, said.out) == (2, "")
    assert "run.yaml, line 2: schedule[0].agent is 'replica-1'; expected an agent of this world" in said.err


def test_a_page_of_somebody_elses_is_not_written_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """That of an earlier run is."""
    (tmp_path / "report.html").write_text("mine")
    said = Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "--out", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "has a report.html that no run has made; expected a new folder" in said.err
    assert (tmp_path / "report.html").read_text() == "mine"
    for _ in range(2):
        assert Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "--out", tmp_path / "new").code == 0
    assert Said(capsys, "run", "llm-router", *SMALL, "-m", "greedy", "--out", "").err == (
        "walras: --out is empty; expected a folder\n"
    )


def test_ctrl_c_saves_a_comparison(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The runs that had ended are in the study."""
    said = Said(
        capsys,
        "compare",
        f"{ERRANDS}:trouble=ctrl-c,troubled=[3]",
        "-m",
        "greedy",
        "--seeds",
        "0:9",
        "--out",
        tmp_path,
    )

    assert said.code == 130
    assert [row.seed for row in Study.load(tmp_path).rows] == [0, 1, 2]


@pytest.mark.parametrize("command", ["run", "compare"])
def test_ctrl_c_in_a_terminal_ends_at_once(command: str, tmp_path: Path) -> None:
    """A real signal, to the whole process group as a terminal sends it: no traceback, no process left."""
    options = {"run": (), "compare": ("--seeds", "0:50", "--workers", "2")}[command]
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as a terminal has it; a shell's
    program += "from walras.cli import main; raise SystemExit(main())"  # background jobs ignore the signal
    process = subprocess.Popen(
        [sys.executable, "-c", program, command,
         "llm-router:tasks=20000", "-m", "greedy", *options, "--out", tmp_path / "out"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    begun_by = time.monotonic() + 60.0
    while not (tmp_path / "out").exists() and time.monotonic() < begun_by:
        time.sleep(0.05)
    time.sleep(5.0)  # into the work, with workers that have started
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err.count("\n") == 1
    assert "interrupted" in err
    assert out == ""
