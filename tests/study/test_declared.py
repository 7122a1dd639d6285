"""A settings file says what Python code would, and what is wrong with it is said with its line."""

from datetime import date
from importlib.metadata import entry_points
from math import inf
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from consensus.replicated import RaftLog, Replicated
from contractnet import BestValue, ContractNet, cheapest
from scenarios import llm_router
from tests.study.worlds import BobFirst, Errands, by_size, no_place
from walras.agents import Agent
from walras.baselines import Greedy, RandomAssignment
from walras.errors import WalrasError
from walras.results import Result
from walras.scenario import Instance, Scenario
from walras.simulation.faults import Crash, Faults
from walras.simulation.network import Network, Partition, Uniform
from walras.simulation.simulation import Simulation
from walras.study import Conditions, load
from walras.study.declared import Declared, SettingsFile, understand
from walras.study.runs import Run, execute, written
from walras.study.schema import schema
from walras.study.yaml_file import BadFileError, parse, scalar

pytestmark = pytest.mark.skipif(
    not entry_points(group="walras.scenarios"),
    reason="Walras is not installed here, so it declares no entry points",
)

SAMPLE = Path(__file__).resolve().parents[2] / "scenarios" / "files" / "llm_router_small.yaml"

EVERYTHING = """
scenario: {kind: llm-router, tasks: 30, models: [gpt-4o-mini-2024-07-18, mistral-small], raw: null}
version: 1
mechanisms:
  plain: contract-net
  contract-net:
  hasty:
    kind: contract-net
    reply_within_s: 1
    award_rule: {kind: BestValue, price_of_waiting: 1e-4}
  mine: {kind: contract-net, award_rule: "tests.study.worlds:by_size"}
  other: {kind: "tests.study.worlds:BobFirst", silence_s: .inf}
seeds: 2:5
network:
  latency: {kind: uniform, low_s: 0.0, high_s: 1}
  partitions: [{start_s: 1, end_s: inf, side: [router]}]
faults:
  schedule: [{kind: crash, agent: mistral-small, at_s: 1, down_s: 2}]
until_s: 60
check: true
"""


def test_a_file_says_what_code_would() -> None:
    """Every section, in every way of writing it, against the same objects made in Python."""
    assert understand(*parse(EVERYTHING), "f.yaml") == Declared(
        scenario=llm_router(tasks=30, models=("gpt-4o-mini-2024-07-18", "mistral-small")),
        mechanisms={
            "plain": ContractNet(),
            "contract-net": ContractNet(),
            "hasty": ContractNet(reply_within_s=1.0, award_rule=BestValue(price_of_waiting=0.0001)),
            "mine": ContractNet(award_rule=by_size),
            "other": BobFirst(silence_s=inf),
        },
        seeds=(2, 3, 4),
        conditions=Conditions(
            network=Network(latency=Uniform(0.0, 1.0), partitions=(Partition(1.0, inf, ("router",)),)),
            faults=Faults(schedule=(Crash("mistral-small", 1.0, 2.0),)),
            until_s=60.0,
            check=True,
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "mechanism: greedy",
        "mechanism: {kind: greedy}",
        "mechanisms: greedy",
        "mechanisms: [greedy]",
        "mechanisms: [{kind: greedy, tries: 2}]",
        "mechanisms: {greedy: }",
        "mechanisms: {greedy: greedy}",
        "mechanisms: {greedy: {tries: 2}}",
    ],
)
def test_one_mechanism_can_be_said_in_any_natural_way(text: str) -> None:
    """A name, a list, labels; with settings or without."""
    found = understand(*parse(f"scenario: llm-router\n{text}"), "f.yaml")

    assert found.mechanisms == {"greedy": Greedy()}
    assert [run.label for run in found.runs()] == ["greedy"]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("seed: 7", (7,)), ("seeds: [3, -1]", (3, -1)), ("seeds: 0:3", (0, 1, 2)), ("check: false", (0,))],
)
def test_seeds_are_a_number_a_list_or_a_range(text: str, seeds: tuple[int, ...]) -> None:
    """``0:3`` is a range, and not the 180 that YAML 1.1 takes it for."""
    assert understand(*parse(f"scenario: llm-router\n{text}"), "f.yaml").seeds == seeds


