"""Compiled code is never older than the sources it was compiled from, wherever in the package they are."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = ("labcontrol", "mock_devices")
OUTER = """
from {package}_loops.compiled import compiled
from {package}_loops.inner import inner

@compiled
def outer(x):
    return inner(x)
"""
INNER = """
from {package}_loops.compiled import compiled

@compiled
def inner(x):
    return {factor} * x
"""
CALL = """
from importlib import import_module

for package in ("labcontrol", "mock_devices"):
    outer = import_module(package + "_loops.outer").outer
    print(outer(1.0), sum(outer.stats.cache_hits.values()))
"""


def test_a_change_of_a_called_function_in_another_file_recompiles_its_callers(tmp_path: Path) -> None:
    for package in PACKAGES:
        loops = tmp_path / f"{package}_loops"
        loops.mkdir()
        shutil.copy(ROOT / package / "compiled.py", loops)
        (loops / "outer.py").write_text(OUTER.format(package=package))

    def called_with(factor: str) -> list[str]:
        for package in PACKAGES:
            (tmp_path / f"{package}_loops" / "inner.py").write_text(INNER.format(package=package, factor=factor))
        done = subprocess.run([sys.executable, "-c", CALL], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert called_with("2.0") == ["2.0 0"] * 2
    assert called_with("2.0") == ["2.0 1"] * 2, "unchanged sources should be served from the cache"
    assert called_with("300.0") == ["300.0 0"] * 2


@pytest.mark.parametrize("package", PACKAGES)
def test_what_compiled_functions_use_comes_from_files_that_count_for_the_cache(package: str) -> None:
    """A constant imported from any other file would be frozen into cached code unnoticed."""
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        origins = {
            alias.asname or alias.name: node.module
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package)
            for alias in node.names
        }
        for function in filter(_is_compiled, tree.body):
            annotations = {
                name
                for argument in ast.walk(function)
                if isinstance(argument, ast.arg) and argument.annotation is not None
                for name in _names(argument.annotation)
            }
            for name in (_names(function) - annotations) & origins.keys():
                source = ROOT.joinpath(*origins[name].split(".")).with_suffix(".py")
                assert source.exists(), f"{path.name}: import {name} from its own module"
                assert "compiled" in source.read_text(encoding="utf-8"), f"{path.name} uses {name} of {source.name}"


def _is_compiled(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any("compiled" in ast.unparse(d) for d in node.decorator_list)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
