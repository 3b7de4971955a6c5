"""What a calibration says: quantities with intervals, arrays, and whether it can be relied on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# Half width of a 95 % interval in standard errors.
SIGMAS = 1.96

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Quantity:
    """A measured number.

    low, high: its 95 % interval. unit: empty for a pure number. meaning: what it is, in words.
    """

    value: float
    low: float
    high: float
    unit: str
    meaning: str

    @classmethod
    def normal(cls, value: float, error: float, unit: str, meaning: str) -> Self:
        """From a value and its standard error."""
        return cls(float(value), float(value - SIGMAS * error), float(value + SIGMAS * error), unit, meaning)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.value:.5g} {self.unit}".rstrip()
        half = (self.high - self.low) / 2
        return f"{self.value:.5g} ± {half:.2g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Outcome:
    """What a procedure found out.

    failures: why the result must not be used; empty when it may. notices: what a person should know about.
    settings: sections of the bench file as measured, for example ``{"camera": {"exposure_s": 0.002}}``.
    """

    quantities: Mapping[str, Quantity]
    arrays: Arrays = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """An outcome with its circumstances, as it is stored.

    measured_unix_s: when. devices: identity of each device used, by role. conditions: what of the bench file it
    depends on, by role, as hashes. parents: hash of each calibration it was built on, by kind.
    """

    kind: str
    measured_unix_s: float
    outcome: Outcome
    devices: Mapping[str, Mapping[str, str]]
    conditions: Mapping[str, str]
    parents: Mapping[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.outcome.failures

    @property
    def hash(self) -> str:
        """SHA-256 of everything that was measured and what it was built on."""
        digest = hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode())
        for name, array in sorted(self.outcome.arrays.items()):
            values = np.ascontiguousarray(array)
            digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON types."""
        outcome = self.outcome
        return {
            "kind": self.kind,
            "measured_unix_s": self.measured_unix_s,
            "quantities": {name: asdict(quantity) for name, quantity in outcome.quantities.items()},
            "settings": _plain(outcome.settings),
            "failures": list(outcome.failures),
            "notices": list(outcome.notices),
            "devices": {role: dict(identity) for role, identity in self.devices.items()},
            "conditions": dict(self.conditions),
            "parents": dict(self.parents),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], arrays: Arrays) -> Self:
        """The calibration that `facts` and its arrays describe."""
        outcome = Outcome(
            {name: Quantity(**quantity) for name, quantity in facts["quantities"].items()},
            arrays,
            facts["settings"],
            tuple(facts["failures"]),
            tuple(facts["notices"]),
        )
        return cls(
            facts["kind"],
            facts["measured_unix_s"],
            outcome,
            facts["devices"],
            facts["conditions"],
            facts["parents"],
            facts["provenance"],
        )


def _plain(settings: Mapping[str, Any]) -> Any:
    """Settings as JSON types, so that what is hashed is what is read back."""
    return json.loads(json.dumps(settings))
