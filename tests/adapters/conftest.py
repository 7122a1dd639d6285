"""Where time is short, as in tests/adapters/families, what cannot begin in time is skipped, and said to be."""

import os
import time

import pytest


@pytest.fixture(autouse=True)
def in_time() -> None:
    if time.time() > float(os.environ.get("WALRAS_TESTS_UNTIL", "inf")):
        pytest.skip("no time was left")
