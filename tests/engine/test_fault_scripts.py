"""Fault scripts: read strictly, played at their moments, the same on every run, and over a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_runs import EPOCHS, assert_same_learning, at_epoch, experiment, small_run

from labcontrol.config import load_experiment, load_fault_script
from labcontrol.config.toml_text import commented_toml
from labcontrol.engine import FaultSeen, Run
from labcontrol.errors import UserError
from labcontrol.records import Fault, RunReader


def with_faults(*faults: dict[str, Any], seed: int = 1, **changes: Any) -> Any:
    return experiment(fault_script={"seed": seed, "fault": list(faults)}, **changes)


def faults_of(run: Run) -> list[Fault]:
    mailbox = run.subscribe()
    run.execute()
    return [event.fault for event in mailbox.drain() if isinstance(event, FaultSeen)]


def test_a_script_is_read_from_a_file_and_kept_with_the_experiment(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text(
        'seed = 3\n[[fault]]\ndevice = "camera"\nkind = "drop"\nrate = 0.01\n'
        '[[fault]]\ndevice = "laser"\nkind = "trip"\nat_epoch = 5\nseconds = 2.0\n'
    )
    config = experiment().model_copy(update={"fault_script": load_fault_script(script)})
    (tmp_path / "experiment.toml").write_text(commented_toml(config))
    assert load_experiment(tmp_path / "experiment.toml").fault_script == config.fault_script


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[fault]]\ndevice = "camera"\nkind = "drop"\n', "one of at_s, at_step, at_epoch and rate"),
        ('[[fault]]\ndevice = "camera"\nkind = "drop"\nrate = 1.5\n', "rate"),
        ('[[fault]]\ndevise = "camera"\nkind = "drop"\nrate = 0.5\n', "device"),
        ("neurons = 16\n[task]\nsteps = 20\n", "is an experiment file, but a fault script file was expected"),
    ],
)
def test_what_is_wrong_with_a_script_is_said(tmp_path: Path, text: str, message: str) -> None:
    script = tmp_path / "faults.toml"
    script.write_text(text)
    with pytest.raises(UserError, match=message):
        load_fault_script(script)


def test_unknown_faults_are_refused_before_a_device_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no fault 'explode' of 'camera'.*camera: timeout"):
        small_run(tmp_path, with_faults({"device": "camera", "kind": "explode", "at_s": 1.0}))


# Dark frames, reference patterns and reference replay, each twice, four replays of the pilot, nine epochs.
IN_THE_TENTH = 4 + 2 * 2 + 2 * 35 + 25 * 4 + 25 * 9 + 3


@pytest.mark.parametrize(("moment", "epoch"), [({"at_epoch": 7}, 7), ({"at_step": IN_THE_TENTH}, 9), ({"at_s": 0}, 0)])
def test_a_fault_happens_at_its_moment(tmp_path: Path, moment: dict[str, float], epoch: int) -> None:
    (fault,) = faults_of(small_run(tmp_path, with_faults({"device": "slm", "kind": "garbled", **moment})))
    assert (fault.device, fault.kind, fault.epoch) == ("slm", "retried", epoch)


def test_faults_with_a_rate_come_about_as_often_as_said_and_the_same_way_again(tmp_path: Path) -> None:
    drops = {"device": "camera", "kind": "stale", "rate": 0.02}
    first = faults_of(small_run(tmp_path / "1", with_faults(drops)))
    again = faults_of(small_run(tmp_path / "2", with_faults(drops)))
    other = faults_of(small_run(tmp_path / "3", with_faults(drops, seed=2)))
    steps = 25 * (EPOCHS + 8)
    assert abs(len({fault.epoch for fault in first}) - 0.02 * steps) < 4 * (0.02 * steps) ** 0.5 + 5
    assert [fault.epoch for fault in first] == [fault.epoch for fault in again]
    assert [fault.epoch for fault in first] != [fault.epoch for fault in other]


def test_a_lasting_fault_ends_by_itself(tmp_path: Path) -> None:
    away = {"device": "camera", "kind": "disconnect", "at_epoch": 5, "seconds": 5.0}
    run = small_run(tmp_path, with_faults(away))
    actions = [fault.action for fault in faults_of(run)]
    assert run.status.state.name == "FINISHED"
    assert [f"({k} of 6)" in action for k, action in enumerate(actions, start=1)] == [True] * 3  # 1 s, 2 s, 4 s


def test_a_full_disk_is_played_too(tmp_path: Path) -> None:
    full = {"device": "disk", "kind": "full", "at_epoch": 5, "times": 3}
    run = small_run(tmp_path / "full", with_faults(full, faults={"disk_check_s": 0.01}))
    (fault,) = faults_of(run)
    assert (fault.device, fault.kind) == ("disk", "full")
    undisturbed = small_run(tmp_path / "not")
    undisturbed.execute()
    assert_same_learning(run.record, undisturbed.record)


def test_a_killed_run_has_the_same_faults_when_it_is_continued(tmp_path: Path) -> None:
    script = with_faults(
        {"device": "camera", "kind": "drop", "rate": 0.01},
        {"device": "detector", "kind": "timeout", "times": 4, "rate": 0.002},
    )
    undisturbed = small_run(tmp_path / "whole", script)
    undisturbed.execute()
    broken = small_run(tmp_path / "broken", script)
    at_epoch(broken, 23, broken.abort)
    broken.execute()
    Run.continued(broken.record).execute()
    assert_same_learning(broken.record, undisturbed.record)
    with RunReader(broken.record) as record:
        assert record.faults
