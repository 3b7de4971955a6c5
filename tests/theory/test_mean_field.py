"""The mean-field law where a pilot does not fit together."""

from __future__ import annotations

import numpy as np

from labcontrol.config import LearningConfig
from labcontrol.theory import mean_field
from labcontrol.theory.modes import Start, modes_of_covariance


def test_a_pilot_whose_noise_makes_the_rest_of_the_output_negative_still_gives_a_curve() -> None:
    rng = np.random.default_rng(1)
    responses = rng.standard_normal((20, 60))
    target = rng.standard_normal(60)
    covariance, overlaps = responses @ responses.T / 60, responses @ target / 60
    modes = modes_of_covariance(covariance, overlaps, 1.0, 60, "nmse", neurons=200)
    start = Start(np.full(20, 0.5), True, np.zeros(20), offset_square=-1e3)
    curve = mean_field(modes, LearningConfig(), epochs=400, start=start)
    assert np.isfinite(curve.errors).all()
