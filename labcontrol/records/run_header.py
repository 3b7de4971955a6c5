"""What a run file begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.records.json_text import summed_json, to_json
from labcontrol.records.storage import content_sha256


@dataclass(frozen=True)
class RunHeader:
    """What is known before a run starts.

    config: {"experiment": ..., "bench": ...}, JSON types. metadata: seed, device identities, provenance; JSON types.
    input, target: (T,) training part as given to the reservoir, and standardised. washout_input: (W,).
    test_input, test_target: (S,). initial_mask: (N,) bool.
    """

    config: Mapping[str, Any]
    metadata: Mapping[str, Any]
    input: NDArray[np.float64]
    target: NDArray[np.float64]
    washout_input: NDArray[np.float64]
    test_input: NDArray[np.float64]
    test_target: NDArray[np.float64]
    initial_mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if len(self.input) != len(self.target) or len(self.test_input) != len(self.test_target):
            raise ValueError("an input and its target have different lengths")

    def datasets(self) -> dict[str, Any]:
        """Content of the datasets of the same names in the file; the metadata gain a hash of each of the others."""
        content: dict[str, Any] = {
            "config": to_json(self.config),
            "input": np.asarray(self.input, np.float64),
            "target": np.asarray(self.target, np.float64),
            "washout/input": np.asarray(self.washout_input, np.float64),
            "test/input": np.asarray(self.test_input, np.float64),
            "test/target": np.asarray(self.test_target, np.float64),
            "masks/initial": np.asarray(self.initial_mask, np.bool_),
        }
        hashes = {name: content_sha256(value) for name, value in content.items()}
        return content | {"metadata": summed_json({**self.metadata, "content_sha256": hashes})}
