"""Bugs in minds and holds: promise 4."""

from __future__ import annotations

from typing import Any
from unittest import mock

from walras.accounts.books import AccountBook
from walras.questions import Question
from walras.simulation import hosts
from walras.simulation.guarded_port import GuardedPort
from walras.simulation.hosts import Mind
from walras.simulation.port import Asked, Port, is_open
from walras.simulation.world import World
from walras.testing.broken import bug
from walras.testing.patching import Patch
from walras.testing.puppets import Choose, Skip


def _answer_of(world: Any, asked: Asked) -> Any:
    """What the strategy answers."""
    port, _, question = asked
    return (port.host.strategy or world._default_strategy(port))(question, port.host.agent)


@bug
def one_answer_per_question(patch: Patch) -> None:
    """A role may have three open questions; further ones are forgotten."""
    decide = Port.decide

    def few(self: Any, name: Any, question: Any) -> None:
        if not isinstance(self.asked, dict) or len(self.asked) < 3:
            decide(self, name, question)

    patch(Port, "decide", few)


@bug
def illegal_answer_is_otherwise(patch: Patch) -> None:
    """Every answer is legal."""
    patch(Question, "accepts", lambda self, answer: True)


@bug
def raising_mind_is_otherwise(patch: Patch) -> None:
    """What a strategy raises ends the run."""
    answer = World.answer

    def fragile(self: Any, asked: Asked, **more: Any) -> None:
        _answer_of(self, asked)
        answer(self, asked, **more)

    patch(World, "answer", fragile)


@bug
def silent_mind_is_otherwise(patch: Patch) -> None:
    """If nothing else has happened since it was asked, a mind is not told that its time is over."""
    give_up = hosts.give_up

    def patient(asked: Asked) -> None:
        port, _, _ = asked
        if [row[1] for row in port.world.trace.rows] != ["ask"]:
            give_up(asked)

    patch(hosts, "give_up", patient)


@bug
def late_answer_is_never_delivered(patch: Patch) -> None:
    """A thought that is complete after its question's deadline is delivered all the same."""
    done = Mind.done

    def late(self: Any, thought: Any) -> None:
        asked = thought[0]
        port, name, question = asked
        overdue = not is_open(asked) and self.world.clock._now > question.decide_by
        done(self, thought)
        if overdue and not port.guarded:
            port.role.on_decision(name, _answer_of(self.world, asked))

    patch(Mind, "done", late)


@bug
def same_name_again_voids_the_question(patch: Patch) -> None:
    """Asking again under the same name leaves the earlier question open, too."""
    decide = Port.decide

    def added(self: Any, name: Any, question: Any) -> None:
        old = self.asked
        decide(self, name, question)
        if isinstance(old, tuple) and old[1] == name:
            role, question = self.role, old[2]
            self.clock.call_at(
                question.decide_by, 2, lambda _: role.on_decision(name, question.otherwise), None
            )

    patch(Port, "decide", added)


@bug
def withdrawn_question_gets_no_answer(patch: Patch) -> None:
    """Withdrawing ends the hold, but the question only where things go wrong anyway."""
    withdraw = Port.withdraw

    def half(self: Any, name: Any) -> None:
        if self.guarded:
            withdraw(self, name)
        else:
            self.host.account.release(self.conversation, name)

    patch(Port, "withdraw", half)


@bug
def finish_withdraws_questions(patch: Patch) -> None:
    """Finish leaves the question open; it is answered later."""
    end = Port.end

    def leaving(self: Any, outcome: Any) -> None:
        asked, role = self.asked, self.role
        end(self, outcome)
        if isinstance(asked, tuple):
            _, name, question = asked
            answer = question.otherwise
            self.clock.call_at(question.decide_by, 2, lambda _: role.on_decision(name, answer), None)

    patch(Port, "end", leaving)


