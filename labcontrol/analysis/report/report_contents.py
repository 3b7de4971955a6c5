"""Everything a report says about a run, gathered before a word of it is set."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.analysis.curve_facts import MEASURED, MODELS, LineStyle
from labcontrol.analysis.model_curve import interval_text
from labcontrol.analysis.prediction_table import prediction_table
from labcontrol.analysis.report import report_plots as pictures
from labcontrol.analysis.report.sentences import sentences
from labcontrol.analysis.report.setting_rows import (
    Row,
    device_rows,
    finding_rows,
    program_rows,
    setting_rows,
    table_rows,
    task_rows,
)
from labcontrol.analysis.run_outcome import Outcome, outcome
from labcontrol.formatting import count, counted, duration, rounded
from labcontrol.records import RETRIED, RunReader
from labcontrol.records.catalogue import read_note
from labcontrol.records.contents import Fault, LogLine, RunState

_MOST_FAULTS = 200
_MOST_LOG_LINES = 500

_DASHES = {
    LineStyle.SOLID: "none",
    LineStyle.DASHED: "6 3",
    LineStyle.DASH_DOT: "6 2 1 2",
    LineStyle.DASH_DOT_DOT: "6 2 1 2 1 2",
    LineStyle.DOTTED: "1 2",
}

STATE_KINDS = {"finished": "good", "running": "active", "failed": "danger"}
"""Kind of the state's chip; the others want attention."""


@dataclass(frozen=True)
class Picture:
    """A figure with what stands below it. content: SVG, or the address of an image."""

    content: str
    caption: str


@dataclass(frozen=True)
class LegendEntry:
    """key: of a curve. line: how it is broken, None for dots. text: its meaning."""

    key: str
    line: LineStyle | None
    text: str

    @property
    def dashes(self) -> str:
        """Lengths of strokes and gaps, as SVG has them."""
        return "" if self.line is None else _DASHES[self.line]


@dataclass(frozen=True)
class Contents:
    """What the page template is filled with; texts are plain, pictures as `report_plots` makes them."""

    title: str
    name: str
    state: RunState
    state_kind: str
    written: str
    when: str
    sentences: list[str]
    tiles: list[Row]
    notes: list[str]
    learning: Picture | None
    legend: list[LegendEntry]
    forms: list[dict[str, str]]
    law: list[Row]
    output: Picture | None
    timeline: Picture | None
    drift: Picture | None
    masks: list[Picture]
    task: list[Row]
    table: list[Row]
    devices: list[dict[str, str]]
    calibrations: list[dict[str, str]]
    fault_counts: list[tuple[str, str, int]]
    faults: list[Fault]
    faults_left_out: int
    retries: list[Fault]
    retries_left_out: int
    states: list[RunState]
    log: list[LogLine]
    log_left_out: int
    settings: list[Row]
    program: list[Row]
    findings: list[Row]
    hashes: list[Row]


def contents(run: RunReader, progress: Callable[[str], None] = lambda _what: None) -> Contents:
    """Read and draw all of a run. progress: called with what is being done."""
    progress("reading")
    found = outcome(run)
    metadata, config = run.metadata, run.config
    experiment, bench = config.get("experiment", {}), config.get("bench", {})
    faults, log, states, state = run.faults, run.log, run.states, run.state
    serious = [fault for fault in faults if fault.kind != RETRIED]
    retries = [fault for fault in faults if fault.kind == RETRIED]
    lengths = len(run.washout_input), run.steps, len(run.test_target)
    progress("drawing")
    return Contents(
        title=f"{Path(str(experiment.get('task', {}).get('name', 'run'))).stem}, {count(run.neurons)} neurons",
        name=run.path.stem,
        state=state,
        state_kind=STATE_KINDS.get(state.name, "caution"),
        written=time.strftime("%Y-%m-%d %H:%M"),
        when=_when(run, found),
        sentences=sentences(run, found),
        tiles=_tiles(run, found),
        notes=[text for text in (str(experiment.get("note", "")), read_note(run.path)) if text],
        learning=_learning(run, found),
        legend=legend(found),
        forms=_forms(found),
        law=_law(run, found),
        output=_output(run),
        timeline=_timeline(run, found),
        drift=_drift(run),
        masks=_masks(run),
        task=task_rows(experiment, lengths),
        table=table_rows(config, run.preparations),
        devices=device_rows(bench, metadata.get("devices", {})),
        calibrations=_calibrations(bench),
        fault_counts=[(*kind, number) for kind, number in Counter((f.device, f.kind) for f in faults).most_common()],
        faults=serious[:_MOST_FAULTS],
        faults_left_out=max(len(serious) - _MOST_FAULTS, 0),
        retries=retries[:_MOST_FAULTS],
        retries_left_out=max(len(retries) - _MOST_FAULTS, 0),
        states=states,
        log=log[-_MOST_LOG_LINES:],
        log_left_out=max(len(log) - _MOST_LOG_LINES, 0),
        settings=setting_rows({"experiment": experiment, "bench": bench}),
        program=program_rows(metadata),
        findings=finding_rows((run.result or {}).get("strategy_report", {})),
        hashes=[*metadata.get("content_sha256", {}).items(), *([("seal", run.seal)] if run.seal is not None else [])],
    )


def clock(unix_s: float) -> str:
    """Local date and time to the second."""
    return f"{datetime.fromtimestamp(unix_s):%Y-%m-%d %H:%M:%S}"


def _when(run: RunReader, found: Outcome) -> str:
    text = f"begun {clock(run.states[0].unix_s)}"
    if found.epochs:
        text += f", {duration(found.wall_s)} of learning"
    continued = sum(state.reason == "continued" for state in run.states)
    return text + (f", continued {counted(continued, 'time')}" if continued else "")


