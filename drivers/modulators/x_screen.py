"""Whether a screen of an X server shows what is sent to it: not covered, not blanked, not bent by a gamma ramp.

Source: X11 core protocol, RandR 1.3 and MIT-SCREEN-SAVER 1.1.
"""

from __future__ import annotations

import select
from typing import Any

import numpy as np

_PATIENCE_S = 1.0
_STRAIGHT = 0.01  # largest distance of a gamma ramp from a straight line, as a share of its range
_UNSCALED = 65536  # 1 as a number of fixed point
_SAVER_ON = 1  # of the states in MIT-SCREEN-SAVER


class WatchError(Exception):
    """The screen cannot be watched."""


class XScreenWatch:
    """Watches the screen that a window covers, and holds off the screen saver until it is closed.

    display: None for the one this program runs on. screen: its name (RandR output). shape: rows and columns of the
    window. Raises WatchError where there is no such server, or xcffib is not installed.

    The screen saver is suspended for this client only: the server takes it up again when the connection ends, however
    that happens. A server with a compositor may keep from us that a window is covered; it is asked to leave this one
    alone.
    """

    def __init__(self, display: str | None, screen: str, window: int, shape: tuple[int, int]) -> None:
        self._screen, self._window, self._shape = screen, window, shape
        self._covered = False
        try:
            import xcffib
            from xcffib import randr, screensaver, xproto
        except (ImportError, OSError) as error:
            raise WatchError(f"xcffib cannot be loaded: {error}") from error
        self._x, self._error = xproto, xcffib.XcffibException
        try:
            self._connection = xcffib.connect(display=display)
            self._randr, self._saver = self._connection(randr.key), self._connection(screensaver.key)
            self._randr.QueryVersion(1, 3).reply()
            self._saver.QueryVersion(1, 1).reply()
            self._root = self._connection.core.GetGeometry(window).reply().root
            self._saver.SuspendChecked(1).check()
            self._leave_it_alone()
            mask = xproto.EventMask.VisibilityChange
            self._connection.core.ChangeWindowAttributesChecked(window, xproto.CW.EventMask, [mask]).check()
        except (self._error, KeyError) as error:
            raise WatchError(f"the X server does not tell of its screens: {error!r}") from error

    def close(self) -> None:
        """Let the screen saver go on; may be called again."""
        self._connection.disconnect()

    def trouble(self, thorough: bool) -> str:
        """What keeps the pattern from being on the screen; empty where nothing does.

        thorough: whether the server is asked, too; otherwise only what it has told by itself counts. Raises
        TimeoutError when it does not answer.
        """
        try:
            while (event := self._connection.poll_for_event()) is not None:
                if isinstance(event, self._x.VisibilityNotifyEvent):
                    self._covered = event.state != self._x.Visibility.Unobscured
            if not (thorough or self._covered):
                return ""
            return self._saved() or ("another window covers it" if self._covered else self._asked())
        except self._error:
            return ""  # the window is gone, or the server: who paints it will tell

    # --- inner workings -----------------------------------------------------------------------------------------
    def _leave_it_alone(self) -> None:
        core = self._connection.core
        name = b"_NET_WM_BYPASS_COMPOSITOR"
        atom = core.InternAtom(False, len(name), name).reply().atom
        core.ChangeProperty(self._x.PropMode.Replace, self._window, atom, self._x.Atom.CARDINAL, 32, 1, [1])

    def _saved(self) -> str:
        saver = self._answer(self._saver.QueryInfo(self._root))
        if saver.state == _SAVER_ON:
            self._connection.core.ForceScreenSaver(self._x.ScreenSaver.Reset)
            self._connection.flush()
            return "the screen saver was on, and is off again"
        return ""

    def _asked(self) -> str:
        resources = self._answer(self._randr.GetScreenResourcesCurrent(self._root))
        for number in resources.outputs:
            output = self._answer(self._randr.GetOutputInfo(number, resources.config_timestamp))
            if bytes(output.name).decode("utf-8", "replace") == self._screen and output.crtc:
                return self._bent(output.crtc) or self._scaled(output.crtc, resources)
        return ""

    def _bent(self, crtc: int) -> str:
        ramps = self._answer(self._randr.GetCrtcGamma(crtc))
        for ramp in map(np.array, (ramps.red, ramps.green, ramps.blue)):
            straight = np.linspace(0.0, 1.0, len(ramp))
            if len(ramp) > 1 and np.abs(ramp / 65535 - straight).max() > _STRAIGHT:
                return "its gamma ramp is not straight (night light, or a colour profile)"
        return ""

    def _scaled(self, crtc: int, resources: Any) -> str:
        shown = self._answer(self._randr.GetCrtcInfo(crtc, resources.config_timestamp))
        to = self._answer(self._randr.GetCrtcTransform(crtc)).current_transform
        mode = next((each for each in resources.modes if each.id == shown.mode), None)
        if (to.matrix11, to.matrix22) != (_UNSCALED, _UNSCALED):
            return f"the desktop scales it by {to.matrix11 / _UNSCALED:g} x {to.matrix22 / _UNSCALED:g}"
        if mode is not None and sorted((mode.height, mode.width)) != sorted(self._shape):
            return f"its mode has {mode.width} x {mode.height} pixels, the window {self._shape[1]} x {self._shape[0]}"
        return ""

    def _answer(self, asked: Any) -> Any:
        """A reply of the server, which must not hang whoever shows patterns."""
        self._connection.flush()
        if not select.select([self._connection.get_file_descriptor()], [], [], _PATIENCE_S)[0]:
            raise TimeoutError
        return asked.reply()
