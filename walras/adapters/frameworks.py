"""What the participants of all frameworks share: floors, one layer of retries, faults, usage, and the form of an answer.

A framework's own participant is then one coroutine, `said`: an `Ask` in, what the model said and what it took out.
"""

import abc
import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from types import ModuleType
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from walras.amounts import is_whole
from walras.errors import ScenarioError, WalrasError
from walras.live.answers import NOTHING, Usage
from walras.live.extras import MissingExtraError, needed
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.live.prices import Price

NO_ANSWER = ""
"""For what is no answer at all (a tool that nobody offered): it is not JSON, so the guard asks once more."""

WITH_TOOLS = 6
"""Requests that a question with tools may take; one without, and so every bid, takes 1."""

_MAY_PASS = (408, 409, 429)
_NO_CONNECTION = ("ConnectionError", "ConnectError", "TransportError", "NetworkError", "ConnectTimeout")
_NEVER_LEFT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "NewConnectionError")
"""How HTTP clients call what happened before anything was sent."""


class OldExtraError(WalrasError, ImportError):
    """A framework is installed, and older than what we run with; the message names the floor and the command."""


class Said(NamedTuple):
    """What came of one call: JSON or plain data, None if the model declined, and the tokens, as far as they are known."""

    value: Any
    input_tokens: int | None = None
    output_tokens: int | None = None
    calls: int = 1


class FrameworkParticipant(Participant):
    """Base of the participants of frameworks.

    Args:
        price: of the model; None: unknown, which is not zero.
        most_output_tokens: the longest answer, where the framework lets us say so.
        provider: who is behind it; participants of one provider share a circuit breaker. Empty: it stands alone.

    Raises:
        ScenarioError: for a price that is none, or no tokens.
    """

    takes_tools = False
    """Whether it is asked with the tools that the guard allows; a model alone, or a bid, is one request."""

    def __init__(
        self, *, price: Price | None = None, most_output_tokens: int = 1000, provider: str = ""
    ) -> None:
        if price is not None and not isinstance(price, Price):
            raise ScenarioError("price", price, "a Price, such as Price(0.15, 0.60)")
        if not is_whole(most_output_tokens, 1):
            raise ScenarioError("most_output_tokens", most_output_tokens, "a whole number of 1 or more")
        self.price, self.most_output_tokens, self.provider = price, most_output_tokens, provider

    def most_requests(self, ask: Ask) -> int:
        """How many requests a question may take."""
        return WITH_TOOLS if self.takes_tools and ask.tools else 1

    def estimate(self, ask: Ask) -> Usage:
        one, most = super().estimate(ask), self.most_requests(ask)
        usage = Usage(most, (one.input_tokens or 0) * most, (one.output_tokens or 0) * most)
        return self.price.of(usage) if self.price is not None else usage

    async def answer(self, ask: Ask) -> Any:
        try:
            said = await self.said(ask)
        except Exception as error:
            raise fault_of(error, self.provider or "the provider") from None
        used = Usage(said.calls, said.input_tokens, said.output_tokens)
        return Reply(said.value, self.price.of(used) if self.price is not None else used)

    @abc.abstractmethod
    async def said(self, ask: Ask) -> Said:
        """Make one call, and say what came of it. Whatever it raises becomes a fault of the right kind."""


class PerLoop:
    """A client whose connections belong to an event loop: one for all questions there, another one on another loop."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def client(self) -> Any:
        """That of this loop."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self._make(), loop
        return self._client

    def taken(self) -> Any:
        """The one to be closed on this loop, if there is one; the next question gets a new one."""
        client, self._client = self._client, None
        return client if self._loop is asyncio.get_running_loop() else None


def framework(extra: str, module: str) -> ModuleType:
    """Import a framework, if all that its extra names is there and new enough.

    Raises:
        MissingExtraError: if something is not installed.
        OldExtraError: if something is older than its floor.
    """
    for requirement in floors(extra):
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            raise MissingExtraError(
                f'{requirement.name} is not installed; expected it after: pip install "walras[{extra}]"'
            ) from None
        if not requirement.specifier.contains(found, prereleases=True):
            raise OldExtraError(
                f"{requirement.name} {found} is installed; expected {requirement.specifier}, as after: "
                f'pip install --upgrade "walras[{extra}]"'
            )
    return needed(module, extra)


def floors(extra: str) -> Iterator[Requirement]:
    """What an extra needs, as pyproject.toml declares it."""
    try:
        lines = requires("walras") or []
    except PackageNotFoundError:  # a checkout that is not installed: nothing is declared
        lines = []
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            yield requirement


def part(mind: Any, name: str, expected: str) -> Any:
    """What an object of a framework has, if it is of the right kind.

    Raises:
        ScenarioError: if it has no such part, or is a class.
    """
    found = None if isinstance(mind, type) else getattr(mind, name, None)
    if found is None:
        raise ScenarioError("agent", mind, expected)
    return found


def model_name(model: Any) -> str:
    """What a model is called, by whoever has it.

    Raises:
        ScenarioError: for what is no name.
    """
    if not isinstance(model, str) or not model.strip():
        raise ScenarioError("model", model, "a model's name, such as gpt-4o-mini")
    return model


def one_try(*clients: Any) -> None:
    """Switch the clients' own retries off, for good: only the guard tries again, within its deadline and its budget."""
    for client in clients:
        if getattr(client, "max_retries", 0):
            client.max_retries = 0


def json_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The `response_format` of OpenAI-compatible endpoints for a schema."""
    form = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"type": "json_schema", "json_schema": form}


def chat(ask: Ask) -> list[dict[str, str]]:
    """The prompt as two turns, in the words that most frameworks understand."""
    return [
        {"role": "system", "content": ask.prompt.system},
        {"role": "user", "content": ask.prompt.user},
    ]


def headers(ask: Ask) -> dict[str, str]:
    """What tells a retry from a new question on the wire."""
    return {"Idempotency-Key": ask.key}


def allowed(tools: Iterable[Any], ask: Ask) -> list[Any]:
    """Those of an agent's tools that this question may use: none, unless the guard's rules name them."""
    return [tool for tool in tools if getattr(tool, "name", getattr(tool, "__name__", "")) in ask.tools]


def fault_of(error: Exception, provider: str = "the provider") -> Exception:
    """An error of a framework, or the one that it wraps, as the guard understands it.

    Without a connection it is worth another try, which costs nothing if the call never left; a status says whether it is;
    everything else is what it was.
    """
    for cause in _causes(error):
        if isinstance(cause, Retryable):
            return cause
        if _is(cause, _NO_CONNECTION):
            took = NOTHING if any(_is(deeper, _NEVER_LEFT) for deeper in _causes(cause)) else None
            return Retryable(f"no connection to {provider} ({type(cause).__name__})", usage=took)
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        status = getattr(cause, "status_code", None) or getattr(response, "status_code", None)
        if isinstance(status, int):
            why = f"{status} from {provider}: {_message(cause)}"
            if status in _MAY_PASS or status >= 500:
                return Retryable(why, _after_s(getattr(response, "headers", None)))
            return RuntimeError(why)
    return error


def _is(cause: BaseException, names: tuple[str, ...]) -> bool:
    return any(kind.__name__.endswith(names) for kind in type(cause).__mro__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from, outermost first."""
    seen: list[int] = []
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.append(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _message(cause: BaseException) -> str:
    return f"{getattr(cause, 'message', None) or cause}"[:200]


def _after_s(header: Any) -> float:
    try:
        return max(0.0, float(header.get("retry-after")))
    except (AttributeError, TypeError, ValueError):  # there is none, or it is a date
        return 0.0
