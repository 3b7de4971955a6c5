"""The log on disk: what the window said in earlier sessions, and where a crash of the interpreter leaves its trace."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PyQt5.QtCore import QStandardPaths

log = logging.getLogger(__name__)

_BYTES = 1_000_000
_FILES = 5
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_folder() -> Path:
    """Where this program keeps its log, by the custom of the system; known without a window, too."""
    return Path(QStandardPaths.writableLocation(QStandardPaths.GenericDataLocation)) / "labcontrol" / "labcontrol"


@contextmanager
def logging_to_file(folder: Path) -> Iterator[None]:
    """Everything that is logged goes to `folder`/window.log too; a crash in C code to `folder`/crash.log.

    Where the folder cannot be written, the program goes on without.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / "window.log", maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8"
        )
        crashes = (folder / "crash.log").open("a", encoding="utf-8")
    except OSError as error:
        log.warning("the log is not kept on disk: %s", error)
        yield
        return
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    faulthandler.enable(crashes)
    try:
        yield
    finally:
        faulthandler.disable()
        logging.getLogger().removeHandler(handler)
        handler.close()
        crashes.close()