REPLICATED = "scenario: llm-router\nmechanism:\n  kind: consensus.replicated:Replicated\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("scenario: llm-rooter", 1, "no scenario 'llm-rooter'; expected llm-router"),
        ("scenario:\n  kind: llm-router\n  tsks: 3", 3, "tsks of llm-router is 3; expected a setting that exists: tasks"),
        ("scenario:\n  kind: llm-router\n  tasks: -3", 3, "tasks is -3; expected a whole number from 1 to 10,000,000"),
        ("scenario:\n  kind: llm-router\n  tasks: 3.5", 3, "tasks of llm-router is 3.5; expected a whole number"),
        ("scenario:\n  kind: llm-router\n  load: '3'", 3, "load of llm-router is '3'; expected a number"),
        ("scenario:\n  kind: llm-router\n  trace: cond", 3, "expected one of code, conv"),
        ("scenario:\n  kind: llm-router\n  models: [a, 3]", 3, "models.1 of llm-router is 3; expected text"),
        ("scenario: 3", 1, "scenario is 3; expected a name"),
        ("scenario: {llm-router: {tasks: 3}}", 1, "with the name as their kind, as in {kind: llm-router, tasks: 40}"),
        ("scenario: llm-router\nmechanisms:\n  a: 3", 3, "mechanism is 3; expected a name, or settings"),
        ("scenario: llm-router\nversion: 2", 2, "version is 2; expected 1"),
        ("scenario: llm-router\nverson: 1", 2, "verson is no section; expected version, the nearest"),
        ("scenario: llm-router\nseed: 1\nseeds: 2", 3, "seeds says what seed says"),
        ("scenario: llm-router\nseeds: 3:1", 2, "seeds is '3:1'"),
        ("scenario: llm-router\nseeds: [1, 1]", 2, "expected each seed once"),
        ("scenario: llm-router\nseed: true", 2, "seeds is True"),
        ("scenario: llm-router\nmechanisms:\n  a: contract-nt", 3, "expected contract-net, the nearest"),
        ("scenario: llm-router\nmechanisms:\n  a:\n    kind: greedy\n    tries: x", 5, "tries of greedy is 'x'"),
        ("scenario: llm-router\nmechanisms:\n  greedy:\n    tries: 0", 4, "tries of Greedy is 0"),
        ("scenario: llm-router\nmechanisms: [greedy,\n greedy]", 3, "greedy comes twice"),
        ("scenario: llm-router\nmechanisms: {}", 2, "mechanisms is {}; expected a name, a list of them or a mapping"),
        ("scenario: llm-router\nmechanisms: []", 2, "mechanisms is []; expected a name"),
        ("scenario: llm-router\nmechanisms:\n# greedy:", 2, "mechanism is None; expected a name, or settings"),
        ("scenario: llm-router\nmechanisms:\n  greedy: &a {tries: 2}\n  other: {kind: greedy,\n    <<: *a}", 5,
         "<< is not known here, as YAML 1.2 has no merge keys; expected each key itself"),
        ("scenario: llm-router\nmechanisms:\n  contract-net:\n    award_rule: chepest", 4, "cheapest, the nearest"),
        ("scenario: llm-router\nmechanism: {kind: contract-net, award_rule: Manager}", 2, "a function of contractnet"),
        ("scenario: llm-router\nmechanism: {kind: contract-net, award_rule: 'os.path:sep'}", 2, "the place of a function"),
        ("scenario: llm-router\nmechanism: {kind: contract-net, award_rule: 'no_such:f'}", 2, "cannot be imported"),
        ("scenario: llm-router\nmechanism: {kind: contract-net, award_rule: {kind: cheapest, a: 1}}", 2, "has no settings"),
        (REPLICATED + "  mechanism: {kind: contract-nt}", 4, "is 'contract-nt'; expected contract-net, the nearest"),
        (REPLICATED + "  mechanism:\n    kind: contract-net\n    margin_s: -1", 6, "margin_s is -1.0; expected"),
        (REPLICATED + "  again_s: 1.0", 2, "is None; expected the name of a mechanism, or its kind and settings"),
        (REPLICATED + "  mechanism: {kid: contract-net}", 4, "expected the name of a mechanism, or its kind and settings"),
        (REPLICATED + "  mechanism:\n    kind: contract-net\n    margin_s: x", 6, "margin_s of contract-net is 'x'"),
        (REPLICATED + "  mechanism: random\n  again_s: x", 5, "again_s of consensus.replicated:Replicated is 'x'"),
        (REPLICATED + "  mechanism: random\n  log:\n    batch_s: -1", 6, "batch_s is -1.0"),
        (REPLICATED + "  mechanism: random\n  log:\n    batch: 1", 6, "log.batch of consensus.replicated:Replicated is 1"),
        ("scenario: llm-router\nnetwork: 3", 2, "network is 3; expected a mapping"),
        ("scenario: llm-router\nnetwork:\n  loss: 2", 3, "loss is 2.0; expected a probability"),
        ("scenario: llm-router\nnetwork:\n  latency:\n    kind: unifrm", 4, "uniform"),
        ("scenario: llm-router\nnetwork:\n  latency:\n    kind: uniform\n    low: 1", 5, "low_s, the nearest"),
        ("scenario: llm-router\nnetwork:\n  latency:\n    kind: uniform\n    low_s: 1", 3, "high_s of network"),
        ("scenario: llm-router\nnetwork:\n  latency:\n    kind: uniform\n    high_s: 1\n    low_s: 3", 5, "high_s is 1.0"),
        ("scenario: llm-router\nfaults:\n  schedule:\n  - {kind: pause,\n     agent: a, at_s: -1, for_s: 1}", 5, "at_s is -1.0"),
        ("scenario: llm-router\nfaults:\n  schedule:\n  - {kind: pause, agent: router, at_s: 1, for_s: 1}\n"
         "  - {kind: crash,\n     agent: zoe, at_s: 1, down_s: 1}", 6, "schedule[1].agent is 'zoe'; expected an agent of"),
        ("scenario: llm-router\nfaults:\n  kill_at:\n  - {conversation: router/1, input: 1, effect: 1, down_s: 1,\n"
         "     agent: zoe}", 5, "kill_at[0].agent is 'zoe'"),
        ("scenario: llm-router\nnetwork:\n  partitions:\n  - {start_s: 0, end_s: 1,\n     side: [router, zoe]}", 5,
         "partitions[0].side is 'zoe'; expected an agent of this world (router, "),
        ("scenario: llm-router\nuntil_s: soon", 2, "until_s is 'soon'; expected a number"),
        ("scenario: llm-router\nuntil_s: -1", 2, "until_s is -1.0"),
        ("scenario: llm-router\nscenario: llm-router", 2, "given twice"),
        ("scenario: [llm-router", 1, "expected YAML"),
        ("scenario: !!python/name:os.system", 1, "expected YAML"),
        ("- llm-router", 1, "no mapping"),
        ("scenario: llm-router\nseed: !!int x", 2, "'x' cannot be read as int; expected a value that fits"),
        ("scenario: llm-router\nseed: !!int ''", 2, "'' cannot be read as int"),
        ("scenario: llm-router\nuntil_s: !!float x", 2, "'x' cannot be read as float"),
        ("scenario: llm-router\ncheck: !!bool x", 2, "'x' cannot be read as bool"),
        ("scenario: llm-router\nseed: !!timestamp 2001-13-45", 2, "cannot be read as timestamp"),
        ("scenario: llm-router\nseed: !!timestamp x", 2, "cannot be read as timestamp"),
        ("scenario: llm-router\nseed: " + "9" * 5_000, 2, "9... cannot be read as int"),
    ],
)  # fmt: skip
def test_errors_name_line_field_value_and_expectation(text: str, line: int, words: str) -> None:
    """One sentence that says where to look and what to write."""
    with pytest.raises(BadFileError) as caught:
        understand(*parse(text, "f.yaml"), "f.yaml")

    assert caught.value.line == line
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"f.yaml, line {line}: ")


