"""The `walras` command: list, run, compare, replay, show and report, from a shell.

What can be wrong with the input is said in one sentence on stderr, with exit code 2. Ctrl-C is exit code 130, after
what there was has been saved. Anything else that is raised is a bug and keeps its traceback.
"""

import errno
import os
import sys
from collections.abc import Sequence

from walras.errors import WalrasError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Errors of writing, to whatever stdout is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (None: those of the process) and return its exit code."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files
    import typer

    from walras.cli.commands import app

    given = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:  # so Python has it where the shell closed it
        return _complain("stdout is closed; expected a place for what there is to say")
    try:
        code = app(args=given or ["--help"], prog_name="walras", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except WalrasError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:  # `walras list | head`: the reader has gone, and that is all right
        _print_nowhere()
        return 0
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _print_nowhere()
        return _complain(
            f"what there is to say cannot be written: {error.strerror}; expected a place with room for it"
        )
    except Exception as error:
        # a complaint of typer's, whose classes moved between versions
        said = getattr(error, "format_message", None)
        if said is None:
            raise
        return _complain(said())


def _print_nowhere() -> None:
    """What is left of the output is lost; else Python would try to write it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(sentence: str) -> int:
    print("walras:", " ".join(sentence.split()), file=sys.stderr)
    return 2
