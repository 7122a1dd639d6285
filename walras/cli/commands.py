"""The commands. Each turns its options into objects, calls the library and shows what it returns; it returns its exit code."""

import sys
from os.path import isfile  # unlike that of Path, it is false for what is too long for a name
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from walras.cli import asking, folders, showing
from walras.cli.exploring import explore
from walras.cli.living import live
from walras.errors import ScenarioError, WalrasError
from walras.results import Result
from walras.results.recipe import NOT_BY_NAME
from walras.study import catalogue
from walras.study.compare import InterruptedStudyError, compare
from walras.study.declared import Declared, understand
from walras.study.runs import INTERRUPTED as CUT_SHORT, InterruptedRunError, Run, execute
from walras.study.study import HEAD as STUDY, Study
from walras.study.yaml_file import scalar

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Markets of agents: run scenarios with mechanisms, compare mechanisms, read and repeat runs.",
)

app.command()(live)

INTERRUPTED = 130

Where = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="A scenario, as in llm-router:tasks=20, or a settings file in YAML."
    ),
]
Mechanisms = Annotated[
    list[str] | None,
    typer.Option(
        "--mechanism",
        "-m",
        metavar="NAME",
        help="A mechanism, with settings as in contract-net:award_rule=cheapest,pause_s=2; may be repeated.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the scenario; may be repeated."),
]
Until = Annotated[str | None, typer.Option(metavar="S", help="Stop at this time, seconds of the run.")]
Check = Annotated[
    bool,
    typer.Option("--check", metavar="", help="Check every role's invariants after every input (slower)."),
]
Json = Annotated[
    bool, typer.Option("--json", metavar="", help="One JSON object per run on stdout, and nothing else.")
]
Out = Annotated[str | None, typer.Option(metavar="DIR", help="Save everything and a report there.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="What `--out` has made.")]


@app.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one, with what its settings mean.")
    ] = None,
) -> None:
    """Show the scenarios and mechanisms there are, with their settings."""
    if name is None:
        showing.show_catalogue()
    else:
        for cls in catalogue.find_any(name):
            showing.show_class(cls)


@app.command()
def run(
    scenario: Where,
    mechanism: Mechanisms = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="Which world; 0 if not given.")] = None,
    set_: Changes = None,
    until: Until = None,
    check: Check = False,
    json: Json = False,
    out: Out = None,
) -> int:
    """Run a scenario with one mechanism, or with several side by side in the same world."""
    asked = asking.asked(scenario, mechanism or [], seed, set_ or [], until, check=check)
    chosen = bool(asked.mechanisms)
    if not chosen:
        asked = msgspec.structs.replace(asked, mechanisms=asking.mechanisms_of([asking.DEFAULT_MECHANISM]))
    folder = folders.for_runs(out, asked)
    results: list[Result] = []
    try:
        _run_all(asked, results, folder, json=json)
    except KeyboardInterrupt as error:
        if isinstance(error, InterruptedRunError):
            _keep(error.result, folder, asked)
        return _interrupted(f"{len(results)} of {len(asked.runs())} runs had ended", folder)
    except ScenarioError as error:
        if chosen or error.field != "items":
            raise
        raise WalrasError(f"{error}; choose a mechanism with -m, as `walras list` has them") from None
    _report(results, folder, quiet=json)
    return 0


def _run_all(asked: Declared, results: list[Result], folder: Path | None, *, json: bool) -> None:
    """Run them one after the other; those that have ended are shown, whatever becomes of the next."""
    try:
        for one in asked.runs():
            known = next((done.optimum for done in results if done.seed == one.seed), msgspec.UNSET)
            results.append(execute(one, known, progress=False if json else None))
            _keep(results[-1], folder, asked)
            if json:
                print(showing.as_line(results[-1]), flush=True)
    finally:
        if results and not json:
            showing.show_results(results)


def _keep(result: Result, folder: Path | None, asked: Declared) -> None:
    if folder is not None:
        result.save(folders.place_of(result, folder, several_seeds=len(asked.seeds) > 1))


def _interrupted(how_far: str, folder: Path | None) -> int:
    where = f"; what there is has been saved in {folder}" if folder is not None else ""
    print(f"walras: interrupted, {how_far}{where}", file=sys.stderr)
    return INTERRUPTED


def _report(found: list[Result] | Study, folder: Path | None, *, quiet: bool) -> None:
    if folder is None:
        return
    from walras.study.report import write_report  # draws, which takes a second to load

    page = write_report(found, folder)
    if not quiet:
        showing.console().print(f"saved in {folder}, with a report: {page}", soft_wrap=True)


