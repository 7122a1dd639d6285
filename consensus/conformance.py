"""Conformance of our consensus protocols with transcripts of others.

``python -m consensus.conformance raft DIR [--json]`` replays every transcript in a folder and its subfolders: etcd's
format, with files on majorities, on membership changes and on whole clusters (see `consensus.raft.transcripts`). It prints
how many files and directives matched and the first difference of each file that has one, and exits with 1 if any has.

Log lines (DEBUG, INFO, WARN, ERROR, FATAL) are left out on both sides, since their wording is no part of the protocol.
There are no other deviations on purpose (their count is 0), and no file is treated differently from any other.

Where no transcript can show it, the core differs from etcd's in six places:

- a membership change that cannot be made at all (it leaves no voter) is emptied, or an error where it is proposed;
  etcd's nodes stop with a panic when it is applied;
- read requests that wait for a new leader's first commit are forgotten when it loses its leadership; etcd keeps them for
  the next time it leads;
- a member that is removed and added again in one change keeps its progress;
- a snapshot that does not know of a newcomer is not sent to it: it would refuse it and wait for ever;
- after a restart the state begins at the snapshot, and the configuration at `Settings.applied` is worked out from the log;
- a lease rests on answers to heartbeats of the last election timeout, which heartbeats number for that, and ends with a
  handover; voters uphold it over a restart and in later terms. Without one a read makes a round; etcd trusts its last
  check of a quorum.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from consensus.raft.transcripts.running import Difference, Summary, run_folder, summarize
from walras.errors import WalrasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from a shell; 0 if everything matched, 1 if something differed, 2 if there was nothing to run."""
    parser = argparse.ArgumentParser(prog="python -m consensus.conformance", description=(__doc__ or ""))
    parser.add_argument("protocol", choices=["raft"])
    parser.add_argument("folder", type=Path, help="where the transcripts are, in any subfolder")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    try:
        summary = summarize(run_folder(options.folder))
    except WalrasError as error:
        parser.error(str(error))
    if not summary.files:
        parser.error(f"there is no transcript in {options.folder}")
    if options.json:
        shown = msgspec.json.format(msgspec.json.encode(summary)).decode()
    else:
        shown = _text(summary)
    sys.stdout.write(shown + "\n")
    return 1 if summary.differences else 0


def _text(summary: Summary) -> str:
    lines = [
        f"files       {summary.files_passed} of {summary.files}",
        f"directives  {summary.directives_matched} of {summary.directives}",
    ]
    for file, difference in summary.differences.items():
        lines += ["", *_difference(file, difference)]
    return "\n".join(lines)


def _difference(file: str, difference: Difference) -> list[str]:
    return [
        f"{file}:{difference.line} {difference.command}",
        "  expected",
        *(f"    {line}" for line in difference.expected),
        "  printed",
        *(f"    {line}" for line in difference.printed),
    ]


if __name__ == "__main__":
    sys.exit(main())