@pytest.mark.parametrize("text", ["", "# nothing", "seed: 3"])
def test_a_file_without_a_scenario_is_no_settings_file(text: str) -> None:
    """The error says what is missing."""
    with pytest.raises(BadFileError, match=r"f\.yaml"):
        understand(*parse(text, "f.yaml"), "f.yaml")


def test_what_no_text_holds_is_no_yaml() -> None:
    """A zero byte, say."""
    with pytest.raises(BadFileError, match=r"f\.yaml: unacceptable character"):
        parse("scenario: \x00", "f.yaml")


def test_aliases_do_not_make_files_explode() -> None:
    """A billion laughs end early, and so does a list that contains itself."""
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 9)
    )
    for text in (laughs, "a: &a [*a]"):
        with pytest.raises(BadFileError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e9", 1e9), ("no", "no"), ("12:30", "12:30"), ("012", "012"), ("inf", inf), ("-3", -3), ("~", None), ("'7'", "7"),
     ("true", True), ("2024-01-01", "2024-01-01"), ("[a, 1.5]", ["a", 1.5]), ("", None), (".5", 0.5)],
)  # fmt: skip
def test_values_are_read_without_the_traps_of_old_yaml(text: str, value: object) -> None:
    """Numbers are numbers, times, dates and ``no`` are text."""
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_what_is_written_down_reads_back_equal() -> None:
    """A recipe is a settings file: through JSON and back it gives the same runs."""
    found = understand(*parse(EVERYTHING), "f.yaml")
    recipe = written(
        found.scenario, found.mechanisms, found.seeds, msgspec.structs.replace(found.conditions, check=False)
    )
    again = understand(recipe, {}, "again")

    assert again.runs() == [
        msgspec.structs.replace(run, conditions=msgspec.structs.replace(run.conditions, check=False))
        for run in found.runs()
    ]


