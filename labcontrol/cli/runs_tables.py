"""Runs as tables: the list, one run, several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from labcontrol.cli.terminal_text import local_time, state_text
from labcontrol.config import ExperimentConfig, with_moved_settings
from labcontrol.formatting import duration, rounded
from labcontrol.records import RunReader
from labcontrol.records.catalogue import RunSummary, read_note

if TYPE_CHECKING:
    from labcontrol.analysis.run_outcome import Outcome

_LAST_LOG_LINES = 5
_NAME_IN_COMPARISON = 40
_MODEL_ROWS = {"exponential": "predicted", "fit": "fitted"}


def list_table(runs: Sequence[RunSummary]) -> Table:
    """One line a run that can be read."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("run", no_wrap=True)
    table.add_column("state")
    for heading in ("epochs", "error", "test error"):
        table.add_column(heading, justify="right")
    table.add_column("strategy")
    table.add_column("note", overflow="ellipsis", no_wrap=True)
    for run in runs:
        table.add_row(
            escape(run.path.stem),
            state_text(run.state),
            str(run.epochs),
            _figures(run.error),
            _figures(run.test_error),
            run.strategy,
            escape(run.note.replace("\n", " ")),
        )
    return table


def show_table(run: RunReader) -> Table:
    """All that matters of one run."""
    from labcontrol.analysis.run_outcome import (
        outcome,  # the theory behind it takes long to import, and a list needs none
    )

    facts, found, state = Table.grid(padding=(0, 2)), outcome(run), run.state
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    reason = f": {escape(state.reason)}" if state.reason else ""
    facts.add_row("run", escape(str(run.path)))
    facts.add_row("state", f"{state_text(state.name)}{reason}")
    facts.add_row("started", local_time(run.states[0].unix_s) + _continued(run))
    for name, text in [*_setting_rows(run), *_outcome_rows(found, run)]:
        if text:
            facts.add_row(name, escape(text))
    for role, identity in run.metadata.get("devices", {}).items():
        facts.add_row(role, escape(_device(identity)))
    facts.add_row("faults", _faults(run))
    facts.add_row("program", escape(_program(run.metadata.get("provenance", {}))))
    if run.seal is not None:
        facts.add_row("seal", f"sha256 {run.seal}")
    note = "\n".join(filter(None, [run.experiment.get("note", ""), read_note(run.path)]))
    if note:
        facts.add_row("note", escape(note))
    for line in run.log[-_LAST_LOG_LINES:]:
        facts.add_row("log", escape(f"{local_time(line.unix_s)} {line.level}: {line.text}"))
    return facts


def comparison_table(paths: Sequence[Path], columns: Sequence[dict[str, str]]) -> Table:
    """Runs beside each other: only the settings in which they differ, then what they came to.

    columns: the rows of each run by name, see `comparison_column`.
    """
    table = Table(box=None, header_style="bold", padding=(0, 2))
    table.add_column("")
    for path in paths:
        table.add_column(escape(path.stem), max_width=_NAME_IN_COMPARISON, overflow="fold")
    rows = dict.fromkeys(name for column in columns for name in column)
    for name in rows:
        values = [column.get(name, "") for column in columns]
        is_setting = name.split(".")[0] in ExperimentConfig.model_fields
        if is_setting and len(set(values)) == 1:
            continue
        if any(values):
            table.add_row(f"[bold]{name}[/]", *map(escape, values))
    return table


def comparison_column(run: RunReader) -> dict[str, str]:
    """Every setting of a run by its dotted name, then its outcome."""
    from labcontrol.analysis.run_outcome import outcome

    settings = {name: str(value) for name, value in _flat(run.experiment) if name != "note"}
    return settings | {"state": run.state.name} | dict(_outcome_rows(outcome(run), run))


def _setting_rows(run: RunReader) -> list[tuple[str, str]]:

    experiment = run.experiment
    learning, task = with_moved_settings(experiment.get("learning", {})), experiment.get("task", {})
    strategy = learning.get("strategy", "")
    options = "".join(f"{key} {value}, " for key, value in learning.get("options", {}).items())
    return [
        ("bench", f"{run.config.get('bench', {}).get('name', '')} ({experiment.get('bench', '')})"),
        ("task", f"{task.get('name')}: washout {task.get('washout')}, {run.steps} steps, test {len(run.test_target)}"),
        ("neurons", str(run.neurons)),
        ("learning", f"{strategy}, {options}loss {run.loss}"),
        ("seed", str(experiment.get("seed"))),
    ]


def _outcome_rows(found: Outcome, run: RunReader) -> list[tuple[str, str]]:
    rows = [
        ("epochs", f"{found.epochs} in {found.replays} replays, {found.accepted} accepted"),
        ("error", f"{_figures(found.start_error)} → {_figures(found.error)} ({run.loss})" if found.epochs else ""),
        ("95 % of the fall", f"after {found.fall_epoch} epochs" if found.fall_epoch is not None else ""),
    ]
    for part, errors in (("train", found.train), ("test", found.test)):
        if errors:
            rows.append((part, f"nmse {rounded(errors['nmse'])}, mse {rounded(errors['mse'])}"))
    rows += [(_MODEL_ROWS[key], model.label) for key, model in found.models.curves.items() if key in _MODEL_ROWS]
    if found.models.fits is not None:
        best = found.models.fits.best.form
        rows.append(("best form", f"{best} (weight {found.models.fits.weights[best]:.0%})"))
    rows.append(("verdict", found.models.verdict.text or found.models.remark))
    if found.epochs:
        rows.append(
            ("duration", f"{duration(found.wall_s)} of learning, {duration(found.bench_s)} by the bench's clock")
        )
    return rows


def _figures(value: float | None) -> str:
    return "" if value is None else rounded(value)


def _continued(run: RunReader) -> str:
    times = sum(state.reason == "continued" for state in run.states)
    return f", continued {times} time{'s' if times > 1 else ''}" if times else ""


def _device(identity: dict[str, Any]) -> str:
    words = [identity.get("vendor", ""), identity.get("model", "")]
    for key, word in (("serial_number", "serial"), ("firmware", "firmware")):
        if identity.get(key):
            words.append(f"{word} {identity[key]}")
    return " ".join(filter(None, words))


def _faults(run: RunReader) -> str:
    faults = run.faults
    if not faults:
        return "none"
    last = faults[-1]
    return escape(f"{len(faults)}, the last: {last.device} {last.kind}, {last.text} ({last.action})")


def _program(provenance: dict[str, Any]) -> str:
    git = provenance.get("git") or {}
    changed = " with local changes" if git.get("changes_sha256") else ""
    revision = f", revision {git['revision'][:10]}{changed}" if git.get("revision") else ""
    return f"labcontrol {provenance.get('version', '?')}{revision} on {provenance.get('host', '?')}"


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        pairs += _flat(value, f"{name}.") if isinstance(value, dict) and value else [(name, value)]
    return pairs
