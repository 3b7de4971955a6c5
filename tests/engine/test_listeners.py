"""Listeners: they hear everything, and can neither slow nor end a run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from small_runs import EPOCHS, assert_same_learning, small_run

from labcontrol.engine import EpochDone, Event, Mailbox, RunState, Seen, StateChanged
from labcontrol.engine.status import RunStatus


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run(tmp_path_factory.mktemp("undisturbed"))
    run.execute()
    return run.record


def test_a_mailbox_keeps_order_up_to_its_bound_and_counts_what_it_lost() -> None:
    mailbox = Mailbox(capacity=3)
    events: list[Event] = [StateChanged(RunStatus(epoch=k)) for k in range(5)]
    for event in events:
        mailbox.put(event)
    assert mailbox.drain() == events[2:]
    assert mailbox.missed == 2
    assert mailbox.drain() == []


def test_of_what_was_seen_only_the_newest_is_kept() -> None:
    mailbox = Mailbox()
    views = [Seen(view) for view in ("first", "second")]  # type: ignore[arg-type]
    mailbox.put(views[0])
    mailbox.put(StateChanged(RunStatus()))
    mailbox.put(views[1])
    assert mailbox.drain() == [StateChanged(RunStatus()), views[1]]
    assert mailbox.missed == 0


def test_a_listener_that_never_listens_changes_nothing(tmp_path: Path, undisturbed: Path) -> None:
    run = small_run(tmp_path)
    attentive, idle = run.subscribe(), run.subscribe()
    idle._capacity = 4
    run.execute()
    events = [event for event in attentive.drain() if not isinstance(event, Seen)]
    assert idle.missed == len(events) - 4
    assert [event for event in idle.drain() if not isinstance(event, Seen)] == events[-4:]
    assert_same_learning(run.record, undisturbed)


def test_a_listener_that_raises_is_dropped_and_the_others_still_hear(
    tmp_path: Path, undisturbed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Event] = []

    class Crashing(Mailbox):
        def put(self, event: Event) -> None:
            if isinstance(event, EpochDone):
                failures.append(event)
                raise ValueError("a bug in a listener")

    run = small_run(tmp_path)
    run._mailboxes = (Crashing(),)
    healthy = run.subscribe()
    run.execute()
    assert sum(isinstance(event, EpochDone) for event in healthy.drain()) == EPOCHS
    assert len(failures) == 1
    assert "a bug in a listener" in caplog.text
    assert_same_learning(run.record, undisturbed)


def test_a_listener_may_die_in_its_own_thread(tmp_path: Path, undisturbed: Path) -> None:
    run = small_run(tmp_path)
    mailbox = run.subscribe()
    heard: list[Event] = []

    def listen() -> None:
        while not heard:
            heard.extend(mailbox.drain())

    listener = threading.Thread(target=listen)
    listener.start()
    status = run.execute()
    listener.join()
    assert heard
    assert status.state is RunState.FINISHED
    assert_same_learning(run.record, undisturbed)
