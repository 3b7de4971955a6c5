"""Pages of the site that are written from the program itself: options, commands, drivers, the Python interface."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

_PYTHON = {
    "Running": ("labcontrol.Run", "labcontrol.RunReader", "labcontrol.write_report"),
    "What a device is": (
        "drivers.interfaces.Modulator",
        "drivers.interfaces.Camera",
        "drivers.interfaces.Laser",
        "drivers.interfaces.Detector",
    ),
    "Learning": ("labcontrol.learning.Strategy", "labcontrol.learning.Proposal", "labcontrol.learning.Problem"),
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages; called by MkDocs."""
    pages = {
        "command-line": _command_line,
        "experiment-file": _experiment_file,
        "bench-file": _bench_file,
        "strategies": _strategies,
        "drivers": _drivers,
        "python": _python,
    }
    for name, write in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(write()) + "\n"))
    return files


def on_config(config: Any) -> Any:
    """Decisions that exist belong to the menu, whichever they are."""
    pages = sorted(path.name for path in (Path(config["docs_dir"]) / "decisions").glob("0*.md"))
    for entry in config["nav"]:
        if "Decisions" in entry:
            entry["Decisions"] = ["decisions/README.md", *(f"decisions/{page}" for page in pages)]
    return config


# --- files ----------------------------------------------------------------------------------------------------------
def _experiment_file() -> Iterator[str]:
    from labcontrol.config import ExperimentConfig

    yield "# Experiment file\n"
    yield "`labcontrol init` writes one with these explanations; `labcontrol check` reads it. Units are in the names.\n"
    yield from _sections(ExperimentConfig, "", "The experiment itself")


def _bench_file() -> Iterator[str]:
    from labcontrol.config import BenchConfig

    yield "# Bench file\n"
    yield (
        "Which device plays which role, and where each neuron lies on each of them. `labcontrol init --bench NAME` "
        "writes one. What can stand under `options` depends on the driver: see [drivers](drivers.md).\n"
    )
    yield from _sections(BenchConfig, "", "The bench itself")


def _sections(model: type[BaseModel], path: str, title: str) -> Iterator[str]:
    yield f"## {f'`[{path}]`' if path else title}\n"
    yield f"{_summary(model)}\n"
    yield from _fields(model)
    for key, field in model.model_fields.items():
        for part in _models_in(field.annotation):
            yield from _sections(part, f"{path}.{key}" if path else key, "")


def _fields(model: type[BaseModel]) -> Iterator[str]:
    plain = {key: field for key, field in model.model_fields.items() if not _models_in(field.annotation)}
    if not plain:
        return
    yield "| key | default | range | meaning |\n|---|---|---|---|"
    for key, field in plain.items():
        yield f"| `{key}` | {_default(field)} | {_range(field)} | {_cell(field.description or '')} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)  # type: ignore[call-arg]
    return "not set" if value is None else f"`{_cell(repr(value))}`"


def _range(field: FieldInfo) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(
        f"{sign} {getattr(item, name):.7g}"
        for item in field.metadata
        for name, sign in words.items()
        if getattr(item, name, None) is not None
    )


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType):
        return [model for option in get_args(annotation) for model in _models_in(option)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


# --- strategies and drivers -----------------------------------------------------------------------------------------
def _strategies() -> Iterator[str]:
    from labcontrol.learning import STRATEGIES, strategy_class

    yield "# Strategies\n"
    yield "What can stand in `learning.strategy`; the keys below each go into `[learning.options]`.\n"
    for name in STRATEGIES:
        kind = strategy_class(name)
        yield f"## `{name}`\n"
        yield f"{_summary(kind)}\n"
        yield from _fields(kind.Settings)


def _drivers() -> Iterator[str]:
    from drivers.registry import driver_names, load_driver

    yield "# Drivers\n"
    yield (
        "What can stand as `driver` in a bench file, and under its `options`. Drivers of real devices are tested "
        "against emulated instruments that speak their protocol; the last column says when one met the real thing.\n"
    )
    yield "| driver | role | what it is | tried on hardware |\n|---|---|---|---|"
    for name in driver_names():
        driver = load_driver(name)
        simulated = driver.__module__.startswith("mock_devices")
        tried = "simulated" if simulated else getattr(driver, "tried_on_hardware", "no")
        role = getattr(driver, "role", "table")
        yield f"| [`{name}`](#{name}) | {role} | {_cell(_summary(driver).split('. ')[0])} | {tried} |"
    yield ""
    for name in driver_names():
        driver = load_driver(name)
        yield f"## `{name}`\n"
        yield f"{_summary(driver)}\n"
        yield from _nested_options(driver.Options, "")


def _nested_options(model: type[BaseModel], prefix: str) -> Iterator[str]:
    if prefix:
        yield f"`{prefix}`: {_summary(model)}\n"
    yield from _fields(model)
    for key, field in model.model_fields.items():
        for part in _models_in(field.annotation):
            yield from _nested_options(part, f"{prefix}.{key}" if prefix else key)


# --- commands -------------------------------------------------------------------------------------------------------
def _command_line() -> Iterator[str]:
    from labcontrol.cli.app import app

    yield "# Command line\n"
    yield "`labcontrol COMMAND --help` shows the same in the terminal.\n"
    whole: Any = get_command(app)
    for name in whole.commands:
        yield from _command(f"labcontrol {name}", whole.commands[name], 2)


def _command(name: str, command: Any, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    parts = getattr(command, "commands", None)
    if parts:
        for part in parts:
            yield from _command(f"{name} {part}", parts[part], level + 1)
        return
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    if not shown:
        return
    yield "| option | default | meaning |\n|---|---|---|"
    for parameter in shown:
        is_option = parameter.param_type_name == "option"
        spelled = ", ".join(f"`{part}`" for part in parameter.opts) if is_option else f"`{parameter.name.upper()}`"
        yield f"| {spelled} | {_cell(_shown_default(parameter))} | {_cell(getattr(parameter, 'help', '') or '')} |"
    yield ""


def _shown_default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    default = parameter.default
    return "" if default in (None, False) or callable(default) else str(default)


# --- Python ---------------------------------------------------------------------------------------------------------
def _python() -> Iterator[str]:
    yield "# Python\n"
    yield "How these are used is shown in [Drive it from Python](../from-python.md).\n"
    for title, names in _PYTHON.items():
        yield f"## {title}\n"
        for name in names:
            place, _, attribute = name.rpartition(".")
            thing = getattr(import_module(place), attribute)
            yield f"::: {thing.__module__}.{thing.__qualname__}\n    options:\n      heading_level: 3\n"


def _summary(thing: Any) -> str:
    """First paragraph of the docstring."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
