"""What a run has come to, a record for each task and each agent: the rows of a result's tables."""

from walras.messages import AgentId, ConversationId, Frozen


class TaskRecord(Frozen, frozen=True):
    """How one announced item ended. Times are seconds since the run's epoch, money is in the run's currency.

    `status` is done, partial, failed, unassigned, cancelled or overdue as the conversation's outcome says, or
    unfinished where the run stopped before it. `price` is what was awarded, `paid` what truly changed hands; `value`
    is the true value to the announcer, 0 unless finished, and of a lot what its trade truly gained; `cost` the true
    cost of all work on it, that of failed attempts included; `quality` that of the finished work, in [0, 1], None for
    a lot, which has none. `rounds` counts its announcements, `awards` those that were made for it, of which `copies`
    could stand. Of several copies prices and values are added, qualities averaged; `winner` and `finished_s` are
    those of the last.
    """

    item: str
    kind: str
    status: str
    announced_s: float
    winner: AgentId | None
    price: float
    paid: float
    value: float
    cost: float
    quality: float | None
    finished_s: float | None
    rounds: int
    conversation: ConversationId
    copies: int = 1
    awards: int = 0

    @property
    def done(self) -> bool:
        """Whether it was finished."""
        return self.status == "done"

    @property
    def latency_s(self) -> float | None:
        """Seconds from its announcement to its finish; None if it was not finished."""
        return self.finished_s - self.announced_s if self.done and self.finished_s is not None else None

    @property
    def opener(self) -> AgentId:
        """Who announced it."""
        return self.conversation.split("/")[0]


class AgentRecord(Frozen, frozen=True):
    """What one agent did: seconds of work added over its `capacity` (in simulation also of what was lost, or still runs), money
    received, true cost of its work, tasks done.

    `spent` is what left its account and did not come back; None where nobody counted.
    """

    id: AgentId
    capacity: int
    busy_s: float
    earned: float
    cost: float
    tasks: int
    spent: float | None = None
