"""A picture of now: what a person, or an examination, looks at outside any measurement."""

from __future__ import annotations

from drivers.interfaces import Camera, Frame

_PATIENCE_S = 1.0


def fresh_frame(camera: Camera) -> Frame:
    """A frame that was exposed after this was asked for. Raises DeviceTimeoutError when none comes."""
    camera.discard_frames()
    return camera.snap(frame_patience_s(camera))


def frame_patience_s(camera: Camera) -> float:
    """How long to wait for one frame, with the exposure that is set, before the camera counts as silent."""
    return _PATIENCE_S + 2 * camera.exposure_s + camera.readout_time_s
