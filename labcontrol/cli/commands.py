"""The commands by name, each imported when it is called: most need a small part of the program only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

_PLACES = {
    "run": "labcontrol.cli.run:run",
    "law": "labcontrol.cli.law:law",
    "window": "labcontrol.cli.window:window",
    "resume": "labcontrol.cli.resume:resume",
    "ps": "labcontrol.cli.hosts:ps",
    "attach": "labcontrol.cli.attach:attach",
    "pause": "labcontrol.cli.steer:pause",
    "continue": "labcontrol.cli.steer:continue_",
    "stop": "labcontrol.cli.steer:stop",
    "abort": "labcontrol.cli.steer:abort",
    "safe-off": "labcontrol.cli.steer:safe_off",
    "runs": "labcontrol.cli.runs:app",
    "monitor": "labcontrol.cli.monitor:monitor",
    "verify": "labcontrol.cli.verify:verify",
    "report": "labcontrol.cli.report:report",
    "scaling": "labcontrol.cli.scaling:scaling",
    "init": "labcontrol.cli.init:init",
    "check": "labcontrol.cli.check:check",
    "devices": "labcontrol.cli.devices:devices",
    "drivers": "labcontrol.cli.drivers:drivers",
    "strategies": "labcontrol.cli.strategies:strategies",
    "calibrate": "labcontrol.cli.calibrate:calibrate",
    "calibrations": "labcontrol.cli.calibrations:app",
    "selftest": "labcontrol.cli.selftest:self_test",
    "compare": "labcontrol.cli.compare:compare",
}
"""Module and name of each command, in the order of the help."""

_FORMER = {"replay": "verify"}
"""Former names of commands, understood for one version more and not listed."""


class _Imported(Mapping[str, Any]):
    """Name to command, imported when asked for."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _PLACES[_FORMER.get(name, name)].partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = name
            return group
        alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
        alone.command(name)(found)
        return get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


class Commands(TyperGroup):
    """The command line as a whole."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Imported()  # type: ignore[assignment]  # read only, as far as a group reads it

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)
