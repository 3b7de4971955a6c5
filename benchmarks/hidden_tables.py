"""Is calibration right, and are its intervals honest? Random hidden tables, compared with their ground truth.

Every table hides its own geometry, response and delays. All steps are run through the same drivers as on a real bench;
only then is the ground truth looked at. Printed are the largest errors over all tables, against what is asked for, how
often the ground truth lay in the stated 95 % interval (and the 95 % interval of that share, from the binomial
distribution), and how far it was from the value, rms in stated standard errors: 1 is honest, more is boastful, less is
timid.

With --learn, learning on each calibrated table is compared with learning on the same table perfectly known.

    python benchmarks/hidden_tables.py --tables 50
    python benchmarks/hidden_tables.py --tables 5 --learn
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from labcontrol.bench import Bench, NeuronMap, hidden_bench
from labcontrol.calibration import PROCEDURES, Calibration, Session, Store, calibrated
from labcontrol.calibration.result import SIGMAS
from labcontrol.calibration.session import with_settings
from labcontrol.config import BenchConfig, CalibrationConfig, ExperimentConfig, TaskConfig
from labcontrol.engine import Run
from labcontrol.records import reading
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task, nmse
from mock_devices.ground_truth import ground_truth_of, true_phase, true_pixels, true_settings
from mock_devices.options import TableOptions

Values = NDArray[np.float64]

# Largest error allowed, by row of the table.
BOUNDS = {
    "registration (px rms)": 0.2,
    "phase response (waves rms)": 0.01,
    "grid on the SLM (px)": 0.0,
    "mirrors of another neuron (share)": 0.02,
    "SLM settling (frames)": 1.0,
    "SLM latency (frames)": 1.0,
    "camera latency (frames)": 1.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=50, help="hidden tables (default 50)")
    parser.add_argument("--first", type=int, default=100, help="seed of the first one (default 100)")
    parser.add_argument("--neurons", type=int, default=144, help="a square number (default 144)")
    parser.add_argument("--learn", action="store_true", help="also learn on each table, calibrated and perfectly known")
    parser.add_argument("--epochs", type=int, default=600, help="epochs of learning (default 600)")
    parser.add_argument("--runs", type=int, default=2, help="learning runs a table, seeds 1, 2, ... (default 2)")
    options = parser.parse_args()

    errors: dict[str, list[float]] = defaultdict(list)
    offs: dict[str, list[Values]] = defaultdict(list)
    learned: list[tuple[float, float]] = []
    failed = 0
    console = Console(stderr=True)
    for seed in track(range(options.first, options.first + options.tables), "hidden tables", console=console):
        with tempfile.TemporaryDirectory() as folder:
            config = hidden_bench(options.neurons, seed, seed).model_copy(
                update={"calibration": CalibrationConfig(store=folder)}
            )
            found = calibrate(config)
            bad = {kind: c.outcome.failures for kind, c in found.items() if not c.passed}
            if bad:
                failed += 1
                console.print(f"table {seed}: {bad}")
                continue
            compare(config, found, errors, offs)
            if options.learn:
                for run in range(options.runs):
                    learned.append(learn_twice(config, Path(folder), options, run + 1))
                    console.print(f"table {seed}, run {run + 1}: nmse {learned[-1][0]:.5f}, known {learned[-1][1]:.5f}")
    report(errors, offs, learned, failed)
    ok = not failed and all(max(errors[name]) <= bound for name, bound in BOUNDS.items())
    coverage = np.mean([inside(values).mean() for values in offs.values()])
    return 0 if ok and 0.90 <= coverage <= 0.99 else 1


def calibrate(config: BenchConfig) -> dict[str, Calibration]:
    """Every step, in order, up to the first that fails."""
    assert config.calibration is not None
    found = {}
    with Bench(config) as bench:
        session = Session(bench, config, Store(Path(config.calibration.store), PROCEDURES))
        for kind in PROCEDURES:
            found[kind] = session.run(kind)
            if not found[kind].passed:
                break
    return found


def compare(
    config: BenchConfig,
    found: dict[str, Calibration],
    errors: dict[str, list[float]],
    offs: dict[str, list[Values]],
) -> None:
    """Add this table's errors, absolute and in standard errors."""
    assert config.table is not None
    ground_truth = ground_truth_of(config.table.options)
    arrays = found["registration"].outcome.arrays
    off = arrays["pixels"] - true_pixels(ground_truth, arrays["cells"])
    errors["registration (px rms)"].append(float(np.sqrt(np.mean(np.sum(off**2, axis=1)))))
    offs["registration: neuron's pixel"].append((off / arrays["error_px"]).ravel())
    response = found["phase-response"].outcome.arrays
    off = response["phase_rad"] - true_phase(ground_truth)
    errors["phase response (waves rms)"].append(float(np.sqrt(np.mean(off**2))) / (2 * np.pi))
    offs["phase-response: phase of a grey level"].append(off / response["error_rad"])
    window = found["window"].outcome.quantities
    origin = (window["origin_row_px"].value, window["origin_column_px"].value)
    errors["grid on the SLM (px)"].append(float(np.max(np.abs(np.subtract(origin, ground_truth.slm.origin_px)))))
    errors["mirrors of another neuron (share)"].append(_wrong_mirrors(config, ground_truth))
    timing = found["timing"].outcome.quantities
    settle_s = (
        ground_truth.slm.latency_s + 1 / ground_truth.slm.refresh_hz - np.log(1e-3) * ground_truth.slm.response_time_s
    )
    frame_s = 1 / ground_truth.slm.refresh_hz
    errors["SLM settling (frames)"].append(abs(timing["settle_s"].value - settle_s) / frame_s)
    errors["SLM latency (frames)"].append(abs(timing["latency_s"].value - ground_truth.slm.latency_s) / frame_s)
    errors["camera latency (frames)"].append(
        abs(timing["camera_latency_s"].value - ground_truth.camera.readout_time_s) / frame_s
    )
    for kind, name, value in _ground_truths(ground_truth, settle_s):
        quantity = found[kind].outcome.quantities[name]
        half = quantity.high - quantity.value if value > quantity.value else quantity.value - quantity.low
        offs[f"{kind}: {name}"].append(np.array([SIGMAS * (value - quantity.value) / half]))


