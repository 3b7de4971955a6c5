"""`labcontrol calibrations`: what has been measured, and whether it still holds."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labcontrol.calibration import PROCEDURES, Calibration, Store, read_calibration, store_of
from labcontrol.cli.calibrate import bench_to_calibrate
from labcontrol.errors import UserError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _calibrations() -> None:
    """List, show, compare and export the calibrations of a bench."""


_BENCH = typer.Option(help="Bench file; its [calibration] section names the folder.")


@app.command("list")
def list_calibrations(bench: Path = _BENCH) -> None:
    """How every kind of calibration stands, and all files there are."""
    console = Console()
    config = bench_to_calibrate(bench)
    store = store_of(config)
    required = config.calibration.require if config.calibration is not None else ()
    table = Table("calibration", "needed", "state", "why", "measured", "files", "hash", box=None, header_style="bold")
    for kind in PROCEDURES:
        status = store.status(kind, config)
        colour = "green" if status.is_fresh else "red" if status.state in ("missing", "failed") else "yellow"
        known = status.calibration
        table.add_row(
            kind,
            "yes" if kind in required else "",
            f"[{colour}]{status.state}[/]",
            escape(status.reason),
            _when(known) if known is not None else "",
            str(len(store.files(kind))),
            known.hash[:12] if known is not None else "",
        )
    console.print(table)


@app.command()
def show(
    which: str = typer.Argument(help="A kind (its newest), or a calibration file."),
    bench: Path | None = typer.Option(None, help="Bench file; not needed for a file.", show_default=False),
    figure: Path | None = typer.Option(None, help="Also save the figure here, as PNG.", show_default=False),
) -> None:
    """Everything one calibration says."""
    console = Console()
    calibration = _find(which, bench)
    console.print(f"[bold]{calibration.kind}[/], measured {_when(calibration)}, {_verdict(calibration)}")
    table = Table("quantity", "value and 95 % interval", "meaning", box=None, header_style="bold")
    for name, quantity in calibration.outcome.quantities.items():
        table.add_row(name, f"{quantity.value:.6g} ({quantity.low:.6g} to {quantity.high:.6g}) {quantity.unit}",
                      quantity.meaning)  # fmt: skip
    console.print(table)
    for words in (*calibration.outcome.failures, *calibration.outcome.notices):
        console.print(f"- {words}", highlight=False, soft_wrap=True, markup=False)
    for role, identity in calibration.devices.items():
        who = f"{role}: {identity['vendor']} {identity['model']}, serial number {identity['serial_number']}"
        console.print(who, markup=False)
    for kind, parent in calibration.parents.items():
        console.print(f"built on {kind} {parent[:12]}")
    console.print(f"sha256 {calibration.hash}")
    if figure is not None:
        from labcontrol.calibration.plot import save_calibration_figure

        console.print(f"saved {save_calibration_figure(calibration, figure)}", markup=False)


@app.command()
def compare(
    first: str = typer.Argument(help="A kind or a calibration file."),
    second: str | None = typer.Argument(
        None, help="Another file of the same kind; by default the one measured before.", show_default=False
    ),
    bench: Path | None = typer.Option(None, help="Bench file; not needed for files.", show_default=False),
) -> None:
    """What changed between two calibrations of a kind, in standard errors."""
    a, b = (_find(second, bench), _find(first, bench)) if second is not None else _last_two(first, bench)
    if a.kind != b.kind:
        raise UserError(f"A {a.kind} and a {b.kind} have nothing to compare.", "Name two of the same kind.")
    table = Table("quantity", _when(a), _when(b), "change", "in errors", box=None, header_style="bold")
    for name, old in a.outcome.quantities.items():
        new = b.outcome.quantities.get(name)
        if new is None:
            continue
        error = np.hypot(old.high - old.low, new.high - new.low) / (2 * 1.96)
        change = new.value - old.value
        sigmas = f"{change / error:+.1f}" if error > 0 else ""
        table.add_row(name, str(old), str(new), f"{change:+.3g} {old.unit}", sigmas)
    Console().print(table)


@app.command()
def export(
    which: str = typer.Argument(help="A kind (its newest), or a calibration file."),
    output: Path = typer.Argument(help="A .json file to write; arrays included."),
    bench: Path | None = typer.Option(None, help="Bench file; not needed for a file.", show_default=False),
) -> None:
    """Write one calibration as JSON, for other programs."""
    calibration = _find(which, bench)
    content = calibration.facts() | {
        "sha256": calibration.hash,
        "arrays": {name: np.asarray(array).tolist() for name, array in calibration.outcome.arrays.items()},
    }
    try:
        output.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error}.") from None
    typer.echo(f"wrote {output}")


def _find(which: str, bench: Path | None) -> Calibration:
    if which not in PROCEDURES:
        path = Path(which)
        if not path.exists():
            raise UserError(
                f"{which!r} is neither a kind of calibration nor a file.", f"Kinds are: {', '.join(PROCEDURES)}."
            )
        return read_calibration(path)
    calibration = _store(bench).newest(which)
    if calibration is None:
        raise UserError(f"There is no calibration '{which}' yet.", f"'labcontrol calibrate {which}' measures it.")
    return calibration


def _last_two(which: str, bench: Path | None) -> tuple[Calibration, Calibration]:
    store = _store(bench)
    files = store.files(which)
    if len(files) < 2:
        raise UserError(f"There are {len(files)} calibrations '{which}'; two are needed to compare.")
    return store.load(files[-2]), store.load(files[-1])


def _store(bench: Path | None) -> Store:
    if bench is None:
        raise UserError("Which bench?", "Add --bench BENCH.toml, or name a calibration file.")
    return store_of(bench_to_calibrate(bench))


def _when(calibration: Calibration) -> str:
    return f"{datetime.fromtimestamp(calibration.measured_unix_s):%Y-%m-%d %H:%M:%S}"


def _verdict(calibration: Calibration) -> str:
    return "[green]passed[/]" if calibration.passed else "[red]failed[/]"
