"""Devices that were found, written into a bench file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from labcontrol.bench import driver_classes
from labcontrol.bench.bench import ROLES
from labcontrol.bench.discover import Fit
from labcontrol.cli.init import bench_text
from labcontrol.config import load_bench
from labcontrol.config.bench_edit import replace_file, with_device
from labcontrol.config.example_benches import ExampleBench, example_bench, example_bench_names
from labcontrol.errors import UserError


def write_devices(console: Console, path: Path, choices: Mapping[str, Fit]) -> None:
    """Put the devices into the file, whole or not at all, and say what is left to do. Raises UserError."""
    if not choices:
        raise UserError(f"Nothing was chosen, {path} is as it was.", "Choose devices with --use ROLE=ADDRESS.")
    known = path.exists()
    text = _read(path) if known else _nearest_example(choices)
    for role, fit in choices.items():
        text = with_device(text, role, fit.driver, fit.found.address, fit.found.options, fit.driver_class.Options)
    kept = replace_file(path, text)
    console.print(f"wrote {', '.join(choices)} into {path}", markup=False, highlight=False, soft_wrap=True)
    if kept is not None:
        console.print(f"[dim]the file before is kept as {escape(str(kept))}[/]", highlight=False, soft_wrap=True)
    others = [role for role in ROLES if role not in choices]
    if others and not known:
        console.print(f"[yellow]{', '.join(others)}[/]: as in the example; still to be set", highlight=False)
    try:
        driver_classes(load_bench(path))
    except UserError as error:
        console.print(f"[yellow]to be filled in:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    else:
        console.print(f"next:  labcontrol check {path} --connect", markup=False, highlight=False, soft_wrap=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None


def _nearest_example(choices: Mapping[str, Fit]) -> str:
    """The example bench with most of these drivers."""

    def agreement(example: ExampleBench) -> int:
        return sum(getattr(example.bench, role).driver == fit.driver for role, fit in choices.items())

    best = max((example_bench(name) for name in example_bench_names()), key=agreement)
    return bench_text(best.bench, best.notes)
