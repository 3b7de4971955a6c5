"""Problems of the table in the banner: why a run did not start or failed, and what is lost."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject

from labcontrol.calibration import NotCalibratedError
from labcontrol.errors import UserError
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.shared.banner import Banner
from labcontrol.host import HostState

_FAILED = {
    HostState.RUN: "The run failed.",
    HostState.MANUAL: "The devices are lost.",
    HostState.CALIBRATION: "The devices are lost.",
}


class TableNotices(QObject):
    """Shows what becomes of the table in the banner. calibrate: the remedy where a bench is not calibrated."""

    def __init__(self, banner: Banner, table: TableSession, calibrate: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._banner, self._table, self._calibrate = banner, table, calibrate
        table.run_began.connect(lambda *_: banner.hide())
        table.run_failed.connect(lambda error: banner.show_error(error, _FAILED[HostState.RUN]))
        table.lost_laser.changed.connect(self._show_loss)
        table.changed.connect(self._show_silence)
        self._is_silent = False

    def show_refusal(self, error: Exception) -> None:
        """A run cannot start; a bench that is not calibrated can be calibrated here."""
        what = "The run cannot start."
        if isinstance(error, NotCalibratedError):
            shorter = UserError(f"The bench '{error.bench}' is not calibrated: {'; '.join(error.problems)}")
            self._banner.show_error(shorter, what, ("Calibrate now", self._calibrate))
        else:
            self._banner.show_error(error, what)

    def _show_loss(self) -> None:
        """How the host ended, and as much as is known of the laser by now."""
        loss, laser = self._table.loss, self._table.lost_laser.known
        if loss is not None and laser is not None:
            remedy = loss.error.remedy if loss.held_for is HostState.RUN else "Connect the devices again."
            error = UserError(f"{loss.error.message} {laser.words}", remedy)
            self._banner.show_error(error, _FAILED[loss.held_for])

    def _show_silence(self) -> None:
        """The process that holds the table hangs, or answers again."""
        was_silent, self._is_silent = self._is_silent, self._table.host.silent_s > 0
        if self._is_silent and not was_silent:
            error = UserError(
                "The process that holds the table does not answer. Nothing is known of the laser.",
                "Safe off (F12) asks for the light to be switched off; pressed once more it ends that process, and its "
                "guardian switches off. Or use the key of the laser.",
            )
            self._banner.show_error(error, "No answer.")
        elif was_silent and not self._is_silent and self._table.loss is None:
            self._banner.hide()
