"""Where no window can be opened, the user hears why and what to do; nowhere does that load Qt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labcontrol.gui import availability


def test_without_a_display_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("no probe is needed"))
    assert not availability.has_display()
    assert "no display" in (availability.why_not() or "")


def test_offscreen_drawing_needs_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert availability.why_not() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays with names are those of X11")
def test_a_display_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":654")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    reason = availability.why_not() or ""
    assert ":654" in reason or "apt-get install" in reason


def test_a_missing_system_library_is_named_with_the_packages_that_bring_it() -> None:
    words = availability.explain("Cannot load library libqxcb.so: (libxcb-icccm.so.4: cannot open shared object file)")
    assert "libxcb-icccm.so.4" in words
    assert "apt-get install" in words
    assert "libxcb-icccm4" in words


def test_a_missing_python_package_is_named() -> None:
    assert "PyQt5" in availability.explain("ModuleNotFoundError: No module named 'PyQt5'")


def test_an_unknown_failure_is_quoted() -> None:
    assert "the moon is full" in availability.explain("\nthe moon is full\n")


def test_importing_the_package_and_asking_does_not_load_qt() -> None:
    script = "import sys, labcontrol.gui.availability; sys.exit(any(name.startswith('PyQt5') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
