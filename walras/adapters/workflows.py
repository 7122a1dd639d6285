"""A workflow of LlamaIndex Workflows (extra ``workflows``).

In a live market, where its start event has `ask`, and its result is the answer::

    from walras import Agent
    from walras.adapters.workflows import WorkflowParticipant

    market.add(Agent("ada", WorkflowParticipant(MyWorkflow())))
"""

import asyncio
from typing import Any

from walras.adapters.frameworks import FrameworkParticipant, Said, framework, part
from walras.live.answers import Usage
from walras.live.participant import Ask, Reply


class WorkflowParticipant(FrameworkParticipant):
    """Runs a workflow, anew for each question; it is cancelled when its time is over.

    It starts with an `Ask` as ``event.ask``: the prompt, the schema of the answers, the seconds left. Its result is the
    answer: JSON or plain data, None to decline, or a `Reply` that also says what it took. How often it asks models is its
    own affair: make them without retries.

    Args:
        workflow: a ``workflows.Workflow``.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no workflow.
    """

    def __init__(self, workflow: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("workflows", "workflows")
        part(workflow, "run", "a Workflow")
        self.workflow = workflow

    async def said(self, ask: Ask) -> Said:
        handler = self.workflow.run(ask=ask)
        try:
            result = await asyncio.shield(_result(handler))
        except asyncio.CancelledError:
            await handler.cancel_run()  # which a handler that was itself cancelled could not do
            raise
        reply = result if isinstance(result, Reply) else Reply(result, Usage())
        used = reply.usage
        return Said(reply.value, used.input_tokens, used.output_tokens, used.calls)


async def _result(handler: Any) -> Any:
    return await handler
