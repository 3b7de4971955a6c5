"""Forms of learning curves are found again in curves that have them."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.theory.fits import fit_learning_curve
from labcontrol.theory.two_exponentials import fit_two_exponentials

EPOCHS = np.arange(400.0)
NOISE = 0.002
CURVES = {
    "exponential": (0.05 + 0.9 * np.exp(-EPOCHS / 60.0), {"floor": 0.05, "height": 0.9, "tau": 60.0}),
    "ramp": (0.1 + 0.8 * np.maximum(0.0, 1.0 - EPOCHS / 250.0), {"floor": 0.1, "height": 0.8, "tau": 250.0}),
    "power law": (0.9 * (1.0 + EPOCHS / 30.0) ** -1.5, {"height": 0.9, "tau": 30.0, "power": 1.5}),
}


@pytest.mark.parametrize("form", CURVES)
def test_the_form_of_a_curve_is_recognised_and_its_parameters_are_found(form: str) -> None:
    curve, parameters = CURVES[form]
    noise = NOISE * np.random.default_rng(1).standard_normal(len(EPOCHS))
    compared = fit_learning_curve(EPOCHS, curve + noise)
    assert compared is not None
    assert compared.best.form == form
    for name, expected in parameters.items():
        value, low, high = compared.best.parameters[name]
        assert low < value < high
        assert value == pytest.approx(expected, rel=0.05), name
    np.testing.assert_allclose(compared.best.curve(EPOCHS), curve, atol=3 * NOISE)


def test_a_curve_that_has_not_fallen_or_is_short_is_not_fitted() -> None:
    assert fit_learning_curve(EPOCHS, np.full(len(EPOCHS), 0.5)) is None
    assert fit_learning_curve(EPOCHS[:7], np.linspace(1.0, 0.5, 7)) is None
    assert fit_learning_curve(EPOCHS[:8], np.linspace(1.0, 0.5, 8)) is not None


def test_two_exponentials_are_found_again() -> None:
    curve = 0.01 + 0.8 * np.exp(-EPOCHS / 20.0) + 0.1 * np.exp(-EPOCHS / 150.0)
    fit = fit_two_exponentials(EPOCHS, curve)
    assert fit is not None
    found = (fit.floor, fit.fast, fit.slow, fit.tau, fit.slow_tau)
    assert found == pytest.approx((0.01, 0.8, 0.1, 20.0, 150.0), rel=0.02)
    np.testing.assert_allclose(fit.curve(EPOCHS), curve, rtol=1e-3)
    assert fit_two_exponentials(EPOCHS, 1 - curve) is None


def test_a_single_exponential_is_not_called_two() -> None:
    assert fit_two_exponentials(EPOCHS, 0.02 + 0.9 * np.exp(-EPOCHS / 40.0)) is None
