"""A cache of answers, for questions that a mind need not be asked twice."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from walras.errors import ScenarioError
from walras.live.answers import NOTHING, Answered, Usage
from walras.live.meanings import anchored, key_of, restored
from walras.live.schemas import form_of
from walras.messages import AgentId, ConversationId
from walras.questions import Question


class AnswerCache:
    """Keeps the legal answers of an agent to questions of some classes, and gives them again for equal questions.

    Questions are equal if they mean the same (times do not count); what the agent has free by now does not count
    either, its account sees to that. Answers of one agent are never given to another.

    Args:
        scope: ``conversation``: an answer counts where it was given; ``run``: everywhere.
        questions: the classes of questions that are cached; others are always asked.
        most: answers that are kept, those used longest ago go first.

    Raises:
        ScenarioError: for another scope, or nothing to cache.
    """

    def __init__(
        self, scope: Literal["conversation", "run"], questions: Iterable[type[Question]], most: int = 10_000
    ) -> None:
        self.questions = tuple(questions)
        if scope not in ("conversation", "run"):
            raise ScenarioError("scope", scope, "conversation or run")
        if not self.questions or most < 1:
            raise ScenarioError(
                "cache", (self.questions, most), "classes of questions, and room for 1 answer or more"
            )
        self.scope, self.most = scope, most
        self.saved: Usage = NOTHING
        """What the answers that were given again had taken."""
        self.hits = 0
        self._kept: OrderedDict[tuple[str, str], tuple[Any, Usage]] = OrderedDict()

    def find(self, agent: AgentId, conversation: ConversationId, question: Question) -> Answered | None:
        """The answer that is kept for this question; None: ask."""
        place = self._place(agent, conversation, question)
        if place is None or place not in self._kept:
            return None
        value, usage = self._kept[place]
        self._kept.move_to_end(place)
        answer = msgspec.convert(restored(value, question), form_of(type(question)).type)
        if not question.accepts(answer):
            return None
        self.hits += 1
        self.saved += usage
        return Answered("ok", answer, detail="cached")

    def keep(
        self, agent: AgentId, conversation: ConversationId, question: Question, answered: Answered
    ) -> None:
        """Keep an answer, if it is legal and its question of a class that is cached."""
        place = self._place(agent, conversation, question)
        if place is None or answered.status != "ok":
            return
        self._kept[place] = anchored(answered.value, question), answered.usage
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def _place(
        self, agent: AgentId, conversation: ConversationId, question: Question
    ) -> tuple[str, str] | None:
        if not isinstance(question, self.questions):
            return None
        return (conversation if self.scope == "conversation" else "", key_of(agent, question))