def _tiles(run: RunReader, found: Outcome) -> list[Row]:
    tiles = []
    if found.test is not None:
        tiles.append((rounded(found.test["nmse"]), "nmse of the test part"))
    if found.train is not None:
        tiles.append((rounded(found.train["nmse"]), "nmse of the training part"))
    elif found.error is not None:
        tiles.append((rounded(found.error), f"{run.loss} of the incumbent"))
    tiles.append((count(found.epochs), f"epochs in {counted(found.replays, 'replay')}"))
    tiles.append((count(found.accepted), f"{'change' if found.accepted == 1 else 'changes'} of the mask kept"))
    if found.epochs:
        tiles.append((duration(found.bench_s), "by the clock of the bench"))
    serious = [fault for fault in run.faults if fault.kind != RETRIED]
    retried = len(run.faults) - len(serious)
    again = f" and {counted(retried, 'retry', 'retries')}" if retried else ""
    tiles.append((count(len(serious)), f"{'fault' if len(serious) == 1 else 'faults'}{again}"))
    return tiles


def _learning(run: RunReader, found: Outcome) -> Picture | None:
    if not found.epochs:
        return None
    below = " Below, its ratio to the models." if found.models.shown else ""
    caption = f"The {run.loss} of every mask measured and of the incumbent.{below}"
    return Picture(pictures.learning_svg(run, found.models), caption)


def legend(found: Outcome) -> list[LegendEntry]:
    """What is measured, then the models."""
    measured = [LegendEntry(key, facts.line, facts.name) for key, facts in MEASURED.items()]
    models = [LegendEntry(key, MODELS[key].line, model.label) for key, model in found.models.shown.items()]
    return measured + models


def _forms(found: Outcome) -> list[dict[str, str]]:
    """The forms fitted to the curve, best first."""
    fits = found.models.fits
    if fits is None:
        return []
    return [
        {
            "form": fit.form,
            "weight": f"{fits.weights[fit.form]:.0%}",
            "r_squared": f"{fit.r_squared:.4f}",
            "tau": interval_text(fit.tau),
            "height": interval_text(fit.parameters["height"]),
            "floor": interval_text(fit.parameters["floor"]) if fit.form != "power law" else "0",
        }
        for fit in fits.fits
    ]


def _law(run: RunReader, found: Outcome) -> list[Row]:
    """The pilot's prediction, in numbers."""
    pilot = found.models.pilot
    if pilot is None:
        return []
    facts, told = pilot.facts, pilot.prediction
    rows = [
        ("masks measured before learning", f"{count(facts.masks)} in {count(facts.replays)} replays"),
        ("gain of the fixed-gain error", f"{rounded(pilot.gain)} (unit of the output)"),
        (
            "noise of an output within a replay, and between replays",
            f"{rounded(facts.noise_within)}, {rounded(facts.noise_between)}",
        ),
        ("left unexplained of what masks changed", f"{facts.unexplained:.2%}"),
    ]
    if told is None:
        return [*rows, ("predicted curve", found.models.remark)]
    compared = prediction_table(found.models, run.neurons, run.experiment["stop"].get("target_error"))
    rows += [(f"{row.what}, predicted", f"{row.predicted_text}; measured {row.measured_text}") for row in compared]
    return rows


def _output(run: RunReader) -> Picture | None:
    if not len(run.epochs):
        return None
    drawn, part = pictures.output_svg(run)
    return Picture(drawn, f"{part[0].upper()}{part[1:]}: both standardised; on the right every step.")


def _timeline(run: RunReader, found: Outcome) -> Picture | None:
    if found.epochs < 2 or found.wall_s <= 0 or not np.isfinite(found.models.incumbent).any():
        return None
    kinds = {fault.kind == RETRIED for fault in run.faults}
    lines = [
        *(["a red line is a fault"] if False in kinds else []),
        *(["a grey one something acquired again"] if True in kinds else []),
        *(["a dashed one a continuation"] if any(state.reason == "continued" for state in run.states) else []),
    ]
    caption = "; ".join([f"The incumbent's {run.loss} over wall time", *lines])
    return Picture(pictures.timeline_svg(run), f"{caption}.")


def _drift(run: RunReader) -> Picture | None:
    """How the initial mask, measured again and again, has moved; None where it was not, or only before learning."""
    drift = run.drift
    if not drift or drift["epoch"].max() == 0:
        return None
    text = (
        f"The initial mask, measured {counted(len(drift['epoch']), 'time')}; at most {drift['excess'].max():.1f} times"
    )
    return Picture(pictures.drift_svg(run), f"{text} what noise explains.")


def _masks(run: RunReader) -> list[Picture]:
    initial, (last, which) = run.initial_mask, run.last_mask()
    masks = [Picture(pictures.mask_png(initial), f"initial: {count(int(initial.sum()))} of {count(len(initial))} on")]
    if which == "initial":
        return masks
    changed = int(np.count_nonzero(last != initial))
    masks.append(Picture(pictures.mask_png(last), f"{which}: {count(int(last.sum()))} on"))
    text = f"{count(changed)} changed: on orange, off blue"
    masks.append(Picture(pictures.change_png(initial, last), text))
    mirrors = run.epochs.mirror
    if (mirrors >= 0).any():
        most = int(np.bincount(mirrors[mirrors >= 0]).max())
        masks.append(
            Picture(pictures.visits_png(mirrors, run.neurons), f"tried alone: black never, white {most} times")
        )
    return masks


def _calibrations(bench: dict[str, Any]) -> list[dict[str, str]]:
    applied = (bench.get("calibration") or {}).get("applied") or []
    return [
        {key: str(calibration.get(key, "")) for key in ("kind", "measured", "state", "sha256")}
        for calibration in applied
    ]
