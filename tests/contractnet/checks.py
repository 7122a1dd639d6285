"""The invariants I1 to I16, read from a trace: what each check finds wrong, in a sentence.

They know nothing of the roles, so they judge strangers' roles as well as ours; every one has a rogue that it catches.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from math import inf, isnan

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from tests.contractnet.reading import Talk, read
from walras.results import Result

ENDS = {"done", "partial", "failed", "unassigned", "cancelled"}
Found = Iterator[str]


def late_bids(talk: Talk) -> Found:
    """R3: nobody proposes after the deadline, and what arrives after it is rejected at once."""
    for s in talk.acts(Propose, to=talk.manager):
        if s.sent > talk.reply_by:
            yield f"{s.sender} proposes at {s.sent:g}, after the deadline"
        elif s.arrival > talk.reply_by and s.sender not in talk.unheard:
            rejected = [r.sent for r in talk.acts(RejectProposal, sender=talk.manager, to=s.sender)]
            if s.arrival not in rejected:
                yield f"the late proposal of {s.sender} is not rejected at once"


def one_award_per_place(talk: Talk) -> Found:
    """I1: at no time more live awards than copies."""
    live = 0
    for row in talk.rows:
        if row.kind == "award":
            live += 1
        elif row.kind == "settle" and row.details["paid"] == 0:
            live -= 1
        if live > talk.copies:
            yield f"{live} live awards at {row.at:g}"


def one_answer_per_proposer(talk: Talk) -> Found:
    """I2, R5: every proposer that was heard gets one answer: accept, reject, or a cancel."""
    for proposer in dict.fromkeys(s.sender for s in talk.acts(Propose, to=talk.manager) if s.arrival < inf):
        if proposer in talk.unheard:
            continue
        answers = talk.acts(AcceptProposal, RejectProposal, sender=talk.manager, to=proposer)
        cancels = talk.acts(Cancel, sender=talk.manager, to=proposer)
        if len(answers) > 1 or not (answers or cancels):
            yield f"{proposer} gets {len(answers)} answers to its proposal and {len(cancels)} cancels"
    for refusal in talk.acts(Refuse, sender=talk.manager):
        yield f"{refusal.to} gets a refusal from the manager"


def awards_to_bidders(talk: Talk) -> Found:
    """I3: awards go to proposals of this conversation that arrived in time, still bind, and at their price."""
    for row in talk.of("award"):
        line = row.details["line"]
        found = [
            s
            for s in talk.acts(Propose, sender=line["winner"])
            if s.arrival <= min(row.at, talk.reply_by) and s.message.valid_until >= row.at
        ]
        if not found or line["winner"] not in talk.participants:
            yield f"{line['winner']} wins without a valid proposal"
        elif found[0].message.price != line["price"]:
            yield f"{line['winner']} wins at {line['price']}, but proposed {found[0].message.price}"


def bids_are_real(talk: Talk) -> Found:
    """I12: every awarded bid has a propose message behind it."""
    for row in talk.of("award"):
        if not talk.acts(Propose, sender=row.details["line"]["winner"]):
            yield f"{row.details['line']['winner']} wins and has never proposed"


def no_unasked_work(talk: Talk) -> Found:
    """I4: no work before an acceptance, after a release, or after expiry."""
    for row in talk.of("perform"):
        until = max((s.message.valid_until for s in talk.acts(Propose, sender=row.agent)), default=-inf)
        accepts = talk.acts(AcceptProposal, sender=talk.manager, to=row.agent)
        if not any(s.arrival <= row.at and s.arrival <= until for s in accepts):
            yield f"{row.agent} works at {row.at:g} without a valid acceptance"
        if any(s.arrival <= row.at for s in talk.acts(RejectProposal, to=row.agent)):
            yield f"{row.agent} works at {row.at:g} although it was rejected"


def pay_for_delivery(talk: Talk) -> Found:
    """I5: an award is settled once, in full for a delivery and not at all otherwise."""
    prices: defaultdict[str, list[float]] = defaultdict(list)
    for row in talk.rows:
        if row.kind == "award":
            prices[row.details["line"]["winner"]].append(row.details["line"]["price"])
        elif row.kind == "settle":
            winner, paid = row.details["winner"], row.details["paid"]
            price = prices[winner].pop() if prices[winner] else 0.0
            delivered = [
                s
                for s in talk.acts(Inform, Failure, sender=winner)
                if s.arrival <= row.at
                and (getattr(s.message, "kind", "") in ("done", "result") or s.message.report is not None)
            ]
            if paid not in (0.0, price) or (paid and not delivered):
                yield f"{winner} is paid {paid} of {price} for {len(delivered)} deliveries"
    if any(prices.values()):
        yield f"awards to {[a for a, p in prices.items() if p]} are not settled"


def silence_after_the_end(talk: Talk) -> Found:
    """I6: after a role's end it only rejects what is late, or repeats itself; and nobody proposes twice."""
    ended = {row.agent: row.at for row in talk.of("finish")}
    for s in talk.said:
        may = (RejectProposal,) if s.sender == talk.manager else (Inform, Failure)
        if s.sent > ended.get(s.sender, inf) and not isinstance(s.message, may):
            yield f"{s.sender} says {s.message} after its end"
    for sender, count in Counter(s.sender for s in talk.acts(Propose)).items():
        if count > 1:
            yield f"{sender} proposes {count} times"


