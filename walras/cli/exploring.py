"""`walras explore`: many worlds in which things go wrong, until something breaks."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from walras.amounts import is_number, is_whole
from walras.cli import folders
from walras.errors import WalrasError
from walras.study.declared import seeds_of
from walras.study.yaml_file import scalar

if TYPE_CHECKING:
    from walras.study.explore.explorer import Exploration
    from walras.study.explore.plan import Target


def explore(
    target: Annotated[str, typer.Argument(help="What to explore: raft.")],
    seeds: Annotated[str, typer.Option(help="How many worlds, from seed 0; or 100:200.")] = "100",
    seed: Annotated[str | None, typer.Option(help="Only this world.")] = None,
    replicas: Annotated[
        str | None, typer.Option(help="How many replicas, odd; else each seed draws 3 or 5.")
    ] = None,
    seconds: Annotated[
        str, typer.Option(metavar="S", help="How long there is work to do, simulated.")
    ] = "10",
    workers: Annotated[str, typer.Option(help="How many processes.")] = "1",
    lease: Annotated[
        bool, typer.Option("--lease", help="Reads trust leases, whatever the clocks do.")
    ] = False,
    worlds: Annotated[str, typer.Option(help="Their kind: any, skewed, level, crashing or alike.")] = "any",
    plan: Annotated[
        str | None, typer.Option(metavar="FILE", help="Run this plan again, which `--out` has made.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
    ] = False,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Save what was found there.")] = None,
) -> int:
    """Run many worlds drawn from seeds, in which all kinds of things go wrong; exit code 1 if something breaks.

    A seed that breaks something is shrunk to the least that still does, which is printed with what happened.
    """
    from walras.study.explore.explorer import explore as explored
    from walras.study.explore.targets import find_target

    wanted = find_target(
        target, replicas=None if replicas is None else scalar(replicas), lease=lease, worlds=worlds
    )
    if plan is not None:
        return _again(wanted, plan, as_json=json)
    folder = folders.prepared(out)
    chosen = (_number("seed", seed),) if seed is not None else _seeds(seeds)
    with _Bar(len(chosen), hidden=json) as bar:
        found = explored(
            wanted,
            chosen,
            _number("seconds", seconds),
            workers=_number("workers", workers),
            progress=bar.show,
        )
    if folder is not None:
        _save(found, folder)
    print(msgspec.json.encode(_summary(found)).decode() if json else _told(found, wanted))
    return 1 if found.found else 0


def _seeds(given: str) -> Sequence[int]:
    """``100`` are a hundred seeds here, since one alone has an option of its own."""
    value = scalar(given)
    if not is_number(value):
        return seeds_of(value)
    if not is_whole(value, 1):
        raise WalrasError(f"--seeds is {given}; expected how many, 1 or more, or a range such as 100:200")
    return range(value)


def _number(option: str, given: str) -> Any:
    value = scalar(given)
    if not is_number(value) or (option != "seconds" and value % 1):
        raise WalrasError(f"--{option} is {given}; expected a number")
    return value


def _again(target: "Target", file: str, *, as_json: bool) -> int:
    """Run a saved plan."""
    try:
        plan = msgspec.json.decode(Path(file).read_bytes(), type=target.plan_type)
    except OSError as error:
        raise WalrasError(f"--plan {file} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise WalrasError(f"--plan {file} is no plan for {target.name}: {error}") from None
    trial = target.run(plan)
    if as_json:
        print(msgspec.json.encode(trial).decode())
    else:
        said = f"breaks {trial.broken}: {trial.why}" if trial.broken else "nothing breaks"
        print("\n".join([str(plan), "", *trial.transcript, said]))
    return 1 if trial.broken else 0


def _save(found: "Exploration", folder: Path) -> None:
    """A summary, and for each seed that breaks something its plan, for `--plan`, and its transcript."""
    (folder / "exploration.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(_summary(found)), indent=2)
    )
    for one in found.found:
        name = f"{found.target}-seed-{one.seed}"
        (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(one.plan), indent=2))
        (folder / f"{name}.txt").write_text(f"{one}\n")


def _summary(found: "Exploration") -> dict[str, Any]:
    return {
        "target": found.target,
        "seeds": found.seeds,
        "seconds": found.seconds,
        "simulated_s": round(found.simulated_s, 3),
        "took_s": round(found.took_s, 3),
        "counts": dict(sorted(found.counts.items())),
        "found": [
            {"seed": one.seed, "broken": one.trial.broken, "why": one.trial.why, "plan": one.plan,
             "transcript": one.shrunk.transcript}
            for one in found.found
        ],
    }  # fmt: skip


def _told(found: "Exploration", target: "Target") -> str:
    """For people: what happened how often, what never, and what broke."""
    speed = found.seeds / found.took_s if found.took_s else 0.0
    worlds = "1 seed" if found.seeds == 1 else f"{found.seeds:,} seeds"
    width = max((len(name) for name in found.counts), default=0)
    lines = [
        f"{worlds}, {found.simulated_s:,.0f} simulated seconds, {speed:.1f} seeds per second",
        "",
    ]
    lines += [f"    {name:<{width}} {count:>10,}" for name, count in sorted(found.counts.items())]
    if missing := found.missing(target.expected):
        lines += ["", f"never happened: {', '.join(missing)}"]
    lines += ["", *(str(one) for one in found.found)] if found.found else ["", "nothing broke"]
    return "\n".join(lines)


class _Bar:
    """A progress bar on a terminal."""

    def __init__(self, total: int, *, hidden: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("exploring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(
            *columns, transient=True, console=Console(stderr=True), disable=hidden or not sys.stderr.isatty()
        )
        self.task = self.bar.add_task("seeds", total=total)

    def __enter__(self) -> "_Bar":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, done: int) -> None:
        """So many seeds are done."""
        self.bar.update(self.task, completed=done)
