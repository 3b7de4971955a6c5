"""Commands and messages that the documentation shows are those of the program."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from labcontrol.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|console)?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Lines of shell blocks that call the program; of a console block, those after the prompt."""
    lines = [line for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    return [call for line in lines if (call := line.removeprefix("$ ")).startswith("labcontrol ")]


CALLS = [pytest.param(line, id=f"{page.stem}: {line[:60]}") for page in PAGES for line in commands(page)]


@pytest.mark.parametrize("line", CALLS)
def test_a_command_in_the_documentation_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    for end in ("|", "&&", ">", "&"):
        words = words[: words.index(end)] if end in words else words
    command = get_command(app)
    name = "labcontrol"
    while words and words[0] in getattr(command, "commands", {}):
        name = words.pop(0)
        command = command.commands[name]
    if name == "labcontrol":
        assert words[0].startswith("--"), f"there is no command {words[0]!r}"
        return
    command.make_context(name, words)  # raises what a person would be told


def resolved(words: list[str]) -> tuple[str, list[str], set[str]]:
    """The command that words name, what is left of them, and the options it has."""
    command = get_command(app)
    name = "labcontrol"
    while words and words[0] in getattr(command, "commands", {}):
        name, *words = words
        command = command.commands[name]
    return name, words, {option for parameter in command.params for option in parameter.opts} | {"-h", "--help"}


def test_commands_in_messages_and_in_the_midst_of_pages_exist() -> None:
    spoken = re.compile(r"['`](?:\.venv/bin/)?labcontrol ([a-z][^'`\n]*)['`]")
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    lines = {line for text in [*texts(), *pages] for line in spoken.findall(text)}
    assert len(lines) > 40
    wrong = []
    for line in lines:
        name, words, options = resolved(line.split())
        used = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        if name == "labcontrol" or used - options:
            wrong.append(line)
    assert wrong == []


def test_extras_that_are_to_be_installed_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = re.compile(r"(?:labcontrol\[|\"\.\[|setup --with )([a-z]+(?:,[a-z]+)*)")
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    extras = {extra for text in [*texts(), *pages] for match in asked.findall(text) for extra in match.split(",")}
    assert len(extras) > 6
    assert extras <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts_and_is_listed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Status", "Context", "Decision", "Consequences"]
    assert text.startswith(f"# {page.name[:4]}: ")
    assert f"]({page.name})" in (page.parent / "README.md").read_text(encoding="utf-8")


@cache
def texts() -> list[str]:
    """All texts in the program's sources."""
    return [
        node.value
        for package in ("labcontrol", "drivers")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_what_the_first_table_page_says_the_program_says_is_what_it_says() -> None:
    page = (ROOT / "docs" / "first-real-table.md").read_text(encoding="utf-8").split("## What to do when")[1]
    said = [
        phrase for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for phrase in re.findall(r"`(.*?)`", row)
    ]
    assert len(said) > 15
    assert [phrase for phrase in said if not any(phrase in text for text in texts())] == []
