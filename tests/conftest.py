"""What all tests share: how hard Hypothesis tries, and where the shared conformance data lies."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Bounded and derandomized: the same examples on every machine, so a red test is red for everybody.
settings.register_profile(
    "default", max_examples=60, derandomize=True, deadline=None, database=None, print_blob=True
)
# `make soak`: new examples each time, many of them; a failure prints how to reproduce it.
settings.register_profile(
    "soak",
    max_examples=2_000,
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared conformance data: WALRAS_SHARED_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("WALRAS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no shared data here: point WALRAS_SHARED_DATA at its folder to run this test")
    return folder


def pytest_make_parametrize_id(val: object) -> str | None:
    """A test's name has no addresses in it: the processes that share the tests have to agree on their names."""
    shown = repr(val)
    return re.sub(r" at 0x[0-9a-f]+", "", shown) if " at 0x" in shown else None