def contracts_end(talk: Talk) -> Found:
    """I7: whoever is accepted says how it ended."""
    for s in talk.acts(AcceptProposal, sender=talk.manager):
        if s.arrival < inf and not talk.acts(Inform, Failure, NotUnderstood, sender=s.to):
            yield f"{s.to} is accepted and never heard of again"


def no_ping_pong(talk: Talk) -> Found:
    """I8: what was not understood is said once."""
    for (sender, to), n in Counter((s.sender, s.to) for s in talk.acts(NotUnderstood)).items():
        if n > 1:
            yield f"{sender} tells {to} {n} times that it does not understand"


def members_only(talk: Talk) -> Found:
    """I9: who talks in a conversation belongs to it, and nobody but the manager talks to contractors."""
    members = {talk.manager, *talk.participants}
    for s in talk.said:
        if not {s.sender, s.to} <= members or talk.manager not in (s.sender, s.to):
            yield f"{s.sender} talks to {s.to}"


def cancels_are_answered(talk: Talk) -> Found:
    """I10: every cancel that arrives has an answer."""
    for s in talk.acts(Cancel, sender=talk.manager):
        answers = [
            a
            for a in talk.acts(Inform, Failure, NotUnderstood, sender=s.to)
            if a.sent >= s.arrival and getattr(a.message, "kind", "cancelled") == "cancelled"
        ]
        if s.arrival < inf and not answers:
            yield f"{s.to} does not answer a cancel"


def time_goes_on(talk: Talk) -> Found:
    """I13: time never decreases."""
    for before, after in zip(talk.rows, talk.rows[1:], strict=False):
        if after.at < before.at:
            yield f"{after.kind} at {after.at:g} follows {before.kind} at {before.at:g}"


def it_ends(talk: Talk) -> Found:
    """Liveness: the manager ends by itself, in time, as done, partial, failed, unassigned or cancelled."""
    ends = [row for row in talk.of("finish") if row.agent == talk.manager]
    if len(ends) != 1 or ends[0].details["outcome"]["status"] not in ENDS or ends[0].at > talk.finish_by:
        yield f"{talk.id} ends with {[row.details['outcome']['status'] for row in ends]}"


CHECKS: dict[str, Callable[[Talk], Found]] = {
    "R3": late_bids,
    "I1": one_award_per_place,
    "I2": one_answer_per_proposer,
    "I3": awards_to_bidders,
    "I4": no_unasked_work,
    "I5": pay_for_delivery,
    "I6": silence_after_the_end,
    "I7": contracts_end,
    "I8": no_ping_pong,
    "I9": members_only,
    "I10": cancels_are_answered,
    "I12": bids_are_real,
    "I13": time_goes_on,
    "liveness": it_ends,
}
PERFECT_WORLDS_ONLY = {"R3", "I7", "I10"}
"""What a loss, a crash or a slow network can break though nobody misbehaves."""


def overcommitted(result: Result, capacity: int) -> list[str]:
    """I11: per agent, binding proposals and work together never exceed its capacity."""
    changes: defaultdict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for talk in read(result).values():
        for s in talk.acts(Propose):
            freed = [r.arrival for r in talk.acts(RejectProposal, AcceptProposal, Cancel, to=s.sender)]
            changes[s.sender] += [(s.sent, 1, 1), (min([*freed, s.message.valid_until]), 0, -1)]
        for row in talk.rows:
            if row.kind in ("perform", "performed"):
                begins = row.kind == "perform"
                changes[row.agent].append((row.at, 1 if begins else 0, 1 if begins else -1))
    found = []
    for agent, steps in changes.items():
        used = 0
        for at, _, change in sorted(steps):
            used += change
            if used > capacity:
                found.append(f"{agent} has promised {used} of {capacity} slots at {at:g}")
    return found


def _is_above(upper: Talk, lower: Talk) -> bool:
    return lower.id.startswith(f"{upper.id}/") and bool(upper.acts(CallForProposals))


def violations(
    result: Result,
    *,
    perfect: bool = True,
    announcements: int = 2,
    copies: int = 1,
    capacity: int | None = None,
) -> dict[str, list[str]]:
    """Everything that the checks find, by their names; empty if all is well."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    talks = read(result, copies, perfect)
    for talk in talks.values():
        for name, check in CHECKS.items():
            if perfect or name not in PERFECT_WORLDS_ONLY:
                found[name] += [f"{talk.id}: {fault}" for fault in check(talk)]
        made = sum(1 for t in talks.values() if t.manager == talk.manager and _is_above(t, talk)) + 1
        if made > announcements:
            found["liveness"].append(f"{talk.id} is announcement {made} of {announcements}")
    if capacity is not None:
        found["I11"] += overcommitted(result, capacity)
    in_escrow = {
        name: money for name, money in result.balances.items() if name.startswith("escrow:") and money
    }
    if in_escrow or any(isnan(money) for money in result.balances.values()):
        found["I5"].append(f"left in escrow: {in_escrow}")
    return {name: faults for name, faults in found.items() if faults}
