"""Changes one thing in the program, runs the tests near it, and counts the changes that no test noticed.

    python benchmarks/mutations.py                        # 66 changes drawn by seed 1, over all packages
    python benchmarks/mutations.py --results found.jsonl  # stopped and called again, it goes on where it was
    python benchmarks/mutations.py --show 17              # one change as a patch, without running a test

A change is a comparison turned round or moved by one, a number or a default altered, plus and minus or times and
divided exchanged, `and` and `or` exchanged, a `not` dropped, a flag inverted, a statement removed. The same number of
them is drawn in every package, first the kind, then the place, so that rare kinds are tried as well. Annotations,
texts, lines of the log and numbers of the window's layout are left alone.

Near a module are the tests that import it or something it defines; where there are none, the tests in the folder named
like its package. They run in a copy of the tree. A change is found when a test fails twice with it: once may be chance.
What survives is either a hole in the tests or changes nothing that matters; that is for a person to say.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("labcontrol", "drivers", "mock_devices")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache")
CPU_LIMIT_S = 400  # a change that makes a loop endless is found by this
# Loaded once, before the process is forked for every change.
PRELOADED = ("numba", "scipy.stats", "scipy.optimize", "h5py", "pydantic", "matplotlib.figure", "pyqtgraph")

TURNED: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Add: ("-",),
    ast.Sub: ("+",),
    ast.Mult: ("/",),
    ast.Div: ("*",),
    ast.And: ("or",),
    ast.Or: ("and",),
}


@dataclass(frozen=True)
class Mutation:
    """One change. start, end: bytes of the file that `new` takes the place of."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    new: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.end :]


