"""The house rules that a machine can check. Each failure says which rule, where, and what to do instead."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("contractnet", "auctions", "consensus", "scenarios", "walras")
NOT_KERNEL = {"__init__.py", "__main__.py", "cli.py"}

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 7

CLOCKS_DICE_AND_SOCKETS = {
    "asyncio", "concurrent", "http", "multiprocessing", "requests", "secrets", "select", "selectors",
    "socket", "ssl", "subprocess", "threading", "time", "urllib", "uuid",
}  # fmt: skip
SEEDED_DICE = {"Random"}  # the only name of `random` that a kernel module or protocol may use
UNFINISHED = re.compile(r"#.*\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")

# Folders that exist on somebody's machine and on no reader's; in a web address a name precedes the slash.
MACHINE_PATH = re.compile(
    r"(?<![\w.\-/~])/(?:" + "|".join(["root", "home", "Users", "work", "opt", "mnt", "srv", "tmp"]) + r")/\w"
)
NOT_TEXT = {".png", ".jpg", ".gif", ".svg", ".pdf", ".parquet", ".npz", ".gz", ".zip", ".ico"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def kernel_and_protocols() -> list[Path]:
    kernel = sorted(path for path in (ROOT / "walras").glob("*.py") if path.name not in NOT_KERNEL)
    rooms = sources("contractnet", "auctions", "consensus")
    return kernel + [path for path in rooms if path.name != "__main__.py"]  # a command line is no protocol


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imports(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Line, module and imported name ('' for a plain `import`) of every import in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def told(faults: list[str], rule: str) -> str:
    """What a failing test says: the rule, and where it is broken."""
    return "\n".join([rule, *(f"  {fault}" for fault in faults)])


# ------------------------------------------------------------------------------ what is checked, as functions


def reaches_for_the_world(tree: ast.Module, makes_streams: bool) -> Iterator[tuple[int, str]]:
    """House rule 1: where a module imports a clock, a socket or asyncio, or throws dice of its own."""
    for line, module, imported in imports(tree):
        if module.split(".")[0] in CLOCKS_DICE_AND_SOCKETS:
            yield line, f"imports {module}"
        elif module == "random" and imported and imported not in SEEDED_DICE:
            yield line, f"imports random.{imported}"
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = ast.unparse(node.func)
        if re.search(r"\b(datetime|date)\.(now|utcnow|today)$", called):
            yield node.lineno, f"reads the clock: {called}()"
        elif makes_streams:
            continue
        elif re.fullmatch(r"(random\.)?Random|random\.\w+|(np|numpy)\.random\.\w+|default_rng", called):
            yield node.lineno, f"throws its own dice: {called}()"


def imports_the_package(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module imports `walras` itself, or imports relatively."""
    for line, module, imported in imports(tree):
        if module == "walras" or module.startswith("."):
            yield line, f"from {module} import {imported}" if imported else f"import {module}"


