"""Whether learning does what was predicted of it, and from when on that can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from labcontrol.analysis.model_curve import ModelCurve, is_determined

GOOD_FIT = 0.9
"""R² from which on a fitted exponential says something of the curve."""
_EARLY = 2.0  # time constants: later the floor decides, which Law 2 does not know
_EVIDENCE_FLIPS = 5  # accepted; with fewer, one lucky flip decides


class VerdictKind(Enum):
    """How learning compares with its prediction."""

    NONE = auto()
    CANNOT_TELL = auto()
    AS_PREDICTED = auto()
    FASTER = auto()
    SLOWER = auto()
    NO_EXPONENTIAL = auto()


@dataclass(frozen=True)
class Verdict:
    """How learning compares with its prediction.

    Attributes
    ----------
    kind : VerdictKind
    text : str
        In a few words; empty where nothing was predicted.
    """

    kind: VerdictKind
    text: str


NO_VERDICT = Verdict(VerdictKind.NONE, "")


def verdict(models: Mapping[str, ModelCurve], epoch: float, error: float, accepted: int) -> Verdict:
    """Compare learning with its prediction after an epoch.

    Parameters
    ----------
    models : mapping of str to ModelCurve
        What the run is compared with, by key.
    epoch : float
        The last one.
    error : float
        Of the incumbent after it.
    accepted : int
        Changes of the mask kept so far.

    Returns
    -------
    Verdict

    Notes
    -----
    There is none before there is evidence: one predicted time constant and five changes of the mask. Then the time
    constants are compared where there is a good fit, because the law does not know the floor; otherwise the error,
    which is not called slow where the floor may be what holds it.
    """
    prediction, fit = models.get("prediction"), models.get("fit")
    if prediction is None or prediction.tau is None:
        return NO_VERDICT
    if not epoch >= prediction.tau[0] or accepted < _EVIDENCE_FLIPS:
        return Verdict(VerdictKind.CANNOT_TELL, "cannot tell yet")
    predicted, within = "predicted", ", within 95 %"
    if prediction.condition:
        predicted, within = f"predicted {prediction.condition}", ""
    if fit is not None and fit.tau is not None and (fit.r_squared or 0.0) >= GOOD_FIT and is_determined(fit.tau):
        tau, low, high = fit.tau
        ratio = tau / prediction.tau[0]
        if low > prediction.tau[2]:
            return Verdict(VerdictKind.SLOWER, f"▲ {ratio:.2g} times as slow as {predicted}")
        if high < prediction.tau[1]:
            return Verdict(VerdictKind.FASTER, f"▼ {1 / ratio:.2g} times as fast as {predicted}")
        return Verdict(VerdictKind.AS_PREDICTED, f"● rate as {predicted}{within}")
    interval = prediction.interval_at(epoch)
    assert interval is not None
    if error > interval[1]:
        if epoch > _EARLY * prediction.tau[0]:
            return Verdict(VerdictKind.NO_EXPONENTIAL, "no exponential, so no rate to compare")
        return Verdict(VerdictKind.SLOWER, f"▲ slower than {predicted}")
    if error < interval[0]:
        return Verdict(VerdictKind.FASTER, f"▼ faster than {predicted}")
    return Verdict(VerdictKind.AS_PREDICTED, f"● as {predicted}{within}")
