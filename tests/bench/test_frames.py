"""A picture that somebody asks for is of now."""

from __future__ import annotations

from labcontrol.bench import Bench, fresh_frame, simulated_bench


def test_a_frame_that_waits_in_the_camera_is_not_the_one_that_was_asked_for() -> None:
    with Bench(simulated_bench(16, 1)) as bench:
        camera = bench.camera
        camera.trigger()
        bench.clock.sleep(camera.exposure_s + camera.readout_time_s)
        asked_s = bench.clock.now_s()
        assert fresh_frame(camera).time_s >= asked_s
