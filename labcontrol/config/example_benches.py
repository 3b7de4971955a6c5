"""Example benches for tables as laboratories have them: files of this package, with notes on what a table needs.

A file holds what is particular to its table: the keys it sets, and above them how to find the value there. What every
key means is said by the models, and joined when an example is written.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from labcontrol.config.bench import BenchConfig
from labcontrol.config.toml_text import ENTRY, HEADER


@dataclass(frozen=True)
class ExampleBench:
    """A bench, and the notes of its file by key (``laser.address``), those on the whole file under an empty key."""

    bench: BenchConfig
    notes: dict[str, list[str]]

    @property
    def summary(self) -> str:
        """What the table is made of, in a line."""
        return self.notes[""][0].removeprefix("# ")


def example_bench_names() -> list[str]:
    """Names of the examples, sorted."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def example_bench(name: str) -> ExampleBench:
    """The example of this name. Raises KeyError when there is none."""
    if name not in example_bench_names():
        raise KeyError(name)
    text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    return ExampleBench(BenchConfig.model_validate(tomllib.loads(text)), _notes(text))


def _folder() -> Traversable:
    return files("labcontrol.config") / "benches"


def _notes(text: str) -> dict[str, list[str]]:
    """Comments by the key or section they stand above; the first block is the file's."""
    notes: dict[str, list[str]] = {}
    section = ""
    waiting: list[str] = []
    for line in text.splitlines():
        header, entry = HEADER.fullmatch(line), ENTRY.match(line)
        if header:
            section = header[1] + "."
            notes[header[1]] = waiting
        elif entry:
            notes[section + entry[1]] = waiting
        elif line.startswith("#"):
            waiting.append(line)
            continue
        waiting = []
    head = notes.pop("name", [])
    return {"": head} | {key: lines for key, lines in notes.items() if lines}
