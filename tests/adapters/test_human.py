"""A person at a terminal: one question at a time, a policy for silence, no line used for another question."""

import asyncio
import queue
from typing import Any

import pytest

from tests.live.minds import No, Offer, how_much
from walras.adapters.human import HumanParticipant, read_line
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.answers import Answered
from walras.live.cascade import Cascade
from walras.live.guard import Guard

HANG_UP = "hang up"


class Terminal:
    """Keys and a screen: what is typed at which question."""

    def __init__(self, *typed: str) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self.screen: list[str] = []
        self.typed = list(typed)

    def read(self) -> str:
        line = self.lines.get()
        if line == HANG_UP:
            raise EOFError
        return line

    def show(self, text: str) -> None:
        self.screen.append(text)
        if self.typed and "Answer as:" in text and (line := self.typed.pop(0)) != "(silence)":
            self.lines.put(line)

    def person(self, **settings: Any) -> HumanParticipant:
        return HumanParticipant(read=self.read, show=self.show, **settings)


def asked(mind: Any, *, times: int = 1, seconds: float = 10.0, **fields: Any) -> list[Answered]:
    async def market() -> list[Answered]:
        guard = Guard()
        return [
            await guard.answer(
                Agent("ada", mind), how_much(f"t{k}", **fields), conversation="m/1", seconds=seconds
            )
            for k in range(times)
        ]

    return asyncio.run(market())


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Offer price=5", Offer(5.0)),
        ("Offer price=5 eta_s=3.5", Offer(5.0, 3.5)),
        ('{"type": "Offer", "price": 5}', Offer(5.0)),
        ("No why=later", No("later")),
        ("No", No()),
    ],
)
def test_a_person_types_the_name_of_an_answer_and_its_fields_or_json(line: str, value: Any) -> None:
    (found,) = asked(Terminal(line).person())
    assert (found.status, found.value) == ("ok", value)


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("price=5 on=true", {"price": 5, "on": True}),
        ("No", {"type": "No"}),
        ("", None),
        ("   ", None),
        ("well, five", "well, five"),
        ('"five"', '"five"'),
    ],
)
def test_lines_as_data(line: str, data: Any) -> None:
    assert read_line(line) == data


def test_a_slip_is_sent_back_once_with_what_was_wrong() -> None:
    terminal = Terminal("Offer price=five", "Offer price=5")
    (found,) = asked(terminal.person())
    assert (found.status, found.attempts) == ("ok", 2)
    assert terminal.screen[1].startswith("Not accepted: Expected `float`, got `str`, at $.price.")


def test_an_empty_line_declines() -> None:
    assert asked(Terminal("").person())[0].status == "declined"


def test_the_question_is_shown_with_its_data_and_cannot_steer_the_terminal() -> None:
    terminal = Terminal("No")
    asked(terminal.person(), description="wipe \x1b[2J \x9b2J \u202e é")
    (shown,) = terminal.screen
    assert "ada: For how much would you do the task?" in shown
    assert "Answer as: Offer price=... eta_s=... until=... | No why=..." in shown
    assert '"id": "t0"' in shown
    assert "é" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


@pytest.mark.parametrize(("silence", "status"), [("timeout", "timeout"), ("decline", "declined")])
def test_silence_is_a_matter_of_policy(silence: Any, status: str) -> None:
    terminal = Terminal("(silence)")
    (found,) = asked(terminal.person(silence=silence, margin_s=0.1), seconds=0.2)
    assert found.status == status


def test_a_line_counts_for_the_question_that_it_was_typed_at_only() -> None:
    """One that comes when nothing is asked, or after its question's time, is dropped."""
    terminal = Terminal("(silence)", "Offer price=2")
    person = terminal.person()

    async def market() -> list[Answered]:
        guard = Guard()
        found = [await guard.answer(Agent("ada", person), how_much("a"), conversation="m/1", seconds=0.1)]
        terminal.lines.put("Offer price=1")
        while not terminal.lines.empty():  # the reader takes it, and nobody waits for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        found.append(
            await guard.answer(Agent("ada", person), how_much("b"), conversation="m/1", seconds=10.0)
        )
        return found

    statuses = [(found.status, found.value) for found in asyncio.run(market())]
    assert statuses == [("timeout", None), ("ok", Offer(2.0))]


def test_two_questions_at_once_are_asked_one_after_the_other() -> None:
    terminal = Terminal("Offer price=1", "Offer price=2")
    person = terminal.person()

    async def market() -> list[Any]:
        guard = Guard()
        found = await asyncio.gather(
            *(
                guard.answer(Agent("ada", person), how_much(task), conversation="m/1", seconds=10.0)
                for task in "ab"
            )
        )
        return [answered.value for answered in found]

    assert asyncio.run(market()) == [Offer(1.0), Offer(2.0)]
    assert len(terminal.screen) == 2


def test_who_has_hung_up_declines_from_then_on() -> None:
    person = Terminal(HANG_UP, "Offer price=3").person()
    assert [found.status for found in asked(person, times=2)] == ["declined", "declined"]
    assert asyncio.run(person.health("ada")) == "nobody is at the terminal"


def test_a_person_who_is_silent_may_be_followed_by_somebody_else() -> None:
    def backup(question: Any, agent: Agent) -> Offer:
        return Offer(9.0)

    (found,) = asked(Cascade(Terminal("(silence)").person(), backup), seconds=0.4)
    assert (found.status, found.value) == ("ok", Offer(9.0))
    assert found.detail.startswith("HumanParticipant: timeout")


@pytest.mark.parametrize("settings", [{"silence": "wait"}, {"margin_s": -1.0}, {"margin_s": "soon"}])
def test_a_policy_that_is_none_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match=next(iter(settings))):
        HumanParticipant(**settings)