def too_long(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for function in functions(tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield function.lineno, f"{function.name} has {length} lines"


def too_many_parameters(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for function in functions(tree):
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > MAX_PARAMETERS:
            yield function.lineno, f"{function.name} has {count} parameters"


def unfinished(text: str) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(text.splitlines(), start=1):
        if UNFINISHED.search(content):
            yield line, content.strip()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node.lineno, "NotImplementedError"


# -------------------------------------------------------------------------------------------------- the rules


def test_kernel_and_protocols_reach_for_no_clock_dice_or_socket() -> None:
    faults = [
        f"{name(path)}:{line} {what}"
        for path in kernel_and_protocols()
        for line, what in reaches_for_the_world(tree_of(path), name(path) == "walras/randomness.py")
    ]
    assert not faults, told(
        faults,
        "House rule 1, methods in, ordered effects out: read self.now, draw from self.rng (streams are made "
        "in walras/randomness.py), and ask the runtime for everything else through a verb.",
    )


def test_modules_import_kernel_modules_and_never_the_package() -> None:
    faults = [
        f"{name(path)}:{line} {what}"
        for path in sources(*PACKAGES)
        if path.parent != ROOT / "walras" or path.name not in {"__init__.py", "__main__.py"}
        for line, what in imports_the_package(tree_of(path))
    ]
    assert not faults, told(
        faults,
        "`walras` is the users' front door, and behind it lie all rooms: inside, name the kernel module, "
        "`from walras.protocol import Protocol`, not `from walras import Protocol`.",
    )


def test_import_contracts_name_every_kernel_module() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {contract["id"]: contract for contract in configuration["tool"]["importlinter"]["contracts"]}
    kernel = {f"(walras.{path.stem})" for path in kernel_and_protocols() if path.parent.name == "walras"}
    for contract in ("floors", "kernel"):
        unnamed = kernel - set(contracts[contract]["layers"][-1].split(" : "))
        assert not unnamed, f"add {sorted(unnamed)} to the last layer of the import contract {contract!r}"


def test_files_are_at_most_500_lines() -> None:
    lengths = {
        name(path): len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES, "benchmarks")
    }
    faults = [f"{path} has {length} lines" for path, length in lengths.items() if length > MAX_FILE_LINES]
    assert not faults, told(
        faults, f"House rule 6, small: at most {MAX_FILE_LINES} lines to a file; split it by what it knows."
    )


def test_functions_are_at_most_60_lines() -> None:
    faults = [
        f"{name(path)}:{line} {what}"
        for path in sources(*PACKAGES, "benchmarks")
        for line, what in too_long(tree_of(path))
    ]
    assert not faults, told(
        faults, f"House rule 6, small: at most {MAX_FUNCTION_LINES} lines to a function, mostly under 25."
    )


def test_functions_take_at_most_7_parameters() -> None:
    faults = [
        f"{name(path)}:{line} {what}"
        for path in sources(*PACKAGES, "benchmarks")
        if not name(path).startswith("walras/cli")  # a command's options are its settings
        for line, what in too_many_parameters(tree_of(path))
    ]
    assert not faults, told(
        faults,
        f"House rule 6, small: at most {MAX_PARAMETERS} parameters besides self; let a struct hold the rest.",
    )


def test_nothing_is_left_unfinished() -> None:
    faults = [
        f"{name(path)}:{line} {what}"
        for path in sources(*PACKAGES, "benchmarks")
        for line, what in unfinished(path.read_text("utf-8"))
    ]
    assert not faults, told(
        faults,
        "No stubs and no notes to self: finish it, or leave it out and write an issue. A base class says "
        "what is missing with abc.abstractmethod or typing.Protocol.",
    )


def test_no_file_names_a_path_of_a_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files")
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    faults = [
        f"{name(path)}:{number} {line.strip()[:100]}"
        for path in paths
        if path.is_file() and path.suffix not in NOT_TEXT
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not faults, told(
        faults,
        "A path of one machine means nothing on another: make it relative, or take it from the caller.",
    )


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*{{module.split('.')[0] for module in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{statement}\n{done.stderr}"
    return set(done.stdout.split())


def test_importing_kernel_and_protocols_loads_no_simulator_tables_or_solver() -> None:
    modules = [
        name(path)[:-3].replace("/", ".") for path in kernel_and_protocols() if path.parent.name == "walras"
    ]
    rooms = ["walras", "contractnet", "auctions", "consensus"]
    heavy = {
        "simpy",
        "mesa",
        "pandas",
        "scipy",
        "matplotlib",
        "networkx",
        "yaml",
        "jinja2",
        "rich",
        "typer",
        "asyncio",
    }
    loaded = loaded_by(f"import {', '.join(rooms + modules)}") & heavy
    assert not loaded, (
        f"importing the kernel loads {sorted(loaded)}: import it where it is used, in its own room"
    )


# ----------------------------------------------------------------------------- the checks can fail themselves


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from asyncio import sleep",
        "from random import shuffle",
        "import random\nrandom.choice([1])",
        "import datetime\ndatetime.datetime.now()",
        "from random import Random\nRandom(7)",
        "import numpy as np\nnp.random.default_rng(7)",
    ],
)
def test_reaching_for_the_world_is_seen(code: str) -> None:
    assert list(reaches_for_the_world(ast.parse(code), makes_streams=False))


@pytest.mark.parametrize(
    "code", ["from random import Random\ndef draw(rng: Random): return rng.random()", "self.rng.choice(bids)"]
)
def test_drawing_from_a_given_stream_is_allowed(code: str) -> None:
    assert not list(reaches_for_the_world(ast.parse(code), makes_streams=False))


@pytest.mark.parametrize("code", ["import walras", "from walras import Protocol", "from . import protocol"])
def test_importing_the_package_is_seen(code: str) -> None:
    assert list(imports_the_package(ast.parse(code)))


def test_size_limits_count_as_a_reader_does() -> None:
    fits = "def f():\n" + "    pass\n" * (MAX_FUNCTION_LINES - 1)
    assert not list(too_long(ast.parse(fits)))
    assert list(too_long(ast.parse(fits + "    pass\n")))
    assert not list(too_many_parameters(ast.parse("def f(self, a, b, c, d, *, e, f, g): pass")))
    assert list(too_many_parameters(ast.parse("def f(a, b, c, d, *, e, f, g, h): pass")))


def test_unfinished_work_and_machine_paths_are_seen() -> None:
    note = "TO" + "DO"  # in two parts, so that these lines do not accuse themselves
    folder = "/".join(["", "home", "ada"])
    assert list(unfinished(f"x = 1  # {note} later"))
    assert list(unfinished("def f():\n    raise NotImplementedError"))
    assert MACHINE_PATH.search(f"open('{folder}/bids.csv')")
    assert not MACHINE_PATH.search(f"https://example.org{folder}, ../shared/data and bids/root/x")
