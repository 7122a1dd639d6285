"""The benchmark of the guard measures what it says."""

from benchmarks.guard import measure


def test_every_figure_is_there_and_is_a_time() -> None:
    """How long is the machine's affair."""
    found = measure(questions=20, repeats=1)
    assert set(found) == {"rule_ms", "coroutine_ms", "model_ms", "recorded_model_ms", "prompt_ms", "key_ms"}
    assert all(figure > 0 for figure in found.values())
