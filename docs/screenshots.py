"""Pictures of every page of the window, at two sizes and in both themes, into docs/images/window.

    xvfb-run --auto-servernum --server-args="-screen 0 3840x2160x24 -dpi 96" .venv/bin/python docs/screenshots.py

Runs, faults, calibrations and the scaling study on them are real ones on the simulated table. Takes about five minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PyQt5.QtCore import QSettings

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import PauseCause
from labcontrol.gui.app import _logging_into, make_application
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.log.page import LogPage
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.scaling.page import ScalingPage
from labcontrol.gui.session.run_queue import QueuedRun
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow

TARGET = Path(__file__).resolve().parent / "images" / "window"
SIZES = {"1280x800": (1280, 800, 1), "4k": (1920, 1080, 2)}  # width, height, pixels of the screen for one of these
THEMES = ("light", "dark")
INTERLOCK_OPENS = {"fault": [{"device": "laser", "kind": "interlock", "at_epoch": 180}]}
STUDY = "scaling --states optical --neurons 64,144,324,784 --seeds 12 --selection uniform,greedy --loss mse"
SELFTEST, SCAN_POINTS = "self-test", 24
LABCONTROL = (sys.executable, "-m", "labcontrol")
COLOURS = 256
PATIENCE_S = 180.0


class Photographer:
    """One window in one size and theme."""

    def __init__(self, size: str, theme: str, folder: Path) -> None:
        self.app = make_application()
        settings = QSettings(str(folder / f"{size}-{theme}.ini"), QSettings.IniFormat)
        settings.setValue("appearance/theme", theme)
        settings.setValue("scaling/folder", "scaling")
        experiment = ExperimentConfig.model_validate({"stop": {"epochs": 500}, "note": "for the pictures"})
        bench = simulated_bench(experiment.neurons, experiment.seed)
        self.suffix = f"{size}-{theme}.png"
        self.taken: list[Path] = []
        self.window = MainWindow(experiment, bench, folder / "runs", Appearance(self.app, settings), settings)
        width, height, _ = SIZES[size]
        self.window.resize(width, height)
        self.window.show()

    def wait(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        end_s = time.monotonic() + patience_s
        while not condition() and time.monotonic() < end_s:
            self.app.processEvents()
            time.sleep(0.01)

    def rest(self, seconds: float = 0.4) -> None:
        self.wait(lambda: False, seconds)

    def take(self, name: str) -> None:
        self.rest()
        path = TARGET / f"{name}-{self.suffix}"
        self.window.grab().save(str(path))
        self.taken.append(path)

    def all(self) -> None:
        window = self.window
        with _logging_into(window):
            window.show_page(window.welcome)
            self.take("welcome")
            self.devices()
            self.calibration()
            self.held_up()
            self.run()
            for seed in (2, 3, 4):
                window.queue.add(QueuedRun(ExperimentConfig(seed=seed)))
            runs, log = window.page(RunsPage), window.page(LogPage)
            for page in (window.page(ExperimentPage), runs, window.page(ScalingPage), log):
                window.show_page(page)
                if page is runs:
                    self.wait(lambda: runs.model.rowCount() > 0)
                    runs.table.selectRow(0)
                    self.rest(3.0)
                elif page is log:
                    log.table.selectRow(0)
                self.take(page.title.lower())
        self.close()

    def close(self) -> None:
        """Close the window; a picture takes seconds to shrink, in which a window would not answer its devices."""
        self.window.close()
        for path in self.taken:
            shrink(path)

    def devices(self) -> None:
        devices, table = self.window.page(DevicesPage), self.window.table
        self.window.show_page(devices)
        devices.connect_all()
        self.wait(lambda: all(card.is_connected for card in devices.cards.values()))
        devices.laser.arm_button.click()
        devices.laser.on_button.click()
        self.wait(lambda: table.light_is_on)
        for card, pattern in ((devices.slm, "fiducials"), (devices.dmd, "checkerboard")):
            card.pattern.setCurrentText(pattern)
            card.send_button.click()
        devices.camera.live_button.click()
        devices.detector.live_button.click()
        self.rest(2.0)
        self.take("devices")
        table.release()

    def calibration(self) -> None:
        page, setup = self.window.page(CalibrationPage), self.window.context.setup
        usual = setup.experiment()
        bench = Path("lab") / "bench.toml"
        shutil.rmtree(bench.parent, ignore_errors=True)  # of the size before
        subprocess.run([*LABCONTROL, "init", str(bench.parent), "--hidden-table", "7"], check=True)
        self.window.page(ExperimentPage).use_bench(bench)
        self.window.begin_with(CalibrationPage)
        page.work.measure_all()
        self.wait(lambda: page.steps.kind == SELFTEST and not page.work.working_on)
        page.steps.go_to("registration")
        page.step.measure_button.click()
        self.wait(page.step.accept_button.isVisible)
        self.wait(lambda: page.step.result.figure.is_drawn)
        self.take("calibration")
        page.step.accept_button.click()
        self.wait(lambda: page.steps.state_of("registration") == "fresh")
        page.work.measure_all()
        self.wait(lambda: page.steps.kind == SELFTEST and not page.work.working_on)
        page.selftest.test_button.click()
        self.wait(lambda: not page.work.working_on)
        page.selftest.trials.setValue(SCAN_POINTS)
        page.selftest.scan_button.click()
        self.wait(lambda: not page.work.working_on)
        self.take("self-test")
        self.window.table.release()
        setup.replace(usual)

    def run(self) -> None:
        window = self.window
        window.starter.start_form()
        self.wait(lambda: window.table.status.epoch > 250)
        self.take("live")
        self.wait(lambda: not window.table.is_running)
        self.rest(2.0)

    def held_up(self) -> None:
        window, setup = self.window, self.window.context.setup
        usual = setup.experiment()
        setup.replace(ExperimentConfig.model_validate(usual.model_dump() | {"fault_script": INTERLOCK_OPENS}))
        window.starter.start_form()
        self.wait(lambda: window.table.status.cause is PauseCause.DEVICE)
        self.rest(2.0)
        self.take("held-up")
        window.table.abort()
        self.wait(lambda: not window.table.is_running)
        setup.replace(usual)


def shrink(path: Path, width_px: int = 0) -> None:
    """Few colours, none of them lost, and no wider than this where it is given: a third of the size."""
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    if 0 < width_px < small.width:
        small = small.resize((width_px, round(small.height * width_px / small.width)), Image.Resampling.LANCZOS)
    few = small.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    """Every picture, each size and theme in a process of its own."""
    if len(sys.argv) == 4:
        folder = Path(sys.argv[3]).absolute()
        os.chdir(folder)  # what the window and its commands write belongs there
        Photographer(sys.argv[1], sys.argv[2], folder).all()
        return
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*LABCONTROL, *STUDY.split()], check=True, cwd=folder)
        for size, (_, _, factor) in SIZES.items():
            for theme in THEMES:
                command = [sys.executable, __file__, size, theme, folder]
                subprocess.run(command, check=True, cwd=folder, env=os.environ | {"QT_SCALE_FACTOR": str(factor)})
    total = sum(path.stat().st_size for path in TARGET.glob("*.png"))
    sys.stdout.write(f"{len(list(TARGET.glob('*.png')))} pictures, {total / 1e6:.2f} MB in {TARGET}\n")


if __name__ == "__main__":
    main()
