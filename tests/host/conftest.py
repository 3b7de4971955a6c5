"""Hosts in the test's own process or in one of their own, found by nobody else."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "engine"))  # small_runs

from small_runs import bench_for, experiment

from labcontrol.engine import Run
from labcontrol.host import HostClient, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.jobs import Job
from labcontrol.host.jobs.run import RunJob
from labcontrol.host.server import Host


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hosts of this test are found, also by the processes that it starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))


@pytest.fixture
def serve() -> Iterator[Callable[..., Host]]:
    """`serve(job)` starts a host in this process, ended with the test."""
    started: list[Host] = []

    def start(job: Job | None = None, *, ends_when_free: bool = False) -> Host:
        host = Host(HostPlace(hosts_folder(), secrets.token_hex(6)), job, ends_when_free=ends_when_free)
        host.start()
        started.append(host)
        return host

    yield start
    for host in started:
        host.stop()


@pytest.fixture
def attach() -> Iterator[Callable[..., HostClient]]:
    """`attach(host)` is a client of a host in this process, or of the newest one; closed with the test."""
    made: list[HostClient] = []

    def connect(host: Host | None = None, client: str = "test", **options: Any) -> HostClient:
        found = [file for file in hosts() if host is None or file.name == host.status().host]
        made.append(HostClient.connect(found[0], client, **options))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def run_job(tmp_path: Path) -> Callable[..., RunJob]:
    """A small run as a job; `epochs` and what `small_runs.experiment` takes may be given."""

    def make(epochs: int = 40, **changes: Any) -> RunJob:
        config = experiment(stop={"epochs": epochs}, **changes)
        return RunJob(Run(config, bench_for(config), tmp_path / "runs"))

    return make