class Sites(ast.NodeVisitor):
    """All changes that one file offers."""

    def __init__(self, path: str, source: bytes) -> None:
        self.found: list[Mutation] = []
        self._path, self._source = path, source
        lengths = [len(line) for line in source.splitlines(keepends=True)]
        self._starts = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
        self._numbers = not path.startswith("labcontrol/gui/")

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, node: ast.expr | ast.stmt, kind: str, new: str, span: tuple[int, int] | None = None) -> None:
        start, end = span or self._span(node)
        self.found.append(Mutation(self._path, node.lineno, kind, start, end, new))

    def _turn(self, kind: str, operator: ast.AST, left: ast.expr, right: ast.expr) -> None:
        """Another operator between two operands; what stands there beside it are brackets and spaces."""
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._source[start:end].decode()
        old = re.search(r"is\s+not|not\s+in|is|in|and|or|[<>=!]=|[<>+\-*/]", between)
        if old is None or "#" in between:
            return
        for new in TURNED.get(type(operator), ()):
            self._add(left, kind, between[: old.start()] + new + between[old.end() :], (start, end))

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self._turn("comparison", operator, left, right)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not any(
            isinstance(side, ast.Constant | ast.JoinedStr) and _is_text(side) for side in (node.left, node.right)
        ):
            self._turn("arithmetic", node.op, node.left, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        if len(node.values) == 2:
            self._turn("and, or", node.op, *node.values)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(node, "not dropped", ast.unparse(node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._alter(node, "number")

    def _alter(self, node: ast.Constant, kind: str) -> None:
        if isinstance(node.value, bool):
            self._add(node, "flag" if kind == "number" else kind, str(not node.value))
        elif isinstance(node.value, int) and self._numbers:
            self._add(node, kind, str(node.value + 1))
        elif isinstance(node.value, float) and self._numbers:
            self._add(node, kind, repr(2 * node.value or 1.0))

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and not re.match(r"_?log\w*\.|warnings", ast.unparse(node.value)):
            self._add(node, "statement removed", "pass")
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "statement removed", "pass")
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if isinstance(default, ast.Constant):
                self._alter(default, "default")
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Texts are left alone."""


def _is_text(node: ast.Constant | ast.JoinedStr) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(node.value, str)


def package_of(path: Path) -> str:
    """The package a module belongs to, two levels deep: labcontrol/engine, mock_devices/wire, labcontrol."""
    return "/".join(path.relative_to(ROOT).parts[:-1][:2])


def sites_of(path: Path) -> list[Mutation]:
    source = path.read_bytes()
    sites = Sites(path.relative_to(ROOT).as_posix(), source)
    sites.visit(ast.parse(source))
    return sites.found


def drawn(count: int, seed: int) -> list[Mutation]:
    """Changes drawn in turn from all packages: no two in one file, as long as there are other files."""
    draw = random.Random(seed)
    offered: dict[str, list[Mutation]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            offered[package_of(path)] += sites_of(path)
    chosen: list[Mutation] = []
    while len(chosen) < count:
        for package in sorted(offered):
            used = {mutation.path for mutation in chosen}
            rest = [site for site in offered[package] if site.path not in used]
            rest = rest or [site for site in offered[package] if site not in chosen]
            if rest:
                kind = draw.choice(sorted({site.kind for site in rest}))
                chosen.append(draw.choice([site for site in rest if site.kind == kind]))
    return chosen[:count]


def tests_near(path: str) -> list[str]:
    """Test files that import the module or something it defines, those in the folder of its package if there are any.

    Where no test imports it, all in that folder.
    """
    module = Path(path).with_suffix("")
    dotted = ".".join(module.parts).removesuffix(".__init__")
    package, defined = dotted.rpartition(".")[0], _defined(ROOT / path)
    folders = {*module.parts[:-1], *(("wire",) if module.parts[0] == "drivers" else ())} - {"labcontrol"}
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    beside = [file for file in files if folders & {*file.relative_to(ROOT / "tests").parts[:-1]}]
    importing = [file for file in files if _imports(file, dotted, package, defined)]
    near = [file for file in importing if file in beside] or importing or beside
    return [file.relative_to(ROOT).as_posix() for file in near]


def _defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_bytes())
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def _imports(test: Path, module: str, package: str, defined: set[str]) -> bool:
    """Also a text that names the module, as tests do that replace something in it or start it."""
    text = test.read_text(encoding="utf-8")
    if re.search(rf"\b{re.escape(module)}\b(?!\.\w+ import)", text):
        return True
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    names = {name.name for node in imports if node.module == package for name in node.names}
    return bool(names & (defined | {module.rpartition(".")[2]}))


def run_tests(tree: Path, tests: Sequence[str], report: Path) -> bool:
    """Whether the tests pass, in a process forked from this one. The report names the first that failed.

    Raises RuntimeError where they could not be begun at all.
    """
    process = os.fork()
    if process == 0:
        code = int(pytest.ExitCode.INTERNAL_ERROR)
        try:
            with report.open("w") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            code = int(pytest.main(_begin_tests(tree, tests)))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGTERM)  # displays, and what tests had started
    code = os.waitstatus_to_exitcode(status)
    if code > 0 and not re.search(r"\d+ (passed|failed|error|deselected)", report.read_text(errors="replace")):
        raise RuntimeError(f"The tests {tests} could not be begun:\n{report.read_text()[-2000:]}")
    return code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def _begin_tests(tree: Path, tests: Sequence[str]) -> list[str]:
    """Make this process one that knows the tree only; returns the arguments of pytest."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(entry for entry in sys.path if Path(entry or ".").resolve() not in (ROOT, tree))]
    return ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-o", "timeout=1200", *tests]


def verdict(mutation: Mutation, tree: Path) -> dict[str, object]:
    """The change and what became of it."""
    path, started_s = tree / mutation.path, time.monotonic()
    source = path.read_bytes()
    tests = tests_near(mutation.path)
    report = tree / "report.txt"
    result, by = "survived", ""
    path.write_bytes(mutation.apply(source))
    try:
        while result == "survived" and not run_tests(tree, tests, report):
            failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", report.read_text(errors="replace"), re.MULTILINE)
            if not failed or not run_tests(tree, failed, report):
                result, by = "found", failed[0] if failed else "a process that ended or never did"
            elif failed[0] in by:
                break
            else:
                by = failed[0]  # by chance; the others once more
    finally:
        path.write_bytes(source)
    old, new = _changed_line(mutation, source)
    seconds = round(time.monotonic() - started_s)
    return asdict(mutation) | {"old": old, "changed": new, "result": result, "by": by, "seconds": seconds}


def _changed_line(mutation: Mutation, source: bytes) -> tuple[str, str]:
    lines, changed = (text.decode().splitlines() for text in (source, mutation.apply(source)))
    pairs = [(old, new) for old, new in zip(lines, changed, strict=False) if old != new]
    return (pairs[0][0].strip(), pairs[0][1].strip()) if pairs else ("", "")


def patch(mutation: Mutation) -> str:
    source = (ROOT / mutation.path).read_bytes()
    texts = [text.decode().splitlines(keepends=True) for text in (source, mutation.apply(source))]
    return "".join(difflib.unified_diff(*texts, mutation.path, mutation.path))


def table(results: Sequence[dict[str, object]]) -> Iterator[str]:
    for result in results:
        yield f"{result['result']:9} {result['path']}:{result['line']}  {result['kind']}"
        yield f"          {result['old']}  ->  {result['changed']}"
    found = sum(result["result"] == "found" for result in results)
    yield f"{found} of {len(results)} changes were found by the tests near them"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=66)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="file of results, one JSON object a line; what is in it is done")
    parser.add_argument("--show", type=int, help="number of the one change to show")
    options = parser.parse_args()
    mutations = drawn(options.count, options.seed)
    if options.show is not None:
        print(patch(mutations[options.show]), *tests_near(mutations[options.show].path), sep="\n")
        return
    results: Path = options.results or Path(tempfile.mkdtemp()) / "results.jsonl"
    done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=NOT_COPIED, symlinks=True)
        for mutation in mutations:
            if any(asdict(mutation).items() <= result.items() for result in done):
                continue
            done.append(verdict(mutation, tree))
            with results.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(*list(table(done[-1:]))[:-1], sep="\n", flush=True)
    print(*table(done), sep="\n")


if __name__ == "__main__":
    main()
