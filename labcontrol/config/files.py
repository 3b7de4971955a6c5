"""Reading experiment and bench files."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from labcontrol.config.bench import BenchConfig
from labcontrol.config.experiment import MOVED_SETTINGS, ExperimentConfig
from labcontrol.config.fault_script import FaultScript
from labcontrol.config.section import Section, user_error
from labcontrol.errors import UserError
from labcontrol.whole_files import read_text

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Section)


def load_experiment(path: Path) -> ExperimentConfig:
    """Read an experiment file. Names of files in it are relative to it. Raises UserError."""
    values = _read(path, ExperimentConfig)
    experiment = _checked(path, values, ExperimentConfig)
    for key in MOVED_SETTINGS.keys() & values.get("learning", {}).keys():
        log.warning("%s: learning.%s is an option of the strategy now; write it in [learning.options].", path, key)
    bench, task = experiment.bench, experiment.task.name
    if bench.endswith(".toml"):
        bench = str(path.parent / bench)
    if task.endswith(".csv"):
        task = str(path.parent / task)
    return experiment.model_copy(update={"bench": bench, "task": experiment.task.model_copy(update={"name": task})})


def load_bench(path: Path) -> BenchConfig:
    """Read a bench file. The folder of its calibrations is relative to it. Raises UserError."""
    bench = _load(path, BenchConfig)
    calibration = bench.calibration
    if calibration is None:
        return bench
    if calibration.applied:
        raise UserError(
            f"{path}: 'calibration.applied' is filled in by the program.", "Remove it; 'store' is what names them."
        )
    store = str(path.parent / calibration.store)
    return bench.model_copy(update={"calibration": calibration.model_copy(update={"store": store})})


def load_fault_script(path: Path) -> FaultScript:
    """Read a fault script. Raises UserError."""
    return _load(path, FaultScript)


def _load(path: Path, model: type[S]) -> S:
    return _checked(path, _read(path, model), model)


def _read(path: Path, model: type[Section]) -> dict[str, Any]:
    kind = {"ExperimentConfig": "experiment", "FaultScript": "fault script"}.get(model.__name__, "bench")
    try:
        values = tomllib.loads(read_text(path).replace("\r\n", "\n"))
    except FileNotFoundError:
        raise UserError(f"There is no {kind} file {path}.", "'labcontrol init' writes commented examples.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Give a TOML file.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}.", "Save it as UTF-8.") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deep for any file of this program.", "Give another file.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a TOML file: {error}.") from None
    _refuse_the_other_kind(path, values, kind)
    return values


def _checked(path: Path, values: dict[str, Any], model: type[S]) -> S:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise user_error(error, model, str(path)) from None


def _refuse_the_other_kind(path: Path, values: dict[str, object], kind: str) -> None:
    """A bench given as an experiment would otherwise drown in a dozen 'unknown key' lines."""
    signs = {"geometry": "bench", "task": "experiment", "learning": "experiment", "fault": "fault script"}
    found = next((name for key, name in signs.items() if key in values), kind)
    if found != kind:
        article = {"bench": "a bench", "experiment": "an experiment", "fault script": "a fault script"}
        raise UserError(
            f"{path} is {article[found]} file, but {article[kind]} file was expected here.",
            "A run takes them as 'labcontrol run EXPERIMENT.toml --bench BENCH.toml --faults SCRIPT.toml'.",
        )
