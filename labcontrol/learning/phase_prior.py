"""Responses of all mirrors from known phases and however many masks were measured: Bayesian linear regression.

The prior: mirror i adds the response that the phases and a smooth beam tell (`phase_responses`), give or take an
amplitude and a sine of its own, which stand for mirrors that reflect unequally and phases that are a little off, and a
rest that nothing explains,

    x_i(t) = r_i(t) + a_i cos 2 phi_i(t) + b_i sin 2 phi_i(t) + e_i(t),   a, b ~ N(0, alpha^2),  e ~ N(0, epsilon^2).

The data: outputs of masks, each the sum over its mirrors, a background and noise. With few masks the phases decide,
with as many masks as mirrors the measurement; the data themselves say how far the prior can be trusted: alpha, epsilon
and the noise are those under which they are most likely, found by a few steps of expectation and maximisation. Our own
derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh, null_space

from labcontrol.learning.measurements import Measurements
from labcontrol.learning.phase_responses import PhaseResponses, fit_phase_responses
from labcontrol.learning.readout_models import LinearModel

Floats = NDArray[np.float64]

_MOST_OWN = 2500
"""Mirrors up to which each has an amplitude and a sine of its own; beyond, that takes too much memory."""
_STEPS = 3  # of expectation and maximisation
_RATIOS = np.geomspace(1e-7, 1e2, 73)  # of the rest's variance over the noise's
_PROBES = 8  # random vectors that tell the trace of a matrix


@dataclass(frozen=True)
class InformedFit:
    """A fitted model and how far its prior held.

    Attributes
    ----------
    model : LinearModel
        Of the readout.
    unexplained : float
        Fraction of the variance of what masks changed that phases, beam and noise do not explain.
    scatter : float
        Of amplitudes from mirror to mirror, as a share of the mean amplitude; alpha of the prior.
    rest : float
        Standard deviation of what is explained by nothing, as a share of that of a response; epsilon of the prior.
    """

    model: LinearModel
    unexplained: float
    scatter: float
    rest: float


def physical_prior(phase_rad: Floats, measured: Measurements, noise_std: float) -> PhaseResponses:
    """Responses by phases and beam alone, from all that was measured.

    Parameters
    ----------
    phase_rad : ndarray, shape (N, T)
        Phase of each neuron at each step.
    measured : Measurements
        The first mask is what the others are compared with.
    noise_std : float
        Of one output sample.
    """
    signed = measured.masks[1:].astype(np.float64) - measured.masks[0]
    return fit_phase_responses(phase_rad, signed, measured.outputs[1:] - measured.outputs[0], 2**0.5 * noise_std)


def fit_informed(phase_rad: Floats, prior: PhaseResponses, measured: Measurements) -> InformedFit:
    """The most likely responses.

    Parameters
    ----------
    phase_rad : ndarray, shape (N, T)
        Phase of each neuron at each step.
    prior : PhaseResponses
        What phases and beam tell.
    measured : Measurements
        All masks so far, weighted by how often each was measured.
    """
    neurons = len(phase_rad)
    weights = np.sqrt(measured.counts)  # a mean of n outputs has a noise of 1 / sqrt(n)
    masks = measured.masks.astype(np.float64) * weights[:, None]
    outputs = measured.outputs - measured.outputs.mean(axis=1, keepdims=True)
    left = outputs * weights[:, None] - masks @ prior.responses
    size = float(np.mean(prior.responses**2)) or 1.0

    angle = 2 * prior.phase_scale * phase_rad
    waves = np.stack([np.cos(angle), np.sin(angle)])
    waves -= waves.mean(axis=2, keepdims=True)
    amplitude2 = size / float(np.mean(waves**2))
    products = np.block([[first @ second.T for second in waves] for first in waves]) if neurons <= _MOST_OWN else None

    spectrum, basis = _masks_spectrum(masks, weights)
    alpha2 = amplitude2 * max(prior.unexplained, 1e-8)
    own = np.zeros_like(prior.responses)
    probes = np.random.default_rng(0).choice((-1.0, 1.0), (2 * neurons, _PROBES))
    noise2, rest2 = _likeliest(basis.T @ left, spectrum)
    for _ in range(_STEPS):
        if products is None:
            break
        whitening = 1 / (noise2 + rest2 * spectrum)
        inverse = (basis * whitening) @ basis.T
        pulled = masks.T @ (inverse @ left)
        pairs = np.tile(masks.T @ inverse @ masks, (2, 2))
        normal = pairs * products
        normal[np.diag_indices_from(normal)] += 1 / alpha2
        factor = cho_factor(normal, overwrite_a=True, check_finite=False)
        amplitudes = cho_solve(factor, np.concatenate([np.sum(wave * pulled, axis=1) for wave in waves]))
        own = amplitudes[:neurons, None] * waves[0] + amplitudes[neurons:, None] * waves[1]
        uncertainty = float(np.mean(probes * cho_solve(factor, probes, check_finite=False)))
        alpha2 = float(np.mean(amplitudes**2)) + uncertainty
        noise2, rest2 = _likeliest(basis.T @ (left - masks @ own), spectrum)
    whitening = 1 / (noise2 + rest2 * spectrum)
    pulled = (basis * whitening) @ (basis.T @ (left - masks @ own))
    rest = rest2 * (masks.T @ pulled)
    responses = prior.responses + own + rest
    background = weights @ (outputs * weights[:, None] - masks @ responses) / float(weights @ weights)
    return InformedFit(
        LinearModel(background, responses), prior.unexplained, math.sqrt(alpha2 / amplitude2), math.sqrt(rest2 / size)
    )


def _masks_spectrum(masks: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (M - 1,) and eigenvectors (M, M - 1) of the masks' products, without what the background adds."""
    contrasts = null_space(weights[None])
    values, vectors = eigh(contrasts.T @ (masks @ masks.T) @ contrasts)
    return np.maximum(values, 0.0), contrasts @ vectors


def _likeliest(rotated: Floats, spectrum: Floats) -> tuple[float, float]:
    """Variances of the noise and of the rest under which (M - 1, T) values of these spectra are most likely."""
    power = np.mean(rotated**2, axis=1)
    variances = 1 + _RATIOS[:, None] * spectrum
    noise2 = np.mean(power / variances, axis=1)
    unlikely = np.log(noise2) + np.mean(np.log(variances), axis=1)
    best = int(np.argmin(unlikely))
    return float(noise2[best]), float(noise2[best] * _RATIOS[best])
