"""What is left of an error that nobody expected: a file to send to those who can mend it."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from labcontrol import __version__


def write_crash_report(error: BaseException, folder: Path | None = None) -> Path | None:
    """Write what happened where.

    Parameters
    ----------
    error : BaseException
        What nobody expected.
    folder : path, optional
        Where; by default the present folder, or the system's for temporary files where that cannot be written.

    Returns
    -------
    path or None
        The file; None where none can be written.
    """
    text = (
        f"labcontrol {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}\n"
        f"command: {sys.argv}\n\n" + "".join(traceback.format_exception(error))
    )
    name = f"labcontrol-crash-{datetime.now():%Y%m%d-%H%M%S-%f}.txt"
    for place in (folder or Path.cwd(), Path(tempfile.gettempdir())):
        try:
            (place / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return place / name
    return None