@bug
def attention_bounds_a_mind(patch: Patch) -> None:
    """A mind ponders any number of questions at once."""
    made = Mind.__init__

    def boundless(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self.attention = None

    patch(Mind, "__init__", boundless)


@bug
def question_can_be_called_off_in_a_pause(patch: Patch) -> None:
    """An answer that comes in a pause has been given: what the role hears of it is already on its way."""
    postponed = GuardedPort.postponed

    def given(self: Any, act: Any, argument: Any) -> bool:
        if act == self.conclude and self.host.paused:
            (_, name, _), answer, _ = argument
            self.asked = None
            self.host.held.append((self._enter_again, ("on_decision", (name, answer))))
            return True
        return postponed(self, act, argument)

    patch(GuardedPort, "postponed", given)


# ------------------------------------------------------------------------------------------------------- holds


@bug
def unfunded_answer_is_otherwise(patch: Patch) -> None:
    """An answer counts though the account has too little for it."""
    hold = AccountBook.hold

    def generous(self: Any, room: str, name: Any, wanted: Any) -> bool:
        return hold(self, room, name, wanted) or wanted.slots == 0

    patch(AccountBook, "hold", generous)


@bug
def slots_are_held(patch: Patch) -> None:
    """Only money is held."""
    hold = AccountBook.hold

    def without_slots(self: Any, room: str, name: Any, wanted: Any) -> bool:
        return hold(self, room, name, type(wanted)(wanted.money, 0, wanted.until))

    patch(AccountBook, "hold", without_slots)


@bug
def nonsensical_commitment_is_otherwise(patch: Patch) -> None:
    """An amount that is no number is held as nothing."""
    hold = AccountBook.hold

    def credulous(self: Any, room: str, name: Any, wanted: Any) -> bool:
        return not 0 <= wanted.money < float("inf") or hold(self, room, name, wanted)

    patch(AccountBook, "hold", credulous)


@bug
def answer_is_held_before_delivery(patch: Patch) -> None:
    """An answer that can be afforded is delivered, and then held."""
    hold, answer = AccountBook.hold, World.answer

    def hurried(self: Any, asked: Asked, **more: Any) -> None:
        port, _, _ = asked
        later: list[Any] = []

        def affordable(book: Any, room: str, name: Any, wanted: Any) -> bool:
            before = book.holds.get(room, {}).get(name)
            if before is not None or wanted.slots or not 0 <= wanted.money <= book.free:
                return hold(book, room, name, wanted)
            later.append((book, room, name, wanted))
            return True

        with mock.patch.object(AccountBook, "hold", affordable):
            answer(self, asked, **more)
        for book, room, name, wanted in later:
            if not port.ended:
                hold(book, room, name, wanted)

    patch(World, "answer", hurried)


@bug
def pass_does_not_free_a_hold(patch: Patch) -> None:
    """An answer that binds nothing frees what earlier ones under its name have bound."""
    answer = World.answer

    def freeing(self: Any, asked: Asked, **more: Any) -> None:
        port, name, question = asked
        mind: Any = port.host.strategy
        if isinstance(question, Choose) and isinstance(mind.answers.get(question.label), Skip):
            port.host.account.release(port.conversation, name)
        answer(self, asked, **more)

    patch(World, "answer", freeing)


@bug
def answers_only_raise_a_hold(patch: Patch) -> None:
    """An answer's hold takes the place of the earlier one, though it is smaller."""
    hold = AccountBook.hold

    def replacing(self: Any, room: str, name: Any, wanted: Any) -> bool:
        self.release(room, name)
        return hold(self, room, name, wanted)

    patch(AccountBook, "hold", replacing)


@bug
def withdraw_ends_the_hold(patch: Patch) -> None:
    """Withdrawing ends the question, but not the hold."""
    withdraw = Port.withdraw

    def half(self: Any, name: Any) -> None:
        held = self.host.account.holds.get(self.conversation, {}).get(name)
        withdraw(self, name)
        if held is not None:
            self.host.account.hold(self.conversation, name, held)

    patch(Port, "withdraw", half)


@bug
def hold_ends_at_its_until(patch: Patch) -> None:
    """Holds do not expire."""
    patch(AccountBook, "_expire", lambda self: None)


@bug
def finish_releases_holds(patch: Patch) -> None:
    """Finish leaves the holds where they are."""
    release = AccountBook.release

    def keeping(self: Any, room: str, name: Any = None) -> None:
        if name is not None:
            release(self, room, name)

    patch(AccountBook, "release", keeping)
