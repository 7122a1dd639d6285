"""Every framework that is installed here keeps the contract, case by case; the others are skipped."""

import asyncio
import gc
import warnings

import pytest

from tests.adapters.contract import CASES, Bench, Case
from tests.adapters.minds_of_frameworks import FRAMEWORKS, Framework, close_clients
from walras.adapters.frameworks import framework
from walras.live.extras import MissingExtraError

# Their deprecations are between them and their libraries.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=FRAMEWORKS)
def one(request: pytest.FixtureRequest) -> Framework:
    found = FRAMEWORKS[request.param]
    try:
        framework(found.extra, "walras")
    except MissingExtraError as missing:
        pytest.skip(str(missing))
    return found


@pytest.mark.parametrize("line", CASES.values(), ids=CASES)
def test_the_contract(one: Framework, line: Case) -> None:
    passed, why = keeps(one, line)
    if line.name in one.cannot:
        assert not passed, f"{one.extra} can do this by now: take it out of what it cannot"
        pytest.skip(one.cannot[line.name])
    if why is not None:
        raise why


def keeps(one: Framework, line: Case) -> tuple[bool, BaseException | None]:
    """Whether a framework passes a case, and what came in between if not."""

    async def run() -> None:
        with bench.server:
            try:
                await line.check(bench)
            finally:
                await close_clients()

    bench = Bench(one.make, key=line.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many make a client of their own, and close none
        try:
            asyncio.run(run())
        except Exception as error:
            return False, error
        finally:
            gc.collect()
    return True, None
