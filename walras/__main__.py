"""``python -m walras``: the `walras` command, where its script is not on the path."""

from walras.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
