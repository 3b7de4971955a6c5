"""Every command that a driver on a line can send is written down, byte for byte, in a test of that dialogue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import laser_cases
import pytest
import test_detector_bytes

ROOT = Path(__file__).resolve().parents[2]
SENDING = ("ask", "ask_if_known", "_ask", "_ask_if_known", "_to", "write", "ask_with_block", "_send", "_exchange")
SCRIPTS = ("laser_cases.py", "test_laser_bytes.py", "test_detector_bytes.py")
ON_A_LINE = {
    "lasers/cobolt.py": "@cobas?",
    "lasers/obis.py": "SYST:FAUL?",
    "lasers/ibeam.py": "prom on",
    "lasers/thorlabs_diode.py": "OUTP2 ON",
    "detectors/pm100.py": "READ?",
    "detectors/oscilloscope.py": ":WAV:PRE?;:WAV:DATA?",
    "transports/scpi.py": "*IDN?",
}


def texts(node: ast.expr | None) -> Iterator[str]:
    """The commands an expression can be, as patterns."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else None for part in node.values)
        yield "".join(".+" if part is None else re.escape(str(part)) for part in parts)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.Tuple | ast.List):
        for element in node.elts:
            yield from texts(element)


def commands_of(source: str) -> set[str]:
    """Patterns of all commands in the source of a driver: given to what sends them, or gone through by a loop."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING:
            found.update(texts(node.args[0] if node.args else None))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Condition":
            for given in (*node.args[1:2], *node.args[3:4], *(k.value for k in node.keywords if k.arg == "command")):
                found.update(command for command in texts(given) if command)
        elif isinstance(node, ast.For) and any(
            isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in SENDING
            for each in node.body
            for call in ast.walk(each)
        ):
            found.update(texts(node.iter))
        elif isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "landmarks" for t in node.targets
        ):
            found.update(texts(node.value))
    return found


def written_down() -> set[str]:
    """All bytes that stand in the scripted dialogues."""
    sources = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in SCRIPTS]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    scripts = [case.opening for case in laser_cases.CASES.values()]
    scripts += [test_detector_bytes.METER_OPENING, test_detector_bytes.SCOPE_OPENING]
    return {said.decode("ascii", "replace") for script in scripts for said, _ in script} | {
        node.value.decode("ascii", "replace")
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes)
    }


def test_every_driver_on_a_line_is_looked_at() -> None:
    opening_lines = {
        path.relative_to(ROOT / "drivers").as_posix()
        for path in (ROOT / "drivers").rglob("*.py")
        if re.search(r"Conversation\(|return cls\(.*(Serial|Visa)Line\(", path.read_text(encoding="utf-8"))
    }
    bases = {"transports/conversation.py", "lasers/wired_laser.py"}
    bases.add("lasers/shuttered.py")  # the bench file says its bytes
    assert opening_lines - bases <= set(ON_A_LINE)


@pytest.mark.parametrize("module", ON_A_LINE)
def test_every_command_stands_in_a_scripted_dialogue(module: str) -> None:
    commands = commands_of((ROOT / "drivers" / module).read_text(encoding="utf-8"))
    assert re.escape(ON_A_LINE[module]) in commands  # otherwise nothing was looked at
    known = written_down()
    missing = [command for command in sorted(commands) if not any(re.fullmatch(command, said) for said in known)]
    assert not missing, f"{module} can send {missing}, which no test of its bytes expects"
