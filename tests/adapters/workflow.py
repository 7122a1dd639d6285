"""A workflow that bids; imported only where LlamaIndex Workflows is installed."""

from typing import Any

from workflows import Workflow, step
from workflows.events import StartEvent, StopEvent

from walras.adapters.frameworks import chat, headers, json_format
from walras.live.answers import Usage
from walras.live.participant import Reply


class Bidding(Workflow):  # type: ignore[misc]  # the package is not there for mypy
    """One step, one request."""

    def __init__(self, client: Any, model: str, most_tokens: int) -> None:
        super().__init__(timeout=None)
        self.client, self.model, self.most_tokens = client, model, most_tokens

    @step  # type: ignore[untyped-decorator]
    async def bid(self, event: StartEvent) -> StopEvent:
        ask = event.ask
        made = await self.client.chat.completions.create(
            model=self.model,
            messages=chat(ask),
            max_completion_tokens=self.most_tokens,
            response_format=json_format(ask.schema),
            extra_headers=headers(ask),
        )
        message, used = made.choices[0].message, made.usage
        said = "" if message.tool_calls else message.content
        return StopEvent(result=Reply(said, Usage(1, used.prompt_tokens, used.completion_tokens)))
