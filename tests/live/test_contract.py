"""The live runtime keeps the runtime contract: in memory, with a journal, and killed between any two effects."""

from functools import partial

import pytest

from walras.testing.live import LiveRuntime
from walras.testing.runtime import all_checks, check_runtime

ABLE = [name for name, promise in all_checks().items() if promise.needs <= LiveRuntime.can]


@pytest.mark.parametrize("name", ABLE)
def test_the_live_runtime_keeps_the_promise(name: str) -> None:
    check_runtime(LiveRuntime, only=[name])


@pytest.mark.parametrize("name", ABLE)
def test_it_keeps_the_promise_with_a_journal(name: str) -> None:
    check_runtime(partial(LiveRuntime, journaled=True), only=[name])


MORTAL = [name for name in ABLE if {"crash", "kill"} & all_checks()[name].needs]
MORTAL.remove("overdue_is_final")  # an input that is durable has happened, and its award with it


@pytest.mark.parametrize("name", MORTAL)
def test_it_keeps_the_promise_if_the_last_input_was_durable(name: str) -> None:
    check_runtime(partial(LiveRuntime, committed=True), only=[name])


def test_what_is_left_out_needs_a_slow_disk_a_wrong_clock_or_a_pause() -> None:
    needs = {name: promise.needs for name, promise in all_checks().items() if name not in ABLE}
    assert all(need & {"slow disk", "skew", "pause"} for need in needs.values())
    assert len(ABLE) > 90