def inside(offs: list[Values]) -> Values:
    """Share (tables,) of ground truths inside their 95 % intervals, from their distances in standard errors."""
    return np.array([np.mean(np.abs(off) <= SIGMAS) for off in offs])


def _ground_truths(ground_truth: TableOptions, settle_s: float) -> list[tuple[str, str, float]]:
    """Quantities with a ground truth to compare with."""
    gain = (2**ground_truth.camera.bit_depth - 1 - ground_truth.camera.dark_level) / ground_truth.camera.full_well_e
    (m00, m01), (m10, m11) = ground_truth.camera_matrix
    (d00, d01), (d10, d11) = ground_truth.dmd_matrix
    middle = [
        (size - 1) / 2 + off for size, off in zip(ground_truth.cells, ground_truth.optics.beam_centre, strict=True)
    ]
    half_diagonal = np.hypot(ground_truth.rows - 1, ground_truth.columns - 1) / 2
    return [
        ("camera", "dark_counts", ground_truth.camera.dark_level), ("camera", "gain_counts_per_e", gain),
        ("phase-response", "span_rad", float(np.ptp(true_phase(ground_truth)))),
        ("registration", "m00", m00), ("registration", "m01", m01), ("registration", "m10", m10),
        ("registration", "m11", m11), ("registration", "distortion", ground_truth.camera.distortion),
        ("registration", "row", ground_truth.camera_offset_px[0]),
        ("registration", "column", ground_truth.camera_offset_px[1]),
        ("registration", "blur", ground_truth.camera.blur_px),
        ("mirrors", "m00", d00), ("mirrors", "m01", d01), ("mirrors", "m10", d10), ("mirrors", "m11", d11),
        ("mirrors", "row", ground_truth.dmd_offset_px[0]), ("mirrors", "column", ground_truth.dmd_offset_px[1]),
        ("timing", "settle_s", settle_s), ("timing", "latency_s", ground_truth.slm.latency_s),
        ("timing", "tau_s", ground_truth.slm.response_time_s), ("timing", "refresh_hz", ground_truth.slm.refresh_hz),
        ("detector", "offset_w", ground_truth.detector.offset_w),
        ("detector", "bandwidth_hz", ground_truth.detector.bandwidth_hz),
        ("detector", "noise_w", ground_truth.detector.noise * ground_truth.detector.full_scale_w),
        ("detector", "trigger_delay_s", ground_truth.detector.trigger_delay_s),
        ("laser", "warm_up_share", ground_truth.laser.warm_up_share),
        ("laser", "warm_up_tau_s", ground_truth.laser.warm_up_time_s / 6), ("laser", "drift_per_min", 0.0),
        ("profile", "centre_row", middle[0]), ("profile", "centre_column", middle[1]),
        ("profile", "waist_row", ground_truth.optics.beam_waist * half_diagonal),
        ("profile", "waist_column", ground_truth.optics.beam_waist * half_diagonal),
    ]  # fmt: skip


