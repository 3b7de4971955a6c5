"""When a run has learned enough."""

from __future__ import annotations

import pytest
from small_runs import experiment

from labcontrol.engine.checkpoint import decode, encode
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


def test_it_keeps_the_first_error_and_the_newest() -> None:
    rule = StopRule(experiment())
    for error in (0.9, 0.8, 0.7):
        rule.reason(error)
    assert (rule.epochs, rule.start_error, rule.error) == (3, 0.9, 0.7)


@pytest.mark.parametrize("interrupted_after", [0, 1, 4, 12, 13, 14])
def test_an_interruption_changes_nothing(interrupted_after: int) -> None:
    config = experiment(stop={"epochs": 100, "plateau_epochs": 4, "plateau_change": 0.01})
    errors = [1.0 - 0.05 * k for k in range(10)] + [0.55] * 4
    whole, first, second = StopRule(config), StopRule(config), StopRule(config)
    for error in errors:
        whole.reason(error)
    for error in errors[:interrupted_after]:
        first.reason(error)
    second.restore(decode(encode(first.state())))
    for error in errors[interrupted_after:]:
        second.reason(error)
    assert second.ended == whole.ended == "no progress over 4 epochs"
    assert encode(second.state()) == encode(whole.state())