@app.command("compare")
def compare_(
    scenarios: Annotated[
        list[str], typer.Argument(metavar="SCENARIO...", help="Scenarios or settings files.")
    ],
    mechanism: Mechanisms = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="N[:N]", help="Which worlds: 7, or 0:30 for thirty of them.")
    ] = None,
    workers: Annotated[str, typer.Option(metavar="N", help="How many processes.")] = "1",
    set_: Changes = None,
    until: Until = None,
    check: Check = False,
    json: Json = False,
    out: Out = None,
) -> int:
    """Run mechanisms in many worlds, and say which differences are more than chance."""
    asked = [asking.asked(one, mechanism or [], seeds, set_ or [], until, check=check) for one in scenarios]
    first = asked[0]
    if any(
        (one.mechanisms, one.seeds, one.conditions) != (first.mechanisms, first.seeds, first.conditions)
        for one in asked
    ):
        raise WalrasError(
            f"{', '.join(scenarios)} differ in more than the scenario; expected the same for all of them"
        )
    if not first.mechanisms:
        raise WalrasError("there is nothing to compare; expected --mechanism, best twice or more")
    folder = folders.for_study(out)
    try:
        study = compare(
            [one.scenario for one in asked], first.mechanisms, first.seeds, scalar(workers),
            progress=False if json else None, conditions=first.conditions,
        )  # fmt: skip
    except InterruptedStudyError as error:
        _save_and_show(error.study, folder, json=json)
        return _interrupted(f"{len(error.study.rows)} runs had ended", folder)
    return _told(study, folder, json=json)


def _save_and_show(study: Study, folder: Path | None, *, json: bool) -> None:
    if folder is not None:
        study.save(folder)
    if json:
        for row in study.rows:
            print(showing.as_line(row))
    else:
        showing.show_study(study)


def _told(study: Study, folder: Path | None, *, json: bool) -> int:
    _save_and_show(study, folder, json=json)
    failed = study.errors
    if len(failed) == len(study.rows):
        raise WalrasError(f"all {len(failed)} runs failed, the first one with {failed[0].error}")
    _report(study, folder, quiet=json)
    for row in failed:
        print(
            f"walras: {row.scenario}, {row.mechanism}, seed {row.seed} failed: {row.error}", file=sys.stderr
        )
    return 1 if failed else 0


@app.command()
def replay(folder: Folder) -> int:
    """Run saved runs again, and compare the traces row by row; exit code 1 if they differ."""
    code = 0
    for place, result in folders.saved(folder):
        again = execute(_again(result, place), keep_trace=result.trace.kept)
        differs = _difference(result, again)
        same = f"the same {len(result.trace):,} rows, digest {result.digest}"
        print(f"{place}: {result.mechanism or 'no mechanism'}, seed {result.seed}: {differs or same}")
        code = 1 if differs else code
    return code


def _difference(result: Result, again: Result) -> str:
    """Where a run and its repetition differ; empty if nowhere, as far as the run got."""
    if not result.trace.kept:
        same = result.digest == again.digest
        return "" if same else f"the digest was {result.digest} and is {again.digest}; its rows were not kept"
    found = result.trace.first_difference(again.trace)
    cut_short = found is not None and found.this is None and result.stopped_because == CUT_SHORT
    return "" if found is None or cut_short else str(found)


def _again(result: Result, place: Path) -> Run:
    """The run that a result came from."""
    source = str(place / "result.json")
    if not result.settings:
        raise WalrasError(
            f"{source} has no settings to run it again, which only a run of a scenario has; expected its own program, "
            "in which Simulation.replay compares it with what was saved"
        )
    if NOT_BY_NAME in result.settings:
        raise WalrasError(f"{source} cannot be run again: {result.settings[NOT_BY_NAME]}")
    runs = understand(result.settings, {}, source).runs()
    if len(runs) != 1:
        raise WalrasError(f"{source} has the settings of {len(runs)} runs; expected those of one")
    return runs[0]


@app.command()
def show(
    folder: Folder,
    conversation: Annotated[
        str | None, typer.Argument(metavar="CONVERSATION", help="Its id, as in router/17.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", metavar="", help="Timers, questions and records, too.")
    ] = False,
) -> None:
    """Show the conversations of a saved run, or the transcript of one."""
    result = folders.the_one(folder)
    if conversation is None:
        showing.show_conversations(result)
    else:
        print(result.trace.conversation(conversation, children=True, everything=everything))


@app.command()
def report(folder: Folder) -> None:
    """Write the report of saved runs or of a saved study again."""
    study = Path(folder) / STUDY
    found = Study.load(folder) if isfile(study) else folders.comparable(folder)
    _report(found, Path(folder), quiet=False)


app.command()(explore)


@app.command()
def schema() -> None:
    """Print the JSON Schema of settings files."""
    from walras.study.schema import schema as made

    print(msgspec.json.format(msgspec.json.encode(made()), indent=2).decode())