def _wrong_mirrors(config: BenchConfig, ground_truth: TableOptions) -> float:
    """Share of mirrors that show another neuron than they would if everything were known."""
    side = config.geometry.rows
    shapes = (ground_truth.slm_shape, ground_truth.dmd_shape, ground_truth.sensor_shape)
    known = with_settings(config, true_settings(ground_truth))
    masks = np.random.default_rng(2).random((24, side * side)) < 0.5
    ours, theirs = (NeuronMap(c.geometry, side, *shapes).dmd_patterns(masks) for c in (calibrated(config), known))
    return float(np.mean(np.any(ours != theirs, axis=0)))


def learn_twice(config: BenchConfig, folder: Path, options: argparse.Namespace, seed: int) -> tuple[float, float]:
    """Train nmse of the masks learned on the calibrated table and on the same one perfectly known, without noise."""
    assert config.table is not None
    experiment = ExperimentConfig(neurons=options.neurons, seed=seed, task=TaskConfig())
    experiment = experiment.model_copy(update={"stop": experiment.stop.model_copy(update={"epochs": options.epochs})})
    ours = calibrated(config)
    known = with_settings(config, true_settings(ground_truth_of(config.table.options)))
    known = known.model_copy(
        update={"calibration": None, "camera": known.camera.model_copy(update={"exposure_s": ours.camera.exposure_s})}
    )
    errors = []
    for bench, settings in ((config, ours), (known, known)):
        run = Run(experiment, bench, folder)
        run.execute()
        with reading(run.record) as record:
            mask = record.final_mask
        assert mask is not None
        errors.append(quiet_error(experiment, settings, mask))
    return errors[0], errors[1]


def quiet_error(experiment: ExperimentConfig, bench: BenchConfig, mask: NDArray[np.bool_]) -> float:
    """Train nmse of a mask on the same table without any noise."""
    assert bench.table is not None
    quiet = bench.table.model_copy(update={"options": bench.table.options | {"noise": 0.0}})
    task = make_task(experiment.task, experiment.seed)
    with Bench(bench.model_copy(update={"table": quiet})) as opened:
        rng = np.random.default_rng([experiment.seed, 1])  # as a run draws its weights
        reservoir = Reservoir(opened, experiment.reservoir, experiment.side, rng)
        reservoir.prepare()
        output = reservoir.replay(mask, task.training_sequence, len(task.washout_input)).outputs[0]
    return nmse(output, task.train_target)


def _add_share(table: Table, name: str, offs: list[list[Values]], **how: Any) -> None:
    """One row for some quantities of all tables; each counts once a table."""
    shares = np.concatenate([inside(values) for values in offs])
    low, high = binomtest(round(shares.sum()), shares.size).proportion_ci(method="wilson")
    rms = np.sqrt(np.mean([np.mean(off**2) for values in offs for off in values]))
    table.add_row(name, f"{shares.mean():.1%}", f"{low:.1%} to {high:.1%}", f"{rms:.2f}", **how)


def report(
    errors: dict[str, list[float]], offs: dict[str, list[Values]], learned: list[tuple[float, float]], failed: int
) -> None:
    console = Console()
    table = Table("error of", "median", "largest", "asked for", "met", title=f"{failed} tables failed")
    for name, values in errors.items():
        bound = BOUNDS[name]
        met = f"{sum(value <= bound for value in values)} of {len(values)}"
        table.add_row(name, f"{np.median(values):.2g}", f"{max(values):.2g}", f"{bound:g}", met)
    console.print(table)
    table = Table("truth in the 95 % interval of", "share", "95 % interval of it", "rms distance (errors)")
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in sorted(offs):
        kinds[name.split(":")[0]].append(name)
    for kind, names in kinds.items():
        for name in names:
            _add_share(table, name, [offs[name]])
        _add_share(table, f"{kind}, all", [offs[name] for name in names], style="bold", end_section=True)
    _add_share(table, "all together", list(offs.values()), style="bold")
    console.print(table)
    if learned:
        table = Table("nmse, calibrated", "nmse, perfectly known", "ratio", title="learning")
        for ours, theirs in learned:
            table.add_row(f"{ours:.5f}", f"{theirs:.5f}", f"{ours / theirs:.2f}")
        ratios = np.array([ours / theirs for ours, theirs in learned])
        low, high = np.exp(
            np.log(ratios).mean() + np.array([-1, 1]) * SIGMAS * np.log(ratios).std() / len(ratios) ** 0.5
        )
        table.add_row("", "median", f"{np.median(ratios):.3f}", style="bold")
        table.add_row("", "geometric mean, 95 % interval", f"{low:.3f} to {high:.3f}", style="bold")
        console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
