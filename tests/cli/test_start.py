"""The command line starts fast: a command imports what it needs, and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labcontrol.cli.commands import _PLACES

Cli = Callable[..., Any]

SLOW = ("numba", "scipy", "matplotlib", "PyQt5")


def test_listing_runs_imports_neither_theory_nor_plots_nor_qt(tmp_path: Path) -> None:
    check = (
        "import sys; sys.argv[1:] = ['runs', 'list', '--folder', sys.argv[1]]\n"
        "from labcontrol.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check, str(tmp_path)], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_every_command_is_in_the_help_with_a_line_of_its_own(cli: Cli) -> None:
    outcome = cli("--help")
    assert outcome.code == 0
    listed = [line.split()[1] for line in outcome.out.split("Commands")[1].splitlines() if line.startswith("│ ")]
    assert [name for name in listed if name in _PLACES] == list(_PLACES)


@pytest.mark.parametrize("name", _PLACES)
def test_every_command_explains_itself_under_its_name(cli: Cli, name: str) -> None:
    outcome = cli(name, "--help")
    assert outcome.code == 0
    assert f"labcontrol {name}" in outcome.out


def test_a_mistyped_command_is_answered_with_the_nearest(cli: Cli) -> None:
    outcome = cli("verfiy", "latest")
    assert outcome.code == 2
    assert "verify" in outcome.err


def test_a_former_name_of_a_command_is_understood_and_not_listed(cli: Cli) -> None:
    assert "Compute errors" in cli("replay", "--help").out
    assert " replay " not in cli("--help").out
