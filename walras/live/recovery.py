"""Bringing a market back: the same inputs in the same order, and then what was left open.

While the journal is read nothing leaves the market: minds are not asked and work is not done. What the journal proves
done is done; what is left in the agenda afterwards (messages under way, timers at their absolute times, children's
outcomes) takes place now, open questions are asked again, and work is taken up again under its key.
"""

from __future__ import annotations

import logging
import pickle
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from walras.errors import WalrasError
from walras.live.journal import Input, Journal, JournalError
from walras.live.snapshot import restore, take
from walras.messages import AgentId, ConversationId

if typing.TYPE_CHECKING:
    from walras.live.port import Port
    from walras.live.runtime import Runtime


log = logging.getLogger("walras.live")


def bring_back(runtime: Runtime, journal: Journal) -> bool:
    """Live the life again that the journal has; false if it is a new one.

    Raises:
        JournalError: for a journal that this program could not have written.
    """
    copy = journal.snapshot()
    found = copy is not None
    if copy is not None:
        with _damage("its copy of the market"):
            restore(runtime, copy)
    for row in journal.inputs():
        found = True
        with _damage(f"row {row.number} ({row.what})"):
            _live_again(runtime, row)
    if found and _records_roles(runtime):
        journal.write(runtime.now, 0, runtime.take_restart.__name__, journal.encode(()))
        runtime.take_restart()
    return found


def _live_again(runtime: Runtime, row: Input) -> None:
    agenda = runtime.agenda
    if row.serial:
        agenda.replay(row.at, row.serial, row.what)
        return
    homes = (runtime, runtime.inquiries, runtime.peers) if row.what.startswith("take_") else ()
    takes: list[Callable[..., None]] = [getattr(home, row.what) for home in homes if hasattr(home, row.what)]
    if not takes:
        raise JournalError(f"row {row.number} is {row.what!r}, which this program knows nothing of")
    agenda.now = row.at
    takes[0](*pickle.loads(row.payload))


@contextmanager
def _damage(where: str) -> Iterator[None]:
    """What cannot be unpickled or carried out is damaged, or its classes are gone: the journal's fault, and named."""
    try:
        yield
    except WalrasError:  # it says itself what is wrong
        raise
    except Exception as error:  # pickle raises nearly everything
        why = f"{type(error).__name__}: {error}"
        raise JournalError(
            f"{where} cannot be read ({why}): the journal is damaged, or this program lacks what wrote it"
        ) from error


def compact(runtime: Runtime) -> None:
    """Put a copy of the market in the place of its journal so far; one that cannot be copied keeps all of it."""
    journal = runtime.agenda.journal
    assert journal is not None
    try:
        journal.replace(take(runtime))
    except Exception:  # pickle raises nearly everything
        log.exception("the market cannot be copied, so its journal grows on")
        runtime.agenda.compact_at = inf


# ---------------------------------------------------------------------------------------------- records roles


def begin_new_lives(runtime: Runtime) -> None:
    """Records roles have forgotten all but what they persisted; what was local to them and under way is gone."""
    forgetful = _records_roles(runtime)
    for port in forgetful:
        port.host.worker.forget(port)
        for job in [job for job in runtime.jobs.values() if job.port is port]:
            del runtime.jobs[job.id]
    for entry in runtime.agenda.kept.values():
        if entry.live and _dies_with_the_machine(runtime, entry.act.__name__, entry.arguments):
            entry.call_off()
    for port in forgetful:
        port.amnesia()


def _records_roles(runtime: Runtime) -> list[Port]:
    ports = [port for talk in runtime.book.values() for port in talk.seats.values()]
    return [port for port in ports if port.role.recovery == "records" and not port.ended]


def _dies_with_the_machine(runtime: Runtime, what: str, arguments: tuple[Any, ...]) -> bool:
    if what == "deliver_tell":
        teller, conversation, _ = arguments
        return teller.role.recovery == "records" or _is_records(runtime, conversation, teller.me)
    if what == "deliver":
        conversation, sender, to, _, _ = arguments
        return sender == to and _is_records(runtime, conversation, to)
    return False


def _is_records(runtime: Runtime, conversation: ConversationId, agent: AgentId) -> bool:
    talk = runtime.book.get(conversation)
    return talk is not None and agent in talk.seats and talk.seats[agent].role.recovery == "records"
