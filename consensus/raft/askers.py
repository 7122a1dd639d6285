"""Who waits at one replica, for what it proposed to be applied or for a moment to read."""

from math import inf

import msgspec

from consensus.raft.machine import Data
from walras.messages import Frozen


class Asker(Frozen, frozen=True):
    """Who waits for an answer: a client, or (`local`) a role of our own agent; its number, and what it asks."""

    to: str
    number: int = 0
    local: bool = False
    question: Data | None = None


class Readers(msgspec.Struct):
    """One round at a time serves all who asked before it began; who comes later waits for the next one."""

    waiting: dict[Asker, bool] = {}
    """True once a round is under way that covers the request."""
    rounds: int = 0
    context: str = ""
    """Of the round under way; empty if there is none."""
    begun: float = -inf
    ripe: list[tuple[int, tuple[Asker, ...]]] = []
    """Who may be answered once everything up to an index is applied."""

    def add(self, asker: Asker) -> None:
        """Somebody asks, perhaps again: what is found since the first time is good."""
        self.waiting.setdefault(asker, False)

    def begin(self, prefix: str, now: float) -> str:
        """A round for everybody who waits; the context that its answer will carry."""
        self.rounds += 1
        self.context, self.begun = f"{prefix}/{self.rounds}", now
        self.waiting = dict.fromkeys(self.waiting, True)
        return self.context

    def end(self, context: str, index: int) -> None:
        """A round is answered; nothing if it was begun anew since."""
        if context == self.context:
            self.context = ""
            covered = tuple(asker for asker, covered in self.waiting.items() if covered)
            self.waiting = dict.fromkeys((a for a in self.waiting if not self.waiting[a]), False)
            self.ripe.append((index, covered))

    def served(self, applied: int) -> list[Asker]:
        """Everybody who may be answered now that everything up to an index is applied."""
        found: list[Asker] = []
        while self.ripe and self.ripe[0][0] <= applied:
            found += self.ripe.pop(0)[1]
        return found


class Writers(msgspec.Struct):
    """Commands that are being gathered for the log, and clients whose commands stand in it."""

    gathered: list[tuple[Asker, Data]] = []
    waiting: dict[int, tuple[int, Asker]] = {}
    """By index: the term of the entry in which somebody's command stands, and who it is."""

    def take(self) -> list[tuple[Asker, Data]]:
        """Everything that was gathered, in its order."""
        gathered, self.gathered = self.gathered, []
        return gathered

    def wait(self, first: int, term: int, askers: list[Asker]) -> None:
        """A leader's log holds what they asked for, from an index on."""
        for index, asker in enumerate(askers, first):
            if (
                asker.number or not asker.local
            ):  # an unnumbered proposal's answer is that it is told to all listeners
                self.waiting[index] = (term, asker)

    def overtaken(self, index: int) -> list[Asker]:
        """Whoever waited for something up to an index, which came in a snapshot: nobody can tell what became of it."""
        return [self.waiting.pop(at)[1] for at in list(self.waiting) if at <= index]
