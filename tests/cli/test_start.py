"""The command line starts fast: a command imports what it needs, and no more."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labcontrol.cli.commands import GROUPS, PLACES

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
    outcome = cli("-h")
    assert outcome.code == 0
    assert outcome.out == cli("--help").out
    listed = re.findall(r"^  ([a-z-]+)  +[A-Z]|^([A-Z].*):$", outcome.out.split("--help")[1], re.MULTILINE)
    assert [name or title for name, title in listed] == [line for title in GROUPS for line in (title, *GROUPS[title])]


def test_the_help_needs_nothing_that_a_run_needs() -> None:
    """What made it take seven times as long as --version."""
    check = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from labcontrol.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in sys.modules if name.startswith('labcontrol.')])"
    )
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    own = {
        "labcontrol.companions",
        "labcontrol.errors",
        "labcontrol.cli",
        "labcontrol.cli.app",
        "labcontrol.cli.commands",
    }
    assert set(ast.literal_eval(answer.stdout.splitlines()[-1])) == own


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("words", [(), *((name,) for name in PLACES), ("runs", "list"), ("calibrations", "show")])
def test_help_fits_the_terminal_and_nothing_is_eaten_by_markup(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = cli(*words, "--help").out
    most = columns if columns > 40 else 44  # a column of options leaves little for their text
    assert [line for line in out.splitlines() if len(line) > most] == []
    assert "[/]" not in out
    assert "[bold]" not in out
    if words == ("calibrations", "show"):
        assert "Bench file; not needed for a file." in " ".join(out.split())


def test_words_in_brackets_are_in_the_help(cli: Cli) -> None:
    assert "its [calibration] section" in " ".join(cli("calibrations", "list", "--help").out.split())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_verbose_may_stand_anywhere(cli: Cli, place: int) -> None:
    words = ["strategies", "speculative"]
    assert cli(*words[:place], "-v", *words[place:]).code == 0


def completed(cli: Cli, monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    monkeypatch.setenv("_LABCONTROL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"labcontrol {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" "))))
    return cli().out.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sa", ["safe-off"]),
        ("run --mask", ["--masks-per-replay"]),
        ("run --strategy spec", ["speculative"]),
        ("run --task na", ["narma-10"]),
        ("run --preset ex", ["experiments"]),
        ("run --loss n", ["nmse"]),
        ("strategies noise", ["noise-aware"]),
        ("drivers cob", ["cobolt-06"]),
        ("run --bench l", ["laboratory", "lab/"]),
        ("run --bench lab/b", ["lab/bench.toml"]),
        ("report the_s", ["the_second_run"]),
        ("resume la", ["latest"]),
        ("runs show --folder elsewhere the", ["the_third_run"]),
    ],
)
def test_a_shell_completes_what_the_program_knows(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, offered: list[str]
) -> None:
    for path in ("lab/bench.toml", "lab/bread.txt", "runs/the_second_run.h5", "elsewhere/the_third_run.h5"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)
    assert completed(cli, monkeypatch, line) == offered


@pytest.mark.parametrize("name", PLACES)
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
