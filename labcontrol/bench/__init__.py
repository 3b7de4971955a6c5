"""The bench: opened devices by role, and where each neuron lies on them."""

from labcontrol.bench.bench import Bench, driver_classes
from labcontrol.bench.geometry import NeuronMap
from labcontrol.bench.named import BUILT_IN_BENCHES, bench_for
from labcontrol.bench.response import PhaseTable
from labcontrol.bench.simulated import hidden_bench, laboratory_bench, simulated_bench

__all__ = [
    "BUILT_IN_BENCHES",
    "Bench",
    "NeuronMap",
    "PhaseTable",
    "bench_for",
    "driver_classes",
    "hidden_bench",
    "laboratory_bench",
    "simulated_bench",
]
