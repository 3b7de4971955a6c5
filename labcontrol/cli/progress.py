"""A run's progress in the terminal: one live line, or a line now and then where nothing can be redrawn."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labcontrol.analysis.run_models import pilot_prediction, why_no_law
from labcontrol.config import LearningConfig
from labcontrol.engine import Doing, EpochDone, Event, Predicted, RunState, RunStatus, StateChanged
from labcontrol.engine.pilot import PilotResult
from labcontrol.formatting import rounded
from labcontrol.learning import strategy_facts

_PLAIN_INTERVAL_S = 5.0
_IN_STATES = {("labcontrol.engine.recovery", logging.WARNING), ("labcontrol.engine.run", logging.ERROR)}
"""What these log is the reason of a state as well, or the error that the program ends with."""


def _not_in_states(record: logging.LogRecord) -> bool:
    return (record.name, record.levelno) not in _IN_STATES


class RunProgress:
    """Shows events of a run on standard error. Use as a context manager and feed it with `update`."""

    def __init__(self, learning: LearningConfig) -> None:
        self._learning = learning
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._shown_s = 0.0
        self._status = RunStatus()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        for handler in logging.getLogger().handlers:
            handler.addFilter(_not_in_states)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        for handler in logging.getLogger().handlers:
            handler.removeFilter(_not_in_states)

    def say(self, text: str | Text, style: str = "") -> None:
        """A line that stays; a string is shown as it is, whatever brackets it has."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def update(self, events: list[Event]) -> None:
        """Show what is new."""
        for event in events:
            if isinstance(event, StateChanged):
                self._status = event.status
                if event.status.state is not RunState.FAILED and (not self._console.is_terminal or event.status.reason):
                    reason = f": {event.status.reason}" if event.status.reason else ""
                    self.say(f"{event.status.state}{reason}", "dim")
            elif isinstance(event, Doing):
                self._status = replace(self._status, doing=event.what)
            elif isinstance(event, Predicted):
                self.say(self._predicted(event.pilot))
            elif isinstance(event, EpochDone):
                self._status = event.status
        self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._live.update(self._line())
        elif (self._status.epoch or self._status.doing) and time.monotonic() - self._shown_s > _PLAIN_INTERVAL_S:
            self._shown_s = time.monotonic()
            self.say(self._facts().plain)

    def _line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, self._status.epochs), completed=self._status.epoch, width=24)
        line.add_row(str(self._status.state), bar, self._facts())
        return line

    def _predicted(self, pilot: PilotResult) -> str:
        measured = f"{pilot.facts.masks} masks measured in {pilot.facts.replays} replays"
        told = pilot.prediction
        if told is None:
            return f"{measured}. {why_no_law(strategy_facts(self._learning), pilot)}"
        (median, low, high), loss = (rounded(curve[-1]) for curve in (told.median, told.low, told.high)), told.loss
        exponential = next((curve for curve in pilot_prediction(pilot).curves if curve.key == "exponential"), None)
        rate = f"; {exponential.name.lower()}: τ = {exponential.tau_text} epochs" if exponential is not None else ""
        return f"{measured}: {loss} will fall from {rounded(told.median[0])} to {median} ({low} to {high}){rate}"

    def _facts(self) -> Text:
        status = self._status
        if not status.epoch:
            return Text(status.doing and f"{status.doing} ...")
        left = timedelta(seconds=round(status.seconds_left))
        return Text(
            f"epoch {status.epoch}/{status.epochs}  {self._learning.loss} {status.error:.4g}  "
            f"accepted {status.accepted}  {status.epoch_s * 1e3:.0f} ms an epoch  {left} left"
        )
