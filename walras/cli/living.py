"""``walras live``: run a market from its file, run it again from its recording, verify an audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.text import Text

from walras.cli import showing
from walras.cli.asking import mechanisms_of
from walras.errors import WalrasError
from walras.messages import AgentId
from walras.results import Result
from walras.results.recipe import imported

if TYPE_CHECKING:
    from walras.cli.board import Board
    from walras.live.audit import Verified
    from walras.study.market_file import MarketFile

VERIFY = "verify"

_FRAMES_PER_SECOND = 8


def live(
    what: Annotated[str, typer.Argument(metavar="MARKET", help="A market file in YAML; or the word verify.")],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="With verify: the audit trail to be checked.")
    ] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="FILE", help="Run it in the simulator, from this recording.")
    ] = None,
    swap: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MODULE:FUNCTION", help="With --replay: another mind.")
    ] = None,
    mechanism: Annotated[
        str | None, typer.Option("--mechanism", "-m", help="With --replay: other rules, as in run.")
    ] = None,
    head: Annotated[
        str, typer.Option(metavar="SEAL", help="With verify: a seal that was noted; it has to be there.")
    ] = "",
    secret_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With verify: the environment variable that holds the market's secret."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
    ] = False,
) -> int:
    """Run a live market and show its board, or run it again from a recording; `verify FILE` checks an audit trail."""
    if what == VERIFY:
        return _verify(file, head, secret_env, json=json)
    if head or secret_env is not None:
        raise WalrasError(
            "--head and --secret-env are for verify FILE; a market file has a secret_env of its own"
        )
    if file is not None:
        raise WalrasError(f"{file} is one argument too many; expected one market file, or verify FILE")
    from walras.study.market_file import load  # asyncio and the adapters take half a second to load

    market = load(what, minds=replay is None)
    if replay is not None:
        return _replay(market, replay, swap or [], mechanism, json=json)
    if swap or mechanism:
        raise WalrasError("--swap and --mechanism are for --replay FILE; expected neither without it")
    return _run(market, json=json)


# -------------------------------------------------------------------------------------------------------- running


def _run(market: MarketFile, *, json: bool) -> int:
    import asyncio

    from rich.live import Live as Screen

    from walras.cli.board import Board

    board = Board(market)
    to = showing.console()
    if json or not to.is_terminal or "human" in market.kinds.values():  # a person needs the terminal
        result = asyncio.run(market.run(board.see))
    else:
        with Screen(
            get_renderable=board.table, console=to, refresh_per_second=_FRAMES_PER_SECOND, transient=True
        ):
            result = asyncio.run(market.run(board.see))
    _show(market, result, board, json=json)
    return 0


def _show(market: MarketFile, result: Result, board: Board | None, *, json: bool) -> None:
    if json:
        print(msgspec.json.encode(_as_json(market, result, board)).decode())
        return
    to = showing.console()
    if board is not None:
        to.print(board.table())
        for reason in board.reasons:
            to.print(Text(reason))
    for conversation, outcome in result.outcomes.items():
        why = f" ({outcome.why})" if outcome.why else ""
        to.print(Text(f"{conversation}: {outcome.status}{why}"))
    for line in result.allocation.lines:
        if line.winner is not None:
            to.print(Text(f"  {line.item} goes to {line.winner} at {line.price:g}"))
    to.print(str(result), markup=False)


def _as_json(market: MarketFile, result: Result, board: Board | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "market": market.name,
        "mechanism": market.mechanism.protocol,
        "seed": result.seed,
        "digest": result.digest,
        "allocation": result.allocation.rows(),
        "outcomes": {id_: {"status": o.status, "why": o.why} for id_, o in result.outcomes.items()},
        "metrics": result.metrics,
    }
    if board is not None:
        found["participants"] = {name: line.as_json() for name, line in board.lines.items()}
        found["cost_usd"] = board.cost_usd
    return found


# ---------------------------------------------------------------------------------------------------------- again


def _replay(
    market: MarketFile, recording: str, swaps: list[str], mechanism: str | None, *, json: bool
) -> int:
    from walras.live.approval import Approved

    rules = otherwise = None
    # its questions were not asked then: who has no recorded answer answers by its default
    if mechanism is not None:
        (rules,) = mechanisms_of([mechanism]).values()
        otherwise = rules.default_strategy
        if isinstance(market.mechanism, Approved):
            rules = market.mechanism.around(rules)
    again = market.market(minds=False).replayed(
        recording, _swapped(swaps), mechanism=rules, otherwise=otherwise
    )
    _show(market, again.simulated(), None, json=json)
    return 0


def _swapped(swaps: list[str]) -> dict[AgentId, Any]:
    found: dict[AgentId, Any] = {}
    for one in swaps:
        name, equals, place = one.partition("=")
        if not equals or ":" not in place:
            raise WalrasError(f"--swap {one} names no mind; expected NAME=module:function")
        found[name] = imported(place)
    return found


# ------------------------------------------------------------------------------------------------------ verifying


def _verify(file: str | None, head: str, secret_env: str | None, *, json: bool) -> int:
    if file is None:
        raise WalrasError("there is no file to verify; expected walras live verify FILE")
    from walras.live.audit import verify
    from walras.study.environment import secret_from

    secret = secret_from(secret_env, "--secret-env") if secret_env is not None else b""
    found = verify(file, secret, head)
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        _show_verified(file, found, sealed_with_secret=bool(secret))
    return 0 if found.sound else 1


def _show_verified(file: str, found: Verified, *, sealed_with_secret: bool) -> None:
    for finding in found.findings:
        print(f"{file}, {finding}")
    if not sealed_with_secret and any(finding.line == 1 for finding in found.findings):
        print(f"{file}: if its market had a secret, expected --secret-env NAME")
    state = "sound" if found.sound else f"not sound: {len(found.findings)} findings"
    end = "closed" if found.closed else "not closed: the market goes on, or was killed"
    print(f"{file}: {state}, {found.facts:,} facts in {found.lines:,} lines, {end}; head {found.head}")
