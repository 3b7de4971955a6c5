"""A bench file in which a device is changed keeps everything else that a person wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from drivers.interfaces import Device
from drivers.registry import driver_names, load_driver
from labcontrol.bench.discover import roles_of
from labcontrol.cli.init import bench_text
from labcontrol.config.bench_edit import entry_text, missing_keys, replace_file, with_device
from labcontrol.config.example_benches import example_bench, example_bench_names
from labcontrol.errors import UserError

DEVICES = {name: kind for name in driver_names() if issubclass(kind := load_driver(name), Device) and not kind.on_table}
CASES = [(role, name) for name, kind in DEVICES.items() for role in roles_of(kind)]
EXAMPLES = {name: bench_text(example_bench(name).bench, example_bench(name).notes) for name in example_bench_names()}


def others(text: str, role: str) -> list[str]:
    """Lines of all sections but this one's."""
    kept, section = [], ""
    for line in text.splitlines():
        section = line if line.startswith("[") else section
        if not section.startswith((f"[{role}]", f"[{role}.")):
            kept.append(line)
    return [line for line in kept if line]


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize(("role", "driver"), CASES)
def test_only_the_section_of_the_device_changes(example: str, role: str, driver: str) -> None:
    text, kind = EXAMPLES[example], DEVICES[driver]
    new = with_device(text, role, driver, "there", {}, kind.Options)
    before, after = tomllib.loads(text), tomllib.loads(new)
    assert others(new, role) == others(text, role)
    assert {key: value for key, value in after.items() if key != role} == {
        key: value for key, value in before.items() if key != role
    }
    assert (after[role]["driver"], after[role]["address"]) == (driver, "there")
    same = before[role]["driver"] == driver
    assert after[role].get("options", {}) == (before[role]["options"] if same else {})
    kept = set(before[role]) - {"driver", "address", "options"}
    assert {key: after[role][key] for key in kept} == {key: before[role][key] for key in kept}


@pytest.mark.parametrize("driver", DEVICES)
def test_the_options_of_a_new_driver_are_all_explained(driver: str) -> None:
    kind, role = DEVICES[driver], roles_of(DEVICES[driver])[0]
    lines = with_device(f'[{role}]\ndriver = "another"\n', role, driver, "", {}, kind.Options).splitlines()
    for key in kind.Options.model_fields:
        (entry,) = (number for number, line in enumerate(lines) if line.startswith(f"# {key} = "))
        explained = lines[entry - 2] + lines[entry - 1].removeprefix("#")  # what is long goes over two lines
        assert ("to be filled in" in explained) == (key in missing_keys(kind.Options, {}))


def test_options_that_were_found_are_set_and_others_stay() -> None:
    text = EXAMPLES["obis-vialux-camera"]
    new = with_device(text, "camera", "basler", "7", {"emulated": True}, DEVICES["basler"].Options)
    before, after = (tomllib.loads(each)["camera"]["options"] for each in (text, new))
    assert after == before | {"emulated": True}


def test_an_entry_says_what_is_still_to_be_filled_in() -> None:
    text = entry_text("laser", "thorlabs-laser-diode", "USB0", {}, DEVICES["thorlabs-laser-diode"].Options)
    assert tomllib.loads(text) == {"laser": {"driver": "thorlabs-laser-diode", "address": "USB0", "options": {}}}
    assert "# threshold_a = ...  to be filled in: threshold current of the diode, in A" in text


@pytest.mark.parametrize("text", ["[laser", "laser = 3", "[laser]\n[slm]\n[laser.options]\n"])
def test_what_is_no_bench_file_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        with_device(text, "laser", "cobolt-06", "COM3", {}, DEVICES["cobolt-06"].Options)


def test_a_file_is_replaced_as_a_whole_and_the_one_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    assert replace_file(path, "first") is None
    assert replace_file(path, "second") == tmp_path / "bench.toml.bak"
    assert (path.read_text(), (tmp_path / "bench.toml.bak").read_text()) == ("second", "first")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bench.toml", "bench.toml.bak"]


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("first")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        replace_file(path, "second")
    assert path.read_text() == "first"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".bench")]
