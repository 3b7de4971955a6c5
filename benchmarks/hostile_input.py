"""Files and words that no program should be given, to every command that takes some.

    python benchmarks/hostile_input.py                 # 400 inputs
    python benchmarks/hostile_input.py --inputs 40 --seed 3

Experiment and bench files with values, keys and bytes changed, series and records that are none, and words in place of
names, paths and numbers; made at random, from a seed. What must come of each is exit code 2 and one message that names
the file or the word, or exit code 0 where the change was harmless; never a traceback, a hang, or a changed record. Exit
code 1 when something else came. POSIX only.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from forked_cli import Called, call

WORDS = (
    "", " ", "-", "--", "-1", "0", "1e999", "nan", "inf", "-inf", "1,5", "1_000", "0x10", "१२", "9" * 400, "1;2",
    "true", "None", "[/x]", "[bold]", "\\[/x]", "%s%n", "{0}", "$HOME", "`id`", "../../etc/passwd", "/dev/zero",
    "/dev/full", "/", ".", "~", "con", "a" * 300, "a/b\\c", "<script>alert(1)</script>", "$\\frac{1}{0}$",
    "\x1b[31mred", "tab\there", "line\nbreak", "\u202egnp.exe", "💡", "e\u0301", "\ud800", "latest",
    "https://example.org", "file:///etc/passwd",
)  # fmt: skip
VALUES = (
    "", '""', "nan", "inf", "-1", "0", "1e308", "99999999999999999999", "true", "[]", "{}", "[[[1]]]", '"[/x]"',
    "0.5.5", "1979-05-27T07:32:00Z", '"""', "'\\u0000'", "0b1", "{a = {b = 1}}",
)  # fmt: skip
COMMANDS_OF_RUNS = (
    ("runs", "show"), ("runs", "export"), ("runs", "note"), ("verify",), ("report",), ("resume",),
    ("monitor", "--once"), ("attach",), ("bug-report", "--no-devices"),
)  # fmt: skip
OPTIONS = (
    "--neurons", "--steps", "--epochs", "--seed", "--task", "--strategy", "--loss", "--selection", "--bench",
    "--option", "--replays", "--preset", "--target-error", "--acceptance",
)  # fmt: skip


class Hostile(NamedTuple):
    """What is tried. names: one of them must stand in the message."""

    kind: str
    arguments: list[str]
    names: tuple[str, ...]


def changed_text(text: str, rng: np.random.Generator) -> bytes:
    """A text file with something wrong in it, or its bytes."""
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    number = int(rng.choice(keys))
    key = lines[number].split(" = ")[0]
    match rng.integers(12):
        case 0 | 1 | 2 | 3:
            lines[number] = f"{key} = {rng.choice(VALUES)}"
        case 4:
            lines[number] = f"{key}_ = 1"
        case 5:
            lines.insert(number, lines[number])
        case 6:
            lines[number] = lines[number].replace(".", ",").replace("=", ":", int(rng.integers(2)))
        case 7:
            lines.append("[" * 3000 + "]" * 3000 if rng.random() < 0.5 else "x = " + "[" * 5000 + "]" * 5000)
        case 8:
            return text.encode("utf-16") if rng.random() < 0.5 else "\n".join(lines).encode("utf-16-le")
        case 9:
            return text.encode()[: int(rng.integers(len(text)))] + rng.bytes(40)
        case 10:
            return b"#" * (1 << 21) + text.encode()
        case _:
            lines[number] = f"{key} = '{WORDS[int(rng.integers(len(WORDS)))]}'"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def bad_series(rng: np.random.Generator) -> bytes:
    """A series that is none, or a strange one."""
    good = "\n".join(f"{value:.4f}" for value in rng.normal(size=600))
    return [
        b"", b"\x00" * 2000, good.replace(".", ",").encode(), good.replace("\n", ";").encode(), b"nan\n" * 600,
        b"1e400\n" * 600, b"1\n" * 600, good.encode()[:20], ("x\n" + good + "\nx").encode(), good.encode("utf-16"),
        "\n".join(f"{n};{n / 7:.3f}".replace(".", ",") for n in range(600)).encode(), rng.bytes(3000),
        ("1,2,3\n4,5\n" * 300).encode(), b"time,value\n" + b"0,0\n" * 600, b'"' * 600, b"9" * 100_000,
    ][int(rng.integers(16))]  # fmt: skip


