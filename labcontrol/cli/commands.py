"""The commands by name, each imported when it is called: most need a small part of the program only."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

GROUPS = {
    "Learn": {
        "run": "labcontrol.cli.run:run",
        "resume": "labcontrol.cli.resume:resume",
        "law": "labcontrol.cli.law:law",
        "window": "labcontrol.cli.window:window",
        "strategies": "labcontrol.cli.strategies:strategies",
    },
    "Runs in progress": {
        "ps": "labcontrol.cli.hosts:ps",
        "attach": "labcontrol.cli.attach:attach",
        "monitor": "labcontrol.cli.monitor:monitor",
        "pause": "labcontrol.cli.steer:pause",
        "continue": "labcontrol.cli.steer:continue_",
        "stop": "labcontrol.cli.steer:stop",
        "abort": "labcontrol.cli.steer:abort",
        "safe-off": "labcontrol.cli.steer:safe_off",
    },
    "Records": {
        "runs": "labcontrol.cli.runs:app",
        "report": "labcontrol.cli.report:report",
        "verify": "labcontrol.cli.verify:verify",
        "bug-report": "labcontrol.cli.bug_report:bug_report",
    },
    "Tables": {
        "init": "labcontrol.cli.init:init",
        "check": "labcontrol.cli.check:check",
        "devices": "labcontrol.cli.devices:devices",
        "drivers": "labcontrol.cli.drivers:drivers",
        "calibrate": "labcontrol.cli.calibrate:calibrate",
        "calibrations": "labcontrol.cli.calibrations:app",
        "selftest": "labcontrol.cli.selftest:self_test",
    },
    "Studies": {
        "scaling": "labcontrol.cli.scaling:scaling",
        "compare": "labcontrol.cli.compare:compare",
    },
}
"""Module and name of each command, in the order of the help."""
PLACES = {name: place for group in GROUPS.values() for name, place in group.items()}

_FORMER = {"replay": "verify"}
"""Former names of commands, understood for one version more and not listed."""
_MOST_COLUMNS = 100


def _imported(name: str) -> Any:
    module, _, attribute = PLACES[_FORMER.get(name, name)].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


def _described(name: str) -> Any:
    """A command that can only be listed: its docstring is read from its source, nothing is imported."""
    module, _, attribute = PLACES[name].partition(":")
    source = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    texts = {function.name: ast.get_docstring(function) or "" for function in functions}
    text = texts.get(attribute) or texts[f"_{name}"]  # what a group says of itself is said by its callback
    return TyperCommand(name, help=text, short_help=" ".join(text.split("\n\n")[0].split()), rich_markup_mode=None)


class _Lazy(Mapping[str, Any]):
    """Name to command, made when asked for."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make

    def __getitem__(self, name: str) -> Any:
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class Commands(TyperGroup):
    """The command line as a whole."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Lazy(_imported)  # type: ignore[assignment]  # read only, as far as a group reads it

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
        return super().make_context(info_name, args, parent, **{"terminal_width": columns - 1} | extra)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, but --verbose may stand anywhere."""
        verbose = [word for word in args if word in ("-v", "--verbose")]
        return super().parse_args(ctx, [*verbose[:1], *(word for word in args if word not in verbose)])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, places in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _described(name).get_short_help_str(1000)) for name in places])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._only_listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _only_listed(self) -> Iterator[None]:
        known = self.commands
        self.commands = _Lazy(_described)  # type: ignore[assignment]
        try:
            yield
        finally:
            self.commands = known
