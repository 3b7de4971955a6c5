"""CONTRIBUTING.md: every file it names is there, and what it adds with one module and one entry works."""

from __future__ import annotations

import importlib
import re
import secrets
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Run
from labcontrol.host import HostClient, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.protocol import Begin
from labcontrol.host.server import Host
from labcontrol.learning import strategy_class
from labcontrol.records import RunReader

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
MODULES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\S+\.py)\n", block))}
ENTRIES = {found[2]: (found[1], block) for block in BLOCKS if (found := re.match(r"# (\w+) in (\S+\.py)\n", block))}


def dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def add(path: str, registry: str, patch: pytest.MonkeyPatch) -> None:
    """Do what the page says: a module at its path, and its entry in a registry."""
    module = ModuleType(dotted(path))
    patch.setitem(sys.modules, module.__name__, module)
    exec(compile(MODULES[path], str(ROOT / path), "exec", dont_inherit=True), module.__dict__)
    name, block = ENTRIES[registry]
    home = importlib.import_module(dotted(registry))
    for key, entry in eval(f"{{{block}}}", vars(home)).items():
        patch.setitem(getattr(home, name), key, entry)


def test_every_module_that_is_shown_is_added_here() -> None:
    assert set(MODULES) == {
        "labcontrol/tasks/sine.py",
        "labcontrol/learning/random_masks.py",
        "labcontrol/host/jobs/identify.py",
        "labcontrol/gui/faults/page.py",  # in tests/gui/test_add_a_page.py
    }
    assert not any((ROOT / path).exists() for path in MODULES)


def test_every_file_that_is_named_is_there() -> None:
    table = re.search(r"## Where is what\n(.*?)\n## ", PAGE, re.DOTALL)
    assert table is not None
    files = re.findall(r"`([\w/]+\.py)` \|", table[1])
    assert len(files) >= 10
    named = {*files, *re.findall(r"`((?:labcontrol|drivers|mock_devices|tests)/[\w/.]+)`", PAGE)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def finished(folder: Path, **changes: Any) -> RunReader:
    values = {"neurons": 16, "seed": 1, "stop": {"epochs": 30}}
    values["task"] = {"steps": 20, "test_steps": 10, "washout": 5} | changes.pop("task", {})
    run = Run(ExperimentConfig.model_validate(values | changes), simulated_bench(16, 1), folder)
    run.start()
    run.wait()
    assert run.status.state == "finished", run.status.reason
    return RunReader(run.record)


def test_a_task_is_one_module_and_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("labcontrol/tasks/sine.py", "labcontrol/tasks/task.py", monkeypatch)
    with finished(tmp_path, task={"name": "sine"}) as record:
        assert len(record.epochs) == 30


def test_a_strategy_is_one_module_and_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("labcontrol/learning/random_masks.py", "labcontrol/learning/registry.py", monkeypatch)
    assert strategy_class("random-masks").__name__ == "RandomMasks"
    with finished(tmp_path, learning={"strategy": "random-masks", "masks_per_replay": 8}) as record:
        assert len(record.epochs) >= 30


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))


@pytest.mark.usefixtures("own_folder")
def test_a_job_is_one_module_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    add("labcontrol/host/jobs/identify.py", "labcontrol/host/jobs/__init__.py", monkeypatch)
    host = Host(HostPlace(hosts_folder(), secrets.token_hex(6)), ends_when_free=False)
    host.start()
    heard: list[Any] = []
    try:
        with HostClient.connect(hosts()[0], "test") as client:
            client.hear(heard.append)
            settings = {"bench": simulated_bench(16, 1).model_dump(mode="json")}
            client.request(Begin(job="identify", settings=settings))
            deadline_s = time.monotonic() + 10.0
            while not any(type(each).__name__ == "Identified" for each in heard) and time.monotonic() < deadline_s:
                client.wait(0.05)
                client.poll()
    finally:
        host.stop()
    (identified,) = (each for each in heard if type(each).__name__ == "Identified")
    assert "laser diode" in identified.identities["laser"]
