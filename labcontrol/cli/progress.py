"""A run's progress in the terminal: one live line, or a line now and then where nothing can be redrawn."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labcontrol.analysis.run_models import law_prediction, why_no_law
from labcontrol.config import LearningConfig
from labcontrol.engine import EpochDone, Event, Predicted, RunStatus, StateChanged
from labcontrol.learning import strategy_facts
from labcontrol.theory import AmplitudeLaw

_PLAIN_INTERVAL_S = 5.0


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
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def update(self, events: list[Event]) -> None:
        """Show what is new."""
        for event in events:
            if isinstance(event, StateChanged):
                self._status = event.status
                if not self._console.is_terminal or event.status.reason:
                    reason = f": {event.status.reason}" if event.status.reason else ""
                    self.say(f"[dim]{event.status.state}{reason}[/]")
            elif isinstance(event, Predicted):
                self.say(self._predicted(event.law))
            elif isinstance(event, EpochDone):
                self._status = event.status
        self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._live.update(self._line())
        elif self._status.epoch and time.monotonic() - self._shown_s > _PLAIN_INTERVAL_S:
            self._shown_s = time.monotonic()
            self.say(self._facts().plain)

    def _line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, self._status.epochs), completed=self._status.epoch, width=24)
        line.add_row(str(self._status.state), bar, self._facts())
        return line

    def _predicted(self, law: AmplitudeLaw) -> str:
        models = law_prediction(law, self._learning).curves
        start = f"{len(law.mirrors)} single flips measured: {self._learning.loss} falls from {law.start:.3g}"
        if not models:
            return f"{start}. {why_no_law(strategy_facts(self._learning))}"
        return f"{start}; {models[0].name}: τ = {models[0].tau_text or '∞'} epochs (single runs)"

    def _facts(self) -> Text:
        status = self._status
        if not status.epoch:
            return Text("measuring the table and the pilot ..." if status.epochs else "")
        left = timedelta(seconds=round(status.seconds_left))
        return Text(
            f"epoch {status.epoch}/{status.epochs}  {self._learning.loss} {status.error:.4g}  "
            f"accepted {status.accepted}  {status.epoch_s * 1e3:.0f} ms an epoch  {left} left"
        )
