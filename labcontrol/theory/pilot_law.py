"""The rate of a whole run from a pilot: Law 2 carried through the run by Law 3.

The amplitude law gives the drop per epoch at the start mask. The rate of the exponential that a run follows is another
one: as the output grows towards the target, the mirrors' fields change. On the default table the initial rate is 20 to
30 % too slow. The responses of a pilot are a sample of the modes as well, so Law 3 predicts the whole curve from the
same P flips; the exponential fitted to it, over as many epochs and by the same fit as a run's curve, has the rate and
the floor that the run is expected to show.

Its uncertainty comes from leaving out parts of the pilot (a grouped jackknife): each part is every G-th mirror of the
pilot's order, so a pilot that is spread over the neurons stays spread, and the gain of spreading it is not lost from
the error. Mirrors that were all measured have no sampling error.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig
from labcontrol.theory.amplitude import AmplitudeLaw, FlipResponses, amplitude_law, flip_responses
from labcontrol.theory.fits import fit_learning_curve
from labcontrol.theory.mean_field_law import mean_field
from labcontrol.theory.modes import modes_of_pilot

Floats = NDArray[np.float64]

FEWEST_FLIPS = 16
"""Smaller pilots have no modes to speak of: the initial rate is all they tell."""

_GROUPS = 8
_POINTS = 200
_MOST_FLIPS = 256  # used of larger pilots: by then chance in the run outweighs what more of them would tell


def pilot_law(
    outputs: NDArray[np.floating],
    mirrors: NDArray[np.int64],
    initial_mask: NDArray[np.bool_],
    target: Floats,
    *,
    loss: str = "mse",
    noise_std: float = 0.0,
    sweeps: float = 4.0,
) -> AmplitudeLaw:
    """The amplitude law of uniform selection with the rate and the floor of a whole run.

    outputs, mirrors, initial_mask, target, loss, noise_std: as for `amplitude_law`. sweeps: length of the run in N
    epochs. Raises what `amplitude_law` raises.
    """
    law = amplitude_law(outputs, mirrors, initial_mask, target, loss=loss, noise_std=noise_std)
    if len(mirrors) < FEWEST_FLIPS:
        return law
    every = math.ceil(len(mirrors) / _MOST_FLIPS)
    responses = flip_responses(outputs[0], outputs[1::every], mirrors[::every], initial_mask, noise_std)

    def fitted(part: FlipResponses) -> tuple[float, float] | None:
        return _fitted_rate(part, outputs[0], target, law, loss, float(np.mean(initial_mask)), sweeps)

    whole = fitted(responses)
    if whole is None:
        return law
    rate, floor = whole
    parts = [fitted(_without(responses, group)) for group in range(_GROUPS)]
    rates = np.log([part[0] for part in parts if part is not None])
    if len(rates) < _GROUPS // 2:
        return law
    unmeasured = 1 - len(responses.mirrors) / law.neurons
    spread = math.sqrt(unmeasured * (_GROUPS - 1) * float(np.var(rates)))
    # Each drop is larger by as much as the rate is.
    step_variance = law.step_variance * (rate / law.kappa) ** 2 if law.kappa > 0 else law.step_variance
    return replace(
        law, kappa=rate, kappa_error=rate * spread, floor=min(floor, 0.99 * law.start), step_variance=step_variance
    )


def _fitted_rate(
    responses: FlipResponses,
    start_output: NDArray[np.floating],
    target: Floats,
    law: AmplitudeLaw,
    loss: str,
    share_on: float,
    sweeps: float,
) -> tuple[float, float] | None:
    """Rate kappa and floor of the exponential that fits Law 3's curve; None if that does not fall."""
    modes, start = modes_of_pilot(responses, start_output, target, law.gain, loss, share_on)
    learning = LearningConfig(options={"selection": "uniform"}, loss=loss)
    epochs = max(math.ceil(sweeps * law.neurons), _POINTS)
    curve = mean_field(modes, learning, epochs=epochs, start=start, noise_std=responses.noise_std)
    k = np.linspace(0, epochs, _POINTS)
    fits = fit_learning_curve(k, curve.at(k), forms=("exponential",))
    if fits is None or not np.all(np.isfinite(curve.errors)):
        return None
    parameters = fits.best.parameters
    return law.neurons / parameters["tau"][0], parameters["floor"][0]


def _without(responses: FlipResponses, group: int) -> FlipResponses:
    kept = np.arange(len(responses.mirrors)) % _GROUPS != group
    return replace(
        responses,
        mirrors=responses.mirrors[kept],
        signs=responses.signs[kept],
        responses=responses.responses[kept],
    )
