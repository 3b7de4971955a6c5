"""The simulated bench for a comparison: without noise, to know the truth, or with a stated noise of one output."""

from __future__ import annotations

import math
from typing import Any, Literal

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig

ReadoutKind = Literal["incoherent", "coherent", "path-phases"]

READOUTS: dict[ReadoutKind, str] = {
    "incoherent": "the detector adds powers",
    "coherent": "it adds fields, all mirrors in phase",
    "path-phases": "it adds fields, every mirror with a phase of its own",
}

_FULL_SCALE_W: dict[ReadoutKind, float] = {
    "incoherent": 2e-3,
    "coherent": 2e-3,
    "path-phases": 16e-3,  # fields of random phases now and then add up to many times their mean power
}


def quiet_bench(neurons: int, seed: int, readout: ReadoutKind) -> BenchConfig:
    """Without noise, and with an SLM that settles fully: states that repeat."""
    quiet = {"noise": 0.0, "laser": {"warm_up_share": 0.0}, "slm": {"settled_residual": 1e-6}}
    return _bench(neurons, seed, readout, quiet)


def noisy_bench(neurons: int, seed: int, readout: ReadoutKind, noise_w: float) -> BenchConfig:
    """The default table with this noise of one output, in W; 0 keeps the table's own detector noise.

    An output is a mean of several samples. Their noise is nearly independent at the rate of a sequence of masks; of a
    mask measured alone, at the full sampling rate, about a twelfth less is averaged away.
    """
    bench = _bench(neurons, seed, readout, {})
    if noise_w == 0:
        return bench
    per_sample = noise_w * math.sqrt(bench.detector.samples_per_mask) / _FULL_SCALE_W[readout]
    return _bench(neurons, seed, readout, {"detector": {"noise": per_sample}})


def _bench(neurons: int, seed: int, readout: ReadoutKind, changes: dict[str, Any]) -> BenchConfig:
    bench = simulated_bench(neurons, seed)
    assert bench.table is not None
    detector = {"full_scale_w": _FULL_SCALE_W[readout]} | changes.get("detector", {})
    coherence = {"readout": "coherent" if readout != "incoherent" else "incoherent"}
    phases = {"path_phases": True} if readout == "path-phases" else {}
    options = bench.table.options | changes | coherence | phases | {"detector": detector}
    return bench.model_copy(update={"table": bench.table.model_copy(update={"options": options})})
