"""From a record to a report on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from labcontrol.analysis.curve_facts import MEASURED, MODELS
from labcontrol.analysis.report.pdf_printer import print_pdf
from labcontrol.analysis.report.report_contents import clock, contents
from labcontrol.analysis.report.report_plots import EACH
from labcontrol.errors import UserError
from labcontrol.records import reading
from labcontrol.whole_files import replacing

SUFFIXES = (".html", ".pdf")


def write_report(
    record: Path, destination: Path | None = None, progress: Callable[[str], None] = lambda _what: None
) -> Path:
    """Write the report of a run, finished or not, and return its path.

    record: a run file, which may be being written. destination: a .html file, or a .pdf file where a browser is
    installed that can print; by default a .html file beside the record. progress: called with what is being done.
    The page holds its figures and needs nothing else, neither from the disk nor from the network.
    Raises UserError when the record cannot be read or the report not be written.
    """
    path = record.with_suffix(".html") if destination is None else Path(destination)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is no name for a report.", f"Use one of {', '.join(SUFFIXES)}.")
    page = report_page(record, progress)
    progress("writing")
    if path.suffix.lower() == ".pdf":
        print_pdf(page, path)
        return path
    try:
        with replacing(path) as partial:
            partial.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
    return path


def report_page(record: Path, progress: Callable[[str], None] = lambda _what: None) -> str:
    """The report of a run as HTML. Raises UserError."""
    with reading(record, warn=True) as run:
        filled = contents(run, progress)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("labcontrol.analysis.report", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    environment.filters["svg"] = Markup
    return environment.get_template("report.html").render(vars(filled), **_colours())


def _colours() -> dict[str, str]:
    """Variables of the style sheet: the colours of all curves on a light and on a dark ground."""
    facts = MEASURED | MODELS
    light = {key: curve.light for key, curve in facts.items()} | {"each": EACH}
    dark = {key: curve.dark for key, curve in facts.items()} | {"each": EACH}
    return {
        f"colours_{name}": " ".join(f"--{key}: {colour};" for key, colour in colours.items())
        for name, colours in (("light", light), ("dark", dark))
    }
