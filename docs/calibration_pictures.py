"""Pictures for docs/calibrate-a-table.md: every screen of a calibration, and figures of its results.

    xvfb-run --auto-servernum --server-args="-screen 0 1920x1200x24 -dpi 96" \
        .venv/bin/python docs/calibration_pictures.py

Everything on them is measured on the hidden table that the page uses. Takes about two minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import screenshots

from labcontrol.calibration import PROCEDURES
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.experiment.page import ExperimentPage

TARGET = Path(__file__).resolve().parent / "images" / "calibration"
LAB = Path("lab")
SENSITIVE, BLIND = "# camera.electrons_per_joule = 460000000.0", "camera.electrons_per_joule = 1.0"
FIGURES = ("camera", "phase-response", "registration", "timing")
FIGURE_WIDTH_PX = 800


class Guide(screenshots.Photographer):
    """One window that is taken through the whole page."""

    def take(self, name: str) -> None:
        self.rest()
        self.wait(lambda: self.window.page(CalibrationPage).step.result.figure.is_drawn)
        path = TARGET / f"{name}.png"
        self.window.grab().save(str(path))
        self.taken.append(path)

    def all(self) -> None:
        window, page = self.window, self.window.page(CalibrationPage)
        window.page(ExperimentPage).use_bench(LAB / "bench.toml")
        window.starter.start_form()
        self.rest()
        self.take("refused")
        window.banner.way_out.click()
        self.dark_table()
        for kind in PROCEDURES:
            page.steps.go_to(kind)
            page.step.measure_button.click()
            if kind == "registration":
                self.rest(2.0)
                self.take("measuring")
            self.wait(page.step.accept_button.isVisible)
            self.take(f"step-{kind}")
            page.step.accept_button.click()
            self.wait(lambda kind=kind: page.steps.state_of(kind) == "fresh")
        page.steps.go_to(screenshots.SELFTEST)
        page.selftest.test_button.click()
        self.wait(lambda: not page.work.working_on)
        page.selftest.scan_button.click()
        self.wait(lambda: not page.work.working_on, 600.0)
        self.take("self-test")
        page.selftest.use_button.click()
        self.take("used")
        window.show_page(page)
        page.steps.go_to("phase-response")
        page.step.measure_button.click()
        self.wait(page.step.accept_button.isVisible)
        page.step.accept_button.click()
        self.wait(lambda: page.steps.state_of("registration") == "stale")
        page.steps.go_to("registration")
        self.take("stale")
        self.close()

    def dark_table(self) -> None:
        """As with a closed shutter: the camera gets next to nothing."""
        window, page = self.window, self.window.page(CalibrationPage)
        bench = LAB / "bench.toml"
        lit = bench.read_text(encoding="utf-8")
        bench.write_text(lit.replace(SENSITIVE, BLIND), encoding="utf-8")
        page.begin()
        page.step.measure_button.click()
        self.wait(lambda: page.steps.state_of("camera") == "failed")
        self.take("failed")
        bench.write_text(lit, encoding="utf-8")
        window.table.release()
        window.begin_with(CalibrationPage)


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([*screenshots.LABCONTROL, "init", str(LAB), "--hidden-table", "7"], check=True)
        Guide("1280x800", "light", Path(folder)).all()
        for kind in FIGURES:
            path = TARGET / f"figure-{kind}.png"
            show = ("calibrations", "show", kind, "--bench", str(LAB / "bench.toml"), "--figure", str(path))
            subprocess.run([*screenshots.LABCONTROL, *show], check=True, stdout=subprocess.DEVNULL)
            screenshots.shrink(path, FIGURE_WIDTH_PX)
        os.chdir(TARGET)
    total = sum(path.stat().st_size for path in TARGET.glob("*.png"))
    sys.stdout.write(f"{len(list(TARGET.glob('*.png')))} pictures, {total / 1e6:.2f} MB in {TARGET}\n")


if __name__ == "__main__":
    main()
