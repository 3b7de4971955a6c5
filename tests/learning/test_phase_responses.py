"""All responses from a few masks, where the phases are known."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.learning.phase_responses import PhaseResponses, fit_phase_responses

SIDE, STEPS, MASKS = 12, 60, 62
NEURONS = SIDE**2
NOISE = 1e-3


def table(
    *, scale: float = 1.0, offset_rad: float = 0.0, scatter: float = 0.0, noise: float = NOISE
) -> tuple[np.ndarray, PhaseResponses]:
    """True responses of neurons in a Gaussian beam, and the fit; what the program holds for the phases is off."""
    rng = np.random.default_rng(4)
    true_rad = rng.random((NEURONS, 1)) * 2 + rng.random((NEURONS, STEPS))
    row, column = np.divmod(np.arange(NEURONS), SIDE)
    beam = np.exp(-((row - 5.0) ** 2 + (column - 6.5) ** 2) / 10.0**2)
    beam = beam * (1 + scatter * rng.standard_normal(NEURONS))
    responses = beam[:, None] * np.cos(2 * true_rad)
    responses -= responses.mean(axis=1, keepdims=True)
    start = rng.random(NEURONS) < 0.5
    signed = (rng.random((MASKS, NEURONS)) < 0.5).astype(float) - start
    changes = signed @ responses + noise * rng.standard_normal((MASKS, STEPS))
    return responses, fit_phase_responses((true_rad + offset_rad) / scale, signed, changes, noise)


def error(responses: np.ndarray, fit: PhaseResponses) -> float:
    return float(np.sum((fit.responses - responses) ** 2) / np.sum(responses**2))


def test_all_mirrors_are_told_by_fewer_masks() -> None:
    responses, fit = table()
    assert MASKS < NEURONS / 2
    assert fit.unexplained < 1e-4
    assert error(responses, fit) < 1e-4


@pytest.mark.parametrize("off", [{"scale": 1.02}, {"scale": 0.97}, {"offset_rad": 0.05}])
def test_phases_that_are_a_little_off_are_put_right(off: dict[str, float]) -> None:
    responses, fit = table(**off)
    assert fit.unexplained < 5e-4
    assert error(responses, fit) < 5e-4
    if "scale" in off:
        assert fit.phase_scale == pytest.approx(off["scale"], abs=0.002)


def test_mirrors_that_scatter_are_told_by_what_is_left_unexplained() -> None:
    _, smooth = table()
    responses, rough = table(scatter=0.05)
    assert rough.unexplained > 10 * smooth.unexplained
    assert error(responses, rough) == pytest.approx(0.05**2, rel=0.5)


def test_samples_scatter_as_much_as_the_fit_is_uncertain() -> None:
    responses, fit = table(noise=3.0)
    rng = np.random.default_rng(1)
    spread = np.mean([np.sum((fit.sample(rng) - fit.responses) ** 2) for _ in range(40)])
    actual = np.sum((fit.responses - responses) ** 2)
    assert 0.2 < spread / actual < 5


def test_too_few_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tell"):
        fit_phase_responses(np.zeros((NEURONS, 5)), np.ones((3, NEURONS)), np.ones((3, 5)))
