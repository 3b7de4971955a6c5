"""`labcontrol bug-report`: one archive with what others need to mend a fault, and a list of what is in it."""

from __future__ import annotations

import contextlib
import getpass
import io
import locale
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.console import Console

from labcontrol.cli import completion
from labcontrol.engine.checkpoint import decode
from labcontrol.errors import UserError
from labcontrol.records import RunReader, reading
from labcontrol.records.catalogue import find_run
from labcontrol.records.json_text import to_json
from labcontrol.records.provenance import provenance
from labcontrol.whole_files import replacing

_LAST_BYTES = 200_000  # of a log
_CRASHES = 5
_SETTINGS = ("DISPLAY", "LANG", "LC_ALL", "LC_NUMERIC", "NUMBA_CACHE_DIR", "QT_SCALE_FACTOR", "WAYLAND_DISPLAY")


class Part(NamedTuple):
    """A file of the archive. holds: what is in it, for the person who sends it."""

    name: str
    holds: str
    text: str


def bug_report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The run it is about: a path, the name of a run, or 'latest'.",
            autocompletion=completion.runs,
            show_default=False,
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the run files.")] = Path("runs"),
    output: Annotated[
        Path | None, typer.Option(help="The archive, a .zip file.", show_default="labcontrol-bug-<time>.zip")
    ] = None,
    devices: Annotated[
        bool, typer.Option("--devices/--no-devices", help="List ports, screens and cameras; nothing is sent to them.")
    ] = True,
) -> None:
    """Pack versions, logs, devices and what a run says of itself into one archive, to send with a bug.

    What goes in is listed with what it holds. Of a run these are configuration, faults and log, but no measured data.
    Names of user and computer and the home folder are replaced. Nothing is sent anywhere, and nothing is asked of a
    device.

    Example: labcontrol bug-report latest
    """
    path = (output or Path(f"labcontrol-bug-{datetime.now():%Y%m%d-%H%M%S}.zip")).absolute()
    if path.suffix != ".zip":
        raise UserError(f"'{path.name}' is no name of an archive.", "Let it end with .zip.")
    parts = [_about()]
    if run is not None:
        with reading(find_run(run, folder), warn=True) as record:
            parts += of_run(record)
    parts += [*_logs(), *([_of_devices()] if devices else [])]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for part in parts:
            file.writestr(part.name, impersonal(part.text))
    with replacing(path) as partial:
        partial.write_bytes(archive.getvalue())
    console = Console(soft_wrap=True)
    console.print(f"saved {path}, {len(archive.getvalue()) / 1024:.0f} KiB, with", markup=False)
    for part in parts:
        console.print(f"  {part.name}: {part.holds}", markup=False, highlight=False)
    console.print("Look into it before you send it; what you would not show to a stranger, take out.")


def of_run(record: RunReader) -> Iterable[Part]:
    """What a record says of itself; each part alone, since the record may be what is broken."""
    readers: dict[str, tuple[str, Callable[[], str]]] = {
        "run/config.json": ("experiment and bench: addresses, options, calibration", lambda: to_json(record.config)),
        "run/metadata.json": (
            "versions, serial numbers and conditions of the devices, the command line",
            lambda: to_json(record.metadata),
        ),
        "run/state.json": ("how far it came, its result, its last checkpoint", lambda: to_json(_state(record))),
        "run/faults.json": ("every fault of a device", lambda: to_json(record.faults)),
        "run/log.json": ("log of the run", lambda: to_json(record.log)),
    }
    for name, (holds, read) in readers.items():
        try:
            text = read()
        except Exception as error:  # of a damaged record; what cannot be read is what is looked for
            text = f"cannot be read: {type(error).__name__}: {error}"
        yield Part(name, holds, text + "\n")


def impersonal(text: str) -> str:
    """The text without the names of user, home and computer."""
    names = {str(Path.home()): "<home>", platform.node(): "<computer>"}
    with contextlib.suppress(KeyError, OSError):  # nobody is logged in: a service
        names[getpass.getuser()] = "<user>"
    for name in sorted(filter(lambda name: len(name) > 2, names), key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


def _state(record: RunReader) -> dict[str, object]:
    epochs = record.checkpoint_epochs
    return {
        "file": record.path.name,
        "bytes": record.path.stat().st_size,
        "states": record.states,
        "epochs": len(record.epochs),
        "preparations": len(record.preparations),
        "checkpoints": epochs,
        "last_checkpoint": _outline(decode(record.checkpoint().state)) if len(epochs) else None,
        "changes": [change.text for change in record.changes()],
        "result": record.result,
    }


def _outline(value: Any) -> Any:
    """A state with sizes in place of arrays and bytes."""
    if isinstance(value, dict):
        return {key: _outline(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _about() -> Part:
    here = Path.cwd()
    about = provenance() | {
        "time": f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}",
        "locale": locale.setlocale(locale.LC_ALL),
        "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding],
        "processors": os.cpu_count(),
        "free_bytes_here": shutil.disk_usage(here).free,
        "writable_here": os.access(here, os.W_OK),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }
    del about["host"]
    return Part("about.json", "versions, operating system, language, free disk", to_json(about) + "\n")


def _logs() -> Iterable[Part]:
    """The ends of the window's logs, and the last crash reports of this folder and of the system's temporary one."""
    files = {f"crash/{path.name}": path for path in _crash_reports()}
    try:
        from labcontrol.gui.log.file import log_folder

        files |= {f"window/{path.name}": path for path in (log_folder() / "window.log", log_folder() / "crash.log")}
    except ImportError:  # a computer without the libraries of a window
        pass
    for name, path in files.items():
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LAST_BYTES))
                yield Part(name, f"the last of {path}", file.read().decode("utf-8", "replace"))
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                yield Part(name, f"why {path} is not there", f"{error}\n")


def _crash_reports() -> list[Path]:
    found = [
        path for place in (Path.cwd(), Path(tempfile.gettempdir())) for path in place.glob("labcontrol-crash-*.txt")
    ]
    return sorted(found, key=lambda path: path.name)[-_CRASHES:]


def _of_devices() -> Part:
    from drivers.discovery import ThisComputer
    from labcontrol.bench.discover import discover
    from labcontrol.cli.devices_tables import show_found

    shown = Console(file=io.StringIO(), width=120)
    search = ThisComputer()
    try:
        show_found(shown, search, discover(search, lambda _name, _done, _total: None))
    except Exception as error:  # of a maker's library
        shown.print(f"{type(error).__name__}: {error}", markup=False)
    return Part("devices.txt", "ports, screens and cameras that are connected", shown.file.getvalue())  # type: ignore[attr-defined]
