"""When a run has learned enough."""

from __future__ import annotations

from small_runs import experiment

from labcontrol.engine.stop import StopRule


def first_reason(errors: list[float], **stop: object) -> tuple[int, str] | None:
    """After which epoch the rule ends a run, and why."""
    rule = StopRule(experiment(stop=stop))
    for epoch, error in enumerate(errors, start=1):
        reason = rule.reason(error)
        if reason is not None:
            return epoch, reason
    return None


def test_it_ends_at_the_number_of_epochs() -> None:
    assert first_reason([1.0] * 10, epochs=7) == (7, "all 7 epochs are done")
    assert first_reason([1.0] * 6, epochs=7) is None


def test_it_ends_at_the_target_error_and_says_which() -> None:
    found = first_reason([0.5, 0.3, 0.2, 0.1], epochs=100, target_error=0.2)
    assert found == (3, "the target error 0.2 is reached")


def test_it_ends_when_there_is_no_progress() -> None:
    falling = [1.0 - 0.05 * k for k in range(10)]
    flat = [falling[-1]] * 10
    stop = {"epochs": 100, "plateau_epochs": 4, "plateau_change": 0.01}
    assert first_reason(falling, **stop) is None
    assert first_reason([*falling, *flat], **stop) == (10 + 4, "no progress over 4 epochs")


def test_the_curve_is_what_it_was_told() -> None:
    rule = StopRule(experiment())
    for error in (0.9, 0.8, 0.8):
        rule.reason(error)
    assert rule.curve == [0.9, 0.8, 0.8]