def test_functions_without_names_cannot_be_written_down() -> None:
    """A lambda has no place from which it could be had again; the recipe says so in place of settings."""
    run = Run(scenario=Errands(), mechanism=ContractNet(award_rule=no_place()))  # type: ignore[arg-type]

    assert "expected a function of a module" in execute(run).settings["not_by_name"]


class Dated(Errands, frozen=True, kw_only=True):
    """Has a setting that is no plain value."""

    day: date = date(2026, 11, 21)


def test_a_scenario_that_no_file_can_hold_runs_and_is_saved(tmp_path: Path) -> None:
    """Its result says why it cannot be run again from the file."""
    result = Simulation(Dated(), ContractNet()).run()
    result.save(tmp_path)

    assert "cannot be saved as a setting" in Result.load(tmp_path).settings["not_by_name"]


def test_the_sample_file_runs() -> None:
    """What we show works: crash, loss, three seeds, award rules by name."""
    found = load(SAMPLE)

    assert found.mechanisms["cheapest-proposal"] == ContractNet(award_rule=cheapest)
    assert found.mechanisms["random"] == RandomAssignment()
    small = msgspec.structs.replace(
        found, scenario=msgspec.structs.replace(found.scenario, tasks=5), seeds=(0,)
    )
    assert all(execute(run).records for run in small.runs())


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """And so is one that is no text."""
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WalrasError, match="No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(WalrasError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")


def test_the_schema_knows_every_section_and_setting() -> None:
    """What the file may hold is in the schema, by the classes' own names; its references all lead somewhere."""
    found = schema()
    text = msgspec.json.encode(found).decode()

    assert set(found["properties"]) == {
        "scenario", "version", "mechanism", "mechanisms", "seed", "seeds", "network", "faults", "until_s", "check",
    }  # fmt: skip
    for word in (
        "llm-router",
        "price_of_waiting",
        "contract-net",
        "reply_within_s",
        "log-normal",
        "slow-disk",
    ):
        assert word in text
    for name in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert name in found["$defs"]


