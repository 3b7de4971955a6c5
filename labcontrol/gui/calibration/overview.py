"""How the calibrations of the bench stand that the experiment form names. Knows no Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from labcontrol.bench import BUILT_IN_BENCHES
from labcontrol.calibration import PROCEDURES, CalibrationStatus, Store, store_of, with_store
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.calibration.step_texts import text_of

SELFTEST = "self-test"
"""The step after all calibrations."""

_NOTHING_HIDDEN = (
    "This simulated table is described truthfully by its own bench; there is nothing to calibrate. "
    "'labcontrol init lab --hidden-table 7' makes one that hides its truth: choose lab/bench.toml with Bench… on the "
    "Experiment page."
)


class CalibrationOverview:
    """Every kind of calibration of one bench.

    config: the bench, with a store. store: the folder. where: its folder, in words.
    """

    def __init__(self, config: BenchConfig, where: str, before: CalibrationOverview | None = None) -> None:
        self.config, self.where = config, where
        self.store: Store = store_of(config)
        if before is not None and before.store.folder == self.store.folder:
            self.store = before.store  # it has read the files already
        self._by_kind: dict[str, CalibrationStatus] = {}
        self.read()

    @classmethod
    def of(
        cls, experiment: ExperimentConfig, bench: BenchConfig, before: CalibrationOverview | None
    ) -> CalibrationOverview:
        """Of the bench of an experiment. Raises UserError when there is nothing to calibrate, or a file is damaged."""
        if bench.calibration is None and experiment.bench in BUILT_IN_BENCHES:
            raise UserError(_NOTHING_HIDDEN)
        config = with_store(bench, Path(experiment.bench))
        folder = store_of(config).folder
        where = f"calibrations in {folder}"
        if bench.calibration is None:
            where = (
                f"{folder}: the bench file does not name this folder, so no run uses it; add [calibration] with "
                f'store = "{folder.name}"'
            )
        return cls(config, where, before)

    def read(self) -> None:
        """Read the folder again. Raises UserError when a file is damaged."""
        self._by_kind = {kind: self.store.status(kind, self.config) for kind in PROCEDURES}

    def __getitem__(self, kind: str) -> CalibrationStatus:
        return self._by_kind[kind]

    @property
    def missing(self) -> list[str]:
        """Kinds that a run requires and that do not hold."""
        required = self.config.calibration.require if self.config.calibration is not None else ()
        return [kind for kind in required if not self[kind].is_fresh]

    def next_to_do(self, after: str = "") -> str | None:
        """The next step in order that does not hold; from the beginning where none is left behind it."""
        order = list(PROCEDURES)
        place = order.index(after) + 1 if after else 0
        bad = (kind for kind in [*order[place:], *order[:place]] if not self[kind].is_fresh)
        return next(bad, None)

    def needed_first(self, kind: str) -> str:
        """What must be calibrated before this, in words; empty where it can be measured."""
        return first_words([need for need in PROCEDURES[kind].needs if not self[need].is_fresh])

    @property
    def neurons_px(self) -> NDArray[Any] | None:
        """(N, 2) row and column of each neuron on the sensor, while that is known."""
        placed = self["registration"]
        if not placed.is_fresh or placed.calibration is None:
            return None
        return placed.calibration.outcome.arrays.get("pixels")


def first_words(kinds: list[str]) -> str:
    """That these must be calibrated first; empty for none."""
    return f"First calibrate: {', '.join(text_of(kind).name for kind in kinds)}." if kinds else ""
