"""Reports of runs of every kind: what they say, and that they need nothing but themselves."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest

from labcontrol.analysis.report import write_report
from labcontrol.analysis.report.pdf_printer import find_browser
from labcontrol.errors import UserError
from labcontrol.records import RunReader, RunWriter
from labcontrol.records.catalogue import write_note

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

_VOID = {"meta", "img", "br", "link", "hr"}


class Outline(HTMLParser):
    """Text, attributes, and whether every tag is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(path: Path) -> Outline:
    found = Outline(path.read_text(encoding="utf-8"))
    assert found.open == []
    return found


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    return SyntheticRun(selection="uniform").write(tmp_path / "run.h5")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as it was written, to read only."""
    return write_report(SyntheticRun(selection="uniform").write(tmp_path_factory.mktemp("report") / "run.h5"))


def test_a_report_lies_beside_its_record_and_tells_what_the_record_holds(reported: Path) -> None:
    assert reported == reported.parent / "run.html"
    text = outline(reported).text
    with RunReader(reported.with_suffix(".h5")) as run:
        assert run.result is not None
        nmse, start = run.result["test"]["nmse"], run.incumbent_errors()[0]
        digest = run.metadata["content_sha256"]["target"]
    for words in (
        f"has a test nmse of {nmse:.3g}",
        f"fell from {start:.3g}",
        "all epochs done",
        "exponential",
        "measured before learning, predicted the curve",
        "Verdict: ",
        "mackey-glass: washout 5, training 40, test 25 steps",
        "learning ended",
        "None was recorded.",
        digest,
    ):
        assert words in text


def test_a_report_needs_nothing_but_itself(reported: Path) -> None:
    found = outline(reported)
    addresses = [value for name, value in found.attributes if name in ("src", "href", "xlink:href", "data", "action")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    page = reported.read_text(encoding="utf-8")
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_figures_take_the_colours_of_the_page(reported: Path) -> None:
    page = reported.read_text(encoding="utf-8")
    used = set(re.findall(r"var\((--[\w-]+)\)", page))
    assert {"--incumbent", "--prediction", "--exponential", "--fit", "--text"} <= used
    style = page[page.index("<style>") : page.index("</style>")]
    for medium in (":root {", "prefers-color-scheme: dark", "@media print"):
        block = style[style.index(medium) :]
        assert all(f"{variable}:" in block[:1200] or variable == "--each" for variable in used), medium
    assert "#0a0b0" not in page


@pytest.mark.parametrize(
    ("selection", "acceptance"),
    [
        ("greedy", "stored"),
        ("cyclic", "re-measured"),
        ("amplitude", "stored"),
        ("blocks", "re-measured"),
        pytest.param("greedy", "re-measured", marks=pytest.mark.slow),
        pytest.param("cyclic", "stored", marks=pytest.mark.slow),
        pytest.param("amplitude", "re-measured", marks=pytest.mark.slow),
        pytest.param("blocks", "stored", marks=pytest.mark.slow),
    ],
)
def test_every_rule_has_its_report(tmp_path: Path, selection: str, acceptance: str) -> None:
    record = SyntheticRun(selection=selection, acceptance=acceptance, loss="nmse").write(tmp_path / "run.h5")
    assert "Forms fitted" in outline(write_report(record)).text


def _unprepared(writer: RunWriter, run: SyntheticRun) -> None:
    writer.finish("failed", "the laser did not answer")


def _aborted(writer: RunWriter, run: SyntheticRun) -> None:
    run.write_pilot(writer)
    for epochs in run.replays(3):
        writer.append_many(epochs)
    writer.fault("camera", "timeout", "no frame within 1 s", "taken again")
    writer.fault("camera", "timeout", "no frame within 1 s", "taken again")
    writer.finish("aborted", "aborted by the user")


def _one_epoch(writer: RunWriter, run: SyntheticRun) -> None:
    run.write_pilot(writer)
    for epochs in run.replays(1):
        writer.append_many(epochs)


ENDINGS = {
    "failed before the first epoch": (_unprepared, ["failed", "the laser did not answer", "No epoch was measured."]),
    "aborted after faults": (_aborted, ["aborted by the user", "camera: timeout × 2", "before its final mask"]),
    "killed after one epoch": (_one_epoch, ["interrupted", "Over 1 epoch the mse"]),
    "killed at once": (lambda *_: None, ["interrupted", "There is no epoch to show."]),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_runs_that_ended_early_have_reports(tmp_path: Path, how: str) -> None:
    end, expected = ENDINGS[how]
    run = SyntheticRun()
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        end(writer, run)
    text = outline(write_report(tmp_path / "run.h5")).text
    for words in expected:
        assert words in text


def test_a_run_that_goes_on_is_reported_so_far(tmp_path: Path) -> None:
    run = SyntheticRun()
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        run.write_pilot(writer)
        for epochs in run.replays(20):
            writer.append_many(epochs)
        text = outline(write_report(tmp_path / "run.h5", tmp_path / "so far.html")).text
    assert "running" in text
    assert "Over 20 epochs in 20 replays so far" in text


def test_what_people_wrote_cannot_become_part_of_the_page(finished: Path) -> None:
    write_note(finished, "<script>alert(1)</script> & <b>bold</b>")
    page = write_report(finished).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in page
    assert page.count("<script>") == 1


@pytest.mark.parametrize("damage", ["config", "metadata", "result", "log"])
def test_a_damaged_record_is_refused_in_one_message(finished: Path, damage: str) -> None:
    with h5py.File(finished, "r+") as file:
        if file[damage].shape:
            file[damage][...] = ord("[")
            file[damage][-1] = 10
        else:
            file[damage][()] = np.bytes_(b"[1, 2")
    with pytest.raises(UserError, match="damaged"):
        write_report(finished)


@pytest.mark.parametrize(("name", "message"), [("report.docx", "html"), ("missing/report.html", "cannot be written")])
def test_places_that_cannot_be_are_refused(finished: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_report(finished, finished.parent / name)


@pytest.fixture
def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labcontrol.analysis.report.pdf_printer.find_browser", lambda: None)


def test_a_pdf_without_a_browser_says_what_to_do(finished: Path, without_browser: None) -> None:
    with pytest.raises(UserError, match=r"open it in any browser and print"):
        write_report(finished, finished.with_suffix(".pdf"))


@pytest.mark.skipif(find_browser() is None, reason="no browser that prints")
def test_a_browser_prints_the_report(finished: Path) -> None:
    printed = write_report(finished, finished.with_suffix(".pdf")).read_bytes()
    assert printed.startswith(b"%PDF-")
    assert len(printed) > 20_000


def test_the_command_writes_the_report_and_names_it(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from labcontrol.cli import main

    monkeypatch.setattr(sys, "argv", ["labcontrol", "report", "latest", "--folder", str(finished.parent)])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert not leaving.value.code
    assert capsys.readouterr().out.strip() == str(finished.with_suffix(".html"))
    assert finished.with_suffix(".html").stat().st_size > 20_000


def test_retries_are_told_apart_from_faults(tmp_path: Path) -> None:
    run = SyntheticRun()
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        run.write_pilot(writer)
        for epochs in run.replays(3):
            writer.append_many(epochs)
            writer.fault("camera", "retried", "skipped 1 frames", "tried again")
        writer.fault("slm", "disconnected", "does not answer", "the laser is off; connecting again")
    text = outline(write_report(tmp_path / "run.h5")).text
    assert "fault and 3 retries" in text
    assert "Acquired again (3)" in text
    assert "a red line is a fault; a grey one something acquired again" in text
    assert text.index("does not answer") < text.index("skipped 1 frames")


def test_what_does_not_learn_flip_by_flip_is_compared_with_no_form(tmp_path: Path) -> None:
    run = SyntheticRun()
    run.header.config["experiment"]["learning"]["strategy"] = "multiplexed-identification"
    text = outline(write_report(run.write(tmp_path / "run.h5"))).text
    assert "Forms fitted" not in text
    assert "Predicted exponential" not in text
    assert "Below, its ratio to the models" not in text


def test_what_was_predicted_stands_beside_what_was_reached(tmp_path: Path) -> None:
    record = SyntheticRun(selection="uniform", loss="mse").write(tmp_path / "run.h5")
    page = write_report(record)
    assert re.search(r"An mse of [\d.e-]+ was predicted for epoch \d+ and of [\d.e-]+ for the last", outline(page).text)
    assert "var(--exponential)" in page.read_text(encoding="utf-8")