@pytest.mark.parametrize(
    ("mechanism", "fitting"),
    [
        ("contract-net, award_rule", "BestValue, Weighted, best_value, cheapest, earliest_finish"),
        ("call-market, rule", "KDouble, k_double, mcafee, trade_reduction, vcg_double"),
        (
            "sealed-bid, rule",
            "KthPrice, Positions, UniformPrice, all_pay, ausubel, discriminatory, first_price, second_price, third_price, "
            "uniform_price, vickrey_multi_unit",
        ),
    ],
)
def test_a_function_that_does_not_exist_is_answered_by_those_that_fit(mechanism: str, fitting: str) -> None:
    """By what they take and return: a strategy is no clearing rule."""
    with pytest.raises(BadFileError, match=f"or module:name: one of {fitting}$"):
        understand(*parse(f"scenario: llm-router\nmechanism: {{kind: {mechanism}: 'none'}}"), "f.yaml")


def test_rules_inside_rules_are_named_like_rules() -> None:
    """A replicated mechanism in a file is that of Python code, and what is written of it is read again."""
    inside = "{kind: contract-net, award_rule: cheapest, enough: 3}"
    text = f"scenario: llm-router\nmechanisms:\n  safe: {{kind: 'consensus.replicated:Replicated', mechanism: {inside}}}"
    rules = Replicated(ContractNet(award_rule=cheapest, enough=3))
    assert understand(*parse(text), "f.yaml").mechanisms == {"safe": rules}

    own = replace(rules, replicas=("a", "b", "c"), log=RaftLog(election_s=2.0))
    result = Simulation(Errands(), own, 3).run()
    assert result.settings is not None
    assert understand(result.settings, {}, "the result").mechanisms == {result.mechanism: own}
    assert Run is type(again := understand(result.settings, {}, "the result").runs()[0])
    assert execute(again).digest == result.digest


class Seeded(Scenario, frozen=True, kw_only=True):
    """Who is there depends on the seed."""

    name = "seeded"

    def draw(self, seed: int) -> Instance:
        return Instance([Agent(f"agent-{k}") for k in range(seed)], [])


def test_agents_are_looked_for_in_the_world_of_the_first_seed() -> None:
    """And all of the message is true: who is there, and how many more."""
    text = "scenario: {kind: 'tests.study.test_declared:Seeded'}\nseeds: [%d, 9]\nfaults:\n  schedule:\n"
    text += "  - {kind: crash, agent: %s, at_s: 1, down_s: 1}"
    assert understand(*parse(text % (3, "agent-2")), "f.yaml").seeds == (3, 9)
    for seed, told in ((8, "agent-6, agent-7"), (10, "agent-6, agent-7 and 2 more")):
        with pytest.raises(BadFileError, match=rf"line 5: schedule\[0\].agent is 'nobody'; .* {told}\)$"):
            understand(*parse(text % (seed, "nobody")), "f.yaml")


def test_a_scenario_that_draws_no_world_is_refused_before_its_agents_are_looked_for() -> None:
    text = "scenario: {kind: 'tests.simulation.test_simulation:Nothing'}\n"
    text += "faults: {schedule: [{kind: crash, agent: a, at_s: 1, down_s: 1}]}"
    with pytest.raises(BadFileError, match="line 1: what the scenario draws is None"):
        understand(*parse(text), "f.yaml")


def test_a_fault_may_befall_a_deputy_and_whoever_is_there_after_a_change() -> None:
    """Agents are looked for in the world as it will be: deputies are in it, and what the file says may be changed before."""
    text = """
    scenario: {kind: llm-router, tasks: 3, models: [dbrx-instruct]}
    mechanism: {kind: "consensus.replicated:Replicated", mechanism: {kind: contract-net}}
    faults: {schedule: [{kind: crash, agent: replica-1, at_s: 1, down_s: 1}]}
    """
    found = understand(*parse(text), "f.yaml")
    assert [type(rules) for rules in found.mechanisms.values()] == [Replicated]
    file = SettingsFile(parse(text)[1], "f.yaml")
    with pytest.raises(BadFileError, match=r"line 4: schedule\[0\].agent is 'replica-1'"):
        file.check_agents(replace(file.read(parse(text)[0]), mechanisms={}))
