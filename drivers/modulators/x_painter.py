"""Grey levels into a window of an X server, in one pass: the server reads them from shared memory as it draws.

A toolkit would make four bytes of each and hand these over. Here the bytes are the opacity of white (X Rendering
Extension), which the server turns into pixels while it copies them: a quarter of the memory is moved.
"""

from __future__ import annotations

import ctypes
import os
import select
import threading
from pathlib import Path
from typing import Any

from drivers.modulators.areas import Area


class PainterError(Exception):
    """The window cannot be painted this way."""


class XPainter:
    """Paints one window of an X server on this computer.

    display: None for the one this program runs on. window: its number there. levels: file of rows x columns bytes, row
    by row, from which is painted. Raises PainterError where there is no such server, or one that cannot do it, or
    xcffib is not installed.
    """

    def __init__(self, display: str | None, window: int, levels: Path, rows: int, columns: int) -> None:
        self._size = (rows, columns)
        self._lock = threading.Lock()
        self._connection: Any = None
        try:
            import xcffib
            from xcffib import render, shm, xproto
            from xcffib.ffi import ffi
        except (ImportError, OSError) as error:
            raise PainterError(f"xcffib cannot be loaded: {error}") from error
        self._error: type[Exception] = xcffib.XcffibException
        self._in_place, self._bitmap = render.PictOp.Src, xproto.ImageFormat.ZPixmap
        try:
            self._connection = xcffib.connect(display=display)
            self._shm, self._render = self._connection(shm.key), self._connection(render.key)
            self._share(levels, int(ffi.cast("intptr_t", self._connection._conn)))  # noqa: SLF001
            self._prepare_pictures(window, render.COLOR.synthetic(*4 * (0xFFFF,)))
        except (self._error, KeyError, StopIteration, OSError) as error:
            self.close()
            raise PainterError(f"the X server cannot paint from shared memory: {error!r}") from error

    def paint(self, area: Area, timeout_s: float) -> None:
        """Paint an area; returns when the server has done it.

        Raises TimeoutError when it does not in time, PainterError when the window or the server is gone.
        """
        rows, columns = area
        height, width = rows.stop - rows.start, columns.stop - columns.start
        at = (columns.start, rows.start)
        with self._lock:
            if self._connection is None:
                raise PainterError("the painter has been closed")
            try:
                if self._copies:
                    image = (*self._size[::-1], *at, width, height, *at, 8, self._bitmap, 0, self._segment, 0)
                    self._shm.PutImage(self._pixmap, self._context, *image)
                pictures = (self._white, self._levels, self._window)
                done = self._render.CompositeChecked(self._in_place, *pictures, 0, 0, *at, *at, width, height)
                answer = self._connection.core.GetInputFocus()
                self._connection.flush()
                # A server that hangs must not hang the run.
                if not select.select([self._connection.get_file_descriptor()], [], [], timeout_s)[0]:
                    raise TimeoutError
                answer.reply()
                done.check()
            except self._error as error:
                raise PainterError(f"the X server did not paint: {error!r}") from error

    def close(self) -> None:
        """Let go of the server; may be called again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.disconnect()

    def _share(self, levels: Path, connection: int) -> None:
        """Let the server map the file: its descriptor goes through the socket, which xcffib itself cannot do."""
        library = ctypes.CDLL("libxcb-shm.so.0")
        library.xcb_shm_attach_fd.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint8]
        self._segment = self._connection.generate_id()
        library.xcb_shm_attach_fd(connection, self._segment, os.open(levels, os.O_RDWR), 0)  # which closes the file

    def _prepare_pictures(self, window: int, white: Any) -> None:
        make, render, core = self._connection.generate_id, self._render, self._connection.core
        rows, columns = self._size
        formats = render.QueryPictFormats().reply()
        grey = next(f.id for f in formats.formats if f.depth == 8 and f.type == 1 and f.direct.alpha_mask == 0xFF)
        visual = core.GetWindowAttributes(window).reply().visual
        depths = [depth for screen in formats.screens for depth in screen.depths]
        of_window = next(each.format for depth in depths for each in depth.visuals if each.visual == visual)
        self._pixmap, self._context, self._levels, self._window, self._white = (make() for _ in range(5))
        # Graphics cards cannot draw from the memory of another program; then it is copied once, as it is.
        self._copies = not self._server_draws_from_shared_memory()
        if self._copies:
            core.CreatePixmapChecked(8, self._pixmap, window, columns, rows).check()
            core.CreateGCChecked(self._context, self._pixmap, 0, []).check()
        else:
            self._shm.CreatePixmapChecked(self._pixmap, window, columns, rows, 8, self._segment, 0).check()
        render.CreatePictureChecked(self._levels, self._pixmap, grey, 0, []).check()
        render.CreatePictureChecked(self._window, window, of_window, 0, []).check()
        render.CreateSolidFillChecked(self._white, white).check()

    def _server_draws_from_shared_memory(self) -> bool:
        return bool(self._shm.QueryVersion().reply().shared_pixmaps)