def bad_record(whole: bytes, rng: np.random.Generator) -> bytes:
    """A record that is none."""
    return [
        b"", b"not a record", whole[: int(rng.integers(1, len(whole)))], rng.bytes(len(whole) // 100), whole[512:],
        b"\x89HDF\r\n\x1a\n" + rng.bytes(4000), whole[:8] + bytes(len(whole) - 8),
    ][int(rng.integers(7))]  # fmt: skip


def corpus(folder: Path, number: int, rng: np.random.Generator) -> Iterator[Hostile]:
    """So many things to try; files stand in a folder that has a good experiment, bench and record in it."""
    texts = {name: (folder / f"{name}.toml").read_text() for name in ("experiment", "bench")}
    whole = next((folder / "runs").glob("*.h5")).read_bytes()
    makers: dict[str, Callable[[], bytes]] = {
        "experiment": lambda: changed_text(texts["experiment"], rng),
        "bench": lambda: changed_text(texts["bench"], rng),
        "series": lambda: bad_series(rng),
        "record": lambda: bad_record(whole, rng),
    }
    for index in range(number):
        kind = ("experiment", "bench", "series", "record", "word for a run", "word for a setting")[index % 6]
        if kind in makers:
            path = folder / f"{kind} {index}{'.csv' if kind == 'series' else '.h5' if kind == 'record' else '.toml'}"
            path.write_bytes(makers[kind]())
        word = WORDS[int(rng.integers(len(WORDS)))].replace("\0", "")
        command = COMMANDS_OF_RUNS[int(rng.integers(len(COMMANDS_OF_RUNS)))]
        short = ["--headless", "--neurons", "16", "--steps", "20", "--epochs", "2", "--output", "out"]
        match kind:
            case "experiment":
                yield Hostile(kind, ["check", path.name], (path.name, "experiment", "There is no bench file"))
            case "bench":
                yield Hostile(kind, ["run", *short, "--bench", path.name], (path.name, "bench", "neurons"))
            case "series":
                yield Hostile(kind, ["run", *short, "--task", path.name], (path.name,))
            case "record":
                yield Hostile(kind, [*command, path.name], (path.name, "No run is going on"))
            case "word for a run":
                yield Hostile(kind, [*command, "--", word], (word, word[:40], "name", "run", "argument"))
            case _:
                option = OPTIONS[int(rng.integers(len(OPTIONS)))]
                yield Hostile(
                    kind,
                    ["run", *short, f"{option}={word}"],
                    (option, option[2:], word[:40], "argument", "There is no"),
                )


def judged(tried: Hostile, called: Called) -> str:
    """In a word or two; capitals for what must not be."""
    if called.failure:
        return called.failure
    if called.code == 0:
        return "harmless"
    if called.code != 2:
        return f"CODE {called.code}"
    said = " ".join(called.said.split())
    if not any(" ".join(name.split()) in said for name in tried.names):
        return "NAMELESS"
    return "refused" if said else "SILENT"


def run_campaign(inputs: int, seed: int) -> tuple[collections.Counter[tuple[str, str]], list[str]]:
    """How many of each kind came to what, and every case that must not be."""
    rng = np.random.default_rng(seed)
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for arguments in (["init", ".", "--neurons", "16"], ["run", "experiment.toml", "--headless", "--epochs", "3"]):
            made = call(arguments, folder)
            if made.code:
                raise SystemExit(made.said)
        good = {path: path.read_bytes() for path in sorted((folder / "runs").glob("*"))}
        for number, tried in enumerate(corpus(folder, inputs, rng), 1):
            called = call(tried.arguments, folder)
            word = judged(tried, called)
            if any(not path.exists() or path.read_bytes() != content for path, content in good.items()):
                word = "CHANGED A RECORD"
            found[tried.kind, word.split()[0] if word.startswith("CRASH") else word] += 1
            if word[:2].isupper():
                wrong.append(f"{word}: labcontrol {' '.join(map(repr, tried.arguments))}\n    {called.said[-600:]}")
            shutil.rmtree(folder / "out", ignore_errors=True)
            if sys.stderr.isatty():
                print(f"\r{number} of {inputs}, {len(wrong)} wrong", end="", file=sys.stderr)
    return found, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found, wrong = run_campaign(arguments.inputs, arguments.seed)
    for (kind, word), number in sorted(found.items()):
        print(f"{number:5d}  {kind}: {word}")
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
