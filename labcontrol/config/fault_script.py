"""Faults on demand: what goes wrong with a simulated table, and when. docs/faults.md lists devices and kinds."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from labcontrol.config.section import Section
from labcontrol.errors import UserError

DISK = {"disk": ("full",)}
"""What goes wrong with the record, beside the devices of the table."""


class FaultEntry(Section):
    """One fault, or a kind of fault that happens again and again. One of at_s, at_step, at_epoch and rate is given."""

    device: str = Field(description="laser, slm, dmd, camera, detector or disk")
    kind: str = Field(description="what goes wrong, see docs/faults.md")
    at_s: float | None = Field(None, ge=0, examples=[12.5], description="when the bench's clock shows this, in s")
    at_step: int | None = Field(None, ge=0, examples=[500], description="before this step of the run, from 0")
    at_epoch: int | None = Field(None, ge=0, examples=[10], description="when so many epochs are done")
    rate: float | None = Field(None, gt=0, le=1, examples=[0.001], description="probability, at every step")
    times: int = Field(1, ge=1, le=100_000, description="at how many occasions it happens in a row")
    seconds: float | None = Field(
        None,
        ge=0,
        examples=[5.0],
        description="how long it lasts, in s of the bench; where not set, until it is mended",
    )
    share: float = Field(0.3, gt=-1, le=1, description="share of the power that is missing when the laser droops")

    @model_validator(mode="after")
    def _one_moment(self) -> FaultEntry:
        given = [name for name in ("at_s", "at_step", "at_epoch", "rate") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"one of at_s, at_step, at_epoch and rate should be given, found {' and '.join(given) or 'none'}"
            )
        return self


class FaultScript(Section):
    """Faults of one run, in any order. The same script gives the same faults on every run of one experiment."""

    seed: int = Field(1, ge=0, description="decides when faults with a rate happen")
    fault: tuple[FaultEntry, ...] = Field((), description="one [[fault]] section for each")

    def check(self, known: Mapping[str, tuple[str, ...]]) -> None:
        """Raises UserError for a device or kind that is not known. known: kinds by device."""
        known = {**known, **DISK}
        for entry in self.fault:
            if entry.kind not in known.get(entry.device, ()):
                kinds = "; ".join(f"{device}: {', '.join(names)}" for device, names in known.items())
                raise UserError(f"There is no fault {entry.kind!r} of {entry.device!r}.", f"Known are {kinds}.")
