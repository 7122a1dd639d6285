"""The `walras` command: list, run, compare, replay, show and report, from a shell.

What can be wrong with the input is said in one sentence on stderr, with exit code 2. Ctrl-C is exit code 130, after
what there was has been saved. Anything else that is raised is a bug and keeps its traceback.
"""

import os
import sys
from collections.abc import Sequence

from walras.errors import WalrasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (None: those of the process) and return its exit code."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files
    import typer

    from walras.cli.commands import app

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=given or ["--help"], prog_name="walras", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except WalrasError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:  # `walras list | head`: the reader has gone, and that is all right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # a complaint of typer's, whose classes moved between versions
        said = getattr(error, "format_message", None)
        if said is None:
            raise
        return _complain(said())


def _complain(sentence: str) -> int:
    print("walras:", " ".join(sentence.split()), file=sys.stderr)
    return 2
