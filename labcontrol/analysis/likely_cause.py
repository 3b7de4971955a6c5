"""Why a run may not do what was predicted of it, from what its record knows."""

from __future__ import annotations

import numpy as np

from labcontrol.engine.pilot import PilotResult
from labcontrol.formatting import rounded
from labcontrol.records import RETRIED, RunReader

_DRIFT_EXCESS = 3.0
_UNEXPLAINED = 0.005
_RETRIED_SHARE = 0.05
_SELECTED = 1.5


def likely_cause(run: RunReader, pilot: PilotResult | None) -> str:
    """What may have made a run stray from its prediction, in a few words; empty where nothing is known."""
    drift, faults, loss = run.drift, run.faults, run.loss
    excess = float(np.max(drift["excess"])) if drift else 0.0
    if excess > _DRIFT_EXCESS:
        return f"perhaps because the table drifted: its start mask moved by {rounded(excess)} times the noise"
    if pilot is not None and pilot.facts.unexplained > _UNEXPLAINED:
        return (
            f"perhaps because the responses do not tell all: {pilot.facts.unexplained:.1%} of what the pilot's masks "
            "changed is left unexplained"
        )
    retried = sum(fault.kind == RETRIED for fault in faults)
    if retried > _RETRIED_SHARE * max(len(run.epochs), 1):
        return f"perhaps because measurements were disturbed: {retried} were made again"
    measured, held = ((run.result or {}).get("train") or {}).get(loss), (run.result or {}).get("incumbent_error")
    if measured is not None and held is not None and measured > _SELECTED * held:
        return (
            f"perhaps because the noise is higher than in the pilot: the final mask, held at {rounded(held)}, "
            f"measured {rounded(measured)} once more"
        )
    return ""
