"""What the program imports is what it says it needs: an installation without the test tools works, too."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = {"labcontrol", "drivers", "mock_devices"}
OF_THE_SYSTEM = {"gi"}
BROUGHT_BY = {"markupsafe": "jinja2", "pydantic_core": "pydantic"}


def imported() -> set[str]:
    """Top-level names of all modules that the packages import, wherever in a file."""
    names = set()
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module)
    return {name.split(".")[0] for name in names} - OURS - OF_THE_SYSTEM - set(sys.stdlib_module_names)


def plain(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0].lower().replace("_", "-")


def test_every_package_that_is_imported_is_a_dependency_or_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name != "test"}
    declared = {
        plain(need) for need in [*project["dependencies"], *(need for needs in extras.values() for need in needs)]
    }
    providers = packages_distributions()
    for name in imported():
        distributions = {plain(each) for each in providers.get(name, [name])}
        assert distributions & declared or BROUGHT_BY.get(name) in declared, f"{name} is imported and not declared"
