"""Frameworks' own doubles of models will do, too: no server, no network."""

import asyncio
from typing import Any

import pytest

from tests.adapters.minds_of_frameworks import need, tidied
from tests.live.minds import Offer, how_much
from walras.agents import Agent
from walras.live.guard import Guard
from walras.live.participant import Participant

pytestmark = pytest.mark.filterwarnings("default")

OFFER = '{"answer": {"type": "Offer", "price": 14.0, "eta_s": null, "until": null}}'


def ag2() -> Participant:
    from ag2 import Agent
    from ag2.testing import TestConfig

    from walras.adapters.ag2 import AG2Participant

    return AG2Participant(Agent("ada", config=TestConfig(OFFER)))


def pydantic_ai() -> Participant:
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    from walras.adapters.pydantic_ai import PydanticAIParticipant

    return PydanticAIParticipant(Agent(TestModel(custom_output_text=OFFER)))


@pytest.mark.parametrize(("extra", "make"), [("ag2", ag2), ("pydantic-ai", pydantic_ai)])
def test_a_double_of_the_framework_answers(extra: str, make: Any) -> None:
    need(extra)
    with tidied():
        found = asyncio.run(
            Guard().answer(Agent("ada", make()), how_much(), conversation="m/1", seconds=60.0)
        )
    assert (found.status, found.value, found.usage.calls) == ("ok", Offer(14.0), 1), found
