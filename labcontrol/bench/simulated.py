"""placeholder"""

from labcontrol.config import BenchConfig


def simulated_bench(neurons: int, seed: int) -> BenchConfig:
    raise RuntimeError
