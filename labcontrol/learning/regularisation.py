"""How strongly a search is held back from fitting what does not repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.learning.boolean_search import Effort
from labcontrol.learning.readout_models import ReadoutModel
from labcontrol.learning.strategy import Mask
from labcontrol.tasks.errors import nmse, standardised

RIDGES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)


def chosen_ridge(
    model: ReadoutModel,
    start: Mask,
    target: NDArray[np.float64],
    gain: float,
    share: float,
    effort: Effort,
    rng: np.random.Generator,
) -> float:
    """The ridge of RIDGES whose mask does best, by the model, on the steps that were kept back.

    target: (T,). share: of the steps, the last ones, kept back.
    """
    fitted = round((1 - share) * len(target))
    fit_target, kept_back = standardised(target[:fitted]), standardised(target[fitted:])
    errors = []
    for ridge in RIDGES:
        mask = model.search(start, fit_target, gain, ridge, effort, rng)[0][0]
        output = model.predict(mask[None])[0, fitted:].astype(np.float32)
        errors.append(nmse(output, kept_back))
    return RIDGES[int(np.argmin(errors))]
